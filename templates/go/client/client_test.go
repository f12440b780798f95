package wsclient

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestResumesAfterALostConnection(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		s := serve(t, nil)
		client, stream, p, ended := kind.begin(t, s, s.options())
		p.send(kind.sent(2))
		expectEvents(t, stream, kind.given(2))
		p.cut()
		p = s.accept()
		p.welcome("rooms", "history", "resume")
		command := p.next(kind.join)
		expectSince(t, command, 2)
		kind.answer(p, command, true, 3, 4)
		p.send(kind.sent(4), kind.sent(5))
		expectEvents(t, stream, Recovered{true}, kind.given(3), kind.given(4), Joined{}, kind.given(5))
		client.Close()
		if err := take(t, ended, "the end"); err != nil {
			t.Fatal(err)
		}
		if code := websocket.CloseStatus(take(t, p.closed, "the close frame")); code != websocket.StatusNormalClosure {
			t.Fatalf("closed with %d", code)
		}
		if _, err := stream.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
	})
}

func TestAsksForWhatIsMissing(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		s := serve(t, nil)
		_, stream, p, _ := kind.begin(t, s, s.options())
		p.send(kind.sent(3))
		command := p.next(kind.join)
		expectSince(t, command, 1)
		kind.answer(p, command, true, 2, 3)
		expectEvents(t, stream, Recovered{true}, kind.given(2), kind.given(3), Joined{})
	})
}

func TestSaysWhenSomethingIsLost(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		s := serve(t, nil)
		client, stream, _, _ := kind.begin(t, s, s.options())
		client.Reconnect()
		p := s.accept()
		p.welcome("rooms", "history", "resume")
		command := p.next(kind.join)
		kind.answer(p, command, false, 7, 7)
		expected := []Event{Recovered{false}}
		if kind.initial != nil {
			expected = append(expected, kind.initial(7)...)
		} else {
			expected = append(expected, kind.given(7))
		}
		expectEvents(t, stream, append(expected, Joined{})...)
	})
}

func TestASlowProgramLosesNothing(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		s := serve(t, nil)
		options := s.options()
		complaints := make(chan error, 1)
		options.OnError = func(err error) { complaints <- err }
		_, stream, p, _ := kind.begin(t, s, options)
		const last = maxPending + 101
		for offset := 2; offset <= last; offset++ {
			p.send(kind.sent(offset))
		}
		// When this has come, all of them have.
		p.send(object{"type": "error", "code": "rate_limited"})
		take(t, complaints, "the complaint")
		const kept = maxPending + 1
		for offset := 2; offset <= kept; offset++ {
			expectEvents(t, stream, kind.given(offset))
		}
		command := p.next(kind.join)
		expectSince(t, command, kept)
		kind.answer(p, command, true, kept+1, last)
		expectEvents(t, stream, Recovered{true})
		for offset := kept + 1; offset <= last; offset++ {
			expectEvents(t, stream, kind.given(offset))
		}
		expectEvents(t, stream, Joined{})
	})
}

func TestMalformedMessagesEndAConnection(t *testing.T) {
	for _, text := range []string{
		`{"type":"mess`, `[]`, `null`, `{"type":1}`, `{}`, "{\"type\":\"error\",\"message\":\"\xff\"}",
		`{"type":"error","code":1}`, `{"type":"draining","retryAfterMs":"1"}`,
	} {
		forAll(t, func(t *testing.T, kind kindOfClient) {
			s := serve(t, nil)
			_, _, p, _ := kind.begin(t, s, s.options())
			p.send(text)
			s.accept()
		})
	}
}

func TestUnknownMessagesAreLeftOut(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		s := serve(t, nil)
		_, stream, p, _ := kind.begin(t, s, s.options())
		p.send(`{"type":"hologram","id":1}`, object{"type": kind.joined, "id": "nobody", kind.key: kind.name}, kind.sent(2))
		expectEvents(t, stream, kind.given(2))
	})
}

func TestRefusals(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		s := serve(t, nil)
		client, join, err := kind.make(s.options())
		if err != nil {
			t.Fatal(err)
		}
		stream := join(kind.name)
		run(t, client)
		p := s.accept()
		p.welcome("rooms")
		for _, code := range []string{"rate_limited", "unavailable", "of_a_newer_server"} {
			command := p.next(kind.join)
			p.send(object{"type": "error", "id": command["id"], "code": code, "message": "later", "retryAfterMs": 1})
		}
		command := p.next(kind.join)
		p.send(object{"type": "error", "id": command["id"], "code": "forbidden", "message": "no"})
		expectEvents(t, stream, Refused{&Error{Code: "forbidden", Message: "no"}})
	})
}

