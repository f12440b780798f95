// Package documents has JSON documents, which are changed one step after the other. Positions and patches are in
// the store.
package documents

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/jsonpatch"
	"example.com/ws-app/internal/jsonvalue"
	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/store"
)

const (
	// maxOperations are those of the longest patch.
	maxOperations = 1000
	// memoryShare of MEMORY_BUDGET is for all documents as JSON: each takes more as a value.
	memoryShare = 8
)

// Error is why a document cannot be had or changed, as an HTTP status.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return e.Message }

func failf(status int, format string, args ...any) *Error {
	return &Error{status, fmt.Sprintf(format, args...)}
}

// Snapshot is a document as it was at a position. It is never changed.
type Snapshot struct {
	Name     string
	Position realtime.Position
	Data     any
	// Text is Data as JSON.
	Text []byte
}

// Watcher gets what happens to documents: to each in order. It must not wait.
type Watcher interface {
	// OnPatch is told that patch, as JSON, has made a snapshot.
	OnPatch(snapshot *Snapshot, patch []byte)
	OnRemoved(name string)
	// #if redis
	// OnReplaced is told that a document is this one now; what led there is not known.
	OnReplaced(snapshot *Snapshot)
	// IsWatched reports whether anybody gets what happens to a document.
	IsWatched(name string) bool
	// #endif
}

// Documents are those of this server; unless they are shared, it alone changes them.
type Documents struct {
	settings *config.Config
	store    store.Store
	// #if redis
	// shared is nil if no other server changes them.
	shared store.Documents
	// #endif
	// Watcher is set before the first change.
	Watcher Watcher

	mu     sync.Mutex
	byName map[string]*document
	turns  map[string]*turn
	// count and octets are those of all documents, those that are being made included.
	count, octets int
}

type document struct {
	*Snapshot
	// release has the store forget the patches.
	release func()
	// #if redis
	// follower is nil if it is not shared; release is nil if it is.
	follower *follower
	// #endif
}

// turn is held by who does something to a document; waiting are those who have it or want it.
type turn struct {
	sync.Mutex
	waiting int
}

// New makes one whose patches are in a store.
func New(settings *config.Config, kept store.Store) *Documents {
	d := &Documents{settings: settings, store: kept, byName: map[string]*document{}, turns: map[string]*turn{}}
	// #if redis
	d.shared, _ = kept.(store.Documents)
	// #endif
	return d
}

// Open is a document, wherever it is; nil if there is none.
func (d *Documents) Open(ctx context.Context, name string) (*Snapshot, error) {
	present := d.Get(name)
	// #if redis
	if present == nil && d.shared != nil && realtime.IsName(name) {
		present, err := d.load(ctx, name)
		return present, unlessDown(err)
	}
	// #else
	//~ _ = ctx
	// #endif
	return present, nil
}

// Get is a document as it is now; nil if there is none.
func (d *Documents) Get(name string) *Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	if present := d.byName[name]; present != nil {
		return present.Snapshot
	}
	return nil
}

// Turn waits until nobody else does anything to the document called name; the function that it returns ends it.
func (d *Documents) Turn(name string) (done func()) {
	d.mu.Lock()
	own := d.turns[name]
	if own == nil {
		own = &turn{}
		d.turns[name] = own
	}
	own.waiting++
	d.mu.Unlock()
	own.Lock()
	return func() {
		own.Unlock()
		d.mu.Lock()
		defer d.mu.Unlock()
		if own.waiting--; own.waiting == 0 {
			delete(d.turns, name)
		}
	}
}

// Put creates or replaces a document by a value that encoding/json can write; who watches it gets the
// difference. Its error is an Error if the value or the name is wrong, or if there is no space.
func (d *Documents) Put(ctx context.Context, name string, value any) (realtime.Position, error) {
	after, err := copyOf(value)
	if err != nil {
		return realtime.Position{}, err
	}
	return d.PutAt(ctx, name, after, "")
}

// copyOf is what a value is as JSON: what the caller changes later is no change of a document.
func copyOf(value any) (any, error) {
	copied, err := jsonvalue.Parse(realtime.JSON(value))
	if err != nil {
		return nil, failf(http.StatusBadRequest, "%v", err)
	}
	return copied, nil
}

