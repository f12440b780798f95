package websocket

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

const (
	inputOctets = 4 << 10
	// closeTimeout is how long a peer gets to answer a close frame.
	closeTimeout = 3 * time.Second
	// batchTime is how long after reading answers may wait for a common write.
	batchTime = time.Millisecond
	// octetsPerMessage of a message cost as much of the rate as one message more.
	// #if realtime
	octetsPerMessage = 4 << 10
	// #else
	//~ octetsPerMessage = 16 << 10
	// #endif
	// discardFrames and discardOctets are read a second from a peer that goes on after our goodbye.
	discardFrames = 20_000
	discardOctets = 16 << 20
)

var (
	errNotUTF8    = &CloseError{Code: CloseNotUTF8, Reason: "text that is not UTF-8"}
	errTooLarge   = &CloseError{Code: CloseTooLarge, Reason: "the message is above MAX_PAYLOAD"}
	errNoProgress = &CloseError{Code: ClosePolicy, Reason: "the message makes no progress"}
	errNoMemory   = &CloseError{Code: CloseTryAgain, Reason: "MEMORY_BUDGET is used up; try again later"}
)

// Options are the same for all connections of a server.
type Options struct {
	// MaxPayload is the bytes of the largest message, inflated or not.
	MaxPayload int
	// MaxBuffered is the bytes that may wait for a client.
	MaxBuffered    int
	PingInterval   time.Duration
	MessageTimeout time.Duration
	// Compression is whether permessage-deflate is accepted.
	Compression bool
}

// Meter is told what a connection uses, and says when that is too much.
type Meter interface {
	// Hold is told how many bytes more are held, or fewer. It reports whether there is room for them.
	Hold(bytes int) bool
	// Spend is told what was read: frames that say nothing, and messages, of which a large one counts as
	// several. It returns how long not to read on.
	Spend(frames, messages float64) time.Duration
}

// Handler is called for each message, one after the other. The server has said goodbye when ctx ends.
type Handler func(ctx context.Context, conn *Conn, message Message) error

// Conn is a connection that has shaken hands.
type Conn struct {
	// Subprotocol is the one that was agreed on, or empty.
	Subprotocol string

	options *Options
	meter   Meter
	tcp     net.Conn
	out     *outbox
	deflate bool

	// Of the goroutine that reads.

	input      []byte
	start, end int
	frame      frameHead
	// left is what has not come of the payload of frame.
	left    uint64
	inFrame bool
	// message is what has come of a message that is not in input as a whole.
	message []byte
	metered int
	// inflater is the octets of what inflates it, which are metered, too.
	inflater  int
	wire      uint64
	inMessage bool
	text      textCheck
	cost      struct{ frames, messages float64 }
	progress  progress
	// isDone is whether both sides have said goodbye.
	isDone bool

	// isReading is whether the network is waited for; readAt is when it last gave something, in nanoseconds.
	isReading atomic.Bool
	readAt    atomic.Int64
	received  atomic.Int64
	// #if applications
	// hasMore is whether something has come behind the message that is handled.
	hasMore atomic.Bool
	// #endif
	// confirmed is how much the peer has read: a ping says how much was sent before, its pong repeats that.
	confirmed atomic.Int64

	mu sync.Mutex
	// sentCode is that of our close frame, or 0.
	sentCode int
	closing  chan struct{}
}

// progress of an unfinished message.
type progress struct {
	isWatched bool
	octets    int
	marked    int
	at        time.Time
}

// newConn takes over tcp, of which pending has been read already.
func newConn(tcp net.Conn, pending []byte, options *Options, meter Meter) *Conn {
	c := &Conn{
		options: options,
		meter:   meter,
		tcp:     tcp,
		out:     newOutbox(tcp, options.MaxBuffered, meter),
		input:   make([]byte, max(inputOctets, len(pending))),
		closing: make(chan struct{}),
	}
	c.end = copy(c.input, pending)
	return c
}

// Send sends a message to the client. It waits while more than MAX_BUFFERED waits for the client, and may be
// called from anywhere; the data may be used again when it returns.
func (c *Conn) Send(message Message) error {
	return c.deflated(message.Data, func(compressed bool, payload []byte) error {
		return c.out.send(opcode(message.Type), compressed, payload, c.isDue())
	})
}

