package rate

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestBucket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBucket(10, 40)
		b.Spend(time.Now(), 40)
		if debt := b.Debt(time.Now()); debt != 0 {
			t.Errorf("the burst has a debt of %v", debt)
		}
		b.Spend(time.Now(), 5)
		if debt := b.Debt(time.Now()); debt != 500*time.Millisecond {
			t.Errorf("5 more have a debt of %v", debt)
		}
		b.Spend(time.Now(), 1000)
		if debt := b.Debt(time.Now()); debt != 4*time.Second {
			t.Errorf("a flood has a debt of %v", debt)
		}
		time.Sleep(5 * time.Second)
		if debt := b.Debt(time.Now()); debt != 0 || b.tokens != 10 {
			t.Errorf("later the debt is %v, with %v tokens", debt, b.tokens)
		}
		if !b.Take(time.Now(), 10) || b.Take(time.Now(), 1) || b.Wait(time.Now()) != 100*time.Millisecond {
			t.Errorf("there are %v tokens after all were taken", b.tokens)
		}
	})
}
