package fakecloud

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// tokenLife is how long a ClientToken is remembered.
const tokenLife = 24 * time.Hour

// tokenRecord is a call that succeeded under a ClientToken.
type tokenRecord struct {
	Request string // hash of the parameters
	Answer  json.RawMessage
	At      time.Time
}

// once runs effect, which fills answer, unless the same caller's same request succeeded before under this token: then
// answer is what it was. A call that failed does not use its token up. The token "" is none.
func (t *tx) once(action, token string, request, answer any, effect func() error) error {
	if token == "" {
		return effect()
	}
	text, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("hash request of %s: %w", action, err)
	}
	sum := sha256.Sum256(text)
	hash, key := hex.EncodeToString(sum[:]), t.caller.User+" "+action+" "+token
	if old, known := t.Tokens[key]; known && t.now.Sub(old.At) < tokenLife {
		if old.Request != hash {
			return fail("IdempotentParameterMismatch", "The request uses the same client token as a previous, but non-identical request.")
		}
		return json.Unmarshal(old.Answer, answer)
	}
	if err := effect(); err != nil {
		return err
	}
	encoded, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("remember answer of %s: %w", action, err)
	}
	for k, old := range t.Tokens {
		if t.now.Sub(old.At) >= tokenLife {
			delete(t.Tokens, k)
		}
	}
	t.Tokens[key] = tokenRecord{Request: hash, Answer: encoded, At: t.now}
	return nil
}
