package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"example.com/ws-app/internal/redislink"
)

var (
	ticketScript = redislink.NewScript("ticket")
	revokeScript = redislink.NewScript("revoke")
)

// shared is what servers with one Redis have in common: tickets that one gives and another takes, and what one
// has revoked.
type shared struct {
	link        *redislink.Link
	revocations *Revocations
	// onRevoked is called when another server has revoked something.
	onRevoked func()

	mu sync.Mutex
	// unsaid is what was revoked here while Redis was out of reach, and the number of its last revocation.
	unsaid map[string]int
	number int
}

// Share is called before the link is started; onRevoked when another server has revoked something.
func (a *Auth) Share(link *redislink.Link, onRevoked func()) {
	s := &shared{link: link, revocations: a.Revocations, onRevoked: onRevoked, unsaid: map[string]int{}}
	a.shared = s
	link.OnUp(func() { link.Go(func() { link.Report(s.load()) }) })
}

// holder is a Token in Redis; times are milliseconds since 1970.
type holder struct {
	User      string         `json:"user"`
	ExpiresAt float64        `json:"expiresAt"`
	IssuedAt  *float64       `json:"issuedAt,omitempty"`
	TokenID   string         `json:"tokenId,omitempty"`
	Rooms     []string       `json:"rooms"`
	Claims    map[string]any `json:"claims"`
}

func holderOf(token *Token) holder {
	held := holder{
		User:      token.User,
		ExpiresAt: float64(token.ExpiresAt.UnixMilli()),
		TokenID:   token.ID,
		Rooms:     append([]string{}, token.Rooms...),
		Claims:    token.Claims,
	}
	if !token.IssuedAt.IsZero() {
		issued := float64(token.IssuedAt.UnixMilli())
		held.IssuedAt = &issued
	}
	return held
}

func (h *holder) token() *Token {
	token := &Token{
		User: h.User, ExpiresAt: time.UnixMilli(int64(h.ExpiresAt)), ID: h.TokenID, Rooms: h.Rooms, Claims: h.Claims,
	}
	if h.IssuedAt != nil {
		token.IssuedAt = time.UnixMilli(int64(*h.IssuedAt))
	}
	return token
}

// nameOf is what Redis knows of a ticket: enough to compare, too little to use it.
func nameOf(ticket string) string {
	hash := sha256.Sum256([]byte(ticket))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// IssueTicket makes a ticket that all servers take; empty if too many wait to be used. While Redis is out of
// reach, it is good here alone.
func (a *Auth) IssueTicket(token *Token) (string, error) {
	if a.shared == nil {
		return a.Tickets.Issue(token), nil
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	text := base64.RawURLEncoding.EncodeToString(secret)
	held, err := json.Marshal(holderOf(token))
	if err != nil {
		return "", fmt.Errorf("a token as JSON: %w", err)
	}
	link, name := a.shared.link, nameOf(text)
	keys := []string{link.Key("ticket", name), link.Key("tickets", token.User)}
	reply, err := link.Run(ticketScript, keys, a.Tickets.TTL.Milliseconds(), maxTicketsPerUser, name, held)
	var down *redislink.DownError
	switch {
	case errors.As(err, &down):
		return a.Tickets.Issue(token), nil
	case err != nil:
		return "", err
	case reply != int64(1):
		return "", nil
	}
	return text, nil
}

// RedeemTicket is the token that a ticket stands for, and uses it up; nil if it is not good.
func (a *Auth) RedeemTicket(text string) *Token {
	if token := a.Tickets.Redeem(text); token != nil || a.shared == nil {
		return token
	}
	link, name := a.shared.link, nameOf(text)
	var held string
	err := link.Do(func(ctx context.Context, client redis.Cmdable) (err error) {
		held, err = client.GetDel(ctx, link.Key("ticket", name)).Result()
		return err
	})
	var found holder
	if err == nil {
		err = json.Unmarshal([]byte(held), &found)
	}
	if err != nil {
		if !errors.Is(err, redis.Nil) {
			link.Report(err)
		}
		return nil
	}
	link.Go(func() {
		link.Report(link.Do(func(ctx context.Context, client redis.Cmdable) error {
			return client.ZRem(ctx, link.Key("tickets", found.User), name).Err()
		}))
	})
	return found.token()
}

// TellRevoked tells other servers what was revoked here: a user, or else a token. It returns when all know it, or
// Redis is out of reach: then they are told later.
func (a *Auth) TellRevoked(user, id string) {
	if a.shared == nil {
		return
	}
	what := "user:" + user
	if id != "" {
		what = "jti:" + id
	}
	a.shared.note(what)
	a.shared.say(what)
}

// note has something to be said, and returns the number of this revocation.
func (s *shared) note(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	s.unsaid[what] = s.number
	return s.number
}

func (s *shared) say(what string) {
	s.mu.Lock()
	number := s.unsaid[what]
	s.mu.Unlock()
	_, err := s.link.Run(revokeScript, []string{s.link.Key("revoked"), s.link.Key("revoked", "channel")}, what, s.revocations.limit)
	if err != nil {
		s.link.Report(err)
		return
	}
	s.said(what, number)
}

// said forgets what was said, unless it was revoked once more meanwhile: that is a later moment.
func (s *shared) said(what string, number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsaid[what] == number {
		delete(s.unsaid, what)
	}
}

// load has what others revoke come from now on, and learns what they have revoked.
func (s *shared) load() error {
	err := s.link.Subscribe(redislink.NewSubscription(s.link.Key("revoked", "channel"), func(message string) {
		at, what, _ := strings.Cut(message, " ")
		if milliseconds, err := strconv.ParseInt(at, 10, 64); err == nil {
			s.revocations.learn(what, time.UnixMilli(milliseconds))
			s.onRevoked()
		}
	}))
	if err != nil {
		return err
	}
	s.mu.Lock()
	unsaid := slices.Collect(maps.Keys(s.unsaid))
	s.mu.Unlock()
	for _, what := range unsaid {
		s.say(what)
	}
	var all []redis.Z
	err = s.link.Do(func(ctx context.Context, client redis.Cmdable) (err error) {
		all, err = client.ZRangeWithScores(ctx, s.link.Key("revoked"), 0, -1).Result()
		return err
	})
	if err != nil {
		return err
	}
	for _, one := range all {
		if what, isText := one.Member.(string); isText {
			s.revocations.learn(what, time.UnixMilli(int64(one.Score)))
		}
	}
	s.onRevoked()
	return nil
}

// learn is told what another server has revoked: user:ada or jti:x, or before for all tokens up to then.
func (r *Revocations) learn(what string, at time.Time) {
	kind, name, _ := strings.Cut(what, ":")
	entry := revoked{user: name}
	switch kind {
	case "before":
		r.mu.Lock()
		defer r.mu.Unlock()
		if at.After(r.floor) {
			r.floor = at
		}
		return
	case "jti":
		entry = revoked{token: name}
	}
	r.add(entry, at)
}
