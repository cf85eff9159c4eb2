package cni

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/utils"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/onectl/onectl/pkg/node/cni/plugin"
)

// highest is the newest version of the specification that we speak.
const highest = plugin.Highest

// longestID is how long a container ID may be: with the interface's name it must fit into a link's alias, which is how the
// host's link is known to be ours. Container runtimes use 64 characters.
const longestID = 200

// admit judges what a container runtime said, as the CNI project's own plugins do (its package skel), in the same order and with
// the same codes: variables, configuration, version, and for what needs one the network namespace. Other than those we want
// CNI_PATH only where the specification does, with GC.
func admit(m plugin.Message, sandbox Sandbox) (Request, error) {
	r := Request{Version: int(m.Version), Verb: Verb(m.Command), ContainerID: m.ContainerID, NetNS: m.NetNS, IfName: m.IfName,
		Args: ParseArgs(m.Args), Config: m.Config}
	if err := admitVariables(m); err != nil {
		return r, err
	}
	if err := admitConfig(&r); err != nil {
		return r, err
	}
	if r.Verb != Add && r.Verb != Check {
		return r, nil
	}
	if m.Problem != "" {
		return r, &Error{Code: CodeInvalidNetNS, Msg: fmt.Sprintf("open network namespace %s: %s; the container runtime makes another sandbox when kubelet tries again", m.NetNS, m.Problem)}
	}
	if sandbox.NetNS == nil || sandbox.Netlink == nil {
		return r, &Error{Code: CodeInvalidNetNS, Msg: fmt.Sprintf("%s came without the pod's network namespace", m.Command)}
	}
	return r, nil
}

func admitVariables(m plugin.Message) error {
	var missing []string
	need := func(name, value string) {
		if value == "" {
			missing = append(missing, name)
		}
	}
	switch Verb(m.Command) {
	case Add, Check:
		need("CNI_CONTAINERID", m.ContainerID)
		need("CNI_NETNS", m.NetNS)
		need("CNI_IFNAME", m.IfName)
	case Del:
		need("CNI_CONTAINERID", m.ContainerID)
		need("CNI_IFNAME", m.IfName)
	case GC:
		need("CNI_PATH", m.Path)
		return missingError(m.Command, missing)
	case Status:
		return nil
	default:
		return &Error{Code: CodeInvalidArguments, Msg: fmt.Sprintf("CNI_COMMAND %q is no verb of CNI; the container runtime must say ADD, DEL, CHECK, STATUS, GC or VERSION", m.Command)}
	}
	if err := missingError(m.Command, missing); err != nil {
		return err
	}
	if err := foreign("CNI_CONTAINERID", utils.ValidateContainerID(m.ContainerID)); err != nil {
		return err
	}
	if len(m.ContainerID) > longestID {
		return &Error{Code: CodeInvalidArguments, Msg: fmt.Sprintf("CNI_CONTAINERID has %d characters, %d are the limit", len(m.ContainerID), longestID)}
	}
	return foreign("CNI_IFNAME", utils.ValidateInterfaceName(m.IfName))
}

func missingError(command string, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	return &Error{Code: CodeInvalidArguments, Msg: fmt.Sprintf("%s needs the variables %s, which the container runtime did not set", command, strings.Join(missing, ", "))}
}

// supported is the versions of the specification that the daemon's results can have, which the plugin tells on VERSION.
func supported() version.PluginInfo {
	return version.PluginSupports("0.3.0", "0.3.1", "0.4.0", "1.0.0", highest)
}

// admitConfig judges the configuration's name and version, and notes both. CHECK came with 0.4.0, STATUS and GC with 1.1.0.
func admitConfig(r *Request) error {
	var keys struct {
		Name       string `json:"name"`
		CNIVersion string `json:"cniVersion"`
	}
	if err := json.Unmarshal(r.Config, &keys); err != nil {
		return &Error{Code: CodeDecoding, Msg: fmt.Sprintf("read the network configuration: %v; look at the runtime's file in /etc/cni/net.d", err)}
	}
	if err := foreign("name of the network", utils.ValidateNetworkName(keys.Name)); err != nil {
		return err
	}
	if keys.CNIVersion == "" {
		keys.CNIVersion = "0.1.0" // as ConfigDecoder of the library reads it
	}
	r.Network = keys.Name
	if slices.Contains(supported().SupportedVersions(), keys.CNIVersion) {
		r.CNIVersion = keys.CNIVersion
	}
	least := map[Verb]string{Check: "0.4.0", Status: "1.1.0", GC: "1.1.0"}[r.Verb]
	if least != "" {
		enough, err := version.GreaterThanOrEqualTo(keys.CNIVersion, least)
		if err != nil {
			return &Error{Code: CodeDecoding, Msg: fmt.Sprintf("cniVersion %q: %v", keys.CNIVersion, err)}
		}
		if !enough {
			return &Error{Code: CodeIncompatible, Msg: fmt.Sprintf("cniVersion %s does not allow %s, %s does", keys.CNIVersion, r.Verb, least)}
		}
	}
	if err := new(version.Reconciler).Check(keys.CNIVersion, supported()); err != nil {
		return &Error{Code: CodeIncompatible, Msg: "incompatible CNI versions", Details: err.Details()}
	}
	return nil
}

// foreign is the library's error about what, as ours.
func foreign(what string, err *types.Error) error {
	if err == nil {
		return nil
	}
	return &Error{Code: err.Code, Msg: what + ": " + err.Msg, Details: err.Details}
}
