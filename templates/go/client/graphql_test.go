package wsclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"
)

// graphqlPeer is the server's end of a connection.
type graphqlPeer struct{ *farEnd }

type graphqlMessage struct {
	ID, Type string
	Payload  struct {
		Token, Query string
		Variables    map[string]any
	}
}

type count struct{ Count int }

func (p graphqlPeer) expect(kind string) graphqlMessage {
	p.t.Helper()
	text := received(p.t, p.messages, kind)
	var message graphqlMessage
	if err := json.Unmarshal(text, &message); err != nil || message.Type != kind {
		p.t.Fatalf("got %s, want %s", text, kind)
	}
	return message
}

// next is the next connection, whose client has been let in.
func nextGraphQL(h *host) graphqlPeer {
	h.t.Helper()
	p := graphqlPeer{h.accept()}
	p.expect("connection_init")
	p.say(`{"type":"connection_ack"}`)
	return p
}

func graphqlServer(t *testing.T, options Options) (h *host, client *GraphQL, ended <-chan error) {
	t.Helper()
	h = newHost(t, "graphql-transport-ws")
	client, err := NewGraphQL(h.options(options))
	if err != nil {
		t.Fatal(err)
	}
	return h, client, keep(t, client.Run, client.Close)
}

// sessionOf is the present one.
func sessionOf(t *testing.T, client *GraphQL) *graphqlSession {
	t.Helper()
	ctx, done := context.WithTimeout(t.Context(), longest)
	defer done()
	session, err := client.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// counted is what a subscription gives.
type counted struct {
	count int
	err   error
}

// collect takes all from a subscription; the channel is closed at its end.
func collect(events iter.Seq2[count, error]) <-chan counted {
	all := make(chan counted, 10)
	go func() {
		for one, err := range events {
			all <- counted{one.Count, err}
		}
		close(all)
	}()
	return all
}

func TestGraphQLExecutes(t *testing.T) {
	h, client, ended := graphqlServer(t, Options{})
	ask := func(ctx context.Context) (<-chan count, <-chan error) {
		return later(func() (count, error) {
			return Execute[count](ctx, client, "query ($to: Int) { count(to: $to) }", map[string]any{"to": 3})
		})
	}
	counts, errs := ask(t.Context())
	p := nextGraphQL(h)
	if got := p.socket.Subprotocol(); got != "graphql-transport-ws" {
		t.Fatalf("got %s", got)
	}
	asked := p.expect("subscribe")
	if asked.Payload.Query != "query ($to: Int) { count(to: $to) }" || asked.Payload.Variables["to"] != 3.0 {
		t.Fatalf("got %v", asked)
	}
	p.say(`{"type":"ping","payload":{"k":1}}`)
	p.expect("pong")
	p.say(`{"id":"%s","type":"next","payload":{"data":{"count":3}}}`, asked.ID)
	p.say(`{"id":"%s","type":"complete"}`, asked.ID)
	if got, err := received(t, counts, "a count"), <-errs; got.Count != 3 || err != nil {
		t.Fatalf("got %v and %v", got, err)
	}
	var refused *GraphQLError
	counts, errs = ask(t.Context())
	p.say(`{"id":"%s","type":"next","payload":{"data":{"count":2},"errors":[{"message":"a","path":["x",1]},{"message":"b"}]}}`, p.expect("subscribe").ID)
	got, err := received(t, counts, "a count"), <-errs
	if got.Count != 2 || !errors.As(err, &refused) || err.Error() != "a; b" || fmt.Sprint(refused.Errors[0].Path) != "[x 1]" {
		t.Fatalf("got %v and %v", got, err)
	}
	_, errs = ask(t.Context())
	p.say(`{"id":"%s","type":"error","payload":[{"message":"no such field","extensions":{"code":"X"}}]}`, p.expect("subscribe").ID)
	if err := received(t, errs, "an error"); !errors.As(err, &refused) || refused.Errors[0].Extensions["code"] != "X" {
		t.Fatalf("got %v", err)
	}
	_, errs = ask(t.Context())
	p.say(`{"id":"%s","type":"complete"}`, p.expect("subscribe").ID)
	if err := received(t, errs, "an error"); !errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("got %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	_, errs = ask(ctx)
	asked = p.expect("subscribe")
	stop()
	if completed := p.expect("complete"); completed.ID != asked.ID {
		t.Fatalf("got %v", completed)
	}
	if err := received(t, errs, "an error"); !errors.Is(err, ErrAborted) || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	// What was sent is not sent again.
	_, errs = ask(t.Context())
	p.expect("subscribe")
	p.cut()
	if err := received(t, errs, "an error"); !errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("got %v", err)
	}
	p = nextGraphQL(h)
	// A session that is over takes nothing.
	over := sessionOf(t, client)
	p.cut()
	p = nextGraphQL(h)
	live := sessionOf(t, client)
	become := func(s *graphqlSession) {
		client.mu.Lock()
		defer client.mu.Unlock()
		client.session = s
	}
	become(over)
	_, errs = later(func() (any, error) { return Execute[any](t.Context(), client, "{ other }", nil) })
	giveWay()
	become(live)
	if asked := p.expect("subscribe"); asked.Payload.Query != "{ other }" {
		t.Fatalf("got %v", asked)
	}
	client.Close()
	if err := received(t, ended, "the end"); err != nil {
		t.Fatal(err)
	}
	if err := received(t, errs, "an error"); !errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("got %v", err)
	}
	if _, err := Execute[any](t.Context(), client, "{ other }", nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v", err)
	}
	if _, err := Execute[any](t.Context(), client, "{ other }", func() {}); err == nil {
		t.Fatal("a function was sent")
	}
}

