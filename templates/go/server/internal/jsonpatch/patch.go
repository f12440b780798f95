// Package jsonpatch changes JSON values (RFC 6902).
package jsonpatch

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"example.com/ws-app/internal/jsonvalue"
)

// Why is what is wrong with a patch.
type Why int

// Invalid is what is no patch, Conflict one that does not apply, TooLarge one that makes too much.
const (
	Invalid Why = iota
	Conflict
	TooLarge
)

// Error is why a patch is refused.
type Error struct {
	Why     Why
	Message string
}

func (e *Error) Error() string { return e.Message }

func conflict(format string, args ...any) *Error {
	return &Error{Conflict, fmt.Sprintf(format, args...)}
}

// Operation is one change (RFC 6902 section 4).
type Operation struct {
	Op, Path string
	// From is of move and copy, Value of add, replace and test.
	From  string
	Value any
}

// Patch is done as a whole or not at all.
type Patch []Operation

// MarshalJSON implements json.Marshaler.
func (o Operation) MarshalJSON() ([]byte, error) {
	members := map[string]any{"op": o.Op, "path": o.Path}
	switch o.Op {
	case "add", "replace", "test":
		members["value"] = o.Value
	case "move", "copy":
		members["from"] = o.From
	}
	return jsonvalue.Encode(members), nil
}

// Check says why value is no document: it has too many levels, or a key to which JavaScript gives another meaning.
func Check(value any) error {
	if err := jsonvalue.Check(value); err != nil {
		return &Error{Invalid, err.Error()}
	}
	if hasProto(value) {
		return &Error{Invalid, `expected no key "__proto__"`}
	}
	return nil
}

func hasProto(value any) bool {
	switch value := value.(type) {
	case []any:
		return slices.ContainsFunc(value, hasProto)
	case map[string]any:
		for key, item := range value {
			if key == "__proto__" || hasProto(item) {
				return true
			}
		}
	}
	return false
}

// Read makes a patch of a value that jsonvalue.Parse has read, of at most limit operations. Members that it does not
// know are left out.
func Read(value any, limit int) (Patch, error) {
	items, isList := value.([]any)
	if !isList {
		return nil, &Error{Invalid, "expected a list of operations"}
	}
	if len(items) > limit {
		return nil, &Error{TooLarge, fmt.Sprintf("expected at most %d operations", limit)}
	}
	patch := make(Patch, len(items))
	for i, item := range items {
		members, isObject := item.(map[string]any)
		if !isObject {
			return nil, &Error{Invalid, fmt.Sprintf("operation %d: expected an object", i)}
		}
		fault := ""
		if patch[i], fault = readOperation(members); fault != "" {
			return nil, &Error{Invalid, fmt.Sprintf("operation %d: %s", i, fault)}
		}
	}
	return patch, nil
}

// readOperation returns what is wrong, or nothing.
func readOperation(members map[string]any) (o Operation, fault string) {
	o.Op, _ = members["op"].(string)
	if o.Path, fault = readPointer(members["path"]); fault != "" {
		return o, "path: " + fault
	}
	switch o.Op {
	case "remove":
	case "add", "replace", "test":
		isThere := false
		if o.Value, isThere = members["value"]; !isThere {
			return o, "value: expected a JSON value"
		}
		if err := Check(o.Value); err != nil {
			return o, "value: " + err.Error()
		}
	case "move", "copy":
		if o.From, fault = readPointer(members["from"]); fault != "" {
			return o, "from: " + fault
		}
	default:
		return o, "op: expected add, remove, replace, move, copy or test"
	}
	return o, ""
}

// pointer is that of RFC 6901 section 3.
var pointer = regexp.MustCompile(`^(?:/(?:[^~]|~[01])*)?$`)

func readPointer(value any) (path, fault string) {
	path, isText := value.(string)
	if !isText || !pointer.MatchString(path) {
		return "", "expected a JSON pointer"
	}
	tokens := tokensOf(path)
	if len(tokens) > jsonvalue.MaxDepth {
		return "", fmt.Sprintf("expected at most %d levels", jsonvalue.MaxDepth)
	}
	if slices.Contains(tokens, "__proto__") {
		return "", `expected no key "__proto__"`
	}
	return path, ""
}

var (
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
)

func tokensOf(path string) []string {
	tokens := strings.Split(path, "/")[1:]
	for i, token := range tokens {
		tokens[i] = unescape.Replace(token)
	}
	return tokens
}

// Changes reports whether the patch does anything but test.
func (p Patch) Changes() bool {
	return slices.ContainsFunc(p, func(o Operation) bool { return o.Op != "test" && (o.Op != "move" || o.From != o.Path) })
}

