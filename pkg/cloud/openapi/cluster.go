package openapi

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/cs"

	"github.com/onectl/onectl/pkg/cloud"
)

const clusterPage = 50

// clusterBody is a cluster as Container Service describes it. The SDK leaves these answers undecoded.
type clusterBody struct {
	ID            string          `json:"cluster_id"`
	Name          string          `json:"name"`
	Type          string          `json:"cluster_type"`
	State         string          `json:"state"`
	Region        string          `json:"region_id"`
	VPC           string          `json:"vpc_id"`
	VSwitch       string          `json:"vswitch_id"` // comma separated, in older clusters the only one
	VSwitches     []string        `json:"vswitch_ids"`
	PodVSwitches  []string        `json:"pod_vswitch_ids"`
	SecurityGroup string          `json:"security_group_id"`
	ServiceCIDR   string          `json:"service_cidr"`
	Version       string          `json:"current_version"`
	Parameters    json.RawMessage `json:"parameters"` // what the cluster was created with, name to text
}

// DescribeCluster describes one cluster (DescribeClusterDetail); NotFound when there is none of that ID.
func (c *Client) DescribeCluster(ctx context.Context, id string) (cloud.Cluster, error) {
	request, response := cs.CreateDescribeClusterDetailRequest(), cs.CreateDescribeClusterDetailResponse()
	request.ClusterId, request.Port = id, c.port()
	what := call{op: "DescribeClusterDetail", resource: id, effect: repeat}
	if err := c.do(ctx, what, request, response); err != nil {
		return cloud.Cluster{}, err
	}
	var body clusterBody
	if json.Unmarshal(response.GetHttpContentBytes(), &body) != nil || body.ID == "" {
		return cloud.Cluster{}, &cloud.Error{Op: what.op, Resource: id, Message: errUnreadable.Error()}
	}
	return body.cluster(), nil
}

// ListClusters lists the account's clusters of every type, every page, sorted by ID (DescribeClustersV1).
func (c *Client) ListClusters(ctx context.Context) ([]cloud.Cluster, error) {
	request := cs.CreateDescribeClustersV1Request()
	request.PageSize, request.Port = requests.NewInteger(clusterPage), c.port()
	what := call{op: "DescribeClustersV1", effect: repeat}
	var list []cloud.Cluster
	for page := 1; ; page++ {
		request.PageNumber = requests.NewInteger(page)
		response := cs.CreateDescribeClustersV1Response()
		if err := c.do(ctx, what, request, response); err != nil {
			return nil, err
		}
		var body struct {
			Clusters []clusterBody `json:"clusters"`
			Page     struct {
				Total int `json:"total_count"`
			} `json:"page_info"`
		}
		if json.Unmarshal(response.GetHttpContentBytes(), &body) != nil {
			return nil, &cloud.Error{Op: what.op, Message: errUnreadable.Error()}
		}
		for _, one := range body.Clusters {
			list = append(list, one.cluster())
		}
		if len(body.Clusters) == 0 || page*clusterPage >= body.Page.Total {
			slices.SortFunc(list, func(a, b cloud.Cluster) int { return strings.Compare(a.ID, b.ID) })
			return list, nil
		}
	}
}

func (b clusterBody) cluster() cloud.Cluster {
	nodes := b.VSwitches
	if len(nodes) == 0 && b.VSwitch != "" {
		nodes = strings.Split(b.VSwitch, ",")
	}
	parameters := b.parameters()
	pods := b.PodVSwitches
	if len(pods) == 0 {
		pods = idsIn(parameters["PodVswitchIds"])
	}
	return cloud.Cluster{
		ID: b.ID, Name: b.Name, Type: b.Type, State: b.State, RegionID: b.Region, VPCID: b.VPC,
		NodeVSwitches: nodes, PodVSwitches: pods, SecurityGroupID: b.SecurityGroup,
		ServiceCIDR: prefix(firstOf(b.ServiceCIDR, parameters["ServiceCIDR"])), Version: b.Version,
	}
}

// parameters are the texts among the creation parameters; the service mixes other types in.
func (b clusterBody) parameters() map[string]string {
	var all map[string]any
	_ = json.Unmarshal(b.Parameters, &all) // absent, null or "" mean none
	texts := map[string]string{}
	for name, value := range all {
		if text, ok := value.(string); ok {
			texts[name] = text
		}
	}
	return texts
}

// idsIn reads a list of IDs that is JSON in a text, or comma separated.
func idsIn(text string) []string {
	var ids []string
	if json.Unmarshal([]byte(text), &ids) == nil || text == "" {
		return ids
	}
	return strings.Split(text, ",")
}