// deflated passes data on as it is to go out; what that is is valid until send returns.
func (c *Conn) deflated(data []byte, send func(compressed bool, payload []byte) error) error {
	if !c.deflate || len(data) < compressFrom {
		return send(false, data)
	}
	compressed := deflate(getBuffer(len(data)), data)
	defer func() { putBuffer(compressed) }()
	if len(compressed) >= len(data) {
		return send(false, data)
	}
	return send(true, compressed)
}

// Post sends a message that others get, too. It never waits: ErrSlow is returned if more than MAX_BUFFERED
// would wait for the client.
func (c *Conn) Post(message *Prepared) error { return c.post(message, c.options.MaxBuffered) }

func (c *Conn) post(message *Prepared, limit int) error {
	return c.out.post(c.frameOf(message), limit)
}

func (c *Conn) frameOf(message *Prepared) []byte {
	// #if realtime
	if c.deflate && len(message.frame) >= compressFrom {
		return message.deflated()
	}
	// #endif
	return message.frame
}

// #if applications

// Reply is Post of a text that nobody else gets; it may be used again. While more is there to be answered, it is
// queued as by Queue.
func (c *Conn) Reply(text []byte) (isFirst bool, err error) {
	err = c.deflated(text, func(compressed bool, payload []byte) error {
		isFirst, err = c.out.reply(opText, compressed, payload, c.options.MaxBuffered, !c.hasMore.Load())
		return err
	})
	return isFirst, err
}

// Queue is Post, but that Flush sends the message, together with all that is queued until then. It reports
// whether a Flush has to be asked for.
func (c *Conn) Queue(message *Prepared) (isFirst bool, err error) {
	return c.out.queue(c.frameOf(message), c.options.MaxBuffered)
}

// Flush sends what is queued. It never waits.
func (c *Conn) Flush() { c.out.flushQueued() }

// #endif

// #if live

// PostIfSpace is Post for what can be left out: a quarter of MAX_BUFFERED is for that.
func (c *Conn) PostIfSpace(message *Prepared) error { return c.post(message, c.options.MaxBuffered/4) }

// Waits reports whether anything waits for the network.
func (c *Conn) Waits() bool {
	// What is queued waits for nothing else.
	c.out.flushNow()
	waiting, _ := c.out.state()
	return waiting > 0
}

// OnDrained has call called whenever nothing waits any more.
func (c *Conn) OnDrained(call func()) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.drained = call
}

// #endif

// #if realtime

// Charge makes what was read cost so many messages more.
func (c *Conn) Charge(messages float64) { c.cost.messages += messages }

// #endif

// #if protocols

// WaitHalf waits while more than half of what may wait for the client waits.
func (c *Conn) WaitHalf() { c.out.waitHalf() }

// #endif

// isDue is whether an answer is written at once: answers to what came together are written together.
func (c *Conn) isDue() bool {
	return c.isReading.Load() || time.Now().UnixNano()-c.readAt.Load() > int64(batchTime)
}

// Close says goodbye; only the first does. What was sent before is sent, what comes after is not read.
func (c *Conn) Close(code int, reason string) {
	c.mu.Lock()
	isFirst := c.sentCode == 0
	if isFirst {
		c.sentCode = code
		// Whatever happens then, it does not take longer.
		_ = c.tcp.SetDeadline(time.Now().Add(closeTimeout))
		close(c.closing)
	}
	c.mu.Unlock()
	if !isFirst {
		return
	}
	var payload []byte
	if code != CloseNoStatus {
		payload = binary.BigEndian.AppendUint16(nil, uint16(code))
		payload = append(payload, reason[:min(len(reason), closeReasonOctets)]...)
	}
	c.out.finish(payload)
}

// GoAway says goodbye because the server ends.
func (c *Conn) GoAway() { c.Close(CloseGoingAway, "server is shutting down") }

// Abort ends the connection without a goodbye.
func (c *Conn) Abort() { _ = c.tcp.Close() }

