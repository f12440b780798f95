package wsclient

import "encoding/json"

// Change is what a document has become.
type Change struct {
	// Data is what encoding/json makes of the document. It is never changed in place, and you must not do so.
	Data any
	// Patch is nil if the whole document was sent.
	Patch  []Operation
	Offset uint64
}

// Removed says that the server has removed the document.
type Removed struct{}

func (Change) isEvent()  {}
func (Removed) isEvent() {}

// Decode writes the document into the value that target points to, as json.Unmarshal does.
func (c Change) Decode(target any) error {
	text, err := json.Marshal(c.Data)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, target)
}

// LiveUpdates is a client of a live-updates server.
type LiveUpdates struct{ *Client }

// NewLiveUpdates makes a client, which connects when it is Run. It returns an error for options that are out of range.
func NewLiveUpdates(options Options) (*LiveUpdates, error) {
	live := &LiveUpdates{}
	var err error
	live.Client, err = newClient(options, protocol{
		subprotocol:   "live-updates.v1",
		join:          "watch",
		joined:        "watching",
		leave:         "unwatch",
		left:          "unwatched",
		key:           "document",
		nameOf:        func(message *incoming) string { return message.Document },
		known:         []string{"patch", "snapshot", "removed"},
		receive:       live.receive,
		alwaysResumes: true,
		// #if chat || pubsub
		isReady:    func(string) bool { return true },
		sequenceOf: func(name string) string { return name },
		// #endif
	})
	if err != nil {
		return nil, err
	}
	return live, nil
}

// Document is one of the server, kept up to date. Its own events are Change and Removed values.
type Document struct {
	*Stream
	data  any
	isSet bool
	// isBroken: a patch did not apply, and only the whole document helps.
	isBroken bool
}

// Watch keeps a document up to date, over reconnects, until Leave. While it is watched, Watch returns the same one.
func (c *LiveUpdates) Watch(document string) *Document {
	c.mu.Lock()
	defer c.mu.Unlock()
	if present := c.streams[document]; present != nil {
		return present.kind.(*Document)
	}
	d := &Document{}
	d.Stream = c.open(document, d)
	c.start(d.Stream)
	return d
}

// Data is the document; false if it has not come yet, or was removed. It is never changed in place, and you must not do so.
func (d *Document) Data() (any, bool) {
	d.client.mu.Lock()
	defer d.client.mu.Unlock()
	return d.data, d.isSet
}

func (c *LiveUpdates) receive(message *incoming) {
	stream := c.streams[message.Document]
	if stream == nil {
		return
	}
	switch document := stream.kind.(*Document); message.Type {
	case "patch":
		stream.handle(message)
	case "snapshot":
		document.replace(message)
	case "removed":
		document.data, document.isSet = nil, false
		document.put(Removed{})
	}
}

func (d *Document) position() *Position {
	if d.isBroken || !d.isSet {
		return nil
	}
	return d.Stream.position()
}

func (d *Document) read(reply *incoming) []*incoming {
	if reply.Recovered {
		return reply.Patches
	}
	return nil
}

func (d *Document) restore(reply *incoming) {
	d.isBroken = reply.Data == nil
	switch {
	case reply.Position != nil && reply.Data != nil:
		d.offset, d.isPlaced = reply.Position.Offset, true
		d.setText(reply.Data, d.offset)
	case d.since == nil:
		d.client.restart("there is no document")
	default:
		// Patches with a gap: the whole document is asked for, once.
		d.client.ask(d.Stream)
	}
}

func (d *Document) give(event *incoming) {
	if d.isBroken {
		return
	}
	var patch []Operation
	err := json.Unmarshal(event.Patch, &patch)
	if err == nil && patch != nil && d.isSet {
		var data any
		if data, err = Apply(d.data, patch); err == nil {
			d.set(data, event.Offset, patch)
			return
		}
	}
	d.isBroken, d.isPlaced = true, false
	d.client.ask(d.Stream)
}

// replace takes the whole document, in place of patches: only its newest state counts, so nothing is lost.
func (d *Document) replace(event *incoming) {
	switch {
	case d.status != joined || event.Position == nil || event.Data == nil:
	case event.Position.Epoch != d.epoch:
		d.hasAsked(nil)
		d.accept(event)
	case event.Position.Offset > d.offset:
		d.passed(event.Position.Offset)
		d.setText(event.Data, d.offset)
	}
}

func (d *Document) setText(text []byte, offset uint64) {
	var data any
	// It is a part of a message that was parsed.
	_ = json.Unmarshal(text, &data)
	d.set(data, offset, nil)
}

func (d *Document) set(data any, offset uint64, patch []Operation) {
	d.data, d.isSet = data, true
	d.put(Change{data, patch, offset})
}
