package wsclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Operation is one of the six of JSON Patch (RFC 6902), before it is known to be one.
type Operation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	From  string          `json:"from,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

// Apply is the document after all of the patch, or an error. The given one is left as it is, and both share what did not
// change.
func Apply(document any, patch []Operation) (any, error) {
	for _, operation := range patch {
		var err error
		if document, err = operation.apply(document); err != nil {
			return nil, err
		}
	}
	return document, nil
}

func (o Operation) apply(document any) (any, error) {
	path, err := pathOf(o.Path)
	if err != nil {
		return nil, err
	}
	switch o.Op {
	case "add", "replace", "test":
		var value any
		if err := json.Unmarshal(o.Value, &value); err != nil {
			return nil, fmt.Errorf("the value of %s: %w", o.Op, err)
		}
		if o.Op != "test" {
			return edit(document, path, how(o.Op), value)
		}
		present, err := find(document, path)
		if err == nil && !reflect.DeepEqual(present, value) {
			err = fmt.Errorf("the test of %q failed", o.Path)
		}
		return document, err
	case "remove":
		return edit(document, path, remove, nil)
	case "move", "copy":
		from, err := pathOf(o.From)
		if err != nil {
			return nil, err
		}
		value, err := find(document, from)
		switch {
		case err != nil || o.Op == "move" && o.From == o.Path:
			return document, err
		case o.Op == "copy":
			return edit(document, path, add, value)
		case strings.HasPrefix(o.Path, o.From+"/"):
			return nil, errors.New("a value cannot be moved into itself")
		}
		if document, err = edit(document, from, remove, nil); err != nil {
			return nil, err
		}
		return edit(document, path, add, value)
	}
	return nil, fmt.Errorf("there is no operation %q", o.Op)
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// pathOf reads a JSON pointer (RFC 6901).
func pathOf(pointer string) ([]string, error) {
	if pointer == "" {
		return nil, nil
	}
	rest, isPointer := strings.CutPrefix(pointer, "/")
	escapes := strings.Count(rest, "~0") + strings.Count(rest, "~1")
	if !isPointer || strings.Count(rest, "~") != escapes {
		return nil, fmt.Errorf("%q is not a JSON pointer", pointer)
	}
	keys := strings.Split(rest, "/")
	for i, key := range keys {
		keys[i] = unescape.Replace(key)
	}
	return keys, nil
}

func find(value any, path []string) (any, error) {
	for _, key := range path {
		var err error
		if value, err = child(value, key); err != nil {
			return nil, err
		}
	}
	return value, nil
}

func child(parent any, key string) (any, error) {
	switch parent := parent.(type) {
	case map[string]any:
		if value, isThere := parent[key]; isThere {
			return value, nil
		}
	case []any:
		if at, err := indexOf(key, len(parent)); err == nil {
			return parent[at], nil
		}
	}
	return nil, fmt.Errorf("there is no %q", key)
}

// indexOf reads an index below end.
func indexOf(key string, end int) (int, error) {
	at, err := strconv.Atoi(key)
	if err != nil || at < 0 || at >= end || strconv.Itoa(at) != key {
		return 0, fmt.Errorf("there is no index %q", key)
	}
	return at, nil
}

type how string

const (
	add     how = "add"
	replace how = "replace"
	remove  how = "remove"
)

// edit is parent with the change at path, done to copies of what is on the way.
func edit(parent any, path []string, how how, value any) (any, error) {
	if len(path) == 0 {
		if how == remove {
			return nil, errors.New("the whole document cannot be removed")
		}
		return value, nil
	}
	key := path[0]
	isHere := len(path) == 1
	if !isHere || how != add {
		present, err := child(parent, key)
		if err != nil {
			return nil, err
		}
		if !isHere {
			if value, err = edit(present, path[1:], how, value); err != nil {
				return nil, err
			}
			how = replace
		}
	}
	switch parent := parent.(type) {
	case map[string]any:
		changed := maps.Clone(parent)
		if how == remove {
			delete(changed, key)
		} else {
			changed[key] = value
		}
		return changed, nil
	case []any:
		return editList(slices.Clone(parent), key, how, value)
	}
	return nil, fmt.Errorf("nothing can hold %q", key)
}

func editList(list []any, key string, how how, value any) (any, error) {
	end := len(list)
	if how == add {
		if key == "-" {
			return append(list, value), nil
		}
		end++
	}
	at, err := indexOf(key, end)
	if err != nil {
		return nil, err
	}
	switch how {
	case add:
		return slices.Insert(list, at, value), nil
	case remove:
		return slices.Delete(list, at, at+1), nil
	}
	list[at] = value
	return list, nil
}
