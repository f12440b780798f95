package websocket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

func TestQueueIsWrittenAtOnceByFlush(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	out := newOutbox(server, 1000, unbounded{})
	for at, want := range []bool{true, false, false} {
		if isFirst, err := out.queue([]byte("abc"), 1000); isFirst != want || err != nil {
			t.Fatalf("frame %d: first %v, error %v", at, isFirst, err)
		}
	}
	if waiting, written := out.state(); waiting != 9 || written != 0 {
		t.Fatalf("%d octets wait, %d were written", waiting, written)
	}
	out.flushQueued()
	if isFirst, _ := out.queue([]byte("def"), 1000); !isFirst {
		t.Error("nobody is asked to flush what came after the flush")
	}
	// A write to a pipe ends when all of it was read.
	got := make([]byte, 100)
	n, err := client.Read(got)
	if err != nil || !bytes.HasPrefix(got[:n], []byte("abcabcabc")) {
		t.Fatalf("read %q, error %v", got[:n], err)
	}
	out.flushQueued()
	if err := out.post([]byte("ghi"), 1000); err != nil {
		t.Fatal(err)
	}
	want := "abcabcabcdefghi"
	if _, err := io.ReadFull(client, got[n:len(want)]); err != nil || string(got[:len(want)]) != want {
		t.Fatalf("read %q, error %v", got[:len(want)], err)
	}
}

func TestRepliesAreWrittenTogether(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	out := newOutbox(server, 1000, unbounded{})
	for at, text := range []string{"a", "b"} {
		if isFirst, err := out.reply(opText, false, []byte(text), 1000, false); isFirst != (at == 0) || err != nil {
			t.Fatalf("reply %d: first %v, error %v", at, isFirst, err)
		}
	}
	if waiting, written := out.state(); waiting != 6 || written != 0 {
		t.Fatalf("%d octets wait, %d were written", waiting, written)
	}
	if _, err := out.reply(opText, false, []byte("c"), 1000, true); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 100)
	if n, err := client.Read(got); err != nil || string(got[:n]) != "\x81\x01a\x81\x01b\x81\x01c" {
		t.Fatalf("read %q, error %v", got[:n], err)
	}
}

func TestQueueIsBounded(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	out := newOutbox(server, 10, unbounded{})
	if _, err := out.queue(make([]byte, 20), 10); err != nil {
		t.Fatalf("what comes when nothing waits: %v", err)
	}
	if _, err := out.queue([]byte("a"), 10); !errors.Is(err, ErrSlow) {
		t.Fatalf("nobody reads: %v", err)
	}
	if _, err := out.reply(opText, false, []byte("a"), 10, true); !errors.Is(err, ErrSlow) {
		t.Fatalf("nobody reads: %v", err)
	}
	out.abandon(net.ErrClosed)
	if _, err := out.queue([]byte("a"), 10); !errors.Is(err, ErrClosed) {
		t.Fatalf("after the end: %v", err)
	}
}

// total is a Meter of what is held, which always is too much.
type total struct {
	unbounded
	held int
}

func (m *total) Hold(octets int) bool {
	m.held += octets
	return false
}

func TestQueueTriesTheNetworkBeforeItRefuses(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	out := newOutbox(dialed, 1<<20, &total{})
	for range 3 {
		if _, err := out.queue(make([]byte, freeOctets), 1<<20); err != nil {
			t.Fatalf("the network takes all, but: %v", err)
		}
	}
}

func TestBuffersAreMeteredAsAWhole(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	meter := &total{}
	out := newOutbox(server, 1<<20, meter)
	// Each is a bit too large to share a buffer with another.
	frame := make([]byte, smallestBuffer/2+1)
	for range 10 {
		if err := out.send(opText, false, frame, false); err != nil {
			t.Fatal(err)
		}
	}
	if want := 10*smallestBuffer - freeOctets; meter.held < want {
		t.Errorf("%d octets are held, want %d", meter.held, want)
	}
	out.flushNow()
	if _, err := io.ReadFull(client, make([]byte, 10*(len(frame)+4))); err != nil {
		t.Fatal(err)
	}
	if !out.waitEmpty() || meter.held != 0 {
		t.Errorf("%d octets are held of nothing", meter.held)
	}
}

func TestNothingIsMeteredAfterAFailedWrite(t *testing.T) {
	large := make([]byte, 10*freeOctets)
	for name, send := range map[string]func(*outbox) error{
		"post": func(o *outbox) error { return o.post(large, 1<<20) },
		"send": func(o *outbox) error { return o.send(opText, false, large, true) },
		"queue": func(o *outbox) error {
			_, err := o.queue(large, 1<<20)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			closed, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			closed.Close()
			meter := &total{}
			out := newOutbox(closed, 1<<20, meter)
			out.begin(strings.Repeat("a", batchOctets))
			if err := send(out); err != nil {
				t.Fatal(err)
			}
			out.flushNow()
			out.abandon(net.ErrClosed)
			if meter.held != 0 || !out.hasUnsent() {
				t.Errorf("%d octets are held, unsent %v", meter.held, out.hasUnsent())
			}
		})
	}
}
