package wamp

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/protocol"
)

const realmsText = `
open:
  anonymous: guest
  roles:
    guest:
      - { uri: '', match: prefix, allow: [call, register, publish, subscribe, disclose] }
      - { uri: wamp.session., match: prefix, allow: [call, subscribe] }
other:
  anonymous: guest
  roles: { guest: [{ uri: '', match: prefix, allow: [call, publish] }] }
strict:
  roles:
    guest:
      - { uri: com.read, allow: [subscribe] }
      - { uri: com.a., match: prefix, allow: [call, publish, subscribe] }
      - { uri: com..w, match: wildcard, allow: [register, subscribe] }
      - { uri: '', match: prefix, allow: [call] }
    admin: [{ uri: '', match: prefix, allow: [call] }]
  users:
    ada: { role: admin, ticket: TICKET }
    bob: { role: guest, secret: SECRET }
    eve: { role: guest, secret: KEY, salt: salty, iterations: 1000, keylen: 32 }
`

const (
	ordinary        = `{"caller":{},"callee":{}}`
	modern          = `{"callee":{"features":{"call_canceling":true}}}`
	invalidArgument = "wamp.error.invalid_argument"
	broken          = "wamp.error.protocol_violation"
)

func getenv(name string) string {
	if name == "KEY" {
		key, _ := pbkdf2.Key(sha256.New, "secret of eve", []byte("salty"), 1000, 32)
		return base64.StdEncoding.EncodeToString(key)
	}
	return map[string]string{"TICKET": "ticket of ada", "SECRET": "secret of bob"}[name]
}

// bench has a router for a test.
type bench struct {
	t        *testing.T
	router   *router
	failures []string
}

func newBench(t *testing.T, text string, most limits, procedures ...Procedure) *bench {
	t.Helper()
	realms, err := parseRealms([]byte(text), getenv)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t}
	b.router, err = newRouter(realms, procedures, most, func(_ string, err error) {
		b.failures = append(b.failures, err.Error())
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run runs a test with a clock of its own.
func run(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, newBench(t, realmsText, limits{subscriptions: 100, registrations: 100, calls: 10, total: 1000}))
	})
}

// person is a client without a connection.
type person struct {
	// Peer is nil: what is not below is not called.
	protocol.Peer
	t        *testing.T
	session  *session
	identity *hook.Identity
	id       uint64

	mu     sync.Mutex
	heard  []string
	closes []int
}

func (b *bench) person() *person {
	p := &person{t: b.t}
	p.session = newSession(b.router, p)
	return p
}

// join makes one with a session in the realm open.
func (b *bench) join(roles string) *person {
	b.t.Helper()
	p := b.person()
	p.join("open", roles)
	return p
}

func (p *person) join(realm, roles string) {
	p.t.Helper()
	p.send(`[1,%q,{"roles":%s}]`, realm, roles)
	p.id = uint64(p.element(p.one(), 1).(float64))
}

func (p *person) Send(message *protocol.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, string(message.Text))
}

func (p *person) Close(code int, _ string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closes = append(p.closes, code)
}

func (p *person) Received(string) {}

func (p *person) Admit() {}

func (p *person) Identity() *hook.Identity { return p.identity }

func (p *person) Authenticate(_ context.Context, token string) *hook.Identity {
	if token != "token of kim" {
		return nil
	}
	return &hook.Identity{User: "kim"}
}

