package ram

import (
	"bytes"
	"encoding/json"
	"slices"
)

// statement is one statement of a policy document; its fields are in the order of the published documents.
type statement struct {
	Action   any // []string, or a string where the published document has one
	Resource any
	Effect   string
}

type document struct {
	Version   string
	Statement []statement
}

// allow is the usual statement: these actions of one service, on everything.
func allow(service string, actions ...string) statement {
	named := make([]string, len(actions))
	for i, action := range actions {
		named[i] = service + ":" + action
	}
	return statement{named, []string{"*"}, "Allow"}
}

// onText is a statement whose Resource is the text "*", not a list.
func onText(s statement) statement {
	s.Resource = "*"
	return s
}

// logEvents is the document that logtail-ds and ack-node-problem-detector share.
func logEvents() []statement {
	logs := allow("log",
		"CreateProject", "GetProject", "DeleteProject", "CreateLogStore", "GetLogStore", "UpdateLogStore", "DeleteLogStore",
		"CreateConfig", "UpdateConfig", "GetConfig", "DeleteConfig",
		"CreateMachineGroup", "UpdateMachineGroup", "GetMachineGroup", "DeleteMachineGroup",
		"ApplyConfigToGroup", "GetAppliedMachineGroups", "GetAppliedConfigs", "RemoveConfigFromMachineGroup",
		"CreateIndex", "GetIndex", "UpdateIndex", "DeleteIndex",
		"CreateSavedSearch", "GetSavedSearch", "UpdateSavedSearch", "DeleteSavedSearch",
		"CreateDashboard", "GetDashboard", "UpdateDashboard", "DeleteDashboard",
		"CreateJob", "GetJob", "DeleteJob", "UpdateJob", "PostLogStoreLogs",
		"CreateSortedSubStore", "GetSortedSubStore", "ListSortedSubStore", "UpdateSortedSubStore", "DeleteSortedSubStore",
		"CreateApp", "UpdateApp", "GetApp", "DeleteApp")
	templates := allow("cs", "DescribeTemplates", "DescribeTemplateAttribute")
	logs.Action = slices.Concat(logs.Action.([]string), templates.Action.([]string))
	return []statement{logs}
}

func csi() []statement {
	return []statement{
		allow("ecs",
			"AttachDisk", "DetachDisk", "DescribeDisks", "CreateDisk", "ResizeDisk", "CreateSnapshot", "DeleteSnapshot",
			"CreateAutoSnapshotPolicy", "ApplyAutoSnapshotPolicy", "CancelAutoSnapshotPolicy", "DeleteAutoSnapshotPolicy",
			"DescribeAutoSnapshotPolicyEX", "ModifyAutoSnapshotPolicyEx", "AddTags", "DescribeTags", "DescribeSnapshots",
			"ListTagResources", "TagResources", "UntagResources", "ModifyDiskSpec", "DeleteDisk", "DescribeInstanceAttribute", "DescribeInstances"),
		allow("nas",
			"DescribeFileSystems", "DescribeMountTargets", "AddTags", "DescribeTags", "RemoveTags", "CreateFileSystem", "DeleteFileSystem",
			"ModifyFileSystem", "CreateMountTarget", "DeleteMountTarget", "ModifyMountTarget", "TagResources", "SetDirQuota",
			"EnableRecycleBin", "GetRecycleBinAttribute"),
		allow("oss", "PutBucket", "GetObjectTagging", "ListBuckets", "PutBucketTags", "GetBucketTags", "PutBucketEncryption", "GetBucketInfo"),
	}
}

func alerting() []statement {
	return []statement{{[]string{"log:*", "arms:*", "cms:*", "cs:UpdateContactGroup"}, []string{"*"}, "Allow"}}
}

// statements is the published policy of each add-on whose whole text is known. cluster-autoscaler is left out on purpose:
// the only current copy of its list is cut off, and a policy that is short of an action fails when the node is needed.
func statements() map[string][]statement {
	return map[string][]statement{
		"terway-eniip": {
			allow("ecs",
				"CreateNetworkInterface", "DescribeNetworkInterfaces", "AttachNetworkInterface", "DetachNetworkInterface", "DeleteNetworkInterface",
				"DescribeInstanceAttribute", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses", "DescribeInstances", "ModifyNetworkInterfaceAttribute"),
			allow("vpc", "DescribeVSwitches"),
		},
		"logtail-ds":                  logEvents(),
		"ack-node-problem-detector":   logEvents(),
		"alicloud-monitor-controller": alerting(),
		"ack-cost-exporter": {
			onText(allow("bssapi", "QueryInstanceBill", "DescribeInstanceBill")),
			onText(allow("ecs", "DescribeDisks", "DescribeSpotPriceHistory", "DescribeInstances", "DescribePrice")),
			{"eci:DescribeContainerGroupPrice", "*", "Allow"},
		},
		"ack-virtual-node": {allow("eci",
			"CreateContainerGroup", "DeleteContainerGroup", "DescribeContainerGroups", "DescribeContainerLog", "UpdateContainerGroup",
			"UpdateContainerGroupByTemplate", "CreateContainerGroupFromTemplate", "RestartContainerGroup", "ExportContainerGroupTemplate",
			"DescribeContainerGroupMetric", "DescribeMultiContainerGroupMetric", "ExecContainerCommand",
			"CreateImageCache", "DescribeImageCaches", "DeleteImageCache")},
		"aliyun-acr-credential-helper": {allow("cr", "GetAuthorizationToken", "ListInstanceEndpoint", "PullRepository")},
		"csi-plugin":                   csi(),
		"csi-provisioner":              csi(),
		"migrate-controller":           {allow("oss", "PutObject", "GetObject", "DeleteObject", "GetBucket", "ListObjects", "ListBuckets")},
	}
}

// Addons is the names of the add-ons whose policy is known, sorted.
func Addons() []string {
	var names []string
	for name := range statements() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Document is the policy document of an add-on, compact: RAM limits its length, spaces count. It reports false for an
// add-on whose policy is not known.
func Document(addon string) (string, bool) {
	list, known := statements()[addon]
	if !known {
		return "", false
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document{"1", list}); err != nil {
		panic("policy of " + addon + ": " + err.Error()) // constants above; no input reaches here
	}
	return string(bytes.TrimSpace(text.Bytes())), true
}

// SecretNamespace is where an add-on looks for Secret alibaba-addon-secret.
func SecretNamespace(addon string) string {
	if addon == "migrate-controller" {
		return "velero"
	}
	return "kube-system"
}
