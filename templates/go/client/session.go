// #if wamp

// Package wsclient is a client of WAMP routers that speak wamp.2.json. See [NewWAMP].
// #endif
// #if jsonrpc

// Package wsclient is a client of servers that speak JSON-RPC 2.0. See [NewJSONRPC].
// #endif
// #if graphql

// Package wsclient is a client of GraphQL servers that speak graphql-transport-ws. See [NewGraphQL].
// #endif
package wsclient

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// maxPendingEvents wait for a program that is slow.
const maxPendingEvents = 4096

// #if jsonrpc || wamp

// maxRunning are calls to this client at a time; more are refused.
const maxRunning = 1000

// #endif

// conversation is a session of one protocol.
type conversation interface {
	comparable
	// begin says what opens the session. It runs beside take.
	begin()
	// take takes a message; nil is one that is no text. A loss ends the session.
	take(text []byte) *loss
	// goodbye says what comes before the close frame, when the client is to end.
	goodbye()
	// forget answers what will have no answer.
	forget()
}

// sessions are one after the other, each on a connection of its own. Its methods may be called from any goroutine.
type sessions[S conversation] struct {
	options Options
	// talk makes the session of a connection.
	talk func(*link) S
	// afterClose goes by the close code, and hasToken is whether there may be a new token.
	afterClose func(code int) reconnect
	hasToken   bool
	// ended is called with the lock at the end; it may be nil.
	ended func(reason string)

	mu sync.Mutex
	// All of the following has the lock.
	state State
	// ctx and stop are of Run.
	ctx     context.Context
	stop    context.CancelCauseFunc
	notices notices
	// events wait for the program, which may itself wait for the next session: no session waits for it.
	events chan func()
	// programs are parts of it under way, for the same reason.
	programs sync.WaitGroup
	// hasRenewed: the server has refused a token, and not taken another since.
	hasRenewed bool
	// session is the zero value while there is no open one; changed is closed when there is another, or none any more.
	session S
	changed chan struct{}
}

// complete makes it ready for Run. What goes beyond the codes of all servers is set afterwards.
func (c *sessions[S]) complete(options Options, subprotocol string) error {
	if err := options.complete(subprotocol); err != nil {
		return err
	}
	c.options = options
	c.afterClose = afterClose
	c.state = State{Name: Idle}
	c.notices = newNotices(&options)
	c.events = make(chan func(), maxPendingEvents)
	c.changed = make(chan struct{})
	return nil
}

// State is what the client does at present.
func (c *sessions[S]) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Close ends the session, and the client. Run returns soon after.
func (c *sessions[S]) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop(ErrClosed)
		return
	}
	c.set(State{Name: Closed, Code: 1000, Reason: "Close was called"})
}

// Run connects, and stays connected until the context is done, Close is called, or the server says that there is no point.
// It returns the context's error, nil, or a *CloseError. A client runs once.
func (c *sessions[S]) Run(ctx context.Context) error {
	c.mu.Lock()
	switch {
	case c.stop != nil:
		c.mu.Unlock()
		return errRanBefore
	case c.state.Name == Closed:
		c.mu.Unlock()
		return ErrClosed
	}
	c.ctx, c.stop = context.WithCancelCause(ctx)
	c.mu.Unlock()
	c.programs.Go(c.handOn)
	defer c.programs.Wait()
	defer c.stop(nil)
	var handedOn sync.WaitGroup
	handedOn.Go(func() { c.notices.handOn(&c.mu) })
	defer handedOn.Wait()
	for attempts := 0; ; attempts++ {
		lost, uptime := c.connect()
		if uptime >= c.options.StableAfter {
			attempts = 0
		}
		c.mu.Lock()
		next := c.decide(lost)
		switch cause := context.Cause(c.ctx); {
		case cause != nil:
			c.set(State{Name: Closed, Code: 1000, Reason: cause.Error()})
			c.mu.Unlock()
			if errors.Is(cause, ErrClosed) {
				return nil
			}
			return c.ctx.Err()
		case next == never:
			c.set(State{Name: Closed, Code: lost.code, Reason: lost.reason})
			c.mu.Unlock()
			return &CloseError{lost.code, lost.reason}
		}
		wait := c.options.delay(next, lost, attempts)
		c.set(State{Name: Waiting, Reason: lost.reason, Code: lost.code, RetryIn: wait})
		c.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-c.ctx.Done():
		}
	}
}

// decide is called with the lock.
func (c *sessions[S]) decide(lost *loss) reconnect {
	next := c.afterClose(lost.code)
	if lost.status != 0 {
		next = afterStatus(lost.status)
	}
	isOnce := next == withTokenOnce
	switch {
	case lost.isFatal, (isOnce || next == withToken) && !c.hasToken, isOnce && c.hasRenewed:
		return never
	case isOnce:
		c.hasRenewed = true
	}
	return next
}

