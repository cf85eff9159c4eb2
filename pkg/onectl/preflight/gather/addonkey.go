package gather

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/preflight"
	"github.com/onectl/onectl/pkg/onectl/ram"
)

// held is Secret alibaba-addon-secret with its key, and the cloud as that key sees it. It never leaves this package.
type held struct {
	exists bool
	key    cloud.AccessKey
	cloud  Cloud // nil when the Secret holds no key
}

func (r *round) held(ctx context.Context) preflight.Part[held] {
	return askKube(ctx, r, "Secret "+system+"/"+ram.SecretName, func(ctx context.Context, k Kube) (held, error) {
		object, err := k.Get(ctx, kind("v1", "Secret"), system, ram.SecretName)
		if err != nil || object == nil {
			return held{}, err
		}
		h := held{exists: true, key: cloud.AccessKey{ID: decoded(object, ram.SecretKeyID), Secret: cloud.NewSecret(decoded(object, ram.SecretKeySecret))}}
		if h.key.ID == "" || h.key.Secret.IsZero() {
			return h, nil
		}
		h.cloud, err = r.CloudAs(h.key)
		return h, err
	})
}

func decoded(secret *unstructured.Unstructured, key string) string {
	text, _ := base64.StdEncoding.DecodeString(data(secret, key))
	return strings.TrimSpace(string(text)) // "echo KEY | base64" leaves a line end
}

// addonKey asks the cloud whose key the Secret holds, and RAM what its user has, itself and through groups. A key that
// the cloud does not accept is a fact, not a part that is unknown. Groups that may not be read leave the rest known.
func (r *round) addonKey(ctx context.Context, h held) preflight.Part[preflight.AddonKey] {
	part := askCloud(ctx, r, "the key in Secret "+system+"/"+ram.SecretName, func(ctx context.Context, operator Cloud) (preflight.AddonKey, error) {
		return ownerOf(ctx, operator, h)
	})
	if !part.Known || !part.Value.Valid {
		return part // nobody's groups
	}
	part.Value.Groups = preflight.Known([]preflight.RAMGroup{})
	if user := part.Value.Owner.UserName(); user != "" {
		part.Value.Groups = askCloud(ctx, r, "RAM groups of user "+user, func(ctx context.Context, operator Cloud) ([]preflight.RAMGroup, error) {
			return groups(ctx, operator, user)
		})
	}
	return part
}

func ownerOf(ctx context.Context, operator Cloud, h held) (preflight.AddonKey, error) {
	k := preflight.AddonKey{Exists: h.exists, KeyID: masked(h.key.ID)}
	if h.cloud == nil {
		if k.Problem = "there is no Secret " + system + "/" + ram.SecretName; h.exists {
			k.Problem = "Secret " + system + "/" + ram.SecretName + " lacks " + ram.SecretKeyID + " or " + ram.SecretKeySecret
		}
		return k, nil
	}
	var err error
	if k.Owner, err = h.cloud.CallerIdentity(ctx); cloud.KindOf(err) == cloud.BadKey {
		k.Problem = refusal(err)
		return k, nil
	}
	if err != nil {
		return k, err
	}
	k.Valid = true
	if user := k.Owner.UserName(); user != "" {
		k.Policies, err = policies(ctx, operator, user)
	}
	return k, err
}

// refusal says why the cloud does not accept a key.
func refusal(err error) string {
	var failure *cloud.Error
	if !errors.As(err, &failure) {
		return err.Error()
	}
	switch failure.Code {
	case "InvalidAccessKeyId.Inactive":
		return "the key is disabled (" + failure.Code + ")"
	case "InvalidAccessKeyId.NotFound", "InvalidAccessKeyId":
		return "the key does not exist any more (" + failure.Code + ")"
	case "SignatureDoesNotMatch", "IncompleteSignature":
		return "the key's secret is wrong (" + failure.Code + ")"
	}
	return "the cloud does not accept the key (" + failure.Code + ")"
}

// masked is a key ID as it may be shown: its first and last four characters.
func masked(id string) string {
	if len(id) <= 8 {
		return strings.Repeat("*", len(id))
	}
	return id[:4] + "****" + id[len(id)-4:]
}

// policies is a user's own policies, with documents.
func policies(ctx context.Context, operator Cloud, user string) ([]cloud.Policy, error) {
	list, err := operator.ListPoliciesForUser(ctx, user)
	if err != nil {
		return nil, err
	}
	return list, documents(ctx, operator, list)
}

// groups is the RAM groups that a user is a member of, with their policies and those' documents.
func groups(ctx context.Context, operator Cloud, user string) ([]preflight.RAMGroup, error) {
	names, err := operator.ListGroupsForUser(ctx, user)
	list := []preflight.RAMGroup{}
	for _, name := range names {
		attached, err := operator.ListPoliciesForGroup(ctx, name)
		if err != nil {
			return nil, err
		}
		if err := documents(ctx, operator, attached); err != nil {
			return nil, err
		}
		list = append(list, preflight.RAMGroup{Name: name, Policies: attached})
	}
	return list, err
}

// documents fills in those of policies of type Custom. RAM answers no document of a System one here; Allowed knows the
// documents of the usual ones.
func documents(ctx context.Context, operator Cloud, list []cloud.Policy) error {
	for i, p := range list {
		if p.Type != "Custom" || p.Document != "" {
			continue
		}
		whole, err := operator.GetPolicy(ctx, p.Name)
		if err != nil {
			return err
		}
		list[i].Document, list[i].Version = whole.Document, whole.Version
	}
	return nil
}
