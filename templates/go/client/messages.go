package wsclient

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
	"unicode/utf8"
)

// Position is where a reader of a stream is. Offsets of different epochs are not comparable.
type Position struct {
	Offset uint64 `json:"offset"`
	Epoch  string `json:"epoch"`
}

// UnmarshalJSON implements json.Unmarshaler: both members have to be there.
func (p *Position) UnmarshalJSON(data []byte) error {
	var given struct {
		Offset *uint64
		Epoch  *string
	}
	if err := json.Unmarshal(data, &given); err != nil {
		return err
	}
	if given.Offset == nil || given.Epoch == nil {
		return errors.New("a position has an offset and an epoch")
	}
	p.Offset, p.Epoch = *given.Offset, *given.Epoch
	return nil
}

// Event is what a stream gives, in order: what its type has, Joined, Recovered or Refused.
type Event interface{ isEvent() }

// Joined says that the server has let the client in, and sends all that comes.
type Joined struct{}

// Recovered comes after a lost connection or a gap, before what was missed. If it is not Complete, a part is lost, and
// what came before has to be replaced by what follows.
type Recovered struct{ Complete bool }

// Refused says that the server has not let the client in, or has put it out.
type Refused struct{ Err *Error }

func (Joined) isEvent()    {}
func (Recovered) isEvent() {}
func (Refused) isEvent()   {}

// #if chat || pubsub

// Ack says that the server has taken a message.
type Ack struct {
	// Offset is 0 if the server keeps no history.
	Offset uint64
	// Duplicate: it had been taken before, and an earlier answer was lost.
	Duplicate bool
}

// #endif
// incoming is a message of the server. What its type does not have is zero.
type incoming struct {
	Type string `json:"type"`
	ID   string `json:"id"`

	Features       []string  `json:"features"`
	PingIntervalMs float64   `json:"pingIntervalMs"`
	TimeoutMs      float64   `json:"timeoutMs"`
	ExpiresAt      time.Time `json:"expiresAt"`

	Code         string   `json:"code"`
	Message      string   `json:"message"`
	RetryAfterMs *float64 `json:"retryAfterMs"`

	Offset    uint64    `json:"offset"`
	Position  *Position `json:"position"`
	Recovered bool      `json:"recovered"`
	// #if chat || pubsub

	Messages  []*incoming `json:"messages"`
	Duplicate bool        `json:"duplicate"`
	From      string      `json:"from"`
	At        time.Time   `json:"at"`
	// #endif
	// #if chat

	Room string `json:"room"`
	Text string `json:"text"`
	// #endif
	// #if presence

	Members []string `json:"members"`
	User    string   `json:"user"`
	// #endif
	// #if pubsub

	Topic string `json:"topic"`
	// #endif
	// #if live

	Document string          `json:"document"`
	Patches  []*incoming     `json:"patches"`
	Patch    json.RawMessage `json:"patch"`
	// #endif
	// #if pubsub || live

	Data json.RawMessage `json:"data"`
	// #endif
}

// parse reads a message of a type that is known; nil and no error for one of another type.
func parse(data []byte, known []string) (*incoming, error) {
	var head struct{ Type *string }
	switch err := json.Unmarshal(data, &head); {
	case err != nil:
		return nil, err
	case head.Type == nil || !utf8.Valid(data):
		return nil, errors.New("not a message")
	case !slices.Contains(known, *head.Type):
		return nil, nil
	}
	message := &incoming{}
	if err := json.Unmarshal(data, message); err != nil {
		return nil, err
	}
	// #if chat || pubsub
	if slices.Contains(message.Messages, nil) {
		return nil, errors.New("not a list of messages")
	}
	// #endif
	// #if live
	if slices.Contains(message.Patches, nil) {
		return nil, errors.New("not a list of patches")
	}
	// #endif
	return message, nil
}

// error is what an error of the server says.
func (m *incoming) error() *Error {
	wait, _ := m.retryAfter()
	return &Error{Code: m.Code, Message: m.Message, RetryAfter: wait}
}

// retryAfter is how long the server asks to wait, if it does.
func (m *incoming) retryAfter() (time.Duration, bool) {
	if m.RetryAfterMs == nil || *m.RetryAfterMs < 0 {
		return 0, false
	}
	return milliseconds(*m.RetryAfterMs), true
}
