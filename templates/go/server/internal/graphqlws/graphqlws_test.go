package graphqlws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/protocol/peertest"
)

const schemaText = `
directive @cost(weight: String!) on FIELD_DEFINITION
directive @listSize(assumedSize: Int, slicingArguments: [String!]) on FIELD_DEFINITION
type Query {
  user: String!
  hello(name: String! = "you"): String!
  expected: String
  unexpected: String
  panics: String
  wait: String!
  node: Node!
  dear: Int! @cost(weight: "500")
}
type Mutation { add(number: Int!): Int! }
type Subscription {
  ticks: Int!
  upTo(number: Int! = 2): Int!
  refused: Int!
  breaks: Int!
  bursts: Int!
}
interface Named { id: String! }
type Node implements Named {
  id: String!
  node: Node!
  nodes(first: Int): [Node!]!
  few: [Node!]! @listSize(assumedSize: 2)
  all(count: Int! = 3): [Node!]! @listSize(slicingArguments: ["count"])
}
`

// resolvers are those of the schema; waiting is told when one waits, and ended when one has seen its end.
type resolvers struct {
	ticks          Broadcast[int32]
	answers        chan string
	waiting, ended chan struct{}
}

type (
	query        struct{ *resolvers }
	subscription struct{ *resolvers }
	mutation     struct{}
	node         struct{}
)

func (r *resolvers) Query() *query               { return &query{r} }
func (r *resolvers) Mutation() *mutation         { return &mutation{} }
func (r *resolvers) Subscription() *subscription { return &subscription{r} }

func (q *query) User(ctx context.Context) string              { return CallerOf(ctx).User }
func (q *query) Hello(arguments struct{ Name string }) string { return "hello " + arguments.Name }
func (q *query) Expected() (*string, error) {
	return nil, fmt.Errorf("as it is: %w", &Error{"not today", "BUSY"})
}
func (q *query) Unexpected() (*string, error)                  { return nil, errors.New("secret detail") }
func (q *query) Panics() *string                               { panic("secret detail") }
func (q *query) Node() *node                                   { return &node{} }
func (q *query) Dear() int32                                   { return 1 }
func (m *mutation) Add(arguments struct{ Number int32 }) int32 { return arguments.Number + 1 }
func (n *node) ID() string                                     { return "1" }
func (n *node) Node() *node                                    { return n }
func (n *node) Nodes(struct{ First *int32 }) []*node           { return nil }
func (n *node) Few() []*node                                   { return nil }
func (n *node) All(struct{ Count int32 }) []*node              { return nil }
func (s *subscription) Refused() (<-chan int32, error)         { return nil, errors.New("secret 4711") }

func (q *query) Wait() string {
	q.waiting <- struct{}{}
	return <-q.answers
}

func (s *subscription) Ticks(ctx context.Context) <-chan int32 {
	context.AfterFunc(ctx, func() { s.ended <- struct{}{} })
	return s.ticks.Subscribe(ctx, "")
}

func (s *subscription) UpTo(ctx context.Context, arguments struct{ Number int32 }) <-chan int32 {
	values := make(chan int32)
	go func() {
		defer close(values)
		for n := range arguments.Number {
			select {
			case values <- n:
			case <-ctx.Done():
				return
			}
		}
	}()
	return values
}

func (s *subscription) Breaks(ctx context.Context) <-chan int32 {
	values := make(chan int32, 1)
	values <- 1
	go func() {
		<-s.waiting
		Fail(ctx, errors.New("secret detail"))
	}()
	return values
}

// Bursts publishes one more than may wait, before anything is read.
func (s *subscription) Bursts(ctx context.Context) <-chan int32 {
	var sent Broadcast[int32]
	values := sent.Subscribe(ctx, "")
	for n := range int32(mostUnread + 1) {
		sent.Publish("", n)
	}
	return values
}

type bench struct {
	*peertest.Peer
	t     *testing.T
	with  *resolvers
	under *Protocol
}

func limits() config.Config {
	return config.Config{
		GraphqlInitTimeout: time.Minute, GraphqlMaxOperations: 100, GraphqlMaxAllOperations: 1000, GraphqlMaxDepth: 10,
		GraphqlMaxCost: 1000, GraphqlMaxTokens: 1000, GraphqlMaxDocument: 16_384, GraphqlMaxVariables: 16_384, GraphqlIntrospection: true,
	}
}

