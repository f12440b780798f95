package graphqlws

import (
	"time"

	qerrors "github.com/graph-gophers/graphql-go/errors"

	"example.com/ws-app/internal/protocol"
)

const (
	legacyName = "graphql-ws"
	// terminate is what a client says goodbye with.
	terminate = "connection_terminate"
	// keepAliveEvery is the time between two "ka": clients give up after 30 seconds without.
	keepAliveEvery = 10 * time.Second
)

// legacyKinds are the messages that clients had before 2021, by their names now.
var legacyKinds = map[string]string{
	"connection_init": "connection_init",
	"start":           "subscribe",
	"stop":            "complete",
	terminate:         terminate,
}

// Legacy is the same over the subprotocol graphql-ws, as clients spoke it before 2021:
// https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md
func (p *Protocol) Legacy() *Protocol {
	return &Protocol{settings: p.settings, executor: p.executor, isLegacy: true}
}

// legacyOf is a message as it was then.
func legacyOf(made outgoing) outgoing {
	switch made.Type {
	case "next":
		made.Type = "data"
	case "error":
		if found, ok := made.Payload.([]*qerrors.QueryError); ok && len(found) > 0 {
			made.Payload = found[0]
		}
	}
	return made
}

// beginKeepAlive is called after connection_ack.
func (c *conversation) beginKeepAlive() {
	c.peer.Send(protocol.NewMessage("ka", []byte(`{"type":"ka"}`)))
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isOver {
		c.keepAlive = time.AfterFunc(keepAliveEvery, c.beginKeepAlive)
	}
}

func (c *conversation) endKeepAlive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isOver = true
	if c.keepAlive != nil {
		c.keepAlive.Stop()
	}
}
