package auth

import (
	"container/list"
	"sync"
	"time"
)

// maxRevocations are users and tokens that are known to be revoked.
const maxRevocations = 50_000

// Revocations are what is not valid any more: tokens of users up to a moment, and single tokens.
type Revocations struct {
	limit int
	// tolerance is how much the clock of who makes tokens may be ahead: what it made before may say it is newer.
	tolerance time.Duration
	now       func() time.Time

	mu sync.RWMutex
	// known has the elements of order, the oldest of which is first.
	known map[revoked]*list.Element
	order *list.List
	// floor is up to when no token is accepted, as more is not known about them.
	floor time.Time
}

// revoked is a user or the id of a token.
type revoked struct{ user, token string }

type revocation struct {
	what revoked
	at   time.Time
}

func newRevocations(limit int, tolerance time.Duration, now func() time.Time) *Revocations {
	return &Revocations{limit: limit, tolerance: tolerance, now: now, known: map[revoked]*list.Element{}, order: list.New()}
}

// RevokeUser refuses every token of user that was issued until now.
func (r *Revocations) RevokeUser(user string) { r.add(revoked{user: user}, r.now()) }

// RevokeToken refuses the token with this jti.
func (r *Revocations) RevokeToken(id string) { r.add(revoked{token: id}, r.now()) }

// Cover reports whether a token is revoked; one that does not say when it was issued counts as an old one.
func (r *Revocations) Cover(token *Token) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.known) == 0 && r.floor.IsZero() {
		return false
	}
	isUpTo := func(at time.Time) bool { return !token.IssuedAt.Add(-r.tolerance).After(at) }
	if !r.floor.IsZero() && isUpTo(r.floor) {
		return true
	}
	if token.ID != "" && r.known[revoked{token: token.ID}] != nil {
		return true
	}
	element := r.known[revoked{user: token.User}]
	return element != nil && isUpTo(element.Value.(*revocation).at)
}

// add gives the place of the oldest entry, when there is no more, to a rule that refuses more than it did.
func (r *Revocations) add(what revoked, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entry := &revocation{what, at}
	if present := r.known[what]; present != nil {
		// A clock may go back.
		if before := present.Value.(*revocation).at; before.After(entry.at) {
			entry.at = before
		}
		r.order.Remove(present)
	}
	r.known[what] = r.order.PushBack(entry)
	if len(r.known) <= r.limit {
		return
	}
	oldest := r.order.Remove(r.order.Front()).(*revocation)
	delete(r.known, oldest.what)
	if oldest.at.After(r.floor) {
		r.floor = oldest.at
	}
}
