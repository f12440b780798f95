package websocket

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/ws-app/internal/wstest"
)

// unbounded is a Meter that lets everything pass.
type unbounded struct{}

func (unbounded) Hold(int) bool                        { return true }
func (unbounded) Spend(float64, float64) time.Duration { return 0 }

// counting is a Meter of what is held.
type counting struct {
	unbounded
	held atomic.Int64
}

func (m *counting) Hold(octets int) bool {
	m.held.Add(int64(octets))
	return true
}

func echo(_ context.Context, conn *Conn, message Message) error { return conn.Send(message) }

// serve serves one connection over loopback TCP. It returns the client, the connection and how Serve ended.
func serve(t *testing.T, options Options, isCompressed bool, handle Handler) (*wstest.Client, *Conn, <-chan error) {
	t.Helper()
	return serveUntil(t.Context(), t, options, isCompressed, handle)
}

// serveUntil is serve by a server that ends with ctx.
func serveUntil(ctx context.Context, t *testing.T, options Options, isCompressed bool, handle Handler) (*wstest.Client, *Conn, <-chan error) {
	t.Helper()
	return serveMetered(ctx, t, options, isCompressed, unbounded{}, handle)
}

// serveMetered is serveUntil with a meter.
func serveMetered(ctx context.Context, t *testing.T, options Options, isCompressed bool, meter Meter, handle Handler) (*wstest.Client, *Conn, <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn := newConn(accepted, nil, withDefaults(&options), meter)
	conn.deflate = isCompressed
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Serve(ctx, handle)
		conn.HangUp()
		ended <- err
	}()
	return wstest.New(t, dialed), conn, ended
}

func withDefaults(options *Options) *Options {
	defaults := Options{MaxPayload: 1 << 20, MaxBuffered: 1 << 20, PingInterval: time.Hour, MessageTimeout: time.Hour}
	if options.MaxPayload == 0 {
		options.MaxPayload = defaults.MaxPayload
	}
	if options.MaxBuffered == 0 {
		options.MaxBuffered = defaults.MaxBuffered
	}
	if options.PingInterval == 0 {
		options.PingInterval = defaults.PingInterval
	}
	if options.MessageTimeout == 0 {
		options.MessageTimeout = defaults.MessageTimeout
	}
	return options
}

func TestHandshakeIsAnsweredByServeOrClose(t *testing.T) {
	t.Parallel()
	for name, isClosed := range map[string]bool{"serve": false, "close": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conn, err := Accept(w, r, "", withDefaults(&Options{}), unbounded{})
				if err != nil {
					t.Error(err)
					return
				}
				if _, written := conn.out.state(); written != 0 {
					t.Errorf("%d octets were sent before", written)
				}
				if isClosed {
					conn.Close(CloseGoingAway, "")
				}
				_, _ = conn.Serve(t.Context(), echo)
				conn.HangUp()
			}))
			t.Cleanup(web.Close)
			client := wstest.Dial(t, web.Listener.Addr().String())
			if isClosed {
				client.ExpectClose(CloseGoingAway)
				return
			}
			client.Send(0x81, "hello")
			client.Expect(0x81, "hello")
		})
	}
}

func TestEchoes(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]string{
		"nothing": "", "a letter": "a", "125 octets": strings.Repeat("b", 125), "126 octets": strings.Repeat("c", 126),
		"as much as is read at once": strings.Repeat("d", inputOctets), "64 KiB": strings.Repeat("e", 1<<16),
		"a million": strings.Repeat("f", 1_000_000), "three octets a character": strings.Repeat("€", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _, _ := serve(t, Options{}, false, echo)
			for _, first := range []byte{0x81, 0x82} {
				client.Send(first, payload)
				client.Expect(first, payload)
			}
			half := len(payload) / 2
			client.Send(0x02, payload[:half])
			client.Send(0x89, "between")
			client.Expect(0x8a, "between")
			client.Send(0x80, payload[half:])
			client.Expect(0x82, payload)
			client.Send(0x88, "\x03\xe8bye")
			client.Expect(0x88, "\x03\xe8")
			client.ExpectEnd()
		})
	}
}

func TestClosesOverWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code   int
		octets string
	}{
		"a reserved bit":                 {CloseProtocol, "\xa1\x80\x00\x00\x00\x00"},
		"RSV1 without compression":       {CloseProtocol, "\xc1\x80\x00\x00\x00\x00"},
		"an unknown opcode":              {CloseProtocol, "\x83\x80\x00\x00\x00\x00"},
		"no mask":                        {CloseProtocol, "\x81\x00"},
		"a long ping":                    {CloseProtocol, "\x89\xfe\x00\x7e"},
		"a fragmented ping":              {CloseProtocol, "\x09\x80\x00\x00\x00\x00"},
		"a length that could be short":   {CloseProtocol, "\x82\xfe\x00\x05\x00\x00\x00\x00"},
		"a length above 63 bits":         {CloseProtocol, "\x82\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		"a continuation of nothing":      {CloseProtocol, "\x80\x80\x00\x00\x00\x00"},
		"a message within another":       {CloseProtocol, "\x01\x80\x00\x00\x00\x00\x81\x80\x00\x00\x00\x00"},
		"half a close code":              {CloseProtocol, "\x88\x81\x00\x00\x00\x00\x03"},
		"close code 1005":                {CloseProtocol, "\x88\x82\x00\x00\x00\x00\x03\xed"},
		"a close reason that is no text": {CloseNotUTF8, "\x88\x83\x00\x00\x00\x00\x03\xe8\xff"},
		"text that is not UTF-8":         {CloseNotUTF8, "\x81\x81\x00\x00\x00\x00\xff"},
		"text that ends too early":       {CloseNotUTF8, "\x81\x81\x00\x00\x00\x00\xc3"},
		"text that goes wrong early":     {CloseNotUTF8, "\x01\xfe\x10\x00\x00\x00\x00\x00\xff"},
		"a message that is too large":    {CloseTooLarge, "\x82\xff\x00\x00\x00\x00\x00\x10\x00\x01\x00\x00\x00\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _, ended := serve(t, Options{}, false, echo)
			if _, err := client.Write([]byte(test.octets)); err != nil {
				t.Fatal(err)
			}
			client.ExpectClose(test.code)
			_ = client.Close()
			if err := <-ended; err == nil {
				t.Error("Serve did not say what was wrong")
			}
		})
	}
}

func TestDeflate(t *testing.T) {
	t.Parallel()
	compress := func(text string, finish bool) string {
		var buffer bytes.Buffer
		w, _ := flate.NewWriter(&buffer, 9)
		_, _ = io.WriteString(w, text)
		if finish {
			_ = w.Close()
			return buffer.String()
		}
		_ = w.Flush()
		return strings.TrimSuffix(buffer.String(), "\x00\x00\xff\xff")
	}
	long := strings.Repeat("compressible ", 10_000)
	for name, test := range map[string]struct {
		sent string
		want string
	}{
		"nothing":                        {"\x00", ""},
		"a long text":                    {compress(long, false), long},
		"a last block before the end":    {compress("one ", true) + compress("two", false), "one two"},
		"a last block, and a null octet": {compress("one", true) + "\x00", "one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _, _ := serve(t, Options{}, true, func(_ context.Context, conn *Conn, message Message) error {
				// As it is, whatever its length.
				return conn.out.send(opText, false, message.Data, true)
			})
			client.Send(0xc1, test.sent)
			client.Expect(0x81, test.want)
			half := len(test.sent) / 2
			client.Send(0x41, test.sent[:half])
			client.Send(0x89, "")
			client.Expect(0x8a, "")
			client.Send(0x80, test.sent[half:])
			client.Expect(0x81, test.want)
		})
	}
	t.Run("sent", func(t *testing.T) {
		t.Parallel()
		client, _, _ := serve(t, Options{}, true, echo)
		client.Send(0x81, long)
		first, payload := client.Next()
		plain, err := io.ReadAll(flate.NewReader(strings.NewReader(payload + tail)))
		if first != 0xc1 || err != nil || string(plain) != long || len(payload) > len(long)/10 {
			t.Errorf("got frame %#x with %d octets, which are %d inflated: %v", first, len(payload), len(plain), err)
		}
	})
	t.Run("counts what inflates an unfinished message", func(t *testing.T) {
		t.Parallel()
		var meter counting
		client, _, _ := serveMetered(t.Context(), t, Options{}, true, &meter, func(_ context.Context, conn *Conn, _ Message) error {
			return conn.Send(Message{Type: Text, Data: strconv.AppendInt(nil, meter.held.Load(), 10)})
		})
		sent := compress("a message", false)
		client.Send(0x41, sent[:2])
		client.Send(0x89, "")
		client.Expect(0x8a, "")
		if held := meter.held.Load(); held < inflaterOctets {
			t.Errorf("%d octets are held", held)
		}
		client.Send(0x80, sent[2:])
		client.Expect(0x81, "0")
	})
	t.Run("bombs", func(t *testing.T) {
		t.Parallel()
		client, _, _ := serve(t, Options{MaxPayload: 100_000}, true, echo)
		client.Send(0xc2, compress(strings.Repeat("\x00", 10_000_000), false))
		client.ExpectClose(CloseTooLarge)
	})
	t.Run("noise", func(t *testing.T) {
		t.Parallel()
		client, _, _ := serve(t, Options{}, true, echo)
		client.Send(0xc2, "\xff\xff\xff\xff")
		client.ExpectClose(CloseNotUTF8)
	})
}

