package wsclient

import (
	"context"
	"crypto/rand"
	"slices"
	"time"
)

// outbox holds messages from publish until the server has answered, in order. All of it has the client's lock.
type outbox struct {
	client  *Client
	entries []*entry
	byID    map[string]*entry
	// waiting and bytes are of the entries that are not sent.
	waiting int
	bytes   int
}

type entry struct {
	id          string
	sequence    string
	text        []byte
	addedAt     time.Time
	firstSentAt time.Time
	isSent      bool
	timer       timer
	// done is closed when there is a result.
	done   chan struct{}
	result result
}

type result struct {
	ack Ack
	err error
}

func newOutbox(client *Client) outbox { return outbox{client: client, byID: map[string]*entry{}} }

// Pending is a message that waits for the server's answer.
type Pending struct {
	client *Client
	entry  *entry
	// err is why it was not taken.
	err error
}

// Wait waits for the server's answer. It returns when the server has taken the message, or with an *Error whose code says
// why it has not; when the context is done, the message is given up.
func (p *Pending) Wait(ctx context.Context) (Ack, error) {
	if p.err != nil {
		return Ack{}, p.err
	}
	select {
	case <-ctx.Done():
		p.client.mu.Lock()
		// It may have had an answer before.
		p.client.outbox.settle(p.entry, result{err: &Error{Code: ErrAborted.Code, Cause: context.Cause(ctx)}})
		p.client.outbox.flush()
		p.client.mu.Unlock()
	case <-p.entry.done:
	}
	return p.entry.result.ack, p.entry.result.err
}

// publish queues the command with the id, or a random one.
func (c *Client) publish(sequence, id string, command map[string]any) *Pending {
	if id == "" {
		id = rand.Text()
	}
	command["id"] = id
	text, err := encode(command)
	if err != nil {
		return &Pending{err: err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, refusal := c.outbox.add(sequence, id, text)
	if refusal != nil {
		return &Pending{err: refusal}
	}
	return &Pending{client: c, entry: e}
}

func (o *outbox) add(sequence, id string, text []byte) (*entry, *Error) {
	if err := o.refusal(id, len(text)); err != nil {
		return nil, err
	}
	e := &entry{
		id: id, sequence: sequence, text: text, addedAt: time.Now(),
		timer: timer{lock: &o.client.mu}, done: make(chan struct{}),
	}
	o.entries = append(o.entries, e)
	o.byID[id] = e
	o.wait(e)
	o.flush()
	return e, nil
}

// refusal is why a message cannot be taken. It makes room for it where that is wanted.
func (o *outbox) refusal(id string, size int) *Error {
	options := &o.client.options
	switch {
	case o.client.state.Name == Closed:
		return ErrClosed
	case o.byID[id] != nil:
		return &Error{Code: "bad_message", Message: id + " is being sent"}
	case size > options.MaxMessageBytes:
		return ErrTooBig.because("%d bytes", size)
	}
	isFull := func() bool {
		return o.waiting >= options.QueueMessages || o.bytes+size > options.QueueBytes
	}
	if options.WhenFull == DropOldest && size <= options.QueueBytes && isFull() {
		for _, e := range slices.Clone(o.entries) {
			if !isFull() {
				break
			}
			if !e.isSent {
				o.settle(e, e.unsent(ErrDropped))
			}
		}
	}
	switch {
	case !isFull():
		return nil
	case options.WhenFull == DropNew:
		return ErrDropped.because("%d wait", o.waiting)
	}
	return ErrQueueFull.because("%d wait", o.waiting)
}

// wait: it is not sent. It expires, and after a first attempt its outcome is unknown.
func (o *outbox) wait(e *entry) {
	o.waiting++
	o.bytes += len(e.text)
	e.timer.set(o.left(e), func() { o.settle(e, e.unsent(ErrExpired)) })
}

// left is how long it may still be sent.
func (o *outbox) left(e *entry) time.Duration {
	if e.firstSentAt.IsZero() {
		return o.client.options.QueueAge - time.Since(e.addedAt)
	}
	return o.client.options.ResendWithin - time.Since(e.firstSentAt)
}

// flush sends what can be sent.
func (o *outbox) flush() {
	c := o.client
	if o.waiting == 0 || c.state.Name != Open || c.conn == nil {
		return
	}
	for _, e := range o.entries {
		if e.isSent || !c.protocol.isReady(e.sequence) {
			continue
		}
		if c.conn.buffered >= c.options.HighWaterMark || len(o.entries)-o.waiting >= c.options.QueueMessages {
			// The writer or an answer comes back here.
			return
		}
		if c.sendText(e.text) {
			o.sent(e)
		}
	}
}

func (o *outbox) sent(e *entry) {
	e.isSent = true
	if e.firstSentAt.IsZero() {
		e.firstSentAt = time.Now()
	}
	o.waiting--
	o.bytes -= len(e.text)
	e.timer.set(o.client.options.AckTimeout, func() { o.answer(e.id, result{err: ErrTimeout}) })
}

// answer is that of the server, or that there is none; false when nothing waits for it.
func (o *outbox) answer(id string, r result) bool {
	e := o.byID[id]
	if e == nil || !e.isSent {
		return false
	}
	o.settle(e, r)
	o.flush()
	return true
}

// lost: the connection is gone. What has no answer is sent again, or its outcome is unknown.
func (o *outbox) lost(canResume bool) {
	if !canResume {
		o.forget("")
	}
	for _, e := range o.entries {
		if e.isSent {
			e.isSent = false
			o.wait(e)
		}
	}
}

// forget: the server has lost its memory, and would not know what it has published to the sequence; to all, if it is "".
func (o *outbox) forget(sequence string) {
	for _, e := range slices.Clone(o.entries) {
		if (sequence == "" || e.sequence == sequence) && !e.firstSentAt.IsZero() {
			o.settle(e, result{err: ErrUnknownOutcome})
		}
	}
}

func (o *outbox) close() {
	for _, e := range slices.Clone(o.entries) {
		o.settle(e, e.unsent(ErrClosed))
	}
}

func (o *outbox) settle(e *entry, r result) {
	if o.byID[e.id] != e {
		return
	}
	delete(o.byID, e.id)
	at := slices.Index(o.entries, e)
	o.entries = slices.Delete(o.entries, at, at+1)
	if !e.isSent {
		o.waiting--
		o.bytes -= len(e.text)
	}
	e.timer.stop()
	e.result = r
	close(e.done)
}

// unsent is the result of what is not sent any more; it may have been sent before.
func (e *entry) unsent(err *Error) result {
	if !e.firstSentAt.IsZero() {
		err = ErrUnknownOutcome
	}
	return result{err: err}
}
