// Package manifests embeds the Kubernetes objects that onectl applies. They are plain YAML, valid as they stand; what
// differs from cluster to cluster (image, configuration) is set by package addon after reading them.
package manifests

import "embed"

// Files holds one folder an add-on; its folder uninstall holds what runs while the add-on is taken off.
//
//go:embed terway-eniip
var Files embed.FS
