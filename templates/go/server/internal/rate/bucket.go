// Package rate counts what happens in a time.
package rate

import "time"

// Bucket has perSecond tokens on average, burst at once; who spends more is in debt, by burst at most.
type Bucket struct {
	perSecond, burst, tokens float64
	at                       time.Time
}

// NewBucket makes a full one.
func NewBucket(perSecond, burst float64) Bucket {
	return Bucket{perSecond: perSecond, burst: burst, tokens: burst, at: time.Now()}
}

func (b *Bucket) refill(now time.Time) {
	b.tokens = min(b.burst, b.tokens+now.Sub(b.at).Seconds()*b.perSecond)
	b.at = now
}

// Spend takes tokens, also those that there are not.
func (b *Bucket) Spend(now time.Time, cost float64) {
	b.refill(now)
	b.tokens = max(-b.burst, b.tokens-cost)
}

// Take takes tokens, or none if there are too few.
func (b *Bucket) Take(now time.Time, cost float64) bool {
	b.refill(now)
	if b.tokens < cost {
		return false
	}
	b.tokens -= cost
	return true
}

// #if rate-limit && redis

// Set says how many tokens there are, as others take some, too.
func (b *Bucket) Set(now time.Time, tokens float64) { b.tokens, b.at = tokens, now }

// Spent are the tokens that are missing.
func (b *Bucket) Spent(now time.Time) float64 {
	b.refill(now)
	return b.burst - b.tokens
}

// #endif

// Debt is how long it takes until it is paid.
func (b *Bucket) Debt(now time.Time) time.Duration {
	b.refill(now)
	return b.in(0)
}

// Wait is how long it takes until there is a token.
func (b *Bucket) Wait(now time.Time) time.Duration {
	b.refill(now)
	return b.in(1)
}

// in is how long it takes until there are so many tokens.
func (b *Bucket) in(tokens float64) time.Duration {
	return time.Duration(max(0, (tokens-b.tokens)/b.perSecond*float64(time.Second)))
}

// IsHalfFull is whether little was taken of late.
func (b *Bucket) IsHalfFull() bool { return b.tokens >= b.burst/2 }

// IsFull is whether nothing is owed.
func (b *Bucket) IsFull(now time.Time) bool {
	b.refill(now)
	return b.tokens >= b.burst
}
