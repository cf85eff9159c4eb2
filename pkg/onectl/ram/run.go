package ram

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// SaveKey puts a new key into the cluster. With replace it fills the Secret that is there with empty values; without, it
// must fail when a Secret has appeared meanwhile.
type SaveKey func(ctx context.Context, key cloud.AccessKey, replace bool) error

// undoTime bounds the deletion of a key that could not be saved, which goes on after an interrupt.
const undoTime = 20 * time.Second

// Run takes the steps in their order and tells done after each. A step that somebody else took meanwhile is done. A new key
// that cannot be saved is deleted again, also after ctx has ended: nobody could ever use it.
func Run(ctx context.Context, c Cloud, steps []Step, save SaveKey, done func(Step)) error {
	for _, step := range steps {
		if err := run(ctx, c, step, save); err != nil {
			return err
		}
		done(step)
	}
	return nil
}

func run(ctx context.Context, c Cloud, step Step, save SaveKey) error {
	switch step.Verb {
	case CreateUser:
		_, err := c.CreateUser(ctx, cloud.User{Name: step.User, DisplayName: step.User, Comments: step.Comment})
		return unlessExists(err)
	case CreatePolicy:
		err := c.CreatePolicy(ctx, cloud.Policy{Name: step.Policy, Type: "Custom", Description: "made by onectl", Document: step.Document})
		if cloud.KindOf(err) == cloud.Exists { // by somebody else, since Observe, with whatever content
			return c.SetPolicyDocument(ctx, step.Policy, step.Document)
		}
		return err
	case UpdatePolicy:
		return c.SetPolicyDocument(ctx, step.Policy, step.Document)
	case AttachPolicy:
		return unlessExists(c.AttachPolicyToUser(ctx, "Custom", step.Policy, step.User))
	case CreateKey:
		return createKey(ctx, c, step, save)
	}
	return fmt.Errorf("run grant: no such step: %q", step.Verb)
}

func createKey(ctx context.Context, c Cloud, step Step, save SaveKey) error {
	key, err := c.CreateAccessKey(ctx, step.User)
	if err != nil {
		return err
	}
	saveErr := save(ctx, key, step.Replace)
	if saveErr == nil {
		return nil
	}
	saveErr = fmt.Errorf("save AccessKey in Secret %s: %w", step.Secret, saveErr)
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	if err := c.DeleteAccessKey(bounded, step.User, key.ID); err != nil {
		return errors.Join(saveErr, fmt.Errorf("the new key of RAM user %s could not be deleted either, delete it in the RAM console: %w", step.User, err))
	}
	return saveErr
}

func unlessExists(err error) error {
	if cloud.KindOf(err) == cloud.Exists {
		return nil
	}
	return err
}

// Revoke takes an add-on's policy off a user. A user that does not have it, or does not exist, is not an error. The policy
// itself stays: other clusters of the account may use it.
func Revoke(ctx context.Context, c Cloud, user, addon string) error {
	err := c.DetachPolicyFromUser(ctx, "Custom", PolicyName(addon), user)
	if cloud.KindOf(err) == cloud.NotFound {
		return nil
	}
	return err
}