func newBench(t *testing.T, settings config.Config) *bench {
	t.Helper()
	with := &resolvers{answers: make(chan string), waiting: make(chan struct{}, 10), ended: make(chan struct{}, 10)}
	under, err := New(&settings, schemaText, with)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{peertest.Accept(t, under), t, with, under}
}

const initMessage = `{"type":"connection_init"}`

// open is after connection_ack.
func open(t *testing.T, settings config.Config) *bench {
	t.Helper()
	b := newBench(t, settings)
	b.Say(initMessage)
	b.Expect(`{"type":"connection_ack"}`)
	return b
}

func subscribe(id, query, variables string) string {
	if variables == "" {
		variables = "null"
	}
	text, _ := json.Marshal(query)
	return fmt.Sprintf(`{"id":%q,"type":"subscribe","payload":{"query":%s,"variables":%s}}`, id, text, variables)
}

func (b *bench) expectData(id, data string) {
	b.t.Helper()
	b.Expect(fmt.Sprintf(`{"id":%q,"type":"next","payload":{"data":%s}}`, id, data))
}

func (b *bench) expectEnd(id string) {
	b.t.Helper()
	b.Expect(fmt.Sprintf(`{"id":%q,"type":"complete"}`, id))
}

// refused is the first message of the error that an operation gets.
func (b *bench) refused(id, query, variables string) string {
	b.t.Helper()
	b.Say(subscribe(id, query, variables))
	return b.errorOf(id)
}

func (b *bench) errorOf(id string) string {
	b.t.Helper()
	var got struct {
		ID, Type string
		Payload  []struct{ Message string }
	}
	text := b.Next()
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.ID != id || got.Type != "error" || len(got.Payload) == 0 {
		b.t.Fatalf("got %.300s, want an error of %s", text, id)
	}
	return got.Payload[0].Message
}

func TestOperations(t *testing.T) {
	t.Parallel()
	b := open(t, limits())
	for query, data := range map[string]string{
		`{ user }`:                                   `{"user":"ada"}`,
		`query a { hello } query b { user }`:         "",
		`query ($n: String!) { a: hello(name: $n) }`: `{"a":"hello eve"}`,
		`mutation { add(number: 1) }`:                `{"add":2}`,
		"# a comment\n{ ...a } fragment a on Query { hello(name: \"\"\"x\"\"\") @include(if: true) }": `{"hello":"hello x"}`,
	} {
		if data == "" {
			b.Say(`{"id":"1","type":"subscribe","payload":{"query":"` + query + `","operationName":"a","extensions":{}}}`)
			data = `{"hello":"hello you"}`
		} else {
			b.Say(subscribe("1", query, `{"n":"eve"}`))
		}
		b.expectData("1", data)
		b.expectEnd("1")
	}
	b.Say(subscribe("s", "subscription ($n: Int = 3) { upTo(number: $n) }", ""))
	for n := range 3 {
		b.expectData("s", fmt.Sprintf(`{"upTo":%d}`, n))
	}
	b.expectEnd("s")
}

func TestPings(t *testing.T) {
	t.Parallel()
	b := newBench(t, limits())
	b.Say(`{"type":"ping"}`)
	b.Expect(`{"type":"pong"}`)
	b.Say(`{"type":"pong","payload":{}}`)
	b.Say(`{"type":"ping","payload":{"a":"]"}}`)
	b.Expect(`{"type":"pong","payload":{"a":"]"}}`)
	b.Say(`{"type":"ping","payload":{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}}`)
	b.ExpectClose(4400)
}

func TestASubscriptionEndsWithItsClientsInterest(t *testing.T) {
	t.Parallel()
	b := open(t, limits())
	b.Say(subscribe("a", "subscription { ticks }", ""))
	b.Say(subscribe("b", "subscription { ticks }", ""))
	count := func() int {
		b.with.ticks.mu.Lock()
		defer b.with.ticks.mu.Unlock()
		return len(b.with.ticks.readers[""])
	}
	for count() < 2 {
		time.Sleep(time.Millisecond)
	}
	b.Say(`{"id":"a","type":"complete"}`)
	b.Say(`{"id":"a","type":"complete"}`)
	<-b.with.ended
	b.with.ticks.Publish("", 7)
	b.expectData("b", `{"ticks":7}`)
	b.Leave()
	<-b.with.ended
	if more := b.Unread(); len(more) > 0 {
		t.Errorf("got %v", more)
	}
}

