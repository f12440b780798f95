// Package wstest has a client for tests: it sends what it is told to, right or wrong.
package wstest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Timeout bounds every wait.
const Timeout = 10 * time.Second

// Client is a connection to a server.
type Client struct {
	net.Conn
	t      testing.TB
	reader *bufio.Reader
}

// New is a client on conn, which the end of the test closes.
func New(t testing.TB, conn net.Conn) *Client {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(Timeout)); err != nil {
		t.Fatal(err)
	}
	return &Client{Conn: conn, t: t, reader: bufio.NewReader(conn)}
}

// Handshake sends a handshake with these header fields besides, "Name: value", and returns the answer. A
// field without a value is left out.
func Handshake(t testing.TB, address string, fields ...string) (*Client, *http.Response) {
	t.Helper()
	return handshake(t, address, "/", fields)
}

func handshake(t testing.TB, address, path string, fields []string) (*Client, *http.Response) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, Timeout)
	if err != nil {
		t.Fatal(err)
	}
	c := New(t, conn)
	request := []string{
		"Host: " + address, "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		for i, present := range request {
			if strings.HasPrefix(present, name+":") {
				request = append(request[:i], request[i+1:]...)
				break
			}
		}
		if value != "" {
			request = append(request, field)
		}
	}
	c.write([]byte("GET " + path + " HTTP/1.1\r\n" + strings.Join(request, "\r\n") + "\r\n\r\n"))
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, response
}

// Dial connects and shakes hands.
func Dial(t testing.TB, address string, fields ...string) *Client {
	t.Helper()
	return DialPath(t, address, "/", fields...)
}

// DialPath is Dial to another path than /.
func DialPath(t testing.TB, address, path string, fields ...string) *Client {
	t.Helper()
	c, response := handshake(t, address, path, fields)
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake was answered with %s", response.Status)
	}
	return c
}

// RefusePath shakes hands in vain.
func RefusePath(t testing.TB, address, path string, fields ...string) *http.Response {
	t.Helper()
	_, response := handshake(t, address, path, fields)
	return response
}

// Frame is a masked frame; first is its first octet.
func Frame(first byte, payload string) []byte {
	frame := []byte{first}
	switch {
	case len(payload) < 126:
		frame = append(frame, 0x80|byte(len(payload)))
	case len(payload) < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(len(payload)))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 0x80|127), uint64(len(payload)))
	}
	mask := [4]byte{1, 2, 3, 4}
	frame = append(frame, mask[:]...)
	for i := range len(payload) {
		frame = append(frame, payload[i]^mask[i&3])
	}
	return frame
}

// Send sends a masked frame.
func (c *Client) Send(first byte, payload string) {
	c.t.Helper()
	c.write(Frame(first, payload))
}

func (c *Client) write(p []byte) {
	c.t.Helper()
	if _, err := c.Write(p); err != nil {
		c.t.Fatal(err)
	}
}

// Next reads a frame.
func (c *Client) Next() (first byte, payload string) {
	c.t.Helper()
	first, payload, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	return first, payload
}

func (c *Client) read() (first byte, payload string, err error) {
	var head [2]byte
	if _, err := io.ReadFull(c.reader, head[:]); err != nil {
		return 0, "", err
	}
	length := uint64(head[1])
	switch length {
	case 126:
		var long [2]byte
		_, err = io.ReadFull(c.reader, long[:])
		length = uint64(binary.BigEndian.Uint16(long[:]))
	case 127:
		var long [8]byte
		_, err = io.ReadFull(c.reader, long[:])
		length = binary.BigEndian.Uint64(long[:])
	}
	if err != nil {
		return 0, "", err
	}
	data := make([]byte, length)
	_, err = io.ReadFull(c.reader, data)
	return head[0], string(data), err
}

// Expect reads a frame, which has to be this one.
func (c *Client) Expect(first byte, payload string) {
	c.t.Helper()
	gotFirst, got := c.Next()
	if gotFirst != first || got != payload {
		c.t.Fatalf("got frame %#x with %d octets %.50q, want %#x with %d %.50q", gotFirst, len(got), got, first, len(payload), payload)
	}
}

// ExpectClose reads up to a close frame with the code, and answers it.
func (c *Client) ExpectClose(code int) {
	c.t.Helper()
	for {
		first, payload := c.Next()
		if first != 0x88 {
			continue
		}
		got := "no code"
		if len(payload) >= 2 {
			got = fmt.Sprint(binary.BigEndian.Uint16([]byte(payload)))
		}
		if got != fmt.Sprint(code) {
			c.t.Fatalf("closed with %s, want %d: %q", got, code, payload)
		}
		_, _ = c.Write(Frame(0x88, payload))
		return
	}
}

// ExpectEnd reads up to the end of TCP.
func (c *Client) ExpectEnd() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c.reader); err != nil {
		c.t.Fatal(err)
	}
}
