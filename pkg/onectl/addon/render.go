package addon

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/manifests"
)

// VersionAnnotation and ImageAnnotation are on every object of an add-on, so that an uninstall that was cut short can be
// taken up again whatever is left. The version is no label: a label's value may not hold the plus sign.
const (
	VersionAnnotation = "onectl.github.io/version"
	ImageAnnotation   = "onectl.github.io/image"
)

// configAnnotation changes when the configuration does, so that the pods start again with it.
const configAnnotation = "onectl.github.io/eni-config"

// Values is what Render fills in.
type Values struct {
	Version           string // "v0.1.0+774dea0"
	Image             string // "" is Image(Version)
	ENIConf           string
	CNIConf           string
	NodeCloudEndpoint string // the cloud API's address as cloud nodes reach it, "" is the real service
}

// Image is the image of a version. An image tag may not hold a plus sign, a dash stands for it.
func Image(version string) string {
	return "docker.io/onectl/terway:" + strings.ReplaceAll(version, "+", "-")
}

// Render returns an add-on's objects in the order in which they are applied. It is pure.
func Render(name string, v Values) ([]*unstructured.Unstructured, error) {
	objects, err := read(name)
	if err != nil {
		return nil, err
	}
	if v.Image == "" {
		v.Image = Image(v.Version)
	}
	for _, o := range objects {
		label(o, name)
		o.SetAnnotations(map[string]string{VersionAnnotation: v.Version, ImageAnnotation: v.Image})
		switch o.GetKind() {
		case "ConfigMap":
			data := map[string]string{KeyENIConf: v.ENIConf, KeyCNIConf: v.CNIConf}
			err = unstructured.SetNestedStringMap(o.Object, data, "data")
		case "DaemonSet":
			err = fillDaemonSet(o, v)
		}
		if err != nil {
			return nil, fmt.Errorf("render %s of add-on %s: %w", o.GetKind(), name, err)
		}
	}
	return objects, nil
}

// RenderUninstall returns the DaemonSet that takes an add-on off the nodes. It is pure.
func RenderUninstall(name, image string) (*unstructured.Unstructured, error) {
	objects, err := read(name + "/uninstall")
	if err != nil {
		return nil, err
	}
	label(objects[0], name)
	return objects[0], setImage(objects[0], image)
}

func fillDaemonSet(o *unstructured.Unstructured, v Values) error {
	sum := sha256.Sum256([]byte(v.ENIConf + "\x00" + v.CNIConf))
	if err := unstructured.SetNestedField(o.Object, hex.EncodeToString(sum[:8]), "spec", "template", "metadata", "annotations", configAnnotation); err != nil {
		return err
	}
	if err := setImage(o, v.Image); err != nil || v.NodeCloudEndpoint == "" {
		return err
	}
	return eachContainer(o, "containers", func(c map[string]any) {
		env, _ := c["env"].([]any)
		c["env"] = append(env, map[string]any{"name": "ONECTL_CLOUD_ENDPOINT", "value": v.NodeCloudEndpoint})
	})
}

func setImage(o *unstructured.Unstructured, image string) error {
	for _, field := range []string{"initContainers", "containers"} {
		if err := eachContainer(o, field, func(c map[string]any) { c["image"] = image }); err != nil {
			return err
		}
	}
	return nil
}

func eachContainer(o *unstructured.Unstructured, field string, change func(map[string]any)) error {
	at := []string{"spec", "template", "spec", field}
	containers, _, err := unstructured.NestedSlice(o.Object, at...)
	if err != nil {
		return err
	}
	for _, c := range containers {
		fields, ok := c.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: not a list of objects", field)
		}
		change(fields)
	}
	return unstructured.SetNestedSlice(o.Object, containers, at...)
}

func label(o *unstructured.Unstructured, name string) {
	labels := o.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels["app.kubernetes.io/name"] = name
	labels["app.kubernetes.io/managed-by"] = "onectl"
	o.SetLabels(labels)
}

// read decodes the YAML files of a folder, in the order of their names.
func read(folder string) ([]*unstructured.Unstructured, error) {
	entries, err := fs.ReadDir(manifests.Files, folder)
	if err != nil {
		return nil, fmt.Errorf("add-on %s has no manifests: %w", folder, err)
	}
	var objects []*unstructured.Unstructured
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		text, err := fs.ReadFile(manifests.Files, path.Join(folder, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read manifest: %w", err)
		}
		for part := range strings.SplitSeq(string(text), "\n---\n") {
			o, err := decode(part)
			if err != nil {
				return nil, fmt.Errorf("manifest %s/%s: %w", folder, entry.Name(), err)
			}
			objects = append(objects, o)
		}
	}
	return objects, nil
}

// decode reads one object. It goes through JSON, because numbers are integers in Kubernetes objects and floats in YAML's.
func decode(text string) (*unstructured.Unstructured, error) {
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	o := &unstructured.Unstructured{}
	return o, o.UnmarshalJSON(data)
}

func configMapData() (map[string]string, error) {
	objects, err := read(Terway)
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		if o.GetName() == ConfigMapName {
			data, _, err := unstructured.NestedStringMap(o.Object, "data")
			return data, err
		}
	}
	return nil, fmt.Errorf("add-on %s has no ConfigMap %s", Terway, ConfigMapName)
}

func defaultENIConf() (string, error) {
	data, err := configMapData()
	return data[KeyENIConf], err
}