// Serve answers the handshake, and reads until both sides have said goodbye, or until the connection breaks. It
// returns the close code that the peer saw, 1006 if none, and what went wrong. HangUp has to follow.
func (c *Conn) Serve(ctx context.Context, handle Handler) (code int, err error) {
	defer c.keepAlive().stop()
	c.out.flushNow()
	err = c.serve(ctx, handle)
	var closing *CloseError
	if errors.As(err, &closing) {
		c.Close(closing.Code, closing.Reason)
	}
	c.hold(nil, 0)
	isFromPeer := closing != nil && closing.FromPeer
	c.mu.Lock()
	code = c.sentCode
	c.mu.Unlock()
	if code == 0 {
		return CloseAbnormal, err
	}
	if isFromPeer || c.discard() {
		c.isDone = c.out.waitEmpty()
	}
	if c.out.hasUnsent() {
		code = CloseAbnormal
	}
	if isFromPeer || errors.Is(err, ErrClosed) {
		err = nil
	}
	return code, err
}

// HangUp ends TCP; after goodbyes of both sides so that the peer can read ours.
func (c *Conn) HangUp() {
	if half, ok := c.tcp.(interface{ CloseWrite() error }); ok && c.isDone && half.CloseWrite() == nil {
		c.left, c.inFrame = 0, false
		c.discard()
	}
	_ = c.tcp.Close()
	c.out.abandon(net.ErrClosed)
}

// serve is Serve until somebody says goodbye.
func (c *Conn) serve(ctx context.Context, handle Handler) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &CloseError{Code: CloseInternal, Reason: "internal error"}
			err = fmt.Errorf("panic: %v: %w\n%s", r, err, debug.Stack())
		}
	}()
	for {
		// #if realtime
		c.out.waitHalf()
		// #endif
		select {
		case <-c.closing:
			return ErrClosed
		default:
		}
		message, err := c.next()
		if err != nil {
			return err
		}
		// #if applications
		c.hasMore.Store(c.start < c.end)
		// #endif
		err = handle(ctx, c, message)
		switch {
		case err == nil || errors.Is(err, ErrClosed):
		case errors.Is(err, ctx.Err()):
			// It has given up because the server ends, which is no fault of its own.
			c.GoAway()
		default:
			return fmt.Errorf("%w: %w", err, &CloseError{Code: CloseInternal, Reason: "internal error"})
		}
	}
}

// next waits for the next message. Its data is valid until the next call.
func (c *Conn) next() (Message, error) {
	c.hold(nil, 0)
	c.inMessage = false
	if err := c.nextDataFrame(); err != nil {
		return Message{}, err
	}
	c.inMessage = true
	c.text = textCheck{}
	message := Message{Type: MessageType(c.frame.opcode)}
	isText := message.Type == Text
	var err error
	switch {
	case c.frame.compressed:
		err = c.readInflated(isText)
	case c.frame.fin && c.left <= uint64(c.end-c.start):
		message.Data, _ = c.piece()
		if isText && !utf8.Valid(message.Data) {
			return message, errNotUTF8
		}
		return message, nil
	default:
		err = c.readPlain(isText)
	}
	if err == nil && isText && !c.text.isComplete() {
		err = errNotUTF8
	}
	message.Data = c.message
	return message, err
}

// readPlain reads a message, whose first frame has begun, into c.message.
func (c *Conn) readPlain(isText bool) error {
	for {
		for c.left > 0 {
			most := c.options.MaxPayload
			if c.frame.fin {
				most = len(c.message) + int(c.left)
			}
			if err := c.grow(most); err != nil {
				return err
			}
			at := len(c.message)
			room := c.message[at:min(cap(c.message), at+int(c.left))]
			n := copy(room, c.input[c.start:c.end])
			var err error
			if c.start += n; n == 0 {
				n, err = c.readInto(room)
			}
			c.consume(room[:n])
			if err != nil {
				return err
			}
			c.message = c.message[:at+n]
			if isText && !c.text.write(room[:n]) {
				return errNotUTF8
			}
		}
		if c.frame.fin {
			return nil
		}
		if err := c.nextDataFrame(); err != nil {
			return err
		}
	}
}

// grow makes room in c.message, for most octets in all at most. It grows with what comes, whatever the head
// of the frame says.
func (c *Conn) grow(most int) error {
	if len(c.message) < cap(c.message) {
		return nil
	}
	size := 2 * len(c.message)
	if size < largestPooled {
		size = max(2*size, smallestBuffer)
	}
	size = min(size, most)
	if !c.hold(append(getBuffer(size), c.message...), size) {
		return errNoMemory
	}
	return nil
}