func (p *person) send(format string, args ...any) {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	if err := p.session.Receive(context.Background(), []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

// all is what has come since the last question.
func (p *person) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	heard := p.heard
	p.heard = nil
	return heard
}

// one is the only message that has come.
func (p *person) one() string {
	p.t.Helper()
	heard := p.all()
	if len(heard) != 1 {
		p.t.Fatalf("got %v, want one message", heard)
	}
	return heard[0]
}

func listOf(t *testing.T, text string) (list []any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return list
}

func (p *person) element(text string, at int) any {
	p.t.Helper()
	return listOf(p.t, text)[at]
}

// hears requires messages; an element "*" is any.
func (p *person) hears(want ...string) {
	p.t.Helper()
	heard := p.all()
	isSame := len(heard) == len(want)
	for i := 0; isSame && i < len(want); i++ {
		got, wanted := listOf(p.t, heard[i]), listOf(p.t, want[i])
		for at := range wanted {
			if at < len(got) && wanted[at] == "*" {
				got[at] = "*"
			}
		}
		isSame = reflect.DeepEqual(got, wanted)
	}
	if !isSame {
		p.t.Fatalf("got %v, want %v", heard, want)
	}
}

// say sends a message, and requires what it is answered with.
func (p *person) say(text string, want ...string) {
	p.t.Helper()
	p.send("%s", text)
	p.hears(want...)
}

// ask sends a request, and returns the id in its answer.
func (p *person) ask(text string) uint64 {
	p.t.Helper()
	p.send("%s", text)
	answer := p.one()
	id, ok := p.element(answer, 2).(float64)
	if !ok {
		p.t.Fatalf("%s was answered with %s", text, answer)
	}
	return uint64(id)
}

// refused sends a request that has to be answered with an error.
func (p *person) refused(text, uri string) {
	p.t.Helper()
	p.send("%s", text)
	got := p.one()
	if list := listOf(p.t, got); list[0] != float64(errorCode) || list[4] != uri {
		p.t.Fatalf("%s was answered with %s, want %s", text, got, uri)
	}
}

func TestViolationsAbort(t *testing.T) {
	const begin = `[1,"open",{"roles":` + ordinary + `}]`
	deep := func(open, end string) string {
		return `[48,2,{},"com.x",[],{"a":` + strings.Repeat(open, 70) + "1" + strings.Repeat(end, 70) + "}]"
	}
	first := []string{
		"not json", "", "{}", "null", "[]", `["1","open",{"roles":{}}]`, `[1,1,{"roles":{"caller":{}}}]`, `[null]`,
		`[32,1,{},"com.x"]`, `[5,"x",{}]`, `[1,"open",{}]`, `[1,"open",{"roles":{}}]`, `[1,"open",{"roles":[]}]`,
		`[1,"open"]`, `[1,"open",{"roles":{"caller":{}},"authmethods":"ticket"}]`,
		`[1,"open",{"roles":{"caller":{}},"authid":1}]`, `[6,{},"wamp.close.close_realm"]`,
	}
	then := []string{
		begin, `[2,1,{}]`, `[5,"x",{}]`, `[99,1]`, `[1.5,1]`, `["__proto__",1]`, `[32,1,{}]`, `[48,2,{},"com.x",[],{},{}]`,
		`[32,0,{},"com.x"]`, `[32,-1,{},"com.x"]`, `[32,1.5,{},"com.x"]`, `[32,9007199254740994,{},"com.x"]`,
		`[32,1e400,{},"com.x"]`, `[32,"1",{},"com.x"]`, `[32,null,{},"com.x"]`, `[32,1,[],"com.x"]`, `[32,1,null,"com.x"]`,
		`[32,1,{},7]`, `[48,2,{},"com.x",{}]`, `[48,2,{},"com.x",[],[]]`, `[48,2,{},"com.x",[1e400]]`,
		`[48,2,{},"com.x",[],{"a":-` + strings.Repeat("9", 400) + `}]`, deep("[", "]"), deep(`{"a":`, "}"),
		`[8,48,1,{},"com.x"]`, `[8,999,1,{},"com.x"]`, `[48,1,{},"com.slow"]`, `[49,1,{"mode":"now"}]`,
	}
	run(t, func(t *testing.T, b *bench) {
		callee := b.join(ordinary)
		callee.ask(`[64,1,{},"com.slow"]`)
		try := func(p *person, text string) {
			t.Helper()
			p.send("%s", text)
			if abort := p.one(); p.element(abort, 0) != float64(3) || p.element(abort, 2) != broken {
				t.Fatalf("%.100s was answered with %s", text, abort)
			}
			if !slices.Equal(p.closes, []int{1002}) {
				t.Fatalf("%.100s: closed with %v", text, p.closes)
			}
			// It is over.
			p.say(begin)
			if members := len(b.router.realms["open"].members); members != 1 {
				t.Fatalf("%.100s: %d members are left", text, members)
			}
		}
		for _, text := range first {
			try(b.person(), text)
		}
		for _, text := range then {
			p := b.join(ordinary)
			p.say(`[48,1,{},"com.slow"]`)
			try(p, text)
		}
	})
}

func TestIDsAndNumbersAreThoseOfJSON(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		p, other := b.join(ordinary), b.join(ordinary)
		p.ask(`[3.2e1,1e0,{},"com.x"]`)
		p.say(`[32,9007199254740992,{},"com.x"]`, `[33,9007199254740992,1]`)
		other.send("[16,1,{},\"com.x\", [ 12345678901234567890 , \"]\\\"[\" ] ]")
		if got := p.one(); !strings.HasSuffix(got, `,[ 12345678901234567890 , "]\"[" ]]`) {
			t.Fatalf("got %s", got)
		}
	})
}

func TestSessionsBeginAndEnd(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		for _, name := range []string{"nowhere", "", "__proto__"} {
			p := b.person()
			p.send(`[1,%q,{"roles":%s}]`, name, ordinary)
			p.hears(`[3,{"message":"there is none with this name"},"wamp.error.no_such_realm"]`)
		}
		silent := b.person()
		p := b.join(ordinary)
		time.Sleep(helloTimeout)
		synctest.Wait()
		silent.hears(`[3,{"message":"no session in time"},"wamp.error.authentication_required"]`)
		if !slices.Equal(silent.closes, []int{1008}) || len(p.closes) > 0 {
			t.Fatalf("closed with %v and %v", silent.closes, p.closes)
		}
		// It may be followed by another, for which there is as much time.
		p.ask(`[64,1,{},"com.own"]`)
		p.say(`[48,1,{},"com.own"]`, `[68,1,"*",{}]`)
		p.say(`[6,{},"wamp.close.close_realm"]`, `[6,{},"wamp.close.goodbye_and_out"]`)
		if len(b.router.realms["open"].members) != 0 || len(p.closes) != 0 {
			t.Fatal("the session has not ended, or the connection has")
		}
		p.join("open", ordinary)
		p.refused(`[66,1,1]`, "wamp.error.no_such_registration")
		// An ABORT of the client ends it at once.
		p.say(`[3,{},"com.bye"]`)
		if !slices.Equal(p.closes, []int{1000}) || len(b.router.realms["open"].members) != 0 {
			t.Fatalf("closed with %v", p.closes)
		}
		drained, waiting := b.join(ordinary), b.person()
		drained.session.Drain()
		drained.hears(`[6,{},"wamp.close.system_shutdown"]`)
		drained.say(`[6,{},"wamp.close.goodbye_and_out"]`)
		waiting.session.Drain()
		waiting.hears()
		drained.session.Close()
		if len(b.router.realms["open"].members) != 0 {
			t.Fatal("there are members left")
		}
	})
}

