// Package jsonrpc is JSON-RPC 2.0 (https://www.jsonrpc.org/specification), a message or a batch in each text message.
package jsonrpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/protocol"
)

// patience is how long the next message waits for a call: what is quick is answered in the order in which it was
// asked, and is never one of those in progress.
const patience = 5 * time.Millisecond

// Error is what a call is answered with that has no result.
type Error struct {
	// Code of -32768 to -32000 is for what the specification and this server define.
	Code    int    `json:"code"`
	Message string `json:"message"`
	// Data is anything that can be JSON; of an error of a client it is json.RawMessage.
	Data any `json:"data,omitempty"`
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// Errors of section 5.1, and those of this server in the range that it leaves for them.
var (
	errParse          = &Error{Code: -32700, Message: "Parse error"}
	errInvalidRequest = &Error{Code: -32600, Message: "Invalid Request"}
	errMethodNotFound = &Error{Code: -32601, Message: "Method not found"}
	errInvalidParams  = &Error{Code: -32602, Message: "Invalid params"}
	errInternal       = &Error{Code: -32603, Message: "Internal error"}
	errTooManyCalls   = &Error{Code: -32000, Message: "Too many calls in progress"}
	// #if auth
	// Of what is asked before it is known who asks, and of rpc.authenticate.
	errNotAuthenticated = &Error{Code: -32001, Message: "Not authenticated: call rpc.authenticate first"}
	errBadToken         = &Error{Code: -32002, Message: "The token was refused"}
	// #endif
)

func withData(err *Error, data any) *Error { return &Error{err.Code, err.Message, data} }

// ErrCallFailed is why a call to a client has no answer: none came in time, or the connection has ended.
var ErrCallFailed = errors.New("the call was not answered")

// Protocol is JSON-RPC with methods for clients.
type Protocol struct {
	settings *config.Config
	methods  Methods
}

// New makes it; the names that the specification keeps for itself are refused.
func New(settings *config.Config, methods Methods) (*Protocol, error) {
	for name := range methods {
		if strings.HasPrefix(name, "rpc.") {
			return nil, fmt.Errorf(`%s: names with "rpc." are reserved`, name)
		}
	}
	return &Protocol{settings, methods}, nil
}

// Subprotocol is the name that is negotiated; nobody has registered one.
func (p *Protocol) Subprotocol() string { return "json-rpc" }

// Accept begins a conversation.
func (p *Protocol) Accept(peer protocol.Peer) protocol.Conversation {
	c := &conversation{protocol: p, peer: peer, waiting: map[string]chan answer{}}
	c.caller = Caller{c}
	return c
}

// Caller is the client at the other end.
type Caller struct{ conversation *conversation }

// ID is the name of its connection.
func (c *Caller) ID() string { return c.conversation.peer.ID() }

// Identity is who it is.
func (c *Caller) Identity() hook.Identity { return *c.conversation.peer.Identity() }

// Notify tells the client something; there is no answer. params are a struct, a map or a slice, or nil.
func (c *Caller) Notify(method string, params any) error {
	text, err := encode(outgoing{Version: "2.0", Method: method, Params: params})
	if err == nil {
		c.conversation.peer.Send(protocol.NewMessage("notification", text))
	}
	return err
}

// Call calls a method of the client and reads what it answers with into result, unless that is nil. ctx has to be
// that of the method that calls. The error is an *Error of the client, or wraps ErrCallFailed: without an
// answer by the end of ctx, or within CALL_TIMEOUT if ctx has none.
func (c *Caller) Call(ctx context.Context, method string, params, result any) error {
	conversation := c.conversation
	if _, hasEnd := ctx.Deadline(); !hasEnd {
		limited, cancel := context.WithTimeout(ctx, conversation.protocol.settings.CallTimeout)
		defer cancel()
		ctx = limited
	}
	id := strconv.FormatInt(conversation.lastID.Add(1), 10)
	text, err := encode(outgoing{Version: "2.0", ID: json.RawMessage(id), Method: method, Params: params})
	if err != nil {
		return err
	}
	answered := make(chan answer, 1)
	conversation.expect(id, answered)
	defer conversation.expect(id, nil)
	conversation.peer.Send(protocol.NewMessage("call", text))
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w: %s: %w", ErrCallFailed, method, ctx.Err())
	case got := <-answered:
		switch {
		case got.Error != nil:
			return got.Error
		case result == nil:
			return nil
		}
		if err := json.Unmarshal(got.Result, result); err != nil {
			return fmt.Errorf("%w with what was expected: %s: %w", ErrCallFailed, method, err)
		}
		return nil
	}
}

