package wsclient

import (
	"errors"
	"testing"
)

func TestAServerWithoutRooms(t *testing.T) {
	s := serve(t, nil)
	client, err := NewChat(s.options())
	if err != nil {
		t.Fatal(err)
	}
	room := client.Join("")
	if client.Join("") != room {
		t.Fatal("the same room twice")
	}
	run(t, client.Client)
	p := s.accept()
	p.welcome()
	expectEvents(t, room.Stream, Joined{})
	p.send(object{"type": "message", "from": "ada", "text": "hello"})
	expectEvents(t, room.Stream, Message{From: "ada", Text: "hello"})
	p.cut()
	s.accept().welcome()
	expectEvents(t, room.Stream, Recovered{false}, Joined{})
}

func TestTheServerPutsTheClientOut(t *testing.T) {
	s := serve(t, nil)
	options := s.options()
	complaints := make(chan error, 1)
	options.OnError = func(err error) { complaints <- err }
	client, err := NewChat(options)
	if err != nil {
		t.Fatal(err)
	}
	room := client.Join("lobby")
	run(t, client.Client)
	p := s.accept()
	p.welcome("rooms")
	p.send(object{"type": "joined", "id": p.next("join")["id"], "room": "lobby"})
	left := object{"type": "left", "room": "lobby", "code": "too_many_rooms"}
	p.send(left, left, object{"type": "error", "code": "internal"})
	take(t, complaints, "the end")
	client.Close()
	expectEvents(t, room.Stream, Joined{}, Refused{&Error{Code: "too_many_rooms"}})
	if event, err := room.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Fatalf("once is enough: %v", event)
	}
}

// #if presence

func TestMembers(t *testing.T) {
	s := serve(t, nil)
	client, err := NewChat(s.options())
	if err != nil {
		t.Fatal(err)
	}
	room := client.Join("lobby")
	run(t, client.Client)
	p := s.accept()
	p.welcome("rooms", "presence")
	joining := p.next("join")
	p.send(
		object{"type": "member-joined", "room": "lobby", "user": "early"},
		object{"type": "joined", "id": joining["id"], "room": "lobby", "members": []string{"grace", "ada"}},
		object{"type": "member-joined", "room": "lobby", "user": "bob"},
		object{"type": "member-left", "room": "lobby", "user": "ada"},
	)
	expectEvents(t, room.Stream, Members{[]string{"ada", "grace"}}, Joined{},
		Members{[]string{"ada", "bob", "grace"}}, Members{[]string{"bob", "grace"}})
	if members := room.Members(); len(members) != 2 || members[0] != "bob" {
		t.Fatal(members)
	}
}

func TestMembersThatNobodyTakesAreBounded(t *testing.T) {
	s := serve(t, nil)
	options := s.options()
	complaints := make(chan error, 1)
	options.OnError = func(err error) { complaints <- err }
	client, err := NewChat(options)
	if err != nil {
		t.Fatal(err)
	}
	room := client.Join("lobby")
	run(t, client.Client)
	p := s.accept()
	p.welcome("rooms", "presence")
	p.send(object{"type": "joined", "id": p.next("join")["id"], "room": "lobby", "members": []string{}})
	for range maxPending {
		p.send(object{"type": "member-joined", "room": "lobby", "user": "bob"})
	}
	p.send(object{"type": "error", "code": "internal", "message": "all were sent"})
	take(t, complaints, "the end")
	for range maxPending {
		if _, err := room.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.next("join")
}

// #endif
