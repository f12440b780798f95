// Package peertest has a client for tests of protocols, without a connection.
package peertest

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	// #if auth
	"example.com/ws-app/internal/auth"
	// #endif
	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/protocol"
)

// timeout bounds every wait.
const timeout = 10 * time.Second

// Peer keeps what it is sent.
type Peer struct {
	// Offered is the subprotocol that was negotiated.
	Offered string
	// Context is that of what it says; it ends with Close and with the test.
	Context context.Context
	// Conversation is what it talks to.
	Conversation protocol.Conversation

	t      *testing.T
	cancel func()
	sent   chan string
	closed chan int

	mu       sync.Mutex
	identity *hook.Identity
	warnings int
	spent    int
	events   []string
	reason   string
	isOver   bool
	kinds    map[string]int
}

// Accept is a client whose user is known as ada, in a conversation that the end of the test closes.
func Accept(t *testing.T, spoken protocol.Protocol) *Peer {
	t.Helper()
	p := New(t, spoken.Subprotocol())
	p.Authenticate(t.Context(), "good ada")
	p.Conversation = spoken.Accept(p)
	return p
}

// New is a client that has not said who it is, in no conversation yet.
func New(t *testing.T, subprotocol string) *Peer {
	t.Helper()
	p := &Peer{Offered: subprotocol, t: t, sent: make(chan string, 100_000), closed: make(chan int, 1), kinds: map[string]int{}}
	p.Context, p.cancel = context.WithCancel(t.Context())
	// #if auth
	// #else
	//~ p.identity = &hook.Identity{User: "ada"}
	// #endif
	t.Cleanup(p.Leave)
	return p
}

// Leave ends the connection.
func (p *Peer) Leave() {
	p.mu.Lock()
	isOver := p.isOver
	p.isOver = true
	p.mu.Unlock()
	p.cancel()
	if !isOver && p.Conversation != nil {
		p.Conversation.Close()
	}
}

// Say sends a text message to the server.
func (p *Peer) Say(text string) {
	p.t.Helper()
	if p.Context.Err() != nil {
		return
	}
	if err := p.Conversation.Receive(p.Context, []byte(text)); err != nil {
		p.t.Fatalf("%s: %v", text, err)
	}
}

// Next is the next message of the server.
func (p *Peer) Next() string {
	p.t.Helper()
	select {
	case text := <-p.sent:
		return text
	case <-time.After(timeout):
		p.t.Fatal("nothing came")
		return ""
	}
}

// Expect takes the next message, which has to be JSON of the same value.
func (p *Peer) Expect(want string) {
	p.t.Helper()
	if got := p.Next(); !isSame(got, want) {
		p.t.Fatalf("got %s, want %s", got, want)
	}
}

func isSame(one, other string) bool {
	var values [2]any
	for i, text := range []string{one, other} {
		if json.Unmarshal([]byte(text), &values[i]) != nil {
			return false
		}
	}
	// Keys are sorted.
	first, _ := json.Marshal(values[0])
	second, _ := json.Marshal(values[1])
	return string(first) == string(second)
}

// Unread are the messages that nobody has asked for yet.
func (p *Peer) Unread() []string {
	var texts []string
	for {
		select {
		case text := <-p.sent:
			texts = append(texts, text)
		default:
			return texts
		}
	}
}

// ExpectClose waits for the close code.
func (p *Peer) ExpectClose(code int) {
	p.t.Helper()
	select {
	case got := <-p.closed:
		if got != code {
			p.t.Fatalf("closed with %d, want %d: %s", got, code, p.reason)
		}
	case <-time.After(timeout):
		p.t.Fatalf("not closed, want %d", code)
	}
}

// IsOpen is whether the server has not closed it.
func (p *Peer) IsOpen() bool { return p.Context.Err() == nil }

// Logged reports whether there was an event.
func (p *Peer) Logged(event string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, logged := range p.events {
		if logged == event {
			return true
		}
	}
	return false
}

// Spent are the messages that it cost besides those that it has sent.
func (p *Peer) Spent() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.spent
}

// ID is part of protocol.Peer, as what follows.
func (p *Peer) ID() string { return "peer" }

// Subprotocol is what was negotiated.
func (p *Peer) Subprotocol() string { return p.Offered }

// Identity is who it is.
func (p *Peer) Identity() *hook.Identity {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.identity
}

// Authenticate takes "good ada" for a token of ada.
func (p *Peer) Authenticate(_ context.Context, token string) *hook.Identity {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(token) < 6 || token[:5] != "good " {
		return nil
	}
	p.identity = &hook.Identity{User: token[5:]}
	// #if auth
	p.identity.Token = &auth.Token{User: token[5:], ExpiresAt: time.Unix(2_000_000_000, 0)}
	// #endif
	return p.identity
}

// Admit does without a token.
func (p *Peer) Admit() {}

// Send keeps a message.
func (p *Peer) Send(message *protocol.Message) {
	p.mu.Lock()
	p.kinds[message.Kind]++
	p.mu.Unlock()
	if p.IsOpen() {
		p.sent <- string(message.Text)
	}
}

// Wait does not.
func (p *Peer) Wait() {}

// Close says goodbye.
func (p *Peer) Close(code int, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Context.Err() == nil {
		p.reason = reason
		p.closed <- code
	}
	p.cancel()
}

// Spend counts.
func (p *Peer) Spend(messages int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spent += messages
}

// Warn lets some go by.
func (p *Peer) Warn() bool {
	p.mu.Lock()
	p.warnings++
	isFew := p.warnings <= 20
	p.mu.Unlock()
	if !isFew {
		p.Close(1008, "too many invalid messages")
	}
	return isFew
}

// Received counts.
func (p *Peer) Received(kind string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kinds["received "+kind]++
}

// Finished counts.
func (p *Peer) Finished(kind string, _ time.Duration) { p.Received("finished " + kind) }

// Counted is how many messages of a kind there were; those of the client are "received <kind>".
func (p *Peer) Counted(kind string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kinds[kind]
}

// Log keeps the event.
func (p *Peer) Log(_ slog.Level, event string, _ ...slog.Attr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, event)
}
