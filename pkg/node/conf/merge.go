package conf

import (
	"encoding/json"
	"fmt"
)

// Merge returns base changed by patch, a JSON merge patch (RFC 7396): keys of objects are merged, null deletes a key, and
// everything else, arrays too, replaces. Both must be JSON objects; name says in errors which one the patch is.
func Merge(name string, base, patch []byte) ([]byte, error) {
	under, err := decode("eni_conf", base)
	if err != nil {
		return nil, err
	}
	over, err := decode(name, patch)
	if err != nil {
		return nil, err
	}
	return json.Marshal(merge(under, over))
}

func merge(base, patch map[string]json.RawMessage) map[string]json.RawMessage {
	if base == nil {
		base = map[string]json.RawMessage{}
	}
	for key, value := range patch {
		if string(value) == "null" {
			delete(base, key)
			continue
		}
		base[key] = mergeValue(base[key], value)
	}
	return base
}

// mergeValue is value, merged into base when both are objects. An object's nulls are deleted also where there is no base.
func mergeValue(base, value json.RawMessage) json.RawMessage {
	var over, under map[string]json.RawMessage
	if json.Unmarshal(value, &over) != nil || over == nil {
		return value
	}
	if json.Unmarshal(base, &under) != nil {
		under = nil
	}
	merged, err := json.Marshal(merge(under, over))
	if err != nil {
		panic(fmt.Sprintf("encode what was decoded from JSON: %v", err))
	}
	return merged
}