// set is called with the lock.
func (c *sessions[S]) set(state State) {
	c.state = state
	c.notices.add(notice{state: &state})
	if state.Name == Closed && c.ended != nil {
		c.ended(state.Reason)
	}
	if state.Name == Open || state.Name == Closed {
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

func (c *sessions[S]) report(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notices.add(notice{err: err})
}

// connect has one connection, and says how long its session was open.
func (c *sessions[S]) connect() (*loss, time.Duration) {
	if c.ctx.Err() != nil {
		return &loss{code: 1000, reason: "the client is closed"}, -1
	}
	// Not a child of the context of Run: to say goodbye takes a connection.
	ctx, end := context.WithCancelCause(context.WithoutCancel(c.ctx))
	defer end(nil)
	c.mu.Lock()
	c.set(State{Name: Connecting})
	c.mu.Unlock()
	late := time.AfterFunc(c.options.ConnectTimeout, func() { end(&loss{code: 1006, reason: "no welcome in time"}) })
	defer late.Stop()
	stopped := context.AfterFunc(c.ctx, func() { end(&loss{code: 1000, reason: "the client is closed"}) })
	socket, lost := c.options.dial(ctx)
	if lost != nil {
		stopped()
		return lost, -1
	}
	if !stopped() {
		_ = socket.CloseNow()
		return lossOf(ctx, context.Canceled), -1
	}
	l := &link{ctx: ctx, end: end, socket: socket, late: late, limit: c.options.PongTimeout}
	c.mu.Lock()
	c.set(State{Name: Authenticating})
	c.mu.Unlock()
	s := c.talk(l)
	l.others.Go(func() { l.closeAfter(c.ctx, s.goodbye) })
	l.others.Go(func() { l.ping(c.options.PingInterval) })
	l.others.Go(s.begin)
	lost = l.read(s.take)
	_ = socket.CloseNow()
	end(lost)
	c.mu.Lock()
	var none S
	c.session = none
	c.mu.Unlock()
	s.forget()
	l.others.Wait()
	if l.openedAt.IsZero() {
		return lost, -1
	}
	return lost, time.Since(l.openedAt)
}

// isOpen makes a session the present one, unless it is over. It is called with the lock.
func (c *sessions[S]) isOpen(s S, l *link) {
	if l.ctx.Err() != nil || c.ctx.Err() != nil {
		return
	}
	l.late.Stop()
	l.openedAt = time.Now()
	c.hasRenewed = false
	c.session = s
	c.set(State{Name: Open})
}

// open is the session, for which it waits.
func (c *sessions[S]) open(ctx context.Context) (S, error) {
	var none S
	for {
		c.mu.Lock()
		session, changed, state := c.session, c.changed, c.state
		c.mu.Unlock()
		switch {
		case state.Name == Closed:
			return none, ErrClosed.because("%s", state.Reason)
		case session != none:
			return session, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return none, aborted(ctx)
		}
	}
}

// aborted is the error of what was not done because its context is done.
func aborted(ctx context.Context) *Error { return &Error{Code: ErrAborted.Code, Cause: ctx.Err()} }

// handOn gives events to the program.
func (c *sessions[S]) handOn() {
	for {
		select {
		case hear := <-c.events:
			hear()
		case <-c.ctx.Done():
			return
		}
	}
}

// link is the connection of a session.
type link struct {
	// ctx ends with the connection, and its cause is the loss.
	ctx    context.Context
	end    context.CancelCauseFunc
	socket *websocket.Conn
	// late ends a connection without a session.
	late *time.Timer
	// limit is how long the server has to take a message, and to answer a ping.
	limit time.Duration
	// openedAt has the lock of the client.
	openedAt time.Time
	// others are the goroutines of the session beside the one that reads.
	others sync.WaitGroup
	// writing is held while a message is written.
	writing sync.Mutex
}

func (l *link) write(message any) error {
	text, err := encode(message)
	if err != nil {
		return err
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.writeText(text)
}

// writeText is called with writing.
func (l *link) writeText(text []byte) error {
	ctx, done := context.WithTimeoutCause(l.ctx, l.limit, &loss{code: 1006, reason: "the server does not read"})
	defer done()
	err := l.socket.Write(ctx, websocket.MessageText, text)
	// Of any other failure the reader finds out why: it may be a close frame.
	if late := (*loss)(nil); err != nil && errors.As(context.Cause(ctx), &late) {
		l.end(late)
	}
	return err
}

// read takes messages until the connection is lost.
func (l *link) read(take func(text []byte) *loss) *loss {
	for {
		kind, text, err := l.socket.Read(l.ctx)
		if err != nil {
			return lossOf(l.ctx, err)
		}
		if kind != websocket.MessageText {
			text = nil
		}
		if lost := take(text); lost != nil {
			return lost
		}
	}
}

// ping notices a server that is silent.
func (l *link) ping(interval time.Duration) {
	each := time.NewTicker(interval)
	defer each.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-each.C:
		}
		ctx, done := context.WithTimeout(l.ctx, l.limit)
		err := l.socket.Ping(ctx)
		done()
		if err != nil {
			l.end(&loss{code: 1006, reason: "the server is silent"})
			return
		}
	}
}

// closeAfter closes the connection when the client is to end.
func (l *link) closeAfter(stopped context.Context, goodbye func()) {
	select {
	case <-l.ctx.Done():
		return
	case <-stopped.Done():
	}
	late := time.AfterFunc(closeTimeout, func() { l.end(&loss{code: 1000, reason: "the client is closed"}) })
	defer late.Stop()
	goodbye()
	_ = l.socket.Close(websocket.StatusNormalClosure, "")
	l.end(&loss{code: 1000, reason: "the client is closed"})
}
