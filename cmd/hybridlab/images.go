package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/e2e/lab"
	"github.com/onectl/onectl/e2e/lab/image"
)

func newImages() *cobra.Command {
	var out, binDir string
	cmd := &cobra.Command{
		Use: "images", Short: "Make our images as an OCI layout for your registry", Args: cobra.NoArgs,
		Long: "images makes our container images from the static programs beside hybridlab, without a container engine, into a\nfolder in OCI image layout. The same programs always give the same images.",
		Example: `  hybridlab images --out dist
  skopeo copy oci:dist:docker.io/onectl/terway:v0.1.0 docker://registry.example.com/onectl/terway:v0.1.0`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if binDir == "" {
				self, err := os.Executable()
				if err != nil {
					return err
				}
				binDir = filepath.Dir(self)
			}
			images, err := lab.Images(cmd.Context(), binDir, true)
			if err != nil {
				return err
			}
			if err := image.SaveLayout(out, images...); err != nil {
				return err
			}
			for _, img := range images {
				digest, err := img.Digest()
				if err != nil {
					return err
				}
				fmt.Printf("%s %s\n", img.Ref, digest)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "dist", "folder of the OCI layout; images are added to it")
	cmd.Flags().StringVar(&binDir, "bin-dir", "", "where the programs are; beside hybridlab when empty")
	return cmd
}
