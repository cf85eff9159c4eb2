package fabric

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What follows a fabric's name in its namespaces' names.
const (
	vpcSuffix = "-vpc"
	dcSuffix  = "-dc"
)

// mark is the alias of the loopback link in a namespace that the fabric made.
func (f *Fabric) mark() string { return markPrefix + f.name }

const markPrefix = "onectl fabric "

// Remove deletes the fabric's namespaces and links, the ends in machines' namespaces too, also when only some are there.
// Nothing there is not an error. A namespace that has such a name but is not a fabric's is left alone and is an error.
func (f *Fabric) Remove() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.removeRouter(f.VPCNetNS()), f.removeRouter(f.DCNetNS()))
}

// removeRouter deletes the links one by one: a namespace without a name goes later, with its last user, and so would its
// links.
func (f *Fabric) removeRouter(path string) error {
	ns, err := f.openMarked(path)
	if errors.Is(err, fs.ErrNotExist) {
		return unnameNetNS(path)
	}
	if err != nil {
		return fmt.Errorf("remove fabric %s: %w", f.name, err)
	}
	defer ns.Close()
	links, err := ns.links()
	if err != nil {
		return err
	}
	for _, link := range links {
		if link.Type() != "veth" && link.Type() != "bridge" {
			continue
		}
		if err := ns.deleteLink(link); err != nil {
			return err
		}
	}
	if err := unnameNetNS(path); err != nil {
		return err
	}
	f.log.Info("removed router", "netns", path)
	return nil
}

// Names lists the fabrics of this machine, whoever made them, so that what a killed process left can be removed.
func Names() ([]string, error) {
	entries, err := os.ReadDir(netnsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list fabrics: %w", err)
	}
	var names []string
	for _, entry := range entries {
		name, err := fabricOf(filepath.Join(netnsDir, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("list fabrics: %w", err)
		}
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// fabricOf is the name of the fabric that made the namespace at path, "" when none did.
func fabricOf(path string) (string, error) {
	if !strings.HasSuffix(path, vpcSuffix) && !strings.HasSuffix(path, dcSuffix) {
		return "", nil
	}
	if plain, err := isPlainFile(path); err != nil || plain {
		return "", err
	}
	ns, err := openNetNS(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // removed meanwhile
	}
	if err != nil {
		return "", err
	}
	defer ns.Close()
	lo, err := ns.LinkByName("lo")
	if err != nil {
		return "", fmt.Errorf("link lo of %s: %w", path, err)
	}
	name, ours := strings.CutPrefix(lo.Attrs().Alias, markPrefix)
	if !ours {
		return "", nil
	}
	return name, nil
}

// isPlainFile tells a name without a namespace from one with.
func isPlainFile(path string) (bool, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	return !isNetNS(int(file.Fd())), nil
}
