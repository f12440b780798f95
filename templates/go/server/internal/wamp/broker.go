package wamp

import (
	"encoding/json"
	"math/rand/v2"

	"example.com/ws-app/internal/protocol"
)

// subscription is what several sessions subscribe to: it has one id for all of them.
type subscription struct {
	id          uint64
	uri, match  string
	subscribers map[*member]struct{}
}

// broker sends what is published to who subscribed. The lock of its realm guards it.
type broker struct {
	subscriptions patterns[*subscription]
	byID          map[uint64]*subscription
	room          *room
	lastID        uint64
}

// subscribe returns the id of the subscription; one that the session has already is named again.
func (b *broker) subscribe(m *member, uri string, options dict) (uint64, error) {
	match, err := matchOf(options)
	if err == nil {
		err = checkURI(uri, match, true)
	}
	if err == nil {
		err = m.role.check("subscribe", uri, match)
	}
	if err != nil {
		return 0, err
	}
	found, isThere := b.subscriptions.get(uri, match)
	if isThere {
		if _, isMine := found.subscribers[m]; isMine {
			return found.id, nil
		}
	}
	if err := b.room.take("subscriptions", len(m.subscriptions), b.room.limits.subscriptions); err != nil {
		return 0, err
	}
	if !isThere {
		b.lastID++
		found = &subscription{b.lastID, uri, match, map[*member]struct{}{}}
		b.subscriptions.set(uri, match, found)
		b.byID[found.id] = found
	}
	found.subscribers[m] = struct{}{}
	m.subscriptions[found] = struct{}{}
	return found.id, nil
}

func (b *broker) unsubscribe(m *member, id uint64) error {
	found := b.byID[id]
	if found != nil {
		if _, isMine := found.subscribers[m]; isMine {
			b.remove(m, found)
			return nil
		}
	}
	return &refusal{"wamp.error.no_such_subscription", "there is none with this id"}
}

// publish is what a session publishes; it returns the id of the publication.
func (b *broker) publish(m *member, topic string, options dict, carried payload) (uint64, error) {
	if err := checkURI(topic, exact, false); err != nil {
		return 0, err
	}
	isSilent, err := flagOf(options, "exclude_me", true)
	if err != nil {
		return 0, err
	}
	isEligible, err := filterOf(options)
	if err != nil {
		return 0, err
	}
	wish, err := flagOf(options, "disclose_me", false)
	if err == nil {
		err = m.role.checkDisclosed("publish", topic, wish)
	}
	if err != nil {
		return 0, err
	}
	var publisher *member
	if wish {
		publisher = m
	}
	isFor := func(to *member) bool { return !(isSilent && to == m) && isEligible(to) }
	return b.send(topic, publisher, carried, isFor), nil
}

// announce is what this process publishes.
func (b *broker) announce(topic string, carried payload) {
	b.send(topic, nil, carried, func(*member) bool { return true })
}

func (b *broker) leave(m *member) {
	for of := range m.subscriptions {
		b.remove(m, of)
	}
}

// send sends an event; the publisher is nil if it is not disclosed.
func (b *broker) send(topic string, publisher *member, carried payload, isFor func(*member) bool) uint64 {
	publication := newID()
	isMeta := isReserved(topic)
	for of := range b.subscriptions.matching(topic) {
		// Events of the router are for those who ask for them by name.
		if isMeta && !isReserved(of.uri) {
			continue
		}
		// It is encoded once.
		var made *protocol.Message
		for to := range of.subscribers {
			if !isFor(to) {
				continue
			}
			if made == nil {
				details := dict{}
				if publisher != nil {
					publisher.disclose(details, "publisher")
				}
				if of.match != exact {
					details["topic"] = topic
				}
				made = write(event, []uint64{of.id, publication}, []json.RawMessage{object(details)}, carried)
			}
			to.deliver(made)
		}
	}
	return publication
}

func (b *broker) remove(m *member, of *subscription) {
	b.room.give()
	delete(m.subscriptions, of)
	if delete(of.subscribers, m); len(of.subscribers) == 0 {
		b.subscriptions.remove(of.uri, of.match)
		delete(b.byID, of.id)
	}
}

// newID is a random id, 1 to 2^53.
func newID() uint64 { return rand.Uint64N(maxID) + 1 }

// listed are the properties by which sessions are named in a black- or whitelist.
var listed = map[string]func(m *member) any{
	// As the numbers of JSON are read.
	"":          func(m *member) any { return float64(m.id) },
	"_authid":   func(m *member) any { return m.principal.id },
	"_authrole": func(m *member) any { return m.principal.role },
}

// filterOf is who gets an event: nobody on a blacklist, and only who is on all whitelists.
func filterOf(options dict) (func(*member) bool, error) {
	var tests []func(*member) bool
	for suffix, nameOf := range listed {
		for _, list := range [2]string{"exclude", "eligible"} {
			given, isThere := options[list+suffix]
			if !isThere {
				continue
			}
			names, isList := given.([]any)
			named := make(map[any]struct{}, len(names))
			for _, name := range names {
				isList = isList && isName(name, suffix == "")
				if isList {
					named[name] = struct{}{}
				}
			}
			if !isList {
				return nil, &refusal{"wamp.error.invalid_argument", list + suffix + ": not such a list"}
			}
			tests = append(tests, func(m *member) bool {
				_, isNamed := named[nameOf(m)]
				return isNamed == (list == "eligible")
			})
		}
	}
	return func(m *member) bool {
		for _, test := range tests {
			if !test(m) {
				return false
			}
		}
		return true
	}, nil
}

func isName(name any, isID bool) bool {
	if isID {
		number, ok := name.(float64)
		return ok && number >= 1 && number <= maxID && number == float64(uint64(number))
	}
	_, ok := name.(string)
	return ok
}
