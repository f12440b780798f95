package graphqlws

import (
	"context"
	"sync"
)

// mostUnread is how many values wait for one who subscribes: many clients may publish at once.
const mostUnread = 1000

var errTooSlow = &Error{Message: "what was published came faster than it was read", Code: "TOO_SLOW"}

// Broadcast passes values on to all who subscribe to a topic, in this process.
type Broadcast[Value any] struct {
	mu      sync.Mutex
	readers map[string]map[*reader[Value]]struct{}
}

type reader[Value any] struct {
	ctx    context.Context
	values chan Value
}

// Subscribe returns the values of a topic from now on, until ctx ends, which is that of a resolver.
func (b *Broadcast[Value]) Subscribe(ctx context.Context, topic string) <-chan Value {
	made := &reader[Value]{ctx, make(chan Value, mostUnread)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.readers == nil {
		b.readers = map[string]map[*reader[Value]]struct{}{}
	}
	if b.readers[topic] == nil {
		b.readers[topic] = map[*reader[Value]]struct{}{}
	}
	b.readers[topic][made] = struct{}{}
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.remove(topic, made)
	})
	return made.values
}

// Publish never waits: who has too much unread gets what waits, and then an error.
func (b *Broadcast[Value]) Publish(topic string, value Value) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for reader := range b.readers[topic] {
		select {
		case reader.values <- value:
		default:
			reader.ctx.Value(key{}).(*execution).last.Store(errTooSlow)
			close(reader.values)
			b.remove(topic, reader)
		}
	}
}

// remove is called with the lock.
func (b *Broadcast[Value]) remove(topic string, reader *reader[Value]) {
	if delete(b.readers[topic], reader); len(b.readers[topic]) == 0 {
		delete(b.readers, topic)
	}
}
