package websocket

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

const (
	// slowestReader is the octets a second of the slowest client that counts as alive while it reads.
	slowestReader = 1024
	maxPatience   = 10 * time.Minute
)

// heartbeat pings a client, and ends the connection when no octet came or went during two pings, eight while
// something waits for it, or for as long as a slow reader takes for what was sent before.
type heartbeat struct {
	conn *Conn

	mu        sync.Mutex
	timer     *time.Timer
	isStopped bool
	// missed pings in a row, and how many of them may be.
	missed, allowed int
	// At the last beat.
	received, written int64
	waiting           int
}

func (c *Conn) keepAlive() *heartbeat {
	h := &heartbeat{conn: c}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = time.AfterFunc(h.interval(), h.beat)
	return h
}

func (h *heartbeat) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.isStopped = true
	h.timer.Stop()
}

// interval has jitter, which keeps ten thousand connections from pinging in the same millisecond.
func (h *heartbeat) interval() time.Duration {
	return time.Duration(float64(h.conn.options.PingInterval) * (0.9 + 0.2*rand.Float64()))
}

func (h *heartbeat) beat() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isStopped {
		return
	}
	c := h.conn
	waiting, written := c.out.state()
	received := c.received.Load()
	// Octets count, not frames: in the middle of a large frame a peer cannot answer a ping.
	hasMoved := received > h.received || h.waiting > 0 && written > h.written
	h.received, h.written, h.waiting = received, written, waiting
	// While this side does not read, the peer cannot be heard.
	most := c.options.MaxBuffered
	// #if realtime
	// See waitHalf.
	most /= 2
	// #endif
	if isAwaited := c.isReading.Load() || waiting > most; hasMoved || !isAwaited {
		h.missed = 0
	}
	sent := written + int64(waiting)
	if h.missed == 0 {
		// Only what is ahead of the first ping counts: a dead peer does not live longer for later bytes.
		patience := min(time.Duration(sent-c.confirmed.Load())*(time.Second/slowestReader), maxPatience)
		h.allowed = int(patience / c.options.PingInterval)
	}
	least := 2
	if waiting > 0 {
		least = 8
	}
	if h.missed >= max(least, h.allowed) {
		c.Abort()
		return
	}
	h.missed++
	c.out.ping(strconv.AppendInt(nil, sent, 10))
	h.timer.Reset(h.interval())
}
