package addon

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
)

// describeOptions is the input of "onectl addon describe".
type describeOptions struct {
	factory *cmdutil.Factory

	Name   string
	Output cmdutil.Output
}

// description is what the command prints; -o json prints it as it is.
type description struct {
	addon.Addon
	Installed bool           `json:"installed"`
	Version   string         `json:"version,omitempty"`
	Image     string         `json:"image,omitempty"`
	Rollout   *addon.Rollout `json:"rollout,omitempty"`
	Stuck     []string       `json:"stuck,omitempty"`   // why pods are not ready
	ENIConf   string         `json:"eniConf,omitempty"` // without the AccessKey that somebody put there
}

func newDescribe(f *cmdutil.Factory, runF func(*describeOptions) error) *cobra.Command {
	o := &describeOptions{factory: f}
	c := &cobra.Command{
		Use:               "describe NAME",
		Short:             "Show an installed add-on: version, readiness, what is stuck, configuration",
		Example:           "  onectl addon describe terway-eniip\n  onectl addon describe terway-eniip -o json",
		Args:              cmdutil.OneArg("the name of the add-on"),
		ValidArgsFunction: completeBundled,
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			if err := o.Output.Validate(c); err != nil {
				return err
			}
			if err := checkBundled(c, o.Name); err != nil {
				return err
			}
			if runF != nil {
				return runF(o)
			}
			return o.run(c.Context())
		},
	}
	o.Output.AddFlag(c)
	return c
}

func (o *describeOptions) run(ctx context.Context) error {
	k, err := o.factory.Kube()
	if err != nil {
		return err
	}
	found, err := addon.Find(o.Name)
	if err != nil {
		return err
	}
	d := description{Addon: found}
	set, err := daemonSet(ctx, k, o.Name)
	if err != nil {
		return err
	}
	_, data, err := configMap(ctx, k)
	if err != nil {
		return err
	}
	if conf, has := data[addon.KeyENIConf]; has {
		d.ENIConf = addon.Masked(conf)
	}
	if set != nil {
		rollout := addon.RolloutOf(set)
		d.Installed, d.Rollout = true, &rollout
		d.Version, d.Image = annotated(addon.VersionAnnotation, set), annotated(addon.ImageAnnotation, set)
		pods, err := podsOf(ctx, k, o.Name)
		if err != nil {
			return err
		}
		d.Stuck = addon.Stuck(pods)
	}
	return o.Output.Print(o.factory.Out, d, d.print)
}

func (d description) print(w io.Writer) error {
	rows := [][]string{{"Name:", d.Name}, {"Category:", d.Category}}
	if !d.Installed {
		rows = append(rows, []string{"Installed:", fmt.Sprintf("no: \"onectl addon install %s\" installs it", d.Name)})
		return cmdutil.Table(w, rows)
	}
	rows = append(rows, []string{"Version:", orUnknown(d.Version)}, []string{"Image:", d.Image},
		[]string{"Ready:", fmt.Sprintf("%d of %d cloud nodes", d.Rollout.Ready, d.Rollout.Desired)})
	for _, reason := range d.Stuck {
		rows = append(rows, []string{"Stuck:", reason})
	}
	if err := cmdutil.Table(w, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "eni_conf:\n  %s\n", strings.ReplaceAll(strings.TrimSpace(d.ENIConf), "\n", "\n  "))
	return err
}
