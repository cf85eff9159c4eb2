package fakecloud

import (
	"context"
	"fmt"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// Limits of RAM that the simulator keeps (those of its current pages).
const (
	keysPerUser        = 2
	groupsPerUser      = 50
	groupsPerAccount   = 300
	customPerUser      = 10
	systemPerUser      = 20
	versionsPerPolicy  = 5
	usersPerAccount    = 1000
	policiesPerAccount = 1500
)

type userRecord struct {
	cloud.User
	attachments
	Created time.Time
}

type keyRecord struct {
	ID, Secret string
	User       string // "" is the account itself
	Inactive   bool
	Created    time.Time
}

func (k *keyRecord) accessKey() cloud.AccessKey {
	return cloud.AccessKey{ID: k.ID, Secret: cloud.NewSecret(k.Secret)}
}

// UserView is a RAM user with its dates.
type UserView struct {
	cloud.User
	Created  time.Time
	Attached time.Time // when a policy was attached to it; only in PolicyEntities
}

// KeyView is an AccessKey as ListAccessKeys shows it.
type KeyView struct {
	ID      string
	Active  bool
	Created time.Time
}

func (s *state) addUser(u cloud.User, now time.Time) *userRecord {
	u.ID = "2" + s.random("0123456789", 17)
	record := &userRecord{User: u, Created: now}
	s.Users[u.Name] = record
	return record
}

func (s *state) addKey(user string, now time.Time) *keyRecord {
	letters := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	key := &keyRecord{ID: "LTAI5t" + s.random(letters, 18), Secret: s.random(letters, 30), User: user, Created: now}
	s.Keys[key.ID] = key
	return key
}

func (s *state) user(name string) (*userRecord, error) {
	if u, ok := s.Users[name]; ok {
		return u, nil
	}
	return nil, fail("EntityNotExist.User", "The user does not exist.")
}

// userCall is a call about one user.
func userCall(action, name string, write bool) call {
	return call{action: action, subject: name, resources: []string{"user/" + name}, write: write}
}

// named checks a RAM name; field is the parameter as error codes name it.
func named(field, name, extra string, limit int) error {
	if len(name) == 0 || len(name) > limit {
		return fail("InvalidParameter."+field+".Length", "The parameter - %s should have 1 to %d characters.", field, limit)
	}
	for _, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		ok := letter
		for _, e := range extra {
			ok = ok || r == e
		}
		if !ok {
			return fail("InvalidParameter."+field+".InvalidChars", "The parameter - %s contains invalid chars.", field)
		}
	}
	return nil
}

// GetUser is a RAM user, NotFound when it does not exist.
func (s *Session) GetUser(ctx context.Context, name string) (cloud.User, error) {
	view, err := s.UserDetail(ctx, name)
	return view.User, err
}

// UserDetail is GetUser with dates.
func (s *Session) UserDetail(ctx context.Context, name string) (UserView, error) {
	var view UserView
	err := s.do(ctx, userCall("ram:GetUser", name, false), func(t *tx) error {
		u, err := t.user(name)
		if err == nil {
			view = UserView{User: u.User, Created: u.Created}
		}
		return err
	})
	return view, err
}

// ListUsers returns all RAM users, sorted by name.
func (s *Session) ListUsers(ctx context.Context) ([]UserView, error) {
	var views []UserView
	err := s.do(ctx, userCall("ram:ListUsers", "*", false), func(t *tx) error {
		for _, name := range sorted(t.Users) {
			views = append(views, UserView{User: t.Users[name].User, Created: t.Users[name].Created})
		}
		return nil
	})
	return views, err
}

// CreateUser makes a RAM user and returns it with its ID; Exists when the name is taken.
func (s *Session) CreateUser(ctx context.Context, u cloud.User) (cloud.User, error) {
	var made cloud.User
	err := s.do(ctx, userCall("ram:CreateUser", u.Name, true), func(t *tx) error {
		if err := named("UserName", u.Name, "._-@", 64); err != nil {
			return err
		}
		if _, taken := t.Users[u.Name]; taken {
			return fail("EntityAlreadyExists.User", "The user does already EXIST.")
		}
		if len(t.Users) >= usersPerAccount {
			return fail("LimitExceeded.User", "The count of users beyond the current limits.")
		}
		made = t.addUser(u, t.now).User
		return nil
	})
	return made, err
}

