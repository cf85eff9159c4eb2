package ram

import (
	"fmt"
	"slices"

	"github.com/onectl/onectl/pkg/cloud"
)

// Grant is what is wanted: the add-on's policy on the user, and the user's key in the Secret.
type Grant struct {
	Addon        string
	ClusterID    string
	User         string
	ReplaceEmpty bool // the operator agreed to fill a Secret whose values are empty
}

// Verb is what one Step does.
type Verb string

// The verbs, in the order in which a plan has them.
const (
	CreateUser   Verb = "create RAM user"
	CreatePolicy Verb = "create policy"
	UpdatePolicy Verb = "update policy"
	AttachPolicy Verb = "attach policy"
	CreateKey    Verb = "create AccessKey of RAM user" // and save it in the Secret: its secret is shown only once
)

// Step is one call that changes something.
type Step struct {
	Verb     Verb
	User     string
	Policy   string // name
	Document string // of the policy to create or update
	Comment  string // of the user to create
	Secret   string // "namespace/name" the key goes to
	Replace  bool   // the Secret is there, with empty values
}

// String is the step as a dry run prints it.
func (s Step) String() string {
	switch s.Verb {
	case CreateUser:
		return string(s.Verb) + " " + s.User
	case AttachPolicy:
		return fmt.Sprintf("%s %s to RAM user %s", s.Verb, s.Policy, s.User)
	case CreateKey:
		return fmt.Sprintf("%s %s and save it in Secret %s", s.Verb, s.User, s.Secret)
	}
	return fmt.Sprintf("%s %s: %s", s.Verb, s.Policy, s.Document)
}

// Plan is the steps from what there is to what is wanted; none when all is there. It is pure. An error says why the grant
// is not possible and what to do about it, before anything was changed.
func Plan(want Grant, have Observed) ([]Step, error) {
	text, known := Document(want.Addon)
	if !known {
		return nil, fmt.Errorf("plan grant: the policy of add-on %q is not known", want.Addon)
	}
	if len(text) > maxDocument {
		return nil, fmt.Errorf("policy of add-on %s has %d bytes and RAM takes %d: report this as a bug of onectl", want.Addon, len(text), maxDocument)
	}
	if err := possible(want, have); err != nil {
		return nil, err
	}
	var steps []Step
	if !have.UserExists {
		steps = append(steps, Step{Verb: CreateUser, User: want.User, Comment: "add-ons of registered cluster " + want.ClusterID + ", made by onectl"})
	}
	policy := PolicyName(want.Addon)
	switch {
	case have.Policy == nil:
		steps = append(steps, Step{Verb: CreatePolicy, Policy: policy, Document: text})
	case !sameDocument(have.Policy.Document, text):
		steps = append(steps, Step{Verb: UpdatePolicy, Policy: policy, Document: text})
	}
	if !has(have.Attached, policy) {
		steps = append(steps, Step{Verb: AttachPolicy, Policy: policy, User: want.User})
	}
	if have.Secret != SecretHeld {
		steps = append(steps, Step{Verb: CreateKey, User: want.User, Secret: SecretNamespace(want.Addon) + "/" + SecretName, Replace: have.Secret == SecretEmpty})
	}
	return steps, nil
}

func has(attached []cloud.Policy, name string) bool {
	return slices.ContainsFunc(attached, func(p cloud.Policy) bool { return p.Name == name && p.Type != "System" })
}

// possible finds what RAM would refuse half-way.
func possible(want Grant, have Observed) error {
	secret := SecretNamespace(want.Addon) + "/" + SecretName
	if have.Secret == SecretEmpty && !want.ReplaceEmpty {
		return fmt.Errorf("grant to add-on %s: Secret %s exists and holds no complete AccessKey; to let onectl fill it, run the same command with --fill-secret", want.Addon, secret)
	}
	if have.Secret != SecretHeld && have.Keys >= maxKeys {
		return fmt.Errorf("grant to add-on %s: RAM user %s has %d AccessKeys, the most a user can have, and Secret %s holds none of them; put one of them in the Secret, or delete one that is not in use (RAM console > Users > %s), then run the same command again",
			want.Addon, want.User, have.Keys, secret, want.User)
	}
	custom := 0
	for _, p := range have.Attached {
		if p.Type != "System" {
			custom++
		}
	}
	if custom >= maxPolicies && !has(have.Attached, PolicyName(want.Addon)) {
		return fmt.Errorf("grant to add-on %s: RAM user %s has %d custom policies, the most a user can have; take one off that is not in use: \"onectl ram-user describe\" lists them, \"onectl ram-user revoke --addon NAME\" takes one off",
			want.Addon, want.User, custom)
	}
	return nil
}
