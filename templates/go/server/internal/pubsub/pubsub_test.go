package pubsub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/ws-app/internal/apptest"
	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/pubsub"
	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/store"
)

type fields = apptest.Fields

const publishToken = "the-token-of-who-publishes-over-http"

// start returns the address of a server, where nobody may do anything with the stream "closed".
func start(t *testing.T, env map[string]string) string {
	t.Helper()
	return apptest.Start(t, env, io.Discard, func(settings *config.Config, hub *realtime.Hub, kept store.Store) (realtime.Application, error) {
		authorize := func(_ context.Context, access hook.Access) (bool, error) {
			return !strings.HasPrefix(access.Name, "closed"), nil
		}
		return pubsub.New(settings, hub, kept, authorize), nil
	})
}

func subscribe(p *apptest.Person, pattern string) fields {
	p.Say(fields{"type": "subscribe", "topic": pattern, "id": pattern})
	return p.Expect("subscribed", fields{"id": pattern, "topic": pattern})
}

// published is how many ids were used.
var published atomic.Int64

func publish(p *apptest.Person, topic string, data any) {
	id := fmt.Sprint(published.Add(1))
	p.Say(fields{"type": "publish", "topic": topic, "data": data, "id": id})
	p.Expect("ack", fields{"id": id})
}

func TestEventsReachWhoSubscribedOnce(t *testing.T) {
	t.Parallel()
	address := start(t, nil)
	ada, bob := apptest.Connect(t, address, "ada"), apptest.Connect(t, address, "bob")
	for _, pattern := range []string{"news.#", "news.*", "news.sport"} {
		subscribe(ada, pattern)
	}
	ada.Refused(fields{"type": "unsubscribe", "topic": "news"}, "not_subscribed")
	for n := range 10 {
		publish(bob, "news.sport", fields{"n": n, "<": "&"})
	}
	for n := range 10 {
		ada.Expect("event", fields{"topic": "news.sport", "from": "bob", "data": fields{"n": n, "<": "&"}})
	}
	ada.Say(fields{"type": "unsubscribe", "topic": "news.#", "id": "u"})
	ada.Expect("unsubscribed", fields{"id": "u", "topic": "news.#"})
	publish(bob, "news.sport.late", 1)
	publish(bob, "news.other", 2)
	ada.Expect("event", fields{"topic": "news.other", "data": 2})
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	address := start(t, map[string]string{"CLIENT_PUBLISH": "false"})
	ada := apptest.Connect(t, address, "ada")
	for code, commands := range map[string][]fields{
		"pattern_too_broad": {{"type": "subscribe", "topic": "#"}, {"type": "subscribe", "topic": "*.a"}},
		"forbidden":         {{"type": "subscribe", "topic": "closed.a"}, {"type": "publish", "topic": "a", "data": 1}},
		"bad_message": {
			{"type": "subscribe", "topic": "a..b"}, {"type": "publish", "topic": "a.*", "data": 1}, {"type": "publish", "topic": "a"},
			{"type": "publish", "topic": "a", "data": json.RawMessage(strings.Repeat("[", 65) + strings.Repeat("]", 65))},
		},
	} {
		for _, command := range commands {
			ada.Refused(command, code)
		}
	}
}

func TestLimitsOfSubscriptions(t *testing.T) {
	t.Parallel()
	env := map[string]string{"MAX_SUBSCRIPTIONS_PER_CLIENT": "2", "MAX_SUBSCRIPTIONS_PER_IP": "3", "MAX_STREAMS": "3", "TRUST_PROXY": "1"}
	address := start(t, env)
	from := func(ip, user string) *apptest.Person {
		return apptest.Connect(t, address, user, "X-Forwarded-For: "+ip)
	}
	refuse := func(p *apptest.Person, pattern string) {
		t.Helper()
		p.Refused(fields{"type": "subscribe", "topic": pattern}, "too_many_subscriptions")
	}
	ada, also, bob := from("192.0.2.1", "ada"), from("192.0.2.1", "also"), from("192.0.2.2", "bob")
	subscribe(ada, "a.a")
	subscribe(ada, "a.b")
	refuse(ada, "a.c")
	// One is for every client.
	subscribe(also, "a")
	refuse(also, "a.c")
	subscribe(bob, "b")
	subscribe(bob, "c")
	refuse(from("192.0.2.3", "eve"), "d")
	bob.Say(fields{"type": "unsubscribe", "topic": "c"})
	bob.Expect("unsubscribed", nil)
	subscribe(from("192.0.2.3", "eve"), "d")
}

