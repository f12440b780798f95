package wsclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// JSONRPC calls methods of a JSON-RPC 2.0 server, and is called by it, over reconnects. Its methods may be called from any
// goroutine.
type JSONRPC struct {
	sessions[*rpcSession]
	// handlers are what the server may call; they have the lock.
	handlers map[string]*handler
}

// RPCError is what a call is answered with that has no result (section 5.1 of the specification).
type RPCError struct {
	// Code of -32768 to -32000 is for what the specification and servers define.
	Code    int    `json:"code"`
	Message string `json:"message"`
	// Data is anything that can be JSON; of an error of the server it is json.RawMessage.
	Data any `json:"data,omitempty"`
}

func (e *RPCError) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// What the specification defines, and the last one of generated servers.
var (
	errInvalidRequest = &RPCError{Code: -32600, Message: "Invalid Request"}
	errMethodNotFound = &RPCError{Code: -32601, Message: "Method not found"}
	errInvalidParams  = &RPCError{Code: -32602, Message: "Invalid params"}
	errInternal       = &RPCError{Code: -32603, Message: "Internal error"}
	errTooManyCalls   = &RPCError{Code: -32000, Message: "Too many calls in progress"}
)

// Method is the name of a method, of the server or of this client, with what it takes and gives back. Params are a struct, a
// map or a slice; or any, for nil.
type Method[Params, Result any] string

type handler struct {
	run func(ctx context.Context, params json.RawMessage) (any, error)
}

// NewJSONRPC makes a client. It does nothing before Run.
func NewJSONRPC(options Options) (*JSONRPC, error) {
	c := &JSONRPC{handlers: map[string]*handler{}}
	if err := c.complete(options, "json-rpc"); err != nil {
		return nil, err
	}
	c.hasToken = options.Token != nil
	c.talk = func(l *link) *rpcSession {
		return &rpcSession{link: l, client: c, pending: map[string]chan response{}}
	}
	return c, nil
}

// Call calls a method of the server. What the server answers with in place of a result is an *RPCError. Call waits for a
// connection, but calls once: after ErrUnknownOutcome, when the connection was lost before the answer, and after ErrAborted,
// when ctx is done, the server may have carried it out.
func (m Method[Params, Result]) Call(ctx context.Context, c *JSONRPC, params Params) (result Result, err error) {
	text, err := encode(params)
	if err != nil {
		return result, err
	}
	for {
		session, err := c.open(ctx)
		if err != nil {
			return result, err
		}
		got, isSent := session.ask(ctx, string(m), text)
		switch {
		case !isSent:
		case got.err != nil:
			return result, got.err
		default:
			if err := json.Unmarshal(got.result, &result); err != nil {
				return result, fmt.Errorf("the result of %s: %w", string(m), err)
			}
			return result, nil
		}
	}
}

// Notify tells the server something, for which it waits for a connection; there is no answer.
func (m Method[Params, Result]) Notify(ctx context.Context, c *JSONRPC, params Params) error {
	text, err := encode(params)
	if err != nil {
		return err
	}
	session, err := c.open(ctx)
	if err != nil {
		return err
	}
	if session.write(request{Version: "2.0", Method: string(m), Params: given(text)}) != nil {
		return ErrUnknownOutcome.because("the connection was lost")
	}
	return nil
}

// Handle carries out what the server calls, each call in a goroutine, or tells, one after the other from one goroutine; of a
// program that is slow, more than 4096 do not wait: OnError gets ErrBehind for each that is left out. An *RPCError is what
// the server is answered with; any other error is told as an internal one, and given to OnError. ctx ends with the
// connection that a call came over. The function that Handle returns ends it.
func (m Method[Params, Result]) Handle(c *JSONRPC, run func(ctx context.Context, params Params) (Result, error)) func() {
	made := &handler{func(ctx context.Context, text json.RawMessage) (any, error) {
		var params Params
		if len(text) > 0 {
			if err := json.Unmarshal(text, &params); err != nil {
				return nil, &RPCError{errInvalidParams.Code, errInvalidParams.Message, err.Error()}
			}
		}
		return run(ctx, params)
	}}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handlers[string(m)] = made
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.handlers[string(m)] == made {
			delete(c.handlers, string(m))
		}
	}
}

