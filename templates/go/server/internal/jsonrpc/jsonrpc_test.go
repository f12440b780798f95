package jsonrpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/protocol/peertest"
)

type none struct{}

type numbers struct {
	Minuend    float64 `json:"minuend"`
	Subtrahend float64 `json:"subtrahend,omitempty"`
}

func (n *numbers) Check() error {
	if n.Minuend == 13 {
		return errors.New("not 13")
	}
	return nil
}

type asked struct {
	Name  string `json:"name"`
	Inner *struct {
		Count int `json:"count"`
	} `json:"inner,omitempty"`
}

// waiting are calls that wait until they may go on.
type bench struct {
	t      *testing.T
	begun  chan struct{}
	letGo  chan struct{}
	seen   chan string
	limits config.Config
}

func (b *bench) methods() Methods {
	return Methods{
		"subtract": Method(func(_ context.Context, _ *Caller, params numbers) (float64, error) {
			return params.Minuend - params.Subtrahend, nil
		}),
		"note": Method(func(_ context.Context, _ *Caller, params asked) (any, error) {
			b.seen <- params.Name
			return nil, nil
		}),
		"fail":  Method(func(context.Context, *Caller, none) (any, error) { return nil, errors.New("secret detail") }),
		"panic": Method(func(context.Context, *Caller, none) (any, error) { panic("secret detail") }),
		"refuse": Method(func(context.Context, *Caller, none) (any, error) {
			return nil, fmt.Errorf("as it is: %w", &Error{Code: 7, Message: "Out of stock", Data: map[string]int{"left": 0}})
		}),
		"unwritable": Method(func(context.Context, *Caller, none) (any, error) {
			return nil, &Error{Code: 7, Message: "Out of stock", Data: math.Inf(1)}
		}),
		"unfit": Method(func(context.Context, *Caller, none) (float64, error) { return math.NaN(), nil }),
		"wait": Method(func(ctx context.Context, _ *Caller, _ none) (string, error) {
			b.begun <- struct{}{}
			select {
			case <-ctx.Done():
				b.seen <- "aborted"
			case <-b.letGo:
			}
			return "done", nil
		}),
		"ask": Method(func(ctx context.Context, caller *Caller, params asked) (string, error) {
			if err := caller.Notify("asking", map[string]string{"name": params.Name}); err != nil {
				return "", err
			}
			answer := ""
			err := caller.Call(ctx, params.Name, []int{1}, &answer)
			var refused *Error
			if errors.As(err, &refused) && refused.Code == 8 {
				return "", refused
			}
			if err != nil {
				b.seen <- fmt.Sprint(err)
				return err.Error(), nil
			}
			return answer, nil
		}),
		"who": Method(func(_ context.Context, caller *Caller, _ none) (string, error) { return caller.Identity().User, nil }),
	}
}

func start(t *testing.T) (*bench, *peertest.Peer) {
	t.Helper()
	b := &bench{t: t, begun: make(chan struct{}, 100), letGo: make(chan struct{}), seen: make(chan string, 100)}
	b.limits = config.Config{MaxBatch: 5, MaxCallsPerClient: 2, CallTimeout: time.Minute}
	spoken, err := New(&b.limits, b.methods())
	if err != nil {
		t.Fatal(err)
	}
	return b, peertest.Accept(t, spoken)
}

func TestRequestsAreAnsweredWhateverTheirIDs(t *testing.T) {
	t.Parallel()
	_, peer := start(t)
	for text, want := range map[string]string{
		`{"jsonrpc":"2.0","id":1,"method":"subtract","params":[42,23]}`:                                       `"id":1,"result":19`,
		` {"jsonrpc":"2.0","id":"a","method":"subtract","params":{"subtrahend":23,"minuend":42},"more":true}`: `"id":"a","result":19`,
		`{"jsonrpc":"2.0","id":null,"method":"subtract","params":[2]}`:                                        `"id":null,"result":2`,
		`{"jsonrpc":"2.0","id":1.5,"method":"who"}`:                                                           `"id":1.5,"result":"ada"`,
		`{"jsonrpc":"2.0","id":2,"method":"nothing"}`:                                                         `"id":2,"error":{"code":-32601,"message":"Method not found"}`,
		`{"jsonrpc":"2.0","id":2,"method":"rpc.discover"}`:                                                    `"id":2,"error":{"code":-32601,"message":"Method not found"}`,
		`{"jsonrpc":"2.0","id":3,"method":"refuse"}`:                                                          `"id":3,"error":{"code":7,"message":"Out of stock","data":{"left":0}}`,
		`{"jsonrpc":"2.0","id":4,"method":"fail"}`:                                                            `"id":4,"error":{"code":-32603,"message":"Internal error"}`,
		`{"jsonrpc":"2.0","id":4,"method":"panic"}`:                                                           `"id":4,"error":{"code":-32603,"message":"Internal error"}`,
		`{"jsonrpc":"2.0","id":4,"method":"unfit"}`:                                                           `"id":4,"error":{"code":-32603,"message":"Internal error"}`,
		`{"jsonrpc":"2.0","id":4,"method":"unwritable"}`:                                                      `"id":4,"error":{"code":-32603,"message":"Internal error"}`,
	} {
		peer.Say(text)
		peer.Expect(`{"jsonrpc":"2.0",` + want + `}`)
	}
	if !peer.Logged("method-failed") {
		t.Error("the failures are not logged")
	}
}

