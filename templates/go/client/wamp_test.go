package wsclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// wampPeer is the router's end of a connection.
type wampPeer struct{ *farEnd }

// wampRouter is one that a test speaks for.
type wampRouter struct{ *host }

func newWampRouter(t *testing.T) wampRouter {
	t.Helper()
	return wampRouter{newHost(t, "wamp.2.json")}
}

// read is the client's next message.
func (p wampPeer) read() []any {
	p.t.Helper()
	var message []any
	if err := json.Unmarshal(received(p.t, p.messages, "a message"), &message); err != nil || len(message) == 0 {
		p.t.Fatalf("got %v, %v", message, err)
	}
	return message
}

// expect is the client's next message, which has to have this code; format and args are what it is answered with.
func (p wampPeer) expect(code int, answers ...string) []any {
	p.t.Helper()
	message := p.read()
	if message[0] != float64(code) {
		p.t.Fatalf("got %v, want code %d", message, code)
	}
	for _, answer := range answers {
		if id, ok := message[1].(float64); ok {
			answer = strings.ReplaceAll(answer, "$", fmt.Sprint(id))
		}
		p.say(answer)
	}
	return message
}

const (
	helloCode = 1
	welcomed  = `[2,4711,{"roles":{"broker":{},"dealer":{}}}]`
)

// next is the next connection, whose client has been welcomed.
func (r wampRouter) next() wampPeer {
	r.t.Helper()
	p := wampPeer{r.accept()}
	p.expect(helloCode, welcomed)
	return p
}

// start runs a client until the end of the test.
func (r wampRouter) start(options Options) (client *WAMP, ended <-chan error) {
	r.t.Helper()
	client, err := NewWAMP(r.options(options))
	if err != nil {
		r.t.Fatal(err)
	}
	return client, keep(r.t, client.Run, client.Close)
}

func TestWampCalls(t *testing.T) {
	r := newWampRouter(t)
	client, ended := r.start(Options{})
	p := r.next()
	sums, errs := later(func() (float64, error) { return Call[float64](t.Context(), client, "com.add", 1, "<") })
	if message := p.expect(call, `[50,$,{},[3]]`); message[3] != "com.add" || fmt.Sprint(message[4]) != "[1 <]" {
		t.Fatalf("got %v", message)
	}
	if sum, err := <-sums, <-errs; sum != 3 || err != nil {
		t.Fatalf("got %v and %v", sum, err)
	}
	_, errs = later(func() (any, error) { return Call[any](t.Context(), client, "com.fails") })
	p.expect(call, `[8,48,$,{},"com.error",["why"]]`)
	var failed *Error
	if err := received(t, errs, "an error"); !errors.As(err, &failed) || failed.Code != "com.error" || failed.Message != "why" {
		t.Fatalf("got %v", err)
	}
	_, errs = later(func() (any, error) { return nil, client.Publish(t.Context(), "com.news", "hello") })
	p.expect(publish, `[17,$,1]`)
	if err := received(t, errs, "an answer"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	_, errs = later(func() (any, error) { return Call[any](ctx, client, "com.long") })
	id := p.expect(call)[1]
	stop()
	if canceled := p.expect(cancel); canceled[1] != id {
		t.Fatalf("got %v", canceled)
	}
	if err := received(t, errs, "an error"); !errors.Is(err, ErrAborted) || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if _, err := Call[any](t.Context(), client, "com.bad", func() {}); err == nil {
		t.Fatal("a function was sent")
	}
	client.Close()
	p.expect(goodbye, `[6,{},"wamp.close.goodbye_and_out"]`)
	if err := received(t, ended, "the end"); err != nil {
		t.Fatal(err)
	}
	if _, err := Call[any](t.Context(), client, "com.add"); !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v", err)
	}
}

func TestWampProcedures(t *testing.T) {
	r := newWampRouter(t)
	client, _ := r.start(Options{})
	p := r.next()
	stopped := make(chan struct{})
	_, errs := later(func() (*Standing, error) {
		return client.Register(t.Context(), "com.p", func(ctx context.Context, call *Invocation) (any, error) {
			var what string
			if err := call.Args(&what); err != nil {
				return nil, err
			}
			switch what {
			case "parts":
				return "whole", call.Progress("half")
			case "own":
				return nil, &Error{Code: "com.error", Message: "why"}
			case "long":
				<-ctx.Done()
				close(stopped)
			}
			return nil, errors.New("a secret path")
		})
	})
	p.expect(register, `[65,$,7]`)
	if err := received(t, errs, "an answer"); err != nil {
		t.Fatal(err)
	}
	p.say(`[68,1,7,{"receive_progress":true},["parts"]]`)
	for _, want := range []string{"[70 1 map[progress:true] [half]]", "[70 1 map[] [whole]]"} {
		if got := fmt.Sprint(p.expect(yield)); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	for invocation, want := range map[string]string{
		`[68,2,7,{},["own"]]`:   "[8 68 2 map[] com.error [why]]",
		`[68,3,7,{},["other"]]`: "[8 68 3 map[] wamp.error.runtime_error [internal error]]",
		`[68,4,99,{}]`:          "[8 68 4 map[] wamp.error.unavailable []]",
	} {
		p.say(invocation)
		if got := fmt.Sprint(p.expect(failure)); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	p.say(`[68,5,7,{}]`)
	if got := p.expect(failure); got[4] != "wamp.error.invalid_argument" {
		t.Fatalf("got %v", got)
	}
	p.say(`[68,6,7,{},["long"]]`)
	p.say(`[69,6,{}]`)
	received(t, stopped, "the end of the call")
}

func TestWampComesBack(t *testing.T) {
	r := newWampRouter(t)
	client, _ := r.start(Options{})
	p := r.next()
	events := make(chan Publication, 10)
	standings, errs := later(func() (*Standing, error) {
		return client.SubscribePattern(t.Context(), "com.", "prefix", func(event Publication) { events <- event })
	})
	// The event comes with the answer.
	p.expect(subscribe, `[33,$,5]`, `[36,5,1,{"topic":"com.x"},["one"],{"k":2}]`)
	event := received(t, events, "an event")
	var word string
	var words struct{ K int }
	if err := errors.Join(event.Args(&word), event.Kwargs(&words)); err != nil || event.Topic != "com.x" || word != "one" || words.K != 2 {
		t.Fatalf("got %v, %v", event, err)
	}
	if err := received(t, errs, "an answer"); err != nil {
		t.Fatal(err)
	}
	_, errs = later(func() (any, error) { return Call[any](t.Context(), client, "com.lost") })
	p.expect(call)
	p.cut()
	if err := received(t, errs, "an error"); !errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("got %v", err)
	}
	p = r.next()
	if again := p.expect(subscribe, `[33,$,6]`, `[36,6,1,{"topic":"com.y"}]`); fmt.Sprint(again) != "[32 1 map[match:prefix] com.]" {
		t.Fatalf("got %v", again)
	}
	if event := received(t, events, "an event"); event.Topic != "com.y" {
		t.Fatalf("got %v", event)
	}
	// What breaks the protocol ends the session.
	p.say(`[36,"x"]`)
	p.expect(abort)
	p = r.next()
	p.expect(subscribe, `[33,$,7]`)
	standing := <-standings
	_, errs = later(func() (any, error) {
		// Only an open session is asked.
		if err := client.Publish(t.Context(), "com.z"); err != nil {
			return nil, err
		}
		return nil, standing.End(t.Context())
	})
	p.expect(publish, `[17,$,1]`)
	if message := p.expect(subscribe+2, `[35,$]`); message[2] != 7.0 {
		t.Fatalf("got %v", message)
	}
	if err := received(t, errs, "an answer"); err != nil {
		t.Fatal(err)
	}
	p.say(`[6,{},"wamp.close.system_shutdown"]`)
	p.expect(goodbye)
	// Nothing is asked for again.
	p = r.next()
	_, errs = later(func() (any, error) { return nil, client.Publish(t.Context(), "com.z") })
	p.expect(publish, `[17,$,1]`)
	if err := received(t, errs, "an answer"); err != nil {
		t.Fatal(err)
	}
}

// A program may wait for the next session where it hears events or answers calls.
func TestWampDoesNotWaitForPrograms(t *testing.T) {
	r := newWampRouter(t)
	client, _ := r.start(Options{})
	p := r.next()
	started, sums := make(chan struct{}, 2), make(chan int, 2)
	act := func() {
		started <- struct{}{}
		_, _ = Call[int](t.Context(), client, "com.lost")
		sum, _ := Call[int](t.Context(), client, "com.add")
		sums <- sum
	}
	_, errs := later(func() (*Standing, error) {
		if _, err := client.Register(t.Context(), "com.p", func(context.Context, *Invocation) (any, error) {
			act()
			return nil, nil
		}); err != nil {
			return nil, err
		}
		return client.Subscribe(t.Context(), "com.x", func(Publication) { act() })
	})
	p.expect(register, `[65,$,7]`)
	p.expect(subscribe, `[33,$,5]`, `[36,5,1,{}]`, `[68,1,7,{}]`)
	if err := received(t, errs, "an answer"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		received(t, started, "a start")
		p.expect(call)
	}
	p.cut()
	p = r.next()
	answers := map[float64]string{register: `[65,$,7]`, subscribe: `[33,$,5]`, call: `[50,$,{},[3]]`}
	for range 4 {
		message := p.read()
		p.say(strings.ReplaceAll(answers[message[0].(float64)], "$", fmt.Sprint(message[1])))
	}
	for range 2 {
		if sum := received(t, sums, "a sum"); sum != 3 {
			t.Fatalf("got %d", sum)
		}
	}
}

// What ends while the next session asks for it does not come back.
func TestWampEndsWhatIsAskedFor(t *testing.T) {
	r := newWampRouter(t)
	client, _ := r.start(Options{})
	p := r.next()
	standings, _ := later(func() (*Standing, error) {
		return client.Register(t.Context(), "com.p", func(context.Context, *Invocation) (any, error) { return 1, nil })
	})
	p.expect(register, `[65,$,7]`)
	standing := received(t, standings, "a registration")
	p.cut()
	p = r.next()
	again := p.expect(register)
	if err := standing.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.say(fmt.Sprintf(`[65,%v,8]`, again[1]))
	if message := p.expect(register+2, `[67,$]`); message[2] != 8.0 {
		t.Fatalf("got %v", message)
	}
}

func TestWampIsNotBehind(t *testing.T) {
	r := newWampRouter(t)
	complaints := make(chan error, 10)
	client, _ := r.start(Options{OnError: func(err error) { complaints <- err }})
	p := r.next()
	goOn := make(chan struct{})
	_, errs := later(func() (*Standing, error) {
		return client.Subscribe(t.Context(), "com.x", func(Publication) { <-goOn })
	})
	p.expect(subscribe, `[33,$,5]`)
	if err := received(t, errs, "an answer"); err != nil {
		t.Fatal(err)
	}
	for range maxPendingEvents + 10 {
		p.say(`[36,5,1,{}]`)
	}
	if err := received(t, complaints, "a complaint"); !errors.Is(err, ErrBehind) {
		t.Fatalf("got %v", err)
	}
	close(goOn)
	r.next()
}

func TestWampIsClosedBetweenTwoAttempts(t *testing.T) {
	states := make(chan State, 10)
	h := newHost(t, "wamp.2.json")
	h.refuse = func(w http.ResponseWriter) bool {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	client, err := NewWAMP(h.options(Options{OnState: func(s State) { states <- s }}))
	if err != nil {
		t.Fatal(err)
	}
	_, errs := later(func() (any, error) { return nil, client.Run(t.Context()) })
	for _, want := range []StateName{Connecting, Waiting, Closed} {
		if state := received(t, states, "a state"); state.Name != want {
			t.Fatalf("got %v, want %s", state, want)
		} else if want == Waiting {
			if state.RetryIn < time.Hour {
				t.Errorf("it comes back in %v", state.RetryIn)
			}
			client.Close()
		}
	}
	if err := received(t, errs, "the end"); err != nil {
		t.Fatal(err)
	}
}

func TestWampSaysWhoItIs(t *testing.T) {
	r := newWampRouter(t)
	r.start(Options{AuthID: "ada", Realm: "other", Ticket: func(context.Context) (string, error) { return "the ticket", nil }})
	p := wampPeer{r.accept()}
	said := p.expect(helloCode, `[4,"ticket",{}]`)
	if details := said[2].(map[string]any); said[1] != "other" || details["authid"] != "ada" || fmt.Sprint(details["authmethods"]) != "[ticket]" {
		t.Fatalf("got %v", said)
	}
	if answer := p.expect(authenticate); answer[1] != "the ticket" {
		t.Fatalf("got %v", answer)
	}
	r = newWampRouter(t)
	r.start(Options{AuthID: "eve", Secret: "secret"})
	p = wampPeer{r.accept()}
	p.expect(helloCode, `[4,"wampcra",{"challenge":"the challenge","salt":"salt","iterations":100,"keylen":32}]`)
	// As node:crypto says: PBKDF2 of the secret, and the HMAC of the challenge under its Base64.
	const signature = "lyLs73qbXzYoClEOV1breOy+2mD8WC4ffD9tm41uk5g="
	if answer := p.expect(authenticate); answer[1] != signature {
		t.Fatalf("got %v", answer)
	}
}

func TestWampThatIsRefused(t *testing.T) {
	r := newWampRouter(t)
	_, ended := r.start(Options{})
	// This may be better in a moment.
	wampPeer{r.accept()}.expect(helloCode, `[3,{},"wamp.error.authentication_failed"]`)
	r.next().close(4408)
	wampPeer{r.accept()}.expect(helloCode, `[3,{"message":"no"},"wamp.error.no_such_realm"]`)
	var closed *CloseError
	if err := received(t, ended, "the end"); !errors.As(err, &closed) || closed.Reason != "wamp.error.no_such_realm" {
		t.Fatalf("got %v", err)
	}
	// Nor would this become better.
	r = newWampRouter(t)
	_, ended = r.start(Options{})
	r.next().close(4502)
	if err := received(t, ended, "the end"); !errors.As(err, &closed) || closed.Code != 4502 {
		t.Fatalf("got %v", err)
	}
}
