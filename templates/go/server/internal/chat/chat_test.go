package chat_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	// #if metrics
	"net/http"
	// #endif
	// #if history
	"slices"
	// #endif
	"strconv"
	"strings"
	// #if history
	"sync/atomic"
	// #endif
	"testing"

	"example.com/ws-app/internal/apptest"
	"example.com/ws-app/internal/chat"
	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/store"
	"example.com/ws-app/internal/wstest"
)

// goOn is closed by the test that sends a slow message.
var goOn = make(chan struct{})

// onMessage refuses one text, fails at another, and takes its time over a third.
func onMessage(ctx context.Context, draft hook.Draft) (string, error) {
	switch draft.Text {
	case "spam":
		return "", hook.Refusal("no spam")
	case "bug":
		return "", errors.New("out of luck")
	case "slow":
		select {
		case <-goOn:
		case <-ctx.Done():
		}
	}
	return strings.ToUpper(draft.Text), nil
}

type (
	person = apptest.Person
	fields = apptest.Fields
)

// start returns the address of a server.
func start(t *testing.T, env map[string]string) string {
	t.Helper()
	return startWithLog(t, env, io.Discard)
}

func startWithLog(t *testing.T, env map[string]string, log io.Writer) string {
	t.Helper()
	return apptest.Start(t, env, log, func(settings *config.Config, hub *realtime.Hub, kept store.Store) (realtime.Application, error) {
		hooks := chat.Hooks{OnMessage: onMessage}
		// #if rooms
		hooks.Authorize = func(_ context.Context, access hook.Access) (bool, error) { return access.Name != "closed", nil }
		// #endif
		return chat.New(t.Context(), settings, hub, kept, hooks)
	})
}

// inRoom is a message with the room, if there are rooms.
func inRoom(message fields) fields {
	message = maps.Clone(message)
	// #if rooms
	message["room"] = "lobby"
	// #endif
	return message
}

// enter connects and joins the room, if there are rooms.
func enter(t *testing.T, address, user string) *person {
	t.Helper()
	p := apptest.Connect(t, address, user)
	// #if rooms
	p.Say(fields{"type": "join", "room": "lobby", "id": "j"})
	p.Expect("joined", fields{"id": "j", "room": "lobby"})
	// #endif
	return p
}

func TestMessagesReachEverybody(t *testing.T) {
	t.Parallel()
	address := start(t, nil)
	ada, bob := enter(t, address, "ada"), enter(t, address, "bob")
	ada.Say(inRoom(fields{"type": "message", "id": "1", "text": "hi <b>"}))
	for _, p := range []*person{ada, bob} {
		p.Expect("message", inRoom(fields{"from": "ada", "text": "HI <B>"}))
	}
	ada.Expect("ack", fields{"id": "1"})
}

func TestHandlersRefuseAndFail(t *testing.T) {
	t.Parallel()
	address := start(t, nil)
	ada, bob := enter(t, address, "ada"), enter(t, address, "bob")
	ada.Say(inRoom(fields{"type": "message", "id": "1", "text": "spam"}))
	ada.Expect("error", fields{"id": "1", "code": "forbidden", "message": "no spam"})
	bob.Say(inRoom(fields{"type": "message", "text": "bug"}))
	bob.ExpectClose(1011)
	ada.Say(inRoom(fields{"type": "message", "text": "still here"}))
	ada.Expect("message", fields{"text": "STILL HERE"})
}

func TestRepliesDoNotWaitForWhatCameWithTheirCommands(t *testing.T) {
	t.Parallel()
	ada := enter(t, start(t, nil), "ada")
	var together []byte
	for id, text := range []string{"hi", "slow"} {
		message := realtime.JSON(inRoom(fields{"type": "message", "id": strconv.Itoa(id), "text": text}))
		together = append(together, wstest.Frame(0x81, string(message))...)
	}
	if _, err := ada.Write(together); err != nil {
		t.Fatal(err)
	}
	ada.Expect("ack", fields{"id": "0"})
	close(goOn)
	ada.Expect("ack", fields{"id": "1"})
}

func TestTooManyErrorsEndTheConnection(t *testing.T) {
	t.Parallel()
	address := start(t, nil)
	ada := apptest.Connect(t, address, "ada")
	for range 22 {
		ada.Send(0x81, "{")
	}
	ada.Expect("error", fields{"code": "bad_json"})
	ada.ExpectClose(1008)
}

func TestWhoReadsNothingIsClosed(t *testing.T) {
	t.Parallel()
	const ample = "1000000"
	log := &apptest.Journal{}
	address := startWithLog(t, map[string]string{
		"MAX_BUFFERED": "65536", "RATE_LIMIT": ample, "RATE_BURST": ample, "USER_RATE_LIMIT": ample, "USER_RATE_BURST": ample,
	}, log)
	slow, ada := enter(t, address, "slow"), enter(t, address, "ada")
	// Little fits into the buffers of the system.
	if err := slow.Conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("€", 4096)
	for !log.Has("slow-consumer") {
		ada.Say(inRoom(fields{"type": "message", "text": text}))
		ada.Expect("message", nil)
	}
}

