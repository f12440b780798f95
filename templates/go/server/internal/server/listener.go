package server

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// spareConnections are TCP connections beyond MAX_CONNECTIONS: handshakes, health checks.
	spareConnections = 1000
	// lingerTime is how long a peer gets to read an HTTP answer before TCP ends.
	lingerTime = 500 * time.Millisecond
)

// listener counts the connections of each address, and turns those away that are too many.
type listener struct {
	net.Listener
	registry *registry
	places   chan struct{}
	closed   chan struct{}
	once     sync.Once
}

func (r *registry) listen(inner net.Listener) *listener {
	return &listener{
		Listener: inner,
		registry: r,
		places:   make(chan struct{}, r.settings.MaxConnections+spareConnections),
		closed:   make(chan struct{}),
	}
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		select {
		case l.places <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
		tcp, err := l.Listener.Accept()
		if err != nil {
			<-l.places
			return nil, err
		}
		s, isWelcome := l.registry.connect(addressKey(tcp.RemoteAddr().String()))
		c := &tcpConn{Conn: tcp, listener: l, share: s, isNew: true}
		if isWelcome {
			return c, nil
		}
		l.registry.logPeer(s, slog.LevelWarn, "connection-refused", slog.String("reason", "MAX_CONNECTIONS_PER_IP"))
		go c.refuse()
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// tcpConn is a TCP connection as long as it is one of HTTP.
type tcpConn struct {
	net.Conn
	listener *listener
	share    *share
	// isNew is whether nothing was read, which http does one call after the other.
	isNew bool
	// deadline is that for the handshake.
	deadline time.Time
	once     sync.Once
}

// Read lets connections wait that come too fast from one address.
func (c *tcpConn) Read(p []byte) (int, error) {
	if c.isNew {
		c.isNew = false
		r := c.listener.registry
		for r.settings.TrustProxy == 0 {
			debt := r.handshakeDebt(c.share)
			if debt == 0 || !c.deadline.IsZero() && time.Now().After(c.deadline) {
				break
			}
			time.Sleep(min(max(debt, leastPause), r.settings.HandshakeTimeout))
		}
	}
	return c.Conn.Read(p)
}

func (c *tcpConn) SetReadDeadline(at time.Time) error {
	c.deadline = at
	return c.Conn.SetReadDeadline(at)
}

// Unwrap is called for connections that become WebSocket.
func (c *tcpConn) Unwrap() net.Conn {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return upgraded{tcp, c}
	}
	return c
}

// upgraded is a connection of WebSocket, which has said goodbye when it is closed.
type upgraded struct {
	*net.TCPConn
	http *tcpConn
}

func (u upgraded) Close() error {
	u.http.end()
	return nil
}

// Close is called by http after an answer; the peer gets the time to read it.
func (c *tcpConn) Close() error {
	go c.linger()
	return nil
}

func (c *tcpConn) linger() {
	defer c.end()
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.Conn.SetDeadline(time.Now().Add(lingerTime))
	octets := make([]byte, 512)
	for {
		if _, err := c.Conn.Read(octets); err != nil {
			return
		}
	}
}

// end frees what the connection has taken.
func (c *tcpConn) end() {
	c.once.Do(func() {
		_ = c.Conn.Close()
		c.listener.registry.disconnect(c.share)
		<-c.listener.places
	})
}

// refuse says that the address has too many connections.
func (c *tcpConn) refuse() {
	_ = c.Conn.SetWriteDeadline(time.Now().Add(lingerTime))
	refusal := overPerIP()
	fmt.Fprintf(c.Conn, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/plain\r\nRetry-After: %s\r\nContent-Length: %d\r\n\r\n%s",
		refusal.Status, http.StatusText(refusal.Status), refusal.Header.Get("Retry-After"), len(refusal.Reason), refusal.Reason)
	c.linger()
}