func TestNothingComesOfWhatIsCompleted(t *testing.T) {
	t.Parallel()
	settings := limits()
	settings.GraphqlMaxOperations = 2
	b := open(t, settings)
	for range 2 {
		b.Say(subscribe("1", "{ wait }", ""))
		<-b.with.waiting
		b.Say(`{"id":"1","type":"complete"}`)
	}
	// They still count: nobody can stop them.
	if got := b.refused("3", "{ user }", ""); got != "expected at most 2 operations at the same time" {
		t.Errorf("got %s", got)
	}
	b.with.answers <- "late"
	b.with.answers <- "late"
	for b.under.executor.running.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
	b.Say(subscribe("1", "{ wait }", ""))
	b.with.answers <- "in time"
	b.expectData("1", `{"wait":"in time"}`)
	b.expectEnd("1")
}

func TestCloseCodes(t *testing.T) {
	t.Parallel()
	asked := func(payload string) string { return `{"id":"1","type":"subscribe","payload":` + payload + `}` }
	for _, test := range []struct {
		code     int
		messages []string
	}{
		{4400, []string{"not json"}},
		{4400, []string{`[]`}},
		{4400, []string{`null`}},
		{4400, []string{`{"type":"start"}`}},
		{4400, []string{`{"TYPE":"ping"}`}},
		{4400, []string{`{"type":"ping","payload":[]}`}},
		{4400, []string{`{"type":"connection_ack"}`}},
		{4400, []string{initMessage, `{"type":"subscribe","payload":{"query":"{ user }"}}`}},
		{4400, []string{initMessage, `{"id":"","type":"subscribe","payload":{"query":"{ user }"}}`}},
		{4400, []string{initMessage, asked(`{"query":1}`)}},
		{4400, []string{initMessage, asked(`{"query":"{ user }","variables":[]}`)}},
		{4400, []string{initMessage, asked(`{"query":"{ user }","operationName":1}`)}},
		{4400, []string{initMessage, asked(`{"query":"{ user }","extensions":1}`)}},
		{4400, []string{initMessage, `{"id":"1","type":"next","payload":{}}`}},
		{4401, []string{subscribe("1", "{ user }", "")}},
		{4409, []string{initMessage, subscribe("1", "{ wait }", ""), subscribe("1", "{ user }", "")}},
		{4429, []string{initMessage, initMessage}},
	} {
		b := newBench(t, limits())
		for _, message := range test.messages {
			b.Say(message)
		}
		b.ExpectClose(test.code)
		select {
		case <-b.with.waiting:
			b.with.answers <- ""
		default:
		}
	}
	settings := limits()
	settings.GraphqlInitTimeout = time.Millisecond
	newBench(t, settings).ExpectClose(4408)
	b := newBench(t, limits())
	other := peertest.New(t, "")
	other.Conversation = b.under.Accept(other)
	other.ExpectClose(4406)
	broken := newBench(t, limits())
	broken.Say(initMessage)
	broken.under.executor = nil
	broken.Say(subscribe("1", "{ user }", ""))
	broken.ExpectClose(4500)
}

// #if auth

func TestWhoseTokenIsGoodIsLetIn(t *testing.T) {
	t.Parallel()
	b := newBench(t, limits())
	for payload, isGood := range map[string]bool{
		`{"token":"good bob"}`:                  true,
		`{"Authorization":"Bearer good bob"}`:   true,
		`{"authorization":"bearer   good bob"}`: true,
		`{"token":"bad"}`:                       false,
		`{"Authorization":"Bearer bad"}`:        false,
		`{"token":5}`:                           false,
		`null`:                                  false,
	} {
		peer := peertest.New(t, subprotocol)
		peer.Conversation = b.under.Accept(peer)
		peer.Say(`{"type":"connection_init","payload":` + payload + `}`)
		if isGood {
			peer.Expect(`{"type":"connection_ack"}`)
		} else {
			peer.ExpectClose(4403)
		}
	}
	for code, want := range map[int]int{4401: 4403, 4501: 4403, 4502: 4403, 4408: 1013, 4429: 1013, 4500: 4408, 1008: 1008} {
		if got := b.under.CloseCode(code); got != want {
			t.Errorf("%d becomes %d, want %d", code, got, want)
		}
	}
}

// #endif

