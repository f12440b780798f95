package chat

import (
	"context"
	"slices"
	"sync"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/store"
)

const (
	notInRoom    realtime.Code = "not_in_room"
	tooManyRooms realtime.Code = "too_many_rooms"
	roomFull     realtime.Code = "room_full"
)

var reasons = map[realtime.Code]string{
	tooManyRooms: "leave another room first, or try later",
	roomFull:     "try later",
}

// rooms are those with members, by name. What is kept of the others is the store's concern.
type rooms struct {
	settings *config.Config
	hub      *realtime.Hub
	store    store.Store

	mu     sync.Mutex
	byName map[string]*room
	// byClient has the rooms of each client by name, owned how many rooms count for an address.
	byClient map[*realtime.Client]map[string]*membership
	owned    map[string]int
	made     int
}

// membership is a client in a room, or on its way in; the mutex of rooms guards it.
type membership struct {
	client *realtime.Client
	room   *room
	// hasEnd is that it was removed, wasIn that it was not on its way in then.
	hasEnd, wasIn bool
	// #if presence
	// isPresent is whether the store counts it.
	isPresent bool
	// #endif
}

func newRooms(settings *config.Config, hub *realtime.Hub, kept store.Store) *rooms {
	return &rooms{
		settings: settings,
		hub:      hub,
		store:    kept,
		byName:   map[string]*room{},
		byClient: map[*realtime.Client]map[string]*membership{},
		owned:    map[string]int{},
	}
}

// #if metrics

// Count is how many rooms have members.
func (c *Chat) Count() int {
	c.rooms.mu.Lock()
	defer c.rooms.mu.Unlock()
	return len(c.rooms.byName)
}

// #endif

// of finds a room that a client is in, or on its way in; nil if it is not.
func (r *rooms) of(client *realtime.Client, name string) *membership {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byClient[client][name]
}

// all are those of a client.
func (r *rooms) all(client *realtime.Client) []*membership {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*membership
	for _, m := range r.byClient[client] {
		all = append(all, m)
	}
	return all
}

// enter puts a client on its way into a room, which it owns if nobody is in it; or returns why not. One room
// is for every client, whatever its neighbours do. isNew is false for one that is there already.
func (r *rooms) enter(client *realtime.Client, name string) (m *membership, isNew bool, refused realtime.Code) {
	var out []*membership
	defer func() { r.putOut(out, tooManyRooms) }()
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.byClient[client]
	if m := own[name]; m != nil {
		m.room.hold(client)
		return m, false, ""
	}
	if len(own) >= r.settings.MaxRoomsPerClient {
		return nil, false, tooManyRooms
	}
	found := r.byName[name]
	switch {
	case found == nil:
		isUsedUp := r.owned[client.Address()] >= r.settings.MaxRoomsPerIP
		if isUsedUp && r.ownsOne(client) {
			return nil, false, tooManyRooms
		}
		if !isUsedUp {
			out = r.makeSpace()
		}
		if len(r.byName) >= r.settings.MaxRooms {
			return nil, false, tooManyRooms
		}
		found = r.newRoom(name, client.Address())
	case len(found.members) >= r.settings.MaxRoomMembers:
		return nil, false, roomFull
	}
	m = &membership{client: client, room: found}
	if own == nil {
		own = map[string]*membership{}
		r.byClient[client] = own
	}
	own[name] = m
	found.members = append(found.members, m)
	if found.owner == nil {
		r.give(found, m)
	}
	found.hold(client)
	return m, true, ""
}

func (r *rooms) newRoom(name, owner string) *room {
	made := newRoom(name, r.hub)
	made.subscribe = sync.OnceValues(func() (func(), error) {
		return r.store.Subscribe(context.Background(), name, made, owner)
	})
	made.number = r.made
	r.made++
	r.byName[name] = made
	return made
}

func (r *rooms) ownsOne(client *realtime.Client) bool {
	for _, m := range r.byClient[client] {
		if m.room.owner == m {
			return true
		}
	}
	return false
}

