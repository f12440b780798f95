package realtime

import (
	// #if redis
	"crypto/rand"
	// #endif
	"sync"
	"time"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/rate"
	// #if redis
	"example.com/ws-app/internal/redislink"
	// #endif
)

// user is what one user has and uses, over all connections; the mutex of its users guards it.
type user struct {
	name        string
	commands    rate.Bucket
	connections int
	// #if redis
	// elsewhere are its connections to other servers; asking are those who want to know before they let it in,
	// asked is when the last one got to know.
	elsewhere, asking int
	asked             time.Time
	// count is which of the counts of this server it is: one that was forgotten began anew.
	count int
	// taken are its commands, saidTaken those of which Redis knows; it was told at saidAt last.
	taken, saidTaken int
	saidAt           time.Time
	// saying is held while Redis is told, so that what is newest is said last; isWaiting is that somebody will
	// when that is done.
	saying    sync.Mutex
	isWaiting bool
	// #endif
}

// users are those who are connected, and for a moment those who were.
type users struct {
	settings *config.Config
	// #if redis
	// link is nil if nothing is shared, node the name of this server.
	link *redislink.Link
	node string
	// counts are those that were begun.
	counts int
	// #endif

	mu     sync.Mutex
	byName map[string]*user
}

func newUsers(settings *config.Config) *users {
	u := &users{settings: settings, byName: map[string]*user{}}
	// #if redis
	u.node = rand.Text()
	// #endif
	return u
}

// isFull is whether one more connection of a user is too many.
func (u *users) isFull(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	known, ok := u.byName[name]
	return ok && u.connectionsOf(known) >= u.settings.MaxConnectionsPerUser
}

// enter counts a connection; nil if it is one too many.
func (u *users) enter(name string) *user {
	u.mu.Lock()
	defer u.mu.Unlock()
	known := u.of(name)
	if u.connectionsOf(known) >= u.settings.MaxConnectionsPerUser {
		return nil
	}
	known.connections++
	// #if redis
	u.sayLater(known)
	// #endif
	return known
}

// of is called with the mutex held.
func (u *users) of(name string) *user {
	known, ok := u.byName[name]
	if !ok {
		commands := rate.NewBucket(float64(u.settings.UserRateLimit), float64(u.settings.UserRateBurst))
		known = &user{name: name, commands: commands}
		// #if redis
		u.counts++
		known.count = u.counts
		// #endif
		u.byName[name] = known
	}
	return known
}

// connectionsOf are those of a user to all servers.
func (u *users) connectionsOf(known *user) int {
	// #if redis
	return known.connections + known.elsewhere
	// #else
	//~ return known.connections
	// #endif
}

// leave is called when a connection that was counted has ended.
func (u *users) leave(known *user) {
	u.mu.Lock()
	defer u.mu.Unlock()
	known.connections--
	// #if redis
	u.sayLater(known)
	// #endif
}

// take counts a command, or says how long it takes until there may be one. Before it is known who a client
// is, no user is concerned.
func (u *users) take(known *user, now time.Time) time.Duration {
	if known == nil {
		return 0
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if known.commands.Take(now, 1) {
		// #if redis
		known.taken++
		// #endif
		return 0
	}
	return max(time.Millisecond, known.commands.Wait(now))
}

// #if protocols

// spend takes commands of the rate, also those that there are not.
func (u *users) spend(known *user, commands int) {
	if known == nil || commands == 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	known.commands.Spend(time.Now(), float64(commands))
	// #if redis
	known.taken += commands
	// #endif
}

// #endif

// sweep forgets who has left and owes nothing.
func (u *users) sweep() {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	for name, known := range u.byName {
		isGone := known.connections == 0 && known.commands.IsFull(now)
		// #if redis
		// Who has asked is about to let it in.
		isGone = isGone && known.asking == 0 && now.Sub(known.asked) > enterWithin
		// #endif
		if isGone {
			delete(u.byName, name)
			continue
		}
		// #if redis
		isUsed := known.taken > known.saidTaken || known.connections > 0 && known.elsewhere > 0
		if isUsed || known.connections > 0 && now.Sub(known.saidAt) > sayAgain {
			u.sayLater(known)
		}
		// #endif
	}
}