// given leaves null out: parameters are an object or a list, or are none.
func given(params json.RawMessage) json.RawMessage {
	if string(params) == "null" {
		return nil
	}
	return params
}

type request struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params,omitempty"`
}

// response is what a call of this client is answered with.
type response struct {
	result json.RawMessage
	err    error
}

// rpcSession is one connection.
type rpcSession struct {
	*link
	client *JSONRPC
	mu     sync.Mutex
	// pending are calls without an answer by id; nil when no more can come.
	pending map[string]chan response
	lastID  uint64
	// running are calls of the server under way.
	running int
}

func (s *rpcSession) begin() {
	if !s.client.hasToken {
		s.welcome()
		return
	}
	expiresAt, err := s.authenticate()
	var refused *RPCError
	switch {
	case err == nil, errors.As(err, &refused) && refused.Code == errMethodNotFound.Code:
		// A server that asks for no token need not know the method.
		s.welcome()
		s.keepToken(expiresAt)
	case errors.Is(err, ErrToken):
		s.client.report(err)
		s.end(&loss{code: 1006, reason: "there is no token"})
	case refused != nil:
		// The close code says what follows.
		s.client.report(err)
	}
}

func (s *rpcSession) welcome() {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.client.isOpen(s, s.link)
}

// authenticate shows the server a token, and says when that expires, if the server does.
func (s *rpcSession) authenticate() (expiresAt time.Time, err error) {
	token, err := s.client.options.token(s.ctx)
	if err != nil {
		return expiresAt, err
	}
	params, err := encode(map[string]string{"token": token})
	if err != nil {
		return expiresAt, err
	}
	got, isSent := s.ask(s.ctx, "rpc.authenticate", params)
	if !isSent || got.err != nil {
		return expiresAt, got.err
	}
	var accepted struct{ ExpiresAt time.Time }
	_ = json.Unmarshal(got.result, &accepted)
	return accepted.ExpiresAt, nil
}

// keepToken shows another token before one expires, while the connection stays. Without one, it stays until the server
// closes it.
func (s *rpcSession) keepToken(expiresAt time.Time) {
	for shown := (time.Time{}); !expiresAt.Equal(shown); {
		select {
		case <-time.After(untilRenewal(expiresAt)):
		case <-s.ctx.Done():
			return
		}
		shown = expiresAt
		next, err := s.authenticate()
		if err != nil {
			if s.ctx.Err() == nil {
				s.client.report(err)
			}
			return
		}
		expiresAt = next
	}
}

func (s *rpcSession) goodbye() {}

func (s *rpcSession) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, answered := range s.pending {
		answered <- response{err: ErrUnknownOutcome.because("the connection was lost before the answer")}
	}
	s.pending = nil
}

// ask calls a method, and reports whether it was sent.
func (s *rpcSession) ask(ctx context.Context, method string, params json.RawMessage) (got response, isSent bool) {
	answered := make(chan response, 1)
	s.mu.Lock()
	if s.pending == nil {
		s.mu.Unlock()
		return got, false
	}
	s.lastID++
	id := strconv.FormatUint(s.lastID, 10)
	s.pending[id] = answered
	// Beside it, so that ctx limits a call that the server does not read, too. If it cannot be written, the connection is lost.
	s.others.Go(func() { _ = s.write(request{"2.0", json.RawMessage(id), method, given(params)}) })
	s.mu.Unlock()
	select {
	case got = <-answered:
	case <-ctx.Done():
		got.err = aborted(ctx)
	}
	s.mu.Lock()
	delete(s.pending, id)
	s.mu.Unlock()
	return got, true
}

func (s *rpcSession) take(text []byte) *loss {
	text = bytes.TrimLeft(text, " \t\r\n")
	if !json.Valid(text) {
		// It may have been an answer: only a new connection can tell.
		return &loss{code: 1006, reason: "malformed message"}
	}
	answer := func(answer any) {
		if answer != nil {
			// Reading goes on while it is written.
			s.client.programs.Go(func() { _ = s.write(answer) })
		}
	}
	if text[0] != '[' {
		s.takeOne(text, answer)
		return nil
	}
	var entries []json.RawMessage
	_ = json.Unmarshal(text, &entries)
	if len(entries) == 0 {
		answer(failed(nil, errInvalidRequest))
		return nil
	}
	var mu sync.Mutex
	var answers []any
	left := len(entries)
	for _, entry := range entries {
		s.takeOne(entry, func(one any) {
			mu.Lock()
			defer mu.Unlock()
			if one != nil {
				answers = append(answers, one)
			}
			if left--; left == 0 && len(answers) > 0 {
				answer(answers)
			}
		})
	}
	return nil
}

