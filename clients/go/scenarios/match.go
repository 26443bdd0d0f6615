package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// mismatch says where a value does not match a pattern; empty: it does.
func mismatch(pattern, value any, path string) string {
	switch pattern := pattern.(type) {
	case map[string]any:
		if isOperators(pattern) {
			for name, argument := range pattern {
				if !holds(name, argument, value) {
					return differ(path, pattern, value)
				}
			}
			return ""
		}
		object, isObject := value.(map[string]any)
		if !isObject && !(len(pattern) == 0 && isDefault(value)) {
			return differ(path, pattern, value)
		}
		for key, part := range pattern {
			if problem := mismatch(part, object[key], join(path, key)); problem != "" {
				return problem
			}
		}
		return ""
	case []any:
		list, isList := value.([]any)
		if isList && len(list) == len(pattern) || len(pattern) == 0 && isDefault(value) {
			for at := range pattern {
				if problem := mismatch(pattern[at], list[at], join(path, fmt.Sprint(at))); problem != "" {
					return problem
				}
			}
			return ""
		}
		return differ(path, pattern, value)
	}
	if equal(pattern, value) || isDefault(pattern) && isDefault(value) {
		return ""
	}
	return differ(path, pattern, value)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func differ(path string, pattern, value any) string {
	return fmt.Sprintf("at %s: expected %s, got %s", path, shown(pattern), shown(value))
}

func shown(value any) string {
	text, err := encode(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	if len(text) > 300 {
		return strings.ToValidUTF8(text[:300], "") + "…"
	}
	return text
}

func isOperators(pattern map[string]any) bool {
	for name := range pattern {
		if !strings.HasPrefix(name, "$") {
			return false
		}
	}
	return len(pattern) > 0
}

func holds(name string, argument, value any) bool {
	switch name {
	case "$any":
		return !isDefault(value)
	case "$absent":
		return isDefault(value)
	case "$not":
		return mismatch(argument, value, "") != ""
	case "$match":
		text, isText := value.(string)
		return isText && regexp.MustCompile(argument.(string)).MatchString(text)
	case "$gt", "$gte", "$lt", "$lte":
		left, right := number(value, true), number(argument, false)
		if left == nil || right == nil {
			return false
		}
		order := left.Cmp(right)
		return map[string]bool{"$gt": order > 0, "$gte": order >= 0, "$lt": order < 0, "$lte": order <= 0}[name]
	case "$len":
		want := number(argument, false)
		return want != nil && want.Cmp(big.NewRat(int64(length(value)), 1)) == 0
	case "$contains":
		if part, isText := argument.(string); isText {
			text, _ := value.(string)
			return strings.Contains(text, part)
		}
		list, _ := value.([]any)
		for _, pattern := range argument.([]any) {
			if !slices.ContainsFunc(list, func(item any) bool { return mismatch(pattern, item, "") == "" }) {
				return false
			}
		}
		return true
	case "$each":
		list, isList := value.([]any)
		return (isList || isDefault(value)) &&
			!slices.ContainsFunc(list, func(item any) bool { return mismatch(argument, item, "") != "" })
	case "$keys":
		object, isObject := value.(map[string]any)
		for _, key := range argument.([]any) {
			if _, there := object[key.(string)]; !there {
				return false
			}
		}
		return isObject && len(object) == len(argument.([]any))
	}
	panic("there is no operator " + name)
}

func length(value any) int {
	switch value := value.(type) {
	case string:
		return utf8.RuneCountInString(value)
	case []any:
		return len(value)
	case map[string]any:
		return len(value)
	case nil:
		return 0
	}
	return -1
}

func equal(pattern, value any) bool {
	if left := number(pattern, false); left != nil {
		right := number(value, true)
		return right != nil && left.Cmp(right) == 0
	}
	if text, isText := pattern.(string); isText {
		// The text of a number, where the value is that number.
		if right := number(value, false); right != nil {
			left := number(text, true)
			return left != nil && left.Cmp(right) == 0
		}
	}
	return reflect.DeepEqual(pattern, value)
}

// number reads a number, with texts also the text of one; nil where it is none.
func number(value any, texts bool) *big.Rat {
	var text string
	switch value := value.(type) {
	case json.Number:
		text = string(value)
	case string:
		if !texts {
			return nil
		}
		text = value
	case int, int64, float64:
		text = fmt.Sprint(value)
	default:
		return nil
	}
	found, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil
	}
	return found
}

func isDefault(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case bool:
		return !value
	case string:
		return value == ""
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	}
	found := number(value, false)
	return found != nil && found.Sign() == 0
}
