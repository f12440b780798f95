package wsclient

import (
	"context"
	// #if presence
	"slices"
	// #endif
	"time"
)

// Message is one in a room.
type Message struct {
	Room, From, Text string
	At               time.Time
	// Offset is 0 if the server keeps no history.
	Offset uint64
	// ID is the one that its sender chose, if the server resumes.
	ID string
}

func (Message) isEvent() {}

// #if presence

// Members is who is there, after each change, sorted.
type Members struct{ Users []string }

func (Members) isEvent() {}

// #endif

// Chat is a client of a chat server.
type Chat struct{ *Client }

// NewChat makes a client, which connects when it is Run. It returns an error for options that are out of range.
func NewChat(options Options) (*Chat, error) {
	chat := &Chat{}
	var err error
	chat.Client, err = newClient(options, protocol{
		subprotocol: "chat.v1",
		join:        "join",
		joined:      "joined",
		leave:       "leave",
		left:        "left",
		key:         "room",
		nameOf:      func(message *incoming) string { return message.Room },
		known:       []string{"message", "member-joined", "member-left"},
		receive:     chat.receive,
		asksToJoin:  func() bool { return chat.hasFeature("rooms") },
		isReady: func(room string) bool {
			stream := chat.streams[room]
			return stream == nil || stream.isSettled()
		},
		sequenceOf: func(room string) string { return room },
	})
	if err != nil {
		return nil, err
	}
	return chat, nil
}

// Room is one that the client is in, or will be in as soon as it is connected. Its own events are Message
// #if presence
// and Members
// #endif
// values.
type Room struct {
	*Stream
	// #if presence
	members []string
	// #endif
}

// Join joins a room, and again after each reconnect, until Leave. Without a name, it is the one room of a server without
// rooms. While the client is in a room, Join returns the same one.
func (c *Chat) Join(room string) *Room {
	c.mu.Lock()
	defer c.mu.Unlock()
	if present := c.streams[room]; present != nil {
		return present.kind.(*Room)
	}
	r := &Room{}
	r.Stream = c.open(room, r)
	c.start(r.Stream)
	return r
}

// Send publishes a text, and waits for the server's answer as [Pending.Wait] does.
func (r *Room) Send(ctx context.Context, text string) (Ack, error) {
	if ctx.Err() != nil {
		return Ack{}, &Error{Code: ErrAborted.Code, Cause: context.Cause(ctx)}
	}
	return r.Queue("", text).Wait(ctx)
}

// Queue publishes a text and returns at once: what one goroutine queues is sent in this order. The server publishes the
// same id once, if it resumes; without one, it is random.
func (r *Room) Queue(id, text string) *Pending {
	command := map[string]any{"type": "message", "text": text}
	if r.name != "" {
		command["room"] = r.name
	}
	return r.client.publish(r.name, id, command)
}

// #if presence

// Members is who is there, sorted.
func (r *Room) Members() []string {
	r.client.mu.Lock()
	defer r.client.mu.Unlock()
	return slices.Clone(r.members)
}

func (r *Room) setMembers(users []string) {
	r.members = users
	r.put(Members{slices.Clone(users)})
}

func (r *Room) changeMembers(user string, isThere bool) {
	// The answer to join holds what came before it.
	if r.status != joined || r.isBehind() {
		return
	}
	others := slices.DeleteFunc(r.members, func(other string) bool { return other == user })
	if isThere {
		others = append(others, user)
		slices.Sort(others)
	}
	r.setMembers(others)
}

// #endif
func (c *Chat) receive(message *incoming) {
	stream := c.streams[message.Room]
	if stream == nil {
		return
	}
	switch message.Type {
	case "message":
		stream.handle(message)
	// #if presence
	case "member-joined", "member-left":
		stream.kind.(*Room).changeMembers(message.User, message.Type == "member-joined")
		// #endif
	}
}

func (r *Room) read(reply *incoming) []*incoming {
	// #if presence
	if reply.Members != nil {
		slices.Sort(reply.Members)
		r.setMembers(reply.Members)
	}
	// #endif
	return reply.Messages
}

func (r *Room) give(m *incoming) {
	r.put(Message{Room: r.name, From: m.From, Text: m.Text, At: m.At, Offset: m.Offset, ID: m.ID})
}
