// Package pubsub passes events on to who subscribed to their topics.
package pubsub

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	// #if history
	"strconv"
	// #endif

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/jsonvalue"
	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/store"
	"example.com/ws-app/internal/topics"
)

const (
	notSubscribed        realtime.Code = "not_subscribed"
	tooManySubscriptions realtime.Code = "too_many_subscriptions"
	patternTooBroad      realtime.Code = "pattern_too_broad"

	// subscribeCost is that of a subscription in messages of the rate: the reply may hold a whole history.
	subscribeCost = 10
	// maxBody is the bytes of the largest body of POST /publish.
	maxBody = 64 << 10
)

// PubSub is a realtime.Application.
type PubSub struct {
	settings      *config.Config
	hub           *realtime.Hub
	store         store.Store
	authorize     hook.Authorize
	subscriptions *subscriptions
}

var _ realtime.Application = (*PubSub)(nil)

// New makes one whose streams are in a store.
func New(settings *config.Config, hub *realtime.Hub, kept store.Store, authorize hook.Authorize) *PubSub {
	return &PubSub{settings, hub, kept, authorize, newSubscriptions(settings, hub, kept)}
}

// Subprotocol is part of realtime.Application.
func (p *PubSub) Subprotocol() string { return "pubsub.v1" }

// Features is part of realtime.Application.
func (p *PubSub) Features() []string {
	// #if history
	return []string{
		"history",
		// #if resume
		"resume",
		// #endif
	}
	// #else
	//~ return nil
	// #endif
}

// Commands is part of realtime.Application.
func (p *PubSub) Commands() map[string]realtime.Command {
	return map[string]realtime.Command{
		"subscribe":   {Read: p.readSubscribe, Cost: subscribeCost},
		"unsubscribe": {Read: p.readUnsubscribe},
		"publish":     {Read: p.readPublish},
	}
}

// Open is part of realtime.Application.
func (p *PubSub) Open(context.Context, *realtime.Client) error { return nil }

// Close is part of realtime.Application.
func (p *PubSub) Close(client *realtime.Client) {
	for _, pattern := range p.subscriptions.patterns(client) {
		p.subscriptions.end(client, pattern)
	}
}

// #if auth

// Refresh is part of realtime.Application.
func (p *PubSub) Refresh(ctx context.Context, client *realtime.Client) error {
	for _, pattern := range p.subscriptions.patterns(client) {
		isAllowed, err := p.isAllowed(ctx, client, "subscribe", pattern)
		if err != nil {
			return err
		}
		if !isAllowed && p.subscriptions.end(client, pattern) {
			client.Send(unsubscribed{Head: realtime.Head{Type: "unsubscribed"}, Topic: pattern, Code: realtime.Forbidden})
		}
	}
	return nil
}

// #endif

func (p *PubSub) isAllowed(ctx context.Context, client *realtime.Client, action, name string) (bool, error) {
	return p.authorize.Ask(ctx, client.Identity(), action, name)
}

// textOf takes a field that is a topic or a pattern.
func textOf(fields *realtime.Fields, isValid func(string) bool, expected string) string {
	text := fields.Text("topic", 0, maxBody)
	if !isValid(text) {
		fields.Wrong("topic", expected)
	}
	return text
}

func patternOf(fields *realtime.Fields) string {
	return textOf(fields, topics.IsPattern, `expected a topic, whose segments may be "*" and the last one "#"`)
}

type subscribed struct {
	realtime.Head
	Topic string `json:"topic"`
	// #if resume
	// Recovered is whether the events are all that came after the position that the client named.
	Position  realtime.Position `json:"position"`
	Recovered bool              `json:"recovered"`
	// #endif
}

func (p *PubSub) readSubscribe(fields *realtime.Fields) realtime.Action {
	pattern := patternOf(fields)
	// #if resume
	since := fields.Position("since")
	// #else
	// #if history
	//~ var since *realtime.Position
	// #endif
	// #endif
	return func(ctx context.Context, client *realtime.Client, id string) error {
		if topics.IsTooBroad(pattern) {
			client.Fail(id, patternTooBroad, "expected a first segment without * and #")
			return nil
		}
		isAllowed, err := p.isAllowed(ctx, client, "subscribe", pattern)
		if err != nil {
			return err
		}
		if !isAllowed {
			client.Fail(id, realtime.Forbidden, "you may not subscribe to "+pattern)
			return nil
		}
		// What comes from now on waits, so that nothing is missing between reply and events.
		stream := p.subscriptions.open(client, pattern)
		if stream == nil {
			client.Fail(id, tooManySubscriptions, "unsubscribe from another topic first, or try later")
			return nil
		}
		if _, err := stream.subscribe(); err != nil {
			return err
		}
		reply := subscribed{Head: realtime.Head{Type: "subscribed", ID: id}, Topic: pattern}
		// #if history
		recovery, err := p.store.Recover(ctx, stream.name, since)
		if err != nil {
			return err
		}
		// #if resume
		reply.Position, reply.Recovered = recovery.Position, recovery.Recovered
		// #if metrics
		if since != nil {
			p.hub.CountRecovery(recovery.Recovered)
		}
		// #endif
		// #endif
		text := withMessages(reply, recovery.Entries)
		stream.admit(client, pattern, p.hub.Encoded("subscribed", text), recovery.Position.Offset)
		// #else
		//~ stream.admit(client, pattern, p.hub.Message(reply), 0)
		// #endif
		return nil
	}
}

// #if history

