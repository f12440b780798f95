package store

import (
	"container/list"
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/realtime"
)

// overhead is the memory of an entry, an id or a channel besides its text.
const overhead = 128

// Limits are what a Memory may keep.
type Limits struct {
	// Entries and Bytes are those of one channel.
	Entries, Bytes int
	// Space is how many bytes all channels may take now.
	Space func() int
	// Channels is the number at which one without listeners is forgotten, Idle how long it is kept.
	Channels int
	Idle     time.Duration
	// #if resume
	// ResumeWindow is how long an id is known.
	ResumeWindow time.Duration
	// #endif
	// #if presence
	// Grace is how long a user stays after a lost connection, Users the most that a channel has with them.
	Grace time.Duration
	Users int
	// #endif
}

// LimitsOf are those of the settings.
func LimitsOf(settings *config.Config, space func() int) Limits {
	limits := Limits{Space: space, Channels: settings.MaxConnections, Idle: time.Minute}
	// #if rooms
	limits.Channels = settings.MaxRooms
	// #endif
	// #if pubsub
	limits.Channels = settings.MaxStreams
	// #endif
	// #if live
	limits.Channels = settings.MaxDocuments
	// #endif
	// #if history || live
	limits.Entries, limits.Bytes, limits.Idle = settings.HistoryMessages, settings.HistoryBytes, settings.HistoryTTL
	// #endif
	// #if resume
	limits.ResumeWindow = settings.ResumeWindow
	// #endif
	// #if presence
	limits.Grace, limits.Users = settings.PresenceGrace, settings.MaxRoomMembers
	// #endif
	return limits
}

// Memory keeps everything in this process, in bounded space. A restart loses it: epochs are random.
type Memory struct {
	limits Limits

	mu       sync.Mutex
	channels map[string]*channel
	// published has the channels, longest without an entry first; idle those without listeners.
	published, idle *list.List
	bytes           int
}

var _ Store = (*Memory)(nil)

// NewMemory makes one that keeps nothing yet.
func NewMemory(limits Limits) *Memory {
	return &Memory{limits: limits, channels: map[string]*channel{}, published: list.New(), idle: list.New()}
}

// channel is guarded by the mutex of its store.
type channel struct {
	name, owner, epoch string
	// delivery is held while listeners are told, before the mutex of the store.
	delivery    sync.Mutex
	isForgotten bool
	listeners   map[Listener]struct{}
	offset      int64
	bytes       int
	// place is where it is in published, resting where in idle, or nil.
	place, resting *list.Element
	timer          *time.Timer
	// #if history || live
	// entries are those that are kept, entryBytes their text.
	entries    []Entry
	entryBytes int
	// #endif
	// #if resume
	// ids are those of what was published of late.
	ids ids
	// #endif
	// #if presence
	// users are those present by name, names the same in the order in which they came.
	users map[string]*present
	names []string
	// #endif
}

// #if presence

// present is a user of a channel.
type present struct {
	connections int
	grace       *time.Timer
}

// #endif

// Publish is part of Store.
func (m *Memory) Publish(_ context.Context, name string, data []byte, origin Origin) (Published, error) {
	c := m.lock(name, origin.Owner)
	defer c.delivery.Unlock()
	// #if resume
	if first, ok := c.ids.known(m, c, origin, time.Now().Add(-m.limits.ResumeWindow)); ok {
		m.mu.Unlock()
		return Published{Position: realtime.Position{Offset: first, Epoch: c.epoch}, Duplicate: true}, nil
	}
	// #endif
	c.offset++
	entry := Entry{Offset: c.offset, Data: data}
	// #if history || live
	m.keep(c, entry)
	// #endif
	// #if resume
	c.ids.remember(m, c, origin, entry.Offset)
	// #endif
	m.published.MoveToBack(c.place)
	m.trim()
	listeners := slices.Collect(maps.Keys(c.listeners))
	m.mu.Unlock()
	for _, listener := range listeners {
		listener.OnEntry(entry)
	}
	return Published{Position: realtime.Position{Offset: entry.Offset, Epoch: c.epoch}}, nil
}

// Subscribe is part of Store.
func (m *Memory) Subscribe(_ context.Context, name string, listener Listener, owner string) (func(), error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.open(name, owner)
	c.owner = owner
	c.listeners[listener] = struct{}{}
	m.wake(c)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(c.listeners, listener)
		if len(c.listeners) == 0 && !c.isForgotten {
			m.rest(c)
		}
	}, nil
}

// #if history || live

// Recover is part of Store.
func (m *Memory) Recover(_ context.Context, name string, since *realtime.Position) (Recovery, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.open(name, "")
	oldest := c.offset - int64(len(c.entries))
	recovery := Recovery{Position: realtime.Position{Offset: c.offset, Epoch: c.epoch}}
	entries := c.entries
	if since != nil && since.Epoch == c.epoch && since.Offset >= oldest && since.Offset <= c.offset {
		recovery.Recovered = true
		entries = entries[since.Offset-oldest:]
	}
	recovery.Entries = slices.Clone(entries)
	return recovery, nil
}

// keep appends an entry, and drops those that are too many.
func (m *Memory) keep(c *channel, entry Entry) {
	c.entries = append(c.entries, entry)
	c.entryBytes += len(entry.Data)
	m.count(c, overhead+len(entry.Data))
	for len(c.entries) > m.limits.Entries || c.entryBytes > m.limits.Bytes {
		m.dropEntry(c)
	}
}

func (m *Memory) dropEntry(c *channel) {
	octets := len(c.entries[0].Data)
	c.entries[0] = Entry{}
	c.entries = c.entries[1:]
	c.entryBytes -= octets
	m.count(c, -overhead-octets)
}

// #endif
// #if presence

