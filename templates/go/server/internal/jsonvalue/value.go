// Package jsonvalue reads, writes and compares any JSON.
package jsonvalue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// MaxDepth is the levels of arrays and objects in each other.
const MaxDepth = 64

// Parse reads one value: nil, bool, float64, string, []any or map[string]any.
func Parse(text []byte) (value any, err error) {
	if !utf8.Valid(text) || json.Unmarshal(text, &value) != nil {
		return nil, errors.New("expected JSON in UTF-8, and numbers that a double can hold")
	}
	return value, nil
}

// Decode is Parse of a value that can be passed on.
func Decode(text []byte) (any, error) {
	value, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return value, Check(value)
}

// Check says why a value cannot be passed on: what reads or writes it needs as many calls as it has levels.
func Check(value any) error { return check(value, MaxDepth) }

func check(value any, levels int) error {
	var items []any
	switch value := value.(type) {
	case []any:
		items = value
	case map[string]any:
		items = slices.AppendSeq(items, maps.Values(value))
	default:
		return nil
	}
	if levels == 0 {
		return fmt.Errorf("expected at most %d levels", MaxDepth)
	}
	for _, item := range items {
		if err := check(item, levels-1); err != nil {
			return err
		}
	}
	return nil
}

// Encode writes a value that Parse could have read; < and > stay as they are.
func Encode(value any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	// Such a value has nothing that JSON lacks.
	_ = encoder.Encode(value)
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
}

// Equal compares by RFC 6902 section 4.6: members in any order.
func Equal(a, b any) bool {
	switch a := a.(type) {
	case []any:
		b, isList := b.([]any)
		if !isList || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !Equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, isObject := b.(map[string]any)
		if !isObject || len(a) != len(b) {
			return false
		}
		for key, value := range a {
			if other, isThere := b[key]; !isThere || !Equal(value, other) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case []any, map[string]any:
		return false
	}
	return a == b
}
