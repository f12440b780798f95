package wsclient

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Run connects, and stays connected until the context is done, Close is called, or the server says that there is no point.
// It returns the context's error, nil, or a *CloseError. A client runs once.
func (c *Client) Run(ctx context.Context) error {
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
	defer c.stop(nil)
	var handedOn sync.WaitGroup
	handedOn.Go(func() { c.notices.handOn(&c.mu) })
	defer handedOn.Wait()
	for attempts := 0; ; attempts++ {
		lost, uptime := c.connect()
		if uptime >= c.options.StableAfter {
			attempts = 0
		}
		wait, err := c.pause(lost, attempts)
		if err != nil {
			return err
		}
		select {
		case <-time.After(wait):
		case <-c.ctx.Done():
		}
		if c.ctx.Err() != nil {
			return c.stopped()
		}
	}
}

// stopped is the end by the context or Close.
func (c *Client) stopped() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	cause := context.Cause(c.ctx)
	c.finish(1000, cause.Error())
	if errors.Is(cause, ErrClosed) {
		return nil
	}
	return c.ctx.Err()
}

// pause is how long to wait for the next attempt, or why there is none.
func (c *Client) pause(lost *loss, attempts int) (time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost()
	if c.ctx.Err() != nil {
		return 0, nil
	}
	next := c.decide(lost)
	if next == never {
		c.finish(lost.code, lost.reason)
		return 0, &CloseError{lost.code, lost.reason}
	}
	wait := c.options.delay(next, lost, attempts)
	c.set(State{Name: Waiting, Reason: lost.reason, Code: lost.code, RetryIn: wait})
	return wait, nil
}

func (c *Client) decide(lost *loss) reconnect {
	next := afterClose(lost.code)
	if lost.status != 0 {
		next = afterStatus(lost.status)
	}
	if next != withToken && next != withTokenOnce {
		return next
	}
	// #if auth
	if c.options.Token != nil {
		return c.tokens.renew(next)
	}
	// #endif
	if next == withTokenOnce {
		return never
	}
	return withDelay
}

// connection is one to the server. All of it has the client's lock.
type connection struct {
	client *Client
	// ctx ends with the connection, and its cause is the loss.
	ctx    context.Context
	end    context.CancelCauseFunc
	socket *websocket.Conn

	welcomedAt time.Time
	// drain is the server's wish before it closes.
	drain *time.Duration

	// Of a connection's time limits one runs at a time.
	limit     timer
	ping      time.Duration
	heardAt   time.Time
	isProbing bool

	// out is what the writer takes, and buffered the bytes that it has not written.
	out      [][]byte
	buffered int
	wake     chan struct{}
	// #if auth

	refresh timer
	// authID is that of the last command auth.
	authID string
	// #endif
}

// connect makes a connection and reads from it until it is lost, and how long after its welcome that was.
func (c *Client) connect() (*loss, time.Duration) {
	conn := &connection{client: c, limit: timer{lock: &c.mu}, wake: make(chan struct{}, 1)}
	// #if auth
	conn.refresh.lock = &c.mu
	// #endif
	// Not a child of the context of Run: to close the connection takes a frame, which it would prevent.
	conn.ctx, conn.end = context.WithCancelCause(context.WithoutCancel(c.ctx))
	defer conn.end(nil)
	c.mu.Lock()
	c.conn = conn
	c.set(State{Name: Connecting})
	conn.limit.set(c.options.ConnectTimeout, func() {
		conn.lose(&loss{code: 1006, reason: "no welcome in time"})
	})
	c.mu.Unlock()

	var others sync.WaitGroup
	others.Go(func() { conn.closeAfter(c.ctx) })
	lost := conn.dial()
	if lost == nil {
		others.Go(conn.write)
		lost = conn.read()
		_ = conn.socket.CloseNow()
	}
	conn.end(lost)
	others.Wait()

	c.mu.Lock()
	defer c.mu.Unlock()
	conn.limit.stop()
	// #if auth
	conn.refresh.stop()
	// #endif
	if conn.drain != nil && !lost.isGiven {
		lost.retryAfter, lost.isGiven = *conn.drain, true
	}
	if conn.welcomedAt.IsZero() {
		return lost, -1
	}
	return lost, time.Since(conn.welcomedAt)
}

// closeAfter closes the connection when the client is to end.
func (conn *connection) closeAfter(stopped context.Context) {
	select {
	case <-conn.ctx.Done():
		return
	case <-stopped.Done():
	}
	conn.client.mu.Lock()
	socket := conn.socket
	conn.client.mu.Unlock()
	if socket != nil {
		late := time.AfterFunc(closeTimeout, func() { conn.end(nil) })
		_ = socket.Close(websocket.StatusNormalClosure, "")
		late.Stop()
	}
	conn.end(nil)
}

