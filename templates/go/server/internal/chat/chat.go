// Package chat is messages between the members of rooms.
package chat

import (
	"context"
	"errors"
	// #if history
	"strconv"
	// #endif

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/store"
)

// maxText is the longest text of a message, in characters.
const maxText = 4096

// #if rooms

// joinCost is that of a join in messages of the rate: the reply may hold a whole history.
const joinCost = 10

// #endif

// Chat is a realtime.Application.
type Chat struct {
	hub   *realtime.Hub
	store store.Store
	hooks Hooks
	// #if rooms
	// rooms are those with members.
	rooms *rooms
	// #else
	//~ // room is the only one.
	//~ room *room
	// #endif
}

// Hooks are the functions of internal/handler/.
type Hooks struct {
	OnMessage hook.OnMessage
	// #if rooms
	// Authorize is asked about rooms.
	Authorize hook.Authorize
	// #endif
}

var _ realtime.Application = (*Chat)(nil)

// New makes one whose rooms are in a store.
func New(ctx context.Context, settings *config.Config, hub *realtime.Hub, kept store.Store, hooks Hooks) (*Chat, error) {
	c := &Chat{hub: hub, store: kept, hooks: hooks}
	// #if rooms
	_ = ctx
	c.rooms = newRooms(settings, hub, kept)
	return c, nil
	// #else
	//~ c.room = newRoom("", hub)
	//~ _, err := kept.Subscribe(ctx, "", c.room, "")
	//~ return c, err
	// #endif
}

// Subprotocol is part of realtime.Application.
func (c *Chat) Subprotocol() string { return "chat.v1" }

// Features is part of realtime.Application.
func (c *Chat) Features() []string {
	var features []string
	// #if rooms
	features = append(features, "rooms")
	// #endif
	// #if presence
	features = append(features, "presence")
	// #endif
	// #if history
	features = append(features, "history")
	// #endif
	// #if resume
	features = append(features, "resume")
	// #endif
	return features
}

// Commands is part of realtime.Application.
func (c *Chat) Commands() map[string]realtime.Command {
	commands := map[string]realtime.Command{}
	commands["message"] = realtime.Command{Read: c.readMessage}
	// #if rooms
	commands["join"] = realtime.Command{Read: c.readJoin, Cost: joinCost}
	commands["leave"] = realtime.Command{Read: c.readLeave}
	// #endif
	// #if presence
	commands["members"] = realtime.Command{Read: c.readMembers}
	// #endif
	return commands
}

// Open is part of realtime.Application.
func (c *Chat) Open(_ context.Context, client *realtime.Client) error {
	// #if rooms
	_ = client
	// #else
	//~ c.room.add(client)
	// #endif
	return nil
}

// #if auth

// Refresh is part of realtime.Application.
func (c *Chat) Refresh(ctx context.Context, client *realtime.Client) error {
	// #if rooms
	for _, m := range c.rooms.all(client) {
		isAllowed, err := c.hooks.Authorize.Ask(ctx, client.Identity(), "join", m.room.name)
		if err != nil {
			return err
		}
		if !isAllowed {
			c.rooms.expel(m)
		}
	}
	// #else
	//~ _, _ = ctx, client
	// #endif
	return nil
}

// #endif

// Close is part of realtime.Application.
func (c *Chat) Close(client *realtime.Client) {
	// #if rooms
	for _, m := range c.rooms.all(client) {
		c.rooms.exit(m, true)
	}
	// #else
	//~ c.room.remove(client)
	// #endif
}

func (c *Chat) readMessage(fields *realtime.Fields) realtime.Action {
	// #if rooms
	name := fields.Name("room")
	// #endif
	text := fields.Text("text", 1, maxText)
	return func(ctx context.Context, client *realtime.Client, id string) error {
		draft := hook.Draft{Identity: client.Identity(), Text: text}
		// #if rooms
		if c.rooms.of(client, name) == nil {
			client.Fail(id, notInRoom, "join "+name+" first")
			return nil
		}
		draft.Room = name
		// #endif
		return c.publish(ctx, client, id, draft)
	}
}

type ack struct {
	realtime.Head
	// #if history
	// Offset is one more than that of the message before.
	Offset int64 `json:"offset"`
	// #endif
	// #if resume
	// Duplicate is whether the message had been sent before; nobody got it again.
	Duplicate bool `json:"duplicate,omitempty"`
	// #endif
}

// message is what members get, but for its offset.
type message struct {
	Type string `json:"type"`
	// #if rooms
	Room string `json:"room"`
	// #endif
	From string `json:"from"`
	Text string `json:"text"`
	At   string `json:"at"`
	// #if resume
	// ID is the one that its sender chose, so that it knows its own.
	ID string `json:"id,omitempty"`
	// #endif
}

// publish sends a message to the members of its room, unless the handler refuses it.
func (c *Chat) publish(ctx context.Context, client *realtime.Client, id string, draft hook.Draft) error {
	text, err := c.hooks.OnMessage(ctx, draft)
	if refusal := hook.Refusal(""); errors.As(err, &refusal) {
		client.Fail(id, realtime.Forbidden, refusal.Error())
		return nil
	}
	if err != nil {
		return err
	}
	made := message{
		Type: "message",
		From: client.User(),
		Text: text,
		At:   c.hub.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
	}
	name := ""
	// #if rooms
	name = draft.Room
	made.Room = name
	// #endif
	// #if resume
	made.ID = id
	// #endif
	published, err := c.store.Publish(ctx, name, realtime.JSON(made), store.Origin{User: client.User(), ID: id})
	if err != nil || id == "" {
		return err
	}
	reply := ack{Head: realtime.Head{Type: "ack", ID: id}}
	// #if history
	reply.Offset = published.Offset
	// #else
	//~ _ = published
	// #endif
	// #if resume
	reply.Duplicate = published.Duplicate
	// #endif
	client.Send(reply)
	return nil
}

// messageText is a message as members get it: the offset is its last key.
func messageText(entry store.Entry) []byte {
	// #if history
	text := make([]byte, 0, len(entry.Data)+32)
	text = append(text, entry.Data[:len(entry.Data)-1]...)
	text = append(text, `,"offset":`...)
	text = strconv.AppendInt(text, entry.Offset, 10)
	return append(text, '}')
	// #else
	//~ return entry.Data
	// #endif
}