func TestParametersThatDoNotFit(t *testing.T) {
	t.Parallel()
	_, peer := start(t)
	for call, want := range map[string]string{
		`"subtract","params":["x"]`:                           `["minuend"]`,
		`"subtract","params":[13]`:                            `[]`,
		`"subtract","params":{"minuend":1,"subtrahend":null}`: `["subtrahend"]`,
		`"subtract","params":[1,2,3]`:                         `[]`,
		`"subtract","params":{"minuend":1,"other":1}`:         `[]`,
		`"subtract","params":{"Minuend":1}`:                   `["minuend"]`,
		`"subtract"`:                                          `["minuend"]`,
		`"note","params":["a",{"count":"x"}]`:                 `["inner","count"]`,
		`"note","params":["a",{"other":1}]`:                   `["inner"]`,
	} {
		peer.Say(`{"jsonrpc":"2.0","id":1,"method":` + call + `}`)
		var got struct {
			Error struct {
				Code int
				Data struct {
					Path   json.RawMessage
					Reason string
				}
			}
		}
		text := peer.Next()
		err := json.Unmarshal([]byte(text), &got)
		if data := got.Error.Data; err != nil || got.Error.Code != -32602 || string(data.Path) != want || data.Reason == "" {
			t.Errorf("%s: got %s", call, text)
		}
	}
}

func TestWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	_, peer := start(t)
	for text, want := range map[string]string{
		`{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]`: `null -32700`,
		``: `null -32700`,
		strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000):    `null -32700`,
		`{"jsonrpc": "2.0", "method": 1, "params": "bar"}`:           `null -32600`,
		`{"jsonrpc": "2.0", "method": "note", "params": 1, "id": 5}`: `5 -32600`,
		`{"method": "note", "id": "x"}`:                              `"x" -32600`,
		`{"jsonrpc": "2.0", "id": 1}`:                                `1 -32600`,
		`{"jsonrpc": "2.0", "id": [], "method": "note"}`:             `null -32600`,
		`{"jsonrpc": "2.0", "id": 1e400, "method": "note"}`:          `null -32600`,
		`{"jsonrpc": "2.0", "id": 1, "result": 1, "error": {}}`:      `1 -32600`,
		`{"jsonrpc": "2.0", "id": 1, "error": {"code": 1}}`:          `1 -32600`,
		`1`:             `null -32600`,
		`null`:          `null -32600`,
		`[]`:            `null -32600`,
		`[1,1,1,1,1,1]`: `null -32600`,
	} {
		peer.Say(text)
		var got struct {
			ID    json.RawMessage
			Error struct{ Code int }
		}
		if err := json.Unmarshal([]byte(peer.Next()), &got); err != nil || fmt.Sprint(string(got.ID), " ", got.Error.Code) != want {
			t.Errorf("%.80s: got %s %d, want %s", text, got.ID, got.Error.Code, want)
		}
	}
	for range 30 {
		peer.Say("x")
	}
	peer.ExpectClose(1008)
}

