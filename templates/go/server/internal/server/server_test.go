package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	// #if realtime
	"net/http/httptest"
	// #endif
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	// #if auth
	"example.com/ws-app/internal/auth"
	// #endif
	"example.com/ws-app/internal/config"
	// #if realtime
	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/realtime"
	// #endif
	"example.com/ws-app/internal/websocket"
	"example.com/ws-app/internal/wstest"
)

// running is a server of a test.
type running struct {
	address string
	log     *journal
	// stop ends it; ended has how it ended.
	stop  context.CancelCauseFunc
	ended chan error
}

// journal keeps the log.
type journal struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines.Write(p)
}

// find waits for a line of an event.
func (j *journal) find(t *testing.T, event string) map[string]any {
	t.Helper()
	for deadline := time.Now().Add(wstest.Timeout); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		j.mu.Lock()
		lines := strings.Split(j.lines.String(), "\n")
		j.mu.Unlock()
		for _, line := range lines {
			var fields map[string]any
			if json.Unmarshal([]byte(line), &fields) == nil && fields["event"] == event {
				return fields
			}
		}
	}
	t.Fatalf("there is no line %q in the log", event)
	return nil
}

func echo(_ context.Context, conn *websocket.Conn, message websocket.Message) error {
	return conn.Send(message)
}

// newTestServer makes a server that calls handle for each message.
func newTestServer(settings config.Config, logger *slog.Logger, handle websocket.Handler) *Server {
	// #if realtime
	// #if auth
	hub := realtime.NewHub(&settings, auth.New(settings.Auth, time.Now))
	// #else
	//~ hub := realtime.NewHub(&settings, func(*http.Request) (string, bool) { return "ada", true })
	// #endif
	s := New(settings, logger, hub)
	s.talk = func(ctx context.Context, conn *websocket.Conn, _ realtime.Peer, _ hook.Identity) (int, error) {
		return conn.Serve(ctx, handle)
	}
	return s
	// #else
	//~ return New(settings, logger, handle)
	// #endif
}

func start(t *testing.T, env map[string]string, handle websocket.Handler) *running {
	t.Helper()
	settings, err := config.Load(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	r := &running{address: inner.Addr().String(), log: &journal{}, stop: stop, ended: make(chan error, 1)}
	go func() { r.ended <- newTestServer(settings, NewLogger(r.log), handle).Serve(ctx, inner) }()
	t.Cleanup(func() { stop(errors.New("the test is over")) })
	return r
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"SUBPROTOCOLS": "v2,v1"}, echo)
	for name, test := range map[string]struct {
		status int
		fields []string
	}{
		"in order":             {101, nil},
		"version 8":            {426, []string{"Sec-WebSocket-Version: 8"}},
		"no key":               {400, []string{"Sec-WebSocket-Key: "}},
		"a short key":          {400, []string{"Sec-WebSocket-Key: c2hvcnQ="}},
		"a body":               {400, []string{"Content-Length: 5"}},
		"no upgrade":           {426, []string{"Upgrade: "}},
		"another page":         {403, []string{"Origin: http://evil.example"}},
		"a page of this host":  {101, []string{"Origin: http://" + r.address}},
		"a page of localhost":  {101, []string{"Origin: http://localhost:5173"}},
		"a name pointing here": {403, []string{"Host: evil.example", "Origin: http://evil.example"}},
		"a known subprotocol":  {101, []string{"Sec-WebSocket-Protocol: v0, v1, v2"}},
		"an unknown one":       {400, []string{"Sec-WebSocket-Protocol: v0"}},
		"compression":          {101, []string{"Sec-WebSocket-Extensions: permessage-deflate"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, response := wstest.Handshake(t, r.address, test.fields...)
			if response.StatusCode != test.status {
				t.Errorf("got %s, want %d", response.Status, test.status)
			}
			if name == "a known subprotocol" && response.Header.Get("Sec-WebSocket-Protocol") != "v2" {
				t.Errorf("got the subprotocol %s", response.Header.Get("Sec-WebSocket-Protocol"))
			}
		})
	}
}