// hold puts a buffer for size octets in the place of c.message. It reports false if that is too much.
func (c *Conn) hold(buffer []byte, size int) bool {
	putBuffer(c.message)
	c.message = buffer
	more := max(0, size-freeOctets) - c.metered
	if more == 0 {
		return true
	}
	c.metered += more
	if c.inflater == 0 {
		return c.meter.Hold(more) || more < 0
	}
	// What inflates a message is no reason to refuse that.
	c.meter.Hold(-c.inflater)
	hasRoom := c.meter.Hold(more) || more < 0
	c.meter.Hold(c.inflater)
	return hasRoom
}

// nextDataFrame reads the head of the next frame that is no control frame, and answers those before it.
func (c *Conn) nextDataFrame() error {
	for {
		// #if realtime
		if err := c.settle(); err != nil {
			return err
		}
		// #endif
		if err := c.readHead(); err != nil {
			return err
		}
		f := &c.frame
		switch {
		case f.opcode.isControl():
			if err := c.control(); err != nil {
				return err
			}
			continue
		case c.inMessage != (f.opcode == opContinuation):
			return violation("fragment without a beginning, or a beginning within a message")
		}
		if !c.inMessage {
			c.wire = 0
		}
		if c.wire += f.length; c.wire > uint64(c.options.MaxPayload) {
			return errTooLarge
		}
		c.spendFrame()
		return nil
	}
}

// spendFrame counts a frame: it is a message, a good part of one, or it says nothing.
func (c *Conn) spendFrame() {
	f := &c.frame
	// #if realtime
	c.cost.messages += 1 + float64(f.length)/octetsPerMessage
	// #else
	//~ isMessage := f.fin && f.opcode != opContinuation && f.length > 0
	//~ switch {
	//~ case f.opcode.isControl() || f.length == 0:
	//~ 	c.cost.frames++
	//~ case !isMessage:
	//~ 	c.cost.frames += max(0, 1-float64(f.length)/64)
	//~ }
	//~ if !f.opcode.isControl() {
	//~ 	c.cost.messages += float64(f.length) / octetsPerMessage
	//~ 	if f.fin {
	//~ 		c.cost.messages++
	//~ 	}
	//~ }
	// #endif
}