func TestWhatIsNotExecutedHasAnError(t *testing.T) {
	t.Parallel()
	settings := limits()
	settings.GraphqlMaxTokens, settings.GraphqlMaxDocument, settings.GraphqlMaxVariables = 40, 200, 300
	b := open(t, settings)
	nested := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	for _, test := range [][3]string{
		{"{", "yntax"},
		{"", "one operation"},
		{`{ hello(name: "`, "yntax"},
		{"{ nothing }", "Cannot query field"},
		{"query a { user } query b { user }", "expected one operation"},
		{"query ($n: String!) { hello(name: $n) }", "n"},
		{"query ($n: String!) { hello(name: $n) }", "another type", `{"n":{}}`},
		{"{ " + strings.Repeat("user ", 39) + "}", "40 tokens"},
		{"{ user " + strings.Repeat(" ", 200) + "}", "query: expected at most 200 bytes"},
		{"{ user }", "variables: expected at most 300 bytes", `{"v":"` + strings.Repeat("x", 300) + `"}`},
		{"{ user }", "variables: expected at most 64 levels", `{"v":` + nested + `}`},
		{"{ user }", "variables: expected numbers that a double can hold", `{"v":1e400}`},
		{"{ node { ...a } } fragment a on Node { node { ...a } }", "a"},
		{"{ node { nodes(first: " + strings.Repeat("9", 50) + ") { id } } }", ""},
		{"subscription { nothing }", "Cannot query field"},
	} {
		if got := b.refused("1", test[0], test[2]); !strings.Contains(got, test[1]) {
			t.Errorf("%.60s: got %s, want %s", test[0], got, test[1])
		}
	}
	b.Say(`{"id":"1","type":"subscribe","payload":{"query":"query a { user }","operationName":"b"}}`)
	if got := b.errorOf("1"); got != "no such operation" {
		t.Errorf("got %s", got)
	}
	// The client may go on, with the same id.
	b.Say(subscribe("1", "{ user }", ""))
	b.expectData("1", `{"user":"ada"}`)
}

func TestDepthAndCost(t *testing.T) {
	t.Parallel()
	settings := limits()
	settings.GraphqlMaxDepth, settings.GraphqlMaxCost = 4, 100
	b := open(t, settings)
	fragments := "fragment a on Node { ...b ...b } fragment b on Node { nodes { id } } "
	for _, test := range [][3]string{
		{"{ node { node { node { id } } } }"},
		{"{ node { node { node { node { id } } } } }", "depth of at most 4, not 5"},
		{"{ node { ... on Node { node { node { node { id } } } } } }", "depth of at most 4, not 5"},
		{"{ a: dear }", "cost of at most 100, not 500"},
		// 1 for the node, 1 for its list, 1 for each item.
		{"{ node { nodes(first: 98) { id } } }"},
		{"{ node { nodes(first: 99) { id } } }", "cost of at most 100, not 101"},
		{"{ node { nodes { nodes { id } } } }", "cost of at most 100, not 112"},
		{"{ node { few { nodes { id } } } }"},
		{"{ node { all { nodes { id } } } }"},
		{"{ node { all(count: 9) { nodes { id } } } }", "not 101"},
		{"{ node { nodes(first: -5) { id } } }"},
		{"query ($n: Int) { node { nodes(first: $n) { id } } }", "not 1002", `{"n":1000}`},
		{"query ($n: Int = 1000) { node { nodes(first: $n) { id } } }", "not 1002"},
		{"query ($n: Int = 1000) { node { nodes(first: $n) { id } } }", "", `{"n":1}`},
		{"{ " + strings.Repeat("hello ", 200) + "}", "validation aborted"},
		{fragments + "{ node { few { ...a ...a } } }"},
		{fragments + "{ node { few { ...a ...a ...a } } }", "cost of at most 100, not 134"},
	} {
		if test[1] != "" {
			if got := b.refused("1", test[0], test[2]); !strings.Contains(got, test[1]) {
				t.Errorf("%s: got %s, want %s", test[0], got, test[1])
			}
			continue
		}
		b.Say(subscribe("1", test[0], test[2]))
		if got := b.Next(); !strings.HasPrefix(got, `{"id":"1","type":"next"`) {
			t.Fatalf("%s: got %s", test[0], got)
		}
		b.expectEnd("1")
	}
}

