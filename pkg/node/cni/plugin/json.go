package plugin

import "unicode/utf8"

// topString is the string under key at the top of a JSON object, the last where there are several, "" where there is none.
// Of a text that is not JSON it returns anything; the daemon judges the text.
func topString(text []byte, key string) (value string) {
	depth := 0
	for i := 0; i < len(text); {
		switch text[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			var name string
			name, i = unquote(text, i+1)
			if at := blank(text, i); depth == 1 && name == key && at < len(text) && text[at] == ':' {
				value = ""
				if i = blank(text, at+1); i < len(text) && text[i] == '"' {
					value, i = unquote(text, i+1)
				}
			}
			continue
		}
		i++
	}
	return value
}

// blank is the place of the first byte from i on that is no white space.
func blank(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}

// unquote reads the string whose opening quote is before i, and returns the place behind its closing one.
func unquote(text []byte, i int) (value string, after int) {
	var b []byte
	for i < len(text) && text[i] != '"' {
		if text[i] != '\\' || i+1 == len(text) {
			b = append(b, text[i])
			i++
			continue
		}
		var r rune
		r, i = escaped(text, i+1)
		b = utf8.AppendRune(b, r)
	}
	return string(b), i + 1
}

// escaped is the character whose escape's letter is at i.
func escaped(text []byte, i int) (r rune, after int) {
	switch text[i] {
	case 'b':
		return '\b', i + 1
	case 'f':
		return '\f', i + 1
	case 'n':
		return '\n', i + 1
	case 'r':
		return '\r', i + 1
	case 't':
		return '\t', i + 1
	case 'u':
		return unicode(text, i+1)
	}
	return rune(text[i]), i + 1
}

// unicode is the character whose four hexadecimal digits are at i, or twice four when it has two halves (RFC 8259, section 7).
func unicode(text []byte, i int) (r rune, after int) {
	r, i = hex4(text, i)
	if r < 0xd800 || r >= 0xdc00 || i+1 >= len(text) || text[i] != '\\' || text[i+1] != 'u' {
		return r, i
	}
	low, after := hex4(text, i+2)
	if low < 0xdc00 || low >= 0xe000 {
		return utf8.RuneError, i
	}
	return 0x10000 + (r-0xd800)<<10 + (low - 0xdc00), after
}

func hex4(text []byte, i int) (r rune, after int) {
	for after = i; after < min(i+4, len(text)); after++ {
		c := text[after]
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return utf8.RuneError, after
		}
	}
	return r, after
}

// appendQuoted appends text as a JSON string.
func appendQuoted(b []byte, text string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range text { // what is not UTF-8 becomes U+FFFD
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
