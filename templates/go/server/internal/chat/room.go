package chat

import (
	"sync"

	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/store"
)

// room has the members of one room, and sends them what the store says.
type room struct {
	name string
	hub  *realtime.Hub
	// #if rooms
	// subscribe has the messages of the store come, once; the function that it returns ends that.
	subscribe func() (unsubscribe func(), err error)
	// members are those who have joined or are about to, owner the one whose address it counts for; the mutex
	// of rooms guards both.
	members []*membership
	owner   *membership
	// number is that of rooms that were made before.
	number int
	// #endif

	mu      sync.Mutex
	clients map[*realtime.Client]struct{}
	// #if rooms
	// entering are clients on their way in: what comes for them follows after the reply to their join.
	entering map[*realtime.Client]*held
	// #endif
}

func newRoom(name string, hub *realtime.Hub) *room {
	r := &room{name: name, hub: hub, clients: map[*realtime.Client]struct{}{}}
	// #if rooms
	r.entering = map[*realtime.Client]*held{}
	// #endif
	return r
}

var _ store.Listener = (*room)(nil)

// OnEntry is part of store.Listener.
func (r *room) OnEntry(entry store.Entry) {
	text := messageText(entry)
	sent := r.hub.Encoded("message", text)
	r.mu.Lock()
	defer r.mu.Unlock()
	for client := range r.clients {
		client.Deliver(sent, false)
	}
	// #if rooms
	for _, waiting := range r.entering {
		waiting.entries = append(waiting.entries, heldEntry{entry.Offset, sent})
	}
	// #endif
}

// #if redis

// OnLost is part of store.Listener.
func (r *room) OnLost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for client := range r.clients {
		client.Close(realtime.LostPosition)
	}
	for client := range r.entering {
		client.Close(realtime.LostPosition)
	}
}

// #endif
// #if rooms
// #else
//~ func (r *room) add(client *realtime.Client) {
//~ 	r.mu.Lock()
//~ 	defer r.mu.Unlock()
//~ 	r.clients[client] = struct{}{}
//~ }
// #endif

// remove ends what a client gets; it reports whether that was in, and not on its way.
func (r *room) remove(client *realtime.Client) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, wasIn := r.clients[client]
	delete(r.clients, client)
	// #if rooms
	delete(r.entering, client)
	// #endif
	return wasIn
}

// #if rooms

// held is what came while a client was told what it had missed.
type held struct {
	entries []heldEntry
	// #if presence
	// changes are who came and left.
	changes []store.Change
	// #endif
}

type heldEntry struct {
	offset int64
	sent   *realtime.Message
}

// hold keeps what comes for a client from now on until admit.
func (r *room) hold(client *realtime.Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.clients, client)
	r.entering[client] = &held{}
}

// #if presence

type change struct {
	realtime.Head
	Room string `json:"room"`
	User string `json:"user"`
}

// OnChange is part of store.Listener.
func (r *room) OnChange(news store.Change) {
	sent := r.changeMessage(news)
	r.mu.Lock()
	defer r.mu.Unlock()
	// Every reply to a join lists all members, so a slow client may miss a change.
	for client := range r.clients {
		client.Deliver(sent, true)
	}
	for client, waiting := range r.entering {
		if client.User() != news.User {
			waiting.changes = append(waiting.changes, news)
		}
	}
}

func (r *room) changeMessage(news store.Change) *realtime.Message {
	kind := "member-joined"
	if news.HasLeft {
		kind = "member-left"
	}
	return r.hub.Message(change{Head: realtime.Head{Type: kind}, Room: r.name, User: news.User})
}

// #endif

// admission is what a client was told on its way in.
type admission struct {
	// offset is that of the last message.
	offset int64
	// #if presence
	// members are the users that it was told of.
	members []string
	// #endif
}

// admit sends a client the reply to its join and what has come since hold, but for what the reply holds. It
// reports false if the client is not on its way in any more.
func (r *room) admit(client *realtime.Client, reply *realtime.Message, told admission) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	waiting, ok := r.entering[client]
	if !ok {
		return false
	}
	delete(r.entering, client)
	r.clients[client] = struct{}{}
	client.Deliver(reply, false)
	for _, entry := range waiting.entries {
		if entry.offset > told.offset {
			client.Deliver(entry.sent, false)
		}
	}
	// #if presence
	for _, news := range lastChanges(waiting.changes, told.members) {
		client.Deliver(r.changeMessage(news), true)
	}
	// #endif
	return true
}

// #if presence

// lastChanges are those that a list of members, made somewhere between them, does not show.
func lastChanges(changes []store.Change, members []string) []store.Change {
	isThere := map[string]bool{}
	for _, member := range members {
		isThere[member] = true
	}
	last := map[string]store.Change{}
	for _, news := range changes {
		last[news.User] = news
	}
	var unknown []store.Change
	for user, news := range last {
		if isThere[user] == news.HasLeft {
			unknown = append(unknown, news)
		}
	}
	return unknown
}

// #endif
// #endif