// give counts a room for the address of its next owner, and no longer for that of the one before.
func (r *rooms) give(to *room, next *membership) {
	if to.owner != nil {
		address := to.owner.client.Address()
		if r.owned[address]--; r.owned[address] == 0 {
			delete(r.owned, address)
		}
	}
	if to.owner = next; next != nil {
		r.owned[next.client.Address()]++
	}
}

// makeSpace ends the newest room of an address above its share when there are too many rooms; its members
// are to be put out.
func (r *rooms) makeSpace() []*membership {
	if len(r.byName) < r.settings.MaxRooms {
		return nil
	}
	var newest *room
	for _, other := range r.byName {
		isAbove := other.owner != nil && r.owned[other.owner.client.Address()] > r.settings.MaxRoomsPerIP
		if isAbove && (newest == nil || other.number > newest.number) {
			newest = other
		}
	}
	if newest == nil {
		return nil
	}
	members := slices.Clone(newest.members)
	for _, m := range members {
		r.remove(m)
	}
	return members
}

// exit takes a client out of a room; isLost if its connection has ended.
func (r *rooms) exit(m *membership, isLost bool) error {
	r.mu.Lock()
	r.remove(m)
	r.mu.Unlock()
	return r.leave(m, isLost)
}

// remove is called with mu held; leave has to follow, without.
func (r *rooms) remove(m *membership) {
	if m.hasEnd {
		return
	}
	m.hasEnd = true
	left := m.room
	m.wasIn = left.remove(m.client)
	own := r.byClient[m.client]
	if delete(own, left.name); len(own) == 0 {
		delete(r.byClient, m.client)
	}
	left.members = slices.DeleteFunc(left.members, func(other *membership) bool { return other == m })
	if left.owner == m {
		r.passOn(left, m.client.Address())
	}
	if len(left.members) == 0 && r.byName[left.name] == left {
		delete(r.byName, left.name)
	}
}

// passOn is called when the owner has left: the room counts for the same address if that is still in it, else
// for one that has space in its share, else for one that has not.
func (r *rooms) passOn(left *room, address string) {
	r.give(left, nil)
	rank := func(m *membership) int {
		switch other := m.client.Address(); {
		case other == address:
			return 2
		case r.owned[other] < r.settings.MaxRoomsPerIP:
			return 1
		}
		return 0
	}
	var next *membership
	for _, m := range left.members {
		if next == nil || rank(m) > rank(next) {
			next = m
		}
	}
	r.give(left, next)
}

// leave tells the store of a membership that was removed.
func (r *rooms) leave(m *membership, isLost bool) (err error) {
	r.mu.Lock()
	isEmpty := len(m.room.members) == 0
	// #if presence
	wasPresent := m.isPresent
	m.isPresent = false
	// #endif
	r.mu.Unlock()
	// #if presence
	if wasPresent {
		err = r.store.Exit(context.Background(), m.room.name, m.client.User(), isLost)
	}
	// #else
	//~ _ = isLost
	// #endif
	if isEmpty {
		if unsubscribe, failed := m.room.subscribe(); failed == nil {
			unsubscribe()
		}
	}
	return err
}

type left struct {
	realtime.Head
	Room string        `json:"room"`
	Code realtime.Code `json:"code,omitempty"`
}

// putOut tells clients that they are in a room no longer, from which they were removed. Those that were on their
// way in hear it as the answer to their join.
func (r *rooms) putOut(members []*membership, why realtime.Code) {
	for _, m := range members {
		if m.wasIn {
			m.client.Send(left{Head: realtime.Head{Type: "left"}, Room: m.room.name, Code: why})
		}
		// There is nobody to tell that it failed.
		_ = r.leave(m, false)
	}
}

// #if auth

// expel takes a client out of a room that is closed to it.
func (r *rooms) expel(m *membership) {
	r.mu.Lock()
	wasIn := !m.hasEnd
	r.remove(m)
	r.mu.Unlock()
	if wasIn {
		r.putOut([]*membership{m}, realtime.Forbidden)
	}
}

// #endif

func (c *Chat) readLeave(fields *realtime.Fields) realtime.Action {
	name := fields.Name("room")
	return func(_ context.Context, client *realtime.Client, id string) error {
		m := c.rooms.of(client, name)
		if m == nil {
			client.Fail(id, notInRoom, "not in "+name)
			return nil
		}
		if err := c.rooms.exit(m, false); err != nil {
			return err
		}
		client.Send(left{Head: realtime.Head{Type: "left", ID: id}, Room: name})
		return nil
	}
}