// Apply is what the patch makes of document, which stays as it is. What it copies has limit bytes at most.
func (p Patch) Apply(document any, limit int) (any, error) {
	edit := editor{own: map[unsafe.Pointer]struct{}{}}
	for _, operation := range p {
		var err error
		if document, err = edit.apply(document, operation, &limit); err != nil {
			return nil, err
		}
	}
	return document, nil
}

// editor changes values. own are the lists and objects that it has made, and that are in one place: what comes
// next may change them. All others are shared with what there was before.
type editor struct{ own map[unsafe.Pointer]struct{} }

func (e *editor) apply(document any, o Operation, limit *int) (any, error) {
	path := tokensOf(o.Path)
	switch o.Op {
	case "add":
		return e.edit(document, path, insert, o.Value)
	case "replace":
		return e.edit(document, path, replace, o.Value)
	case "remove":
		return e.remove(document, path)
	case "test":
		value, err := get(document, path)
		if err == nil && !jsonvalue.Equal(value, o.Value) {
			err = conflict("the test of %q failed", o.Path)
		}
		return document, err
	case "copy":
		value, err := get(document, tokensOf(o.From))
		if err != nil {
			return nil, err
		}
		text := jsonvalue.Encode(value)
		if *limit -= len(text); *limit < 0 {
			return nil, &Error{TooLarge, "the patch copies too much"}
		}
		var copied any
		if err := json.Unmarshal(text, &copied); err != nil {
			return nil, err
		}
		return e.edit(document, path, insert, copied)
	}
	from := tokensOf(o.From)
	value, err := get(document, from)
	if err != nil || o.From == o.Path {
		return document, err
	}
	if strings.HasPrefix(o.Path, o.From+"/") {
		return nil, conflict("nothing is moved into itself")
	}
	if document, err = e.remove(document, from); err != nil {
		return nil, err
	}
	return e.edit(document, path, insert, value)
}

func (e *editor) remove(document any, path []string) (any, error) {
	if len(path) == 0 {
		return nil, conflict("the whole document is not removed")
	}
	return e.edit(document, path, drop, nil)
}

type how int

const (
	insert how = iota
	replace
	drop
)

// edit copies what is on the way to the place of the change, once in a patch.
func (e *editor) edit(container any, path []string, how how, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	token, isHere := path[0], len(path) == 1
	switch container := container.(type) {
	case map[string]any:
		present, isThere := container[token]
		if !isThere && !(isHere && how == insert) {
			break
		}
		if !isHere {
			var err error
			if value, err = e.edit(present, path[1:], how, value); err != nil {
				return nil, err
			}
		}
		if !e.owns(container) {
			container = maps.Clone(container)
			e.keep(container)
		}
		if isHere && how == drop {
			delete(container, token)
		} else {
			container[token] = value
		}
		return container, nil
	case []any:
		index, isIndex := indexOf(container, token, isHere && how == insert)
		if !isIndex {
			break
		}
		if !isHere {
			var err error
			if value, err = e.edit(container[index], path[1:], how, value); err != nil {
				return nil, err
			}
		}
		if !e.owns(container) {
			container = append(make([]any, 0, len(container)+1), container...)
		}
		switch {
		case isHere && how == insert:
			container = slices.Insert(container, index, value)
		case isHere && how == drop:
			container = slices.Delete(container, index, index+1)
		default:
			container[index] = value
		}
		e.keep(container)
		return container, nil
	}
	return nil, conflict("there is no %q", token)
}

func (e *editor) owns(container any) bool {
	_, isOwn := e.own[reflect.ValueOf(container).UnsafePointer()]
	return isOwn
}

func (e *editor) keep(container any) { e.own[reflect.ValueOf(container).UnsafePointer()] = struct{}{} }

func get(value any, path []string) (any, error) {
	for _, token := range path {
		switch container := value.(type) {
		case map[string]any:
			next, isThere := container[token]
			if !isThere {
				return nil, conflict("there is no %q", token)
			}
			value = next
		case []any:
			index, isIndex := indexOf(container, token, false)
			if !isIndex {
				return nil, conflict("there is no %q", token)
			}
			value = container[index]
		default:
			return nil, conflict("there is no %q", token)
		}
	}
	return value, nil
}

// indexOf reads an index; with isNew, one more than there is counts, and "-" means it (RFC 6901 section 4).
func indexOf(list []any, token string, isNew bool) (int, bool) {
	end := len(list)
	if isNew {
		if token == "-" {
			return end, true
		}
		end++
	}
	index, err := strconv.Atoi(token)
	return index, err == nil && index >= 0 && index < end && strconv.Itoa(index) == token
}