// takeOne takes a request, a notification or a response. answer is called once, with nil for those of which there is none.
func (s *rpcSession) takeOne(text json.RawMessage, answer func(any)) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		answer(failed(nil, errInvalidRequest))
		return
	}
	id, hasID := fields["id"]
	called, hasMethod := fields["method"]
	if !hasMethod {
		s.resolve(string(id), fields)
		answer(nil)
		return
	}
	var method string
	params := given(fields["params"])
	if called[0] != '"' || json.Unmarshal(called, &method) != nil || hasID && !isRPCID(id) || len(params) > 0 && params[0] != '[' && params[0] != '{' {
		if !isRPCID(id) {
			id = nil
		}
		answer(failed(id, errInvalidRequest))
		return
	}
	s.client.mu.Lock()
	handled := s.client.handlers[method]
	s.client.mu.Unlock()
	switch {
	case !hasID && handled == nil:
		answer(nil)
	case !hasID:
		s.hear(method, handled, params)
		answer(nil)
	case handled == nil:
		answer(failed(id, errMethodNotFound))
	case !s.start():
		answer(failed(id, errTooManyCalls))
	default:
		s.client.programs.Go(func() {
			made := s.carryOut(id, method, handled, params)
			s.mu.Lock()
			s.running--
			s.mu.Unlock()
			answer(made)
		})
	}
}

// isRPCID is whether it is a string, a number or null.
func isRPCID(id json.RawMessage) bool {
	return len(id) > 0 && !bytes.ContainsRune([]byte("[{tf"), rune(id[0]))
}

// start is whether another call may run.
func (s *rpcSession) start() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == maxRunning {
		return false
	}
	s.running++
	return true
}

// resolve gives an answer to who waits for it.
func (s *rpcSession) resolve(id string, fields map[string]json.RawMessage) {
	got := response{result: fields["result"]}
	if text, ok := fields["error"]; ok && string(text) != "null" {
		var told struct {
			RPCError
			Data json.RawMessage `json:"data"`
		}
		// Whatever is wrong with it, it is an error.
		_ = json.Unmarshal(text, &told)
		if told.RPCError.Data = nil; told.Data != nil {
			told.RPCError.Data = told.Data
		}
		got.err = &told.RPCError
	}
	s.mu.Lock()
	answered := s.pending[id]
	delete(s.pending, id)
	s.mu.Unlock()
	switch {
	case answered != nil:
		answered <- got
	case got.err != nil && (id == "" || id == "null"):
		// The server could not read the id.
		s.client.report(got.err)
	}
}

// hear gives the program what the server tells.
func (s *rpcSession) hear(method string, handled *handler, params json.RawMessage) {
	select {
	case s.client.events <- func() {
		if _, err := handled.run(s.ctx, params); err != nil {
			s.client.report(fmt.Errorf("%s: %w", method, err))
		}
	}:
	default:
		s.client.report(ErrBehind.because("more than %d notifications wait: %s is left out", maxPendingEvents, method))
	}
}

// carryOut makes the answer to a call.
func (s *rpcSession) carryOut(id json.RawMessage, method string, handled *handler, params json.RawMessage) any {
	result, err := handled.run(s.ctx, params)
	var text []byte
	if err == nil {
		text, err = encode(result)
	}
	if err == nil {
		return success{"2.0", id, text}
	}
	var told *RPCError
	if errors.As(err, &told) {
		if _, err = encode(told); err == nil {
			return failed(id, told)
		}
	}
	// What went wrong inside is not for others.
	s.client.report(fmt.Errorf("%s: %w", method, err))
	return failed(id, errInternal)
}

type success struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result"`
}

type refusal struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   *RPCError       `json:"error"`
}

// failed is an answer with an error; id may be nil.
func failed(id json.RawMessage, why *RPCError) refusal {
	return refusal{"2.0", id, why}
}