type joined struct {
	realtime.Head
	Room string `json:"room"`
	// #if presence
	// Members are their users, the new one included.
	Members []string `json:"members"`
	// #endif
	// #if resume
	// Recovered is whether the messages are all that came after the position that the client named.
	Position  realtime.Position `json:"position"`
	Recovered bool              `json:"recovered"`
	// #endif
}

func (c *Chat) readJoin(fields *realtime.Fields) realtime.Action {
	name := fields.Name("room")
	// #if resume
	since := fields.Position("since")
	// #else
	// #if history
	//~ var since *realtime.Position
	// #endif
	// #endif
	return func(ctx context.Context, client *realtime.Client, id string) error {
		isAllowed, err := c.hooks.Authorize.Ask(ctx, client.Identity(), "join", name)
		if err != nil {
			return err
		}
		if !isAllowed {
			client.Fail(id, realtime.Forbidden, "you may not enter "+name)
			return nil
		}
		// What comes from now on waits, so that nothing is missing between reply and events.
		m, isNew, refused := c.rooms.enter(client, name)
		if refused != "" {
			client.Fail(id, refused, reasons[refused])
			return nil
		}
		if _, err := m.room.subscribe(); err != nil {
			return err
		}
		reply := joined{Head: realtime.Head{Type: "joined", ID: id}, Room: name}
		told := admission{}
		// #if presence
		if isNew {
			if err := c.rooms.announce(ctx, m); err != nil {
				return err
			}
		}
		if reply.Members, err = c.store.List(ctx, name); err != nil {
			return err
		}
		told.members = reply.Members
		// #else
		//~ _ = isNew
		// #endif
		// #if history
		recovery, err := c.store.Recover(ctx, name, since)
		if err != nil {
			return err
		}
		told.offset = recovery.Position.Offset
		// #if resume
		reply.Position, reply.Recovered = recovery.Position, recovery.Recovered
		// #if metrics
		if since != nil {
			c.hub.CountRecovery(recovery.Recovered)
		}
		// #endif
		// #endif
		sent := c.hub.Encoded("joined", withMessages(reply, recovery.Entries))
		// #else
		//~ sent := c.hub.Message(reply)
		// #endif
		if !m.room.admit(client, sent, told) {
			// It has gone meanwhile, or was put out to make space.
			client.Fail(id, tooManyRooms, reasons[tooManyRooms])
		}
		return nil
	}
}

// #if history

// withMessages is a reply to a join with the messages as its last key.
func withMessages(reply joined, entries []store.Entry) []byte {
	text := realtime.JSON(reply)
	text = append(text[:len(text)-1], `,"messages":[`...)
	for i, entry := range entries {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, messageText(entry)...)
	}
	return append(text, `]}`...)
}

// #endif
// #if presence

// announce has the store count a member that is new. One that was put out meanwhile is gone at once.
func (r *rooms) announce(ctx context.Context, m *membership) error {
	if err := r.store.Enter(ctx, m.room.name, m.client.User()); err != nil {
		return err
	}
	r.mu.Lock()
	isGone := m.hasEnd
	m.isPresent = !isGone
	r.mu.Unlock()
	if isGone {
		return r.store.Exit(ctx, m.room.name, m.client.User(), false)
	}
	return nil
}

type members struct {
	realtime.Head
	Room    string   `json:"room"`
	Members []string `json:"members"`
}

func (c *Chat) readMembers(fields *realtime.Fields) realtime.Action {
	name := fields.Name("room")
	return func(ctx context.Context, client *realtime.Client, id string) error {
		if c.rooms.of(client, name) == nil {
			client.Fail(id, notInRoom, "join "+name+" first")
			return nil
		}
		names, err := c.store.List(ctx, name)
		if err != nil {
			return err
		}
		client.Send(members{Head: realtime.Head{Type: "members", ID: id}, Room: name, Members: names})
		return nil
	}
}

// #endif
