package wsclient

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

// Published is what was published to a topic.
type Published struct {
	Topic string
	// Data is any JSON.
	Data json.RawMessage
	At   time.Time
	// From is empty if the server published it.
	From string
	// Offset is 0 if the server keeps no history.
	Offset uint64
	// ID is the one that its publisher chose, if the server resumes.
	ID string
}

func (Published) isEvent() {}

// Pubsub is a client of a pubsub server.
type Pubsub struct{ *Client }

// NewPubsub makes a client, which connects when it is Run. It returns an error for options that are out of range.
func NewPubsub(options Options) (*Pubsub, error) {
	pubsub := &Pubsub{}
	var err error
	pubsub.Client, err = newClient(options, protocol{
		subprotocol: "pubsub.v1",
		join:        "subscribe",
		joined:      "subscribed",
		leave:       "unsubscribe",
		left:        "unsubscribed",
		key:         "topic",
		nameOf:      func(message *incoming) string { return message.Topic },
		known:       []string{"event"},
		receive:     pubsub.receive,
		isReady:     func(string) bool { return true },
		sequenceOf:  firstSegment,
	})
	if err != nil {
		return nil, err
	}
	return pubsub, nil
}

// Subscription is a pattern, and what is published to the topics that match it. Its own events are Published values.
type Subscription struct{ *Stream }

// Subscribe gets what is published to a pattern: "*" stands for one segment, "#" at the end for any number. It subscribes
// again after each reconnect, until Leave. While there is a subscription to the pattern, Subscribe returns the same one.
func (c *Pubsub) Subscribe(pattern string) *Subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	if present := c.streams[pattern]; present != nil {
		return present.kind.(*Subscription)
	}
	s := &Subscription{}
	s.Stream = c.open(pattern, s)
	c.start(s.Stream)
	return s
}

// Publish publishes data, which becomes JSON, and waits for the server's answer as [Pending.Wait] does.
func (c *Pubsub) Publish(ctx context.Context, topic string, data any) (Ack, error) {
	if ctx.Err() != nil {
		return Ack{}, &Error{Code: ErrAborted.Code, Cause: context.Cause(ctx)}
	}
	return c.Queue("", topic, data).Wait(ctx)
}

// Queue publishes data and returns at once: what one goroutine queues is sent in this order. The server publishes the same
// id once, if it resumes; without one, it is random.
func (c *Pubsub) Queue(id, topic string, data any) *Pending {
	command := map[string]any{"type": "publish", "topic": topic, "data": data}
	return c.publish(firstSegment(topic), id, command)
}

func (c *Pubsub) receive(message *incoming) {
	if message.Type != "event" {
		return
	}
	sequence := firstSegment(message.Topic)
	for pattern, stream := range c.streams {
		if Matches(pattern, message.Topic) {
			stream.handle(message)
		} else if firstSegment(pattern) == sequence {
			stream.passed(message.Offset)
		}
	}
}

func (*Subscription) read(reply *incoming) []*incoming { return reply.Messages }

func (s *Subscription) give(m *incoming) {
	s.put(Published{Topic: m.Topic, Data: m.Data, At: m.At, From: m.From, Offset: m.Offset, ID: m.ID})
}

// hasEveryOffset: all topics with the same first segment are one sequence; other patterns get a part of it.
func (s *Subscription) hasEveryOffset() bool {
	return strings.Count(s.name, ".") == 1 && strings.HasSuffix(s.name, ".#")
}

func firstSegment(topic string) string {
	first, _, _ := strings.Cut(topic, ".")
	return first
}

// Matches reports whether the topic is one of those that the pattern stands for.
func Matches(pattern, topic string) bool {
	wanted, parts := strings.Split(pattern, "."), strings.Split(topic, ".")
	if last := len(wanted) - 1; wanted[last] == "#" {
		wanted = wanted[:last]
		if len(parts) > last {
			parts = parts[:last]
		}
	}
	if len(wanted) != len(parts) {
		return false
	}
	for i, part := range wanted {
		if part != "*" && part != parts[i] {
			return false
		}
	}
	return true
}
