// #if chat

// Package wsclient is a client of chat servers that speak chat.v1. See [NewChat].
// #endif
// #if pubsub

// Package wsclient is a client of pubsub servers that speak pubsub.v1. See [NewPubsub].
// #endif
// #if live

// Package wsclient is a client of live-updates servers that speak live-updates.v1. See [NewLiveUpdates].
// #endif
package wsclient

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"
)

// Client is what the clients of all types have in common. Its methods may be called from any goroutine.
type Client struct {
	options  Options
	protocol protocol
	mu       sync.Mutex
	// All of the following has the lock.
	state State
	// ctx and stop are of Run.
	ctx      context.Context
	stop     context.CancelCauseFunc
	conn     *connection
	features []string
	streams  map[string]*Stream
	// due are the streams whose answer is due, by the id of the command, or that will be asked for later.
	due     map[string]*due
	notices notices
	// #if chat || pubsub

	outbox outbox
	// #endif
	// #if auth

	tokens tokens
	// #endif
}

// protocol is the names that a type has for the same things, and what it does in its own way.
type protocol struct {
	subprotocol string
	// join is the command for the events of a stream, and joined its reply.
	join, joined string
	// leave is the command for no more of them, and left its reply; with a code, the server has put the client out.
	leave, left string
	// key is that of a stream's name.
	key string
	// nameOf is the value of the key in a message.
	nameOf func(message *incoming) string
	// known are the types of all messages that a client understands.
	known []string
	// receive takes an event.
	receive func(message *incoming)
	// asksToJoin reports whether the server has to be asked for the events of a stream; nil: always.
	asksToJoin func() bool
	// alwaysResumes: it is a part of the protocol itself, not a feature.
	alwaysResumes bool
	// #if chat || pubsub
	// isReady reports whether what is published to a stream may be sent.
	isReady func(stream string) bool
	// sequenceOf is what publish calls a stream.
	sequenceOf func(stream string) string
	// #endif
}

type due struct {
	stream *Stream
	timer  timer
}

func newClient(options Options, protocol protocol) (*Client, error) {
	if err := options.complete(protocol.subprotocol); err != nil {
		return nil, err
	}
	protocol.known = append(protocol.known, protocol.joined, protocol.left,
		"welcome", "auth-required", "authenticated", "token-expiring", "draining", "error", "ack")
	c := &Client{
		options:  options,
		protocol: protocol,
		state:    State{Name: Idle},
		streams:  map[string]*Stream{},
		due:      map[string]*due{},
	}
	c.notices = newNotices(&options)
	// #if chat || pubsub
	c.outbox = newOutbox(c)
	// #endif
	return c, nil
}

// State is what the client does at present.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Features is what the server offers, once it has welcomed: rooms, history, resume …
func (c *Client) Features() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.features)
}

// Close ends the connection, and all that waits. Run returns soon after.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop(ErrClosed)
		return
	}
	c.finish(1000, "Close was called")
}

// Reconnect gives up this connection and makes another: for tests and demonstrations.
func (c *Client) Reconnect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restart("Reconnect was called")
}

// restart ends the connection, because it is of no use.
func (c *Client) restart(reason string) {
	if c.conn != nil {
		c.conn.lose(&loss{code: 1006, reason: reason})
	}
}

func (c *Client) hasFeature(name string) bool { return slices.Contains(c.features, name) }

func (c *Client) asksToJoin() bool {
	return c.protocol.asksToJoin == nil || c.protocol.asksToJoin()
}

// open makes the stream of a new room, subscription or document.
func (c *Client) open(name string, of kind) *Stream {
	s := &Stream{client: c, name: name, kind: of}
	if c.state.Name == Closed {
		s.end()
		return s
	}
	c.streams[name] = s
	return s
}

// start asks for the events of a stream that was opened.
func (c *Client) start(s *Stream) {
	if c.state.Name == Open || c.state.Name == Resuming {
		c.ask(s)
	}
}

func (c *Client) ask(s *Stream) {
	switch {
	case c.streams[s.name] != s:
		return
	case len(s.queue) >= maxPending:
		// It is asked for when the program has taken what there is.
		s.status = behind
		return
	case !c.asksToJoin():
		// The server has one room, in which every client is.
		s.hasAsked(nil)
		s.accept(&incoming{})
		return
	}
	id := rand.Text()
	command := map[string]any{"type": c.protocol.join, "id": id, c.protocol.key: s.name}
	var since *Position
	if c.protocol.alwaysResumes || c.hasFeature("resume") {
		since = s.kind.position()
	}
	if since != nil {
		command["since"] = since
	}
	if !c.send(command) {
		return
	}
	s.hasAsked(since)
	c.expect(id, s, c.options.JoinTimeout, func() {
		c.restart("no answer to " + c.protocol.join + " " + s.name)
	})
}