type outgoing struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method"`
	Params  any             `json:"params,omitempty"`
}

// answer is that of a client.
type answer struct {
	Result json.RawMessage
	Error  *Error
}

type conversation struct {
	protocol *Protocol
	peer     protocol.Peer
	caller   Caller
	// running are calls in progress.
	running atomic.Int64
	lastID  atomic.Int64
	// #if auth
	// isRefused is whether the only token was refused: the connection ends as soon as that was answered.
	isRefused bool
	// #endif

	mu sync.Mutex
	// waiting are calls to the client by id.
	waiting map[string]chan answer
}

// expect waits for an answer, or with nil does not any more.
func (c *conversation) expect(id string, answered chan answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answered == nil {
		delete(c.waiting, id)
	} else {
		c.waiting[id] = answered
	}
}

// Drain is part of protocol.Conversation.
func (c *conversation) Drain() {}

// Close is part of protocol.Conversation: whoever waits sees the end of the context.
func (c *conversation) Close() {}

// Receive takes a message or a batch.
func (c *conversation) Receive(ctx context.Context, text []byte) error {
	// What is called keeps parts of it.
	text = bytes.TrimLeft(bytes.Clone(text), " \t\r\n")
	if !json.Valid(text) {
		c.refuse(errParse)
		return nil
	}
	if text[0] == '[' {
		c.receiveBatch(ctx, text)
	} else {
		c.take(ctx, text, func(answer *response) {
			if answer != nil {
				c.peer.Send(protocol.NewMessage(answer.kind, answer.text))
			}
		})
	}
	// #if auth
	if c.isRefused {
		c.peer.Close(authFailed, "the token was refused")
	}
	// #endif
	return nil
}

func (c *conversation) receiveBatch(ctx context.Context, text []byte) {
	var entries []json.RawMessage
	most := c.protocol.settings.MaxBatch
	if err := json.Unmarshal(text, &entries); err != nil || len(entries) == 0 || len(entries) > most {
		c.refuse(withData(errInvalidRequest, fault{[]string{}, fmt.Sprintf("expected 1 to %d in a batch", most)}))
		return
	}
	// The message itself has cost one.
	c.peer.Spend(len(entries) - 1)
	answers := make([]*response, len(entries))
	var left atomic.Int64
	left.Store(int64(len(entries)))
	for i, entry := range entries {
		c.take(ctx, entry, func(answer *response) {
			answers[i] = answer
			if left.Add(-1) > 0 {
				return
			}
			var texts [][]byte
			for _, answer := range answers {
				if answer != nil {
					texts = append(texts, answer.text)
				}
			}
			if len(texts) > 0 {
				joined := append(append([]byte("["), bytes.Join(texts, []byte(","))...), ']')
				c.peer.Send(protocol.NewMessage("batch", joined))
			}
		})
	}
}

// refuse answers what holds no request at all.
func (c *conversation) refuse(why *Error) {
	// #if metrics
	c.peer.Received("invalid")
	// #endif
	if c.peer.Warn() {
		answer := c.failure(nil, why)
		c.peer.Send(protocol.NewMessage(answer.kind, answer.text))
	}
}

// request is a message of a client that asks for something.
type request struct {
	// id is nil of a notification, which is never answered.
	id     json.RawMessage
	method string
	params json.RawMessage
}