func TestRealmsKnowNothingOfEachOther(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		ada, eve := b.join(ordinary), b.person()
		ada.ask(`[32,1,{},"com.x"]`)
		ada.ask(`[64,2,{},"com.p"]`)
		eve.join("other", ordinary)
		eve.refused(`[48,1,{},"com.p"]`, "wamp.error.no_such_procedure")
		eve.say(`[16,2,{},"com.x"]`)
		ada.hears()
	})
}

// enter says HELLO to the realm strict; with answer, AUTHENTICATE. It returns the last message.
func (b *bench) enter(details string, answer func(challenge string) string) (*person, []any) {
	b.t.Helper()
	p := b.person()
	p.send(`[1,"strict",{"roles":%s%s}]`, ordinary, details)
	got := listOf(b.t, p.one())
	if answer != nil {
		extra := got[2].(dict)
		text, _ := extra["challenge"].(string)
		p.send(`[5,%q,{}]`, answer(text))
		got = listOf(b.t, p.one())
	}
	return p, got
}

func signed(key string) func(string) string {
	return func(text string) string {
		sum := hmac.New(sha256.New, []byte(key))
		sum.Write([]byte(text))
		return base64.StdEncoding.EncodeToString(sum.Sum(nil))
	}
}

func TestAuthentication(t *testing.T) {
	says := func(text string) func(string) string { return func(string) string { return text } }
	ticket := func(name string) string { return `,"authmethods":["ticket"],"authid":"` + name + `"` }
	cra := func(name string) string { return `,"authmethods":["scram","wampcra"],"authid":"` + name + `"` }
	run(t, func(t *testing.T, b *bench) {
		for _, right := range []struct {
			details string
			answer  func(string) string
			role    string
		}{
			{ticket("ada"), says("ticket of ada"), "admin"},
			{cra("bob"), signed("secret of bob"), "guest"},
			{cra("eve"), signed(getenv("KEY")), "guest"},
		} {
			if _, got := b.enter(right.details, right.answer); got[0] != 2.0 || got[2].(dict)["authrole"] != right.role {
				t.Fatalf("%s: got %v", right.details, got)
			}
		}
		for _, wrong := range []struct {
			details string
			answer  func(string) string
		}{
			{ticket("ada"), says("ticket of bob")},
			{ticket("ada"), says("")},
			{ticket("nobody"), says("ticket of ada")},
			{`,"authmethods":["ticket"]`, says("ticket of ada")},
			// Bob has a secret and no ticket.
			{ticket("bob"), says("secret of bob")},
			{ticket("bob"), says("")},
			{cra("ada"), signed("ticket of ada")},
			{cra("ada"), signed("")},
			{cra("bob"), signed("secret of eve")},
			{cra("eve"), signed("secret of eve")},
			{cra("nobody"), signed("")},
		} {
			p, got := b.enter(wrong.details, wrong.answer)
			if got[0] != 3.0 || got[2] != "wamp.error.authentication_denied" || !slices.Equal(p.closes, []int{1008}) {
				t.Fatalf("%s: got %v", wrong.details, got)
			}
		}
		_, eve := b.enter(cra("eve"), nil)
		if eve[2].(dict)["salt"] != "salty" || len(eve[2].(dict)) != 4 {
			t.Fatalf("got %v", eve)
		}
		// Who does not exist is asked like bob or like eve, always in the same way; so is ada, who cannot sign. A
		// challenge is for one session.
		names, seen := []string{"ada"}, map[int]bool{}
		for n := range 60 {
			names = append(names, fmt.Sprint("nobody", n))
		}
		for _, name := range names {
			_, first := b.enter(cra(name), nil)
			_, again := b.enter(cra(name), nil)
			one, two := first[2].(dict), again[2].(dict)
			if one["salt"] != two["salt"] || len(one) != len(two) || one["challenge"] == two["challenge"] {
				t.Fatalf("got %v and %v", one, two)
			}
			if !strings.Contains(one["challenge"].(string), `"authrole":"guest"`) {
				t.Fatalf("got %v", one)
			}
			if salt, ok := one["salt"].(string); ok && len(salt) != len("salty") {
				t.Fatalf("got %v", one)
			}
			seen[len(one)] = true
		}
		if !seen[1] || !seen[4] || len(seen) != 2 {
			t.Fatalf("got %v elements", seen)
		}
		for details, reason := range map[string]string{
			"":                                "authentication_required",
			`,"authmethods":["anonymous"]`:    "authentication_required",
			`,"authmethods":["scram",1,null]`: "no_matching_auth_method",
		} {
			if _, got := b.enter(details, nil); got[2] != "wamp.error."+reason {
				t.Fatalf("%s: got %v", details, got)
			}
		}
		p, _ := b.enter(ticket("ada"), nil)
		p.say(`[32,1,{},"com.x"]`, `[3,{"message":"expected AUTHENTICATE first"},"`+broken+`"]`)
		// Both take as long as one.
		p, _ = b.enter(ticket("ada"), nil)
		time.Sleep(helloTimeout)
		synctest.Wait()
		p.hears(`[3,{"message":"no session in time"},"wamp.error.authentication_required"]`)
	})
}

