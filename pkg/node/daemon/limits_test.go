package daemon

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/conf"
	"github.com/onectl/onectl/pkg/node/pool"
)

func TestLimitsComeFromAnnotationTableCloudAndElseAreTheLeast(t *testing.T) {
	annotation := func(text string, err error) func(context.Context, string) (string, error) {
		return func(context.Context, string) (string, error) { return text, err }
	}
	api := func(found []cloud.InstanceType, err error) func(context.Context, []string) ([]cloud.InstanceType, error) {
		return func(context.Context, []string) ([]cloud.InstanceType, error) { return found, err }
	}
	denied := api(nil, &cloud.Error{Kind: cloud.Forbidden})
	table, _ := conf.LimitsOf("ecs.g7.xlarge")
	small, _ := conf.LimitsOf("ecs.g7.large")
	annotated := cloud.InstanceType{ID: "ecs.g7.xlarge", ENIs: 5, IPv4PerENI: 20, IPv6PerENI: 2, TrunkENIs: 3}
	const text = `{"InstanceTypeId":"ecs.g7.xlarge","EniQuantity":5,"EniPrivateIpAddressQuantity":20,"EniIpv6AddressQuantity":2,"EniTotalQuantity":8,"EniTrunkSupported":true}`
	newest := cloud.InstanceType{ID: "ecs.new.large", ENIs: 9, IPv4PerENI: 9}
	tests := []struct {
		name   string
		source LimitSources
		id     string
		want   cloud.InstanceType
	}{
		{"annotation", LimitSources{Annotation: annotation(text, nil), Cloud: denied}, "ecs.g7.xlarge", annotated},
		{"annotation of another type", LimitSources{Annotation: annotation(text, nil), Cloud: denied}, "ecs.g7.large", small},
		{"API server down", LimitSources{Annotation: annotation("", errors.New("down")), Cloud: denied}, "ecs.g7.xlarge", table},
		{"annotation unreadable", LimitSources{Annotation: annotation("{", nil), Cloud: denied}, "ecs.g7.xlarge", table},
		{"annotation without numbers", LimitSources{Annotation: annotation(`{"InstanceTypeId":"ecs.g7.xlarge"}`, nil), Cloud: denied}, "ecs.g7.xlarge", table},
		{"no API server", LimitSources{Cloud: denied}, "ecs.g7.xlarge", table},
		{"unknown type, cloud allowed", LimitSources{Cloud: api([]cloud.InstanceType{newest}, nil)}, "ecs.new.large", newest},
		{"unknown type, cloud denied", LimitSources{Cloud: denied}, "ecs.new.large", conf.Conservative("ecs.new.large")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.source.Logger = slog.New(slog.DiscardHandler)
			if diff := cmp.Diff(test.want, test.source.Find(t.Context(), test.id)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPoolConfigTakesZoneBoundsAndPolicies(t *testing.T) {
	config := conf.ENIConf{
		VSwitches: map[string][]string{"i": {"vsw-i"}, "j": {"vsw-j"}}, SecurityGroups: []string{"sg-1"}, ENITags: map[string]string{"a": "b"},
		MaxPoolSize: 5, MinPoolSize: 2, MaxENI: 2, ENICapRatio: 1, VSwitchSelection: "ordered", ENISelection: "least_ips",
		ENITagBlockList: []conf.Tag{{Key: "k", Value: "v"}}, IPPoolSyncPeriod: time.Minute,
	}
	got, limits := PoolConfig(config, cloud.Instance{ZoneID: "j"}, cloud.InstanceType{ENIs: 4, IPv4PerENI: 15})
	want := pool.Config{
		VSwitches: []string{"vsw-j"}, SecurityGroups: []string{"sg-1"}, Tags: map[string]string{"a": "b"}, TagBlock: []pool.Tag{{Key: "k", Value: "v"}},
		MinIdle: 2, MaxIdle: 5, VSwitchPolicy: pool.VSwitchOrdered, ENIPolicy: pool.ENILeastIPs, SyncPeriod: time.Minute, Denied: refusedRetry,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if limits.ENIs != 3 {
		t.Errorf("%d ENIs, want max_eni and the primary one", limits.ENIs)
	}
}
