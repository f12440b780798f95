// Package graphqlws is GraphQL over the subprotocol graphql-transport-ws:
// https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
package graphqlws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	// #if auth
	"strings"
	// #endif
	"sync"
	"sync/atomic"
	"time"

	"github.com/graph-gophers/graphql-go"
	qerrors "github.com/graph-gophers/graphql-go/errors"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/protocol"
)

const subprotocol = "graphql-transport-ws"

// Close codes of the protocol.
const (
	badRequest       = 4400
	unauthorized     = 4401
	forbidden        = 4403
	notAcceptable    = 4406
	initTimeout      = 4408
	subscriberExists = 4409
	tooManyInits     = 4429
	internalError    = 4500
)

// Protocol is GraphQL with a schema and its resolvers.
type Protocol struct {
	settings *config.Config
	executor *executor
	// #if graphql-legacy
	// isLegacy is whether it speaks as legacy.go says.
	isLegacy bool
	// #endif
}

// New makes it of the text of a schema and its resolvers, which have to fit together.
func New(settings *config.Config, schema string, resolvers any) (*Protocol, error) {
	made, err := newExecutor(settings, schema, resolvers)
	if err != nil {
		return nil, err
	}
	return &Protocol{settings: settings, executor: made}, nil
}

// Subprotocol is the name that is negotiated.
func (p *Protocol) Subprotocol() string {
	// #if graphql-legacy
	if p.isLegacy {
		return legacyName
	}
	// #endif
	return subprotocol
}

// CloseCode is what clients of it stay away after, or come back after.
func (p *Protocol) CloseCode(code int) int {
	switch code {
	// The token expired or was refused, and who it is of is revoked: with a new token they may come back.
	case 4401, 4501, 4502:
		return forbidden
	// A slow client, and too many connections of a user: later.
	case 4408, 4429:
		return 1013
	// No token within the time.
	case 4500:
		return initTimeout
	}
	return code
}

// Accept begins a conversation.
func (p *Protocol) Accept(peer protocol.Peer) protocol.Conversation {
	c := &conversation{protocol: p, peer: peer, active: map[string]*run{}}
	if peer.Subprotocol() != p.Subprotocol() {
		c.close(notAcceptable, "Subprotocol not acceptable")
		return c
	}
	c.waiting = time.AfterFunc(p.settings.GraphqlInitTimeout, func() {
		c.close(initTimeout, "Connection initialisation timeout")
	})
	return c
}

type conversation struct {
	protocol *Protocol
	peer     protocol.Peer
	// waiting ends a client that does not send connection_init.
	waiting *time.Timer
	// hasInit is whether it came, isOpen whether it was acknowledged.
	hasInit, isOpen bool
	// running are operations under way, also those that are completed for the client.
	running atomic.Int64

	mu sync.Mutex
	// active are the operations that the client has not seen the end of, by id.
	active map[string]*run
	// #if graphql-legacy
	// keepAlive sends what legacy clients wait for; nil before connection_ack.
	keepAlive *time.Timer
	// isOver is whether the connection has ended.
	isOver bool
	// #endif
}

// run is an operation under way.
type run struct {
	id  string
	end context.CancelCauseFunc
}

// Drain leaves subscriptions open: clients that come back after 1001 subscribe again.
func (c *conversation) Drain() {}

// Close is part of protocol.Conversation: operations see the end of their context.
func (c *conversation) Close() {
	if c.waiting != nil {
		c.waiting.Stop()
	}
	// #if graphql-legacy
	c.endKeepAlive()
	// #endif
}

// close says goodbye.
func (c *conversation) close(code int, reason string) {
	// #if graphql-legacy
	if c.protocol.isLegacy {
		c.send("connection_error", outgoing{Type: "connection_error", Payload: map[string]string{"message": reason}})
	}
	// #endif
	c.peer.Close(code, reason)
}

// message is one of a client.
type message struct {
	kind, id string
	// payload is empty if there is none.
	payload json.RawMessage
	asked   *request
}

// Receive takes a message.
func (c *conversation) Receive(ctx context.Context, text []byte) (err error) {
	defer c.closeOverPanic()
	// #if graphql-legacy
	read, err := parseMessage(text, c.protocol.isLegacy)
	// #else
	//~ read, err := parseMessage(text)
	// #endif
	if err != nil {
		// #if metrics
		c.peer.Received("invalid")
		// #endif
		c.close(badRequest, err.Error())
		return nil
	}
	// #if metrics
	c.peer.Received(read.kind)
	// #endif
	switch read.kind {
	case "connection_init":
		c.init(ctx, read)
	case "ping":
		made := outgoing{Type: "pong"}
		if len(read.payload) > 0 {
			made.Payload = read.payload
		}
		c.send("pong", made)
	case "pong":
	case "subscribe":
		c.subscribe(ctx, read)
	case "complete":
		c.forget(read.id)
	// #if graphql-legacy
	case terminate:
		c.peer.Close(1000, "")
	// #endif
	default:
		c.close(badRequest, fmt.Sprintf("Unexpected message of type %s", read.kind))
	}
	return nil
}

