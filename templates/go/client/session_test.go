package wsclient

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	// #if graphql || jsonrpc
	"runtime"
	// #endif
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// longest is how long a test waits: what hangs has to fail.
const longest = 20 * time.Second

// farEnd is the server's end of a connection.
type farEnd struct {
	t        *testing.T
	socket   *websocket.Conn
	messages chan json.RawMessage
	// closed gets why the connection has ended.
	closed chan error
}

// host is a server that a test speaks for.
type host struct {
	t     *testing.T
	url   string
	peers chan *farEnd
	// refuse answers a handshake in place of the server, if it says so.
	refuse func(w http.ResponseWriter) bool
	// isSilent is whether the connections are not read from.
	isSilent bool
}

func newHost(t *testing.T, subprotocol string) *host {
	t.Helper()
	h := &host{t: t, peers: make(chan *farEnd, 10)}
	ended := make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if h.refuse != nil && h.refuse(w) {
			return
		}
		socket, err := websocket.Accept(w, request, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}})
		if err != nil {
			return
		}
		socket.SetReadLimit(-1)
		p := &farEnd{t, socket, make(chan json.RawMessage, 100), make(chan error, 1)}
		h.peers <- p
		for !h.isSilent {
			_, text, err := socket.Read(context.Background())
			if err != nil {
				p.closed <- err
				return
			}
			p.messages <- text
		}
		<-ended
	}))
	t.Cleanup(web.Close)
	t.Cleanup(func() { close(ended) })
	h.url = "ws" + strings.TrimPrefix(web.URL, "http")
	return h
}

// options are those of a client whose waits are short.
func (h *host) options(options Options) Options {
	options.URL, options.BackoffBase = h.url, cmp.Or(options.BackoffBase, time.Millisecond)
	return options
}

// accept is the next connection.
func (h *host) accept() *farEnd {
	h.t.Helper()
	return received(h.t, h.peers, "a connection")
}

func (p *farEnd) say(text string, values ...any) {
	if len(values) > 0 {
		text = fmt.Sprintf(text, values...)
	}
	if err := p.socket.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		p.t.Log("say:", err)
	}
}

// cut breaks the connection off, and close says goodbye.
func (p *farEnd) cut() { _ = p.socket.CloseNow() }

func (p *farEnd) close(code websocket.StatusCode) { go func() { _ = p.socket.Close(code, "") }() }

// keep runs a client until the end of the test; what Run returns comes then.
func keep(t *testing.T, run func(context.Context) error, end func()) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	hasEnded := make(chan struct{})
	go func() {
		ended <- run(context.Background())
		close(hasEnded)
	}()
	t.Cleanup(func() {
		end()
		received(t, hasEnded, "the end of Run")
	})
	return ended
}

func received[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case one := <-from:
		return one
	case <-time.After(longest):
	}
	t.Fatalf("waited in vain for %s", what)
	panic("unreachable")
}

// #if graphql || jsonrpc

// giveWay lets other goroutines begin.
func giveWay() {
	for range 1000 {
		runtime.Gosched()
	}
}

// #endif

// later runs act in a goroutine.
func later[T any](act func() (T, error)) (<-chan T, <-chan error) {
	values, errs := make(chan T, 1), make(chan error, 1)
	go func() {
		value, err := act()
		values <- value
		errs <- err
	}()
	return values, errs
}
