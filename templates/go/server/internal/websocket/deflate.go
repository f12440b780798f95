package websocket

import (
	"compress/flate"
	"errors"
	"io"
	"strings"
	"sync"
)

// compressFrom is the size in bytes from which messages are compressed.
const compressFrom = 1024

// dictionaryOctets is as far as deflate looks back (RFC 1951 section 2).
const dictionaryOctets = 32 << 10

// inflaterOctets is what an inflater takes: its window and its tables.
const inflaterOctets = 40 << 10

// tail is what senders leave out (RFC 7692 section 7.2.2), and an empty last block, which ends the stream.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

var (
	inflaters = sync.Pool{New: func() any { return flate.NewReader(strings.NewReader("")) }}
	deflaters = sync.Pool{New: func() any {
		d := &deflater{}
		// It fails for unknown levels only.
		d.writer, _ = flate.NewWriter(d, flate.BestSpeed)
		return d
	}}
)

type deflater struct {
	writer *flate.Writer
	output []byte
}

func (d *deflater) Write(p []byte) (int, error) {
	d.output = append(d.output, p...)
	return len(p), nil
}

// deflate compresses data on its own into to.
func deflate(to, data []byte) []byte {
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	d.output = to[:0]
	d.writer.Reset(d)
	// Appending does not fail.
	_, _ = d.writer.Write(data)
	_ = d.writer.Flush()
	compressed := d.output[:len(d.output)-4]
	d.output = nil
	return compressed
}

// payload is the compressed message that a connection receives, as inflaters read it: all of its fragments
// and the tail. Control frames between them are answered.
type payload struct {
	conn  *Conn
	piece []byte
	// octets is how many have come, without the tail.
	octets int
	isTail bool
	// err is why it ended before its end.
	err error
}

// next has octets to read afterwards; io.EOF behind the tail.
func (p *payload) next() error {
	for len(p.piece) == 0 {
		more, err := p.more()
		if err != nil {
			return err
		}
		if !more {
			if p.isTail {
				return io.EOF
			}
			p.isTail = true
			p.piece = []byte(tail)
		}
	}
	return nil
}

// more has octets of the message to read afterwards; false if there are none left.
func (p *payload) more() (bool, error) {
	c := p.conn
	for len(p.piece) == 0 && !p.isTail {
		if c.left == 0 {
			if c.frame.fin {
				return false, nil
			}
			if p.err = c.nextDataFrame(); p.err != nil {
				return false, p.err
			}
			continue
		}
		if p.piece, p.err = c.piece(); p.err != nil {
			return false, p.err
		}
		p.octets += len(p.piece)
	}
	return len(p.piece) > 0 && !p.isTail, nil
}

func (p *payload) Read(to []byte) (int, error) {
	if err := p.next(); err != nil {
		return 0, err
	}
	n := copy(to, p.piece)
	p.piece = p.piece[n:]
	return n, nil
}

// ReadByte keeps inflaters from reading further than they need.
func (p *payload) ReadByte() (byte, error) {
	if len(p.piece) == 0 {
		if err := p.next(); err != nil {
			return 0, err
		}
	}
	octet := p.piece[0]
	p.piece = p.piece[1:]
	return octet, nil
}

// readInflated reads a compressed message, whose first frame has begun, into c.message.
func (c *Conn) readInflated(isText bool) error {
	source := &payload{conn: c}
	if isWhole := c.frame.fin && c.left <= uint64(c.end-c.start); !isWhole {
		// It is kept for as long as the peer takes.
		c.inflater = inflaterOctets
		c.meter.Hold(c.inflater)
		defer func() {
			c.meter.Hold(-c.inflater)
			c.inflater = 0
		}()
	}
	inflater := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(inflater)
	resetter := inflater.(flate.Resetter)
	// It fails for no dictionary.
	_ = resetter.Reset(source, nil)
	for {
		// One octet above the limit tells that it is exceeded.
		if err := c.grow(c.options.MaxPayload + 1); err != nil {
			return err
		}
		n, err := inflater.Read(c.message[len(c.message):cap(c.message)])
		if isText && !c.text.write(c.message[len(c.message):len(c.message)+n]) {
			return errNotUTF8
		}
		c.message = c.message[:len(c.message)+n]
		if len(c.message) > c.options.MaxPayload {
			return errTooLarge
		}
		c.spendInflated(n, source.octets)
		switch {
		case source.err != nil:
			return source.err
		case errors.Is(err, io.EOF):
			// Blocks may follow one that says it is the last (RFC 7692 section 7.2.3.4).
			more, err := source.more()
			if err != nil {
				return err
			}
			if !more {
				return nil
			}
			_ = resetter.Reset(source, c.message[max(0, len(c.message)-dictionaryOctets):])
		case err != nil:
			return &CloseError{Code: CloseNotUTF8, Reason: "not what deflate makes"}
		}
	}
}

// spendInflated counts work that a peer hardly pays for: inflating to more than 32 times what came.
func (c *Conn) spendInflated(octets, received int) {
	over := len(c.message) - 32*received
	if over > 0 {
		c.cost.frames += float64(min(over, octets)) / (32 << 10)
	}
}
