package openapi

import (
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/cs"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/sts"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"
)

// regional lists, for each product, the regions whose host does not follow the rule PRODUCT.REGION.aliyuncs.com. The
// SDK fills these maps on first use without a lock, so they are taken once, at start.
var regional = map[string]map[string]string{
	"ecs": ecs.GetEndpointMap(),
	"vpc": vpc.GetEndpointMap(),
	"sts": sts.GetEndpointMap(),
	"cs":  cs.GetEndpointMap(),
}

// endpoint is the scheme and host of a product. Hosts of the real service are HTTPS only. Giving every request its host
// keeps the SDK from asking its location service.
func (c *Client) endpoint(product string) (scheme, host string) {
	if c.override != nil {
		return c.override.Scheme, c.override.Host
	}
	product = strings.ToLower(product)
	if product == "ram" || product == "cbn" {
		return "https", product + ".aliyuncs.com" // RAM and CEN are central
	}
	if c.network == "vpc" && product != "cs" {
		return "https", product + "-vpc." + c.region + ".aliyuncs.com"
	}
	if host := regional[product][c.region]; host != "" {
		return "https", host
	}
	return "https", product + "." + c.region + ".aliyuncs.com"
}

// port is the endpoint's, for requests of the ROA style: the SDK ends their host with a colon and the request's Port, and
// so spoils a host that has its port already.
func (c *Client) port() string {
	if c.override == nil {
		return ""
	}
	return c.override.Port()
}
