package plugin

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"
)

// FuzzEnvironment compares what is read of a block of memory with what a look through a list finds.
func FuzzEnvironment(f *testing.F) {
	f.Add("CNI_COMMAND=ADD\nCNI_ARGS=A=b;C=\nCNI_COMMAND=DEL\nCNI_PATH")
	f.Add("=\n\nCNI_NETNS=\nCNI_NETNS=/x\nCNI_NETNSX=1\nCNI_")
	f.Fuzz(func(t *testing.T, text string) {
		var block []*byte
		want := map[string]string{}
		for entry := range strings.SplitSeq(strings.ReplaceAll(text, "\x00", ""), "\n") {
			block = append(block, unsafe.SliceData([]byte(entry+"\x00")))
			if key, value, found := strings.Cut(entry, "="); found {
				if _, known := want[key]; !known {
					want[key] = value
				}
			}
		}
		block = append(block, nil)
		c := new(call)
		c.readEnvironment(unsafe.Pointer(unsafe.SliceData(block)))
		for i, name := range names {
			if c.vars[i] != want[name] {
				t.Errorf("%s is %q, want %q, of %q", name, c.vars[i], want[name], text)
			}
		}
	})
}

// FuzzFindString compares with encoding/json, for every object that it reads.
func FuzzFindString(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `[]`, `{"socket":"/a"}`, `{ "socket" : "/a" , "x":{"socket":"/b"}}`, `{"x":["socket","/b"],"y":"socket"}`,
		`{"socket":"/a","socket":"/b"}`, `{"so\u0063ket":"\/a\"\\\b\f\n\r\t\u00e9\ud83d\ude00"}`, `{"socket":3}`, `{"socket":"\ud83d"}`,
		`{"socket":"\ud83d\u0041"}`, `{"socket":"\udc00x"}`, `{"x":"\\","socket":"/c"}`, `{"socket`, `{"socket":"\u12`, `{"socket":"\`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var to [1 << 16]byte
		size := findString([]byte(text), "socket", to[:])
		var object map[string]any
		if !utf8.ValidString(text) || json.Unmarshal([]byte(text), &object) != nil || size > len(to) {
			return // it must only not crash
		}
		want, _ := object["socket"].(string)
		if got := string(to[:size]); got != want {
			t.Errorf("findString(%s) = %q, want %q", text, got, want)
		}
		if n := findString([]byte(text), "socket", nil); n != size {
			t.Errorf("without room it is %d bytes, not %d", n, size)
		}
	})
}

func FuzzQuoted(f *testing.F) {
	for _, seed := range []string{"", "plain", "a\"b\\c\n\x00\x7f", "\u2028é\U0001F600", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got string
		if err := json.Unmarshal(appendQuoted(nil, text), &got); err != nil || got != strings.ToValidUTF8(text, "\ufffd") && utf8.ValidString(text) {
			t.Errorf("%q became %q: %v", text, got, err)
		}
	})
}
