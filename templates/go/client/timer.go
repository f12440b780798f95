package wsclient

import (
	"sync"
	"time"
)

// timer calls a function with the lock, unless it is stopped or set again before; both need the lock, too.
type timer struct {
	lock    sync.Locker
	running *time.Timer
}

func (t *timer) set(delay time.Duration, call func()) {
	t.stop()
	var mine *time.Timer
	mine = time.AfterFunc(delay, func() {
		t.lock.Lock()
		defer t.lock.Unlock()
		// It may have been stopped while it waited for the lock.
		if t.running == mine {
			t.running = nil
			call()
		}
	})
	t.running = mine
}

func (t *timer) stop() {
	if t.running != nil {
		t.running.Stop()
		t.running = nil
	}
}