// DeleteUser deletes a RAM user that has no policies and no keys.
func (s *Session) DeleteUser(ctx context.Context, name string) error {
	return s.do(ctx, userCall("ram:DeleteUser", name, true), func(t *tx) error {
		u, err := t.user(name)
		if err != nil {
			return err
		}
		if len(u.Attached) > 0 {
			return fail("DeleteConflict.User.Policy", "The user has been attached %d policies, detach them first.", len(u.Attached))
		}
		if len(t.keysOf(name)) > 0 {
			return fail("DeleteConflict.User.AccessKey", "The user has access keys, delete them first.")
		}
		if groups := t.groupsOf(name); len(groups) > 0 {
			return fail("DeleteConflict.User.Group", "The user is in %d groups, remove it from them first.", len(groups))
		}
		delete(t.Users, name)
		return nil
	})
}

func (s *state) keysOf(user string) []KeyView {
	var views []KeyView
	for _, id := range sorted(s.Keys) {
		if k := s.Keys[id]; k.User == user {
			views = append(views, KeyView{ID: id, Active: !k.Inactive, Created: k.Created})
		}
	}
	return views
}

// ListAccessKeys returns the IDs of a user's keys, sorted. The user "" is the caller.
func (s *Session) ListAccessKeys(ctx context.Context, user string) ([]string, error) {
	views, err := s.AccessKeys(ctx, user)
	var ids []string
	for _, v := range views {
		ids = append(ids, v.ID)
	}
	return ids, err
}

// AccessKeys is ListAccessKeys with status and date.
func (s *Session) AccessKeys(ctx context.Context, user string) ([]KeyView, error) {
	var views []KeyView
	err := s.do(ctx, userCall("ram:ListAccessKeys", user, false), func(t *tx) error {
		owner, err := t.owner(user)
		if err == nil {
			views = t.keysOf(owner)
		}
		return err
	})
	return views, err
}

// owner is the named user, the caller when name is "".
func (t *tx) owner(name string) (string, error) {
	if name == "" {
		return t.caller.User, nil
	}
	_, err := t.user(name)
	return name, err
}

// CreateAccessKey makes a key for a user; this is the only time its secret is shown. The user "" is the caller.
func (s *Session) CreateAccessKey(ctx context.Context, user string) (cloud.AccessKey, error) {
	var key cloud.AccessKey
	err := s.do(ctx, userCall("ram:CreateAccessKey", user, true), func(t *tx) error {
		owner, err := t.owner(user)
		if err != nil {
			return err
		}
		if len(t.keysOf(owner)) >= keysPerUser {
			return fail("LimitExceeded.User.AccessKey", "The access key count of the user access keys beyond the current limits.")
		}
		key = t.addKey(owner, t.now).accessKey()
		return nil
	})
	return key, err
}

// UpdateAccessKey makes a key Active or Inactive.
func (s *Session) UpdateAccessKey(ctx context.Context, user, keyID, status string) error {
	return s.editKey(ctx, "ram:UpdateAccessKey", user, keyID, func(t *tx, k *keyRecord) error {
		if status != "Active" && status != "Inactive" {
			return fail("InvalidParameter.Status", "The parameter - Status should be Active or Inactive.")
		}
		k.Inactive = status == "Inactive"
		return nil
	})
}

// DeleteAccessKey deletes a user's key; NotFound when the user has no such key.
func (s *Session) DeleteAccessKey(ctx context.Context, user, keyID string) error {
	return s.editKey(ctx, "ram:DeleteAccessKey", user, keyID, func(t *tx, _ *keyRecord) error {
		delete(t.Keys, keyID)
		return nil
	})
}

func (s *Session) editKey(ctx context.Context, action, user, keyID string, edit func(*tx, *keyRecord) error) error {
	c := userCall(action, user, true)
	c.subject = fmt.Sprintf("%s of %s", keyID, user)
	return s.do(ctx, c, func(t *tx) error {
		owner, err := t.owner(user)
		if err != nil {
			return err
		}
		k, known := t.Keys[keyID]
		if !known || k.User != owner {
			return fail("EntityNotExist.User.AccessKey", "The access key does not exist.")
		}
		return edit(t, k)
	})
}
