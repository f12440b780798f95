package realtime

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPlanLastsForMonthsAndToTheMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p plan
		defer p.end()
		var taken []string
		take := func(what string) func() { return func() { taken = append(taken, what) } }
		start := time.Now()
		end := start.Add(60 * 24 * time.Hour)
		p.set(step{end.Add(-warnBefore), take("warn")}, step{end, take("close")})
		check := func(at time.Time, want ...string) {
			t.Helper()
			time.Sleep(time.Until(at))
			synctest.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			if !slices.Equal(taken, want) {
				t.Errorf("%v later: %v, want %v", time.Since(start), taken, want)
			}
		}
		check(end.Add(-warnBefore - time.Millisecond))
		check(end.Add(-warnBefore), "warn")
		check(end.Add(-time.Millisecond), "warn")
		check(end, "warn", "close")
	})
}

func TestANewPlanTakesThePlaceOfTheOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p plan
		taken := ""
		take := func(what string) func() { return func() { taken += what } }
		now := time.Now()
		p.set(step{now.Add(time.Second), take("a")}, step{now.Add(3 * time.Second), take("b")})
		time.Sleep(2 * time.Second)
		p.set(step{now.Add(4 * time.Second), take("c")}, step{now.Add(6 * time.Second), take("d")})
		time.Sleep(3 * time.Second)
		// What is late is done at once; after the end nothing is.
		p.set(step{now, take("e")}, step{now.Add(time.Hour), take("f")})
		synctest.Wait()
		p.end()
		p.set(step{now, take("g")})
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		if taken != "ace" {
			t.Errorf("got %s", taken)
		}
	})
}