// closeOverPanic ends one connection over a bug, and not the server.
func (c *conversation) closeOverPanic() {
	if failed := recover(); failed != nil {
		c.report("", fmt.Errorf("panic: %v\n%s", failed, debug.Stack()))
		c.close(internalError, "internal error")
	}
}

func (c *conversation) report(path string, err error) {
	c.peer.Log(slog.LevelError, "resolver-failed", slog.String("path", path), slog.Any("message", err))
}

func (c *conversation) init(ctx context.Context, read *message) {
	c.waiting.Stop()
	if c.hasInit {
		c.close(tooManyInits, "Too many initialisation requests")
		return
	}
	c.hasInit = true
	// #if auth
	if !c.isKnown(ctx, read.payload) {
		c.close(forbidden, "Forbidden")
		return
	}
	// #endif
	c.isOpen = true
	c.send("connection_ack", outgoing{Type: "connection_ack"})
	// #if graphql-legacy
	if c.protocol.isLegacy {
		c.beginKeepAlive()
	}
	// #endif
}

// #if auth

// isKnown is whether what connection_init says lets a client in, or what its handshake said.
func (c *conversation) isKnown(ctx context.Context, payload json.RawMessage) bool {
	var params map[string]any
	_ = json.Unmarshal(payload, &params)
	token, isGiven := params["token"].(string)
	if !isGiven {
		header, ok := params["authorization"].(string)
		if !ok {
			header, ok = params["Authorization"].(string)
		}
		if scheme, rest, found := strings.Cut(header, " "); found && strings.EqualFold(scheme, "Bearer") {
			header = strings.TrimLeft(rest, " ")
		}
		token, isGiven = header, ok
	}
	if !isGiven {
		return c.peer.Identity() != nil
	}
	return c.peer.Authenticate(ctx, token) != nil
}

// #endif

func (c *conversation) subscribe(ctx context.Context, read *message) {
	if !c.isOpen {
		c.close(unauthorized, "Unauthorized")
		return
	}
	// #if graphql-legacy
	if c.protocol.isLegacy {
		// It takes the place of one with its id.
		c.forget(read.id)
	}
	// #endif
	within, end := context.WithCancelCause(ctx)
	of := &run{read.id, end}
	c.mu.Lock()
	_, isTaken := c.active[read.id]
	if !isTaken {
		c.active[read.id] = of
	}
	c.mu.Unlock()
	if isTaken {
		end(nil)
		c.close(subscriberExists, fmt.Sprintf("Subscriber for %s already exists", read.id))
		return
	}
	mine, all := c.running.Add(1), c.protocol.executor.running.Add(1)
	found := c.tooMany(mine, all)
	if found == nil {
		found = c.protocol.executor.prepare(read.asked)
	}
	if found != nil {
		c.finish(of, "error", found)
		return
	}
	go func() {
		defer c.closeOverPanic()
		c.execute(within, of, read.asked)
	}()
}

func (c *conversation) tooMany(mine, all int64) []*qerrors.QueryError {
	const code = "TOO_MANY_OPERATIONS"
	if most := c.protocol.settings.GraphqlMaxOperations; mine > int64(most) {
		return refusal(code, fmt.Sprintf("expected at most %d operations at the same time", most))
	}
	if all > int64(c.protocol.settings.GraphqlMaxAllOperations) {
		return refusal(code, "the server has too many operations; try again later")
	}
	return nil
}

// execute runs an operation to its end, which the client is told unless it has completed it.
func (c *conversation) execute(ctx context.Context, of *run, asked *request) {
	within := &execution{caller: Caller{*c.peer.Identity(), c.peer.ID()}, fail: of.end, report: c.report}
	ctx = context.WithValue(ctx, key{}, within)
	kind, payload := "complete", any(nil)
	defer func() { c.finish(of, kind, payload) }()
	if !asked.isSubscription {
		response := c.protocol.executor.schema.Exec(ctx, asked.query, asked.name, asked.variables)
		if found := misfit(response); found != nil {
			kind, payload = "error", found
			return
		}
		c.next(of, within, response)
		return
	}
	events, err := c.protocol.executor.schema.Subscribe(ctx, asked.query, asked.name, asked.variables)
	if err != nil {
		kind, payload = "error", refusal("GRAPHQL_VALIDATION_FAILED", err.Error())
		return
	}
	isFirst := true
	for event := range events {
		response, ok := event.(*graphql.Response)
		if !ok {
			continue
		}
		if isFirst && len(response.Errors) > 0 && len(response.Data) == 0 {
			if kind, payload = "error", within.told(response.Errors); misfit(response) != nil {
				payload = misfit(response)
			}
			return
		}
		isFirst = false
		c.next(of, within, response)
		// Until the client has read, nothing more is asked of the resolver.
		c.peer.Wait()
	}
	var meant *Error
	cause := context.Cause(ctx)
	if last := within.last.Load(); last != nil && cause == nil {
		cause = last
	}
	if cause != nil && !errors.Is(cause, context.Canceled) {
		failed := &qerrors.QueryError{Message: cause.Error(), ResolverError: cause}
		if errors.As(cause, &meant) {
			failed.Extensions = meant.Extensions()
		}
		kind, payload = "error", within.told([]*qerrors.QueryError{failed})
	}
}

