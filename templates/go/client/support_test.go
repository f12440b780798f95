package wsclient

import (
	"context"
	"encoding/json"
	"errors"
	// #if chat || pubsub
	"fmt"
	// #endif
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// patience is how long a test waits: what hangs has to fail.
const patience = 20 * time.Second

type object = map[string]any

// peer is the server's end of a connection.
type peer struct {
	t        *testing.T
	socket   *websocket.Conn
	messages chan object
	// closed gets why the connection has ended.
	closed chan error
}

func (p *peer) send(messages ...any) {
	p.t.Helper()
	for _, message := range messages {
		text, isText := message.(string)
		if !isText {
			encoded, err := encode(message)
			if err != nil {
				p.t.Fatal(err)
			}
			text = string(encoded)
		}
		if err := p.socket.Write(p.t.Context(), websocket.MessageText, []byte(text)); err != nil {
			p.t.Log("send:", err)
		}
	}
}

// next is the client's next message, which has to be of the type.
func (p *peer) next(kind string) object {
	p.t.Helper()
	message := take(p.t, p.messages, kind)
	if message["type"] != kind {
		p.t.Fatalf("expected %s, got %v", kind, message)
	}
	return message
}

func (p *peer) welcome(features ...string) {
	p.t.Helper()
	p.send(object{"type": "welcome", "client": "c1", "user": "ada", "pingIntervalMs": 25_000, "features": features})
}

// cut breaks the connection off.
func (p *peer) cut() { _ = p.socket.CloseNow() }

func (p *peer) close(code websocket.StatusCode) { go func() { _ = p.socket.Close(code, "") }() }

func take[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case one := <-from:
		return one
	case <-time.After(patience):
	}
	t.Fatalf("waited in vain for %s", what)
	panic("unreachable")
}

// server is one that a test speaks for.
type server struct {
	t     *testing.T
	url   string
	peers chan *peer
}

// serve starts a server. Handshakes that refuse answers are no connections.
func serve(t *testing.T, refuse func(w http.ResponseWriter) bool) *server {
	s := &server{t: t, peers: make(chan *peer, 10)}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuse != nil && refuse(w) {
			return
		}
		socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{
			Subprotocols: []string{r.Header.Get("Sec-WebSocket-Protocol")},
		})
		if err != nil {
			return
		}
		p := &peer{t: t, socket: socket, messages: make(chan object, 100), closed: make(chan error, 1)}
		s.peers <- p
		for {
			_, data, err := socket.Read(context.Background())
			if err != nil {
				p.closed <- err
				return
			}
			var message object
			if err := json.Unmarshal(data, &message); err != nil {
				p.closed <- err
				return
			}
			p.messages <- message
		}
	}))
	t.Cleanup(web.Close)
	s.url = "ws" + strings.TrimPrefix(web.URL, "http")
	return s
}

// accept is the next connection.
func (s *server) accept() *peer {
	s.t.Helper()
	return take(s.t, s.peers, "a connection")
}

// options are those of a client whose waits are short.
func (s *server) options() Options {
	return Options{URL: s.url, BackoffBase: time.Millisecond, BackoffMax: 2 * time.Millisecond}
}

// run runs a client until the end of the test, and its result comes then.
func run(t *testing.T, client *Client) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	hasEnded := make(chan struct{})
	go func() {
		ended <- client.Run(context.Background())
		close(hasEnded)
	}()
	t.Cleanup(func() {
		client.Close()
		take(t, hasEnded, "the end of Run")
	})
	return ended
}

func expectEvents(t *testing.T, stream *Stream, expected ...Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i, one := range expected {
		event, err := stream.Next(ctx)
		if err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		if !reflect.DeepEqual(event, one) {
			t.Fatalf("event %d: expected %#v, got %#v", i, one, event)
		}
	}
}

func position(offset int) object { return object{"offset": offset, "epoch": "e1"} }

// kindOfClient is a type of client, as the tests that hold for all of them see it.
type kindOfClient struct {
	name, join, joined, key string
	make                    func(Options) (*Client, func(string) *Stream, error)
	// sent is the event at an offset as the server sends it, given what the program gets.
	sent  func(offset int) object
	given func(offset int) Event
	// list is the events of a reply, or what stands for them.
	list func(from, to int) object
	// initial is what a reply without a position before brings besides Joined.
	initial func(offset int) []Event
}

