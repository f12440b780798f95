package realtime

import (
	"fmt"
	"time"

	"example.com/ws-app/internal/redislink"
)

const (
	// useTTL is how long the connections of a user count whose server has died.
	useTTL = 30 * time.Second
	// sayAgain is how often a server says what a user has.
	sayAgain = useTTL / 3
	// enterWithin is how long after the question a connection may come that is let in.
	enterWithin = 10 * time.Second
)

var useScript = redislink.NewScript("use")

// learn asks what a user has and uses elsewhere, before it is let in.
func (u *users) learn(name string) {
	if u.link == nil {
		return
	}
	u.mu.Lock()
	known := u.of(name)
	known.asking++
	u.mu.Unlock()
	u.say(known)
	u.mu.Lock()
	defer u.mu.Unlock()
	known.asking--
	known.asked = time.Now()
}

// sayLater tells Redis what a user has and uses; one says, and at most one waits, however long Redis takes. The
// mutex is held.
func (u *users) sayLater(known *user) {
	if u.link == nil || known.isWaiting {
		return
	}
	known.isWaiting = true
	u.link.Go(func() {
		known.saying.Lock()
		defer known.saying.Unlock()
		u.mu.Lock()
		known.isWaiting = false
		u.mu.Unlock()
		u.sayNow(known)
	})
}

func (u *users) say(known *user) {
	known.saying.Lock()
	defer known.saying.Unlock()
	u.sayNow(known)
}

// sayNow is called with saying held.
func (u *users) sayNow(known *user) {
	u.mu.Lock()
	connections, said, taken := known.connections, known.saidTaken, known.taken
	// What was taken long ago is earned again.
	spent := known.commands.Spent(time.Now())
	known.saidAt = time.Now()
	u.mu.Unlock()
	reply, err := u.link.Run(useScript, []string{u.link.Key("user", known.name)},
		u.node, connections, useTTL.Milliseconds(), known.count, said, taken, spent,
		u.settings.UserRateLimit, u.settings.UserRateBurst)
	elsewhere, left := int64(0), 0.0
	if err == nil {
		elsewhere, left, err = readUse(reply)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	known.elsewhere = int(elsewhere)
	if err != nil {
		u.link.Report(err)
		return
	}
	known.saidTaken = taken
	// What it has taken meanwhile will be said the next time.
	known.commands.Set(time.Now(), left-float64(known.taken-taken))
}

func readUse(reply any) (elsewhere int64, left float64, err error) {
	items, _ := reply.([]any)
	if len(items) != 2 {
		return 0, 0, fmt.Errorf("unexpected reply %v", reply)
	}
	_, err = fmt.Sscan(fmt.Sprintln(items...), &elsewhere, &left)
	return elsewhere, left, err
}
