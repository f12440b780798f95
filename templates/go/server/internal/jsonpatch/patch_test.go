package jsonpatch

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/ws-app/internal/jsonvalue"
)

const limit = 10_000

func decode(t *testing.T, text string) any {
	t.Helper()
	value, err := jsonvalue.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

func apply(document any, text string) (any, error) {
	value, err := jsonvalue.Parse([]byte(text))
	if err != nil {
		return nil, &Error{Invalid, err.Error()}
	}
	patch, err := Read(value, 1000)
	if err != nil {
		return nil, err
	}
	return patch.Apply(document, limit)
}

// RFC 6902 appendix A and what it leaves open.
func TestApply(t *testing.T) {
	for _, one := range []struct{ document, patch, result string }{
		{`{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux"}]`, `{"baz":"qux","foo":"bar"}`},
		{`{"foo":["bar","baz"]}`, `[{"op":"add","path":"/foo/1","value":"q"}]`, `{"foo":["bar","q","baz"]}`},
		{`{"baz":"qux","foo":"bar"}`, `[{"op":"remove","path":"/baz"}]`, `{"foo":"bar"}`},
		{`{"foo":[1,2,3]}`, `[{"op":"remove","path":"/foo/1"}]`, `{"foo":[1,3]}`},
		{`{"baz":1,"foo":2}`, `[{"op":"replace","path":"/baz","value":null}]`, `{"baz":null,"foo":2}`},
		{`{"a":{"b":1},"c":{}}`, `[{"op":"move","from":"/a/b","path":"/c/d"}]`, `{"a":{},"c":{"d":1}}`},
		{`{"a":[1,2,3]}`, `[{"op":"move","from":"/a/0","path":"/a/2"}]`, `{"a":[2,3,1]}`},
		{`{"a":1}`, `[{"op":"move","from":"/a","path":"/a"}]`, `{"a":1}`},
		{`{"a":[1]}`, `[{"op":"copy","from":"/a","path":"/a/-"}]`, `{"a":[1,[1]]}`},
		{`{"a":1}`, `[{"op":"test","path":"/a","value":1.0}]`, `{"a":1}`},
		{`{"a":{"b":1,"c":2}}`, `[{"op":"test","path":"/a","value":{"c":2,"b":1}}]`, `{"a":{"b":1,"c":2}}`},
		{`{"a/b":1,"m~n":2}`, `[{"op":"remove","path":"/a~1b"},{"op":"remove","path":"/m~0n"}]`, `{}`},
		{`{"~1":10}`, `[{"op":"test","path":"/~01","value":10}]`, `{"~1":10}`},
		{`{"":1}`, `[{"op":"replace","path":"/","value":2}]`, `{"":2}`},
		{`1`, `[{"op":"replace","path":"","value":[]}]`, `[]`},
		{`{"a":1}`, `[{"op":"add","path":"/b","value":2,"more":3}]`, `{"a":1,"b":2}`},
		{`[1]`, `[{"op":"replace","path":"/0","value":"<&>"}]`, `["<&>"]`},
	} {
		document := decode(t, one.document)
		result, err := apply(document, one.patch)
		if err != nil || string(jsonvalue.Encode(result)) != one.result {
			t.Errorf("%s %s: %s, %v", one.document, one.patch, jsonvalue.Encode(result), err)
		}
		if !jsonvalue.Equal(document, decode(t, one.document)) {
			t.Errorf("%s has changed %s", one.patch, one.document)
		}
	}
}

func TestPatchesAreRefusedWhole(t *testing.T) {
	for _, one := range []struct {
		why             Why
		document, patch string
	}{
		{Conflict, `{"a":1}`, `[{"op":"test","path":"/a","value":"1"}]`},
		{Conflict, `{"a":[1]}`, `[{"op":"test","path":"/a","value":1}]`},
		{Conflict, `{"a":1}`, `[{"op":"remove","path":"/b"}]`},
		{Conflict, `{"a":1}`, `[{"op":"replace","path":"/b","value":1}]`},
		{Conflict, `{"a":1}`, `[{"op":"add","path":"/b/c","value":1}]`},
		{Conflict, `{"a":[1]}`, `[{"op":"add","path":"/a/2","value":1}]`},
		{Conflict, `{"a":[1,2]}`, `[{"op":"add","path":"/a/01","value":1}]`},
		{Conflict, `{"a":[1,2]}`, `[{"op":"add","path":"/a/+1","value":1}]`},
		{Conflict, `{"a":[1]}`, `[{"op":"add","path":"/a/-1","value":1}]`},
		{Conflict, `{"a":[1]}`, `[{"op":"remove","path":"/a/-"}]`},
		{Conflict, `{"a":[1]}`, `[{"op":"remove","path":"/a/length"}]`},
		{Conflict, `{"a":{}}`, `[{"op":"move","from":"/a","path":"/a/b"}]`},
		{Conflict, `{"a":{}}`, `[{"op":"move","from":"/b","path":"/a/b"}]`},
		{Conflict, `{}`, `[{"op":"copy","from":"/toString","path":"/a"}]`},
		{Conflict, `"text"`, `[{"op":"test","path":"/0","value":"t"}]`},
		{Conflict, `{}`, `[{"op":"remove","path":""}]`},
		{Invalid, `{}`, `{}`},
		{Invalid, `{}`, `[null]`},
		{Invalid, `{}`, `[{"op":"add","path":"/a"}]`},
		{Invalid, `{}`, `[{"OP":"add","path":"/a","value":1}]`},
		{Invalid, `{}`, `[{"op":"add","path":"a","value":1}]`},
		{Invalid, `{}`, `[{"op":"add","path":5,"value":1}]`},
		{Invalid, `{}`, `[{"op":"add","path":"/~2","value":1}]`},
		{Invalid, `{}`, `[{"op":"spam","path":"/a"}]`},
		{Invalid, `{}`, `[{"op":"move","path":"/a"}]`},
		{Invalid, `{}`, `[{"op":"add","path":"/__proto__/x","value":1}]`},
		{Invalid, `{}`, `[{"op":"add","path":"/a","value":{"__proto__":{"x":1}}}]`},
		{Invalid, `{}`, `[{"op":"add","path":"` + strings.Repeat("/a", 65) + `","value":1}]`},
		{TooLarge, `{}`, `[` + strings.Repeat(`{"op":"test","path":"","value":{}},`, 1000) + `{}]`},
		{TooLarge, `[1]`, `[` + strings.Repeat(`{"op":"copy","from":"","path":"/-"},`, 39) + `{"op":"copy","from":"","path":"/-"}]`},
	} {
		_, err := apply(decode(t, one.document), one.patch)
		var refused *Error
		if !errors.As(err, &refused) || refused.Why != one.why {
			t.Errorf("%.90s: %v", one.patch, err)
		}
	}
	document := decode(t, `{"a":1,"l":[1]}`)
	_, err := apply(document, `[{"op":"replace","path":"/a","value":2},{"op":"add","path":"/l/-","value":2},{"op":"test","path":"/a","value":1}]`)
	if err == nil || !jsonvalue.Equal(document, decode(t, `{"a":1,"l":[1]}`)) {
		t.Errorf("got %v, %v", document, err)
	}
}

func TestPatchesChangeWhatTheyCopiedInOnePlace(t *testing.T) {
	document := decode(t, `{"a":{"y":1}}`)
	value := decode(t, `[{"op":"add","path":"/a/x","value":[1]},{"op":"copy","from":"/a","path":"/b"},
		{"op":"add","path":"/a/x/-","value":2},{"op":"move","from":"/a","path":"/c"},
		{"op":"add","path":"/c/x/0","value":0},{"op":"remove","path":"/b/y"}]`)
	patch, err := Read(value, 1000)
	if err != nil {
		t.Fatal(err)
	}
	result, err := patch.Apply(document, limit)
	if err != nil || string(jsonvalue.Encode(result)) != `{"b":{"x":[1]},"c":{"x":[0,1,2],"y":1}}` {
		t.Errorf("got %s, %v", jsonvalue.Encode(result), err)
	}
	if string(jsonvalue.Encode(document)) != `{"a":{"y":1}}` || len(patch[0].Value.([]any)) != 1 {
		t.Errorf("changed %s, %v", jsonvalue.Encode(document), patch[0].Value)
	}
}

// Not for each operation as much as for the whole.
func TestPatchesTakeTimeForWhatTheyChange(t *testing.T) {
	object, list := map[string]any{}, make([]any, 30_000)
	var patch Patch
	for i := range list {
		object[fmt.Sprint("k", i)] = 0.0
		if i < 1000 {
			patch = append(patch, Operation{Op: "remove", Path: fmt.Sprint("/o/k", i)}, Operation{Op: "add", Path: "/l/-"})
		}
	}
	document := any(map[string]any{"o": object, "l": list})
	took := func(patch Patch) time.Duration {
		start := time.Now()
		if _, err := patch.Apply(document, limit); err != nil {
			t.Fatal(err)
		}
		return time.Since(start)
	}
	if one, all := took(patch[:2]), took(patch); all > 50*max(one, 5*time.Millisecond) {
		t.Errorf("one change takes %v, a thousand %v", one, all)
	}
}

func TestDifference(t *testing.T) {
	texts := []string{
		`{"a":1,"b":[1,2,3],"c":{"d":null}}`, `{"b":[1,3],"c":{"d":"x","e/~":1}}`, `{"b":[0,1,3,4],"c":[]}`,
		`[]`, `[[1],[2],{"a":1}]`, `[[1],{"a":2}]`, `"text"`, `null`, `[1,2,3,4,5,6,7,8,9]`, `[1,2,4,5,5,6,8,9]`,
	}
	for _, from := range texts {
		for _, to := range texts {
			before, after := decode(t, from), decode(t, to)
			// As it arrives.
			result, err := apply(before, string(jsonvalue.Encode(Difference(before, after, 1000))))
			if err != nil || !jsonvalue.Equal(result, after) {
				t.Errorf("%s to %s: %s, %v", from, to, jsonvalue.Encode(result), err)
			}
		}
	}
	long := func(n float64) any { return map[string]any{"n": n, "text": strings.Repeat("x", 1000)} }
	if text := string(jsonvalue.Encode(Difference(long(1), long(2), 1000))); text != `[{"op":"replace","path":"/n","value":2}]` {
		t.Error(text)
	}
	// Many small changes are one.
	numbers := func(n float64) any {
		list := make([]any, 2000)
		for i := range list {
			list[i] = n
		}
		return list
	}
	if patch := Difference(numbers(0), numbers(1), 1000); len(patch) != 1 {
		t.Errorf("%d operations", len(patch))
	}
}

func TestWhatIsNoDocument(t *testing.T) {
	if Check(decode(t, strings.Repeat("[", 65)+strings.Repeat("]", 65))) == nil {
		t.Error("a document has 65 levels")
	}
	if Check(decode(t, `{"a":[{"__proto__":1}]}`)) == nil || Check(decode(t, `{"a":[{"proto":1}]}`)) != nil {
		t.Error("a document has no key __proto__")
	}
}
