package addon

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/node/conf"
)

// The keys of ConfigMap eni-config, and the tag that says which cluster an ENI was made for.
const (
	ConfigMapName = "eni-config"
	KeyENIConf    = "eni_conf"
	KeyCNIConf    = "10-terway.conf"
	ClusterTag    = "ack.aliyun.com"
)

// ENIConf is eni_conf for a cluster. From existing, what people set is kept: only keys that are missing, empty, or still
// the placeholders of a copied example are filled from facts; existing "" begins from the manifest's. sets come last and
// win; a value is JSON where it parses as JSON, else a text. Warnings are for the operator, one sentence each.
func ENIConf(existing string, facts Facts, sets map[string]string) (text string, warnings []string, err error) {
	if existing == "" {
		if existing, err = defaultENIConf(); err != nil {
			return "", nil, err
		}
	}
	o, err := parseObject(existing)
	if err != nil {
		if _, _, told := conf.ParseENI([]byte(existing)); told != nil {
			err = told // it says line and column
		}
		return "", nil, inConfigMap(err)
	}
	before := o.String()
	if err := setAll(&o, sets); err != nil {
		return "", nil, err
	}
	if warnings, err = fill(&o, facts); err != nil {
		return "", nil, err
	}
	if text = existing; o.String() != before {
		text = o.String()
	}
	parsed, told, err := conf.ParseENI([]byte(text))
	if err != nil {
		return "", nil, inConfigMap(err)
	}
	for _, w := range told {
		warnings = append(warnings, w.String())
	}
	if parsed.AccessKey.ID != "" || !parsed.AccessKey.Secret.IsZero() {
		warnings = append(warnings, "ConfigMap kube-system/eni-config holds an AccessKey, readable by whoever may read ConfigMaps; it is kept and used only where Secret alibaba-addon-secret has none. Run \"onectl ram-user grant --addon terway-eniip\", then empty access_key and access_secret with \"kubectl -n kube-system edit configmap eni-config\"")
	}
	return text, append(warnings, facts.zonesWithout(parsed.VSwitches)...), nil
}

func inConfigMap(err error) error {
	return fmt.Errorf("ConfigMap kube-system/eni-config: %w\nedit it with \"kubectl -n kube-system edit configmap eni-config\", or begin anew with \"onectl addon install terway-eniip --reset-config\"", err)
}

// CNIConf is 10-terway.conf: the existing one when it is usable, the manifest's when there is none.
func CNIConf(existing string) (text string, warnings []string, err error) {
	if existing == "" {
		data, err := configMapData()
		return data[KeyCNIConf], nil, err
	}
	_, told, err := conf.ParseCNI([]byte(existing))
	if err != nil {
		return "", nil, inConfigMap(err)
	}
	for _, w := range told {
		warnings = append(warnings, w.String())
	}
	return existing, warnings, nil
}

func setAll(o *object, sets map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(sets)) {
		if key == "access_key" || key == "access_secret" {
			return fmt.Errorf("--set %s: onectl writes no AccessKey into a ConfigMap; run \"onectl ram-user grant --addon terway-eniip\", which puts one into Secret alibaba-addon-secret", key)
		}
		value := json.RawMessage(sets[key])
		if !json.Valid(value) {
			value = quoted(sets[key])
		}
		o.set(key, value)
	}
	return nil
}

// fill gives the cluster's facts to keys that nobody has set.
func fill(o *object, facts Facts) ([]string, error) {
	unset := func(key string) bool { return isUnset(o.get(key)) }
	if unset("vswitches") {
		zones := facts.vSwitchesByZone()
		if len(zones) == 0 {
			return nil, fmt.Errorf("registered cluster %s has no vSwitches: name them with --set 'vswitches={\"ZONE\":[\"VSWITCH\"]}'", facts.Cluster.ID)
		}
		o.set("vswitches", quoted(zones))
	}
	if unset("service_cidr") {
		if !facts.Cluster.ServiceCIDR.IsValid() {
			return nil, fmt.Errorf("registered cluster %s has no Service CIDR, which is set when a cluster is created: give your cluster's with --set service_cidr=10.96.0.0/12", facts.Cluster.ID)
		}
		o.set("service_cidr", quoted(facts.Cluster.ServiceCIDR.String()))
	}
	if unset("security_group") && unset("security_groups") {
		if facts.Cluster.SecurityGroupID == "" {
			return nil, fmt.Errorf("registered cluster %s has no security group: name one of VPC %s with --set security_group=sg-…", facts.Cluster.ID, facts.Cluster.VPCID)
		}
		o.set("security_group", quoted(facts.Cluster.SecurityGroupID))
	}
	return fillTags(o, facts.Cluster.ID)
}

func fillTags(o *object, clusterID string) ([]string, error) {
	if isUnset(o.get("eni_tags")) {
		o.set("eni_tags", quoted(map[string]string{ClusterTag: clusterID}))
		return nil, nil
	}
	tags := map[string]string{}
	_ = json.Unmarshal(o.get("eni_tags"), &tags) // what is not a map of texts, ParseENI refuses
	switch tags[ClusterTag] {
	case clusterID:
		return nil, nil
	case "":
		return []string{"eni_conf.eni_tags lacks \"" + ClusterTag + "\": ENIs of this cluster cannot be told from another's, and \"onectl addon uninstall\" will leave them behind"}, nil
	}
	return nil, fmt.Errorf("eni_conf.eni_tags says that this Kubernetes cluster is registered cluster %s, not %s: check --kubeconfig and --cluster-id, or begin anew with --reset-config", tags[ClusterTag], clusterID)
}

// isUnset reports whether a value is missing, empty, or a placeholder that somebody copied from the documents.
func isUnset(raw json.RawMessage) bool {
	text := strings.TrimSpace(string(raw))
	return text == "" || text == `""` || text == "{}" || text == "[]" || text == "null" ||
		strings.Contains(text, "{{") || strings.Contains(text, "AZoneID")
}

// Masked is eni_conf with the AccessKey that somebody put there replaced by ***, for printing.
func Masked(eniConf string) string {
	o, err := parseObject(eniConf)
	if err != nil {
		return "***"
	}
	masked := false
	for _, key := range []string{"access_key", "access_secret"} {
		if !isUnset(o.get(key)) {
			o.set(key, quoted("***"))
			masked = true
		}
	}
	if !masked {
		return eniConf
	}
	return o.String()
}

// ClusterOf is the registered cluster that eni_conf tags ENIs with, "" when it does not say.
func ClusterOf(eniConf string) string {
	o, err := parseObject(eniConf)
	if err != nil || isUnset(o.get("eni_tags")) {
		return ""
	}
	tags := map[string]string{}
	_ = json.Unmarshal(o.get("eni_tags"), &tags)
	return tags[ClusterTag]
}
