// Package apt gets Debian packages onto the machine that runs the lab, and tells where packages come from there.
package apt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/onectl/onectl/e2e/lab/cache"
	"github.com/onectl/onectl/e2e/lab/command"
)

// Tool is a program and the package that brings it.
type Tool struct{ Program, Package string }

// Ensure installs the packages of those tools that are not in PATH. With all of them there it does nothing; otherwise it
// needs root and apt-get. Debian's recommendations are left out, nothing is asked.
func Ensure(ctx context.Context, progress cache.Progress, tools ...Tool) error {
	var packages []string
	for _, tool := range tools {
		if _, err := command.LookPath(tool.Program); err != nil && !slices.Contains(packages, tool.Package) {
			packages = append(packages, tool.Package)
		}
	}
	if len(packages) == 0 {
		return nil
	}
	if _, err := command.LookPath("apt-get"); err != nil {
		return fmt.Errorf("%v missing and no apt-get here: install them with this system's package manager", packages)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%v missing: run as root, or `apt-get install` them first", packages)
	}
	progress.Step("Installing packages %v", packages)
	return install(ctx, packages)
}

// install tries with the package lists at hand and fetches new ones only when these are missing or too old.
func install(ctx context.Context, packages []string) error {
	args := append([]string{"apt-get", "install", "--yes", "--quiet", "--no-install-recommends"}, packages...)
	quiet := []string{"DEBIAN_FRONTEND=noninteractive"}
	_, first := command.Command{Args: args, Env: quiet}.Output(ctx)
	if first == nil {
		return nil
	}
	if _, err := command.Run(ctx, "apt-get", "update", "--quiet"); err != nil {
		return errors.Join(first, err)
	}
	_, err := command.Command{Args: args, Env: quiet}.Output(ctx)
	return err
}