// #if auth

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "one: { tokens: guest, roles: { guest: [] } }", limits{})
		enter := func(user, authID, token string) []any {
			t.Helper()
			p := b.person()
			if user != "" {
				p.identity = &hook.Identity{User: user}
			}
			name := ""
			if authID != "" {
				name = `,"authid":"` + authID + `"`
			}
			p.send(`[1,"one",{"roles":{"caller":{}},"authmethods":["ticket"]%s}]`, name)
			if token != "" {
				p.hears(`[4,"ticket",{}]`)
				p.send(`[5,%q,{}]`, token)
			}
			return listOf(t, p.one())
		}
		for _, right := range [][3]string{{"", "", "token of kim"}, {"", "kim", "token of kim"}, {"kim", "", ""}, {"kim", "kim", ""}} {
			if got := enter(right[0], right[1], right[2]); got[0] != 2.0 || got[2].(dict)["authid"] != "kim" {
				t.Fatalf("%v: got %v", right, got)
			}
		}
		for _, wrong := range [][3]string{{"", "ada", "token of kim"}, {"", "", "no token"}, {"kim", "ada", "no token"}} {
			if got := enter(wrong[0], wrong[1], wrong[2]); got[2] != "wamp.error.authentication_denied" {
				t.Fatalf("%v: got %v", wrong, got)
			}
		}
	})
}

// #endif

func TestRoles(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		p, _ := b.enter(`,"authmethods":["wampcra"],"authid":"bob"`, signed("secret of bob"))
		for _, wish := range []string{
			`[32,1,{},"com.read"]`, `[32,1,{"match":"prefix"},"com.a."]`, `[32,1,{"match":"prefix"},"com.a.b"]`,
			`[32,1,{"match":"wildcard"},"com.a..b"]`, `[32,1,{"match":"wildcard"},"com..w"]`, `[32,1,{},"com.x.w"]`,
			`[64,1,{"match":"wildcard"},"com..w"]`, `[16,1,{"acknowledge":true},"com.a.b"]`,
		} {
			p.ask(wish)
		}
		for _, wish := range []string{
			`[32,1,{},"com.other"]`, `[32,1,{"match":"prefix"},"com.read"]`, `[32,1,{"match":"prefix"},"com."]`,
			`[32,1,{"match":"prefix"},"com.a"]`, `[32,1,{"match":"wildcard"},".a.b"]`, `[32,1,{"match":"wildcard"},"com..b"]`,
			`[32,1,{"match":"wildcard"},"com.."]`, `[64,1,{},"com.a.b"]`, `[64,1,{"match":"prefix"},"com."]`,
			`[16,1,{"acknowledge":true},"com.read"]`,
			// A rule for all is none for the router's own.
			`[48,1,{},"wamp.session.count"]`, `[32,1,{},"wamp.session.on_join"]`,
		} {
			p.refused(wish, "wamp.error.not_authorized")
		}
		p.refused(`[48,2,{"disclose_me":true},"com.a.b"]`, "wamp.error.option_disallowed.disclose_me")
		// What is kept of answers does not grow for ever.
		for i := range maxKept + 10 {
			p.send(`[48,1,{},"com.a.b%d"]`, i)
		}
		if kept := len(b.router.realms["strict"].settings.roles["guest"].kept); kept > maxKept {
			t.Fatalf("%d answers are kept", kept)
		}
	})
}

func TestEvents(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		ada, bob := b.join(ordinary), b.join(ordinary)
		ada.say(`[32,7,{},"com.x"]`, `[33,7,1]`)
		bob.say(`[32,1,{},"com.x"]`, `[33,1,1]`)
		bob.say(`[32,2,{},"com.x"]`, `[33,2,1]`)
		bob.say(`[16,3,{},"com.x",[1,"two"],{"three":3}]`)
		ada.hears(`[36,1,"*",{},[1,"two"],{"three":3}]`)
		publication := bob.ask(`[16,4,{"acknowledge":true},"com.x"]`)
		ada.hears(fmt.Sprintf(`[36,1,%d,{}]`, publication))
		bob.say(`[16,5,{"exclude_me":false},"com.x"]`, `[36,1,"*",{}]`)
		ada.say(`[34,8,1]`, `[36,1,"*",{}]`, `[35,8]`)
		ada.refused(`[34,9,1]`, "wamp.error.no_such_subscription")
		bob.say(`[16,6,{},"com.x"]`)
		ada.hears()
		ada.ask(`[32,10,{},"com.x"]`)
		bob.say(`[16,7,{"disclose_me":true},"com.x"]`)
		ada.hears(fmt.Sprintf(`[36,1,"*",{"publisher":%d,"publisher_authid":%q,"publisher_authrole":"guest"}]`,
			bob.id, b.router.realms["open"].members[bob.id].principal.id))
	})
}

