package websocket

import (
	"errors"
	"net"
	"runtime"
	"sync"
	"syscall"
)

var (
	// ErrClosed is returned for what is sent after the goodbye.
	ErrClosed = errors.New("the connection is closed")
	// ErrSlow is returned for what would wait behind more than may.
	ErrSlow = errors.New("the client does not read what is sent")
)

const (
	// freeOctets of each connection are not metered: they are its buffers.
	freeOctets = 4 << 10
	// writeOctets is as much as one write takes, so that progress is seen.
	writeOctets = 64 << 10
	// batchOctets is how much of what is answered together waits for a common write.
	batchOctets = 16 << 10
)

// outbox has the frames of a connection that wait for the network, in order. What the network takes at
// once never waits; the rest is written by a goroutine that lives as long as there is some.
type outbox struct {
	tcp net.Conn
	// raw is nil where a write cannot be tried.
	raw   syscall.RawConn
	limit int
	meter Meter

	mu sync.Mutex
	// changed is signalled when something was written, or when nothing will be any more.
	changed sync.Cond
	parts   []part
	// few is where parts begin, so that small answers need no memory.
	few [2]part
	// waiting is the bytes of parts, memory what they take, and metered what the meter knows of that.
	waiting, memory, metered int
	// total is all bytes there ever were.
	total     int64
	isWriting bool
	// #if applications
	// isQueued is set by queue and reply until flushQueued.
	isQueued bool
	// #endif
	// isFinal is set with the close frame, behind which nothing is sent.
	isFinal bool
	err     error
	// #if live
	// drained is called when what had to wait was written.
	drained func()
	// #endif

	// What try writes, and how it went.
	try      func(fd uintptr) bool
	trying   []byte
	tried    int
	tryError error
}

type part struct {
	data []byte
	// buffer is what data is in, if that is the outbox's own.
	buffer []byte
	// octets is the memory that it takes until all of it is written.
	octets int
}

func newOutbox(tcp net.Conn, limit int, meter Meter) *outbox {
	o := &outbox{tcp: tcp, limit: limit, meter: meter}
	o.changed.L = &o.mu
	// Windows has no such write; a goroutine does it there.
	if conn, ok := tcp.(syscall.Conn); ok && runtime.GOOS != "windows" {
		o.raw, _ = conn.SyscallConn()
	}
	o.try = func(fd uintptr) bool {
		o.tried, o.tryError = writeTo(syscall.Write, fd, o.trying)
		return true
	}
	return o
}

// send queues a frame. It waits while more than the limit waits.
func (o *outbox) send(op opcode, compressed bool, payload []byte, now bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.waiting > o.limit && o.isOpen() {
		if o.flush(); o.waiting > o.limit {
			o.changed.Wait()
		}
	}
	if !o.isOpen() {
		return ErrClosed
	}
	o.put(op, compressed, payload)
	if now || o.waiting >= batchOctets {
		o.flush()
	}
	return nil
}

// post sends a frame that others send, too, unless more than limit would wait. It never waits.
func (o *outbox) post(frame []byte, limit int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.isOpen() {
		return ErrClosed
	}
	o.flush()
	if o.waiting > 0 && o.waiting+len(frame) > limit {
		return ErrSlow
	}
	// #if realtime
	if o.waiting > 0 && !o.hasRoom(len(frame)) {
		return ErrSlow
	}
	// #endif
	o.total += int64(len(frame))
	o.attach(part{data: o.writeAtOnce(frame)})
	o.flush()
	return nil
}

// #if applications

// queue is post, but that the frame is written by the next flushQueued, with what is queued until then. It
// reports whether it is the first since the last one.
func (o *outbox) queue(frame []byte, limit int) (isFirst bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.isOpen() {
		return false, ErrClosed
	}
	if o.waiting >= batchOctets {
		o.flush()
	}
	if !o.makeSpace(len(frame), limit) {
		return false, ErrSlow
	}
	o.total += int64(len(frame))
	// A large one is the same bytes for all.
	if len(frame) <= smallestBuffer {
		o.copy(nil, frame)
	} else {
		o.attach(part{data: frame})
	}
	return o.setQueued(), nil
}

// reply is queue for a frame of this connection alone. With now, it is written at once.
func (o *outbox) reply(op opcode, compressed bool, payload []byte, limit int, now bool) (isFirst bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.isOpen() {
		return false, ErrClosed
	}
	if !o.makeSpace(len(payload), limit) {
		return false, ErrSlow
	}
	o.put(op, compressed, payload)
	if now || o.waiting >= batchOctets {
		o.flush()
		return false, nil
	}
	return o.setQueued(), nil
}

