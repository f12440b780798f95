package realtime

// #if auth

import "time"

// #endif

// Code says why a command was refused.
type Code string

// Codes of errors that all servers have.
const (
	BadJSON     Code = "bad_json"
	BadMessage  Code = "bad_message"
	RateLimited Code = "rate_limited"
	Forbidden   Code = "forbidden"
)

// #if auth

// Codes of errors about tokens.
const (
	NotAuthenticated Code = "not_authenticated"
	BadToken         Code = "bad_token"
)

// #endif
// #if auth || redis

// Unavailable is the code of what cannot be asked at the moment.
const Unavailable Code = "unavailable"

// #endif

// Position is how far the messages of what clients share have come; offsets of different epochs are not
// comparable.
type Position struct {
	Offset int64  `json:"offset"`
	Epoch  string `json:"epoch"`
}

// Head is what all messages begin with. A reply has the id of its command, an event has none.
type Head struct {
	Type string `json:"type"`
	ID   string `json:"id,omitempty"`
}

func (h Head) kind() string { return h.Type }

// Outgoing is a message as a struct that embeds Head.
type Outgoing interface{ kind() string }

type welcome struct {
	Head
	Client         string   `json:"client"`
	User           string   `json:"user"`
	PingIntervalMS int64    `json:"pingIntervalMs"`
	Features       []string `json:"features"`
	// #if auth
	// ExpiresAt is when the token expires.
	ExpiresAt string `json:"expiresAt"`
	// #endif
}

// #if auth

type authRequired struct {
	Head
	TimeoutMS int64 `json:"timeoutMs"`
}

type authenticated struct {
	Head
	ExpiresAt string `json:"expiresAt"`
}

type tokenExpiring struct {
	Head
	ExpiresInMS int64 `json:"expiresInMs"`
}

// timestamp is as in RFC 3339, in UTC with milliseconds.
func timestamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// #endif

type pong struct{ Head }

// appendJSON does what encoding/json would, without reflection: nothing is sent as often.
func (p pong) appendJSON(to []byte) []byte {
	to = append(to, `{"type":"pong"`...)
	if p.ID != "" {
		to = appendString(append(to, `,"id":`...), p.ID)
	}
	return append(to, '}')
}

// appendString appends a text that is UTF-8 as JSON.
func appendString(to []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			return append(to, JSON(text)...)
		}
	}
	return append(append(append(to, '"'), text...), '"')
}

type errorMessage struct {
	Head
	Code         Code   `json:"code"`
	Message      string `json:"message"`
	RetryAfterMS int64  `json:"retryAfterMs,omitempty"`
}

type draining struct {
	Head
	RetryAfterMS int64 `json:"retryAfterMs"`
}

// failure is why a command was refused.
type failure struct {
	id      string
	code    Code
	message string
}