func TestPatternsOfTopics(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		ada, bob := b.join(ordinary), b.join(ordinary)
		for _, of := range [][2]string{{"exact", "com.a.b"}, {"prefix", "com.a"}, {"wildcard", "com..b"}, {"wildcard", "com..c"}} {
			ada.ask(fmt.Sprintf(`[32,1,{"match":%q},%q]`, of[0], of[1]))
		}
		bob.say(`[16,1,{},"com.a.b"]`)
		ada.hears(`[36,1,"*",{}]`, `[36,2,"*",{"topic":"com.a.b"}]`, `[36,3,"*",{"topic":"com.a.b"}]`)
		bob.say(`[16,2,{},"com.ab"]`)
		ada.hears(`[36,2,"*",{"topic":"com.ab"}]`)
	})
}

func TestBlackAndWhitelists(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		people := []*person{b.join(ordinary), b.join(ordinary), b.join(ordinary)}
		ada, bob, eve := people[0], people[1], people[2]
		for _, p := range people {
			p.ask(`[32,1,{},"com.x"]`)
		}
		reach := func(options string) (reached string) {
			eve.send(`[16,1,{"exclude_me":false,%s},"com.x"]`, options)
			for _, p := range people {
				reached += strconv.Itoa(len(p.all()))
			}
			return reached
		}
		for options, want := range map[string]string{
			fmt.Sprintf(`"exclude":[%d]`, ada.id):                                    "011",
			fmt.Sprintf(`"eligible":[%d,%d]`, ada.id, bob.id):                        "110",
			fmt.Sprintf(`"eligible":[%d,%d],"exclude":[%d]`, ada.id, bob.id, bob.id): "100",
			`"eligible":[]`:                 "000",
			`"exclude_authrole":["guest"]`:  "000",
			`"eligible_authrole":["guest"]`: "111",
			`"eligible_authid":["nobody"]`:  "000",
			`"exclude_authid":["nobody"]`:   "111",
		} {
			if got := reach(options); got != want {
				t.Errorf("%s reached %s, want %s", options, got, want)
			}
		}
		for _, wrong := range []string{`"exclude":1`, `"exclude":null`, `"eligible":["1"]`, `"eligible":[1.5]`, `"exclude_authid":[1]`} {
			// A list that is none hides nothing from nobody.
			if got := reach(wrong); got != "000" {
				t.Errorf("%s reached %s", wrong, got)
			}
			eve.refused(`[16,1,{"acknowledge":true,`+wrong+`},"com.x"]`, invalidArgument)
		}
	})
}

func TestURIsThatAreRefused(t *testing.T) {
	const invalid = "wamp.error.invalid_uri"
	run(t, func(t *testing.T, b *bench) {
		p := b.join(ordinary)
		for _, uri := range []string{"", "a..b", ".a", "a.", "a b", "a#", "a\u00a0", strings.Repeat("x", 256)} {
			p.refused(fmt.Sprintf(`[32,1,{},%q]`, uri), invalid)
			p.refused(fmt.Sprintf(`[64,1,{},%q]`, uri), invalid)
			p.refused(fmt.Sprintf(`[48,1,{},%q]`, uri), invalid)
			p.refused(fmt.Sprintf(`[16,1,{"acknowledge":true},%q]`, uri), invalid)
			p.say(fmt.Sprintf(`[16,1,{},%q]`, uri))
		}
		long := "com" + strings.Repeat(".", maxComponents)
		for _, request := range []string{
			`[64,2,{},"wamp.session.mine"]`, `[64,2,{"match":"prefix"},"wamp."]`, `[16,4,{"acknowledge":true},"wamp.session.on_join"]`,
			`[32,1,{"match":"wildcard"},"` + long + `"]`, `[64,2,{"match":"wildcard"},"` + long + `"]`,
		} {
			p.refused(request, invalid)
		}
		p.ask(`[32,3,{"match":"wildcard"},"` + long[1:] + `"]`)
		p.refused(`[32,1,{"match":"regex"},"com.x"]`, invalidArgument)
		p.refused(`[64,1,{"match":1},"com.x"]`, invalidArgument)
		p.refused(`[64,1,{"invoke":"all"},"com.x"]`, invalidArgument)
	})
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, realmsText, limits{subscriptions: 2, registrations: 1, calls: 2, total: 4})
		ada, bob := b.join(ordinary), b.join(ordinary)
		ada.ask(`[32,1,{},"com.a"]`)
		second := ada.ask(`[32,2,{},"com.b"]`)
		ada.refused(`[32,3,{},"com.c"]`, "error.too_many_subscriptions")
		ada.ask(`[32,4,{},"com.a"]`)
		ada.say(fmt.Sprintf(`[34,5,%d]`, second), `[35,5]`)
		ada.ask(`[32,6,{},"com.c"]`)
		ada.ask(`[64,7,{},"com.p"]`)
		ada.refused(`[64,8,{},"com.q"]`, "error.too_many_registrations")
		// Those of all.
		bob.ask(`[32,1,{},"com.a"]`)
		bob.refused(`[32,2,{},"com.d"]`, "error.too_many_subscriptions")
		bob.say(`[48,1,{},"com.p"]`)
		bob.say(`[48,2,{},"com.p"]`)
		bob.refused(`[48,3,{},"com.p"]`, "error.too_many_calls")
		ada.send(`[70,1,{}]`)
		bob.hears(`[50,1,{}]`)
		bob.say(`[48,4,{},"com.p"]`)
		// Space that was given back is there again.
		ada.session.Close()
		bob.all()
		for range 9 {
			bob.say(fmt.Sprintf(`[34,1,%d]`, bob.ask(`[32,3,{},"com.d"]`)), `[35,1]`)
			bob.say(fmt.Sprintf(`[66,1,%d]`, bob.ask(`[64,3,{},"com.d"]`)), `[67,1]`)
		}
	})
}

