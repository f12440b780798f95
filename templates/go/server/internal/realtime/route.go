package realtime

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	// #if redis
	"errors"
	// #endif
	"log/slog"
	"maps"
	"net/http"
	// #if redis
	"strconv"
	// #endif
	"strings"
	"sync"
	// #if redis
	"time"

	"example.com/ws-app/internal/redislink"
	// #else
	//~
	// #endif
	"example.com/ws-app/internal/websocket"
)

// Route answers HTTP requests that are no handshakes.
type Route struct {
	Method string
	// Path is the whole path, or ends in /* for one segment more, which the request has as its name.
	Path string
	// MaxBody is bytes of the largest body; a larger one gets 413.
	MaxBody int64
	// IsForAnyHost is whether it answers under names that are not in ALLOWED_HOSTS; then it has guards of its own.
	IsForAnyHost bool
	Answer       func(request Request) Answer
}

// Routed is an application or a protocol that answers HTTP requests, too.
type Routed interface {
	Routes() []Route
}

// Request is an HTTP request with its whole body.
type Request struct {
	*http.Request
	Body []byte
	Name string
	Peer Peer
	// IsOwnHost is whether it names this server.
	IsOwnHost bool
}

// Refuse is the answer to a request that the log names as refused.
func (r Request) Refuse(refusal *websocket.Refusal) Answer {
	r.Peer.Log(slog.LevelWarn, "request-refused",
		slog.String("path", r.URL.Path), slog.Int("status", refusal.Status), slog.String("reason", refusal.Reason),
		slog.String("hint", refusal.Hint), slog.String("origin", r.Header.Get("Origin")))
	answer := Problem(refusal.Status, refusal.Reason)
	answer.Header = maps.Clone(refusal.Header)
	return answer
}

// #if pubsub || live

// RefusePublisher says why who sent a request may change nothing; nil if it may.
func (r Request) RefusePublisher(publishToken string) *Answer {
	if publishToken == "" {
		unset := Problem(http.StatusNotFound, "PUBLISH_TOKEN is not set")
		return &unset
	}
	token := Bearer(r.Header)
	if IsSecret(token, publishToken) {
		return nil
	}
	// RFC 6750 section 3: only a token that was sent can be wrong.
	challenge := "Bearer"
	if token != "" {
		challenge = `Bearer error="invalid_token"`
	}
	refused := r.Refuse(&websocket.Refusal{
		Status: http.StatusUnauthorized,
		Reason: `expected PUBLISH_TOKEN as "Authorization: Bearer"`,
		Header: http.Header{"Www-Authenticate": {challenge}},
	})
	return &refused
}

// #endif
// #if pubsub || live || redis

// Failed is the answer to a request that could not be carried out.
func (r Request) Failed(err error) Answer {
	// #if redis
	var full *redislink.FullError
	if errors.As(err, &full) {
		answer := Problem(http.StatusServiceUnavailable, full.Error())
		seconds := (full.RetryAfter + time.Second - 1) / time.Second
		answer.Header = http.Header{"Retry-After": {strconv.Itoa(int(seconds))}}
		return answer
	}
	// #endif
	r.Peer.Log(slog.LevelError, "request-failed", slog.String("path", r.URL.Path), slog.Any("message", err))
	return Problem(http.StatusInternalServerError, "internal error")
}

// #endif

// Answer is what it gets.
type Answer struct {
	Status int
	Header http.Header
	// Body is text if it is a string, and else JSON; nil: none.
	Body any
}

// Problem is an answer that says what is wrong.
func Problem(status int, reason string) Answer {
	return Answer{Status: status, Body: map[string]string{"error": reason}}
}

// Bearer is the token of a request (RFC 9110 section 11.6.2); empty if there is none.
func Bearer(header http.Header) string {
	scheme, token, _ := strings.Cut(header.Get("Authorization"), " ")
	if token = strings.Trim(token, " "); !strings.EqualFold(scheme, "Bearer") || strings.Contains(token, " ") {
		return ""
	}
	return token
}

// IsSecret compares secrets in a time that says nothing about how much of them is right.
func IsSecret(given, secret string) bool {
	one, other := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(one[:], other[:]) == 1
}

// FindRoute finds the route of a request; if none fits, the methods that there are for its path.
func FindRoute(routes []Route, method, path string) (found *Route, name string, allowed []string) {
	for i, route := range routes {
		name := ""
		if prefix, isOpen := strings.CutSuffix(route.Path, "*"); isOpen {
			rest, ok := strings.CutPrefix(path, prefix)
			if !ok || rest == "" || strings.Contains(rest, "/") {
				continue
			}
			name = rest
		} else if route.Path != path {
			continue
		}
		if route.Method == method {
			return &routes[i], name, nil
		}
		allowed = append(allowed, route.Method)
	}
	return nil, "", allowed
}

// JSON is the text of a value, with characters as they are.
func JSON(value any) []byte {
	w := newWriter()
	defer w.giveBack()
	return bytes.Clone(w.write(value))
}

// writer writes values as JSON, one after the other into the same memory.
type writer struct {
	text    bytes.Buffer
	encoder *json.Encoder
}

var writers = sync.Pool{New: func() any {
	w := &writer{}
	w.encoder = json.NewEncoder(&w.text)
	w.encoder.SetEscapeHTML(false)
	return w
}}

func newWriter() *writer { return writers.Get().(*writer) }

// write returns the text of a value, which is valid until the next call.
func (w *writer) write(value any) []byte {
	w.text.Reset()
	// #if applications
	if own, ok := value.(interface{ appendJSON(to []byte) []byte }); ok {
		w.text.Write(own.appendJSON(w.text.AvailableBuffer()))
		return w.text.Bytes()
	}
	// #endif
	if err := w.encoder.Encode(value); err != nil {
		// Only values of this program come here.
		panic(err)
	}
	return bytes.TrimSuffix(w.text.Bytes(), []byte("\n"))
}

// giveBack lets others use it; a large one is left to the garbage collector.
func (w *writer) giveBack() {
	if w.text.Cap() <= 64<<10 {
		writers.Put(w)
	}
}
