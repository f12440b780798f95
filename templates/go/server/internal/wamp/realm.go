package wamp

import (
	"fmt"
	"sync"
)

// user is a user of a realm.
type user struct {
	role string
	// ticket is what it shows as it is; empty: it signs with secret, which is the derived key if there is a salt.
	ticket, secret string
	salt           *salt
}

// salt is how a key is derived of a secret.
type salt struct {
	Salt       string
	Iterations int
	KeyLen     int
}

// settings are what the file of realms says of one.
type settings struct {
	roles map[string]*role
	users map[string]user
	// anonymous is the role of who does not say who it is, tokens that of who shows a token; empty: nobody may.
	anonymous, tokens string
}

// realm has sessions that can call each other and hear what the others publish.
type realm struct {
	name     string
	settings settings

	// mu is never held while anything waits; that of a session comes before it.
	mu      sync.Mutex
	members map[uint64]*member
	broker  broker
	dealer  dealer
}

// router has the realms, by name; none shares anything with another.
type router struct{ realms map[string]*realm }

// failed is told of a procedure that has a bug.
type failed func(procedure string, err error)

func newRouter(all realms, procedures []Procedure, most limits, onFailed failed) (*router, error) {
	made := &router{realms: map[string]*realm{}}
	space := &room{limits: most}
	hosts := map[string]*host{}
	for name, of := range all {
		r := &realm{name: name, settings: of, members: map[uint64]*member{}}
		r.broker = broker{room: space, byID: map[uint64]*subscription{}}
		r.dealer = dealer{lock: &r.mu, room: space, byID: map[uint64]*registration{}}
		made.realms[name] = r
		hosts[name] = newHost(r, onFailed)
		procedures = append(procedures, r.meta()...)
	}
	for _, p := range procedures {
		own := hosts[p.Realm]
		if own == nil {
			return nil, fmt.Errorf("%s: there is no realm %s", p.URI, p.Realm)
		}
		if err := own.add(p); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// join makes a member, of an id unless that is 0 or taken, and tells it with tell before anybody else knows.
func (r *realm) join(id uint64, make func(id uint64) *member, tell func(m *member)) *member {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id == 0 || r.members[id] != nil {
		id = newID()
	}
	m := make(id)
	r.members[id] = m
	tell(m)
	r.announce("wamp.session.on_join", about(m))
	return m
}

// leave ends what a member has; goodbye, which may be nil, is the last that it gets.
func (r *realm) leave(m *member, goodbye func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.isGone = true
	if goodbye != nil {
		goodbye()
	}
	delete(r.members, m.id)
	r.dealer.leave(m)
	r.broker.leave(m)
	r.announce("wamp.session.on_leave", m.id, m.principal.id, m.principal.role)
}

// announce is called with the lock.
func (r *realm) announce(topic string, args ...any) {
	// They are made here, of what JSON has.
	carried, _ := payloadOf(args, nil)
	r.broker.announce(topic, carried)
}

// about is what everybody who may ask gets to know of a session.
func about(m *member) dict {
	details := m.principal.details()
	details["session"] = m.id
	details["transport"] = dict{"type": "websocket"}
	return details
}
