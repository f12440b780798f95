package realtime

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	// #if auth
	"example.com/ws-app/internal/auth"
	// #endif
	"example.com/ws-app/internal/rate"
	// #if redis
	"example.com/ws-app/internal/redislink"
	// #endif
	"example.com/ws-app/internal/websocket"
)

const (
	// maxRetryAfter is the time over which clients spread their return after a drain.
	maxRetryAfter = 5 * time.Second
	// #if redis
	// downRetry is when a client asks again for what cannot be had while Redis is out of reach.
	downRetry = 2 * time.Second
	// #endif
)

// session runs one client of an application.
type session struct {
	hub         *Hub
	client      *Client
	application Application
	// types are the commands of the application.
	types    map[string]kind
	warnings rate.Bucket
	// #if rate-limit
	// user is nil before it is known.
	user *user
	// #endif
	// isOpen is whether the application knows the client.
	isOpen bool
	// #if auth
	// holder has its token.
	holder holder
	// #endif
}

func (h *Hub) newSession(client *Client) *session {
	speaks := func(other Application) bool { return other.Subprotocol() == client.conn.Subprotocol }
	at := max(0, slices.IndexFunc(h.applications, speaks))
	s := &session{
		hub:         h,
		client:      client,
		application: h.applications[at],
		types:       h.types[at],
		warnings:    rate.NewBucket(1, errorsAtOnce),
	}
	// #if auth
	s.holder = holder{hub: h, client: client, expiring: func(left time.Duration) {
		client.Send(tokenExpiring{Head{Type: "token-expiring"}, left.Milliseconds()})
	}}
	// #endif
	return s
}

// drain tells the client to come back later.
func (s *session) drain() {
	s.client.Send(draining{Head: Head{Type: "draining"}, RetryAfterMS: rand.Int64N(maxRetryAfter.Milliseconds())})
}

func (s *session) serve(ctx context.Context) (code int, err error) {
	client, conn := s.client, s.client.conn
	client.peer.OnThrottled(func() {
		// #if metrics
		s.hub.figures.limited.of("connection").Add(1)
		// #endif
		client.Fail("", RateLimited, "too many messages: what you send from now on is read later")
	})
	defer s.end()
	// #if auth
	err = s.begin(ctx)
	// #else
	//~ err = s.admit(ctx, "")
	// #endif
	if err != nil {
		conn.Close(websocket.CloseInternal, "internal error")
	}
	code, served := conn.Serve(ctx, func(ctx context.Context, _ *websocket.Conn, message websocket.Message) error {
		return s.receive(ctx, message)
	})
	return code, errors.Join(err, served)
}

// admit welcomes a client whose user is known; id is that of the command that said who it is.
func (s *session) admit(ctx context.Context, id string) error {
	client := s.client
	// #if rate-limit
	if s.user = s.hub.users.enter(client.User()); s.user == nil {
		client.Close(TooManyConnections)
		return nil
	}
	// #endif
	client.Log(slog.LevelInfo, "connected", slog.String("protocol", client.conn.Subprotocol))
	client.Send(welcome{
		Head:           Head{"welcome", id},
		Client:         client.ID,
		User:           client.User(),
		PingIntervalMS: s.hub.settings.PingInterval.Milliseconds(),
		Features:       s.hub.features(s.application),
		// #if auth
		// Whoever is welcome has one.
		ExpiresAt: timestamp(client.Identity().Token.ExpiresAt),
		// #endif
	})
	s.isOpen = true
	return s.application.Open(ctx, client)
}

func (s *session) end() {
	// #if auth
	s.holder.plan.end()
	// #endif
	if s.isOpen {
		s.application.Close(s.client)
	}
	// #if rate-limit
	if s.user != nil {
		s.hub.users.leave(s.user)
	}
	// #endif
}

// #if auth

// begin starts with what the handshake said; without, it asks.
func (s *session) begin(ctx context.Context) error {
	if token := s.client.Identity().Token; token != nil {
		return s.enter(ctx, token, "")
	}
	s.client.Send(authRequired{Head{Type: "auth-required"}, s.hub.settings.AuthTimeout.Milliseconds()})
	s.holder.await()
	return nil
}

