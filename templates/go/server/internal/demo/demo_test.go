package demo

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	// #if auth
	"example.com/ws-app/internal/auth"
	// #endif
	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/realtime"
)

// nobody is a peer that nobody hears of.
type nobody struct{ realtime.Peer }

func (nobody) Log(slog.Level, string, ...slog.Attr) {}

// ask has the routes answer; killed is called if the process would end.
func ask(settings *config.Config, killed func(), method, path, origin, body string) realtime.Answer {
	folder := fstest.MapFS{"index.html": {Data: []byte("<p>")}}
	routes := Routes(settings, folder, killed)
	r := httptest.NewRequest(method, "http://localhost:8080"+path, nil)
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	route, _, _ := realtime.FindRoute(routes, method, path)
	if route == nil {
		return realtime.Answer{Status: http.StatusNotFound}
	}
	return route.Answer(realtime.Request{Request: r, Body: []byte(body), Peer: nobody{}})
}

func TestPage(t *testing.T) {
	t.Parallel()
	answer := ask(&config.Config{}, nil, "GET", "/", "", "")
	policy := answer.Header.Get("Content-Security-Policy")
	if answer.Status != http.StatusOK || answer.Body != "<p>" || !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("got %v", answer)
	}
	for _, path := range []string{"/style.css", "/public.go", "/../go.mod"} {
		if answer := ask(&config.Config{}, nil, "GET", path, "", ""); answer.Status != http.StatusNotFound {
			t.Errorf("%s: got %v", path, answer)
		}
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		isProduction bool
		origin       string
		status       int
	}{
		"by the page":         {false, "http://localhost:8080", 202},
		"by a program":        {false, "", 202},
		"by another page":     {false, "http://localhost:3000", 403},
		"by no page":          {false, "null", 403},
		"in production":       {true, "", 404},
		"by a page elsewhere": {false, "http://evil.example", 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killed := make(chan struct{}, 1)
			kill := func() { killed <- struct{}{} }
			answer := ask(&config.Config{Production: test.isProduction}, kill, "POST", "/demo/stop", test.origin, "")
			if answer.Status != test.status {
				t.Fatalf("got %v, want %d", answer, test.status)
			}
			if test.status == http.StatusAccepted {
				<-killed
			}
		})
	}
}

// #if auth

func TestToken(t *testing.T) {
	t.Parallel()
	settings := &config.Config{Auth: auth.Options{Secret: strings.Repeat("s", 32)}}
	for body, status := range map[string]int{`{"user":"ada"}`: 200, `{"user":"a b"}`: 400, `{}`: 400, ``: 400} {
		answer := ask(settings, nil, "POST", "/demo/token", "", body)
		if answer.Status != status {
			t.Errorf("%s: got %v", body, answer)
		}
	}
	if answer := ask(settings, nil, "POST", "/demo/token", "http://evil.example", `{"user":"ada"}`); answer.Status != 403 {
		t.Errorf("another page got %v", answer)
	}
}

// #endif
