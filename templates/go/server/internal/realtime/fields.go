package realtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	// #if resume
	"math"
	// #endif
	"slices"
	"strconv"
	// #if applications
	"sync"
	// #endif
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
	values []field
	fault  string
}

// field is a key with its value, both part of the message.
type field struct {
	name  []byte
	value json.RawMessage
}

// scannedFields is the most for which looking through all of them for one is quick.
const scannedFields = 16

// maxLevels is how many objects and arrays may be within each other for encoding/json.
const maxLevels = 10_000

// read takes a JSON object apart, and reports what encoding/json would about another text. Of what comes twice,
// the last counts.
func (f *Fields) read(data []byte) error {
	if f.scan(data) {
		return nil
	}
	f.values = f.values[:0]
	var values map[string]json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil {
		return err
	}
	for name, value := range values {
		f.values = append(f.values, field{[]byte(name), value})
	}
	return nil
}

// scan is read without the reflection of encoding/json, which takes several times as long. It reports false for
// what is no object, and for one that is rare: with many keys, or keys with escapes.
func (f *Fields) scan(data []byte) bool {
	f.values = f.values[:0]
	at := skipSpace(data, 0)
	if at == len(data) || data[at] != '{' {
		return false
	}
	if at = skipSpace(data, at+1); at < len(data) && data[at] == '}' {
		return skipSpace(data, at+1) == len(data)
	}
	for len(f.values) < scannedFields {
		name := at
		end, isPlain := endOfString(data, name)
		if !isPlain {
			return false
		}
		if at = skipSpace(data, end); at == len(data) || data[at] != ':' {
			return false
		}
		value := skipSpace(data, at+1)
		if at = endOfValue(data, value); at < 0 {
			return false
		}
		f.set(data[name+1:end-1], data[value:at])
		if at = skipSpace(data, at); at == len(data) {
			return false
		}
		switch data[at] {
		case '}':
			return skipSpace(data, at+1) == len(data)
		case ',':
			at = skipSpace(data, at+1)
		default:
			return false
		}
	}
	return false
}

func (f *Fields) set(name []byte, value json.RawMessage) {
	for i := range f.values {
		if bytes.Equal(f.values[i].name, name) {
			f.values[i].value = value
			return
		}
	}
	f.values = append(f.values, field{name, value})
}

func skipSpace(data []byte, at int) int {
	for at < len(data) && (data[at] == ' ' || data[at] == '\n' || data[at] == '\r' || data[at] == '\t') {
		at++
	}
	return at
}

// endOfString is where the string at a position ends, -1 if none does; isPlain is whether it is right, and has
// no escapes.
func endOfString(data []byte, at int) (end int, isPlain bool) {
	if at >= len(data) || data[at] != '"' {
		return -1, false
	}
	isPlain = true
	for at++; at < len(data); at++ {
		switch c := data[at]; {
		case c == '"':
			return at + 1, isPlain
		case c == '\\':
			isPlain = false
			at++
		case c < ' ':
			return -1, false
		}
	}
	return -1, false
}

// endOfValue is where the value at a position ends, -1 if it is none.
func endOfValue(data []byte, at int) int {
	if at == len(data) {
		return -1
	}
	end, isPlain := -1, false
	switch data[at] {
	case '"':
		end, isPlain = endOfString(data, at)
	case '{', '[':
		end = endOfNested(data, at)
	default:
		if length := bytes.IndexAny(data[at:], ",}] \t\r\n"); length >= 0 {
			end = at + length
		}
	}
	if end < 0 || !isPlain && !json.Valid(data[at:end]) {
		return -1
	}
	return end
}

// endOfNested is where the array or object at a position ends, -1 if it does not, or is deeper than encoding/json
// reads within an object.
func endOfNested(data []byte, at int) int {
	levels := 0
	for ; at < len(data); at++ {
		switch data[at] {
		case '"':
			end, _ := endOfString(data, at)
			if end < 0 {
				return -1
			}
			at = end - 1
		case '{', '[':
			if levels++; levels == maxLevels {
				return -1
			}
		case '}', ']':
			if levels--; levels == 0 {
				return at + 1
			}
		}
	}
	return -1
}

// Wrong says what is wrong, as in "expected a name".
func (f *Fields) Wrong(field, what string) {
	if f.fault == "" {
		f.fault = field + ": " + what
	}
}

// Raw takes a field as it is; nil if there is none.
func (f *Fields) Raw(field string) json.RawMessage {
	at := f.find(field)
	if at < 0 {
		return nil
	}
	value := f.values[at].value
	f.values = slices.Delete(f.values, at, at+1)
	return value
}

func (f *Fields) find(name string) int {
	for i := range f.values {
		if string(f.values[i].name) == name {
			return i
		}
	}
	return -1
}

// text takes a field that is a string.
func (f *Fields) text(field string) (text string, ok bool) {
	inner, ok := f.octets(field)
	return string(inner), ok
}

// octets takes a field that is a string, as part of the message.
func (f *Fields) octets(field string) ([]byte, bool) {
	if raw := f.Raw(field); len(raw) > 0 && raw[0] == '"' {
		if bytes.IndexByte(raw, '\\') < 0 {
			return raw[1 : len(raw)-1], true
		}
		var text string
		if json.Unmarshal(raw, &text) == nil {
			return []byte(text), true
		}
	}
	f.Wrong(field, "expected a string")
	return nil, false
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
	if raw[0] != '{' || inner.read(raw) != nil {
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
	return f.find(field) >= 0
}

// ReadBody takes the fields of a JSON object over HTTP, or says what is wrong with it.
func ReadBody(body []byte, read func(fields *Fields)) error {
	fields := &Fields{}
	if !utf8.Valid(body) || fields.read(body) != nil || body[skipSpace(body, 0)] != '{' {
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
	for _, other := range f.values {
		f.Wrong(strconv.Quote(string(other.name)), "unknown key")
	}
}

// #if applications

// kind is a type of commands.
type kind struct {
	name string
	Command
}

// command is one that is in order.
type command struct {
	kind, id string
	cost     float64
	// act is nil for what every server answers itself.
	act Action
}

// readers are the Fields of messages of before.
var readers = sync.Pool{New: func() any { return &Fields{} }}

// parse reads a command of a type that find finds, or says what is wrong with it.
func parse(data []byte, find func(name []byte) (kind, bool)) (command, *failure) {
	fields := readers.Get().(*Fields)
	defer fields.giveBack()
	if err := fields.read(data); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return command{}, &failure{code: BadJSON, message: "expected one JSON object"}
		}
		return command{}, &failure{code: BadMessage, message: "expected a JSON object"}
	}
	read := command{}
	if fields.find("id") >= 0 {
		if read.id = fields.Text("id", 1, maxID); fields.fault != "" {
			read.id = ""
		}
	}
	idFault := fields.fault
	fields.fault = ""
	name, _ := fields.octets("type")
	found, isKnown := find(name)
	if fields.fault == "" && !isKnown {
		fields.Wrong("type", "there is no such command")
	}
	if fields.fault == "" {
		read.kind, read.cost = found.name, max(1, found.Cost)
		if found.Read != nil {
			read.act = found.Read(fields)
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

// giveBack lets another message be read; what has grown large is left to the garbage collector.
func (f *Fields) giveBack() {
	if cap(f.values) > scannedFields {
		return
	}
	f.fault = ""
	clear(f.values[:cap(f.values)])
	readers.Put(f)
}

// #endif
