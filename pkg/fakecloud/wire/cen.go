package wire

import (
	"context"
	"slices"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

func cenActions() map[string]action {
	return map[string]action{
		"DescribeCens": describeCENs, "DescribeCenAttachedChildInstances": describeCENChildren, "AttachCenChildInstance": attachCENChild,
	}
}

func describeCENs(ctx context.Context, c *call) (object, error) {
	c.refuse("Filter.1.Key", "Tag.1.Key")
	if err := c.paging(); err != nil {
		return nil, err
	}
	all, err := c.CENs(ctx)
	return numbered(c, all, "Cens", "Cen", func(id string) object {
		return object{
			"CenId": id, "Name": id, "Description": "", "Status": "Active", "ProtectionLevel": "REDUCED", "Ipv6Level": "DISABLED", "CreationTime": "",
			"CenBandwidthPackageIds": object{"CenBandwidthPackageId": []string{}}, "Tags": object{"Tag": []object{}},
		}
	}), err
}

func describeCENChildren(ctx context.Context, c *call) (object, error) {
	id := c.need("CenId")
	if err := c.paging(); err != nil {
		return nil, err
	}
	all, err := c.CENChildren(ctx, id)
	all = slices.DeleteFunc(all, func(a fakecloud.CENAttachmentView) bool {
		return !c.given("ChildInstanceType", a.ChildType) || !c.given("ChildInstanceRegionId", a.Region)
	})
	return numbered(c, all, "ChildInstances", "ChildInstance", func(a fakecloud.CENAttachmentView) object { return childObject(a.CENAttachment, stamp(a.At)) }), err
}

func childObject(a cloud.CENAttachment, at string) object {
	return object{
		"CenId": a.CEN, "ChildInstanceId": a.Child, "ChildInstanceType": a.ChildType, "ChildInstanceRegionId": a.Region, "ChildInstanceOwnerId": 0,
		"ChildInstanceAttachTime": at, "Status": a.Status,
	}
}

func attachCENChild(ctx context.Context, c *call) (object, error) {
	a := cloud.CENAttachment{CEN: c.need("CenId"), Child: c.need("ChildInstanceId"), Region: c.need("ChildInstanceRegionId")}
	if kind := c.need("ChildInstanceType"); kind != "VPC" && kind != "VBR" {
		return nil, fail("ParameterInstanceType", "The child instance type %q is not supported here.", kind)
	}
	if err := c.invalid(); err != nil {
		return nil, err
	}
	return object{}, c.AttachCENChild(ctx, a)
}
