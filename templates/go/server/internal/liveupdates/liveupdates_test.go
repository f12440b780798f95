package liveupdates_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/ws-app/internal/apptest"
	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/documents"
	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/jsonpatch"
	"example.com/ws-app/internal/jsonvalue"
	"example.com/ws-app/internal/liveupdates"
	"example.com/ws-app/internal/realtime"
	// #if redis
	"example.com/ws-app/internal/redislink"
	// #endif
	"example.com/ws-app/internal/store"
	"example.com/ws-app/internal/wstest"
)

type fields = apptest.Fields

const publishToken = "the-token-of-who-publishes-over-http"

// start returns the address of a server and its documents; "closed" is for nobody.
func start(t *testing.T, env map[string]string) (string, *documents.Documents) {
	t.Helper()
	var kept *documents.Documents
	address := apptest.Start(t, env, io.Discard, func(settings *config.Config, hub *realtime.Hub, memory store.Store) (realtime.Application, error) {
		kept = documents.New(settings, memory)
		authorize := func(_ context.Context, access hook.Access) (bool, error) { return access.Name != "closed", nil }
		return liveupdates.New(settings, hub, kept, authorize), nil
	})
	return address, kept
}

func put(t *testing.T, kept *documents.Documents, name string, value any) {
	t.Helper()
	if _, err := kept.Put(t.Context(), name, value); err != nil {
		t.Fatal(err)
	}
}

// #if redis

// away is a store whose Redis is out of reach.
type away struct {
	store.Store
	store.Documents
}

func (away) Load(string) (*store.Kept, error) { return nil, &redislink.DownError{} }

func TestWhatIsOutOfReachIsAskedForLater(t *testing.T) {
	t.Parallel()
	address := apptest.Start(t, nil, io.Discard, func(settings *config.Config, hub *realtime.Hub, memory store.Store) (realtime.Application, error) {
		authorize := func(context.Context, hook.Access) (bool, error) { return true, nil }
		return liveupdates.New(settings, hub, documents.New(settings, away{Store: memory}), authorize), nil
	})
	ada := apptest.Connect(t, address, "ada")
	ada.Say(fields{"type": "watch", "document": "unknown", "id": "1"})
	ada.Expect("error", fields{"id": "1", "code": "unavailable", "retryAfterMs": 2000})
}

// #endif

func TestWatch(t *testing.T) {
	t.Parallel()
	address, kept := start(t, map[string]string{"MAX_WATCHES_PER_CLIENT": "1"})
	ada := apptest.Connect(t, address, "ada")
	filler := strings.Repeat("x", 200)
	put(t, kept, "status", fields{"n": 1, "filler": filler})
	put(t, kept, "closed", 1)
	put(t, kept, "other", 1)
	ada.Refused(fields{"type": "watch", "document": "none"}, "no_such_document")
	ada.Refused(fields{"type": "watch", "document": "closed"}, "forbidden")
	ada.Refused(fields{"type": "unwatch", "document": "status"}, "not_watching")
	ada.Say(fields{"type": "watch", "document": "status", "id": "w"})
	first := ada.Expect("watching", fields{"id": "w", "recovered": false, "data": fields{"n": 1, "filler": filler}})["position"]
	ada.Refused(fields{"type": "watch", "document": "other"}, "too_many_watches")
	put(t, kept, "status", fields{"n": 2, "filler": filler})
	operations := []fields{{"op": "replace", "path": "/n", "value": 2}}
	ada.Expect("patch", fields{"document": "status", "offset": 2, "patch": operations})
	// What is as large as the document comes as the document.
	put(t, kept, "status", "small")
	ada.Expect("snapshot", fields{"document": "status", "data": "small"})
	bob := apptest.Connect(t, address, "bob")
	bob.Say(fields{"type": "watch", "document": "status", "since": first})
	if patches := bob.Expect("watching", fields{"recovered": true})["patches"].([]any); len(patches) != 2 {
		t.Errorf("got %v", patches)
	}
	if _, err := kept.Remove("status", ""); err != nil {
		t.Fatal(err)
	}
	ada.Expect("removed", fields{"document": "status"})
	ada.Refused(fields{"type": "unwatch", "document": "status"}, "not_watching")
}