// withMessages is a reply with the events that match as its last key.
func withMessages(reply subscribed, entries []store.Entry) []byte {
	text := realtime.JSON(reply)
	text = append(text[:len(text)-1], `,"messages":[`...)
	isFirst := true
	for _, entry := range entries {
		if !topics.Match(reply.Topic, topicOf(entry)) {
			continue
		}
		if !isFirst {
			text = append(text, ',')
		}
		isFirst = false
		text = append(text, eventText(entry)...)
	}
	return append(text, `]}`...)
}

// #endif

type unsubscribed struct {
	realtime.Head
	Topic string        `json:"topic"`
	Code  realtime.Code `json:"code,omitempty"`
}

func (p *PubSub) readUnsubscribe(fields *realtime.Fields) realtime.Action {
	pattern := patternOf(fields)
	return func(_ context.Context, client *realtime.Client, id string) error {
		if !p.subscriptions.end(client, pattern) {
			client.Fail(id, notSubscribed, "not subscribed to "+pattern)
			return nil
		}
		client.Send(unsubscribed{Head: realtime.Head{Type: "unsubscribed", ID: id}, Topic: pattern})
		return nil
	}
}

type ack struct {
	realtime.Head
	// #if history
	// Offset is one more than that of the event before in the stream.
	Offset int64 `json:"offset"`
	// #endif
	// #if resume
	// Duplicate is whether the event had been published before; nobody got it again.
	Duplicate bool `json:"duplicate,omitempty"`
	// #endif
}

// publication is what is published to a topic.
type publication struct {
	topic, id string
	// data is JSON without blanks.
	data json.RawMessage
}

func readPublication(fields *realtime.Fields) publication {
	made := publication{topic: textOf(fields, topics.IsTopic, `expected 1 to 8 segments of letters, digits, "_" or "-", joined by "."`)}
	raw := fields.Raw("data")
	if raw == nil {
		fields.Wrong("data", "expected a JSON value")
		return made
	}
	if _, err := jsonvalue.Decode(raw); err != nil {
		fields.Wrong("data", err.Error())
		return made
	}
	var text bytes.Buffer
	// It has been read before.
	_ = json.Compact(&text, raw)
	made.data = text.Bytes()
	return made
}

func (p *PubSub) readPublish(fields *realtime.Fields) realtime.Action {
	made := readPublication(fields)
	return func(ctx context.Context, client *realtime.Client, id string) error {
		isAllowed, err := p.isAllowed(ctx, client, "publish", made.topic)
		if err != nil {
			return err
		}
		if !p.settings.ClientPublish || !isAllowed {
			client.Fail(id, realtime.Forbidden, "you may not publish to "+made.topic)
			return nil
		}
		made.id = id
		published, err := p.publish(ctx, made, client.User(), client.Address())
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
}

// event is what subscribers get, but for its offset. It starts with its topic, which is read without the rest.
type event struct {
	Type  string          `json:"type"`
	Topic string          `json:"topic"`
	Data  json.RawMessage `json:"data"`
	At    string          `json:"at"`
	From  string          `json:"from,omitempty"`
	// #if resume
	// ID is what the publisher chose, so that it knows its own.
	ID string `json:"id,omitempty"`
	// #endif
}

const eventStart = `{"type":"event","topic":"`

// topicOf is the topic of an event as the store has it.
func topicOf(entry store.Entry) string {
	rest := entry.Data[len(eventStart):]
	return string(rest[:bytes.IndexByte(rest, '"')])
}

// eventText is an event as subscribers get it: the offset is its last key.
func eventText(entry store.Entry) []byte {
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

// publish publishes for a user, or for who has PUBLISH_TOKEN.
func (p *PubSub) publish(ctx context.Context, made publication, user, owner string) (store.Published, error) {
	text := realtime.JSON(event{
		Type:  "event",
		Topic: made.topic,
		Data:  made.data,
		At:    p.hub.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		From:  user,
		// #if resume
		// So that the publisher knows its own.
		ID: made.id,
		// #endif
	})
	origin := store.Origin{User: user, Owner: owner}
	if made.id != "" {
		// The same id in another topic is another event.
		origin.ID = made.topic + "\n" + made.id
	}
	return p.store.Publish(ctx, topics.Stream(made.topic), text, origin)
}

// Routes is part of realtime.Routed.
func (p *PubSub) Routes() []realtime.Route {
	return []realtime.Route{{Method: http.MethodPost, Path: "/publish", MaxBody: maxBody, Answer: p.answer}}
}

type answer struct {
	// #if history
	// Offset and Epoch are the position in the stream.
	Offset int64  `json:"offset"`
	Epoch  string `json:"epoch"`
	// #endif
	// #if resume
	// Duplicate is whether the event had been published before; nobody got it again.
	Duplicate bool `json:"duplicate,omitempty"`
	// #endif
	// Subscribers are the clients that got it.
	Subscribers int `json:"subscribers"`
}

// answer answers POST /publish.
func (p *PubSub) answer(request realtime.Request) realtime.Answer {
	if refused := request.RefusePublisher(p.settings.PublishToken); refused != nil {
		return *refused
	}
	var made publication
	err := realtime.ReadBody(request.Body, func(fields *realtime.Fields) {
		made = readPublication(fields)
		if fields.Has("id") {
			made.id = fields.Text("id", 1, 64)
		}
	})
	if err != nil {
		return realtime.Problem(http.StatusBadRequest, err.Error())
	}
	published, err := p.publish(request.Context(), made, "", "")
	if err != nil {
		return request.Failed(err)
	}
	body := answer{}
	// #if history
	body.Offset, body.Epoch = published.Offset, published.Epoch
	// #endif
	// #if resume
	body.Duplicate = published.Duplicate
	// #endif
	if !published.Duplicate {
		body.Subscribers = p.subscriptions.count(made.topic)
	}
	return realtime.Answer{Status: http.StatusOK, Body: body}
}
