package jsonvalue

import (
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	nested := func(levels int) string { return strings.Repeat("[", levels) + "0" + strings.Repeat("]", levels) }
	for _, text := range []string{nested(64), "1e308", "[null,true,\"\u00e9\"]", ` {"a":1} `} {
		if _, err := Decode([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "{", "{} {}", "undefined", "NaN", "1e400", "\"\xff\"", nested(65), nested(100_000)} {
		if _, err := Decode([]byte(text)); err == nil {
			t.Errorf("%.20q is a value", text)
		}
	}
}
