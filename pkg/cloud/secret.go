package cloud

import "log/slog"

// Secret is a text that must not be seen: it prints, logs and marshals as "***". Reveal is the only way to its content.
type Secret struct{ text string }

// NewSecret wraps text.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the content, for the one place that sends or stores it.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether there is no content.
func (s Secret) IsZero() bool { return s.text == "" }

func (s Secret) mask() string {
	if s.text == "" {
		return ""
	}
	return "***"
}

// String returns "***", or "" when there is no content.
func (s Secret) String() string { return s.mask() }

// GoString keeps %#v from printing the content.
func (s Secret) GoString() string { return s.mask() }

// MarshalText keeps encoders from writing the content. What must be stored is stored with Reveal.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.mask()), nil }

// LogValue keeps slog from printing the content.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.mask()) }

// AccessKey is a key pair of a RAM user or an account. The zero value is no key.
type AccessKey struct {
	ID            string
	Secret        Secret
	SecurityToken Secret // only for temporary (STS) credentials
}

// IsZero reports whether half of the pair is missing, which makes it no key.
func (k AccessKey) IsZero() bool { return k.ID == "" || k.Secret.IsZero() }