func TestGraphQLSubscribes(t *testing.T) {
	h, client, _ := graphqlServer(t, Options{})
	// Before there is a connection.
	first := collect(Subscribe[count](t.Context(), client, "subscription { first }", nil))
	p := nextGraphQL(h)
	asked := p.expect("subscribe")
	p.say(`{"id":"%s","type":"next","payload":{"data":{"count":1}}}`, asked.ID)
	p.say(`{"id":"%s","type":"next","payload":{"errors":[{"message":"not today"}],"data":null}}`, asked.ID)
	p.say(`{"id":"%s","type":"next","payload":{"data":{"count":2}}}`, asked.ID)
	for _, want := range []counted{{count: 1}, {err: &GraphQLError{}}, {count: 2}} {
		if got := received(t, first, "an event"); got.count != want.count || (got.err == nil) != (want.err == nil) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	second := collect(Subscribe[count](ctx, client, "subscription { second }", nil))
	p.expect("subscribe")
	p.cut()
	// Both come back, and what is no subscription waits for them.
	p = nextGraphQL(h)
	ids := map[string]string{}
	for range 2 {
		asked := p.expect("subscribe")
		ids[asked.Payload.Query] = asked.ID
	}
	p.say(`{"id":"%s","type":"next","payload":{"data":{"count":3}}}`, ids["subscription { first }"])
	if got := received(t, first, "an event"); got.count != 3 {
		t.Fatalf("got %v", got)
	}
	stop()
	if completed := p.expect("complete"); completed.ID != ids["subscription { second }"] {
		t.Fatalf("got %v", completed)
	}
	if got := received(t, second, "the end"); !errors.Is(got.err, ErrAborted) {
		t.Fatalf("got %v", got)
	}
	// Messages that are still on their way, and those of nobody.
	p.say(`{"id":"%s","type":"next","payload":{"data":{"count":9}}}`, ids["subscription { second }"])
	p.say(`{"id":"nobody","type":"complete"}`)
	p.say(`{"id":"%s","type":"complete"}`, ids["subscription { first }"])
	if got, isOpen := <-first; isOpen {
		t.Fatalf("got %v", got)
	}
	// One that is over before it is asked for, and one without a loop.
	over, _ := newOperation("subscription { over }", nil)
	client.abandon(over, nil)
	sessionOf(t, client).ask(over)
	ctx, stop = context.WithCancel(t.Context())
	Subscribe[count](ctx, client, "subscription { unheard }", nil)
	asked = p.expect("subscribe")
	if asked.Payload.Query != "subscription { unheard }" {
		t.Fatalf("got %v", asked)
	}
	stop()
	p.expect("complete")
	// A loop that ends.
	var seen []int
	done := make(chan struct{})
	go func() {
		defer close(done)
		for one, err := range Subscribe[count](t.Context(), client, "subscription { third }", nil) {
			if err != nil {
				t.Error(err)
			}
			seen = append(seen, one.Count)
			break
		}
	}()
	asked = p.expect("subscribe")
	p.say(`{"id":"%s","type":"next","payload":{"data":{"count":4}}}`, asked.ID)
	if completed := p.expect("complete"); completed.ID != asked.ID {
		t.Fatalf("got %v", completed)
	}
	if <-done; fmt.Sprint(seen) != "[4]" {
		t.Fatalf("got %v", seen)
	}
	client.mu.Lock()
	if left := len(client.session.asked) + len(client.subscriptions); left > 0 {
		t.Errorf("%d are left over", left)
	}
	client.mu.Unlock()
	// One that is refused, and one that the end of the client ends.
	refused := collect(Subscribe[count](t.Context(), client, "subscription { nothing }", nil))
	p.say(`{"id":"%s","type":"error","payload":[{"message":"no such field"}]}`, p.expect("subscribe").ID)
	if got := received(t, refused, "an error"); got.err == nil || got.err.Error() != "no such field" {
		t.Fatalf("got %v", got)
	}
	last := collect(Subscribe[count](t.Context(), client, "subscription { last }", nil))
	p.expect("subscribe")
	// Nothing of all that comes back.
	for _, message := range []string{"no JSON", `{"type":"unknown"}`, `{"id":"1","type":"error","payload":{}}`} {
		p.say(message)
		p = nextGraphQL(h)
		if again := p.expect("subscribe"); again.Payload.Query != "subscription { last }" {
			t.Fatalf("got %v", again)
		}
	}
	p.close(4400)
	if got := received(t, last, "the end"); !errors.Is(got.err, ErrClosed) {
		t.Fatalf("got %v", got)
	}
	late := collect(Subscribe[count](t.Context(), client, "subscription { last }", nil))
	if got := received(t, late, "the end"); !errors.Is(got.err, ErrClosed) {
		t.Fatalf("got %v", got)
	}
}

func TestGraphQLIsNotBehind(t *testing.T) {
	h, client, _ := graphqlServer(t, Options{})
	p := nextGraphQL(h)
	events := Subscribe[count](t.Context(), client, "subscription { count }", nil)
	asked := p.expect("subscribe")
	for i := range maxPendingEvents + 1 {
		p.say(`{"id":"%s","type":"next","payload":{"data":{"count":%d}}}`, asked.ID, i)
	}
	if completed := p.expect("complete"); completed.ID != asked.ID {
		t.Fatalf("got %v", completed)
	}
	seen := 0
	for one, err := range events {
		switch {
		case err == nil && one.Count == seen:
			seen++
		case !errors.Is(err, ErrBehind) || seen != maxPendingEvents:
			t.Fatalf("got %v and %v after %d", one, err, seen)
		}
	}
	// A query has one answer.
	_, errs := later(func() (any, error) { return Execute[any](t.Context(), client, "subscription { count }", nil) })
	asked = p.expect("subscribe")
	for range 2 {
		p.say(`{"id":"%s","type":"next","payload":{"data":{}}}`, asked.ID)
	}
	if completed := p.expect("complete"); completed.ID != asked.ID {
		t.Fatalf("got %v", completed)
	}
	if err := received(t, errs, "an answer"); err != nil {
		t.Fatal(err)
	}
}

func TestGraphQLShowsTokens(t *testing.T) {
	tokens, complaints := make(chan string, 10), make(chan error, 10)
	opened := 0
	h, client, ended := graphqlServer(t, Options{
		OnState: func(state State) {
			if state.Name == Open {
				opened++
			}
		},
		Token:   func(context.Context) (string, error) { return <-tokens, nil },
		OnError: func(err error) { complaints <- err },
	})
	h.accept()
	tokens <- ""
	if err := received(t, complaints, "a complaint"); !errors.Is(err, ErrToken) {
		t.Fatalf("got %v", err)
	}
	accept := func(token string) graphqlPeer {
		p := graphqlPeer{h.accept()}
		tokens <- token
		if opening := p.expect("connection_init"); opening.Payload.Token != token {
			t.Fatalf("got %v", opening)
		}
		return p
	}
	accept("old").close(4403)
	p := accept("new")
	p.say(`{"type":"connection_ack"}`)
	p.say(`{"type":"connection_ack"}`)
	_, errs := later(func() (any, error) { return Execute[any](t.Context(), client, "{ x }", nil) })
	p.say(`{"id":"%s","type":"next","payload":{"data":{}}}`, p.expect("subscribe").ID)
	if err := received(t, errs, "an answer"); err != nil {
		t.Fatal(err)
	}
	// That one has expired.
	p.close(4403)
	accept("newer").close(4403)
	var closed *CloseError
	if err := received(t, ended, "the end"); !errors.As(err, &closed) || closed.Code != 4403 {
		t.Fatalf("got %v", err)
	}
	if opened != 1 {
		t.Fatalf("the client was opened %d times by one server", opened)
	}
}

func TestGraphQLGoesByCloseCodes(t *testing.T) {
	for code, want := range map[int]reconnect{
		1000: withDelay, 1001: withDelay, 1006: withDelay, 1013: withDelay, 1002: never, 4004: never, 4400: never, 4401: never,
		4403: withTokenOnce, 4406: never, 4408: withDelay, 4409: never, 4429: never, 4499: withDelay, 4500: never, 4504: withDelay,
	} {
		if got := afterGraphQLClose(code); got != want {
			t.Errorf("after %d: got %v, want %v", code, got, want)
		}
	}
	states := make(chan State, 100)
	h, _, _ := graphqlServer(t, Options{ConnectTimeout: 20 * time.Millisecond, OnState: func(s State) { states <- s }})
	// No connection_ack.
	graphqlPeer{h.accept()}.expect("connection_init")
	for {
		if state := received(t, states, "a state"); state.Name == Waiting {
			if state.Reason != "no welcome in time" {
				t.Fatalf("got %v", state)
			}
			return
		}
	}
}
