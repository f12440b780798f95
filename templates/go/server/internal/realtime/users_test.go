package realtime

import (
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/redislink"
)

// sharedUsers are those of a server whose Redis is out of reach.
func sharedUsers() *users {
	u := newUsers(&config.Config{MaxConnectionsPerUser: 2, UserRateLimit: 1, UserRateBurst: 10})
	u.link = redislink.New(redislink.Options{}, slog.New(slog.DiscardHandler))
	return u
}

func TestWhatAUserHasElsewhereIsKnownUntilItIsLetIn(t *testing.T) {
	t.Parallel()
	u := sharedUsers()
	known := u.of("ada")
	// The answer takes its time.
	known.saying.Lock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		u.learn("ada")
	}()
	isAsking := func() bool {
		u.mu.Lock()
		defer u.mu.Unlock()
		return known.asking > 0
	}
	for !isAsking() {
		runtime.Gosched()
	}
	u.sweep()
	known.saying.Unlock()
	<-done
	known.elsewhere = 2
	u.sweep()
	if !u.isFull("ada") {
		t.Error("forgotten")
	}
	known.asked = time.Time{}
	u.sweep()
	if len(u.byName) > 0 {
		t.Error("kept for ever")
	}
}

func TestWhatIsTakenWithoutRedisIsSaidLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := sharedUsers()
		known := u.enter("ada")
		for range 5 {
			u.take(known, time.Now())
		}
		synctest.Wait()
		u.say(known)
		if known.saidTaken != 0 {
			t.Errorf("said that %d were taken", known.saidTaken)
		}
		time.Sleep(3 * time.Second)
		if spent := known.commands.Spent(time.Now()); spent != 2 {
			t.Errorf("%v are missing, want 2", spent)
		}
	})
}

// Not beside others: it counts goroutines.
func TestWhatAUserTakesIsSaidByOneHoweverLongRedisTakes(t *testing.T) {
	u := sharedUsers()
	known := u.enter("ada")
	// The answer takes its time.
	known.saying.Lock()
	before := runtime.NumGoroutine()
	for range 20 {
		u.take(known, time.Now())
		u.sweep()
	}
	if waiting := runtime.NumGoroutine() - before; waiting > 1 {
		t.Errorf("%d wait", waiting)
	}
	known.saying.Unlock()
}
