package execsvc

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Problem is one thing that is wrong with a request or a definition.
type Problem struct {
	// Path says where, for example "definition.nodes[3].config.expression".
	Path string
	// Reason is the stable name of the kind of problem, UPPER_SNAKE_CASE.
	Reason string
	// Message says what is wrong and what would be right, for people.
	Message string
}

// String returns the message with its path.
func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// problems gathers everything that is wrong in one conversion, so that all of it is reported at once.
type problems struct{ found []Problem }

func (p *problems) add(path, reason, format string, arguments ...any) {
	p.found = append(p.found, Problem{Path: path, Reason: reason, Message: fmt.Sprintf(format, arguments...)})
}

func (p *problems) wrongType(path, wanted string, value any) {
	p.add(path, "WRONG_TYPE", "expected %s, got %s", wanted, describe(value))
}

// describe returns how people call the type of a JSON value.
func describe(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case json.Number:
		return "a number"
	}
	switch kind := reflect.TypeOf(value); kind.Kind() {
	case reflect.Bool:
		return "a boolean"
	case reflect.String:
		return "a string"
	case reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		return "a list"
	default:
		if kind.Kind() >= reflect.Int && kind.Kind() <= reflect.Float64 {
			return "a number"
		}
		return "a " + kind.String()
	}
}

// member returns the path of one field of an object.
func member(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// short cuts a value for a message.
func short(value any) string {
	text := strings.ToValidUTF8(fmt.Sprint(value), "�")
	if letters := []rune(text); len(letters) > 80 {
		return string(letters[:80]) + "…"
	}
	return text
}