// #if rooms

func TestRooms(t *testing.T) {
	t.Parallel()
	address := start(t, map[string]string{"MAX_ROOM_MEMBERS": "2", "MAX_ROOMS_PER_CLIENT": "2"})
	ada, bob, eve := enter(t, address, "ada"), enter(t, address, "bob"), apptest.Connect(t, address, "eve")
	eve.Refused(fields{"type": "join", "room": "lobby"}, "room_full")
	eve.Refused(fields{"type": "join", "room": "closed"}, "forbidden")
	eve.Refused(fields{"type": "message", "room": "lobby", "text": "x"}, "not_in_room")
	eve.Refused(fields{"type": "leave", "room": "lobby"}, "not_in_room")
	ada.Say(fields{"type": "join", "room": "other"})
	ada.Expect("joined", fields{"room": "other"})
	ada.Refused(fields{"type": "join", "room": "third"}, "too_many_rooms")
	bob.Say(fields{"type": "leave", "room": "lobby", "id": "l"})
	bob.Expect("left", fields{"id": "l", "room": "lobby"})
	eve.Say(fields{"type": "join", "room": "lobby"})
	eve.Expect("joined", nil)
}

func TestTheNewestRoomAboveItsShareMakesSpace(t *testing.T) {
	t.Parallel()
	env := map[string]string{"MAX_ROOMS": "2", "MAX_ROOMS_PER_IP": "1", "TRUST_PROXY": "1"}
	address := start(t, env)
	join := func(p *person, room string) {
		t.Helper()
		p.Say(fields{"type": "join", "room": room})
		p.Expect("joined", fields{"room": room})
	}
	from := func(ip, user string) *person { return apptest.Connect(t, address, user, "X-Forwarded-For: "+ip) }
	ada, also, bob := from("192.0.2.1", "ada"), from("192.0.2.1", "also"), from("192.0.2.2", "bob")
	join(ada, "a")
	join(also, "b")
	ada.Say(fields{"type": "join", "room": "c", "id": "1"})
	ada.Expect("error", fields{"id": "1", "code": "too_many_rooms"})
	join(bob, "d")
	also.Expect("left", fields{"room": "b", "code": "too_many_rooms"})
}

// #endif
// #if presence

func TestMembers(t *testing.T) {
	t.Parallel()
	address := start(t, map[string]string{"PRESENCE_GRACE": "0"})
	ada, bob := enter(t, address, "ada"), enter(t, address, "bob")
	ada.Expect("member-joined", fields{"room": "lobby", "user": "bob"})
	bob.Say(fields{"type": "members", "room": "lobby"})
	bob.Expect("members", fields{"members": []string{"ada", "bob"}})
	_ = bob.Close()
	ada.Expect("member-left", fields{"room": "lobby", "user": "bob"})
}

// #endif
// #if resume

func TestResume(t *testing.T) {
	t.Parallel()
	address := start(t, nil)
	ada := apptest.Connect(t, address, "ada")
	ada.Say(fields{"type": "join", "room": "lobby"})
	since := ada.Expect("joined", fields{"recovered": false})["position"]
	for _, id := range []string{"1", "2", "1"} {
		ada.Say(fields{"type": "message", "room": "lobby", "id": id, "text": id})
	}
	ada.Expect("ack", fields{"offset": 1})
	ada.Expect("ack", fields{"offset": 2})
	ada.Expect("ack", fields{"offset": 1, "duplicate": true})
	bob := apptest.Connect(t, address, "bob")
	bob.Say(fields{"type": "join", "room": "lobby", "since": since})
	if missed := bob.Expect("joined", fields{"recovered": true})["messages"].([]any); len(missed) != 2 {
		t.Errorf("missed were %v", missed)
	}
}

// #endif
// #if history

// busy is a store in which others publish, come and leave while somebody joins.
type busy struct {
	store.Store
	isOn atomic.Bool
}

func (b *busy) say(ctx context.Context, text string) {
	data := realtime.JSON(map[string]string{"type": "message", "room": "lobby", "from": "eve", "text": text})
	_, _ = b.Publish(ctx, "lobby", data, store.Origin{User: "eve"})
}

func (b *busy) Recover(ctx context.Context, name string, since *realtime.Position) (store.Recovery, error) {
	if !b.isOn.Load() {
		return b.Store.Recover(ctx, name, since)
	}
	b.say(ctx, "before")
	recovery, err := b.Store.Recover(ctx, name, since)
	b.say(ctx, "after")
	// #if presence
	_ = b.Enter(ctx, name, "eve")
	_ = b.Enter(ctx, name, "mallory")
	_ = b.Exit(ctx, name, "mallory", false)
	// #endif
	return recovery, err
}

// slow is a store that says nothing of one room until another is entered.
type slow struct {
	store.Store
	isAsked, hasLast chan struct{}
}