// expect waits for the answer to the command id, or calls otherwise when the time is over.
func (c *Client) expect(id string, s *Stream, limit time.Duration, otherwise func()) {
	d := &due{stream: s, timer: timer{lock: &c.mu}}
	c.due[id] = d
	d.timer.set(limit, func() {
		delete(c.due, id)
		otherwise()
	})
}

func (c *Client) leave(s *Stream) {
	if c.streams[s.name] != s {
		return
	}
	delete(c.streams, s.name)
	s.end()
	if c.asksToJoin() && s.status != fresh {
		c.send(map[string]any{"type": c.protocol.leave, c.protocol.key: s.name})
	}
	c.resumed()
}

// welcome asks for everything that was missed.
func (c *Client) welcome() {
	// #if chat || pubsub
	if !c.hasFeature("resume") {
		c.outbox.forget("")
	}
	// #endif
	c.set(State{Name: Resuming})
	for _, s := range c.streams {
		c.ask(s)
	}
	c.resumed()
}

// resumed looks whether all answers have come.
func (c *Client) resumed() {
	if c.state.Name != Resuming {
		return
	}
	for _, s := range c.streams {
		if !s.isSettled() {
			return
		}
	}
	c.set(State{Name: Open})
	// #if chat || pubsub
	c.outbox.flush()
	// #endif
}

// lost: the connection is gone.
func (c *Client) lost() {
	c.conn = nil
	for id, d := range c.due {
		d.timer.stop()
		delete(c.due, id)
	}
	for _, s := range c.streams {
		s.lost()
	}
	// #if chat || pubsub
	c.outbox.lost(c.hasFeature("resume"))
	// #endif
}

// finish is for good.
func (c *Client) finish(code int, reason string) {
	if c.state.Name == Closed {
		return
	}
	c.set(State{Name: Closed, Code: code, Reason: reason})
	for name, s := range c.streams {
		s.end()
		delete(c.streams, name)
	}
	// #if chat || pubsub
	c.outbox.close()
	// #endif
}

func (c *Client) set(state State) {
	c.state = state
	c.notices.add(notice{state: &state})
}

func (c *Client) report(err error) { c.notices.add(notice{err: err}) }

// receive takes a message that is none of the connection's own.
func (c *Client) receive(message *incoming) {
	switch message.Type {
	case c.protocol.joined:
		c.accepted(message)
	case c.protocol.left:
		if s := c.streams[c.protocol.nameOf(message)]; s != nil && message.Code != "" && s.status != refused {
			s.refuse(message.error())
		}
	case "error":
		c.failed(message)
	// #if chat || pubsub
	case "ack":
		c.outbox.answer(message.ID, result{ack: Ack{message.Offset, message.Duplicate}})
	// #endif
	default:
		c.protocol.receive(message)
	}
}

// answered is the stream that has asked with id; nil if it was left, or has asked again.
func (c *Client) answered(id string) *Stream {
	d := c.due[id]
	if d == nil {
		return nil
	}
	d.timer.stop()
	delete(c.due, id)
	if c.streams[d.stream.name] != d.stream {
		return nil
	}
	return d.stream
}

func (c *Client) accepted(reply *incoming) {
	s := c.answered(reply.ID)
	if s == nil {
		return
	}
	// #if chat || pubsub
	epoch := s.epoch
	// #endif
	s.accept(reply)
	// #if chat || pubsub
	if epoch != "" && s.epoch != epoch {
		c.outbox.forget(c.protocol.sequenceOf(s.name))
	}
	c.outbox.flush()
	// #endif
	c.resumed()
}

func (c *Client) failed(message *incoming) {
	s, err := c.answered(message.ID), message.error()
	wait, isForLater := message.retryAfter()
	switch {
	case s != nil && isForLater:
		c.expect(rand.Text(), s, wait, func() { c.ask(s) })
	case s != nil:
		s.refuse(err)
		c.resumed()
	// #if chat || pubsub
	case c.outbox.answer(message.ID, result{err: err}):
	// #endif
	default:
		c.report(err)
	}
}
