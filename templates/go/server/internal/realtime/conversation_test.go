package realtime_test

import (
	"context"
	"errors"
	"io"
	"net"
	// #if auth
	// #else
	//~ "net/http"
	// #endif
	"strings"
	"testing"
	// #if auth
	"time"
	// #endif

	// #if auth
	"example.com/ws-app/internal/auth"
	// #endif
	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/protocol"
	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/server"
	"example.com/ws-app/internal/wstest"
)

// deeds is a protocol that does what a message says.
type deeds struct {
	closed chan struct{}
	ended  chan struct{}
}

func (d *deeds) Subprotocol() string { return "test.v1" }

func (d *deeds) CloseCode(code int) int { return code + 100 }

func (d *deeds) Accept(peer protocol.Peer) protocol.Conversation { return &deed{of: d, peer: peer} }

type deed struct {
	of   *deeds
	peer protocol.Peer
	// under is the error of the context of what it waits for.
	under func() error
}

func (d *deed) say(text string) { d.peer.Send(protocol.NewMessage("text", []byte(text))) }

func (d *deed) Receive(ctx context.Context, text []byte) error {
	what, rest, _ := strings.Cut(string(text), " ")
	switch what {
	case "echo":
		d.say(rest)
	case "fail":
		return errors.New("a bug")
	case "panic":
		panic("a bug")
	case "warn":
		d.peer.Warn()
	case "flood":
		d.say(strings.Repeat("x", 100_000))
	case "close":
		d.peer.Close(4321, rest)
	case "wait":
		d.under = ctx.Err
		context.AfterFunc(ctx, func() { d.of.ended <- struct{}{} })
	case "who":
		name := "nobody"
		if identity := d.peer.Identity(); identity != nil {
			name = identity.User
		}
		d.say(name)
	// #if auth
	case "token":
		if d.peer.Authenticate(ctx, rest) == nil {
			d.say("refused")
		} else {
			d.say("welcome")
		}
	// #endif
	}
	return nil
}

func (d *deed) Drain() {
	if d.under != nil && d.under() != nil {
		d.say("cut off")
	}
	d.say("goodbye")
}

func (d *deed) Close() { d.of.closed <- struct{}{} }

// #if auth

const secret = "0123456789abcdef0123456789abcdef"

func tokenOf(t *testing.T, user string) string {
	t.Helper()
	token, err := auth.Sign(&auth.Options{Secret: secret}, user, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// #endif

// host returns the address of a server of deeds, which stop ends.
func host(t *testing.T, env map[string]string) (address string, done *deeds, stop func()) {
	t.Helper()
	settings, err := config.Load(func(name string) string {
		// #if auth
		if name == "AUTH_SECRET" {
			return secret
		}
		// #endif
		if name == "SUBPROTOCOLS" {
			return "test.v1"
		}
		return env[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	// #if auth
	hub := realtime.NewHub(&settings, auth.New(settings.Auth, time.Now))
	// #else
	//~ hub := realtime.NewHub(&settings, func(*http.Request) (string, bool) { return "ada", true })
	// #endif
	done = &deeds{make(chan struct{}, 100), make(chan struct{}, 100)}
	hub.Speak(done)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.New(settings, server.NewLogger(io.Discard), hub).Serve(ctx, listener) }()
	stop = func() { cancel(errors.New("the test is over")) }
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return listener.Addr().String(), done, stop
}

// dial connects ada.
func dial(t *testing.T, address string) *wstest.Client {
	t.Helper()
	// #if auth
	return wstest.Dial(t, address, "Sec-WebSocket-Protocol: test.v1", "Authorization: Bearer "+tokenOf(t, "ada"))
	// #else
	//~ return wstest.Dial(t, address, "Sec-WebSocket-Protocol: test.v1")
	// #endif
}

func TestAConversation(t *testing.T) {
	t.Parallel()
	address, done, _ := host(t, nil)
	client := dial(t, address)
	client.Send(0x81, "who")
	client.Expect(0x81, "ada")
	client.Send(0x81, "wait")
	client.Send(0x81, "close "+strings.Repeat("é", 100))
	client.ExpectClose(4321)
	<-done.ended
	<-done.closed
	for what, code := range map[string]int{"fail": 1011, "panic": 1011} {
		client := dial(t, address)
		client.Send(0x81, what)
		client.ExpectClose(code)
		<-done.closed
	}
	binary := dial(t, address)
	binary.Send(0x82, "echo x")
	binary.ExpectClose(1103)
	// The server is as it was, and a client that goes is noticed.
	gone := dial(t, address)
	gone.Send(0x81, "wait")
	gone.Send(0x81, "echo x")
	gone.Expect(0x81, "x")
	_ = gone.Close()
	<-done.ended
}

func TestAConversationIsBounded(t *testing.T) {
	t.Parallel()
	address, _, _ := host(t, map[string]string{"MAX_BUFFERED": "65536", "RATE_LIMIT": "100000", "RATE_BURST": "100000"})
	client := dial(t, address)
	for range 30 {
		client.Send(0x81, "warn")
	}
	client.ExpectClose(1108)
}

func TestTheLastWordsOfAConversation(t *testing.T) {
	t.Parallel()
	address, done, stop := host(t, nil)
	client := dial(t, address)
	client.Send(0x81, "wait")
	client.Send(0x81, "echo x")
	client.Expect(0x81, "x")
	stop()
	client.Expect(0x81, "goodbye")
	client.ExpectClose(1001)
	<-done.ended
}

// #if rate-limit

func TestMessagesAboveTheRateOfAUserAreTakenLater(t *testing.T) {
	t.Parallel()
	address, _, _ := host(t, map[string]string{"USER_RATE_LIMIT": "1000", "USER_RATE_BURST": "1"})
	client := dial(t, address)
	for range 20 {
		client.Send(0x81, "echo x")
	}
	for range 20 {
		client.Expect(0x81, "x")
	}
}

// #endif
// #if auth

func TestAConversationMayAskWhoItIs(t *testing.T) {
	t.Parallel()
	address, _, _ := host(t, map[string]string{"AUTH_TIMEOUT": "5000"})
	client := wstest.Dial(t, address, "Sec-WebSocket-Protocol: test.v1")
	for _, step := range [][2]string{
		{"who", "nobody"},
		{"token nonsense", "refused"},
		{"who", "nobody"},
		{"token " + tokenOf(t, "bob"), "welcome"},
		{"who", "bob"},
		{"token " + tokenOf(t, "eve"), "refused"},
		{"who", "bob"},
	} {
		client.Send(0x81, step[0])
		client.Expect(0x81, step[1])
	}
	address, _, _ = host(t, map[string]string{"AUTH_TIMEOUT": "50"})
	wstest.Dial(t, address, "Sec-WebSocket-Protocol: test.v1").ExpectClose(4600)
}

// #endif
