package execsvc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseJSON reads one JSON value with its numbers as they are written. Problems are named by line and column. What
// encoding/json would silently replace (bytes that are no UTF-8, halves of surrogate pairs) is a problem.
func parseJSON(text []byte, name string, problems *problems) (any, bool) {
	if at := invalidUTF8(text); at >= 0 {
		problems.add(fmt.Sprintf("%s:%d", name, line(text, at)), "INVALID_UNICODE",
			"byte %d is not UTF-8; save the file as UTF-8", at)
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax) && strings.Contains(syntax.Error(), "max depth"):
		problems.add(name, "TOO_DEEP", "the JSON is nested too deeply")
	case errors.As(err, &syntax):
		notJSON(text, int(syntax.Offset)-1, name, syntax.Error(), problems)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		notJSON(text, len(text), name, "it ends too early", problems)
	case err != nil:
		problems.add(name, "INVALID_JSON", "not JSON that can be read: %v", err)
	default:
		if rest := bytes.TrimLeft(text[decoder.InputOffset():], " \t\r\n"); len(rest) > 0 {
			notJSON(text, len(text)-len(rest), name, "something follows the value", problems)
		} else if at := loneSurrogate(text); at >= 0 {
			problems.add(place(text, at, name), "INVALID_UNICODE", "half of a surrogate pair, not text")
		} else {
			return value, true
		}
	}
	return nil, false
}

func notJSON(text []byte, at int, name, why string, problems *problems) {
	hint := ""
	if start := bytes.TrimLeft(text, " \t\r\n"); len(start) > 0 && start[0] != '{' {
		hint = "; to read a file, use DefinitionFile"
	}
	problems.add(place(text, at, name), "INVALID_JSON", "not JSON: %s%s", why, hint)
}

// place returns the name with line and column of a byte, both from 1.
func place(text []byte, at int, name string) string {
	at = max(0, min(at, len(text)))
	start := bytes.LastIndexByte(text[:at], '\n') + 1
	return fmt.Sprintf("%s:%d:%d", name, line(text, at), utf8.RuneCount(text[start:at])+1)
}

func line(text []byte, at int) int { return bytes.Count(text[:at], []byte{'\n'}) + 1 }

// invalidUTF8 returns where text stops to be UTF-8; -1 where it does not.
func invalidUTF8(text []byte) int {
	for at := 0; at < len(text); {
		letter, size := utf8.DecodeRune(text[at:])
		if letter == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// loneSurrogate returns where an escape of valid JSON stands for half a character; -1 where none does.
func loneSurrogate(text []byte) int {
	for at := 0; at < len(text); at++ {
		if text[at] != '\\' {
			continue
		}
		unit, found := escaped(text[at:])
		switch {
		case !found:
			at++ // a short escape such as \"
		case unit >= 0xD800 && unit < 0xDC00:
			second, found := escaped(text[at+6:])
			if !found || second < 0xDC00 || second > 0xDFFF {
				return at
			}
			at += 11
		case unit >= 0xDC00 && unit <= 0xDFFF:
			return at
		default:
			at += 5
		}
	}
	return -1
}

// escaped reads \uXXXX at the start of text.
func escaped(text []byte) (unit uint64, found bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 32)
	return unit, err == nil
}

// sortedKeys makes the order of problems the same each time.
func sortedKeys[V any](object map[string]V) []string { return slices.Sorted(maps.Keys(object)) }
