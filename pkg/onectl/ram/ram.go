// Package ram gives add-ons their rights in the cloud: one RAM user a cluster, one custom policy an add-on, one AccessKey
// in Secret alibaba-addon-secret. Observe looks, Plan decides and is pure, Run does; a dry run prints what Plan returns.
package ram

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

// SecretName is the Secret that holds the AccessKey of a cluster's add-ons, with the keys below.
const (
	SecretName      = "alibaba-addon-secret"
	SecretKeyID     = "access-key-id"
	SecretKeySecret = "access-key-secret"
)

// PolicyPrefix begins the name of every policy that onectl makes. The name holds no cluster ID: a policy is shared by the
// clusters of an account.
const PolicyPrefix = "ack-one-registered-cluster-policy-"

// Limits that RAM documents and no call reports.
const (
	maxPolicies = 10   // custom policies a user
	maxKeys     = 2    // AccessKeys a user
	maxDocument = 2048 // bytes of a policy document, the smaller of the two published limits
)

// PolicyName is the name of an add-on's policy.
func PolicyName(addon string) string { return PolicyPrefix + addon }

// UserName is the RAM user that onectl makes for a cluster. It comes from the cluster ID, so a second run finds it again.
func UserName(clusterID string) string {
	sum := sha256.Sum256([]byte(clusterID))
	return "ack-one-user-" + hex.EncodeToString(sum[:])[:10]
}

// AddonOf is the add-on that a policy of this name belongs to; false for a policy that is not onectl's.
func AddonOf(policyName string) (string, bool) { return strings.CutPrefix(policyName, PolicyPrefix) }

// Cloud is what this package needs of RAM. *openapi.Client has it.
type Cloud interface {
	GetUser(ctx context.Context, name string) (cloud.User, error)
	CreateUser(ctx context.Context, user cloud.User) (cloud.User, error)
	ListAccessKeys(ctx context.Context, user string) ([]string, error)
	CreateAccessKey(ctx context.Context, user string) (cloud.AccessKey, error)
	DeleteAccessKey(ctx context.Context, user, keyID string) error
	GetPolicy(ctx context.Context, name string) (cloud.Policy, error)
	CreatePolicy(ctx context.Context, policy cloud.Policy) error
	SetPolicyDocument(ctx context.Context, name, document string) error
	AttachPolicyToUser(ctx context.Context, policyType, policy, user string) error
	DetachPolicyFromUser(ctx context.Context, policyType, policy, user string) error
	ListPoliciesForUser(ctx context.Context, user string) ([]cloud.Policy, error)
}

// SecretState is what Secret alibaba-addon-secret looks like.
type SecretState int

// The states. Empty is a Secret whose values are empty, which some recipes make on purpose.
const (
	SecretAbsent SecretState = iota
	SecretEmpty
	SecretHeld
)

// Observed is what there is before a grant.
type Observed struct {
	Secret     SecretState
	UserExists bool
	Keys       int            // AccessKeys of the user; only looked at when the Secret holds none
	Policy     *cloud.Policy  // the add-on's policy, nil when it does not exist
	Attached   []cloud.Policy // the user's policies
}

// Observe looks with the fewest calls: what cannot matter is not asked for.
func Observe(ctx context.Context, c Cloud, user, addon string, secret SecretState) (Observed, error) {
	o := Observed{Secret: secret, UserExists: true}
	if secret != SecretHeld {
		_, err := c.GetUser(ctx, user)
		if cloud.KindOf(err) == cloud.NotFound {
			o.UserExists = false
		} else if err != nil {
			return Observed{}, err
		}
	}
	policy, err := c.GetPolicy(ctx, PolicyName(addon))
	if err == nil {
		o.Policy = &policy
	} else if cloud.KindOf(err) != cloud.NotFound {
		return Observed{}, err
	}
	return o, o.observeUser(ctx, c, user)
}

func (o *Observed) observeUser(ctx context.Context, c Cloud, user string) (err error) {
	if !o.UserExists {
		return nil
	}
	if o.Attached, err = c.ListPoliciesForUser(ctx, user); err != nil || o.Secret == SecretHeld {
		return err
	}
	keys, err := c.ListAccessKeys(ctx, user)
	o.Keys = len(keys)
	return err
}

// sameDocument compares two policy documents by meaning: RAM's console reformats them.
func sameDocument(a, b string) bool {
	var left, right any
	if json.Unmarshal([]byte(a), &left) != nil || json.Unmarshal([]byte(b), &right) != nil {
		return a == b
	}
	return reflect.DeepEqual(left, right)
}