func (conn *connection) dial() *loss {
	socket, lost := conn.client.options.dial(conn.ctx)
	if lost != nil {
		return lost
	}
	conn.client.mu.Lock()
	defer conn.client.mu.Unlock()
	conn.socket = socket
	conn.client.set(State{Name: Authenticating})
	return nil
}

// lose ends the connection. The first reason counts.
func (conn *connection) lose(lost *loss) { conn.end(lost) }

func (conn *connection) isLost() bool { return conn.ctx.Err() != nil }

func (conn *connection) read() *loss {
	for {
		kind, data, err := conn.socket.Read(conn.ctx)
		if err != nil {
			return lossOf(conn.ctx, err)
		}
		conn.client.mu.Lock()
		if !conn.isLost() {
			conn.receive(kind, data)
		}
		conn.client.mu.Unlock()
	}
}

// write takes what is to be sent. When it fails, the reader finds out why.
func (conn *connection) write() {
	for {
		conn.client.mu.Lock()
		batch := conn.out
		conn.out = nil
		conn.client.mu.Unlock()
		for _, text := range batch {
			if conn.socket.Write(conn.ctx, websocket.MessageText, text) != nil {
				return
			}
			conn.client.mu.Lock()
			conn.buffered -= len(text)
			// #if chat || pubsub
			conn.client.outbox.flush()
			// #endif
			conn.client.mu.Unlock()
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-conn.wake:
		case <-conn.ctx.Done():
			return
		}
	}
}

// send reports whether the command was handed to the connection.
func (c *Client) send(command map[string]any) bool {
	text, err := encode(command)
	return err == nil && c.sendText(text)
}

func (c *Client) sendText(text []byte) bool {
	conn := c.conn
	if conn == nil || conn.socket == nil || conn.isLost() {
		return false
	}
	conn.out = append(conn.out, text)
	conn.buffered += len(text)
	select {
	case conn.wake <- struct{}{}:
	default:
	}
	return true
}

func (conn *connection) receive(kind websocket.MessageType, data []byte) {
	conn.heardAt = time.Now()
	if conn.isProbing {
		conn.watch()
	}
	message, err := parse(data, conn.client.protocol.known)
	if err != nil || kind != websocket.MessageText {
		// It may have been a message that is now lost: only a new connection can tell.
		conn.lose(&loss{code: 1006, reason: "malformed message"})
		return
	}
	if message == nil {
		return
	}
	isWelcomed := !conn.welcomedAt.IsZero()
	switch message.Type {
	case "welcome":
		if !isWelcomed {
			conn.welcome(message)
		}
	case "auth-required":
		if !isWelcomed {
			// #if auth
			conn.authenticate(message)
			// #else
			//~ conn.refuseToken("generate the client with the feature auth")
			// #endif
		}
	case "draining":
		wait, _ := message.retryAfter()
		conn.drain = &wait
	// #if auth
	case "authenticated":
		conn.planRefresh(message.ExpiresAt)
	case "token-expiring":
		conn.refreshToken()
	// #endif
	default:
		// #if auth
		if message.Code == "unavailable" && message.ID != "" && message.ID == conn.authID {
			conn.postponeToken(message)
		}
		// #endif
		if isWelcomed {
			conn.client.receive(message)
		} else if message.Type == "error" {
			conn.client.report(message.error())
		}
	}
}

func (conn *connection) welcome(message *incoming) {
	conn.client.features = message.Features
	conn.welcomedAt = time.Now()
	conn.ping = milliseconds(message.PingIntervalMs)
	if conn.ping <= 0 {
		conn.ping = defaultPing
	}
	conn.watch()
	// #if auth
	conn.client.tokens.hasRenewed = false
	conn.planRefresh(message.ExpiresAt)
	// #endif
	conn.client.welcome()
}

// watch waits until the server was silent for its ping interval.
func (conn *connection) watch() {
	conn.isProbing = false
	conn.limit.set(max(0, conn.ping-time.Since(conn.heardAt)), func() {
		if time.Since(conn.heardAt) < conn.ping {
			conn.watch()
			return
		}
		conn.isProbing = true
		conn.client.send(map[string]any{"type": "ping"})
		conn.limit.set(conn.client.options.PongTimeout, func() {
			conn.lose(&loss{code: 1006, reason: "the server is silent"})
		})
	})
}

// refuseToken: without one, another attempt would end like this one.
func (conn *connection) refuseToken(remedy string) {
	err := ErrToken.because("the server asks for a token: %s", remedy)
	conn.client.report(err)
	conn.lose(&loss{code: 4500, reason: err.Message})
}