func (c *Conn) readHead() error {
	c.inFrame = false
	for {
		h, ok := parseHead(c.input[c.start:c.end])
		if c.end-c.start >= 2 {
			if err := h.check(ok, c.deflate); err != nil {
				return err
			}
		}
		if ok {
			c.begin(h)
			return nil
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// begin is called with a head that is at the start of the input.
func (c *Conn) begin(h frameHead) {
	c.start += h.size
	c.frame = h
	c.left = h.length
	c.inFrame = true
}

// piece returns what is there of the payload, unmasked; it waits for more if nothing is.
func (c *Conn) piece() ([]byte, error) {
	if c.start == c.end && c.left > 0 {
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
	p := c.input[c.start : c.start+int(min(c.left, uint64(c.end-c.start)))]
	c.start += len(p)
	c.consume(p)
	return p, nil
}

// consume unmasks octets of the payload, the next ones.
func (c *Conn) consume(p []byte) {
	unmask(p, c.frame.mask, c.frame.length-c.left)
	c.left -= uint64(len(p))
	if !c.frame.opcode.isControl() {
		c.progress.octets += len(p)
	}
}

// control reads the payload of a control frame and answers it.
func (c *Conn) control() error {
	c.spendFrame()
	payload := make([]byte, 0, 125)
	for c.left > 0 {
		p, err := c.piece()
		if err != nil {
			return err
		}
		payload = append(payload, p...)
	}
	switch c.frame.opcode {
	case opPing:
		if waiting, _ := c.out.state(); waiting > c.options.MaxBuffered {
			// While the pong waits, the message cannot grow.
			c.progress.isWatched = false
		}
		if err := c.out.send(opPong, false, payload, false); err != nil {
			return err
		}
	case opPong:
		if n, err := strconv.ParseInt(string(payload), 10, 64); err == nil && n > c.confirmed.Load() {
			c.confirmed.Store(n)
		}
	case opClose:
		return closeOf(payload)
	}
	return nil
}

// closeOf is what a close frame says (RFC 6455 section 5.5.1).
func closeOf(payload []byte) error {
	if len(payload) == 0 {
		return &CloseError{Code: CloseNoStatus, FromPeer: true}
	}
	if len(payload) == 1 {
		return violation("close frame with half a code")
	}
	code := int(binary.BigEndian.Uint16(payload))
	if !isCloseCode(code) {
		return violation("close code that is not to be sent")
	}
	if !utf8.Valid(payload[2:]) {
		return errNotUTF8
	}
	return &CloseError{Code: code, FromPeer: true}
}

// fill reads more into the input, of which the start of a head is left at most.
func (c *Conn) fill() error {
	c.compact()
	n, err := c.readInto(c.input[c.end:])
	c.end += n
	return err
}

func (c *Conn) compact() {
	c.end = copy(c.input, c.input[c.start:c.end])
	c.start = 0
}

// readInto reads from the network, when it is time for that.
func (c *Conn) readInto(p []byte) (int, error) {
	if err := c.settle(); err != nil {
		return 0, err
	}
	c.watch()
	// #if applications
	c.hasMore.Store(false)
	// #endif
	c.isReading.Store(true)
	c.out.flushNow()
	n, err := c.tcp.Read(p)
	c.readAt.Store(time.Now().UnixNano())
	c.isReading.Store(false)
	c.received.Add(int64(n))
	select {
	case <-c.closing:
		return n, ErrClosed
	default:
	}
	if n > 0 {
		return n, nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, errNoProgress
	}
	return 0, err
}

// settle tells the meter what was read, and waits if that was too much.
func (c *Conn) settle() error {
	cost := c.cost
	if cost.frames == 0 && cost.messages == 0 {
		return nil
	}
	c.cost.frames, c.cost.messages = 0, 0
	wait := c.meter.Spend(cost.frames, cost.messages)
	if wait <= 0 {
		return nil
	}
	c.out.flushNow()
	c.progress.isWatched = false
	return c.sleep(wait)
}

// sleep returns ErrClosed if the connection is closed meanwhile.
func (c *Conn) sleep(wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.closing:
		return ErrClosed
	}
}

// watch bounds how long an unfinished message may rest. A steady one may take as long as it likes: by a
// thousandth of its size, and at least an octet, it has to grow.
func (c *Conn) watch() {
	p := &c.progress
	if isUnfinished := c.inMessage || c.inFrame && c.left > 0 || c.start < c.end; !isUnfinished {
		if p.isWatched {
			p.isWatched = false
			c.setReadDeadline(time.Time{})
		}
		return
	}
	if p.isWatched && p.octets-p.marked < max(1, len(c.message)/1000) {
		return
	}
	p.isWatched = true
	p.marked = p.octets
	p.at = time.Now()
	c.setReadDeadline(p.at.Add(c.options.MessageTimeout))
}

// setReadDeadline leaves the one of a connection that is closed.
func (c *Conn) setReadDeadline(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sentCode == 0 {
		_ = c.tcp.SetReadDeadline(at)
	}
}

// discard reads up to the peer's close frame, at a bounded rate, so that a flood that goes on costs little.
// It reports whether there was one.
func (c *Conn) discard() bool {
	began := time.Now()
	frames, octets := 0, 0
	for {
		n := min(c.left, uint64(c.end-c.start))
		c.start += int(n)
		c.left -= n
		octets += int(n)
		if c.left == 0 && c.inFrame && c.frame.opcode == opClose {
			c.inFrame = false
			return true
		}
		if c.left == 0 {
			if h, ok := parseHead(c.input[c.start:c.end]); ok {
				c.begin(h)
				frames++
				continue
			}
		}
		due := max(float64(frames)/discardFrames, float64(octets)/discardOctets)
		if pause := time.Duration(due*float64(time.Second)) - time.Since(began); pause > 0 {
			time.Sleep(min(pause, closeTimeout))
		}
		c.compact()
		more, err := c.tcp.Read(c.input[c.end:])
		if c.end += more; err != nil {
			return false
		}
	}
}
