package jsonpatch

import (
	"maps"
	"slices"
	"strconv"

	"example.com/ws-app/internal/jsonvalue"
)

// Difference is a patch that makes after of before, in time that grows with their size, so that it is not the
// shortest one for lists whose middle has moved. Where it would be no shorter than after, or have more than
// limit operations, it replaces the whole.
func Difference(before, after any, limit int) Patch {
	patch := Patch{}
	patch.compare(before, after, "")
	whole := Patch{{Op: "replace", Value: after}}
	if len(patch) > limit || len(jsonvalue.Encode(patch)) >= len(jsonvalue.Encode(whole)) {
		return whole
	}
	return patch
}

func (p *Patch) compare(before, after any, path string) {
	if jsonvalue.Equal(before, after) {
		return
	}
	switch before := before.(type) {
	case []any:
		if after, isList := after.([]any); isList {
			p.compareLists(before, after, path)
			return
		}
	case map[string]any:
		if after, isObject := after.(map[string]any); isObject {
			p.compareObjects(before, after, path)
			return
		}
	}
	*p = append(*p, Operation{Op: "replace", Path: path, Value: after})
}

func (p *Patch) compareObjects(before, after map[string]any, path string) {
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, isThere := after[key]; !isThere {
			*p = append(*p, Operation{Op: "remove", Path: path + "/" + escape.Replace(key)})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(after)) {
		place := path + "/" + escape.Replace(key)
		if present, isThere := before[key]; isThere {
			p.compare(present, after[key], place)
		} else {
			*p = append(*p, Operation{Op: "add", Path: place, Value: after[key]})
		}
	}
}

func (p *Patch) compareLists(before, after []any, path string) {
	shorter := min(len(before), len(after))
	start := 0
	for start < shorter && jsonvalue.Equal(before[start], after[start]) {
		start++
	}
	end := 0
	for end < shorter-start && jsonvalue.Equal(before[len(before)-1-end], after[len(after)-1-end]) {
		end++
	}
	at := func(index int) string { return path + "/" + strconv.Itoa(index) }
	for i := start; i < shorter-end; i++ {
		p.compare(before[i], after[i], at(i))
	}
	for i := len(before) - end - 1; i >= shorter-end; i-- {
		*p = append(*p, Operation{Op: "remove", Path: at(i)})
	}
	for i := shorter - end; i < len(after)-end; i++ {
		*p = append(*p, Operation{Op: "add", Path: at(i), Value: after[i]})
	}
}
