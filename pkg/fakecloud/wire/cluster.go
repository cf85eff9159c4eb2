package wire

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

// serveCluster answers Container Service's calls, told apart by method and path: not every client names the action.
func serveCluster(ctx context.Context, c *call, in *request) (object, error) {
	path := strings.Split(strings.Trim(in.URL.Path, "/"), "/")
	switch {
	case in.Method != http.MethodGet:
	case slices.Equal(path, []string{"api", "v1", "clusters"}):
		return listClusters(ctx, c)
	case len(path) == 2 && path[0] == "clusters":
		found, err := c.DescribeCluster(ctx, path[1])
		return clusterObject(found), err
	}
	return nil, fail("InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
}

func listClusters(ctx context.Context, c *call) (object, error) {
	number, size := c.number("page_number"), within(c.number("page_size"), 10, 1, 100)
	if err := c.invalid(); err != nil {
		return nil, err
	}
	all, err := c.ListClusters(ctx)
	if err != nil {
		return nil, err
	}
	given := func(name, have string) bool { return c.Get(name) == "" || c.Get(name) == have }
	all = slices.DeleteFunc(all, func(k cloud.Cluster) bool {
		return !(given("cluster_id", k.ID) && given("name", k.Name) && given("cluster_type", k.Type) && given("region_id", k.RegionID))
	})
	return object{
		"clusters":  each(numberedPage(all, number, size), clusterObject),
		"page_info": object{"page_number": max(number, 1), "page_size": size, "total_count": len(all)},
	}, nil
}

// clusterObject is a cluster as both calls show it. The pod vSwitches are among the creation parameters.
func clusterObject(k cloud.Cluster) object {
	service := ""
	if k.ServiceCIDR.IsValid() {
		service = k.ServiceCIDR.String()
	}
	pods, _ := json.Marshal(each(k.PodVSwitches, same)) // a list of texts
	return object{
		"cluster_id": k.ID, "name": k.Name, "cluster_type": k.Type, "state": k.State, "region_id": k.RegionID, "vpc_id": k.VPCID,
		"vswitch_id": strings.Join(k.NodeVSwitches, ","), "vswitch_ids": each(k.NodeVSwitches, same), "security_group_id": k.SecurityGroupID,
		"service_cidr": service, "current_version": k.Version, "init_version": k.Version, "network_mode": "vpc", "profile": "Default", "cluster_spec": "",
		"deletion_protection": false, "size": 0, "tags": []object{}, "meta_data": "{}", "master_url": "{}",
		"parameters": object{"PodVswitchIds": string(pods), "ServiceCIDR": service},
	}
}