func (s *slow) Recover(ctx context.Context, name string, since *realtime.Position) (store.Recovery, error) {
	switch name {
	case "slow":
		close(s.isAsked)
		<-s.hasLast
	case "last":
		close(s.hasLast)
	}
	return s.Store.Recover(ctx, name, since)
}

func TestWhoIsPutOutOnItsWayInIsAnswered(t *testing.T) {
	t.Parallel()
	s := &slow{isAsked: make(chan struct{}), hasLast: make(chan struct{})}
	env := map[string]string{"MAX_ROOMS": "2", "MAX_ROOMS_PER_IP": "1", "TRUST_PROXY": "1"}
	address := apptest.Start(t, env, io.Discard, func(settings *config.Config, hub *realtime.Hub, kept store.Store) (realtime.Application, error) {
		s.Store = kept
		hooks := chat.Hooks{OnMessage: onMessage}
		hooks.Authorize = func(context.Context, hook.Access) (bool, error) { return true, nil }
		return chat.New(t.Context(), settings, hub, s, hooks)
	})
	from := func(ip, user string) *person { return apptest.Connect(t, address, user, "X-Forwarded-For: "+ip) }
	also, ada, bob := from("192.0.2.1", "also"), from("192.0.2.1", "ada"), from("192.0.2.2", "bob")
	also.Say(fields{"type": "join", "room": "first"})
	also.Expect("joined", nil)
	ada.Say(fields{"type": "join", "room": "slow", "id": "1"})
	<-s.isAsked
	bob.Say(fields{"type": "join", "room": "last"})
	bob.Expect("joined", nil)
	if _, text := ada.Next(); !strings.Contains(text, `"id":"1","code":"too_many_rooms"`) {
		t.Errorf("got %s, want the answer to the join alone", text)
	}
}

func TestWhatComesDuringAJoinComesAfterItsReplyOnce(t *testing.T) {
	t.Parallel()
	b := &busy{}
	address := apptest.Start(t, nil, io.Discard, func(settings *config.Config, hub *realtime.Hub, kept store.Store) (realtime.Application, error) {
		b.Store = kept
		hooks := chat.Hooks{OnMessage: onMessage}
		hooks.Authorize = func(context.Context, hook.Access) (bool, error) { return true, nil }
		return chat.New(t.Context(), settings, hub, b, hooks)
	})
	ada := enter(t, address, "ada")
	var news []string
	// #if presence
	news = append(news, `{"type":"member-joined","room":"lobby","user":"eve"}`)
	// #endif
	for range 2 {
		b.isOn.Store(true)
		ada.Say(fields{"type": "join", "room": "lobby", "id": "again"})
		joined := ada.Expect("joined", fields{"id": "again"})
		b.isOn.Store(false)
		messages := joined["messages"].([]any)
		if last := messages[len(messages)-1].(map[string]any); last["text"] != "before" {
			t.Errorf("the last message of the reply is %v", last)
		}
		ada.Expect("message", fields{"text": "after"})
		ada.Say(fields{"type": "ping"})
		// What comes before the pong has come because of the join.
		var others []string
		for _, text := ada.Next(); !strings.Contains(text, "pong"); _, text = ada.Next() {
			others = append(others, text)
		}
		if !slices.Equal(others, news) {
			t.Errorf("after the join came %q, want %q", others, news)
		}
		// Eve is there from then on, and mallory never stayed.
		news = nil
	}
}

// #endif
// #if rate-limit

func TestRateOfAUser(t *testing.T) {
	t.Parallel()
	address := start(t, map[string]string{"USER_RATE_LIMIT": "1", "USER_RATE_BURST": "2", "MAX_CONNECTIONS_PER_USER": "2"})
	one, other := apptest.Connect(t, address, "ada"), apptest.Connect(t, address, "ada")
	for _, p := range []*person{one, other} {
		p.Say(fields{"type": "ping"})
		p.Expect("pong", nil)
	}
	one.Say(fields{"type": "ping", "id": "1"})
	one.Expect("error", fields{"id": "1", "code": "rate_limited"})
	path, fields := apptest.Identity(t, "ada")
	if response := wstest.RefusePath(t, address, path, fields...); response.StatusCode != 429 {
		t.Errorf("the third connection got %s", response.Status)
	}
}

// #endif
// #if metrics

func TestMetrics(t *testing.T) {
	t.Parallel()
	address := start(t, nil)
	ada := enter(t, address, "ada")
	ada.Say(fields{"type": "ping"})
	ada.Expect("pong", nil)
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	for _, line := range []string{"ws_connections 1\n", `ws_messages_received_total{type="ping"} 1`, `ws_handshakes_total{result="accepted"} 1`} {
		if !strings.Contains(string(text), line) {
			t.Errorf("there is no %q in\n%s", line, text)
		}
	}
	if strings.Contains(string(text), "ada") {
		t.Error("the figures name a user")
	}
}

// #endif
