package daemon

import (
	"context"
	"log/slog"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/conf"
)

// LimitSources is where an instance type's limits are looked for besides the built-in table.
type LimitSources struct {
	Annotation func(ctx context.Context, key string) (string, error)                 // of the node; nil without an API server
	Cloud      func(ctx context.Context, ids []string) ([]cloud.InstanceType, error) // DescribeInstanceTypes, which the published policy does not allow
	Logger     *slog.Logger
}

// Find returns what an instance of the type can carry: by the node's annotation, the built-in table, the cloud, and when
// nobody knows, the least. It never fails: a node with few addresses is better than one without.
func (s LimitSources) Find(ctx context.Context, id string) cloud.InstanceType {
	limits, source, err := conf.Limits(id, s.annotation(ctx))
	if err != nil {
		s.Logger.Warn("node annotation ignored", "cause", cause.ConfigurationIgnored, "err", err)
		limits, source, _ = conf.Limits(id, "")
	}
	if _, known := conf.LimitsOf(id); !known && limits == conf.Conservative(id) {
		found, err := s.Cloud(ctx, []string{id})
		if err == nil && len(found) == 1 && found[0].ENIs > 0 && found[0].IPv4PerENI > 0 {
			limits, source = found[0], "cloud"
		} else {
			s.Logger.Warn("the limits of this instance type are not known; set the node's annotation", "cause", cause.InstanceTypeUnknown, "type", id, "annotation", conf.AnnotationInstanceType, "err", err)
		}
	}
	s.Logger.Info("limits of the instance type", "type", id, "enis", limits.ENIs, "addressesPerENI", limits.IPv4PerENI, "source", source)
	return limits
}

// annotation reads the node's, "" when it is not there or cannot be read.
func (s LimitSources) annotation(ctx context.Context) string {
	if s.Annotation == nil {
		return ""
	}
	text, err := s.Annotation(ctx, conf.AnnotationInstanceType)
	if err != nil {
		s.Logger.Warn("node annotation not read", "cause", cause.APIServerUnavailable, "annotation", conf.AnnotationInstanceType, "err", err)
	}
	return text
}
