package conf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// object is a JSON object being read key by key. Problems and warnings are collected; a key that nobody asked for is a
// warning at the end.
type object struct {
	path   string
	fields map[string]json.RawMessage
	asked  map[string]bool
	found  *findings
}

type findings struct {
	problems []error
	warnings []Warning
}

func (f *findings) problem(path, format string, args ...any) {
	f.problems = append(f.problems, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

func (f *findings) warn(path, text string) {
	f.warnings = append(f.warnings, Warning{Path: path, Text: text})
}

// parse reads text, which must be one JSON object called name in what people see.
func parse(name string, text []byte) (*object, error) {
	fields, err := decode(name, text)
	if err != nil {
		return nil, err
	}
	found := &findings{}
	o := &object{path: name, fields: fields, asked: map[string]bool{}, found: found}
	o.refusePlaceholders(text)
	return o, nil
}

func decode(name string, text []byte) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, notJSON(name, text, err)
	}
	if fields == nil {
		return nil, fmt.Errorf("%s: it is null; it must be a JSON object {…}", name)
	}
	return fields, nil
}

func notJSON(name string, text []byte, err error) error {
	offset := int64(len(text))
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = max(0, syntax.Offset-1)
	case errors.As(err, &kind):
		return fmt.Errorf("%s: it is a JSON %s; it must be an object {…}", name, kind.Value)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return fmt.Errorf("%s: it is empty; it must hold a JSON object {…}", name)
	}
	before := text[:min(offset, int64(len(text)))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Errorf("%s:%d:%d: not JSON: %w; correct the text there (a comma too many or too few, a missing quote, a comment?)", name, line, column, err)
}

// refusePlaceholders reports every {{…}} that a template should have replaced, once for each place.
func (o *object) refusePlaceholders(text []byte) {
	if !bytes.Contains(text, []byte("{{")) {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(o.fields)) {
		value := string(o.fields[key])
		start := strings.Index(value, "{{")
		if start < 0 {
			continue
		}
		placeholder := value[start:]
		if end := strings.Index(placeholder, "}}"); end >= 0 {
			placeholder = placeholder[:end+2]
		}
		o.found.problem(o.at(key), "the placeholder %s was left in; put the real value in its place", placeholder)
		o.asked[key] = true
		delete(o.fields, key)
	}
}

func (o *object) at(key string) string { return o.path + "." + key }

// read decodes key into the value, and reports whether it was there and had the wanted form. null is as if absent.
func (o *object) read(key string, into any, want string) bool {
	o.asked[key] = true
	raw, there := o.fields[key]
	if !there || string(raw) == "null" {
		return false
	}
	if err := json.Unmarshal(raw, into); err != nil {
		o.found.problem(o.at(key), "it is %s; it must be %s", shorten(raw), want)
		return false
	}
	return true
}

func shorten(raw json.RawMessage) string {
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return "not readable"
	}
	if text := []rune(compact.String()); len(text) > 40 {
		return string(text[:40]) + "…"
	}
	return compact.String()
}

func (o *object) text(key, fallback string) string {
	value := fallback
	if o.read(key, &value, "a string") && value == "" {
		return fallback
	}
	return value
}

// secret reads a string without ever showing it.
func (o *object) secret(key string) string {
	o.asked[key] = true
	var value string
	if raw, there := o.fields[key]; there && json.Unmarshal(raw, &value) != nil {
		o.found.problem(o.at(key), "it must be a string")
	}
	return value
}

// choice reads one of some words, without regard to case, and gives it in the case of the list.
func (o *object) choice(key, fallback string, choices ...string) string {
	value := o.text(key, fallback)
	for _, choice := range choices {
		if strings.EqualFold(value, choice) {
			return choice
		}
	}
	o.found.problem(o.at(key), "it is %q; it must be one of %s", value, strings.Join(choices, ", "))
	return fallback
}

func (o *object) boolean(key string, fallback bool) bool {
	value := fallback
	o.read(key, &value, "true or false")
	return value
}

// number reads a whole number that is at least least.
func (o *object) number(key string, fallback, least int) int {
	value := fallback
	if o.read(key, &value, "a whole number") && value < least {
		o.found.problem(o.at(key), "it is %d; it must be %d or more", value, least)
		return fallback
	}
	return value
}

func (o *object) fraction(key string, fallback float64) float64 {
	value := fallback
	if o.read(key, &value, "a number") && value < 0 {
		o.found.problem(o.at(key), "it is %g; it must not be negative", value)
		return fallback
	}
	return value
}

// duration reads "2m30s"; 0 when it is empty and has no fallback.
func (o *object) duration(key string, fallback time.Duration) time.Duration {
	value := o.text(key, "")
	if value == "" {
		return fallback
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		o.found.problem(o.at(key), "it is %q; it must be a duration such as 90s or 10m", value)
		return fallback
	}
	return d
}

func (o *object) texts(key string) []string {
	var value []string
	o.read(key, &value, "a list of strings")
	return value
}

func (o *object) textMap(key string) map[string]string {
	var value map[string]string
	o.read(key, &value, "an object of strings")
	return value
}

func (o *object) prefix(path, text string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
	if err != nil {
		o.found.problem(path, "%q is not a CIDR such as 172.16.0.0/16", text)
		return netip.Prefix{}, false
	}
	return prefix.Masked(), true
}

// child is the object under key; an empty one when it is not there.
func (o *object) child(key string) *object {
	c := &object{path: o.at(key), asked: map[string]bool{}, found: o.found}
	o.read(key, &c.fields, "an object")
	return c
}

// without warns that a key has no effect, when it is set to something.
func (o *object) without(key, text string) {
	o.asked[key] = true
	switch raw := string(o.fields[key]); raw {
	case "", "null", `""`, "0", "false", "{}", "[]":
	default:
		o.found.warn(o.at(key), text)
	}
}

// rest warns of every key that nobody asked for.
func (o *object) rest() {
	for _, key := range slices.Sorted(maps.Keys(o.fields)) {
		if !o.asked[key] {
			o.found.warn(o.at(key), "unknown key, it is ignored; check its spelling")
		}
	}
}

// result is the warnings, by path, and every problem.
func (o *object) result() ([]Warning, error) {
	slices.SortStableFunc(o.found.warnings, func(a, b Warning) int { return strings.Compare(a.Path, b.Path) })
	return o.found.warnings, errors.Join(o.found.problems...)
}