// enter admits a client by its first token; id is that of the command that brought it.
func (s *session) enter(ctx context.Context, token *auth.Token, id string) error {
	if !s.holder.hold(token) {
		return nil
	}
	return s.admit(ctx, id)
}

func (s *session) readAuth(fields *Fields) Action {
	text, ok := fields.text("token")
	if ok && text == "" {
		fields.Wrong("token", "expected a token")
	}
	return func(ctx context.Context, client *Client, id string) error {
		token, err := s.holder.check(ctx, text)
		var unavailable *auth.UnavailableError
		if errors.As(err, &unavailable) {
			client.Send(errorMessage{
				Head: Head{"error", id}, Code: Unavailable, Message: "tokens cannot be checked at the moment",
				RetryAfterMS: unavailable.RetryAfter.Milliseconds(),
			})
			// A token that was accepted before is good until it expires.
			if !s.isOpen {
				client.Close(TryAgainLater)
			}
			return nil
		}
		if err != nil {
			if s.warn(&failure{id, BadToken, "the token was refused"}) && !s.isOpen {
				client.Close(AuthFailed)
			}
			return nil
		}
		if !s.isOpen {
			return s.enter(ctx, token, id)
		}
		if !s.holder.hold(token) {
			return nil
		}
		if err := s.application.Refresh(ctx, client); err != nil {
			return err
		}
		client.Send(authenticated{Head{"authenticated", id}, timestamp(token.ExpiresAt)})
		return nil
	}
}

// #endif

// find finds a type of commands.
func (s *session) find(name []byte) (kind, bool) {
	// #if auth
	if string(name) == "auth" {
		return kind{"auth", Command{Cost: authCost, Read: s.readAuth}}, true
	}
	// #endif
	found, ok := s.types[string(name)]
	return found, ok
}

// receive handles one message. Its data is valid until it returns.
func (s *session) receive(ctx context.Context, message websocket.Message) error {
	client := s.client
	if message.Type != websocket.Text {
		client.Close(UnsupportedData)
		return nil
	}
	read, failed := parse(message.Data, s.find)
	if failed != nil {
		s.warn(failed)
		return nil
	}
	// #if metrics || rate-limit
	began := time.Now()
	// #endif
	// #if metrics
	s.hub.figures.received.of(read.kind).Add(1)
	defer func() { s.hub.figures.seconds.add(read.kind, time.Since(began)) }()
	// #endif
	// #if rate-limit
	if wait := s.hub.users.take(s.user, began); wait > 0 {
		// #if metrics
		s.hub.figures.limited.of("user").Add(1)
		// #endif
		client.Send(errorMessage{
			Head: Head{"error", read.id}, Code: RateLimited,
			Message: "too many commands", RetryAfterMS: int64((wait + time.Millisecond - 1) / time.Millisecond),
		})
		return nil
	}
	// #endif
	client.conn.Charge(read.cost - 1)
	// #if auth
	if !s.isOpen && read.kind != "ping" && read.kind != "auth" {
		s.warn(&failure{read.id, NotAuthenticated, "send a token first"})
		return nil
	}
	// #endif
	if read.kind == "ping" {
		client.Send(pong{Head{"pong", read.id}})
		return nil
	}
	// #if redis
	err := read.act(ctx, client, read.id)
	var full *redislink.FullError
	var down *redislink.DownError
	switch {
	case errors.As(err, &full):
		client.Send(errorMessage{
			Head: Head{"error", read.id}, Code: RateLimited,
			Message: full.Error(), RetryAfterMS: full.RetryAfter.Milliseconds(),
		})
		return nil
	case errors.As(err, &down):
		client.Send(errorMessage{
			Head: Head{"error", read.id}, Code: Unavailable,
			Message: "the store is out of reach", RetryAfterMS: downRetry.Milliseconds(),
		})
		return nil
	}
	return err
	// #else
	//~ return read.act(ctx, client, read.id)
	// #endif
}

// warn says what was wrong, but not for ever: then it reports false.
func (s *session) warn(failed *failure) bool {
	if !s.warnings.Take(time.Now(), 1) {
		s.client.Close(PolicyViolation)
		return false
	}
	s.client.Fail(failed.id, failed.code, failed.message)
	return true
}