func TestAStreamIsPassedOnToWhoHasSpace(t *testing.T) {
	t.Parallel()
	address := start(t, map[string]string{"MAX_STREAMS_PER_IP": "1", "TRUST_PROXY": "1"})
	from := func(ip, user string) *apptest.Person {
		return apptest.Connect(t, address, user, "X-Forwarded-For: "+ip)
	}
	ada, bob := from("192.0.2.1", "ada"), from("192.0.2.2", "bob")
	subscribe(ada, "a.x")
	subscribe(bob, "a.x")
	ada.Refused(fields{"type": "subscribe", "topic": "b"}, "too_many_subscriptions")
	ada.Say(fields{"type": "unsubscribe", "topic": "a.x"})
	ada.Expect("unsubscribed", nil)
	// The stream counts for the address of bob now.
	subscribe(ada, "b")
	bob.Refused(fields{"type": "subscribe", "topic": "c"}, "too_many_subscriptions")
	publish(ada, "a.x", 1)
	bob.Expect("event", fields{"topic": "a.x"})
}

func post(t *testing.T, address, token, body string) (status int, answer fields) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/publish", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

func TestPublishOverHTTP(t *testing.T) {
	t.Parallel()
	address := start(t, map[string]string{"PUBLISH_TOKEN": publishToken, "CLIENT_PUBLISH": "false"})
	ada := apptest.Connect(t, address, "ada")
	subscribe(ada, "news.*")
	status, answer := post(t, address, publishToken, `{"topic":"news.a","data":[1, 2]}`)
	if status != 200 || fmt.Sprint(answer["subscribers"]) != "1" {
		t.Errorf("got %d %v", status, answer)
	}
	event := ada.Expect("event", fields{"topic": "news.a", "data": []int{1, 2}})
	if _, isThere := event["from"]; isThere {
		t.Errorf("got %v", event)
	}
	for want, body := range map[int]string{
		400: `{"topic":"news.*","data":1}`, 401: "", 413: `{"topic":"a","data":"` + strings.Repeat("x", 70_000) + `"}`,
	} {
		token := publishToken
		if want == 401 {
			token = "x" + token
		}
		if status, answer := post(t, address, token, body); status != want || answer["error"] == "" {
			t.Errorf("got %d %v, want %d", status, answer, want)
		}
	}
	if status, _ := post(t, start(t, nil), publishToken, `{}`); status != 404 {
		t.Errorf("without PUBLISH_TOKEN: %d", status)
	}
}

// #if resume

func TestResume(t *testing.T) {
	t.Parallel()
	address := start(t, nil)
	ada := apptest.Connect(t, address, "ada")
	since := subscribe(ada, "news.a")["position"]
	for _, id := range []string{"1", "2", "1"} {
		ada.Say(fields{"type": "publish", "topic": "news.a", "id": id, "data": id})
	}
	ada.Expect("ack", fields{"offset": 1})
	ada.Expect("ack", fields{"offset": 2})
	ada.Expect("ack", fields{"offset": 1, "duplicate": true})
	publish(ada, "news.b", 1)
	bob := apptest.Connect(t, address, "bob")
	bob.Say(fields{"type": "subscribe", "topic": "news.a", "since": since})
	reply := bob.Expect("subscribed", fields{"recovered": true})
	if missed := reply["messages"].([]any); len(missed) != 2 || fmt.Sprint(reply["position"].(map[string]any)["offset"]) != "3" {
		t.Errorf("got %v", reply)
	}
}

// #endif