// PutAt is Put of a value that jsonvalue.Parse has made. Unless expected is empty, the position of the document has
// to be that, written as epoch:offset, or * for any that exists (RFC 9110 section 13.1.1).
func (d *Documents) PutAt(ctx context.Context, name string, after any, expected string) (realtime.Position, error) {
	none := realtime.Position{}
	if !realtime.IsName(name) {
		return none, failf(http.StatusBadRequest, "expected a name")
	}
	if err := jsonpatch.Check(after); err != nil {
		return none, statusOf(err)
	}
	defer d.Turn(name)()
	// #if redis
	return d.repeat(name, func() (realtime.Position, error) { return d.put(ctx, name, after, expected) })
	// #else
	//~ return d.put(ctx, name, after, expected)
	// #endif
}

func (d *Documents) put(ctx context.Context, name string, after any, expected string) (realtime.Position, error) {
	present, err := d.Open(ctx, name)
	if err == nil {
		err = expect(present, expected)
	}
	if err != nil {
		return realtime.Position{}, err
	}
	switch {
	case present == nil:
		return d.publish(ctx, name, after, jsonpatch.Patch{{Op: "add", Value: after}})
	case jsonvalue.Equal(present.Data, after):
		return present.Position, nil
	}
	return d.publish(ctx, name, after, jsonpatch.Difference(present.Data, after, maxOperations))
}

// Patch changes a document by operations of RFC 6902, as values that encoding/json can write: all or none are done.
func (d *Documents) Patch(ctx context.Context, name string, operations any) (realtime.Position, error) {
	copied, err := copyOf(operations)
	if err != nil {
		return realtime.Position{}, err
	}
	return d.PatchAt(ctx, name, copied, "")
}

// PatchAt is Patch of a value that jsonvalue.Parse has made; expected is as in PutAt.
func (d *Documents) PatchAt(ctx context.Context, name string, operations any, expected string) (realtime.Position, error) {
	defer d.Turn(name)()
	// #if redis
	return d.repeat(name, func() (realtime.Position, error) { return d.patch(ctx, name, operations, expected) })
	// #else
	//~ return d.patch(ctx, name, operations, expected)
	// #endif
}

func (d *Documents) patch(ctx context.Context, name string, operations any, expected string) (realtime.Position, error) {
	none := realtime.Position{}
	present, err := d.Open(ctx, name)
	if err != nil {
		return none, err
	}
	if present == nil {
		return none, missing(name)
	}
	if err := expect(present, expected); err != nil {
		return none, err
	}
	patch, err := jsonpatch.Read(operations, maxOperations)
	if err != nil {
		return none, statusOf(err)
	}
	data, err := patch.Apply(present.Data, d.settings.MaxDocumentBytes)
	if err != nil {
		return none, statusOf(err)
	}
	if err := jsonpatch.Check(data); err != nil {
		return none, statusOf(err)
	}
	// A patch that only tests changes nothing.
	if !patch.Changes() {
		return present.Position, nil
	}
	return d.publish(ctx, name, data, patch)
}

func missing(name string) *Error { return failf(http.StatusNotFound, "there is no document %s", name) }

func statusOf(err error) error {
	var wrong *jsonpatch.Error
	if !errors.As(err, &wrong) {
		return err
	}
	status := map[jsonpatch.Why]int{
		jsonpatch.Invalid:  http.StatusBadRequest,
		jsonpatch.Conflict: http.StatusConflict,
		jsonpatch.TooLarge: http.StatusRequestEntityTooLarge,
	}[wrong.Why]
	return &Error{status, wrong.Message}
}

// Remove removes a document, and returns where it was.
func (d *Documents) Remove(name, expected string) (realtime.Position, error) {
	defer d.Turn(name)()
	// #if redis
	return d.repeat(name, func() (realtime.Position, error) { return d.remove(name, expected) })
	// #else
	//~ return d.remove(name, expected)
	// #endif
}

func (d *Documents) remove(name, expected string) (realtime.Position, error) {
	if _, err := d.Open(context.Background(), name); err != nil {
		return realtime.Position{}, err
	}
	d.mu.Lock()
	present := d.byName[name]
	d.mu.Unlock()
	if present == nil {
		if err := expect(nil, expected); err != nil {
			return realtime.Position{}, err
		}
		return realtime.Position{}, missing(name)
	}
	if err := expect(present.Snapshot, expected); err != nil {
		return realtime.Position{}, err
	}
	// #if redis
	if f := present.follower; f != nil {
		isDone, err := d.shared.Drop(name, present.Position)
		if err == nil && !isDone {
			err = errConflict
		}
		if err != nil {
			return realtime.Position{}, err
		}
		f.OnRemoved()
		return present.Position, nil
	}
	// #endif
	d.mu.Lock()
	delete(d.byName, name)
	d.count--
	d.octets -= len(present.Text)
	d.mu.Unlock()
	present.release()
	d.Watcher.OnRemoved(name)
	return present.Position, nil
}

