package wire

import (
	"fmt"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/fakecloud"
)

// dig follows names and list positions into an answer.
func dig(body any, path ...any) any {
	for _, step := range path {
		switch at := step.(type) {
		case string:
			object, _ := body.(map[string]any)
			body = object[at]
		case int:
			list, _ := body.([]any)
			if at >= len(list) {
				return nil
			}
			body = list[at]
		}
	}
	return body
}

// want checks one value in an answer that shall be a success.
func (s *site) want(r response, value any, path ...any) {
	s.t.Helper()
	if r.status != 200 || fmt.Sprint(dig(r.body, path...)) != fmt.Sprint(value) {
		s.t.Errorf("%v is %v, want %v; answer %d %s", path, dig(r.body, path...), value, r.status, r.raw)
	}
}

func TestRAMOverTheWire(t *testing.T) {
	s := newSite(t)
	ram := func(action string, more ...string) response {
		t.Helper()
		return s.rpc(s.parameters("2015-05-01", action, more...))
	}
	document := `{"Version":"1","Statement":[{"Effect":"Allow","Action":"ecs:*","Resource":"*"}]}`
	now := s.clock.Now().Format(timeFormat)
	s.want(ram("CreateUser", "UserName", "u", "DisplayName", "U"), now, "User", "CreateDate")
	s.want(ram("ListUsers", "MaxItems", "1"), true, "IsTruncated")
	s.want(ram("ListUsers", "MaxItems", "1"), "operator", "Users", "User", 0, "UserName")
	s.want(ram("ListUsers", "Marker", dig(ram("ListUsers", "MaxItems", "1").body, "Marker").(string)), "u", "Users", "User", 0, "UserName")

	s.want(ram("CreatePolicy", "PolicyName", "p", "PolicyDocument", document), "v1", "Policy", "DefaultVersion")
	s.want(ram("CreatePolicyVersion", "PolicyName", "p", "PolicyDocument", document), false, "PolicyVersion", "IsDefaultVersion")
	s.want(ram("SetDefaultPolicyVersion", "PolicyName", "p", "VersionId", "v2"), nil, "Code")
	s.want(ram("GetPolicy", "PolicyName", "p", "PolicyType", "Custom"), "v2", "DefaultPolicyVersion", "VersionId")
	s.want(ram("GetPolicyVersion", "PolicyName", "p", "PolicyType", "Custom", "VersionId", "v1"), document, "PolicyVersion", "PolicyDocument")
	s.want(ram("ListPolicyVersions", "PolicyName", "p", "PolicyType", "Custom"), true, "PolicyVersions", "PolicyVersion", 1, "IsDefaultVersion")
	s.want(ram("AttachPolicyToUser", "PolicyName", "p", "PolicyType", "Custom", "UserName", "u"), nil, "Code")
	s.want(ram("ListPoliciesForUser", "UserName", "u"), now, "Policies", "Policy", 0, "AttachDate")
	s.want(ram("ListEntitiesForPolicy", "PolicyName", "p", "PolicyType", "Custom"), "u", "Users", "User", 0, "UserName")
	s.want(ram("ListEntitiesForPolicy", "PolicyName", "p", "PolicyType", "Custom"), "[]", "Groups", "Group")
	s.want(ram("CreateGroup", "GroupName", "g", "Comments", "a group"), now, "Group", "CreateDate")
	s.want(ram("AddUserToGroup", "UserName", "u", "GroupName", "g"), nil, "Code")
	s.want(ram("ListGroupsForUser", "UserName", "u"), now, "Groups", "Group", 0, "JoinDate")
	s.want(ram("AttachPolicyToGroup", "PolicyName", "p", "PolicyType", "Custom", "GroupName", "g"), nil, "Code")
	s.want(ram("ListPoliciesForGroup", "GroupName", "g"), now, "Policies", "Policy", 0, "AttachDate")
	s.want(ram("ListEntitiesForPolicy", "PolicyName", "p", "PolicyType", "Custom"), "g", "Groups", "Group", 0, "GroupName")
	s.want(ram("DetachPolicyFromGroup", "PolicyName", "p", "PolicyType", "Custom", "GroupName", "g"), nil, "Code")
	s.want(ram("RemoveUserFromGroup", "UserName", "u", "GroupName", "g"), nil, "Code")
	s.want(ram("DeleteGroup", "GroupName", "g"), nil, "Code")
	s.want(ram("ListPolicies", "PolicyType", "Custom"), 1, "Policies", "Policy", 0, "AttachmentCount")
	s.want(ram("ListPolicies", "PolicyType", "System"), "AdministratorAccess", "Policies", "Policy", 0, "PolicyName")

	key := ram("CreateAccessKey", "UserName", "u")
	id := fmt.Sprint(dig(key.body, "AccessKey", "AccessKeyId"))
	s.want(ram("UpdateAccessKey", "UserName", "u", "UserAccessKeyId", id, "Status", "Inactive"), nil, "Code")
	s.want(ram("ListAccessKeys", "UserName", "u"), "Inactive", "AccessKeys", "AccessKey", 0, "Status")
	if dig(ram("ListAccessKeys", "UserName", "u").body, "AccessKeys", "AccessKey", 0, "AccessKeySecret") != nil {
		t.Error("ListAccessKeys shows the secret again")
	}
	refused := []struct {
		action string
		more   []string
		status int
		code   string
	}{
		{"CreateUser", []string{"UserName", "u"}, 409, "EntityAlreadyExists.User"},
		{"CreateUser", []string{"UserName", "a b"}, 400, "InvalidParameter.UserName.InvalidChars"},
		{"CreateUser", nil, 400, "InvalidParameter.UserName.Length"},
		{"DeleteUser", []string{"UserName", "u"}, 409, "DeleteConflict.User.Policy"},
		{"DeletePolicy", []string{"PolicyName", "p"}, 409, "DeleteConflict.Policy.User"},
		{"DeletePolicyVersion", []string{"PolicyName", "p", "VersionId", "v2"}, 409, "DeleteConflict.Policy.Version.Default"},
		{"GetPolicyVersion", []string{"PolicyName", "p", "PolicyType", "Custom", "VersionId", "v9"}, 404, "EntityNotExist.Policy.Version"},
		{"GetPolicy", []string{"PolicyName", "p", "PolicyType", "Other"}, 400, "InvalidParameter.PolicyType"},
		{"GetPolicy", []string{"PolicyName", "p"}, 400, "MissingParameter"},
		{"CreatePolicy", []string{"PolicyName", "q", "PolicyDocument", "{}"}, 400, "MalformedPolicyDocument"},
		{"UpdateAccessKey", []string{"UserName", "u", "UserAccessKeyId", id, "Status", "Asleep"}, 400, "InvalidParameter.Status"},
	}
	for _, r := range refused {
		if got := ram(r.action, r.more...); got.status != r.status || got.text("Code") != r.code {
			t.Errorf("%s %v: got %d %s, want %d %s", r.action, r.more, got.status, got.raw, r.status, r.code)
		}
	}
	s.want(ram("DetachPolicyFromUser", "PolicyName", "p", "PolicyType", "Custom", "UserName", "u"), nil, "Code")
	if got := ram("DeletePolicy", "PolicyName", "p"); got.text("Code") != "DeleteConflict.Policy.Version" {
		t.Errorf("a policy with two versions was not kept: %s", got.raw)
	}
	s.want(ram("DeletePolicyVersion", "PolicyName", "p", "VersionId", "v1"), nil, "Code")
	s.want(ram("DeletePolicy", "PolicyName", "p"), nil, "Code")
	s.want(ram("DeleteAccessKey", "UserName", "u", "UserAccessKeyId", id), nil, "Code")
	s.want(ram("DeleteUser", "UserName", "u"), nil, "Code")
}

