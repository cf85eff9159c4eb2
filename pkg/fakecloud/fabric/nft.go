package fabric

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/onectl/onectl/pkg/fakecloud"
)

// setRules makes the router enforce the network's security groups. The table is replaced in one transaction, and only
// when its comment, a digest of its text, says that it differs: connections go on meanwhile.
func (r *router) setRules(ctx context.Context, network fakecloud.Network) error {
	want := ruleset(network)
	if _, err := exec.LookPath("nft"); err != nil {
		if want == "" {
			return nil
		}
		return fmt.Errorf("enforce security groups: %w; install the package nftables", err)
	}
	digest := ""
	if want != "" {
		digest = fmt.Sprintf("%x", sha256.Sum256([]byte(want)))[:32]
	}
	have, err := r.rulesDigest(ctx)
	if err != nil || have == digest {
		return err
	}
	var script strings.Builder
	if have != "" {
		fmt.Fprintf(&script, "delete table inet %s\n", rulesTable)
	}
	if want != "" {
		fmt.Fprintf(&script, "table inet %s {\n\tcomment \"%s\"\n%s}\n", rulesTable, digest, want)
	}
	if _, err := r.nft(ctx, script.String(), "-f", "-"); err != nil {
		return fmt.Errorf("enforce security groups in %s: %w", r.path, err)
	}
	r.log.Info("set security rules", "netns", r.path, "digest", digest)
	return nil
}

// rulesDigest is the comment of the table that is there, "" when there is none.
func (r *router) rulesDigest(ctx context.Context) (string, error) {
	listed, err := r.nft(ctx, "", "-t", "list", "tables", "inet")
	if err != nil || !strings.Contains(listed, rulesTable) {
		return "", err
	}
	listed, err = r.nft(ctx, "", "-t", "list", "table", "inet", rulesTable)
	if err != nil {
		return "", err
	}
	_, rest, found := strings.Cut(listed, "comment \"")
	digest, _, whole := strings.Cut(rest, "\"")
	if !found || !whole {
		return "unknown", nil // somebody else's: replace it
	}
	return digest, nil
}

// nft runs the program in the router's namespace, with a script as its input.
func (r *router) nft(ctx context.Context, script string, args ...string) (string, error) {
	var out, problems bytes.Buffer
	err := inNetNS(int(r.file.Fd()), func() error {
		// The child has the namespace of the thread that starts it, which is this one.
		cmd := exec.CommandContext(ctx, "nft", args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(script), &out, &problems
		return cmd.Run()
	})
	if text := strings.TrimSpace(problems.String()); err != nil && text != "" {
		err = errors.Join(err, errors.New(text))
	}
	return out.String(), err
}