// setQueued reports whether nobody was asked to flush before.
func (o *outbox) setQueued() bool {
	isFirst := !o.isQueued
	o.isQueued = true
	return isFirst
}

// makeSpace reports whether so many octets more may wait. Nobody is slow before the network has been tried.
func (o *outbox) makeSpace(octets, limit int) bool {
	fits := func() bool {
		return o.waiting == 0 || o.waiting+octets <= limit && o.hasRoom(octets)
	}
	if fits() {
		return true
	}
	o.flush()
	return fits()
}

// flushQueued writes as much of what is queued as the network takes at once.
func (o *outbox) flushQueued() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.isQueued = false
	o.flush()
}

// #endif
// #if realtime

// hasRoom is whether the meter has room for so many octets more.
func (o *outbox) hasRoom(octets int) bool {
	if o.memory+octets <= freeOctets {
		return true
	}
	hasRoom := o.meter.Hold(octets)
	o.meter.Hold(-octets)
	return hasRoom
}

// waitHalf waits while more than half of the limit waits: what is read next may have a large answer.
func (o *outbox) waitHalf() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.waiting > o.limit/2 && o.isOpen() {
		if o.flush(); o.waiting > o.limit/2 {
			o.changed.Wait()
		}
	}
}

// #endif

// finish sends the close frame, the last.
func (o *outbox) finish(payload []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.isOpen() {
		return
	}
	o.put(opClose, false, payload)
	o.isFinal = true
	o.flush()
	o.changed.Broadcast()
}

// ping never waits.
func (o *outbox) ping(payload []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.isOpen() {
		o.put(opPing, false, payload)
		o.flush()
	}
}

// begin queues octets that are no frame: the answer to the handshake.
func (o *outbox) begin(octets string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total += int64(len(octets))
	o.copy(nil, []byte(octets))
}

// flushNow writes what the network takes at once.
func (o *outbox) flushNow() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flush()
}

// abandon ends it: nobody reads any more.
func (o *outbox) abandon(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail(err)
}

// waitEmpty waits until all is written. It reports false if that failed.
func (o *outbox) waitEmpty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.waiting > 0 && o.err == nil {
		o.changed.Wait()
	}
	return o.waiting == 0
}

// state is the bytes that wait and those that were written.
func (o *outbox) state() (waiting int, written int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.waiting, o.total - int64(o.waiting)
}

// hasUnsent is whether something waits that will not be sent, or was dropped.
func (o *outbox) hasUnsent() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.waiting > 0 || errors.Is(o.err, errUnsent)
}

// The rest is called with mu held.

func (o *outbox) isOpen() bool { return o.err == nil && !o.isFinal }

func (o *outbox) put(op opcode, compressed bool, payload []byte) {
	var octets [maxHeadOctets]byte
	head := appendHead(octets[:0], op, compressed, len(payload))
	o.total += int64(len(head) + len(payload))
	if len(payload) <= batchOctets {
		o.copy(head, payload)
		return
	}
	// A large payload is written from where it is, as far as possible.
	o.copy(head, payload[:batchOctets])
	o.flush()
	o.copy(nil, o.writeAtOnce(payload[batchOctets:]))
}

// copy queues copies of head and payload, behind that of before where they fit.
func (o *outbox) copy(head, payload []byte) {
	octets := len(head) + len(payload)
	if last := len(o.parts) - 1; last >= 0 && o.parts[last].buffer != nil {
		if data := o.parts[last].data; cap(data)-len(data) >= octets {
			o.parts[last].data = append(append(data, head...), payload...)
			o.waiting += octets
			return
		}
	}
	if octets > 0 {
		buffer := getBuffer(octets)
		o.attach(part{data: append(append(buffer, head...), payload...), buffer: buffer})
	}
}

func (o *outbox) attach(p part) {
	switch {
	case len(p.data) == 0:
	case o.err != nil:
		// A write before it has failed; what is metered now would be for ever.
		o.err = errors.Join(errUnsent, o.err)
	default:
		// A buffer is often larger than what is in it.
		p.octets = max(len(p.data), cap(p.buffer))
		o.parts = append(o.parts, p)
		o.waiting += len(p.data)
		o.take(p.octets)
	}
}