func TestECSAndVPCOverTheWire(t *testing.T) {
	s := newSite(t)
	for n := range 3 {
		spec := fakecloud.InstanceSpec{ID: fmt.Sprint("i-", n), Name: fmt.Sprint("node-", n), Type: "ecs.g7.xlarge", VSwitchID: "vsw-1"}
		if _, _, err := s.world.AddInstance(spec); err != nil {
			t.Fatal(err)
		}
	}
	s.want(s.ecs("DescribeInstances", "InstanceIds", `["i-1","i-9"]`), 1, "TotalCount")
	s.want(s.ecs("DescribeInstances", "InstanceIds", `["i-1"]`), "Primary", "Instances", "Instance", 0, "NetworkInterfaces", "NetworkInterface", 0, "Type")
	s.want(s.ecs("DescribeInstances", "PrivateIpAddresses", `["10.0.1.3"]`), "i-2", "Instances", "Instance", 0, "InstanceId")
	s.want(s.ecs("DescribeInstances", "PageSize", "2", "PageNumber", "2"), "i-2", "Instances", "Instance", 0, "InstanceId")
	token := s.ecs("DescribeInstances", "MaxResults", "2").text("NextToken")
	s.want(s.ecs("DescribeInstances", "MaxResults", "2", "NextToken", token), "i-2", "Instances", "Instance", 0, "InstanceId")
	s.want(s.ecs("DescribeInstanceAttribute", "InstanceId", "i-0"), "10.0.1.1", "VpcAttributes", "PrivateIpAddress", "IpAddress", 0)
	s.want(s.ecs("DescribeInstanceTypes", "InstanceTypes.1", "ecs.g7.xlarge"), 15, "InstanceTypes", "InstanceType", 0, "EniPrivateIpAddressQuantity")
	s.want(s.ecs("DescribeInstanceTypes", "InstanceTypes.1", "ecs.none"), "[]", "InstanceTypes", "InstanceType")
	s.want(s.ecs("DescribeSecurityGroups", "SecurityGroupIds", `["sg-lab"]`), "sg-lab", "SecurityGroups", "SecurityGroup", 0, "SecurityGroupId")
	s.want(s.ecs("DescribeSecurityGroups", "SecurityGroupId", "sg-none", "MaxResults", "10"), "[]", "SecurityGroups", "SecurityGroup")

	vpc := func(action string, more ...string) response {
		return s.rpc(s.parameters("2016-04-28", action, more...))
	}
	s.want(vpc("DescribeVSwitches", "VSwitchId", "vsw-1"), 249, "VSwitches", "VSwitch", 0, "AvailableIpAddressCount")
	s.want(vpc("DescribeVSwitches", "ZoneId", "cn-hangzhou-x"), "[]", "VSwitches", "VSwitch")
	s.want(vpc("DescribeVSwitches", "PageSize", "1", "PageNumber", "2"), "2408:4005::/64", "VSwitches", "VSwitch", 0, "Ipv6CidrBlock")
	s.want(vpc("DescribeVpcs", "VpcId", s.made.VPC.ID), "10.0.0.0/16", "Vpcs", "Vpc", 0, "CidrBlock")
	s.want(s.rpc(s.parameters("2015-04-01", "GetCallerIdentity")), "Account", "IdentityType")
}

