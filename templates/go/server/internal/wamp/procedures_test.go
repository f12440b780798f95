package wamp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestProcedures(t *testing.T) {
	stopped := 0
	all := map[string]func(ctx context.Context, c *Call) (any, error){
		"echo": func(_ context.Context, c *Call) (any, error) {
			var value any
			err := c.Args(&value)
			return value, err
		},
		"none": func(context.Context, *Call) (any, error) { return nil, nil },
		"many": func(context.Context, *Call) (any, error) { return Result{[]any{1, "<"}, map[string]any{"k": 3}}, nil },
		"own": func(context.Context, *Call) (any, error) {
			return nil, fmt.Errorf("with more: %w", &Error{"com.error", []any{"why"}, map[string]any{"k": 4}})
		},
		"bug":   func(context.Context, *Call) (any, error) { return nil, errors.New("a secret path") },
		"panic": func(context.Context, *Call) (any, error) { panic("a secret path") },
		"bad":   func(context.Context, *Call) (any, error) { return math.NaN(), nil },
		"worse": func(context.Context, *Call) (any, error) { return nil, &Error{URI: "com.x", Args: []any{func() {}}} },
		"typed": func(_ context.Context, c *Call) (any, error) {
			var number float64
			return nil, c.Args(&number)
		},
		"who": func(_ context.Context, c *Call) (any, error) {
			var words struct{ K string }
			err := c.Kwargs(&words)
			return []any{c.Caller.Session, c.Caller.AuthRole, words.K, c.Procedure}, err
		},
		"parts": func(_ context.Context, c *Call) (any, error) {
			return "whole", errors.Join(c.Progress("half"), c.Publish("com.news", 1, 2))
		},
		"long": func(ctx context.Context, _ *Call) (any, error) {
			<-ctx.Done()
			stopped++
			return nil, ctx.Err()
		},
	}
	var procedures []Procedure
	for name, run := range all {
		procedures = append(procedures, Procedure{Realm: "open", URI: "com." + name, Run: run})
	}
	procedures = append(procedures, Procedure{Realm: "open", URI: "com.pattern.", Match: prefix, Run: all["who"]})
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, realmsText, limits{subscriptions: 1, registrations: 1, calls: 10, total: 10}, procedures...)
		p := b.join(ordinary)
		call := func(name, args, options string, want ...string) {
			t.Helper()
			p.send(`[48,1,%s,"com.%s",%s,{"k":"v"}]`, options, name, args)
			synctest.Wait()
			p.hears(want...)
		}
		call("echo", `[{"a":[1]}]`, "{}", `[50,1,{},[{"a":[1]}]]`)
		call("none", `[]`, "{}", `[50,1,{}]`)
		call("many", `[]`, "{}", `[50,1,{},[1,"<"],{"k":3}]`)
		call("own", `[]`, "{}", `[8,48,1,{},"com.error",["why"],{"k":4}]`)
		for i, name := range []string{"bug", "panic", "bad", "worse"} {
			call(name, `[]`, "{}", `[8,48,1,{},"wamp.error.runtime_error",["internal error"]]`)
			if len(b.failures) != i+1 {
				t.Fatalf("%s is not in the log", name)
			}
		}
		for _, wrong := range []string{`[]`, `["x"]`, `[null]`, `[1,2]`} {
			call("typed", wrong, "{}", `[8,48,1,{},"wamp.error.invalid_argument","*"]`)
		}
		call("who", `[]`, "{}", fmt.Sprintf(`[50,1,{},[[%d,"guest","v","com.who"]]]`, p.id))
		call("pattern.a.b", `[]`, "{}", fmt.Sprintf(`[50,1,{},[[%d,"guest","v","com.pattern.a.b"]]]`, p.id))
		p.ask(`[32,9,{},"com.news"]`)
		call("parts", `[]`, `{"receive_progress":true}`,
			`[50,1,{"progress":true},["half"]]`, `[36,"*","*",{},[1,2]]`, `[50,1,{},["whole"]]`)
		call("parts", `[]`, `{}`, `[36,"*","*",{},[1,2]]`, `[50,1,{},["whole"]]`)
		// Each way to end it reaches it.
		for _, mode := range []string{"{}", `{"mode":"skip"}`} {
			call("long", `[]`, "{}")
			p.say(`[49,1,`+mode+`]`, `[8,48,1,{},"wamp.error.canceled",["canceled by the caller"]]`)
		}
		synctest.Wait()
		call("long", `[]`, `{"timeout":50}`)
		time.Sleep(time.Second)
		synctest.Wait()
		p.hears(`[8,48,1,{},"wamp.error.timeout",["no result in time"]]`)
		p.refused(`[64,1,{},"com.echo"]`, "wamp.error.procedure_already_exists")
		call("long", `[]`, "{}")
		p.session.Close()
		synctest.Wait()
		p.hears()
		if stopped != 4 {
			t.Fatalf("%d were stopped", stopped)
		}
	})
}

func TestProceduresThatAreRefused(t *testing.T) {
	all, err := parseRealms([]byte(realmsText), getenv)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Procedure{{Realm: "nowhere", URI: "com.p"}, {Realm: "open", URI: "com.q"}, {Realm: "open", URI: "com.p", Match: "regex"}} {
		if _, err := newRouter(all, []Procedure{{Realm: "open", URI: "com.q"}, p}, limits{}, nil); err == nil {
			t.Errorf("%+v was taken", p)
		}
	}
}

func TestCallsThatDoNotReturnCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		isOver := make(chan struct{})
		b := newBench(t, realmsText, limits{calls: 2}, Procedure{
			Realm: "open", URI: "com.deaf", Run: func(context.Context, *Call) (any, error) {
				<-isOver
				return nil, nil
			},
		})
		p := b.join(ordinary)
		for request := range 2 {
			p.say(fmt.Sprintf(`[48,%d,{},"com.deaf"]`, request+1))
			p.send(`[49,%d,{}]`, request+1)
			p.hears(fmt.Sprintf(`[8,48,%d,{},"wamp.error.canceled","*"]`, request+1))
		}
		p.refused(`[48,3,{},"com.deaf"]`, "error.too_many_calls")
		close(isOver)
		synctest.Wait()
		p.say(`[48,4,{},"com.deaf"]`)
		synctest.Wait()
		p.hears(`[50,4,{}]`)
	})
}

func TestSessionsAreToldOfAndEnded(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		ada, bob, eve := b.join(ordinary), b.join(ordinary), b.join(ordinary)
		call := func(name, rest string, want ...string) {
			t.Helper()
			ada.send(`[48,1,{},"wamp.session.%s"%s]`, name, rest)
			synctest.Wait()
			ada.hears(want...)
		}
		call("count", "", `[50,1,{},[3]]`)
		call("count", `,[["guest"]]`, `[50,1,{},[3]]`)
		call("count", `,[null]`, `[50,1,{},[3]]`)
		call("count", `,[["admin"]]`, `[50,1,{},[0]]`)
		call("list", `,[["admin"]]`, `[50,1,{},[[]]]`)
		call("count", `,["guest"]`, `[8,48,1,{},"wamp.error.invalid_argument","*"]`)
		call("list", `,[1,2]`, `[8,48,1,{},"wamp.error.invalid_argument","*"]`)
		who := b.router.realms["open"].members[bob.id].principal.id
		call("get", fmt.Sprintf(`,[%d]`, bob.id), fmt.Sprintf(`[50,1,{},[{"session":%d,"authid":%q,"authrole":"guest",`+
			`"authmethod":"anonymous","authprovider":"anonymous","transport":{"type":"websocket"}}]]`, bob.id, who))
		for name, id := range map[string]uint64{"get": 4711, "kill": ada.id} {
			call(name, fmt.Sprintf(`,[%d]`, id), `[8,48,1,{},"wamp.error.no_such_session"]`)
		}
		call("kill", fmt.Sprintf(`,[%d],{"reason":"not a uri"}`, bob.id), `[8,48,1,{},"wamp.error.invalid_uri",["reason: not a URI"]]`)
		ada.ask(`[32,2,{},"wamp.session.on_leave"]`)
		ada.ask(`[32,3,{},"wamp.session.on_join"]`)
		// Only who asks by name gets events of the router.
		ada.ask(`[32,4,{"match":"prefix"},"wam"]`)
		kim := b.join(ordinary)
		if list := ada.element(ada.one(), 4).([]any); list[0].(dict)["session"] != float64(kim.id) {
			t.Fatalf("got %v", list)
		}
		call("kill", fmt.Sprintf(`,[%d],{"reason":"com.out","message":"go"}`, bob.id),
			fmt.Sprintf(`[36,1,"*",{},[%d,%q,"guest"]]`, bob.id, who), `[50,1,{}]`)
		bob.hears(`[6,{"message":"go"},"com.out"]`)
		if len(bob.closes) != 1 || bob.closes[0] != 1000 {
			t.Fatalf("closed with %v", bob.closes)
		}
		bob.say(`[16,1,{},"com.x"]`)
		ada.say(`[6,{},"wamp.close.normal"]`, `[6,{},"wamp.close.goodbye_and_out"]`)
		ada.join("open", ordinary)
		call("kill_by_authid", fmt.Sprintf(`,[%q]`, b.router.realms["open"].members[eve.id].principal.id),
			fmt.Sprintf(`[50,1,{},[[%d]]]`, eve.id))
		call("kill_by_authrole", `,["guest"]`, `[50,1,{},[1]]`)
		call("kill_all", "", `[50,1,{},[0]]`)
		call("count", "", `[50,1,{},[1]]`)
	})
}

// Many do everything at the same time: run it with -race.
func TestManyAtTheSameTime(t *testing.T) {
	b := newBench(t, realmsText, limits{subscriptions: 9, registrations: 9, calls: 99, total: 1000}, Procedure{
		Realm: "open", URI: "com.own", Run: func(_ context.Context, c *Call) (any, error) {
			return c.Caller.AuthID, c.Progress("half")
		},
	})
	b.join(ordinary).ask(`[64,1,{"invoke":"roundrobin"},"com.shared"]`)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 100 {
				p := b.person()
				p.send(`[1,"open",{"roles":%s}]`, modern)
				for request, text := range []string{
					`"com.x"`, `"com.shared"`, `"com.own"`, `"com.shared"`, `"wamp.session.list"`,
				} {
					p.send(`[%d,%d,{"match":"prefix","invoke":"roundrobin","timeout":1,"receive_progress":true},%s]`,
						[]int{subscribe, register, call, call, call}[request], request+1, text)
				}
				p.send(`[70,1,{}]`)
				p.send(`[16,9,{"exclude_me":false},"com.xy"]`)
				p.send(`[49,3,{}]`)
				switch i % 4 {
				case 0:
					p.send(`[48,10,{},"wamp.session.kill_by_authrole",["nobody"]]`)
					p.session.Drain()
				case 1:
					p.send(`[6,{},"wamp.close.normal"]`)
				case 2:
					p.send(`[48,10,{},"wamp.session.kill_all"]`)
				}
				p.session.Close()
			}
		})
	}
	group.Wait()
	r := b.router.realms["open"]
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.members) > 1 || len(r.broker.byID) > 0 {
		t.Fatalf("%d members and %d subscriptions are left", len(r.members), len(r.broker.byID))
	}
}
