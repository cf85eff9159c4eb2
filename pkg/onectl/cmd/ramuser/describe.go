package ramuser

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/ram"
)

// describeOptions is the input of "onectl ram-user describe".
type describeOptions struct {
	factory *cmdutil.Factory

	Output cmdutil.Output
}

// description is what the command prints; -o json prints it as it is.
type description struct {
	Cluster  string   `json:"cluster"`
	User     string   `json:"user"`
	Exists   bool     `json:"exists"`
	Secret   string   `json:"secret"` // held, empty or absent
	Addons   []string `json:"addons"`
	Policies []policy `json:"policies"`
}

type policy struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Addon string `json:"addon,omitempty"` // only of policies that onectl made
}

func newDescribe(f *cmdutil.Factory, runF func(*describeOptions) error) *cobra.Command {
	o := &describeOptions{factory: f}
	c := &cobra.Command{
		Use:     "describe",
		Short:   "Show the RAM user of the cluster's add-ons and its policies",
		Example: "  onectl ram-user describe\n  onectl ram-user describe -o json",
		Args:    cmdutil.NoArgs,
		RunE:    cmdutil.RunE(o, runF, o.run, o.Output.Validate),
	}
	o.Output.AddFlag(c)
	return c
}

func (o *describeOptions) run(ctx context.Context) error {
	s, err := open(ctx, o.factory, "kube-system")
	if err != nil {
		return err
	}
	d := description{Cluster: s.cluster.ID, User: s.user, Exists: true, Addons: []string{}, Policies: []policy{}}
	d.Secret = map[ram.SecretState]string{ram.SecretHeld: "held", ram.SecretEmpty: "empty", ram.SecretAbsent: "absent"}[s.secret.State]
	attached, err := s.cloud.ListPoliciesForUser(ctx, s.user)
	if cloud.KindOf(err) == cloud.NotFound {
		d.Exists = false
	} else if err != nil {
		return err
	}
	for _, p := range attached {
		name, ours := ram.AddonOf(p.Name)
		shown := policy{Name: p.Name, Type: p.Type}
		if ours {
			d.Addons = append(d.Addons, name)
			shown.Addon = name
		}
		d.Policies = append(d.Policies, shown)
	}
	slices.Sort(d.Addons)
	return o.Output.Print(o.factory.Out, d, d.print)
}

func (d description) print(w io.Writer) error {
	user := d.User
	if !d.Exists {
		user += " (does not exist yet: \"onectl ram-user grant --addon NAME\" makes it)"
	}
	rows := [][]string{
		{"Cluster:", d.Cluster}, {"RAM user:", user},
		{"AccessKey:", map[string]string{"held": "in Secret kube-system/" + ram.SecretName, "empty": "Secret kube-system/" + ram.SecretName + " holds none", "absent": "no Secret kube-system/" + ram.SecretName}[d.Secret]},
		{"Add-ons:", strings.Join(d.Addons, ", ")},
	}
	for _, p := range d.Policies {
		rows = append(rows, []string{"Policy:", p.Name + " (" + p.Type + ")"})
	}
	return cmdutil.Table(w, rows)
}