// read sorts out what a message is, or says what is wrong with it.
func read(text json.RawMessage) (asked *request, id json.RawMessage, answered *answer, wrong *fault) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil || fields == nil {
		return nil, nil, nil, &fault{[]string{}, "expected an object"}
	}
	id, hasID := fields["id"]
	if hasID && !isID(id) {
		return nil, nil, nil, &fault{[]string{"id"}, "expected a string, a number or null"}
	}
	if string(fields["jsonrpc"]) != `"2.0"` {
		return nil, id, nil, &fault{[]string{"jsonrpc"}, `expected "2.0"`}
	}
	given, hasMethod := fields["method"]
	result, hasResult := fields["result"]
	failed, hasError := fields["error"]
	if !hasMethod && hasID && hasResult != hasError {
		answered := &answer{Result: result}
		if hasError {
			answered.Error = readError(failed)
		}
		if hasResult || answered.Error != nil {
			return nil, id, answered, nil
		}
	}
	asked = &request{id: id, params: fields["params"]}
	if len(given) == 0 || given[0] != '"' || json.Unmarshal(given, &asked.method) != nil {
		return nil, id, nil, &fault{[]string{"method"}, "expected a string"}
	}
	if len(asked.params) > 0 && asked.params[0] != '[' && asked.params[0] != '{' {
		return nil, id, nil, &fault{[]string{"params"}, "expected an object or a list"}
	}
	return asked, id, nil, nil
}

func isID(id json.RawMessage) bool {
	switch id[0] {
	case '"':
		return true
	case '{', '[', 't', 'f':
		return false
	}
	if id[0] == 'n' {
		return true
	}
	// As a number of JavaScript it would be infinite.
	number, err := strconv.ParseFloat(string(id), 64)
	return err == nil && !math.IsInf(number, 0)
}

// readError is nil for what is none.
func readError(text json.RawMessage) *Error {
	var fields map[string]json.RawMessage
	failed := &Error{}
	if json.Unmarshal(text, &fields) != nil || json.Unmarshal(fields["code"], &failed.Code) != nil {
		return nil
	}
	message := fields["message"]
	if len(message) == 0 || message[0] != '"' || json.Unmarshal(message, &failed.Message) != nil {
		return nil
	}
	if data, ok := fields["data"]; ok {
		failed.Data = data
	}
	return failed
}

// response is what a request is answered with.
type response struct {
	kind string
	text []byte
}

// take takes one request, notification or response. answer is called once, with nil for those of which there is none;
// most often before it returns.
func (c *conversation) take(ctx context.Context, text json.RawMessage, answer func(*response)) {
	asked, id, answered, wrong := read(text)
	switch {
	case wrong != nil:
		// #if metrics
		c.peer.Received("invalid")
		// #endif
		if !c.peer.Warn() {
			answer(nil)
			return
		}
		answer(c.failure(id, withData(errInvalidRequest, wrong)))
	case answered != nil:
		// #if metrics
		c.peer.Received("response")
		// #endif
		c.mu.Lock()
		expected := c.waiting[string(id)]
		delete(c.waiting, string(id))
		c.mu.Unlock()
		if expected != nil {
			expected <- *answered
		}
		answer(nil)
	default:
		c.execute(ctx, asked, answer)
	}
}

func (c *conversation) execute(ctx context.Context, asked *request, answer func(*response)) {
	refuse := func(why *Error) {
		if asked.id == nil {
			answer(nil)
			return
		}
		answer(c.failure(asked.id, why))
	}
	// #if auth
	if asked.method == "rpc.authenticate" {
		c.authenticate(ctx, asked, answer)
		return
	}
	// #endif
	called, isKnown := c.protocol.methods[asked.method]
	// #if metrics
	if isKnown {
		c.peer.Received(asked.method)
	} else {
		c.peer.Received("unknown")
	}
	// #endif
	// #if auth
	if c.peer.Identity() == nil {
		refuse(errNotAuthenticated)
		return
	}
	// #endif
	if !isKnown {
		refuse(errMethodNotFound)
		return
	}
	limit := c.protocol.settings.MaxCallsPerClient
	if c.running.Load() >= int64(limit) {
		if asked.id == nil {
			c.peer.Log(slog.LevelWarn, "notification-dropped", slog.Int("limit", limit))
		}
		refuse(withData(errTooManyCalls, map[string]int{"limit": limit}))
		return
	}
	c.running.Add(1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		made := c.invoke(ctx, called, asked)
		c.running.Add(-1)
		answer(made)
	}()
	select {
	case <-done:
	case <-time.After(patience):
	}
}

