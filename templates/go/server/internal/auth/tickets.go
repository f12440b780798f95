package auth

import (
	"container/list"
	"crypto/rand"
	"encoding/base64"
	"sync"
	"time"
)

const (
	// maxTicketsPerUser and maxTickets wait to be used.
	maxTicketsPerUser = 32
	maxTickets        = 10_000
)

// Tickets stand for a token in a URL, as browsers send no headers of their own with a handshake. Each is good
// once and for a short time, so that it does no harm in a log.
type Tickets struct {
	TTL time.Duration
	now func() time.Time

	mu sync.Mutex
	// waiting has tickets in the order in which they expire; each is known by its text.
	waiting *list.List
	known   map[string]*list.Element
	byUser  map[string]int
}

type ticket struct {
	text  string
	token *Token
	end   time.Time
}

func newTickets(ttl time.Duration, now func() time.Time) *Tickets {
	return &Tickets{TTL: ttl, now: now, waiting: list.New(), known: map[string]*list.Element{}, byUser: map[string]int{}}
}

// Issue makes a ticket; empty if too many wait to be used.
func (t *Tickets) Issue(token *Token) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropExpired()
	if t.byUser[token.User] >= maxTicketsPerUser || len(t.known) >= maxTickets {
		return ""
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	text := base64.RawURLEncoding.EncodeToString(secret)
	t.known[text] = t.waiting.PushBack(&ticket{text, token, t.now().Add(t.TTL)})
	t.byUser[token.User]++
	return text
}

// Redeem is the token that a ticket stands for, and uses it up; nil if it is not good.
func (t *Tickets) Redeem(text string) *Token {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropExpired()
	element := t.known[text]
	if element == nil {
		return nil
	}
	return t.drop(element).token
}

func (t *Tickets) dropExpired() {
	now := t.now()
	for first := t.waiting.Front(); first != nil; first = t.waiting.Front() {
		if first.Value.(*ticket).end.After(now) {
			return
		}
		t.drop(first)
	}
}

func (t *Tickets) drop(element *list.Element) *ticket {
	gone := t.waiting.Remove(element).(*ticket)
	delete(t.known, gone.text)
	if t.byUser[gone.token.User]--; t.byUser[gone.token.User] == 0 {
		delete(t.byUser, gone.token.User)
	}
	return gone
}
