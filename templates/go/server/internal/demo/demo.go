// Package demo serves a page for DEMO=1; outside production also what it needs to show a restart.
package demo

import (
	// #if auth
	"encoding/json"
	// #endif
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	// #if auth
	"example.com/ws-app/internal/auth"
	// #endif
	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/websocket"
)

const (
	// lastWords is what the answer to POST /demo/stop has to leave.
	lastWords = 50 * time.Millisecond
	maxBody   = 1024
)

// types are the files of the page, and what they are.
var types = map[string]string{
	"index.html": "text/html; charset=utf-8",
	"app.js":     "text/javascript; charset=utf-8",
	"client.js":  "text/javascript; charset=utf-8",
	"style.css":  "text/css; charset=utf-8",
}

// Routes answer for the page, whose files are in a folder. kill ends the process as SIGKILL would.
func Routes(settings *config.Config, folder fs.FS, kill func()) []realtime.Route {
	routes := []realtime.Route{{Method: http.MethodGet, Path: "/", Answer: page(folder, "index.html")}}
	for name := range types {
		routes = append(routes, realtime.Route{Method: http.MethodGet, Path: "/" + name, Answer: page(folder, name)})
	}
	if settings.Production {
		return routes
	}
	stop := func(request realtime.Request) realtime.Answer {
		if refused := refuseOthers(request); refused != nil {
			return *refused
		}
		time.AfterFunc(lastWords, kill)
		return realtime.Answer{Status: http.StatusAccepted}
	}
	routes = append(routes, realtime.Route{Method: http.MethodPost, Path: "/demo/stop", MaxBody: maxBody, Answer: stop})
	// #if auth
	token := func(request realtime.Request) realtime.Answer { return giveToken(&settings.Auth, request) }
	routes = append(routes, realtime.Route{Method: http.MethodPost, Path: "/demo/token", MaxBody: maxBody, Answer: token})
	// #endif
	return routes
}

func page(folder fs.FS, name string) func(realtime.Request) realtime.Answer {
	return func(realtime.Request) realtime.Answer {
		body, err := fs.ReadFile(folder, name)
		if err != nil {
			return realtime.Problem(http.StatusNotFound, "not found")
		}
		header := http.Header{}
		header.Set("Content-Type", types[name])
		// Nothing of another site, and nothing that somebody wrote into a message, is ever executed.
		header.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
			"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-store")
		return realtime.Answer{Status: http.StatusOK, Header: header, Body: string(body)}
	}
}

// refuseOthers says why a request is not from the page; a program without an Origin is no page of somebody else.
func refuseOthers(request realtime.Request) *realtime.Answer {
	origin := request.Header.Get("Origin")
	if of, err := url.Parse(origin); origin == "" || err == nil && strings.EqualFold(of.Host, request.Host) {
		return nil
	}
	refused := request.Refuse(&websocket.Refusal{
		Status: http.StatusForbidden, Reason: "Origin is not allowed", Hint: "the Origin is not the one of the page",
	})
	return &refused
}

// #if auth

// tokenLifetime is how long a token of the page is good.
const tokenLifetime = 15 * time.Minute

func giveToken(options *auth.Options, request realtime.Request) realtime.Answer {
	if refused := refuseOthers(request); refused != nil {
		return *refused
	}
	asked := struct{ User string }{}
	if err := json.Unmarshal(request.Body, &asked); err != nil || !realtime.IsName(asked.User) {
		return realtime.Problem(http.StatusBadRequest, `expected {"user":"<name>"}`)
	}
	if options.Secret == "" {
		return realtime.Problem(http.StatusNotFound, "only who has the private key makes tokens")
	}
	token, err := auth.Sign(options, asked.User, tokenLifetime, nil)
	if err != nil {
		return realtime.Problem(http.StatusInternalServerError, "internal error")
	}
	header := http.Header{"Cache-Control": {"no-store"}}
	return realtime.Answer{Status: http.StatusOK, Header: header, Body: map[string]string{"token": token}}
}

// #endif
