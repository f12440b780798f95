package pubsub

import (
	"context"
	"sync"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/store"
	"example.com/ws-app/internal/topics"
)

// stream has who subscribes to the topics with one first segment, and sends them what the store says.
type stream struct {
	name string
	hub  *realtime.Hub
	// subscribe has the events of the store come, once; the function that it returns ends that.
	subscribe func() (unsubscribe func(), err error)
	// clients are those with a pattern, and how many they have, owner the address it counts for; the mutex of
	// subscriptions guards both.
	clients map[*realtime.Client]int
	owner   string

	mu       sync.Mutex
	patterns topics.Tree[*realtime.Client]
	// waiting are clients that are told what they have missed: what matches comes after the reply.
	waiting map[*realtime.Client]*held
}

var _ store.Listener = (*stream)(nil)

// held is what came for a client that has asked for a pattern.
type held struct {
	pattern string
	events  []heldEvent
}

type heldEvent struct {
	offset int64
	sent   *realtime.Message
	// isKnown is whether it matches a pattern that the client has had before.
	isKnown bool
}

// OnEntry is part of store.Listener.
func (s *stream) OnEntry(entry store.Entry) {
	topic, sent := topicOf(entry), s.hub.Encoded("event", eventText(entry))
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.patterns.Match(topic)
	for client := range known {
		if s.waiting[client] == nil {
			client.Deliver(sent, false)
		}
	}
	for client, waits := range s.waiting {
		_, isKnown := known[client]
		if isKnown || topics.Match(waits.pattern, topic) {
			waits.events = append(waits.events, heldEvent{entry.Offset, sent, isKnown})
		}
	}
}

// #if presence

// OnChange is part of store.Listener: streams have no users.
func (s *stream) OnChange(store.Change) {}

// #endif

// #if redis

// OnLost is part of store.Listener.
func (s *stream) OnLost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for client := range s.patterns.All() {
		client.Close(realtime.LostPosition)
	}
	for client := range s.waiting {
		client.Close(realtime.LostPosition)
	}
}

// #endif

// count is how many clients get an event of a topic.
func (s *stream) count(topic string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.patterns.Match(topic))
}

// hold keeps what comes for a client from now on until admit.
func (s *stream) hold(client *realtime.Client, pattern string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patterns.Remove(pattern, client)
	s.waiting[client] = &held{pattern: pattern}
}

// admit sends a reply, which holds everything up to offset, between what came before and after it: a client sees
// the offsets of a stream rise, whatever pattern brings them.
func (s *stream) admit(client *realtime.Client, pattern string, reply *realtime.Message, offset int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	waits := s.waiting[client]
	// It may have gone while the store was asked.
	if waits == nil {
		return
	}
	delete(s.waiting, client)
	s.patterns.Add(pattern, client)
	for _, event := range waits.events {
		if event.isKnown && event.offset <= offset {
			client.Deliver(event.sent, false)
		}
	}
	client.Deliver(reply, false)
	for _, event := range waits.events {
		if event.offset > offset {
			client.Deliver(event.sent, false)
		}
	}
}

func (s *stream) remove(client *realtime.Client, pattern string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patterns.Remove(pattern, client)
	if waits := s.waiting[client]; waits != nil && waits.pattern == pattern {
		delete(s.waiting, client)
	}
}

// subscriptions are those of all clients, and the streams that they need.
type subscriptions struct {
	settings *config.Config
	hub      *realtime.Hub
	store    store.Store

	mu       sync.Mutex
	streams  map[string]*stream
	byClient map[*realtime.Client]map[string]*stream
	// used is what each address has.
	used  map[string]*use
	total int
}

type use struct{ streams, subscriptions int }

func newSubscriptions(settings *config.Config, hub *realtime.Hub, kept store.Store) *subscriptions {
	return &subscriptions{
		settings: settings,
		hub:      hub,
		store:    kept,
		streams:  map[string]*stream{},
		byClient: map[*realtime.Client]map[string]*stream{},
		used:     map[string]*use{},
	}
}

// #if metrics

// Count is how many streams have subscribers.
func (p *PubSub) Count() int {
	p.subscriptions.mu.Lock()
	defer p.subscriptions.mu.Unlock()
	return len(p.subscriptions.streams)
}

// #endif

