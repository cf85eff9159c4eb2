package conf

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

// Redact is a configuration as it may be shown to others: the value of every key that may hold a secret is "***". A text that is no
// JSON is not shown at all, because nobody can tell where in it a secret is.
func Redact(text []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil || decoder.More() {
		return []byte("this text is no JSON; it is left out because a secret could be in it\n")
	}
	var shown bytes.Buffer
	encoder := json.NewEncoder(&shown)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(redacted(value)); err != nil {
		return []byte("this text cannot be shown\n")
	}
	return shown.Bytes()
}

// secretWords are in the names of keys whose values nobody may see: access_key and access_secret of eni_conf, and what others
// may have put beside them.
var secretWords = []string{"access", "secret", "token", "password", "credential", "private"}

func redacted(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			v[key] = redactedAt(key, inner)
		}
	case []any:
		for i := range v {
			v[i] = redacted(v[i])
		}
	}
	return value
}

func redactedAt(key string, value any) any {
	for _, word := range secretWords {
		if strings.Contains(strings.ToLower(key), word) && value != "" && value != nil {
			return cloud.NewSecret("hidden").String()
		}
	}
	return redacted(value)
}
