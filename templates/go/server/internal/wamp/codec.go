package wamp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"example.com/ws-app/internal/protocol"
)

// Codes of messages.
const (
	hello        = 1
	welcome      = 2
	abort        = 3
	challenge    = 4
	authenticate = 5
	goodbye      = 6
	errorCode    = 8
	publish      = 16
	published    = 17
	subscribe    = 32
	subscribed   = 33
	unsubscribe  = 34
	unsubscribed = 35
	event        = 36
	call         = 48
	cancel       = 49
	result       = 50
	register     = 64
	registered   = 65
	unregister   = 66
	unregistered = 67
	invocation   = 68
	interrupt    = 69
	yield        = 70
)

// names are those of messages, for metrics.
var names = map[int]string{
	hello: "hello", welcome: "welcome", abort: "abort", challenge: "challenge", authenticate: "authenticate",
	goodbye: "goodbye", errorCode: "error", publish: "publish", published: "published", subscribe: "subscribe",
	subscribed: "subscribed", unsubscribe: "unsubscribe", unsubscribed: "unsubscribed", event: "event",
	call: "call", cancel: "cancel", result: "result", register: "register", registered: "registered",
	unregister: "unregister", unregistered: "unregistered", invocation: "invocation", interrupt: "interrupt",
	yield: "yield",
}

// forms are the messages that a client may send, and what they consist of: i id, s string, d dictionary, c code of
// a message; + arguments and keyword arguments, which may be left out.
var forms = map[int]string{
	hello: "sd", abort: "ds", authenticate: "sd", goodbye: "ds", errorCode: "cids+", publish: "ids+",
	subscribe: "ids", unsubscribe: "ii", call: "ids+", cancel: "id", register: "ids", unregister: "ii",
	yield: "id+",
}

const (
	// maxID is the largest id.
	maxID = 1 << 53
	// maxDepth is the levels of lists and dictionaries in each other.
	maxDepth = 64
	// longNumber has more digits than any double needs.
	longNumber = 300
)

// violation is what a peer did that ends its session with ABORT.
type violation string

func (v violation) Error() string { return string(v) }

// refusal is why a request is answered with ERROR.
type refusal struct{ uri, message string }

func (r *refusal) Error() string { return r.message }

// dict is a dictionary of a client.
type dict = map[string]any

// payload is arguments and keyword arguments as they came; nil: none.
type payload struct{ args, kwargs json.RawMessage }

// message is what a client sent.
type message struct {
	code int
	// of is the kind of request that an ERROR answers.
	of int
	// id is the first, other the second.
	id, other uint64
	// text is its URI, or the signature of AUTHENTICATE.
	text    string
	options dict
	payload payload
}

// decode reads a message that a client may send.
func decode(text []byte) (message, error) {
	var m message
	var items []json.RawMessage
	if !json.Valid(text) {
		return m, violation("expected JSON")
	}
	if err := json.Unmarshal(text, &items); err != nil || len(items) == 0 {
		return m, violation("expected an array")
	}
	code, ok := integer(items[0])
	form := forms[code]
	if !ok || form == "" {
		return m, violation("expected the code of a message for a router")
	}
	m.code = code
	items = items[1:]
	most := len(form)
	if form[len(form)-1] == '+' {
		form = form[:len(form)-1]
		most = len(form) + 2
	}
	if len(items) < len(form) || len(items) > most {
		return m, violation(fmt.Sprintf("%s: %d elements", names[code], len(items)+1))
	}
	for i, item := range items {
		kind := byte('l')
		if i < len(form) {
			kind = form[i]
		} else if i > len(form) {
			kind = 'k'
		}
		if fault := m.take(kind, item); fault != "" {
			return m, violation(fmt.Sprintf("%s[%d]: %s", names[code], i+1, fault))
		}
	}
	return m, nil
}

