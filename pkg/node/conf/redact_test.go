package conf

import (
	"strings"
	"testing"
)

func TestRedactHidesWhatMayBeASecret(t *testing.T) {
	got := string(Redact([]byte(`{"version":"1","access_key":"LTAI-planted","access_secret":"planted-secret","max_pool_size":5,"empty_secret":"",
"nested":[{"Some_Token":{"a":"planted-token"},"vswitches":{"z":["vsw-1"]}}],"big":12345678901234567890}`)))
	if strings.Contains(got, "planted") {
		t.Errorf("a secret is shown: %s", got)
	}
	for _, part := range []string{`"access_key": "***"`, `"access_secret": "***"`, `"Some_Token": "***"`, `"empty_secret": ""`, `"vsw-1"`, `"max_pool_size": 5`, "12345678901234567890"} {
		if !strings.Contains(got, part) {
			t.Errorf("no %s in %s", part, got)
		}
	}
}

func TestRedactShowsNothingOfWhatItCannotRead(t *testing.T) {
	for _, text := range []string{`{"access_secret":"planted"`, `{} {"access_secret":"planted"}`, `access_secret: planted`} {
		if got := string(Redact([]byte(text))); strings.Contains(got, "planted") {
			t.Errorf("%s is shown as %s", text, got)
		}
	}
}