type result struct {
	Errors []*qerrors.QueryError `json:"errors,omitempty"`
	Data   json.RawMessage       `json:"data"`
}

func (c *conversation) next(of *run, within *execution, response *graphql.Response) {
	data := response.Data
	if len(data) == 0 {
		data = json.RawMessage("null")
	}
	made := outgoing{ID: of.id, Type: "next", Payload: result{within.told(response.Errors), data}}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Another operation may have the id by now.
	if c.active[of.id] == of {
		c.send("next", made)
	}
}

// finish frees the id and tells the client, in one step.
func (c *conversation) finish(of *run, kind string, payload any) {
	c.running.Add(-1)
	c.protocol.executor.running.Add(-1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active[of.id] == of {
		delete(c.active, of.id)
		c.send(kind, outgoing{ID: of.id, Type: kind, Payload: payload})
	}
	of.end(nil)
}

// forget ends an operation of which the client does not want any more, if there is one.
func (c *conversation) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if of, ok := c.active[id]; ok {
		delete(c.active, id)
		of.end(nil)
	}
}

type outgoing struct {
	ID      string `json:"id,omitempty"`
	Type    string `json:"type"`
	Payload any    `json:"payload,omitempty"`
}

func (c *conversation) send(kind string, made outgoing) {
	// #if graphql-legacy
	if c.protocol.isLegacy {
		made = legacyOf(made)
		kind = made.Type
	}
	// #endif
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(made); err != nil {
		panic(err)
	}
	c.peer.Send(protocol.NewMessage(kind, bytes.TrimSuffix(text.Bytes(), []byte("\n"))))
}

// #if graphql-legacy
// parseMessage says what is wrong with one.
func parseMessage(text []byte, isLegacy bool) (*message, error) {
// #else
//~ // parseMessage says what is wrong with one.
//~ func parseMessage(text []byte) (*message, error) {
// #endif
	if !json.Valid(text) {
		return nil, errors.New("expected JSON")
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil || fields == nil {
		return nil, errors.New("expected a message as an object")
	}
	read := &message{payload: fields["payload"]}
	if !isText(fields["type"], &read.kind) {
		return nil, errors.New("type: expected a text")
	}
	// #if graphql-legacy
	if isLegacy {
		known, ok := legacyKinds[read.kind]
		if !ok {
			return nil, fmt.Errorf("expected no message of type %s", read.kind)
		}
		if read.kind = known; known == terminate {
			return read, nil
		}
	}
	// #endif
	isMissing := len(read.payload) == 0 || string(read.payload) == "null"
	switch read.kind {
	case "connection_init", "connection_ack", "ping", "pong":
		if !isMissing && read.payload[0] != '{' {
			return nil, errors.New("payload: expected an object or nothing")
		}
		if levels(read.payload) > maxLevels {
			return nil, fmt.Errorf("payload: expected at most %d levels", maxLevels)
		}
		return read, nil
	case "subscribe", "next", "error", "complete":
	default:
		return nil, errors.New("type: there is no such message")
	}
	if !isText(fields["id"], &read.id) || read.id == "" {
		return nil, errors.New("id: expected a text that is not empty")
	}
	if read.kind == "subscribe" {
		asked, err := parseRequest(read.payload)
		if err != nil {
			return nil, err
		}
		read.asked = asked
	}
	return read, nil
}

func isText(value json.RawMessage, to *string) bool {
	return len(value) > 0 && value[0] == '"' && json.Unmarshal(value, to) == nil
}

func parseRequest(payload json.RawMessage) (*request, error) {
	var fields map[string]json.RawMessage
	if len(payload) == 0 || payload[0] != '{' || json.Unmarshal(payload, &fields) != nil {
		return nil, errors.New("payload: expected an object")
	}
	asked := &request{}
	if !isText(fields["query"], &asked.query) {
		return nil, errors.New("payload.query: expected a text")
	}
	isThere := func(name string) bool { return len(fields[name]) > 0 && string(fields[name]) != "null" }
	if isThere("operationName") && !isText(fields["operationName"], &asked.name) {
		return nil, errors.New("payload.operationName: expected a text or nothing")
	}
	for _, name := range []string{"variables", "extensions"} {
		if isThere(name) && fields[name][0] != '{' {
			return nil, fmt.Errorf("payload.%s: expected an object or nothing", name)
		}
	}
	asked.given = fields["variables"]
	return asked, nil
}

// levels are arrays and objects of a JSON text in each other.
func levels(text []byte) int {
	deepest, now, isInText := 0, 0, false
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '"':
			isInText = !isInText
		case '\\':
			at++
		case '[', '{':
			if !isInText {
				now++
				deepest = max(deepest, now)
			}
		case ']', '}':
			if !isInText {
				now--
			}
		}
	}
	return deepest
}