// take changes how much memory is used, and tells the meter.
func (o *outbox) take(octets int) {
	o.memory += octets
	if over := max(0, o.memory-freeOctets); over != o.metered {
		// What is sent was admitted when it came.
		o.meter.Hold(over - o.metered)
		o.metered = over
	}
}

// flush writes as much as the network takes at once, and leaves the rest to a goroutine.
func (o *outbox) flush() {
	if o.isWriting || o.err != nil {
		return
	}
	for len(o.parts) > 0 && o.err == nil {
		before := o.parts[0].data
		if rest := o.writeOnce(before); len(rest) < len(before) {
			o.written(len(before) - len(rest))
		} else if o.err == nil {
			o.isWriting = true
			go o.writeRest()
			return
		}
	}
}

// writeAtOnce writes what it can of p if nothing is before it; returns the rest.
func (o *outbox) writeAtOnce(p []byte) []byte {
	for len(p) > 0 && len(o.parts) == 0 && !o.isWriting && o.err == nil {
		rest := o.writeOnce(p)
		if len(rest) == len(p) {
			break
		}
		p = rest
	}
	return p
}

// writeOnce writes without waiting; returns the rest.
func (o *outbox) writeOnce(p []byte) []byte {
	if o.raw == nil {
		return p
	}
	o.trying = p
	err := o.raw.Write(o.try)
	o.trying = nil
	switch {
	case err != nil:
		o.fail(err)
	case o.tried > 0:
		return p[o.tried:]
	case o.tryError != nil && !errors.Is(o.tryError, syscall.EAGAIN) && !errors.Is(o.tryError, syscall.EINTR):
		o.fail(o.tryError)
	}
	return p
}

// writeTo calls write with what a file descriptor is on this system, an int or a Handle.
func writeTo[Descriptor ~int | ~uintptr](write func(Descriptor, []byte) (int, error), fd uintptr, p []byte) (int, error) {
	return write(Descriptor(fd), p)
}

// writeRest is the goroutine that waits for the network.
func (o *outbox) writeRest() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.parts) > 0 && o.err == nil {
		data := o.parts[0].data
		o.mu.Unlock()
		n, err := o.tcp.Write(data[:min(len(data), writeOctets)])
		o.mu.Lock()
		o.written(n)
		if err != nil {
			o.fail(err)
		}
		o.changed.Broadcast()
	}
	o.isWriting = false
	// #if live
	if drained := o.drained; drained != nil {
		o.mu.Unlock()
		drained()
		o.mu.Lock()
	}
	// #endif
}

// written removes octets from the first part.
func (o *outbox) written(octets int) {
	// Everything was dropped if it has failed meanwhile.
	if len(o.parts) == 0 {
		return
	}
	o.waiting -= octets
	first := &o.parts[0]
	if first.data = first.data[octets:]; len(first.data) > 0 {
		return
	}
	o.take(-first.octets)
	putBuffer(first.buffer)
	o.parts[0] = part{}
	if o.parts = o.parts[1:]; len(o.parts) == 0 {
		o.parts = o.few[:0]
	}
}

// fail ends it; what waits is lost.
func (o *outbox) fail(err error) {
	if o.err != nil {
		return
	}
	o.err = err
	if o.waiting > 0 {
		o.err = errors.Join(errUnsent, err)
	}
	// A goroutine may still write the first part: its buffer is left to the garbage collector.
	o.parts = nil
	o.waiting = 0
	o.take(-o.memory)
	o.changed.Broadcast()
}

var errUnsent = errors.New("not everything was sent")

// Prepared is a message as a frame, made once for many connections.
type Prepared struct {
	frame []byte
	// #if realtime
	// deflated is the same compressed, as all connections with compression take it.
	deflated func() []byte
	// #endif
}

// Prepare makes the frame of a message.
func Prepare(message Message) *Prepared {
	data := message.Data
	frame := frameOf(opcode(message.Type), false, data)
	// #if realtime
	deflated := sync.OnceValue(func() []byte {
		compressed := deflate(getBuffer(len(data)), data)
		defer putBuffer(compressed)
		if len(compressed) >= len(data) {
			return frame
		}
		return frameOf(opcode(message.Type), true, compressed)
	})
	return &Prepared{frame: frame, deflated: deflated}
	// #else
	//~ return &Prepared{frame: frame}
	// #endif
}

func frameOf(op opcode, compressed bool, payload []byte) []byte {
	head := appendHead(make([]byte, 0, maxHeadOctets+len(payload)), op, compressed, len(payload))
	return append(head, payload...)
}