func TestHandlerThatPanics(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]Handler{
		"panics": func(context.Context, *Conn, Message) error { panic("out of luck") },
		"fails":  func(context.Context, *Conn, Message) error { return errors.New("out of luck") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _, ended := serve(t, Options{}, false, handle)
			client.Send(0x81, "hello")
			client.ExpectClose(CloseInternal)
			err := <-ended
			if err == nil || !strings.Contains(err.Error(), "out of luck") {
				t.Errorf("Serve returned %v", err)
			}
			if name == "panics" && !strings.Contains(err.Error(), "conn_test.go") {
				t.Errorf("there is no stack in %v", err)
			}
		})
	}
}

func TestHandlerThatGivesUpAsTheServerEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	client, _, ended := serveUntil(ctx, t, Options{}, false, func(ctx context.Context, _ *Conn, _ Message) error {
		cancel()
		return fmt.Errorf("ask the database: %w", ctx.Err())
	})
	client.Send(0x81, "hello")
	client.ExpectClose(CloseGoingAway)
	if err := <-ended; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

func TestSendFromElsewhere(t *testing.T) {
	t.Parallel()
	client, conn, _ := serve(t, Options{}, false, echo)
	client.Send(0x81, "first")
	client.Expect(0x81, "first")
	// It reads by now or soon: nobody else would write this.
	if err := conn.Send(Message{Type: Text, Data: []byte("second")}); err != nil {
		t.Fatal(err)
	}
	client.Expect(0x81, "second")
	conn.Close(4000, "enough")
	client.ExpectClose(4000)
	client.ExpectEnd()
	if err := conn.Send(Message{Type: Text}); !errors.Is(err, ErrClosed) {
		t.Errorf("Send after Close returned %v", err)
	}
}

func TestPost(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	client, conn, _ := serve(t, Options{MaxBuffered: limit}, false, echo)
	message := Prepare(Message{Type: Binary, Data: bytes.Repeat([]byte("x"), 60_000)})
	// As long as it reads, what was posted does not count, however much it is.
	for range 50 {
		if err := conn.Post(message); err != nil {
			t.Fatal(err)
		}
		client.Expect(0x82, strings.Repeat("x", 60_000))
	}
	posted := 0
	var err error
	for ; err == nil && posted < 10_000; posted++ {
		err = conn.Post(message)
	}
	if !errors.Is(err, ErrSlow) {
		t.Fatalf("Post returned %v for a client that does not read", err)
	}
	if waiting, _ := conn.out.state(); waiting > limit {
		t.Errorf("%d bytes wait, of %d at most", waiting, limit)
	}
	// What was taken comes whole.
	for range posted - 1 {
		client.Expect(0x82, strings.Repeat("x", 60_000))
	}
}