func TestTheSchemaIsToldIfItMayBe(t *testing.T) {
	t.Parallel()
	const all = "{ __schema { types { name fields { type { ofType { ofType { ofType { ofType { name } } } } } } } } }"
	settings := limits()
	settings.GraphqlMaxDepth = 2
	b := open(t, settings)
	b.Say(subscribe("1", all, ""))
	if got := b.Next(); !strings.Contains(got, `"Subscription"`) {
		t.Errorf("got %.200s", got)
	}
	settings.GraphqlIntrospection = false
	b = open(t, settings)
	if got := b.refused("1", all, ""); !strings.Contains(got, "introspection is not allowed") {
		t.Errorf("got %s", got)
	}
	if got := b.refused("1", "{ helo }", ""); strings.Contains(got, "Did you mean") {
		t.Errorf("got %s", got)
	}
	b.Say(subscribe("1", "{ __typename }", ""))
	b.expectData("1", `{"__typename":"Query"}`)
}

func TestListsOfTheSchemaInEachOther(t *testing.T) {
	t.Parallel()
	b := open(t, limits())
	ask := func(inner string) string {
		return `{ __type(name: "__Type") { fields { type { ofType { ofType { ` + inner + " } } } } } }"
	}
	const twice = "fields { type { interfaces { name } } } "
	fragment := " fragment F on __Type { " + twice + "}"
	for _, query := range []string{ask(twice), ask("...F") + fragment, ask("... on __Type { " + twice + "}")} {
		if got := b.refused("1", query, ""); !strings.Contains(got, "Maximum introspection depth exceeded") {
			t.Errorf("%s: got %s", query, got)
		}
	}
	// Tools read it over fragments, at no more cost than without.
	const all = "{ __schema { types { ...F } } } fragment F on __Type { fields { args { ...A } more: args { ...A } } } " +
		"fragment A on __InputValue { name type { name ofType { name ofType { name } } } }"
	b.Say(subscribe("1", all, ""))
	if got := b.Next(); !strings.HasPrefix(got, `{"id":"1","type":"next"`) {
		t.Fatalf("got %.200s", got)
	}
	b.expectEnd("1")
	b.Say(subscribe("1", ask("fields { type { name } }"), ""))
	if got := b.Next(); !strings.HasPrefix(got, `{"id":"1","type":"next"`) {
		t.Errorf("got %.200s", got)
	}
}

func TestWhatTheLibraryReadsIsMeasured(t *testing.T) {
	t.Parallel()
	settings := limits()
	settings.GraphqlMaxCost, settings.GraphqlIntrospection = 100, false
	b := open(t, settings)
	// For the library a block string ends with its first quotes, whatever comes before them.
	const before, after = `{ hello(name: """\""") `, ` b: hello(name: """) } # """) }`
	for _, query := range []string{
		before + "__schema { types { name } }" + after, before + "dear" + after,
		"query a { user } query a { dear }", "{ node { nodes(first: 1000, first: 1) { id } } }",
		"{ ...f } fragment f on Query { dear } fragment f on Query { user }",
		"query a($n: Int = 1000, $n: Int = 1) { node { nodes(first: $n) { id } } }",
	} {
		b.Say(subscribe("1", query, ""))
		if got := b.Next(); !strings.HasPrefix(got, `{"id":"1","type":"error"`) {
			t.Errorf("%s: got %.300s", query, got)
			b.expectEnd("1")
		}
	}
}

func TestErrorsThatAreMeantForClients(t *testing.T) {
	t.Parallel()
	b := open(t, limits())
	b.Say(subscribe("1", "{ expected unexpected panics }", ""))
	got := b.Next()
	for text, count := range map[string]int{
		`"not today"`: 1, `as it is`: 0, `"BUSY"`: 1, `"internal error"`: 2, `"INTERNAL_SERVER_ERROR"`: 2, "secret": 0, `"path":["panics"]`: 1,
	} {
		if strings.Count(got, text) != count {
			t.Errorf("got %s, want %s %d times", got, text, count)
		}
	}
	b.expectEnd("1")
	if !b.Logged("resolver-failed") {
		t.Error("nothing is logged")
	}
	if got := b.refused("1", "subscription { refused }", ""); got != "internal error" {
		t.Errorf("got %s", got)
	}
	b.Say(subscribe("1", "subscription { breaks }", ""))
	b.expectData("1", `{"breaks":1}`)
	b.with.waiting <- struct{}{}
	if got := b.errorOf("1"); got != "internal error" {
		t.Errorf("got %s", got)
	}
}

