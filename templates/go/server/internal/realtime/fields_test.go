package realtime

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func find(name []byte) (kind, bool) {
	found, ok := types[string(name)]
	return kind{string(name), found}, ok
}

// types are commands for tests.
var types = map[string]Command{
	"ping": {},
	"say": {Read: func(fields *Fields) Action {
		fields.Name("to")
		fields.Text("text", 1, 4)
		// #if resume
		fields.Position("since")
		// #endif
		return nil
	}},
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"type":"ping"}`:                                        "",
		` {"id":"1","type":"ping"} `:                             "",
		`{"type":"say","to":"a","text":"€€€€"}`:                  "",
		`{"type":"say","to":"a","text":"😀😀"}`:                    "",
		`{"type":"say","to":"a","text":"😀😀😀"}`:                   "bad_message text: expected 1 to 4 characters",
		`{"type":"say","to":"a","text":""}`:                      "bad_message text: expected 1 to 4 characters",
		`{"type":"say","to":"a","text":null}`:                    "bad_message text: expected a string",
		`{"type":"say","to":"a"}`:                                "bad_message text: expected a string",
		`{"type":"say","to":"a\n","text":"x"}`:                   `bad_message to: expected 1 to 64 letters, digits, ".", "_" or "-"`,
		`{"type":"say","to":"a","text":"x","Text":"y"}`:          `bad_message "Text": unknown key`,
		`{"type":"ping","__proto__":1}`:                          `bad_message "__proto__": unknown key`,
		`{"type":"toString"}`:                                    "bad_message type: there is no such command",
		`{"type":"p\u0069ng"}`:                                   "",
		`{"type":["ping"]}`:                                      "bad_message type: expected a string",
		`{"type":"ping","id":""}`:                                "bad_message id: expected 1 to 64 characters",
		`{"type":"ping","id":"` + strings.Repeat("x", 65) + `"}`: "bad_message id: expected 1 to 64 characters",
		`[]`:                              "bad_message expected a JSON object",
		`null`:                            "bad_message type: expected a string",
		``:                                "bad_json expected one JSON object",
		`{"type":"ping"}{}`:               "bad_json expected one JSON object",
		`{"type":"ping"`:                  "bad_json expected one JSON object",
		strings.Repeat(`{"type":`, 30000): "bad_json expected one JSON object",
	} {
		got := ""
		if _, failed := parse([]byte(text), find); failed != nil {
			got = string(failed.code) + " " + failed.message
		}
		if got != want {
			t.Errorf("%.80s: got %q, want %q", text, got, want)
		}
	}
}

// #if resume

func TestPosition(t *testing.T) {
	t.Parallel()
	for since, isRight := range map[string]bool{
		`{"offset":0,"epoch":"x"}`:                true,
		`{"offset":41e0,"epoch":"x"}`:             true,
		`{"offset":9007199254740991,"epoch":"x"}`: true,
		`{"offset":9007199254740992,"epoch":"x"}`: false,
		`{"offset":1e400,"epoch":"x"}`:            false,
		`{"offset":0.5,"epoch":"x"}`:              false,
		`{"offset":-1,"epoch":"x"}`:               false,
		`{"offset":"0","epoch":"x"}`:              false,
		`{"offset":0}`:                            false,
		`{"epoch":"x"}`:                           false,
		`{"offset":0,"epoch":1}`:                  false,
		`{"offset":0,"epoch":"x","admin":true}`:   false,
		`null`:                                    false,
		`"1"`:                                     false,
	} {
		text := `{"type":"say","to":"a","text":"x","since":` + since + `}`
		if _, failed := parse([]byte(text), find); (failed == nil) != isRight {
			t.Errorf("%s: got %v", since, failed)
		}
	}
}

// #endif

func FuzzPong(f *testing.F) {
	for _, id := range []string{"", "a-1", `"\`, "\n", "é"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		type plain struct{ Head }
		want := JSON(plain{Head{"pong", id}})
		if got := JSON(pong{Head{"pong", id}}); utf8.ValidString(id) && !bytes.Equal(got, want) {
			// It may write the line separators of JavaScript as they are.
			if !strings.ContainsAny(id, "\u2028\u2029") {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
}

// What is taken apart without encoding/json has to be what that makes of it.
func FuzzFields(f *testing.F) {
	for _, text := range []string{
		`{}`, ` {"a":1 , "b" :"x","c":null}\n`, `{"a":[{"b":"]}"},2],"c":{"d":"\""}}`, `{"a":1,"a":2}`, `{"\u0061":1}`,
		`{"a":1}1`, `{"a"1}`, `{"a":}`, `{"a":"\x"}`, `{"a":"` + "\n" + `"}`, `{"a":[}`, `{"a":01}`, `{"a":nul}`, `{"a":1,}`, `{,}`,
		`{"a":"b`, `{"a":["b`, `{"a":[1`, `{"a":1`, `{"a":`, `{"a"`, `{"`, `{`, ``, `[]`, `{"a":"\`, `{"a":{"b":1}]}`, `{"a":"é\u2028"}`,
		`{"` + strings.Repeat(`x":1,"`, 20) + `":1}`,
		// One level more than encoding/json reads.
		`{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		fields := &Fields{}
		if !fields.scan([]byte(text)) {
			return
		}
		var values map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &values); err != nil {
			t.Fatal(err)
		}
		for name, value := range values {
			if got := fields.Raw(name); !bytes.Equal(got, value) {
				t.Errorf("%q: got %s, want %s", name, got, value)
			}
		}
		if fields.refuseOthers(); fields.fault != "" {
			t.Error(fields.fault)
		}
	})
}

func TestPlainFieldsAreScanned(t *testing.T) {
	t.Parallel()
	text := ` { "type" : "publish", "id":"1","data":{"a":[1,"]\""]},"rest":"\n", "n":-1e3,"is":true}`
	fields := &Fields{}
	if !fields.scan([]byte(text)) || len(fields.values) != 6 {
		t.Fatalf("got %d fields", len(fields.values))
	}
	if got, ok := fields.text("rest"); got != "\n" || !ok {
		t.Errorf("got %q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"type":"say","id":"1","to":"a","text":"x","since":{"offset":1,"epoch":"x"}}`)
	f.Fuzz(func(_ *testing.T, text string) { parse([]byte(text), find) })
}