// Enter is part of Store.
func (m *Memory) Enter(_ context.Context, name, user string) error {
	c := m.lock(name, "")
	defer c.delivery.Unlock()
	known, ok := c.users[user]
	if !ok {
		known = &present{}
		c.users[user] = known
		c.names = append(c.names, user)
	}
	known.connections++
	if known.grace != nil {
		known.grace.Stop()
		known.grace = nil
	}
	m.announce(c, Change{User: user}, !ok)
	return nil
}

// Exit is part of Store.
func (m *Memory) Exit(_ context.Context, name, user string, isLost bool) error {
	m.mu.Lock()
	_, isThere := m.channels[name]
	m.mu.Unlock()
	if !isThere {
		return nil
	}
	c := m.lock(name, "")
	defer c.delivery.Unlock()
	known, ok := c.users[user]
	if ok {
		known.connections--
	}
	isLast := ok && known.connections <= 0
	// Users in their grace time must not make a full room exceed its limit.
	if isLast && isLost && len(c.users) <= m.limits.Users {
		isLast = false
		known.grace = time.AfterFunc(m.limits.Grace, func() { m.endGrace(c, user, known) })
	}
	if isLast {
		c.remove(user)
	}
	m.announce(c, Change{User: user, HasLeft: true}, isLast)
	return nil
}

// endGrace is called when a user has not come back in time.
func (m *Memory) endGrace(c *channel, user string, known *present) {
	c.delivery.Lock()
	defer c.delivery.Unlock()
	m.mu.Lock()
	isGone := c.users[user] == known && known.connections == 0
	if isGone {
		c.remove(user)
	}
	m.announce(c, Change{User: user, HasLeft: true}, isGone)
}

func (c *channel) remove(user string) {
	delete(c.users, user)
	c.names = slices.DeleteFunc(c.names, func(name string) bool { return name == user })
}

// announce tells the listeners if there is something to tell. It is called with both mutexes, and gives that of
// the store back.
func (m *Memory) announce(c *channel, change Change, isNews bool) {
	var listeners []Listener
	if isNews {
		listeners = slices.Collect(maps.Keys(c.listeners))
	}
	m.mu.Unlock()
	for _, listener := range listeners {
		listener.OnChange(change)
	}
}

// List is part of Store.
func (m *Memory) List(_ context.Context, name string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.channels[name]; ok {
		return append([]string{}, c.names...), nil
	}
	return []string{}, nil
}

// #endif

// Trim makes space: the channels longest without an entry lose their oldest ones first.
func (m *Memory) Trim() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trim()
}

// lock opens a channel and locks it, and the store.
func (m *Memory) lock(name, owner string) *channel {
	for {
		m.mu.Lock()
		c := m.open(name, owner)
		m.mu.Unlock()
		c.delivery.Lock()
		m.mu.Lock()
		if !c.isForgotten {
			return c
		}
		m.mu.Unlock()
		c.delivery.Unlock()
	}
}

// The rest is called with mu held.

// open finds or makes a channel; without a listener it is kept for a while.
func (m *Memory) open(name, owner string) *channel {
	if c, ok := m.channels[name]; ok {
		return c
	}
	if len(m.channels) >= m.limits.Channels {
		m.forgetIdle(owner)
	}
	epoch := make([]byte, 8)
	// It never fails.
	_, _ = rand.Read(epoch)
	c := &channel{
		name:      name,
		owner:     owner,
		epoch:     hex.EncodeToString(epoch),
		listeners: map[Listener]struct{}{},
	}
	// #if presence
	c.users = map[string]*present{}
	// #endif
	m.channels[name] = c
	c.place = m.published.PushBack(c)
	m.count(c, overhead+len(name))
	m.rest(c)
	return c
}

// rest has a channel without listeners forgotten later.
func (m *Memory) rest(c *channel) {
	m.wake(c)
	c.resting = m.idle.PushBack(c)
	c.timer = time.AfterFunc(m.limits.Idle, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if c.resting != nil && !c.isForgotten {
			m.forget(c)
		}
	})
}

func (m *Memory) wake(c *channel) {
	if c.resting != nil {
		m.idle.Remove(c.resting)
		c.timer.Stop()
		c.resting = nil
	}
}

// forgetIdle forgets the channel that has been idle longest, one of owner if there is one.
func (m *Memory) forgetIdle(owner string) {
	found := m.idle.Front()
	for e := found; e != nil; e = e.Next() {
		if e.Value.(*channel).owner == owner {
			found = e
			break
		}
	}
	if found != nil {
		m.forget(found.Value.(*channel))
	}
}

func (m *Memory) forget(c *channel) {
	m.wake(c)
	c.isForgotten = true
	delete(m.channels, c.name)
	m.published.Remove(c.place)
	m.count(c, -c.bytes)
	// #if presence
	for _, user := range c.users {
		if user.grace != nil {
			user.grace.Stop()
		}
	}
	// #endif
}

func (m *Memory) count(c *channel, octets int) {
	c.bytes += octets
	m.bytes += octets
}

func (m *Memory) trim() {
	for e := m.published.Front(); e != nil; e = e.Next() {
		c := e.Value.(*channel)
		for m.bytes > m.limits.Space() {
			if !m.dropOldest(c) {
				break
			}
		}
		if m.bytes <= m.limits.Space() {
			return
		}
	}
}

// dropOldest drops what a channel has kept longest; false if there is nothing.
func (m *Memory) dropOldest(c *channel) bool {
	// #if history || live
	if len(c.entries) > 0 {
		m.dropEntry(c)
		return true
	}
	// #endif
	// #if resume
	if c.ids.count > 0 {
		c.ids.dropOldest(m, c)
		return true
	}
	// #endif
	return false
}
