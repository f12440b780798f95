package realtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	// #if auth
	"example.com/ws-app/internal/auth"
	// #endif
	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/protocol"
	"example.com/ws-app/internal/rate"
	"example.com/ws-app/internal/websocket"
)

// reasonOctets are those of the longest reason in a close frame (RFC 6455 section 5.5).
const reasonOctets = 123

// conversation runs one client that speaks a protocol of others; it is the peer of that.
type conversation struct {
	hub    *Hub
	client *Client
	// spoken is nil before the protocol knows of the client; mu guards it, and warnings.
	spoken   protocol.Conversation
	warnings rate.Bucket
	mu       sync.Mutex
	// #if rate-limit
	// user is nil before it is known.
	user *user
	// #endif
	// #if auth
	// holder has its token.
	holder holder
	// #endif
}

// converse has a connection until it ends, as conn.Serve does.
func (h *Hub) converse(ctx context.Context, client *Client, spoken protocol.Protocol) (code int, err error) {
	// When the server shuts down, it ends with the connection, not before: what is under way has not failed.
	within, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	client.end = end
	if coded, ok := spoken.(protocol.Coded); ok {
		client.closeCode = coded.CloseCode
	}
	c := &conversation{hub: h, client: client, warnings: rate.NewBucket(1, errorsAtOnce)}
	// #if auth
	c.holder = holder{hub: h, client: client}
	// #endif
	defer h.enter(client, c.drain)(&code)
	// #if metrics
	client.peer.OnThrottled(func() { h.figures.limited.of("connection").Add(1) })
	// #else
	//~ client.peer.OnThrottled(func() {})
	// #endif
	client.Log(slog.LevelInfo, "connected", slog.String("protocol", spoken.Subprotocol()))
	c.begin()
	err = c.safely(func() error {
		made := spoken.Accept(c)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.spoken = made
		return nil
	})
	code, served := client.conn.Serve(ctx, func(_ context.Context, _ *websocket.Conn, message websocket.Message) error {
		return c.receive(within, message)
	})
	end()
	c.end()
	return code, errors.Join(err, served)
}

// safely reports what went wrong in the protocol: that ends the connection, and not the server.
func (c *conversation) safely(act func() error) (err error) {
	defer func() {
		if failed := recover(); failed != nil {
			err = fmt.Errorf("panic: %v\n%s", failed, debug.Stack())
		}
		if err != nil {
			c.client.Close(CloseReason{websocket.CloseInternal, "internal error"})
		}
	}()
	return act()
}

func (c *conversation) begin() {
	// #if auth
	if token := c.client.Identity().Token; token == nil {
		c.holder.await()
	} else if c.holder.hold(token) {
		c.admit()
	}
	// #else
	//~ c.admit()
	// #endif
}

// admit is called when the user is known.
func (c *conversation) admit() {
	// #if rate-limit
	if c.user = c.hub.users.enter(c.client.User()); c.user == nil {
		c.client.Close(TooManyConnections)
	}
	// #endif
}

func (c *conversation) end() {
	// #if auth
	c.holder.plan.end()
	// #endif
	_ = c.safely(func() error {
		if c.spoken != nil {
			c.spoken.Close()
		}
		return nil
	})
	// #if rate-limit
	if c.user != nil {
		c.hub.users.leave(c.user)
	}
	// #endif
}

func (c *conversation) drain() {
	c.mu.Lock()
	spoken := c.spoken
	c.mu.Unlock()
	if spoken != nil {
		_ = c.safely(func() error {
			spoken.Drain()
			return nil
		})
	}
}

// receive handles one message. Its data is valid until it returns.
func (c *conversation) receive(ctx context.Context, message websocket.Message) error {
	if message.Type != websocket.Text {
		c.client.Close(UnsupportedData)
		return nil
	}
	// #if rate-limit
	// A protocol has no words for what is left out: it is taken later, when other connections leave a token.
	wait := c.hub.users.take(c.user, time.Now())
	// #if metrics
	if wait > 0 {
		c.hub.figures.limited.of("user").Add(1)
	}
	// #endif
	for ; wait > 0; wait = c.hub.users.take(c.user, time.Now()) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
	// #endif
	return c.spoken.Receive(ctx, message.Data)
}

// ID is part of protocol.Peer, as what follows.
func (c *conversation) ID() string { return c.client.ID }

func (c *conversation) Subprotocol() string { return c.client.conn.Subprotocol }

func (c *conversation) Identity() *hook.Identity {
	identity := c.client.Identity()
	// #if auth
	if identity.Token == nil {
		return nil
	}
	// #endif
	return &identity
}

// #if auth

func (c *conversation) Authenticate(ctx context.Context, text string) *hook.Identity {
	c.client.conn.Charge(authCost - 1)
	isKnown := c.client.Identity().Token != nil
	token, err := c.holder.check(ctx, text)
	var unavailable *auth.UnavailableError
	switch {
	case errors.As(err, &unavailable):
		// A token that was accepted before is good until it expires.
		if !isKnown {
			c.client.Close(TryAgainLater)
		}
		return nil
	case err != nil:
		c.Warn()
		return nil
	case !c.holder.hold(token):
		return nil
	}
	if !isKnown {
		c.admit()
	}
	return c.Identity()
}

// #if wamp

func (c *conversation) Admit() {
	if c.client.Identity().Token == nil {
		c.holder.plan.set()
	}
}

// #endif
// #endif

func (c *conversation) Send(message *protocol.Message) {
	prepared := message.Prepared()
	// #if metrics
	made := &Message{prepared: prepared, sent: c.hub.figures.sent.of(message.Kind)}
	// #else
	//~ made := &Message{prepared: prepared}
	// #endif
	c.client.sent(made, c.client.conn.Post(prepared), false)
}

func (c *conversation) Wait() { c.client.conn.WaitHalf() }

func (c *conversation) Close(code int, reason string) {
	c.client.conn.Close(code, strings.ToValidUTF8(reason[:min(len(reason), reasonOctets)], ""))
	c.client.end()
}

func (c *conversation) Spend(messages int) {
	c.client.conn.Charge(float64(messages))
	// #if rate-limit
	c.hub.users.spend(c.user, messages)
	// #endif
}

func (c *conversation) Warn() bool {
	c.mu.Lock()
	isFew := c.warnings.Take(time.Now(), 1)
	c.mu.Unlock()
	if !isFew {
		c.client.Close(PolicyViolation)
	}
	return isFew
}

// #if metrics

func (c *conversation) Received(kind string) { c.hub.figures.received.of(kind).Add(1) }

func (c *conversation) Finished(kind string, took time.Duration) {
	c.hub.figures.seconds.add(kind, took)
}

// #endif

func (c *conversation) Log(level slog.Level, event string, attrs ...slog.Attr) {
	c.client.Log(level, event, attrs...)
}