// invoke calls a method. Whatever that does, other calls go on.
func (c *conversation) invoke(ctx context.Context, called Callable, asked *request) (made *response) {
	// #if metrics
	began := time.Now()
	defer func() { c.peer.Finished(asked.method, time.Since(began)) }()
	// #endif
	fail := func(err error) *response {
		var told *Error
		if !errors.As(err, &told) {
			// Nobody waits for what was cut off.
			if ctx.Err() == nil {
				c.peer.Log(slog.LevelError, "method-failed", slog.String("method", asked.method), slog.Any("message", err))
			}
			told = errInternal
		}
		if asked.id == nil {
			return nil
		}
		return c.failure(asked.id, told)
	}
	defer func() {
		if failed := recover(); failed != nil {
			made = fail(fmt.Errorf("panic: %v\n%s", failed, debug.Stack()))
		}
	}()
	result, err := called.call(ctx, &c.caller, asked.params)
	if err != nil {
		return fail(err)
	}
	text, err := encode(success{"2.0", asked.id, result})
	if err != nil {
		return fail(err)
	}
	if asked.id == nil {
		return nil
	}
	return &response{"result", text}
}

// #if auth

// authenticate is a method of this server itself, for which the names that start with "rpc." are.
func (c *conversation) authenticate(ctx context.Context, asked *request, answer func(*response)) {
	// #if metrics
	c.peer.Received("rpc.authenticate")
	// #endif
	say := func(made *response) {
		if asked.id == nil {
			made = nil
		}
		answer(made)
	}
	token, wrong := readToken(asked.params)
	if wrong != nil {
		say(c.failure(asked.id, withData(errInvalidParams, wrong)))
		return
	}
	identity := c.peer.Authenticate(ctx, token)
	if identity == nil {
		c.isRefused = c.peer.Identity() == nil
		say(c.failure(asked.id, errBadToken))
		return
	}
	text, _ := encode(success{"2.0", asked.id, map[string]string{
		"user": identity.User, "expiresAt": identity.Token.ExpiresAt.UTC().Format("2006-01-02T15:04:05.000Z"),
	}})
	say(&response{"result", text})
}

// authFailed is the close code of who has shown no other token.
const authFailed = 4501

// readToken is the one parameter, named or first.
func readToken(params json.RawMessage) (string, *fault) {
	var list []any
	var named map[string]any
	wrong := &fault{[]string{"token"}, "expected a token"}
	if json.Unmarshal(params, &list) == nil && len(list) == 1 {
		named = map[string]any{"token": list[0]}
	} else if json.Unmarshal(params, &named) != nil || len(named) != 1 {
		return "", wrong
	}
	if token, _ := named["token"].(string); token != "" {
		return token, nil
	}
	return "", wrong
}

// #endif

type success struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result"`
}

type failed struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   *Error          `json:"error"`
}

// failure is an answer with an error; id may be nil.
func (c *conversation) failure(id json.RawMessage, why *Error) *response {
	text, err := encode(failed{"2.0", id, why})
	if err != nil {
		// Its data cannot be JSON, or is nested too deep for it: a client may have sent it.
		c.peer.Log(slog.LevelError, "method-failed", slog.Any("message", err))
		text, _ = encode(failed{"2.0", id, errInternal})
	}
	return &response{"error", text}
}

// encode is JSON with characters as they are.
func encode(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}
