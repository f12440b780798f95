package wsclient

import (
	"encoding/json"
	"reflect"
	"testing"
)

// RFC 6902 appendix A and what it leaves open; no result: the patch is refused.
func TestApply(t *testing.T) {
	for _, one := range []struct{ document, patch, result string }{
		{`{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux"}]`, `{"baz":"qux","foo":"bar"}`},
		{`{"foo":["bar","baz"]}`, `[{"op":"add","path":"/foo/1","value":"q"}]`, `{"foo":["bar","q","baz"]}`},
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
		{`{"a":{"b":[{"c":1}]}}`, `[{"op":"add","path":"/a/b/0/d","value":2}]`, `{"a":{"b":[{"c":1,"d":2}]}}`},
		{`{"a":1}`, `[{"op":"add","path":"/b","value":1},{"op":"remove","path":"/c"}]`, ``},
		{`{"a":1}`, `[{"op":"test","path":"/a","value":"1"}]`, ``},
		{`{"a":1}`, `[{"op":"remove","path":""}]`, ``},
		{`{"a":1}`, `[{"op":"replace","path":"/b","value":1}]`, ``},
		{`{"a":1}`, `[{"op":"add","path":"/a/b","value":1}]`, ``},
		{`{"a":1}`, `[{"op":"add","path":"b","value":1}]`, ``},
		{`{"a":1}`, `[{"op":"add","path":"/~2","value":1}]`, ``},
		{`{"a":1}`, `[{"op":"add","path":"/b"}]`, ``},
		{`{"a":1}`, `[{"op":"poke","path":"/a"}]`, ``},
		{`{"a":[1,2]}`, `[{"op":"add","path":"/a/3","value":1}]`, ``},
		{`{"a":[1,2]}`, `[{"op":"add","path":"/a/01","value":1}]`, ``},
		{`{"a":[1,2]}`, `[{"op":"remove","path":"/a/-"}]`, ``},
		{`{"a":{}}`, `[{"op":"move","from":"/a","path":"/a/b"}]`, ``},
	} {
		var document, before, expected any
		var patch []Operation
		for text, target := range map[string]any{one.patch: &patch, one.result: &expected} {
			if err := json.Unmarshal([]byte(text), target); err != nil && text != "" {
				t.Fatal(err)
			}
		}
		_, _ = json.Unmarshal([]byte(one.document), &document), json.Unmarshal([]byte(one.document), &before)
		result, err := Apply(document, patch)
		if (err != nil) != (one.result == "") || !reflect.DeepEqual(result, expected) {
			t.Errorf("%s %s: %v, %v", one.document, one.patch, result, err)
		}
		if !reflect.DeepEqual(document, before) {
			t.Errorf("%s has changed %s", one.patch, one.document)
		}
	}
}