func TestWhoReadsSlowlyGetsSnapshots(t *testing.T) {
	t.Parallel()
	address, kept := start(t, map[string]string{"MAX_BUFFERED": "65536"})
	// More than the buffers of the system hold.
	text := strings.Repeat("x", 50_000)
	names := []string{"a", "b"}
	for _, name := range names {
		put(t, kept, name, fields{"n": 0, "text": text})
	}
	slow := apptest.Connect(t, address, "slow")
	data := map[string]any{}
	offsets := map[string]float64{}
	for _, name := range names {
		slow.Say(fields{"type": "watch", "document": name})
		reply := slow.Expect("watching", nil)
		data[name], offsets[name] = reply["data"], reply["position"].(map[string]any)["offset"].(float64)
	}
	const changes = 80
	for n := range changes {
		for _, name := range names {
			put(t, kept, name, fields{"n": n + 1, "text": fmt.Sprint(n, text)})
		}
	}
	// That took a while.
	if err := slow.SetDeadline(time.Now().Add(wstest.Timeout)); err != nil {
		t.Fatal(err)
	}
	snapshots := 0
	for offsets["a"] < changes+1 || offsets["b"] < changes+1 {
		_, payload := slow.Next()
		var message fields
		if err := json.Unmarshal([]byte(payload), &message); err != nil {
			t.Fatal(err)
		}
		name := message["document"].(string)
		switch message["type"] {
		case "snapshot":
			snapshots++
			data[name], offsets[name] = message["data"], message["position"].(map[string]any)["offset"].(float64)
		case "patch":
			if offsets[name]++; message["offset"] != offsets[name] {
				t.Fatalf("offset %v of %s comes after %v", message["offset"], name, offsets[name]-1)
			}
			patch, err := jsonpatch.Read(message["patch"], changes)
			if err == nil {
				data[name], err = patch.Apply(data[name], 1<<20)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range names {
		if !jsonvalue.Equal(data[name], kept.Get(name).Data) {
			t.Errorf("%s is another one", name)
		}
	}
	if snapshots == 0 {
		t.Error("all patches were kept for who does not read")
	}
}

func TestDocumentsOverHTTP(t *testing.T) {
	t.Parallel()
	address, kept := start(t, map[string]string{"PUBLISH_TOKEN": publishToken})
	call := func(method, name, body string, header http.Header) *http.Response {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+"/documents/"+name, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = header.Clone()
		if request.Header.Get("Authorization") == "" {
			request.Header.Set("Authorization", "Bearer "+publishToken)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response
	}
	patch := http.Header{"Content-Type": {"application/json-patch+json; charset=utf-8"}}
	with := func(header http.Header, name, value string) http.Header {
		header = header.Clone()
		header.Set(name, value)
		return header
	}
	tag := call("PUT", "a", `{"n":1}`, http.Header{}).Header.Get("ETag")
	one := `[{"op":"replace","path":"/n","value":2}]`
	for _, test := range []struct {
		method, body string
		header       http.Header
		want         int
	}{
		{"GET", "", http.Header{}, 200},
		{"PUT", "{", http.Header{}, 400},
		{"PUT", "1", http.Header{"If-Match": {`"x:1"`}}, 412},
		{"PUT", "1", http.Header{"Origin": {"https://evil.example"}}, 403},
		{"PUT", "1", http.Header{"Authorization": {"Bearer x"}}, 401},
		{"PATCH", one, http.Header{"Content-Type": {"application/json"}}, 415},
		{"PATCH", `[{"op":"test","path":"/n","value":2}]`, patch, 409},
		{"PATCH", one, with(patch, "If-Match", tag), 200},
		{"PATCH", one, with(patch, "If-Match", tag), 412},
		{"POST", one, http.Header{}, 405},
		{"DELETE", "", http.Header{"If-Match": {"*"}}, 200},
		{"DELETE", "", http.Header{}, 404},
		{"GET", "", http.Header{}, 404},
	} {
		if response := call(test.method, "a", test.body, test.header); response.StatusCode != test.want {
			t.Errorf("%s %s: %s, want %d", test.method, test.body, response.Status, test.want)
		}
	}
	if kept.Get("a") != nil {
		t.Error("the document is still there")
	}
}