func TestManySubscriptionsAreFound(t *testing.T) {
	const many = 10_000
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, realmsText, limits{subscriptions: many, registrations: 1, calls: 1, total: many})
		ada, bob := b.join(ordinary), b.join(ordinary)
		for i := range many {
			ada.ask(fmt.Sprintf(`[32,%d,{},"com.x%d"]`, i+1, i))
		}
		ada.refused(`[32,1,{},"com.more"]`, "error.too_many_subscriptions")
		bob.say(`[16,1,{},"com.x5000"]`)
		ada.hears(`[36,5001,"*",{}]`)
		ada.session.Close()
		if left := len(b.router.realms["open"].broker.byID); left != 0 {
			t.Fatalf("%d subscriptions are left", left)
		}
	})
}

func TestCalls(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		callee, caller := b.join(ordinary), b.join(ordinary)
		id := callee.ask(`[64,1,{},"com.p"]`)
		caller.say(`[48,5,{},"com.p",[1],{"k":2}]`)
		callee.hears(fmt.Sprintf(`[68,1,%d,{},[1],{"k":2}]`, id))
		caller.say(`[48,9,{},"com.p"]`)
		caller.say(`[48,7,{},"com.p"]`)
		callee.hears(`[68,2,"*",{}]`, `[68,3,"*",{}]`)
		callee.send(`[70,3,{},["seven"]]`)
		callee.send(`[70,1,{},["five"],{"k":3}]`)
		callee.send(`[8,68,2,{"more":1},"com.error",["why"],{"k":4}]`)
		caller.hears(`[50,7,{},["seven"]]`, `[50,5,{},["five"],{"k":3}]`, `[8,48,9,{"more":1},"com.error",["why"],{"k":4}]`)
		// What has been answered, and what never was.
		for _, late := range []string{`[70,1,{}]`, `[70,99,{}]`, `[8,68,99,{},"com.error"]`} {
			callee.say(late)
		}
		caller.hears()
		caller.say(`[48,10,{"disclose_me":true},"com.p"]`)
		if details := callee.element(callee.one(), 3).(dict); details["caller"] != float64(caller.id) || details["caller_authrole"] != "guest" {
			t.Fatalf("got %v", details)
		}
		caller.refused(`[48,11,{"disclose_me":"yes"},"com.p"]`, invalidArgument)
		caller.refused(fmt.Sprintf(`[66,3,%d]`, id), "wamp.error.no_such_registration")
		callee.say(fmt.Sprintf(`[66,2,%d]`, id), `[67,2]`)
		callee.refused(fmt.Sprintf(`[66,2,%d]`, id), "wamp.error.no_such_registration")
		caller.refused(`[48,12,{},"com.p"]`, "wamp.error.no_such_procedure")
	})
}

func TestWhoGoesInACall(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		callee, caller := b.join(modern), b.join(ordinary)
		callee.ask(`[64,1,{},"com.p"]`)
		caller.say(`[48,1,{},"com.p"]`)
		callee.session.Close()
		caller.hears(`[8,48,1,{},"wamp.error.canceled",["the callee has gone"]]`)
		caller.refused(`[48,2,{},"com.p"]`, "wamp.error.no_such_procedure")
		callee, old := b.join(modern), b.join(ordinary)
		callee.ask(`[64,1,{},"com.modern"]`)
		old.ask(`[64,1,{},"com.old"]`)
		caller.say(`[48,1,{},"com.modern"]`)
		caller.say(`[48,2,{},"com.old"]`)
		callee.all()
		old.all()
		caller.session.Close()
		callee.hears(`[69,1,{"mode":"killnowait","reason":"wamp.error.canceled"}]`)
		old.hears()
		callee.say(`[70,1,{}]`)
	})
}

func TestSharedRegistrations(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		people := []*person{b.join(ordinary), b.join(ordinary), b.join(ordinary)}
		caller := b.join(ordinary)
		request := 0
		turns := func(uri string, count int) (order string) {
			for range count {
				request++
				caller.say(fmt.Sprintf(`[48,%d,{},%q]`, request, uri))
				for i, p := range people {
					for _, text := range p.all() {
						order += string(rune('a' + i))
						p.send(`[70,%v,{}]`, p.element(text, 1))
					}
				}
				caller.all()
			}
			return order
		}
		people[0].ask(`[64,1,{},"com.single"]`)
		people[1].refused(`[64,1,{},"com.single"]`, "wamp.error.procedure_already_exists")
		people[1].refused(`[64,1,{"invoke":"roundrobin"},"com.single"]`, "wamp.error.procedure_already_exists")
		for policy, want := range map[string]string{"roundrobin": "abca", "first": "aaaa", "last": "cccc"} {
			for _, p := range people {
				p.ask(fmt.Sprintf(`[64,1,{"invoke":%q},"com.%s"]`, policy, policy))
			}
			if got := turns("com."+policy, 4); got != want {
				t.Errorf("%s: %s, want %s", policy, got, want)
			}
		}
		for _, p := range people {
			p.ask(`[64,1,{"invoke":"random"},"com.random"]`)
		}
		if got := turns("com.random", 200); len(got) != 200 || strings.Trim(got, got[:1]) == "" {
			t.Errorf("random: %s", got)
		}
		people[1].refused(`[64,2,{"invoke":"first"},"com.last"]`, "wamp.error.procedure_exists_with_different_invocation_policy")
		people[0].refused(`[64,2,{"invoke":"last"},"com.last"]`, "wamp.error.procedure_already_exists")
		people[2].session.Close()
		if got := turns("com.last", 2); got != "bb" {
			t.Errorf("last: %s", got)
		}
	})
}

func TestBestPatternIsCalled(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		callee, caller := b.join(ordinary), b.join(ordinary)
		// The example of the specification.
		all := [][2]string{
			{exact, "a1.b2.c3.d4.e55"}, {prefix, "a1.b2.c3"}, {prefix, "a1.b2.c3.d4"}, {wildcard, "a1.b2..d4.e5"},
			{wildcard, "a1.b2.x33..e5"}, {wildcard, "a1.b2..d4.e5..g7"}, {wildcard, "a1.b2..d4..f6.g7"},
		}
		ids := make([]uint64, len(all))
		for i := range slices.Backward(all) {
			ids[i] = callee.ask(fmt.Sprintf(`[64,1,{"match":%q},%q]`, all[i][0], all[i][1]))
		}
		for i, uri := range []string{
			"a1.b2.c3.d4.e55", "a1.b2.c3.d98.e74", "a1.b2.c3.d4.e325", "a1.b2.c55.d4.e5", "a1.b2.x33.d4.e5", "a1.b2.c88.d4.e5.f6.g7",
		} {
			caller.say(fmt.Sprintf(`[48,%d,{},%q]`, i+1, uri))
			details := "{}"
			if i > 0 {
				details = `{"procedure":"` + uri + `"}`
			}
			callee.hears(fmt.Sprintf(`[68,%d,%d,%s]`, i+1, ids[i], details))
		}
		caller.refused(`[48,99,{},"a2.b2.c2.d2.e2"]`, "wamp.error.no_such_procedure")
	})
}

func TestCancel(t *testing.T) {
	const canceled = `[8,48,1,{},"wamp.error.canceled",["canceled by the caller"]]`
	run(t, func(t *testing.T, b *bench) {
		able, old, caller := b.join(modern), b.join(ordinary), b.join(ordinary)
		able.ask(`[64,1,{},"com.able"]`)
		old.ask(`[64,1,{},"com.old"]`)
		for _, test := range []struct {
			callee            *person
			name, options     string
			interrupt, answer string
		}{
			{able, "able", `{"mode":"skip"}`, "", canceled},
			{able, "able", `{}`, "killnowait", canceled},
			{able, "able", `{"mode":"kill"}`, "kill", `[50,1,{},["late"]]`},
			{old, "old", `{"mode":"skip"}`, "", canceled},
			{old, "old", `{}`, "", canceled},
			{old, "old", `{"mode":"kill"}`, "", canceled},
		} {
			caller.say(`[48,1,{},"com.` + test.name + `"]`)
			id := test.callee.element(test.callee.one(), 1)
			caller.send(`[49,1,%s]`, test.options)
			if test.interrupt == "" {
				test.callee.hears()
			} else {
				test.callee.hears(fmt.Sprintf(`[69,%v,{"mode":%q,"reason":"wamp.error.canceled"}]`, id, test.interrupt))
			}
			test.callee.send(`[70,%v,{},["late"]]`, id)
			caller.hears(test.answer)
		}
		// Asked twice, interrupted once.
		caller.say(`[48,1,{},"com.able"]`)
		id := able.element(able.one(), 1)
		caller.say(`[49,1,{"mode":"kill"}]`)
		caller.say(`[49,1,{"mode":"kill"}]`)
		able.hears(`[69,"*",{"mode":"kill","reason":"wamp.error.canceled"}]`)
		able.send(`[8,68,%v,{},"com.stopped"]`, id)
		caller.hears(`[8,48,1,{},"com.stopped"]`)
		// Too late, or never made.
		caller.say(`[49,1,{}]`)
		caller.say(`[49,99,{}]`)
	})
}

func TestProgress(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		callee, caller := b.join(ordinary), b.join(ordinary)
		callee.ask(`[64,1,{},"com.p"]`)
		answer := func(id int) {
			callee.send(`[70,%d,{"progress":true},[1]]`, id)
			callee.send(`[70,%d,{"progress":true},[2]]`, id)
			callee.send(`[70,%d,{},["end"]]`, id)
			callee.send(`[70,%d,{"progress":true},["after the end"]]`, id)
		}
		caller.say(`[48,1,{"receive_progress":true},"com.p"]`)
		callee.hears(`[68,1,"*",{"receive_progress":true}]`)
		answer(1)
		caller.hears(`[50,1,{"progress":true},[1]]`, `[50,1,{"progress":true},[2]]`, `[50,1,{},["end"]]`)
		caller.say(`[48,2,{},"com.p"]`)
		callee.hears(`[68,2,"*",{}]`)
		answer(2)
		caller.hears(`[50,2,{},["end"]]`)
	})
}

