// Package protocol is between this server and the protocols of others that it speaks, each over the
// subprotocol of its name. They are given peers, not sockets: one of tests can take the place of a client.
package protocol

import (
	"context"
	"log/slog"
	"sync"
	// #if metrics
	"time"
	// #endif

	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/websocket"
)

// Protocol is one of others.
type Protocol interface {
	// Subprotocol is the name that is negotiated.
	Subprotocol() string
	// Accept is called when a client has come. Whose it is is known, unless it has to say so.
	Accept(peer Peer) Conversation
}

// Coded is a protocol with close codes of its own for some of those that this server has.
type Coded interface {
	CloseCode(code int) int
}

// Conversation is what is said to one client, from its handshake to its end.
type Conversation interface {
	// Receive takes a text message, which is valid until it returns. Nothing more is read from the client until
	// then: what may take long is for a goroutine. ctx ends when the connection does. An error closes it with 1011.
	Receive(ctx context.Context, text []byte) error
	// Drain is called when the server is about to close with 1001: what is sent in it comes before that.
	Drain()
	// Close is called once, when the connection has ended.
	Close()
}

// Peer is a client as a protocol sees it. Its methods may be called from anywhere, unless they say otherwise.
type Peer interface {
	// ID is the name of the connection.
	ID() string
	// Subprotocol is what was negotiated; empty if the client offered none.
	Subprotocol() string
	// #if auth
	// Identity is who it is; nil until it has said so.
	Identity() *hook.Identity
	// Authenticate checks its first token, or a newer one. Nil: it was refused, and the protocol has to say so in
	// its own way. A client that has not shown a token within AUTH_TIMEOUT is closed with 4500. Only in Receive.
	Authenticate(ctx context.Context, token string) *hook.Identity
	// #if wamp
	// Admit is called when it is known by the means of its protocol: it needs no token.
	Admit()
	// #endif
	// #else
	//~ // Identity is who it is.
	//~ Identity() *hook.Identity
	// #endif
	// Send sends a message. It never waits: a client that does not read is closed.
	Send(message *Message)
	// Wait waits while much that was sent to the client is not read, until it is or the client has gone.
	Wait()
	// Close starts the closing handshake, for which ctx of Receive ends, too.
	Close(code int, reason string)
	// Spend takes messages of its rate limits, besides the one that each message costs. Only in Receive.
	Spend(messages int)
	// Warn counts an invalid message; false if the client was closed over too many.
	Warn() bool
	// #if metrics
	// Received counts a message. kind is one of few, and nothing that the client makes up.
	Received(kind string)
	// Finished is told how long what was asked with a message took.
	Finished(kind string, took time.Duration)
	// #endif
	// Log says what the client did.
	Log(level slog.Level, event string, attrs ...slog.Attr)
}

// Message is a text message. One that many clients get is encoded once.
type Message struct {
	// Kind is for metrics, one of few.
	Kind string
	Text []byte

	once     sync.Once
	prepared *websocket.Prepared
}

// NewMessage makes a message.
func NewMessage(kind string, text []byte) *Message { return &Message{Kind: kind, Text: text} }

// Prepared is the message as a frame.
func (m *Message) Prepared() *websocket.Prepared {
	m.once.Do(func() { m.prepared = websocket.Prepare(websocket.Message{Type: websocket.Text, Data: m.Text}) })
	return m.prepared
}
