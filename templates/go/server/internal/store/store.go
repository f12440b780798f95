// Package store keeps what clients have in common, in channels that exist as soon as they are named.
package store

import (
	"context"

	"example.com/ws-app/internal/realtime"
)

// Entry is what was published: a JSON object as text. Offsets count up by one within an epoch.
type Entry struct {
	Offset int64
	Data   []byte
}

// Origin is who publishes, and the id that makes it the same publication when it comes again.
type Origin struct {
	User, ID string
	// Owner is as in Subscribe.
	Owner string
}

// Published is where an entry is.
type Published struct {
	realtime.Position
	// Duplicate is whether the id was known: the offset is that of the first time, and nobody got it again.
	Duplicate bool
}

// #if history || live

// Recovery is a position and the entries up to it.
type Recovery struct {
	Position realtime.Position
	// Recovered is whether Entries is everything after the position that was asked for.
	Recovered bool
	Entries   []Entry
}

// #endif
// #if presence

// Change is a user who came to a channel or left it.
type Change struct {
	User string
	// HasLeft is false for one who came.
	HasLeft bool
}

// #endif

// Listener gets what happens in a channel, in order, whoever caused it, one after the other. It must not wait,
// and not call the store.
type Listener interface {
	OnEntry(entry Entry)
	// #if presence
	OnChange(change Change)
	// #endif
	// #if redis
	// OnLost is called when entries are missing that cannot be had any more: what comes next is of another epoch.
	OnLost()
	// #if live
	// OnRemoved is called when the document that the channel is of was removed by another server.
	OnRemoved()
	// #endif
	// #endif
}

// Store has the channels. Its methods may wait, as what they need may be outside of this process.
type Store interface {
	// Publish gives data the next offset, keeps it, and passes it to the listeners before it returns.
	Publish(ctx context.Context, channel string, data []byte, origin Origin) (Published, error)
	// Subscribe passes on what happens until the returned function is called. owner is who made it necessary: if
	// space is short, a channel without listeners of the same owner goes first.
	Subscribe(ctx context.Context, channel string, listener Listener, owner string) (unsubscribe func(), err error)
	// #if history || live
	// Recover returns the entries after since, or all that are kept if since is nil, unknown or too old.
	Recover(ctx context.Context, channel string, since *realtime.Position) (Recovery, error)
	// #endif
	// #if presence
	// Enter counts one more connection of a user; the first one is announced.
	Enter(ctx context.Context, channel, user string) error
	// Exit counts one less; after the last one the user is gone, after a grace time if it was lost.
	Exit(ctx context.Context, channel, user string, isLost bool) error
	// List returns the users, longest present first.
	List(ctx context.Context, channel string) ([]string, error)
	// #endif
	// Trim makes space in this process.
	Trim()
}
