package realtime

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"example.com/ws-app/internal/auth"
	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/websocket"
)

const (
	// authCost is that of a token in messages of the rate: signatures take time.
	authCost = 5
	// warnBefore the end of its token a client is told; half its life at most.
	warnBefore = 30 * time.Second
	// longestTimer is short enough for clocks that are set, and machines that sleep.
	longestTimer = time.Hour
)

func identityOf(token *auth.Token) hook.Identity {
	return hook.Identity{User: token.User, Token: token}
}

// tokenOf is the token, or that of the ticket, that a handshake shows; nil if it shows none.
func (h *Hub) tokenOf(r *http.Request) (*auth.Token, *websocket.Refusal) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	headers, tickets := r.Header.Values("Authorization"), query["ticket"]
	switch {
	case err != nil:
		return nil, &websocket.Refusal{Status: http.StatusBadRequest, Reason: "the query is malformed"}
	case query.Has("token") || query.Has("access_token"):
		return nil, &websocket.Refusal{Status: http.StatusBadRequest, Reason: "no tokens in URLs: they are logged; get a ticket"}
	case len(headers)+len(tickets) > 1:
		return nil, &websocket.Refusal{Status: http.StatusBadRequest, Reason: "expected one token or one ticket"}
	case len(tickets) > 0:
		// #if redis
		token := h.auth.RedeemTicket(tickets[0])
		// #else
		//~ token := h.auth.Tickets.Redeem(tickets[0])
		// #endif
		// The token may have ended in between.
		if token == nil || !token.ExpiresAt.After(h.Now()) || h.auth.Revocations.Cover(token) {
			return nil, unauthorized("the ticket is used, expired or unknown")
		}
		return token, nil
	case len(headers) > 0:
		return h.verify(r.Context(), Bearer(r.Header))
	}
	return nil, nil
}

func (h *Hub) verify(ctx context.Context, text string) (*auth.Token, *websocket.Refusal) {
	token, err := h.auth.Verify(ctx, text)
	var unavailable *auth.UnavailableError
	switch {
	case errors.As(err, &unavailable):
		wait := (unavailable.RetryAfter + time.Second - 1) / time.Second
		return nil, &websocket.Refusal{
			Status: http.StatusServiceUnavailable,
			Reason: "tokens cannot be checked at the moment",
			Hint:   unavailable.Why,
			Header: http.Header{"Retry-After": {strconv.Itoa(int(wait))}},
		}
	case err != nil:
		return nil, unauthorized(err.Error())
	}
	return token, nil
}

// unauthorized is as RFC 6750 section 3 says; why is for the log.
func unauthorized(why string) *websocket.Refusal {
	return &websocket.Refusal{
		Status: http.StatusUnauthorized,
		Reason: "the token or ticket was refused",
		Hint:   why,
		Header: http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}},
	}
}

// holder keeps the token of a client, until it ends.
type holder struct {
	hub    *Hub
	client *Client
	// expiring is told before the end how much time is left; nil: nobody is.
	expiring func(left time.Duration)
	plan     plan
}

// await gives a client some time to say who it is.
func (h *holder) await() {
	h.plan.set(step{time.Now().Add(h.hub.settings.AuthTimeout), func() { h.client.Close(AuthTimeout) }})
}

// hold makes a token the one of the client. It reports false if it was revoked.
func (h *holder) hold(token *auth.Token) bool {
	client := h.client
	identity := identityOf(token)
	client.identity.Store(&identity)
	// Who revokes looks for the tokens of clients: it was too early for this one, or sees it.
	if h.hub.auth.Revocations.Cover(token) {
		client.Close(Revoked)
		return false
	}
	// By the clock of this machine.
	end := token.ExpiresAt.Add(time.Since(h.hub.Now()))
	steps := []step{{end, func() { client.Close(TokenExpired) }}}
	if h.expiring != nil {
		warn := func() { h.expiring(max(0, time.Until(end))) }
		steps = append([]step{{end.Add(-min(warnBefore, time.Until(end)/2)), warn}}, steps...)
	}
	h.plan.set(steps...)
	return true
}

// check verifies a token; of a client that is known it has to be of the same user.
func (h *holder) check(ctx context.Context, text string) (*auth.Token, error) {
	client := h.client
	token, err := h.hub.auth.Verify(ctx, text)
	isKnown := client.Identity().Token != nil
	if err == nil && isKnown && token.User != client.User() {
		err = &auth.RefusedError{Why: "of another user"}
	}
	var unavailable *auth.UnavailableError
	switch {
	case errors.As(err, &unavailable):
		client.Log(slog.LevelError, "keys-unavailable", slog.String("why", unavailable.Why))
	case err != nil:
		client.Log(slog.LevelWarn, "token-refused", slog.String("why", err.Error()))
	}
	// #if rate-limit && redis
	if err == nil && !isKnown {
		h.hub.users.learn(token.User)
	}
	// #endif
	return token, err
}

// step is what is done at a moment; it must not wait.
type step struct {
	moment time.Time
	act    func()
}

// plan has steps taken one after the other; those of before are dropped.
type plan struct {
	mu     sync.Mutex
	timer  *time.Timer
	hasEnd bool
	// version is that of the steps, of which others are taken no longer.
	version int
}

func (p *plan) set(steps ...step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.version++
	p.start(p.version, steps)
}

func (p *plan) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hasEnd = true
	if p.timer != nil {
		p.timer.Stop()
	}
}

// start is called with p.mu held.
func (p *plan) start(version int, steps []step) {
	if p.hasEnd || len(steps) == 0 {
		return
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	// By the clock on the wall, which may be set.
	left := steps[0].moment.Round(0).Sub(time.Now().Round(0))
	p.timer = time.AfterFunc(min(max(0, left), longestTimer), func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.hasEnd || p.version != version {
			return
		}
		if left <= longestTimer {
			steps[0].act()
			steps = steps[1:]
		}
		p.start(version, steps)
	})
}