func TestTimeout(t *testing.T) {
	const late = `["wamp.error.timeout",["no result in time"]]`
	run(t, func(t *testing.T, b *bench) {
		callee, caller := b.join(modern), b.join(ordinary)
		callee.ask(`[64,1,{},"com.p"]`)
		caller.say(`[48,1,{"timeout":50,"receive_progress":true},"com.p"]`)
		callee.all()
		// The time is that between two parts.
		time.Sleep(30 * time.Millisecond)
		callee.send(`[70,1,{"progress":true}]`)
		caller.hears(`[50,1,{"progress":true}]`)
		time.Sleep(30 * time.Millisecond)
		synctest.Wait()
		caller.hears()
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		caller.hears(`[8,48,1,{},` + late[1:len(late)-1] + `]`)
		callee.hears(`[69,1,{"mode":"killnowait","reason":"wamp.error.timeout"}]`)
		callee.say(`[70,1,{}]`)
		// One that is answered in time.
		caller.say(`[48,2,{"timeout":50},"com.p"]`)
		callee.send(`[70,2,{}]`)
		caller.hears(`[50,2,{}]`)
		time.Sleep(time.Second)
		synctest.Wait()
		caller.hears()
		for _, wrong := range []string{"-1", `"5"`, "1e12", "true"} {
			caller.refused(`[48,3,{"timeout":`+wrong+`},"com.p"]`, invalidArgument)
		}
	})
}

func TestPatternsStandForWhatTheySay(t *testing.T) {
	all := [][2]string{{"a.b", exact}, {"a", prefix}, {"a.b", prefix}, {"a.", wildcard}, {".b", wildcard}, {"a..c", wildcard}}
	uris := []string{"a", "ab", "a.b", "a.c", "b.b", "a.b.c", "a.x.c", "b.x.c"}
	var tree patterns[string]
	for _, of := range all {
		if !isURI(of[0], of[1]) {
			t.Fatalf("%v is no URI", of)
		}
		tree.set(of[0], of[1], of[1]+" "+of[0])
	}
	for _, uri := range uris {
		var want []string
		for _, of := range all {
			if covers(of[0], of[1], uri, exact) {
				want = append(want, of[1]+" "+of[0])
			}
		}
		if got := slices.Sorted(tree.matching(uri)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s: got %v, want %v", uri, got, want)
		}
	}
	for _, of := range all {
		if got, ok := tree.get(of[0], of[1]); !ok || got != of[1]+" "+of[0] {
			t.Errorf("%v: got %q", of, got)
		}
		tree.remove(of[0], of[1])
		if _, ok := tree.get(of[0], of[1]); ok {
			t.Errorf("%v is still there", of)
		}
	}
	if len(tree.exact)+len(tree.prefixes)+len(tree.root.next) > 0 {
		t.Errorf("something is left: %+v", tree)
	}
}

func TestFilesOfRealmsThatAreRefused(t *testing.T) {
	for text, fault := range map[string]string{
		`one: { roles: {}, anonymous: guest }`:                                                  "one.anonymous: there is no role guest",
		`one: { roles: { a: [{ uri: "a b", allow: [call] }] } }`:                                "one.roles.a.0.uri: not a URI",
		`one: { roles: { a: [{ uri: a, allow: [fly] }] } }`:                                     "roles.a.0.allow",
		`one: { roles: { a: [{ uri: a, allow: [] }] } }`:                                        "roles.a.0.allow",
		`one: { roles: { a: [{ uri: a, match: regex, allow: [call] }] } }`:                      "roles.a.0.match",
		`one: { roles: {}, user: {} }`:                                                          "user not found",
		`one: {}`:                                                                               "one.roles: expected",
		`one..two: { roles: {} }`:                                                               "not a URI",
		`one: { roles: { a: [] }, users: { b: { role: a } } }`:                                  "users.b.ticket: expected either ticket or secret",
		`one: { roles: { a: [] }, users: { b: { role: a, ticket: TICKET, secret: KEY } } }`:     "either ticket or secret",
		`one: { roles: { a: [] }, users: { b: { role: a, ticket: secret } } }`:                  "not the name of a variable",
		`one: { roles: { a: [] }, users: { b: { role: a, ticket: NO_T } } }`:                    "NO_T is not set",
		`one: { roles: { a: [] }, users: { b: { role: x, ticket: TICKET } } }`:                  "no role x",
		`one: { roles: { a: [] }, users: { b: { role: a, secret: KEY, salt: s, keylen: 8 } } }`: "keylen",
		"one: { roles: {} }\n---\ntwo: { roles: {} }":                                           "one document",
		`one: [`: "",
		``:       "expected realms",
	} {
		if _, err := parseRealms([]byte(text), getenv); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: %v, want %s", text, err, fault)
		}
	}
}