func TestNotificationsAreNotAnswered(t *testing.T) {
	t.Parallel()
	b, peer := start(t)
	for _, name := range []string{"note", "nothing", "fail", "panic", "refuse", "unfit", "subtract", "rpc.discover"} {
		peer.Say(`{"jsonrpc":"2.0","method":"` + name + `","params":["heard"]}`)
	}
	peer.Say(`[{"jsonrpc":"2.0","method":"note","params":["in a batch"]}]`)
	for _, want := range []string{"heard", "in a batch"} {
		if got := <-b.seen; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	peer.Say(`{"jsonrpc":"2.0","id":1,"method":"who"}`)
	peer.Expect(`{"jsonrpc":"2.0","id":1,"result":"ada"}`)
}

func TestABatchIsAnsweredInOneMessage(t *testing.T) {
	t.Parallel()
	b, peer := start(t)
	peer.Say(`[{"jsonrpc":"2.0","id":0,"method":"wait"},{"jsonrpc":"2.0","id":1,"method":"subtract","params":[3]},` +
		`{"jsonrpc":"2.0","method":"note","params":["x"]},{"foo":"bar"},{"jsonrpc":"2.0","id":2,"method":"refuse"}]`)
	if got := peer.Unread(); len(got) > 0 {
		t.Errorf("got %v before all have an answer", got)
	}
	close(b.letGo)
	var answers []struct {
		ID    json.RawMessage
		Error struct{ Code int }
	}
	got := ""
	if err := json.Unmarshal([]byte(peer.Next()), &answers); err != nil {
		t.Fatal(err)
	}
	for _, answer := range answers {
		got += fmt.Sprint(string(answer.ID), ":", answer.Error.Code, " ")
	}
	if want := "0:0 1:0 null:-32600 2:7 "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if peer.Spent() != 4 {
		t.Errorf("it cost %d messages more", peer.Spent())
	}
}

func TestOtherCallsGoOnUpToANumber(t *testing.T) {
	t.Parallel()
	b, peer := start(t)
	for id := range 2 {
		peer.Say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"wait"}`, id))
		<-b.begun
		if id == 0 {
			peer.Say(`{"jsonrpc":"2.0","id":"quick","method":"who"}`)
			peer.Expect(`{"jsonrpc":"2.0","id":"quick","result":"ada"}`)
		}
	}
	peer.Say(`{"jsonrpc":"2.0","id":3,"method":"who"}`)
	peer.Expect(`{"jsonrpc":"2.0","id":3,"error":{"code":-32000,"message":"Too many calls in progress","data":{"limit":2}}}`)
	peer.Say(`{"jsonrpc":"2.0","method":"note","params":["x"]}`)
	if !peer.Logged("notification-dropped") {
		t.Error("nobody knows that a notification was dropped")
	}
	close(b.letGo)
	peer.Next()
	peer.Next()
	peer.Say(`{"jsonrpc":"2.0","id":4,"method":"who"}`)
	peer.Expect(`{"jsonrpc":"2.0","id":4,"result":"ada"}`)
}

// ask has the server call the client, and returns the id of that.
func ask(peer *peertest.Peer) string {
	peer.Say(`{"jsonrpc":"2.0","id":"a","method":"ask","params":{"name":"name"}}`)
	peer.Expect(`{"jsonrpc":"2.0","method":"asking","params":{"name":"name"}}`)
	var call struct {
		ID     json.RawMessage
		Method string
	}
	_ = json.Unmarshal([]byte(peer.Next()), &call)
	return string(call.ID)
}

func TestCallsOfTheServer(t *testing.T) {
	t.Parallel()
	b, peer := start(t)
	deep := strings.Repeat("[", 9998) + strings.Repeat("]", 9998)
	for answer, want := range map[string]string{
		`"result":"Ada"`: `"result":"Ada"`,
		`"error":{"code":5,"message":"busy","data":1}`: `"result":"busy (5)"`,
		`"result":7`: `"result":"the call was not answered with what was expected`,
		// It is nested as deep as can be read.
		`"error":{"code":8,"message":"deep","data":` + deep + `}`: `"error":{"code":8,"message":"deep"`,
	} {
		id := ask(peer)
		peer.Say(`{"jsonrpc":"2.0","id":"unknown","result":"ignored"}`)
		peer.Say(`{"jsonrpc":"2.0","id":` + id + `,` + answer + `}`)
		if got := peer.Next(); !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":"a",`+want) {
			t.Errorf("%.80s: got %.200s", answer, got)
		}
	}
	b.limits.CallTimeout = time.Millisecond
	ask(peer)
	if got := peer.Next(); !strings.Contains(got, "the call was not answered: name: ") {
		t.Errorf("got %s", got)
	}
}

