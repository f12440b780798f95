// Package apptest has servers of one application for tests, and the people who use them.
package apptest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	// #if auth
	// #else
	//~ "net/http"
	// #endif
	"strings"
	"sync"
	"testing"
	// #if auth
	"time"
	// #endif

	// #if auth
	"example.com/ws-app/internal/auth"
	// #endif
	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/server"
	"example.com/ws-app/internal/store"
	"example.com/ws-app/internal/wstest"
)

// Make makes the application of a server.
type Make func(settings *config.Config, hub *realtime.Hub, kept store.Store) (realtime.Application, error)

// Journal keeps a log.
type Journal struct {
	mu    sync.Mutex
	lines strings.Builder
}

// Write is part of io.Writer.
func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines.Write(p)
}

// Has reports whether there was an event.
func (j *Journal) Has(event string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Contains(j.lines.String(), event)
}

// #if auth

// secret is that of the tokens.
const secret = "0123456789abcdef0123456789abcdef"

// #endif

// Start returns the address of a server, which the end of the test ends.
func Start(t *testing.T, env map[string]string, log io.Writer, application Make) string {
	t.Helper()
	settings, err := config.Load(func(name string) string {
		// #if auth
		if name == "AUTH_SECRET" {
			return secret
		}
		// #endif
		return env[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	// #if auth
	hub := realtime.NewHub(&settings, auth.New(settings.Auth, time.Now))
	// #else
	//~ hub := realtime.NewHub(&settings, func(r *http.Request) (string, bool) { return r.URL.Query().Get("user"), true })
	// #endif
	kept := store.NewMemory(store.LimitsOf(&settings, func() int { return settings.MemoryBudget }))
	made, err := application(&settings, hub, kept)
	if err != nil {
		t.Fatal(err)
	}
	hub.Add(made)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.New(settings, server.NewLogger(log), hub).Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop(errors.New("the test is over"))
		<-ended
	})
	return listener.Addr().String()
}

// Identity is the path and the fields of the handshake of a user.
func Identity(t *testing.T, user string) (path string, fields []string) {
	t.Helper()
	// #if auth
	token, err := auth.Sign(&auth.Options{Secret: secret}, user, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	return "/", []string{"Authorization: Bearer " + token}
	// #else
	//~ return "/?user=" + user, nil
	// #endif
}

// Person is a client that has got its welcome.
type Person struct {
	*wstest.Client
	t *testing.T
}

// Fields are those of a message.
type Fields map[string]any

// Connect connects a user; more are fields of its handshake.
func Connect(t *testing.T, address, user string, more ...string) *Person {
	t.Helper()
	path, fields := Identity(t, user)
	p := &Person{wstest.DialPath(t, address, path, append(fields, more...)...), t}
	if welcome := p.next(); welcome["type"] != "welcome" || welcome["user"] != user {
		t.Fatalf("got %v, want a welcome", welcome)
	}
	return p
}

// Say sends a message.
func (p *Person) Say(message Fields) {
	p.t.Helper()
	p.Send(0x81, string(realtime.JSON(message)))
}

func (p *Person) next() Fields {
	p.t.Helper()
	first, payload := p.Next()
	var message Fields
	if err := json.Unmarshal([]byte(payload), &message); first != 0x81 || err != nil {
		p.t.Fatalf("got frame %#x %q", first, payload)
	}
	return message
}

// Expect reads up to a message of a type, which has to have these fields.
func (p *Person) Expect(kind string, want Fields) Fields {
	p.t.Helper()
	for {
		message := p.next()
		if message["type"] != kind {
			continue
		}
		for name, value := range want {
			if got := realtime.JSON(message[name]); string(got) != string(realtime.JSON(value)) {
				p.t.Fatalf("got %v, want %v", message, want)
			}
		}
		return message
	}
}

// Refused sends a command, which has to be answered with an error.
func (p *Person) Refused(command Fields, code string) {
	p.t.Helper()
	command["id"] = "refused"
	p.Say(command)
	p.Expect("error", Fields{"id": "refused", "code": code})
}
