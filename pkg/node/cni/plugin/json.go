package plugin

import "unicode/utf8"

// Every function in this file but appendQuoted runs without Go's runtime; see the package's comment.

// findString writes the string under key at the top of a JSON object into to, the last where there are several, and returns how
// many bytes it has, 0 where there is none; what does not fit is counted only. Of a text that is not JSON it finds anything; the
// daemon judges the text. key is shorter than 16 bytes.
//
//go:nosplit
func findString(text []byte, key string, to []byte) (size int) {
	depth := 0
	for i := 0; i < len(text); {
		switch text[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			var name [16]byte
			var n int
			n, i = unquote(text, i+1, name[:])
			if at := blank(text, i); depth == 1 && n == len(key) && string(name[:n]) == key && at < len(text) && text[at] == ':' {
				size = 0
				if i = blank(text, at+1); i < len(text) && text[i] == '"' {
					size, i = unquote(text, i+1, to)
				}
			}
			continue
		}
		i++
	}
	return size
}

// blank is the place of the first byte from i on that is no white space.
//
//go:nosplit
func blank(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}

// unquote reads the string whose opening quote is before i into to, and returns its size and the place behind its closing quote.
//
//go:nosplit
func unquote(text []byte, i int, to []byte) (size, after int) {
	for i < len(text) && text[i] != '"' {
		if text[i] != '\\' || i+1 == len(text) {
			size = putByte(to, size, text[i])
			i++
			continue
		}
		var r rune
		r, i = escaped(text, i+1)
		size = putRune(to, size, r)
	}
	return size, i + 1
}

//go:nosplit
func putByte(to []byte, at int, b byte) (after int) {
	if at < len(to) {
		to[at] = b
	}
	return at + 1
}

// putRune is UTF-8 (RFC 3629), U+FFFD for half of a pair.
//
//go:nosplit
func putRune(to []byte, at int, r rune) (after int) {
	if r >= 0xd800 && r < 0xe000 {
		r = utf8.RuneError
	}
	switch {
	case r < 0x80:
		return putByte(to, at, byte(r))
	case r < 0x800:
		at = putByte(to, at, 0xc0|byte(r>>6))
	case r < 0x10000:
		at = putByte(to, at, 0xe0|byte(r>>12))
		at = putByte(to, at, 0x80|byte(r>>6)&0x3f)
	default:
		at = putByte(to, at, 0xf0|byte(r>>18))
		at = putByte(to, at, 0x80|byte(r>>12)&0x3f)
		at = putByte(to, at, 0x80|byte(r>>6)&0x3f)
	}
	return putByte(to, at, 0x80|byte(r)&0x3f)
}

// escaped is the character whose escape's letter is at i.
//
//go:nosplit
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
//
//go:nosplit
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

//go:nosplit
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