// take reads an element of a message. It returns what is wrong.
func (m *message) take(kind byte, item json.RawMessage) string {
	switch kind {
	case 'i':
		id, ok := idOf(item)
		if !ok {
			return "expected an id, 1 to 2^53"
		}
		if m.id == 0 {
			m.id = id
		} else {
			m.other = id
		}
	case 'c':
		code, ok := integer(item)
		if !ok {
			return "expected a code"
		}
		m.of = code
	case 's':
		if item[0] != '"' || json.Unmarshal(item, &m.text) != nil {
			return "expected a string"
		}
	case 'l':
		if item[0] != '[' {
			return "expected a list"
		}
		m.payload.args = item
		return faultOf(item)
	default:
		if item[0] != '{' {
			return "expected a dictionary"
		}
		if fault := faultOf(item); fault != "" {
			return fault
		}
		if kind == 'k' {
			m.payload.kwargs = item
		} else if len(item) > len("{}") {
			// Its numbers have been checked.
			_ = json.Unmarshal(item, &m.options)
		}
	}
	return ""
}

// integer reads one, in whatever way JSON writes it.
func integer(item json.RawMessage) (int, bool) {
	number, err := strconv.ParseFloat(string(item), 64)
	if err != nil || number != math.Trunc(number) || math.Abs(number) > maxID {
		return 0, false
	}
	return int(number), true
}

func idOf(item json.RawMessage) (uint64, bool) {
	id, err := strconv.ParseUint(string(item), 10, 64)
	if err != nil {
		number, ok := integer(item)
		if !ok || number < 0 {
			return 0, false
		}
		id = uint64(number)
	}
	return id, id >= 1 && id <= maxID
}

// faultOf is why JSON cannot be passed on: what reads it needs as many calls as it has levels, and holds numbers
// as doubles.
func faultOf(text []byte) string {
	levels := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '[' || c == '{':
			if levels++; levels > maxDepth {
				return fmt.Sprintf("expected at most %d levels", maxDepth)
			}
		case c == ']' || c == '}':
			levels--
		case c == '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case c >= '0' && c <= '9':
			end := i
			for end < len(text) && bytes.IndexByte([]byte("0123456789.eE+-"), text[end]) >= 0 {
				end++
			}
			number := text[i:end]
			if len(number) > longNumber || bytes.ContainsAny(number, "eE") {
				if _, err := strconv.ParseFloat(string(number), 64); err != nil {
					return "expected numbers that a double can hold"
				}
			}
			i = end - 1
		}
	}
	return ""
}

// encode writes a value as JSON; < and > stay as they are.
func encode(value any) (json.RawMessage, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// quoted is a text as JSON.
func quoted(text string) json.RawMessage {
	made, _ := encode(text)
	return made
}

// object is details as JSON; they hold nothing that JSON lacks.
func object(details dict) json.RawMessage {
	if len(details) == 0 {
		return json.RawMessage("{}")
	}
	made, _ := encode(details)
	return made
}

// payloadOf is values as a payload.
func payloadOf(args []any, kwargs map[string]any) (made payload, err error) {
	if len(args) > 0 || kwargs != nil {
		if args == nil {
			args = []any{}
		}
		if made.args, err = encode(args); err != nil {
			return payload{}, err
		}
	}
	if kwargs != nil {
		if made.kwargs, err = encode(kwargs); err != nil {
			return payload{}, err
		}
	}
	return made, nil
}

// write is a message of a code, ids and JSON, and what it carries.
func write(code int, ids []uint64, parts []json.RawMessage, carried payload) *protocol.Message {
	size := len(carried.args) + len(carried.kwargs) + 64
	for _, part := range parts {
		size += len(part)
	}
	text := append(make([]byte, 0, size), '[')
	text = strconv.AppendInt(text, int64(code), 10)
	for _, id := range ids {
		text = append(text, ',')
		text = strconv.AppendUint(text, id, 10)
	}
	parts = append(parts, carried.args, carried.kwargs)
	for _, part := range parts {
		if part != nil {
			text = append(text, ',')
			text = append(text, part...)
		}
	}
	return protocol.NewMessage(names[code], append(text, ']'))
}