func TestSendWaitsForASlowClient(t *testing.T) {
	t.Parallel()
	const limit = 50_000
	client, conn, _ := serve(t, Options{MaxBuffered: limit}, false, echo)
	sent := make(chan int)
	payload := bytes.Repeat([]byte("y"), 20_000)
	go func() {
		defer close(sent)
		for i := range 1000 {
			if err := conn.Send(Message{Type: Binary, Data: payload}); err != nil {
				t.Error(err)
				return
			}
			sent <- i
		}
	}()
	// The network takes some; then it waits.
	isWaiting := false
	for !isWaiting {
		select {
		case <-sent:
		case <-time.After(200 * time.Millisecond):
			isWaiting = true
		}
	}
	if waiting, _ := conn.out.state(); waiting > limit+len(payload)+maxHeadOctets {
		t.Errorf("%d bytes wait, of %d at most", waiting, limit)
	}
	go func() {
		for range sent {
		}
	}()
	for range 1000 {
		client.Expect(0x82, string(payload))
	}
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := newConn(near, nil, withDefaults(&Options{PingInterval: time.Minute}), unbounded{})
		began := time.Now()
		code := make(chan int, 1)
		go func() {
			got, _ := conn.Serve(t.Context(), echo)
			conn.HangUp()
			code <- got
		}()
		read := make(chan []byte, 100)
		go func() {
			defer close(read)
			for {
				octets := make([]byte, 100)
				n, err := far.Read(octets)
				if err != nil {
					return
				}
				read <- octets[:n]
			}
		}()
		for range 10 {
			ping := <-read
			if ping[0] != 0x89 {
				t.Fatalf("got %x, want a ping", ping)
			}
			_, _ = far.Write(wstest.Frame(0x8a, string(ping[2:])))
		}
		if took := time.Since(began); took < 9*time.Minute {
			t.Errorf("10 pings took %v", took)
		}
		// From now on it is silent.
		silent := time.Now()
		for range read {
		}
		if took := time.Since(silent); took < 2*time.Minute || took > 4*time.Minute {
			t.Errorf("a silent peer was cut off after %v", took)
		}
		if got := <-code; got != CloseAbnormal {
			t.Errorf("the code is %d", got)
		}
	})
}

func TestMessageThatRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		conn := newConn(near, nil, withDefaults(&Options{MessageTimeout: time.Minute}), unbounded{})
		go func() {
			_, _ = conn.Serve(t.Context(), echo)
			conn.HangUp()
		}()
		// An octet in time keeps it.
		_, _ = far.Write([]byte("\x82\x84\x00\x00\x00\x00"))
		for range 3 {
			time.Sleep(50 * time.Second)
			_, _ = far.Write([]byte("a"))
		}
		rested := time.Now()
		octets := make([]byte, 4)
		if _, err := io.ReadFull(far, octets); err != nil {
			t.Fatal(err)
		}
		if code := binary.BigEndian.Uint16(octets[2:]); octets[0] != 0x88 || code != ClosePolicy {
			t.Errorf("got %x", octets)
		}
		if took := time.Since(rested); took != time.Minute {
			t.Errorf("a message that rests was closed after %v", took)
		}
		_ = far.Close()
	})
}

func FuzzServe(f *testing.F) {
	for _, seed := range []string{
		"\x81\x85\x00\x00\x00\x00hello\x88\x80\x00\x00\x00\x00",
		"\x01\x81\x00\x00\x00\x00a\x89\x80\x00\x00\x00\x00\x80\x81\x00\x00\x00\x00b",
		"\xc1\x87\x00\x00\x00\x00\xf2\x48\xcd\xc9\xc9\x07\x00",
		"\x82\xfe\x00\x80\x00\x00\x00\x00",
		"\x82\xff\x00\x00\x00\x00\xff\xff\xff\xff",
	} {
		f.Add([]byte(seed), byte(3))
	}
	f.Fuzz(func(t *testing.T, octets []byte, step byte) {
		peer := &scripted{input: octets, step: int(step)%64 + 1}
		conn := newConn(peer, nil, withDefaults(&Options{MaxPayload: 1 << 16}), unbounded{})
		conn.deflate = true
		_, err := conn.Serve(t.Context(), echo)
		conn.HangUp()
		if err != nil && strings.Contains(err.Error(), "panic") {
			t.Error(err)
		}
		// What is sent is whole frames, without a mask, and nothing behind a close frame.
		for sent, isClosed := peer.output.Bytes(), false; len(sent) > 0; {
			h, ok := parseHead(sent)
			if !ok || h.masked || !h.fin || h.reserved || uint64(len(sent)-h.size) < h.length || isClosed {
				t.Fatalf("%x was sent for %x", peer.output.Bytes(), octets)
			}
			isClosed = h.opcode == opClose
			sent = sent[h.size+int(h.length):]
		}
	})
}

// scripted is a peer that sends input, step octets at a time, and then ends.
type scripted struct {
	net.Conn
	input  []byte
	step   int
	output bytes.Buffer
}

func (s *scripted) Read(p []byte) (int, error) {
	if len(s.input) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.input[:min(s.step, len(s.input))])
	s.input = s.input[n:]
	return n, nil
}
func (s *scripted) Write(p []byte) (int, error)      { return s.output.Write(p) }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) SetDeadline(time.Time) error      { return nil }
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }
