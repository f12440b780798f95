package wsclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

type addends struct {
	A int `json:"a"`
	B int `json:"b"`
}

const (
	rpcAdd  = Method[addends, int]("add")
	rpcList = Method[any, []string]("list")
	rpcName = Method[[1]int, string]("name")
)

// rpcServer is one that a test speaks for.
func rpcServer(t *testing.T, options Options) (h *host, client *JSONRPC, ended <-chan error) {
	t.Helper()
	h = newHost(t, "json-rpc")
	client, err := NewJSONRPC(h.options(options))
	if err != nil {
		t.Fatal(err)
	}
	return h, client, keep(t, client.Run, client.Close)
}

// expect is the client's next message, which has to be this one.
func (p *farEnd) expect(want string, values ...any) {
	p.t.Helper()
	if want = fmt.Sprintf(want, values...); string(p.next()) != want {
		p.t.Fatalf("want %s", want)
	}
}

func (p *farEnd) next() json.RawMessage {
	p.t.Helper()
	message := received(p.t, p.messages, "a message")
	p.t.Logf("the client says %.200s", message)
	return message
}

// hasSaid is all that the client says before this: what comes is the answer to a call of a method that it has not.
func (p *farEnd) hasSaid() []json.RawMessage {
	p.t.Helper()
	p.say(`{"jsonrpc":"2.0","id":"over","method":"over"}`)
	var said []json.RawMessage
	for {
		message := p.next()
		if strings.Contains(string(message), `"over"`) {
			return said
		}
		said = append(said, message)
	}
}

func TestRPCCalls(t *testing.T) {
	h, client, ended := rpcServer(t, Options{})
	sums, sumErrs := later(func() (int, error) { return rpcAdd.Call(t.Context(), client, addends{1, 2}) })
	p := h.accept()
	if got := p.socket.Subprotocol(); got != "json-rpc" {
		t.Fatalf("got %s", got)
	}
	p.expect(`{"jsonrpc":"2.0","id":1,"method":"add","params":{"a":1,"b":2}}`)
	_, errs := later(func() ([]string, error) { return rpcList.Call(t.Context(), client, nil) })
	p.expect(`{"jsonrpc":"2.0","id":2,"method":"list"}`)
	// In whatever order they come.
	p.say(`[{"jsonrpc":"2.0","id":2,"error":{"code":7,"message":"none left","data":[1]}},{"jsonrpc":"2.0","id":1,"result":3}]`)
	if sum, err := received(t, sums, "a sum"), <-sumErrs; sum != 3 || err != nil {
		t.Fatalf("got %v and %v", sum, err)
	}
	var refused *RPCError
	err := received(t, errs, "an error")
	if !errors.As(err, &refused) || refused.Code != 7 || refused.Message != "none left" || fmt.Sprintf("%s", refused.Data) != "[1]" {
		t.Fatalf("got %#v", err)
	}
	_, errs = later(func() (int, error) { return rpcAdd.Call(t.Context(), client, addends{}) })
	p.next()
	p.say(`{"jsonrpc":"2.0","id":3,"result":"no number"}`)
	if err := received(t, errs, "an error"); err == nil || !strings.Contains(err.Error(), "the result of add") {
		t.Fatalf("got %v", err)
	}
	if err := rpcAdd.Notify(t.Context(), client, addends{3, 4}); err != nil {
		t.Fatal(err)
	}
	p.expect(`{"jsonrpc":"2.0","method":"add","params":{"a":3,"b":4}}`)
	if _, err := Method[func(), any]("bad").Call(t.Context(), client, nil); err == nil {
		t.Fatal("a function was sent")
	}
	client.Close()
	if err := received(t, ended, "the end"); err != nil {
		t.Fatal(err)
	}
	if _, err := rpcList.Call(t.Context(), client, nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v", err)
	}
	if err := rpcList.Notify(t.Context(), client, nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v", err)
	}
}

func TestRPCIsCalled(t *testing.T) {
	complaints := make(chan error, 10)
	h, client, _ := rpcServer(t, Options{OnError: func(err error) { complaints <- err }})
	told := make(chan int, 10)
	stop := rpcName.Handle(client, func(ctx context.Context, params [1]int) (string, error) {
		switch params[0] {
		case 1:
			return "", &RPCError{5, "busy", "later"}
		case 2:
			return "", errors.New("a secret path")
		case 3:
			return "", &RPCError{Code: 6, Message: "no JSON", Data: func() {}}
		case 4:
			<-ctx.Done()
		}
		told <- params[0]
		return fmt.Sprint("Ada ", params[0]), nil
	})
	p := h.accept()
	for params, want := range map[string]string{
		`[0]`:           `"result":"Ada 0"`,
		`[1]`:           `"error":{"code":5,"message":"busy","data":"later"}`,
		`[2]`:           `"error":{"code":-32603,"message":"Internal error"}`,
		`[3]`:           `"error":{"code":-32603,"message":"Internal error"}`,
		`["no number"]`: `"error":{"code":-32602,"message":"Invalid params","data":"json: cannot unmarshal string into Go value of type int"}`,
		`5`:             `"error":{"code":-32600,"message":"Invalid Request"}`,
	} {
		p.say(`{"jsonrpc":"2.0","id":"x","method":"name","params":%s}`, params)
		p.expect(`{"jsonrpc":"2.0","id":"x",%s}`, want)
	}
	for range 2 {
		if err := received(t, complaints, "a complaint"); !strings.HasPrefix(err.Error(), "name: ") {
			t.Fatalf("got %v", err)
		}
	}
	for text, want := range map[string]string{
		`7`:  `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request"}}`,
		`[]`: `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request"}}`,
		`{"jsonrpc":"2.0","id":{},"method":"name"}`:                                                      `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request"}}`,
		`[{"jsonrpc":"2.0","id":null,"method":"name","params":[9]},{"jsonrpc":"2.0","method":"nobody"}]`: `[{"jsonrpc":"2.0","id":null,"result":"Ada 9"}]`,
	} {
		p.say(text)
		p.expect(want)
	}
	// Notifications come in order, and have no answer.
	p.say(`[{"jsonrpc":"2.0","method":"name","params":[11]},{"jsonrpc":"2.0","method":"name","params":[12]}]`)
	p.say(`{"jsonrpc":"2.0","method":"name","params":[2]}`)
	p.say(`{"jsonrpc":"2.0","method":"name","params":[13]}`)
	for _, want := range []int{0, 9, 11, 12, 13} {
		if got := received(t, told, "a call"); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	}
	received(t, complaints, "a complaint")
	// An error whose id the server could not read.
	p.say(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}`)
	var refused *RPCError
	if err := received(t, complaints, "a complaint"); !errors.As(err, &refused) || refused.Code != -32700 {
		t.Fatalf("got %v", err)
	}
	if said := p.hasSaid(); len(said) > 0 {
		t.Fatalf("got %s", said)
	}
	// What was called before the connection was lost is answered nowhere.
	p.say(`{"jsonrpc":"2.0","id":1,"method":"name","params":[4]}`)
	p.hasSaid()
	p.cut()
	p = h.accept()
	if got := received(t, told, "the end of the call"); got != 4 {
		t.Fatalf("got %d", got)
	}
	again := rpcName.Handle(client, func(context.Context, [1]int) (string, error) { return "another", nil })
	stop()
	p.say(`{"jsonrpc":"2.0","id":1,"method":"name","params":[1]}`)
	p.expect(`{"jsonrpc":"2.0","id":1,"result":"another"}`)
	again()
	p.say(`{"jsonrpc":"2.0","id":2,"method":"name","params":[1]}`)
	p.expect(`{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"Method not found"}}`)
}

// However much the server asks for at a time.
func TestRPCHasLimits(t *testing.T) {
	complaints := make(chan error, 10)
	h, client, _ := rpcServer(t, Options{OnError: func(err error) { complaints <- err }})
	goOn := make(chan struct{})
	rpcList.Handle(client, func(context.Context, any) ([]string, error) {
		<-goOn
		return nil, nil
	})
	p := h.accept()
	batch := make([]string, maxRunning+1)
	for i := range batch {
		batch[i] = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"list"}`, i)
	}
	p.say("[" + strings.Join(batch, ",") + "]")
	for range maxPendingEvents + 2 {
		p.say(`{"jsonrpc":"2.0","method":"list"}`)
	}
	if err := received(t, complaints, "a complaint"); !errors.Is(err, ErrBehind) {
		t.Fatalf("got %v", err)
	}
	close(goOn)
	var answers []struct{ Error *RPCError }
	if err := json.Unmarshal(p.next(), &answers); err != nil || len(answers) != len(batch) {
		t.Fatalf("got %d answers and %v", len(answers), err)
	}
	refused := 0
	for _, answer := range answers {
		if answer.Error != nil && answer.Error.Code == errTooManyCalls.Code {
			refused++
		}
	}
	if refused != 1 {
		t.Fatalf("%d were refused", refused)
	}
	p.say(`{"jsonrpc":"2.0","id":"later","method":"list"}`)
	p.expect(`{"jsonrpc":"2.0","id":"later","result":null}`)
}

func TestRPCRepeatsNothing(t *testing.T) {
	h, client, _ := rpcServer(t, Options{})
	_, errs := later(func() ([]string, error) { return rpcList.Call(t.Context(), client, nil) })
	p := h.accept()
	p.next()
	p.cut()
	if err := received(t, errs, "an error"); !errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("got %v", err)
	}
	// What was not sent is sent later.
	sums, _ := later(func() (int, error) { return rpcAdd.Call(t.Context(), client, addends{1, 2}) })
	p = h.accept()
	p.expect(`{"jsonrpc":"2.0","id":1,"method":"add","params":{"a":1,"b":2}}`)
	// That of another connection, and one that nobody has asked for.
	p.say(`{"jsonrpc":"2.0","id":99,"result":1}`)
	p.say(`{"jsonrpc":"2.0","id":1,"result":3}`)
	if sum := received(t, sums, "a sum"); sum != 3 {
		t.Fatalf("got %d", sum)
	}
	ctx, stop := context.WithCancel(t.Context())
	_, errs = later(func() ([]string, error) { return rpcList.Call(ctx, client, nil) })
	p.next()
	stop()
	if err := received(t, errs, "an error"); !errors.Is(err, ErrAborted) || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if said := p.hasSaid(); len(said) > 0 {
		t.Fatalf("got %s", said)
	}
	// It may have been an answer.
	p.say("no JSON")
	p = h.accept()
	if err := p.socket.Write(t.Context(), websocket.MessageBinary, []byte(`{"jsonrpc":"2.0","id":1,"result":3}`)); err != nil {
		t.Fatal(err)
	}
	p = h.accept()
	// A session that is over takes nothing.
	over, _ := client.open(t.Context())
	p.cut()
	p = h.accept()
	received(t, over.ctx.Done(), "the end of the session")
	live, _ := client.open(t.Context())
	if _, isSent := over.ask(t.Context(), "list", nil); isSent || over == live {
		t.Fatal("it was sent")
	}
	become := func(s *rpcSession) {
		client.mu.Lock()
		defer client.mu.Unlock()
		client.session = s
	}
	become(over)
	_, errs = later(func() ([]string, error) { return rpcList.Call(t.Context(), client, nil) })
	giveWay()
	become(live)
	p.next()
	p.say(`{"jsonrpc":"2.0","id":1,"result":[]}`)
	if err := received(t, errs, "an answer"); err != nil {
		t.Fatal(err)
	}
}

func TestRPCGivesUpWhatIsNotRead(t *testing.T) {
	h := newHost(t, "json-rpc")
	h.isSilent = true
	client, err := NewJSONRPC(h.options(Options{PongTimeout: time.Hour}))
	if err != nil {
		t.Fatal(err)
	}
	keep(t, client.Run, client.Close)
	p := h.accept()
	defer p.cut()
	if _, err := client.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	// More than the buffers of a connection hold.
	long := []string{strings.Repeat("x", 1<<24)}
	_, errs := later(func() (any, error) { return Method[[]string, any]("list").Call(ctx, client, long) })
	if err := received(t, errs, "an error"); !errors.Is(err, ErrAborted) {
		t.Fatalf("got %v", err)
	}
}

func TestRPCWaitsGrow(t *testing.T) {
	for _, stable := range []time.Duration{time.Hour, time.Nanosecond} {
		states := make(chan State, 1000)
		h, _, _ := rpcServer(t, Options{BackoffBase: time.Nanosecond, StableAfter: stable, OnState: func(s State) { states <- s }})
		longest := time.Duration(0)
		for attempt := 0; attempt < 20; {
			switch state := received(t, states, "a state"); state.Name {
			case Open:
				h.accept().close(1012)
			case Waiting:
				attempt++
				longest = max(longest, state.RetryIn)
			}
		}
		if hasGrown := longest > time.Microsecond; hasGrown != (stable == time.Hour) {
			t.Errorf("the longest wait was %s, with connections that are good after %s", longest, stable)
		}
	}
}

func TestRPCComesBackOrNot(t *testing.T) {
	var attempts atomic.Int32
	h := newHost(t, "json-rpc")
	h.refuse = func(w http.ResponseWriter) bool {
		if attempts.Add(1) == 2 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	}
	states := make(chan State, 100)
	client, err := NewJSONRPC(h.options(Options{OnState: func(s State) { states <- s }}))
	if err != nil {
		t.Fatal(err)
	}
	ended := keep(t, client.Run, client.Close)
	var seen []string
	reach := func(name StateName) {
		for isReached := false; !isReached; isReached = strings.HasPrefix(seen[len(seen)-1], string(name)) {
			state := received(t, states, "a state")
			seen = append(seen, fmt.Sprint(state.Name, state.Code))
		}
	}
	p := h.accept()
	reach(Open)
	p.close(1012)
	p = h.accept()
	reach(Open)
	p.close(4502)
	var closed *CloseError
	if err := received(t, ended, "the end"); !errors.As(err, &closed) || closed.Code != 4502 {
		t.Fatalf("got %v", err)
	}
	reach(Closed)
	want := "[connecting0 authenticating0 open0 waiting1012 connecting0 waiting1006 connecting0 authenticating0 open0 closed4502]"
	if fmt.Sprint(seen) != want {
		t.Fatalf("got %v", seen)
	}
	// A server that is silent is given up.
	h = newHost(t, "json-rpc")
	h.isSilent = true
	client, err = NewJSONRPC(h.options(Options{PingInterval: time.Millisecond, PongTimeout: time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	keep(t, client.Run, client.Close)
	h.accept()
	h.accept()
}

func TestRPCShowsTokens(t *testing.T) {
	tokens := make(chan string, 10)
	complaints := make(chan error, 10)
	shown := `{"jsonrpc":"2.0","id":1,"method":"rpc.authenticate","params":{"token":"%s"}}`
	h, client, ended := rpcServer(t, Options{
		Token: func(context.Context) (string, error) {
			token := <-tokens
			if token == "none" {
				return "", errors.New("offline")
			}
			return token, nil
		},
		OnError: func(err error) { complaints <- err },
	})
	lists, _ := later(func() ([]string, error) { return rpcList.Call(t.Context(), client, nil) })
	h.accept()
	tokens <- "none"
	if err := received(t, complaints, "a complaint"); !errors.Is(err, ErrToken) {
		t.Fatalf("got %v", err)
	}
	tokens <- "old"
	p := h.accept()
	p.expect(shown, "old")
	if state := client.State(); state.Name != Authenticating {
		t.Fatalf("got %v", state)
	}
	p.say(`{"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"refused"}}`)
	received(t, complaints, "a complaint")
	p.close(4501)
	tokens <- "new"
	p = h.accept()
	p.expect(shown, "new")
	// It expires at once, and is replaced while the connection stays.
	p.say(`{"jsonrpc":"2.0","id":1,"result":{"user":"ada","expiresAt":"%s"}}`, time.Now().Format(time.RFC3339Nano))
	p.expect(`{"jsonrpc":"2.0","id":2,"method":"list"}`)
	p.say(`{"jsonrpc":"2.0","id":2,"result":["a"]}`)
	if got := received(t, lists, "a list"); len(got) != 1 {
		t.Fatalf("got %v", got)
	}
	tokens <- "newer"
	p.expect(`{"jsonrpc":"2.0","id":3,"method":"rpc.authenticate","params":{"token":"newer"}}`)
	p.close(4401)
	// A server that asks for none.
	tokens <- "unneeded"
	p = h.accept()
	p.expect(shown, "unneeded")
	p.say(`{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no such method"}}`)
	if err := rpcList.Notify(t.Context(), client, nil); err != nil {
		t.Fatal(err)
	}
	p.close(4501)
	tokens <- "refused"
	h.accept().close(4501)
	var closed *CloseError
	if err := received(t, ended, "the end"); !errors.As(err, &closed) || closed.Code != 4501 {
		t.Fatalf("got %v", err)
	}
}
