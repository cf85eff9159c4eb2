package addon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// object is a JSON object whose members keep their order and text: people edit eni_conf, and find it again as they left it.
type object []member

type member struct {
	key string
	raw json.RawMessage
}

func parseObject(text string) (object, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, fmt.Errorf("not a JSON object")
	}
	var o object
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return nil, err
		}
		o.set(key.(string), raw)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	if decoder.More() {
		return nil, fmt.Errorf("text after the JSON object")
	}
	return o, nil
}

func (o object) get(key string) json.RawMessage {
	for _, m := range o {
		if m.key == key {
			return m.raw
		}
	}
	return nil
}

func (o *object) set(key string, raw json.RawMessage) {
	for i := range *o {
		if (*o)[i].key == key {
			(*o)[i].raw = raw
			return
		}
	}
	*o = append(*o, member{key, raw})
}

// String prints one member a line, values compact.
func (o object) String() string {
	var b strings.Builder
	b.WriteString("{\n")
	for i, m := range o {
		var value bytes.Buffer
		if json.Compact(&value, m.raw) != nil {
			value.Write(m.raw)
		}
		fmt.Fprintf(&b, "  %s: %s", quoted(m.key), value.String())
		if i < len(o)-1 {
			b.WriteString(",")
		}
		b.WriteString("\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// quoted is a value as JSON; the values here are strings, and maps and lists of them.
func quoted(value any) json.RawMessage {
	raw, err := json.Marshal(value)
	if err != nil {
		panic("encode " + fmt.Sprint(value) + ": " + err.Error())
	}
	return raw
}
