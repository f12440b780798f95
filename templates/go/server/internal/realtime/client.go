package realtime

import (
	"errors"
	"log/slog"
	"sync/atomic"

	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/websocket"
)

// Peer is the address that a client comes from.
type Peer interface {
	// Address has one form for all that count as one.
	Address() string
	// Log says what the client did: some lines a second and address.
	Log(level slog.Level, event string, attrs ...slog.Attr)
	// OnThrottled has call called when the client is above a rate for the first time.
	OnThrottled(call func())
}

// Client is a connection with its user. All its methods may be called from anywhere, and none waits.
type Client struct {
	// ID is the name of the connection.
	ID string

	hub      *Hub
	conn     *websocket.Conn
	peer     Peer
	identity atomic.Pointer[hook.Identity]
	// #if applications
	// flusher sends what is queued for it.
	flusher *flusher
	// #endif
	// #if protocols
	// closeCode is that of its protocol for one of this server, end is called when it is closed; nil: it has none.
	closeCode func(code int) int
	end       func()
	// #endif
}

// Identity is what is known of its user.
func (c *Client) Identity() hook.Identity { return *c.identity.Load() }

// User is the name of its user.
func (c *Client) User() string { return c.identity.Load().User }

// Address is the one whose share it uses.
func (c *Client) Address() string { return c.peer.Address() }

// Log says what the client did.
func (c *Client) Log(level slog.Level, event string, attrs ...slog.Attr) {
	c.peer.Log(level, event, append(attrs, slog.String("client", c.ID), slog.String("user", c.User()))...)
}

// #if applications

// Send sends a message to this client alone.
func (c *Client) Send(message Outgoing) {
	writer := newWriter()
	defer writer.giveBack()
	isFirst, err := c.conn.Reply(writer.write(message))
	if isFirst {
		c.flusher.add(c.conn)
	}
	// #if metrics
	c.sent(&Message{sent: c.hub.figures.sent.of(message.kind())}, err, false)
	// #else
	//~ c.sent(&Message{}, err, false)
	// #endif
}

// Fail answers a command with an error.
func (c *Client) Fail(id string, code Code, message string) {
	c.Send(errorMessage{Head: Head{"error", id}, Code: code, Message: message})
}

// Deliver sends a message. If too much waits for the client, one that is droppable is left out, and any
// other closes the connection: memory stays bounded.
func (c *Client) Deliver(message *Message, droppable bool) {
	// A write is the most of what a message costs: what comes at the same time for many goes out together.
	isFirst, err := c.conn.Queue(message.prepared)
	if isFirst {
		c.flusher.add(c.conn)
	}
	c.sent(message, err, droppable)
}

// #endif

func (c *Client) sent(message *Message, err error, droppable bool) {
	// #if metrics
	if err == nil {
		message.sent.Add(1)
	}
	// #endif
	if errors.Is(err, websocket.ErrSlow) && !droppable {
		// #if metrics
		c.hub.figures.slowConsumers.Add(1)
		// #endif
		c.Log(slog.LevelWarn, "slow-consumer")
		c.Close(SlowConsumer)
	}
}

// #if live

// DeliverIfSpace sends a message to a client that reads fast enough, or reports false: a quarter of what may wait
// is for messages like that, and whatever comes when nothing waits.
func (c *Client) DeliverIfSpace(message *Message) bool {
	err := c.conn.PostIfSpace(message.prepared)
	// #if metrics
	if err == nil {
		message.sent.Add(1)
	}
	// #endif
	return !errors.Is(err, websocket.ErrSlow)
}

// Waits reports whether anything has not left this process.
func (c *Client) Waits() bool { return c.conn.Waits() }

// OnDrained has call called whenever everything has left that had to wait.
func (c *Client) OnDrained(call func()) { c.conn.OnDrained(call) }

// #endif

// Close says goodbye; what was sent before is sent.
func (c *Client) Close(why CloseReason) {
	// #if protocols
	if c.closeCode != nil {
		why.Code = c.closeCode(why.Code)
	}
	// #endif
	c.conn.Close(why.Code, why.Reason)
	// #if protocols
	if c.end != nil {
		c.end()
	}
	// #endif
}

// Message is one that is made once, however many clients get it.
type Message struct {
	prepared *websocket.Prepared
	// #if metrics
	// sent counts messages of its type.
	sent *atomic.Int64
	// #endif
}