// count is how many clients get an event of a topic.
func (s *subscriptions) count(topic string) int {
	s.mu.Lock()
	found := s.streams[topics.Stream(topic)]
	s.mu.Unlock()
	if found == nil {
		return 0
	}
	return found.count(topic)
}

// open lets a client wait for events that match a pattern; nil when there are too many subscriptions or streams,
// or too many of its address. One is for every client, whatever its neighbours do.
func (s *subscriptions) open(client *realtime.Client, pattern string) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	own, address := s.byClient[client], client.Address()
	if present := own[pattern]; present != nil {
		present.hold(client, pattern)
		return present
	}
	used := s.use(address)
	defer s.forget(address)
	isFirst := len(own) == 0
	if len(own) >= s.settings.MaxSubscriptionsPerClient || s.total >= s.settings.MaxSubscriptions ||
		!isFirst && used.subscriptions >= s.settings.MaxSubscriptionsPerIP {
		return nil
	}
	name := topics.Stream(pattern)
	found := s.streams[name]
	if found == nil {
		if len(s.streams) >= s.settings.MaxStreams || !isFirst && used.streams >= s.settings.MaxStreamsPerIP {
			return nil
		}
		found = s.newStream(name, address)
		used.streams++
	}
	if own == nil {
		own = map[string]*stream{}
		s.byClient[client] = own
	}
	own[pattern] = found
	found.clients[client]++
	used.subscriptions++
	s.total++
	found.hold(client, pattern)
	return found
}

func (s *subscriptions) newStream(name, owner string) *stream {
	made := &stream{
		name:    name,
		hub:     s.hub,
		clients: map[*realtime.Client]int{},
		owner:   owner,
		waiting: map[*realtime.Client]*held{},
	}
	made.subscribe = sync.OnceValues(func() (func(), error) {
		return s.store.Subscribe(context.Background(), name, made, owner)
	})
	s.streams[name] = made
	return made
}

// end ends one subscription; false if there is none.
func (s *subscriptions) end(client *realtime.Client, pattern string) bool {
	found, isEmpty := s.remove(client, pattern)
	if isEmpty {
		// That it failed is known to who asked for it.
		if unsubscribe, err := found.subscribe(); err == nil {
			unsubscribe()
		}
	}
	return found != nil
}

// remove returns the stream of a subscription that there was, and whether nobody needs it any more.
func (s *subscriptions) remove(client *realtime.Client, pattern string) (found *stream, isEmpty bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own, address := s.byClient[client], client.Address()
	if found = own[pattern]; found == nil {
		return nil, false
	}
	defer s.forget(address)
	if delete(own, pattern); len(own) == 0 {
		delete(s.byClient, client)
	}
	s.use(address).subscriptions--
	s.total--
	found.remove(client, pattern)
	if found.clients[client]--; found.clients[client] == 0 {
		delete(found.clients, client)
	}
	switch {
	case len(found.clients) == 0:
		delete(s.streams, found.name)
		defer s.forget(found.owner)
		s.use(found.owner).streams--
		return found, true
	case found.owner == address:
		s.passOn(found)
	}
	return found, false
}

// passOn has a stream whose owner's clients have left count for another address that has space in its share. As
// long as none has, it stays the owner's: handed on, streams could take more than the shares of all.
func (s *subscriptions) passOn(to *stream) {
	next := ""
	for client := range to.clients {
		address := client.Address()
		if address == to.owner {
			return
		}
		if s.use(address).streams < s.settings.MaxStreamsPerIP {
			next = address
		}
	}
	if next == "" {
		return
	}
	s.use(to.owner).streams--
	s.use(next).streams++
	to.owner = next
}

// patterns are those of a client.
func (s *subscriptions) patterns(client *realtime.Client) (patterns []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for pattern := range s.byClient[client] {
		patterns = append(patterns, pattern)
	}
	return patterns
}

// use is what an address has; s.mu is held.
func (s *subscriptions) use(address string) *use {
	known := s.used[address]
	if known == nil {
		known = &use{}
		s.used[address] = known
	}
	return known
}

// forget drops what is known of an address that has nothing.
func (s *subscriptions) forget(address string) {
	if known := s.used[address]; known != nil && *known == (use{}) {
		delete(s.used, address)
	}
}
