package cmdutil

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/ram"
)

// AddonSecret is Secret alibaba-addon-secret of a namespace.
type AddonSecret struct {
	State  ram.SecretState
	Key    cloud.AccessKey // whole when State is SecretHeld
	object *unstructured.Unstructured
}

// ReadSecret reads Secret alibaba-addon-secret. One that lacks half of the pair counts as empty.
func ReadSecret(ctx context.Context, k Kube, namespace string) (AddonSecret, error) {
	object, err := k.Get(ctx, Kind("v1", "Secret"), namespace, ram.SecretName)
	if err != nil || object == nil {
		return AddonSecret{}, err
	}
	value := func(key string) string {
		encoded, _, _ := unstructured.NestedString(object.Object, "data", key)
		text, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(text)) // "echo KEY | base64" leaves a line end
	}
	key := cloud.AccessKey{ID: value(ram.SecretKeyID), Secret: cloud.NewSecret(value(ram.SecretKeySecret))}
	if key.IsZero() {
		return AddonSecret{State: ram.SecretEmpty, object: object}, nil
	}
	return AddonSecret{State: ram.SecretHeld, Key: key, object: object}, nil
}

// SaveKey writes a key into Secret alibaba-addon-secret. Without replace the Secret must not exist; with it, it must be the
// one that read found. So a key that somebody else put there meanwhile is never overwritten.
func SaveKey(ctx context.Context, k Kube, namespace string, read AddonSecret, key cloud.AccessKey, replace bool) error {
	data := map[string]any{
		ram.SecretKeyID:     base64.StdEncoding.EncodeToString([]byte(key.ID)),
		ram.SecretKeySecret: base64.StdEncoding.EncodeToString([]byte(key.Secret.Reveal())),
	}
	if replace {
		object := read.object.DeepCopy()
		if err := unstructured.SetNestedMap(object.Object, data, "data"); err != nil {
			return err
		}
		return raced(k.Update(ctx, object))
	}
	if err := ensureNamespace(ctx, k, namespace); err != nil {
		return err
	}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
		"metadata": map[string]any{
			"namespace": namespace, "name": ram.SecretName,
			"labels": map[string]any{"app.kubernetes.io/managed-by": "onectl"},
		},
	}}
	return raced(k.Create(ctx, object))
}

func raced(err error) error {
	if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
		return fmt.Errorf("%w; somebody else wrote it meanwhile, run the same command again", err)
	}
	return err
}

func ensureNamespace(ctx context.Context, k Kube, name string) error {
	if name == "kube-system" {
		return nil
	}
	err := k.Create(ctx, &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// Owner is the RAM user that owns the key in the Secret. The key must work, belong to a RAM user, and be of the same account
// as the operator's: whatever else it is, onectl leaves it alone and says what to do.
func (f *Factory) Owner(ctx context.Context, operator Clusters, key cloud.AccessKey, namespace string) (string, error) {
	secret := namespace + "/" + ram.SecretName
	c, err := f.CloudAs(key)
	if err != nil {
		return "", err
	}
	owner, err := c.CallerIdentity(ctx)
	if err != nil {
		return "", badKey(secret, namespace, err)
	}
	name := owner.UserName()
	if name == "" {
		return "", fmt.Errorf("the AccessKey in Secret %s belongs to %s, not to a RAM user: rights are given to users only, and an account's own key in a cluster can do everything; delete the Secret (kubectl -n %s delete secret %s) and run the same command again, which makes a RAM user", secret, who(owner), namespace, ram.SecretName)
	}
	self, err := operator.CallerIdentity(ctx)
	if err != nil {
		return "", err
	}
	if self.AccountID != owner.AccountID {
		return "", fmt.Errorf("the AccessKey in Secret %s belongs to account %s, onectl runs in account %s: check the AccessKey of \"onectl configure\" and --kubeconfig", secret, owner.AccountID, self.AccountID)
	}
	return name, nil
}

func who(i cloud.Identity) string {
	if i.Type == "Account" {
		return "the root of account " + i.AccountID
	}
	return "a role (" + i.Type + ")"
}

// badKey says what is wrong with the key in the Secret. It is not the operator's key, so the failure must not be of kind
// BadKey any more: that would send people to "onectl configure".
func badKey(secret, namespace string, err error) error {
	if cloud.KindOf(err) != cloud.BadKey {
		return err
	}
	var failure *cloud.Error
	errors.As(err, &failure)
	what := "is not accepted by the cloud"
	switch failure.Code {
	case "InvalidAccessKeyId.Inactive":
		what = "is disabled; enable it in the RAM console"
	case "InvalidAccessKeyId.NotFound":
		what = "does not exist any more"
	case "SignatureDoesNotMatch":
		what = "has a wrong secret"
	}
	return fmt.Errorf("the AccessKey in Secret %s %s (%s); to have onectl make a new one, delete the Secret (kubectl -n %s delete secret %s) and run the same command again", secret, what, failure.Code, namespace, ram.SecretName)
}
