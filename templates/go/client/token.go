package wsclient

import (
	"crypto/rand"
	"errors"
	"time"
)

// tokenRetry is how long it takes until a token is sent again, when the server does not say.
const tokenRetry = 5 * time.Second

// tokens is what is known of the client's token, over all connections.
type tokens struct {
	// present is empty when a new one is needed.
	present string
	// fetching is not nil while Token is called.
	fetching *fetch
	// hasRenewed: a new one was fetched because the server refused the one before.
	hasRenewed   bool
	refreshedFor time.Time
}

type fetch struct {
	done chan struct{}
	err  error
}

// renew decides about another attempt with a new token.
func (t *tokens) renew(next reconnect) reconnect {
	t.present = ""
	if next == withTokenOnce {
		if t.hasRenewed {
			return never
		}
		t.hasRenewed = true
	}
	return withToken
}

// authenticate answers the server that asks for a token.
func (conn *connection) authenticate(message *incoming) {
	if conn.client.options.Token == nil {
		conn.refuseToken("there is no Token in the options")
		return
	}
	limit := conn.client.options.ConnectTimeout
	if message.TimeoutMs > 0 {
		limit = min(limit, milliseconds(message.TimeoutMs*0.8))
	}
	conn.limit.set(limit, func() {
		conn.lose(&loss{code: 1006, reason: "no token in time"})
	})
	conn.sendToken(func() {
		conn.lose(&loss{code: 1006, reason: "there is no token"})
	})
}

// sendToken sends the present token, or a new one when there is one; if there is none, it calls otherwise.
func (conn *connection) sendToken(otherwise func()) {
	c := conn.client
	if c.tokens.present != "" {
		conn.authID = rand.Text()
		c.send(map[string]any{"type": "auth", "id": conn.authID, "token": c.tokens.present})
		return
	}
	if c.tokens.fetching == nil {
		c.fetchToken()
	}
	fetching := c.tokens.fetching
	go func() {
		select {
		case <-fetching.done:
		case <-conn.ctx.Done():
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case conn.isLost():
		case fetching.err == nil:
			conn.sendToken(otherwise)
		default:
			c.report(&Error{Code: ErrToken.Code, Cause: fetching.err})
			otherwise()
		}
	}()
}

// fetchToken calls Token, once however many ask for it.
func (c *Client) fetchToken() {
	fetching := &fetch{done: make(chan struct{})}
	c.tokens.fetching = fetching
	go func() {
		token, err := c.options.Token(c.ctx)
		if err == nil && token == "" {
			err = errors.New("the token is empty")
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if err == nil {
			c.tokens.present = token
		}
		fetching.err = err
		c.tokens.fetching = nil
		close(fetching.done)
	}()
}

// refreshToken replaces the token while the connection stays. If there is none, the connection stays until the token
// expires; then there is another attempt.
func (conn *connection) refreshToken() {
	c := conn.client
	if c.options.Token == nil || conn.welcomedAt.IsZero() || c.tokens.fetching != nil {
		return
	}
	conn.refresh.stop()
	c.tokens.present = ""
	conn.sendToken(func() {})
}

// postponeToken: the server cannot check tokens at the moment. The same one is sent again, if the server does not close.
func (conn *connection) postponeToken(message *incoming) {
	wait, isGiven := message.retryAfter()
	if !isGiven {
		wait = tokenRetry
	}
	if conn.welcomedAt.IsZero() {
		conn.drain = &wait
		return
	}
	conn.refresh.set(wait, func() { conn.sendToken(func() {}) })
}

// planRefresh is for a server that does not warn: shortly before the token expires, once for each token.
func (conn *connection) planRefresh(expiresAt time.Time) {
	conn.refresh.stop()
	if expiresAt.IsZero() || conn.client.tokens.refreshedFor.Equal(expiresAt) {
		return
	}
	conn.refresh.set(untilRenewal(expiresAt), func() {
		conn.client.tokens.refreshedFor = expiresAt
		conn.refreshToken()
	})
}