func TestCallsAreCutOffWithTheConnection(t *testing.T) {
	t.Parallel()
	b, peer := start(t)
	peer.Say(`{"jsonrpc":"2.0","id":1,"method":"wait"}`)
	<-b.begun
	ask(peer)
	peer.Leave()
	seen := map[string]bool{<-b.seen: true, <-b.seen: true}
	if !seen["aborted"] || !seen["the call was not answered: name: context canceled"] {
		t.Errorf("got %v", seen)
	}
}

func TestReservedNames(t *testing.T) {
	t.Parallel()
	note := Method(func(context.Context, *Caller, none) (any, error) { return nil, nil })
	if _, err := New(&config.Config{}, Methods{"rpc.note": note}); err == nil {
		t.Error("a reserved name is taken")
	}
}

// #if metrics

func TestMessagesAreCountedOnce(t *testing.T) {
	t.Parallel()
	_, peer := start(t)
	peer.Say(`[{"jsonrpc":"2.0","id":1,"method":"who"},{"jsonrpc":"2.0","id":1,"method":"made up"},1]`)
	peer.Next()
	for kind, want := range map[string]int{
		"received who": 1, "received unknown": 1, "received invalid": 1, "received finished who": 1, "batch": 1, "result": 0, "received made up": 0,
	} {
		if got := peer.Counted(kind); got != want {
			t.Errorf("%s: %d, want %d", kind, got, want)
		}
	}
}

// #endif
// #if auth

func TestNoMethodIsCalledBeforeItIsKnownWhoCalls(t *testing.T) {
	t.Parallel()
	b := &bench{limits: config.Config{MaxBatch: 5, MaxCallsPerClient: 2}}
	spoken, err := New(&b.limits, b.methods())
	if err != nil {
		t.Fatal(err)
	}
	open := func() *peertest.Peer {
		peer := peertest.New(t, "json-rpc")
		peer.Conversation = spoken.Accept(peer)
		return peer
	}
	peer := open()
	for _, step := range [][2]string{
		{`"who"`, `"error":{"code":-32001,"message":"Not authenticated: call rpc.authenticate first"}`},
		{`"rpc.authenticate","params":{"token":5}`, `"error":{"code":-32602,"message":"Invalid params","data":{"path":["token"],"reason":"expected a token"}}`},
		{`"rpc.authenticate","params":["good bob"]`, `"result":{"user":"bob","expiresAt":"2033-05-18T03:33:20.000Z"}`},
		{`"who"`, `"result":"bob"`},
		{`"rpc.authenticate","params":{"token":"bad"}`, `"error":{"code":-32002,"message":"The token was refused"}`},
		{`"who"`, `"result":"bob"`},
	} {
		peer.Say(`{"jsonrpc":"2.0","id":1,"method":` + step[0] + `}`)
		peer.Expect(`{"jsonrpc":"2.0","id":1,` + step[1] + `}`)
	}
	stranger := open()
	stranger.Say(`{"jsonrpc":"2.0","id":1,"method":"rpc.authenticate","params":["bad"]}`)
	stranger.Expect(`{"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"The token was refused"}}`)
	stranger.ExpectClose(4501)
	// The entries of a batch are taken in their order.
	const unknown = `"error":{"code":-32001,"message":"Not authenticated: call rpc.authenticate first"}}`
	batch := func(token string) string {
		return `[{"jsonrpc":"2.0","id":1,"method":"who"},{"jsonrpc":"2.0","id":2,"method":"rpc.authenticate","params":["` +
			token + `"]},{"jsonrpc":"2.0","id":3,"method":"who"}]`
	}
	peer = open()
	peer.Say(batch("good bob"))
	peer.Expect(`[{"jsonrpc":"2.0","id":1,` + unknown +
		`,{"jsonrpc":"2.0","id":2,"result":{"user":"bob","expiresAt":"2033-05-18T03:33:20.000Z"}},{"jsonrpc":"2.0","id":3,"result":"bob"}]`)
	stranger = open()
	stranger.Say(batch("bad"))
	stranger.Expect(`[{"jsonrpc":"2.0","id":1,` + unknown +
		`,{"jsonrpc":"2.0","id":2,"error":{"code":-32002,"message":"The token was refused"}},{"jsonrpc":"2.0","id":3,` + unknown + `]`)
	stranger.ExpectClose(4501)
}

// #endif
