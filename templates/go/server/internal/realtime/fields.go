package realtime

import (
	"encoding/json"
	"errors"
	"fmt"
	// #if resume
	"math"
	// #endif
	"strconv"
	"unicode/utf16"
	// #if auth || pubsub
	"unicode/utf8"
	// #endif
)

// #if applications

// maxID is the longest id of a command, in characters.
const maxID = 64

// #endif

// Fields are those of a command that are not read yet, and the first thing that is wrong with them.
type Fields struct {
	values map[string]json.RawMessage
	fault  string
}

// Wrong says what is wrong, as in "expected a name".
func (f *Fields) Wrong(field, what string) {
	if f.fault == "" {
		f.fault = field + ": " + what
	}
}

// Raw takes a field as it is; nil if there is none.
func (f *Fields) Raw(field string) json.RawMessage {
	value := f.values[field]
	delete(f.values, field)
	return value
}

// text takes a field that is a string.
func (f *Fields) text(field string) (text string, ok bool) {
	if raw := f.Raw(field); len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		return text, true
	}
	f.Wrong(field, "expected a string")
	return "", false
}

// Text takes a string of least to most characters, as UTF-16 counts them.
func (f *Fields) Text(field string, least, most int) string {
	text, ok := f.text(field)
	if ok && !hasLength(text, least, most) {
		f.Wrong(field, fmt.Sprintf("expected %d to %d characters", least, most))
	}
	return text
}

func hasLength(text string, least, most int) bool {
	// No character has fewer bytes than UTF-16 has units.
	if len(text) < least || len(text) > 3*most {
		return false
	}
	units := 0
	for _, r := range text {
		units += utf16.RuneLen(r)
	}
	return units >= least && units <= most
}

// Name takes the name of something that clients share.
func (f *Fields) Name(field string) string {
	text, ok := f.text(field)
	if ok && !IsName(text) {
		f.Wrong(field, `expected 1 to 64 letters, digits, ".", "_" or "-"`)
	}
	return text
}

// #if resume

// Position takes a position; nil if there is none.
func (f *Fields) Position(field string) *Position {
	raw := f.Raw(field)
	if raw == nil {
		return nil
	}
	inner := &Fields{}
	if raw[0] != '{' || json.Unmarshal(raw, &inner.values) != nil {
		f.Wrong(field, "expected a position")
		return nil
	}
	position := &Position{Epoch: inner.Text("epoch", 1, maxID)}
	offset, err := strconv.ParseFloat(string(inner.Raw("offset")), 64)
	if err != nil || offset < 0 || offset != math.Trunc(offset) || offset > 1<<53-1 {
		inner.Wrong("offset", "expected an integer of 0 or more")
	}
	position.Offset = int64(offset)
	if inner.refuseOthers(); inner.fault != "" {
		f.Wrong(field, inner.fault)
	}
	return position
}

// #endif

// #if auth || pubsub

// Has reports whether there is a field that was not taken yet.
func (f *Fields) Has(field string) bool {
	_, isThere := f.values[field]
	return isThere
}

// ReadBody takes the fields of a JSON object over HTTP, or says what is wrong with it.
func ReadBody(body []byte, read func(fields *Fields)) error {
	fields := &Fields{}
	if !utf8.Valid(body) || json.Unmarshal(body, &fields.values) != nil || fields.values == nil {
		return errors.New("expected a JSON object in UTF-8")
	}
	read(fields)
	if fields.refuseOthers(); fields.fault != "" {
		return errors.New(fields.fault)
	}
	return nil
}

// #endif

// refuseOthers finds fault with what nobody has taken.
func (f *Fields) refuseOthers() {
	for field := range f.values {
		f.Wrong(strconv.Quote(field), "unknown key")
	}
}

// #if applications

// command is one that is in order.
type command struct {
	kind, id string
	cost     float64
	// act is nil for what every server answers itself.
	act Action
}

// parse reads a command of a type that find finds, or says what is wrong with it.
func parse(data []byte, find func(kind string) (Command, bool)) (command, *failure) {
	fields := &Fields{}
	if err := json.Unmarshal(data, &fields.values); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return command{}, &failure{code: BadJSON, message: "expected one JSON object"}
		}
		return command{}, &failure{code: BadMessage, message: "expected a JSON object"}
	}
	read := command{}
	_, hasID := fields.values["id"]
	if hasID {
		if read.id = fields.Text("id", 1, maxID); fields.fault != "" {
			read.id = ""
		}
	}
	idFault := fields.fault
	fields.fault = ""
	read.kind, _ = fields.text("type")
	kind, isKnown := find(read.kind)
	if fields.fault == "" && !isKnown {
		fields.Wrong("type", "there is no such command")
	}
	if fields.fault == "" {
		read.cost = max(1, kind.Cost)
		if kind.Read != nil {
			read.act = kind.Read(fields)
		}
		fields.refuseOthers()
	}
	if fields.fault == "" {
		fields.fault = idFault
	}
	if fields.fault != "" {
		return read, &failure{id: read.id, code: BadMessage, message: fields.fault}
	}
	return read, nil
}

// #endif