var kinds = []kindOfClient{
	// #if chat
	{
		name: "lobby", join: "join", joined: "joined", key: "room",
		make: func(options Options) (*Client, func(string) *Stream, error) {
			client, err := NewChat(options)
			if err != nil {
				return nil, nil, err
			}
			return client.Client, func(name string) *Stream { return client.Join(name).Stream }, nil
		},
		sent: func(offset int) object {
			return object{"type": "message", "room": "lobby", "from": "ada", "text": fmt.Sprint(offset), "offset": offset}
		},
		given: func(offset int) Event {
			return Message{Room: "lobby", From: "ada", Text: fmt.Sprint(offset), Offset: uint64(offset)}
		},
		list: listed("room", "lobby", "text"),
	},
	// #endif
	// #if pubsub
	{
		name: "lobby.#", join: "subscribe", joined: "subscribed", key: "topic",
		make: func(options Options) (*Client, func(string) *Stream, error) {
			client, err := NewPubsub(options)
			if err != nil {
				return nil, nil, err
			}
			return client.Client, func(name string) *Stream { return client.Subscribe(name).Stream }, nil
		},
		sent: func(offset int) object {
			return object{"type": "event", "topic": "lobby", "from": "ada", "data": fmt.Sprint(offset), "offset": offset}
		},
		given: func(offset int) Event {
			data, _ := json.Marshal(fmt.Sprint(offset))
			return Published{Topic: "lobby", From: "ada", Data: data, Offset: uint64(offset)}
		},
		list: listed("topic", "lobby", "data"),
	},
	// #endif
	// #if live
	{
		name: "score", join: "watch", joined: "watching", key: "document",
		make: func(options Options) (*Client, func(string) *Stream, error) {
			client, err := NewLiveUpdates(options)
			if err != nil {
				return nil, nil, err
			}
			return client.Client, func(name string) *Stream { return client.Watch(name).Stream }, nil
		},
		sent: func(offset int) object {
			return object{"type": "patch", "document": "score", "offset": offset, "patch": replacing(offset)}
		},
		given: func(offset int) Event {
			value, _ := json.Marshal(offset)
			patch := []Operation{{Op: "replace", Path: "/n", Value: value}}
			return Change{Data: object{"n": float64(offset)}, Patch: patch, Offset: uint64(offset)}
		},
		list: func(from, to int) object {
			patches := []object{}
			for offset := from; offset <= to; offset++ {
				patches = append(patches, object{"offset": offset, "patch": replacing(offset)})
			}
			return object{"patches": patches, "data": object{"n": to}}
		},
		initial: func(offset int) []Event {
			return []Event{Change{Data: object{"n": float64(offset)}, Offset: uint64(offset)}}
		},
	},
	// #endif
}

// #if chat || pubsub

func listed(key, name, data string) func(from, to int) object {
	return func(from, to int) object {
		messages := []object{}
		for offset := from; offset <= to; offset++ {
			messages = append(messages, object{key: name, "from": "ada", data: fmt.Sprint(offset), "offset": offset})
		}
		return object{"messages": messages}
	}
}

// #endif
// #if live

func replacing(offset int) []object {
	return []object{{"op": "replace", "path": "/n", "value": offset}}
}

// #endif
// forAll runs a test with each type of client, and finds goroutines that outlive it.
func forAll(t *testing.T, test func(t *testing.T, kind kindOfClient)) {
	for _, kind := range kinds {
		t.Run(kind.join, func(t *testing.T) { test(t, kind) })
		var stacks [1 << 20]byte
		text := string(stacks[:runtime.Stack(stacks[:], true)])
		if strings.Contains(text, "wsclient.(*connection)") || strings.Contains(text, "wsclient.(*Client)") {
			t.Errorf("goroutines are left over:\n%s", text)
		}
	}
}

// answer lets the client in, with the events after one offset up to another.
func (k kindOfClient) answer(p *peer, command object, recovered bool, from, to int) {
	p.t.Helper()
	reply := k.list(from, to)
	reply["type"], reply["id"], reply[k.key] = k.joined, command["id"], command[k.key]
	reply["position"], reply["recovered"] = position(to), recovered
	p.send(reply)
}

// begin makes a client that has joined and seen the event at offset 1, or the state then.
func (k kindOfClient) begin(t *testing.T, s *server, options Options) (*Client, *Stream, *peer, <-chan error) {
	t.Helper()
	client, join, err := k.make(options)
	if err != nil {
		t.Fatal(err)
	}
	stream := join(k.name)
	ended := run(t, client)
	p := s.accept()
	p.welcome("rooms", "history", "resume")
	command := p.next(k.join)
	if command["since"] != nil {
		t.Fatalf("it knows a position from nowhere: %v", command)
	}
	if k.initial != nil {
		k.answer(p, command, false, 1, 1)
		expectEvents(t, stream, append(k.initial(1), Joined{})...)
	} else {
		k.answer(p, command, false, 1, 1)
		expectEvents(t, stream, k.given(1), Joined{})
	}
	return client, stream, p, ended
}

func expectSince(t *testing.T, command object, offset int) {
	t.Helper()
	since, _ := command["since"].(object)
	if since["offset"] != float64(offset) || since["epoch"] != "e1" {
		t.Fatalf("expected since offset %d, got %v", offset, command)
	}
}

func expectCode(t *testing.T, err error, code int) {
	t.Helper()
	var closed *CloseError
	if !errors.As(err, &closed) || closed.Code != code {
		t.Fatalf("expected to be closed with %d, got %v", code, err)
	}
}