// #if realtime

func TestSpaceIsMadeWhileTheServerIsLeaving(t *testing.T) {
	settings, err := config.Load(func(name string) string { return map[string]string{"DRAIN_DELAY": "600000"}[name] })
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	hub := realtime.NewHub(&settings, nil)
	trimmed := make(chan struct{}, 1)
	hub.OnTrim(func() { trimmed <- struct{}{} })
	s := New(settings, NewLogger(&journal{}), hub)
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errors.New("the test says so"))
	go s.Serve(ctx, listener)
	for phase := ""; phase != "leaving"; phase, _ = s.phase() {
		time.Sleep(time.Millisecond)
	}
	s.registry.sayHeld()
	select {
	case <-trimmed:
	case <-time.After(wstest.Timeout):
		t.Error("nothing was trimmed")
	}
}

func TestHandlersWorkWhileTheServerIsLeaving(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"DRAIN_DELAY": "600000"}, func(ctx context.Context, conn *websocket.Conn, message websocket.Message) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return echo(ctx, conn, message)
	})
	client := wstest.Dial(t, r.address)
	r.stop(errors.New("the test says so"))
	for status := 0; status != http.StatusServiceUnavailable; {
		response, err := http.Get("http://" + r.address + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		status = response.StatusCode
	}
	client.Send(0x81, "still here")
	client.Expect(0x81, "still here")
}

func TestIdentifyThatPanicsFreesThePlace(t *testing.T) {
	settings, err := config.Load(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	// #if auth
	hub := realtime.NewHub(&settings, nil)
	// #else
	//~ hub := realtime.NewHub(&settings, func(*http.Request) (string, bool) { panic("out of luck") })
	// #endif
	lines := &journal{}
	s := New(settings, NewLogger(lines), hub)
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Authorization": "Bearer any",
	} {
		request.Header.Set(name, value)
	}
	response := httptest.NewRecorder()
	s.serveHTTP(t.Context(), response, request)
	if open, _ := s.registry.use(); response.Code != http.StatusInternalServerError || open != 0 {
		t.Errorf("got %d, and %d places are taken", response.Code, open)
	}
	if message, _ := lines.find(t, "identify-failed")["message"].(string); !strings.Contains(message, "goroutine") {
		t.Errorf("no stack in %q", message)
	}
}

// #endif

func TestHandlerThatPanicsEndsOneConnection(t *testing.T) {
	t.Parallel()
	r := start(t, nil, func(ctx context.Context, conn *websocket.Conn, message websocket.Message) error {
		if string(message.Data) == "bad luck" {
			panic("out of luck")
		}
		return echo(ctx, conn, message)
	})
	lucky := wstest.Dial(t, r.address)
	unlucky := wstest.Dial(t, r.address)
	unlucky.Send(0x81, "bad luck")
	unlucky.ExpectClose(websocket.CloseInternal)
	unlucky.ExpectEnd()
	message, _ := r.log.find(t, "handler-failed")["message"].(string)
	if !strings.Contains(message, "out of luck") || !strings.Contains(message, "server_test.go") {
		t.Errorf("the log has no stack: %s", message)
	}
	lucky.Send(0x81, "hello")
	lucky.Expect(0x81, "hello")
	wstest.Dial(t, r.address)
}

func TestHandlerThatFailsLogsSomeLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := newTestServer(config.Config{}, NewLogger(&log), echo)
		place, stack := s.registry.of("192.0.2.1"), strings.Repeat("at a line\n", 100)
		for range linesAtOnce {
			s.logEnd(place, websocket.CloseInternal, errors.New(stack))
		}
		if lines := strings.Count(log.String(), "handler-failed"); lines != linesAtOnce/2 {
			t.Errorf("the log has %d lines", lines)
		}
		if stacks := strings.Count(log.String(), "at a line"); stacks != 100*linesAtOnce/2 {
			t.Errorf("stacks were shortened to %d lines", stacks)
		}
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	r := start(t, nil, echo)
	clients := make([]*wstest.Client, 20)
	for i := range clients {
		clients[i] = wstest.Dial(t, r.address)
		clients[i].Send(0x81, "hello")
		clients[i].Expect(0x81, "hello")
	}
	r.stop(errors.New("terminated"))
	r.log.find(t, "draining")
	if _, response := wstest.Handshake(t, r.address); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a late handshake got %s", response.Status)
	}
	for _, client := range clients {
		client.ExpectClose(websocket.CloseGoingAway)
		client.ExpectEnd()
		_ = client.Close()
	}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	r.log.find(t, "stopped")
}

func TestDrainDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"DRAIN_TIMEOUT": "100"}, echo)
	wstest.Dial(t, r.address)
	r.stop(errors.New("terminated"))
	select {
	case <-r.ended:
	case <-time.After(wstest.Timeout):
		t.Error("it waits for a client that says nothing")
	}
}

func TestSilentClientIsDropped(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"HANDSHAKE_TIMEOUT": "100"}, echo)
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	wstest.New(t, conn).ExpectEnd()
}

func TestPlacesOfAnAddress(t *testing.T) {
	t.Parallel()
	r := start(t, map[string]string{"MAX_CONNECTIONS_PER_IP": "2"}, echo)
	first := wstest.Dial(t, r.address)
	wstest.Dial(t, r.address)
	_, response := wstest.Handshake(t, r.address)
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusTooManyRequests || !strings.Contains(string(body), "MAX_CONNECTIONS_PER_IP") {
		t.Errorf("got %s: %s", response.Status, body)
	}
	first.Send(0x88, "\x03\xe8")
	first.ExpectClose(websocket.CloseNormal)
	first.ExpectEnd()
	// Its place is free by then.
	wstest.Dial(t, r.address)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	r := start(t, nil, echo)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/": 426, "/elsewhere": 404} {
		response, err := http.Get("http://" + r.address + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: got %s, want %d", path, response.Status, want)
		}
	}
}

func TestMemoryOfAddresses(t *testing.T) {
	t.Parallel()
	settings := &config.Config{MemoryBudget: 1000, MaxConnectionsPerIP: 1, MaxConnections: 10}
	r := newRegistry(settings, NewLogger(io.Discard))
	first, second := r.newClient(r.of("192.0.2.1")), r.newClient(r.of("192.0.2.2"))
	if !first.Hold(500) || first.Hold(1) {
		t.Error("an address gets more than half, or less")
	}
	first.Hold(-1)
	if !second.Hold(250) || second.Hold(1) {
		t.Error("another gets more than half of what is left, or less")
	}
}

func TestAddressKey(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "192.0.2.1:4711": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1",
		"[::ffff:192.0.2.1]:1": "192.0.2.1", `"[2001:db8::1]:80"`: "2001:db8::/64", "2001:DB8:0:0:ffff::2": "2001:db8::/64",
		"2001:db8::4%eth0": "2001:db8::/64", "[2001:db8::3]": "2001:db8::/64", "2001:db8:0:1::1": "2001:db8:0:1::/64",
		"192.000.002.001": "unknown", "garbage": "unknown", "": "unknown", "[2001:db8::1": "unknown",
	} {
		if got := addressKey(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestLogHasNothingThatTerminalsObey(t *testing.T) {
	t.Parallel()
	var line bytes.Buffer
	NewLogger(&line).Warn("handshake-refused", "origin", printable("http://\x9b31m\x85"), "host", "a\u202e\x1b\x7f\u20ac")
	if got := line.String(); !strings.Contains(got, `"origin":"http://\u009b31m\u0085","host":"a\u202e\u001b\u007f€"`) {
		t.Error(got)
	}
	if !strings.Contains(line.String(), `"level":"warn","event":"handshake-refused"`) {
		t.Error(line.String())
	}
}