func TestWhatWaitsForOneWhoSubscribesIsBounded(t *testing.T) {
	t.Parallel()
	within := &execution{}
	var sent Broadcast[int]
	values := sent.Subscribe(context.WithValue(t.Context(), key{}, within), "a")
	for n := range mostUnread {
		sent.Publish("a", n)
		sent.Publish("b", n)
	}
	if within.last.Load() != nil || len(values) != mostUnread {
		t.Errorf("%d wait", len(values))
	}
	// One too many: the client gets the others, and reads why there are no more.
	sent.Publish("a", mostUnread)
	sent.Publish("a", mostUnread+1)
	want := 0
	for value := range values {
		if value != want {
			t.Fatalf("got %d, want %d", value, want)
		}
		want++
	}
	if told := within.last.Load(); want != mostUnread || told == nil || told.Code != "TOO_SLOW" {
		t.Errorf("got %d values and %v", want, told)
	}
}

func TestASlowReaderGetsWhatWaitsAndAnError(t *testing.T) {
	t.Parallel()
	b := newBench(t, limits())
	b.Say(initMessage)
	b.Expect(`{"type":"connection_ack"}`)
	b.Say(subscribe("1", "subscription { bursts }", ""))
	for n := range mostUnread {
		b.expectData("1", fmt.Sprintf(`{"bursts":%d}`, n))
	}
	if got := b.errorOf("1"); got != "what was published came faster than it was read" {
		t.Errorf("got %s", got)
	}
}

func TestASchemaHasToFitItsResolvers(t *testing.T) {
	t.Parallel()
	settings := limits()
	for _, text := range []string{"type Query { a }", "type Query { a: Nothing }", "type Query { missing: Int }"} {
		if _, err := New(&settings, text, &resolvers{}); err == nil || !strings.Contains(err.Error(), "schema.graphql") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// #if graphql-legacy

func TestOlderClients(t *testing.T) {
	t.Parallel()
	start := func(query string) string {
		return `{"id":"1","type":"start","payload":{"query":"` + query + `"}}`
	}
	b := newBench(t, limits())
	open := func() *bench { return &bench{peertest.Accept(t, b.under.Legacy()), t, b.with, b.under} }
	older := open()
	older.Say(initMessage)
	older.Say(start("{ user }"))
	older.Expect(`{"type":"connection_ack"}`)
	older.Expect(`{"type":"ka"}`)
	older.Expect(`{"id":"1","type":"data","payload":{"data":{"user":"ada"}}}`)
	older.Expect(`{"id":"1","type":"complete"}`)
	older.Say(start("{ nothing }"))
	if got := older.Next(); !strings.HasPrefix(got, `{"id":"1","type":"error","payload":{"message":"Cannot query field`) {
		t.Errorf("got %s", got)
	}
	older.Say(start("subscription { ticks }"))
	// It takes the place of the first.
	older.Say(start("subscription { ticks }"))
	<-b.with.ended
	older.Say(`{"id":"1","type":"stop"}`)
	<-b.with.ended
	older.Say(`{"type":"connection_terminate"}`)
	older.ExpectClose(1000)
	// What clients of both protocols have under way is counted together.
	b.under.settings.GraphqlMaxAllOperations = 1
	b.Say(initMessage)
	b.Expect(`{"type":"connection_ack"}`)
	b.Say(subscribe("1", "subscription { ticks }", ""))
	older = open()
	older.Say(initMessage)
	older.Expect(`{"type":"connection_ack"}`)
	older.Expect(`{"type":"ka"}`)
	older.Say(start("{ user }"))
	if got := older.Next(); !strings.Contains(got, "too many operations") {
		t.Errorf("got %s", got)
	}
	for _, test := range []struct {
		code     int
		messages []string
	}{
		{4400, []string{"{"}},
		{4400, []string{subscribe("1", "{ user }", "")}},
		{4401, []string{start("{ user }")}},
		{4429, []string{initMessage, initMessage}},
	} {
		older := open()
		for _, message := range test.messages {
			older.Say(message)
		}
		older.ExpectClose(test.code)
		if sent := older.Unread(); !strings.HasPrefix(sent[len(sent)-1], `{"type":"connection_error"`) {
			t.Errorf("got %v", sent)
		}
	}
}

// #endif

func FuzzParse(f *testing.F) {
	f.Add(`query a($b: [Int!]! = [1, {c: "d"}] @e) { f: g(h: $b, i: -1.5e3) { ... on J { k } ...l } } fragment l on M { n }`)
	f.Fuzz(func(t *testing.T, text string) {
		if read, err := parse(text, 100); err == nil && read == nil {
			t.Error("neither a document nor an error")
		}
	})
}