// Recover returns the patches after since of a document as it is now: call it in its turn.
func (d *Documents) Recover(ctx context.Context, name string, since *realtime.Position) (store.Recovery, error) {
	return d.store.Recover(ctx, name, since)
}

func expect(present *Snapshot, expected string) error {
	position := realtime.Position{}
	if present != nil {
		position = present.Position
	}
	if expected == "" || expected == "*" && present != nil || expected == fmt.Sprintf("%s:%d", position.Epoch, position.Offset) {
		return nil
	}
	return failf(http.StatusPreconditionFailed, "the document is at another position")
}

// publish makes a change, in its turn.
func (d *Documents) publish(ctx context.Context, name string, data any, patch jsonpatch.Patch) (realtime.Position, error) {
	text := jsonvalue.Encode(data)
	if len(text) > d.settings.MaxDocumentBytes {
		return realtime.Position{}, failf(http.StatusRequestEntityTooLarge, "expected at most %d bytes", d.settings.MaxDocumentBytes)
	}
	d.mu.Lock()
	present := d.byName[name]
	isNew, growth := 0, len(text)
	if present == nil {
		isNew = 1
	} else {
		growth -= len(present.Text)
	}
	err := d.reserve(isNew, growth)
	// #if redis
	if err == nil && d.shared != nil {
		// It counts when it comes back.
		d.count -= isNew
		d.octets -= growth
	}
	// #endif
	d.mu.Unlock()
	if err != nil {
		return realtime.Position{}, err
	}
	change := jsonvalue.Encode(patch)
	// #if redis
	if d.shared != nil {
		commit := store.Commit{Text: text, Patch: change}
		if present != nil {
			commit.Expected = &present.Position
		}
		return d.commitShared(name, commit)
	}
	// #endif
	made, err := d.commit(ctx, present, name, change)
	d.mu.Lock()
	if err != nil {
		d.count -= isNew
		d.octets -= growth
		d.mu.Unlock()
		return realtime.Position{}, err
	}
	made.Data, made.Text = data, text
	d.byName[name] = made
	d.mu.Unlock()
	d.Watcher.OnPatch(made.Snapshot, change)
	return made.Position, nil
}

// reserve is called with d.mu held.
func (d *Documents) reserve(isNew, growth int) error {
	if d.count+isNew > d.settings.MaxDocuments {
		return failf(http.StatusRequestEntityTooLarge, "there are MAX_DOCUMENTS documents")
	}
	if d.octets+growth > d.settings.MemoryBudget/memoryShare {
		return failf(http.StatusRequestEntityTooLarge, "all documents together are too large for MEMORY_BUDGET")
	}
	d.count += isNew
	d.octets += growth
	return nil
}

func (d *Documents) commit(ctx context.Context, present *document, name string, change []byte) (*document, error) {
	made := &document{Snapshot: &Snapshot{Name: name}}
	if present == nil {
		release, err := d.store.Subscribe(ctx, name, deaf{}, "")
		if err != nil {
			return nil, err
		}
		made.release = release
	} else {
		made.release = present.release
	}
	published, err := d.store.Publish(ctx, name, change, store.Origin{})
	if err != nil {
		if present == nil {
			made.release()
		}
		return nil, err
	}
	made.Position = published.Position
	return made, nil
}

// deaf keeps a channel, of which it knows what happens.
type deaf struct{}

func (deaf) OnEntry(store.Entry) {}

// #if presence

func (deaf) OnChange(store.Change) {}

// #endif
// #if redis

func (deaf) OnLost() {}

func (deaf) OnRemoved() {}

// #endif

// PatchText is the text of an entry of Recover as watchers get it.
func PatchText(entry store.Entry) []byte {
	return bytes.Join([][]byte{[]byte(fmt.Sprintf(`{"offset":%d,"patch":`, entry.Offset)), entry.Data, {'}'}}, nil)
}