func TestTheServerClosesForGood(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		s := serve(t, nil)
		client, stream, p, ended := kind.begin(t, s, s.options())
		p.close(4500)
		expectCode(t, take(t, ended, "the end"), 4500)
		if state := client.State(); state.Name != Closed || state.Code != 4500 {
			t.Fatal(state)
		}
		if _, err := stream.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
		if err := client.Run(t.Context()); err == nil {
			t.Fatal("it runs twice")
		}
	})
}

func TestRefusedHandshakes(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		status := http.StatusServiceUnavailable
		s := serve(t, func(w http.ResponseWriter) bool {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(status)
			return true
		})
		states := make(chan State, 10)
		options := s.options()
		options.OnState = func(state State) { states <- state }
		client, _, err := kind.make(options)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- client.Run(ctx) }()
		for _, name := range []StateName{Connecting, Waiting} {
			state := take(t, states, "a state")
			if state.Name != name || name == Waiting && (state.RetryIn < time.Hour || state.Reason != "HTTP 503") {
				t.Fatal(state)
			}
		}
		cancel()
		if err := take(t, ended, "the end"); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		status = http.StatusForbidden
		client, _, _ = kind.make(s.options())
		expectCode(t, client.Run(t.Context()), 1006)
	})
}

func TestASilentServerIsGivenUp(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		s := serve(t, nil)
		options := s.options()
		options.PongTimeout = time.Millisecond
		client, _, err := kind.make(options)
		if err != nil {
			t.Fatal(err)
		}
		run(t, client)
		p := s.accept()
		p.send(object{"type": "welcome", "pingIntervalMs": 1, "features": []string{}})
		p.next("ping")
		s.accept()
	})
}

func TestAnAnswerThatNeverComes(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		s := serve(t, nil)
		options := s.options()
		options.JoinTimeout = time.Millisecond
		client, join, err := kind.make(options)
		if err != nil {
			t.Fatal(err)
		}
		join(kind.name)
		run(t, client)
		s.accept().welcome("rooms")
		s.accept()
	})
}

func TestLeaving(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		s := serve(t, nil)
		_, stream, p, _ := kind.begin(t, s, s.options())
		stream.Leave()
		if message := take(t, p.messages, "leave"); message[kind.key] != kind.name {
			t.Fatal(message)
		}
		if _, err := stream.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
	})
}

func TestDelays(t *testing.T) {
	options := Options{BackoffBase: time.Second, BackoffMax: 20 * time.Second}
	longest := map[int]time.Duration{}
	for range 1000 {
		for _, attempts := range []int{0, 3, 100} {
			longest[attempts] = max(longest[attempts], options.delay(withDelay, &loss{}, attempts))
		}
	}
	if longest[0] > time.Second || longest[3] > 8*time.Second || longest[3] < time.Second || longest[100] > 20*time.Second {
		t.Fatal(longest)
	}
	hint := &loss{retryAfter: time.Minute, isGiven: true}
	if delay := options.delay(withDelay, hint, 0); delay < time.Minute || delay > time.Minute+time.Second {
		t.Fatal(delay)
	}
	if delay := options.delay(atOnce, &loss{}, 0); delay != 0 {
		t.Fatal(delay)
	}
}

func TestOptionsOutOfRange(t *testing.T) {
	for _, options := range []Options{
		{}, {URL: "http://localhost"}, {URL: "ws:"}, {URL: "ws://[::1?secret"}, {URL: "ws://localhost/#"},
		{URL: "ws://localhost", PongTimeout: -1},
	} {
		for _, kind := range kinds {
			if _, _, err := kind.make(options); err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%+v: %v", options, err)
			}
		}
	}
}

func TestAReasonHoldsNoSecret(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		states := make(chan State, 10)
		options := Options{URL: "ws://127.0.0.1:1/?ticket=secret", OnState: func(state State) { states <- state }}
		client, _, err := kind.make(options)
		if err != nil {
			t.Fatal(err)
		}
		run(t, client)
		take(t, states, "the attempt")
		if state := take(t, states, "a state"); state.Name != Waiting || strings.Contains(state.Reason, "secret") {
			t.Fatal(state)
		}
	})
}

func TestWhatASlowProgramIsToldIsBounded(t *testing.T) {
	n := notices{wake: make(chan struct{}, 1)}
	for range 2 * maxNotices {
		n.add(notice{err: ErrClosed})
	}
	n.add(notice{state: &State{Name: Open}})
	if last := n.waiting[len(n.waiting)-1]; len(n.waiting) != maxNotices || last.state == nil {
		t.Fatalf("%d wait, the last is %v", len(n.waiting), last)
	}
}

func TestCloseBeforeRun(t *testing.T) {
	forAll(t, func(t *testing.T, kind kindOfClient) {
		client, join, err := kind.make(Options{URL: "ws://localhost"})
		if err != nil {
			t.Fatal(err)
		}
		stream := join(kind.name)
		client.Close()
		if err := client.Run(t.Context()); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
		if _, err := stream.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
	})
}