func TestENICallsOverTheWire(t *testing.T) {
	s := newSite(t)
	if _, _, err := s.world.AddInstance(fakecloud.InstanceSpec{ID: "i-1", Type: "ecs.g7.xlarge", VSwitchID: "vsw-1"}); err != nil {
		t.Fatal(err)
	}
	create := func(more ...string) string {
		r := s.ecs("CreateNetworkInterface", append([]string{"VSwitchId", "vsw-2", "SecurityGroupId", "sg-lab"}, more...)...)
		return r.text("NetworkInterfaceId")
	}
	eni, trunk := create("PrimaryIpAddress", "10.0.2.77"), create("InstanceType", "Trunk")
	s.want(s.ecs("AssignPrivateIpAddresses", "NetworkInterfaceId", eni, "PrivateIpAddress.1", "10.0.2.80"), "10.0.2.80",
		"AssignedPrivateIpAddressesSet", "PrivateIpSet", "PrivateIpAddress", 0)
	s.want(s.ecs("AssignIpv6Addresses", "NetworkInterfaceId", eni, "Ipv6AddressCount", "1"), "2408:4005::10", "Ipv6Sets", "Ipv6Address", 0)
	s.want(s.ecs("UnassignIpv6Addresses", "NetworkInterfaceId", eni, "Ipv6Address.1", "2408:4005::10"), nil, "Code")
	s.want(s.ecs("UnassignPrivateIpAddresses", "NetworkInterfaceId", eni, "PrivateIpAddress.1", "10.0.2.80"), nil, "Code")
	s.want(s.ecs("ModifyNetworkInterfaceAttribute", "NetworkInterfaceId", eni, "Description", "new", "SecurityGroupId.1", "sg-lab"), nil, "Code")
	s.want(s.ecs("AttachNetworkInterface", "NetworkInterfaceId", trunk, "InstanceId", "i-1"), nil, "Code")
	s.clock.Advance(time.Second)
	s.want(s.ecs("AttachNetworkInterface", "NetworkInterfaceId", eni, "InstanceId", "i-1", "TrunkNetworkInstanceId", trunk), nil, "Code")
	s.clock.Advance(time.Second)
	one := s.ecs("DescribeNetworkInterfaceAttribute", "NetworkInterfaceId", eni)
	s.want(one, "new", "Description")
	s.want(one, "10.0.2.77", "PrivateIpAddress")
	s.want(one, 1, "Attachment", "DeviceIndex")
	s.want(one, trunk, "Attachment", "TrunkNetworkInterfaceId")
	s.want(s.ecs("DescribeNetworkInterfaces", "Type", "Trunk"), eni, "NetworkInterfaceSets", "NetworkInterfaceSet", 0, "Attachment",
		"MemberNetworkInterfaceIds", "MemberNetworkInterfaceId", 0)
	s.want(s.ecs("DescribeNetworkInterfaces", "PrivateIpAddress.1", "10.0.2.77"), 1, "TotalCount")
	s.want(s.ecs("DetachNetworkInterface", "NetworkInterfaceId", eni, "InstanceId", "i-1"), nil, "Code")
	s.want(s.ecs("DeleteNetworkInterface", "NetworkInterfaceId", eni), nil, "Code")
	if r := s.ecs("AttachNetworkInterface", "NetworkInterfaceId", eni); r.text("Code") != "MissingParameter" {
		t.Errorf("attach to nothing: %s", r.raw)
	}
	if r := s.ecs("CreateNetworkInterface", "VSwitchId", "vsw-1", "SecurityGroupId", "sg-lab", "Tag.1.Key", "a", "Tag.2.Key", "a"); r.text("Code") != "Duplicate.TagKey" {
		t.Errorf("a tag twice: %s", r.raw)
	}
}
