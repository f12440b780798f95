package documents

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"example.com/ws-app/internal/jsonpatch"
	"example.com/ws-app/internal/jsonvalue"
	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/redislink"
	"example.com/ws-app/internal/store"
)

// maxAttempts are how often a change is tried anew whose document others change at the same time.
const maxAttempts = 50

// errConflict is that another server has changed the document first.
var errConflict = errors.New("another server has changed the document")

// IsForLater reports whether documents cannot be made because Redis is out of reach, or full.
func IsForLater(err error) bool {
	var wrong *Error
	var full *redislink.FullError
	return errors.As(err, &wrong) && wrong.Status == http.StatusServiceUnavailable || errors.As(err, &full)
}

// unlessDown is the error that a caller sees.
func unlessDown(err error) error {
	var down *redislink.DownError
	if errors.As(err, &down) {
		return fmt.Errorf("%w: %w", failf(http.StatusServiceUnavailable, "the documents are out of reach"), err)
	}
	return err
}

// follower hears what becomes of a document that several servers change.
type follower struct {
	documents *Documents
	name      string
	// release ends that it hears anything.
	release func()

	// mu is held while the document is changed and who watches it is told.
	mu sync.Mutex
	// early are entries that came before the document was there.
	early    []store.Entry
	isLoaded bool
	// isSure is that nothing but entries has come since the document was asked for.
	isSure bool
}

var _ store.Listener = (*follower)(nil)

// OnEntry is part of store.Listener.
func (f *follower) OnEntry(entry store.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isLoaded {
		f.apply(entry)
	} else {
		f.early = append(f.early, entry)
	}
}

// #if presence

// OnChange is part of store.Listener: documents have no users.
func (f *follower) OnChange(store.Change) {}

// #endif

// OnLost is part of store.Listener.
func (f *follower) OnLost() {
	f.mu.Lock()
	f.beginAnew()
	f.mu.Unlock()
	f.reloadLater()
}

// OnRemoved is part of store.Listener.
func (f *follower) OnRemoved() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.beginAnew()
	f.forget(true)
}

func (f *follower) reloadLater() {
	go func() {
		var wrong *Error
		if err := f.documents.reload(f.name); !errors.As(err, &wrong) {
			f.documents.shared.Report(err)
		}
	}()
}

// current is the document, if it is (still) the one of this follower.
func (f *follower) current() *document {
	f.documents.mu.Lock()
	defer f.documents.mu.Unlock()
	if present := f.documents.byName[f.name]; present != nil && present.follower == f {
		return present
	}
	return nil
}

// The rest is called with f.mu held.

func (f *follower) beginAnew() {
	f.early = nil
	f.isSure = false
}

// apply makes a change that is in the store.
func (f *follower) apply(entry store.Entry) {
	present := f.current()
	if present == nil || entry.Offset <= present.Position.Offset {
		return
	}
	data, err := any(nil), errConflict
	if entry.Offset == present.Position.Offset+1 {
		data, err = patched(present.Data, entry.Data, f.documents.settings.MaxDocumentBytes)
	}
	if err != nil {
		f.reloadLater()
		return
	}
	position := realtime.Position{Offset: entry.Offset, Epoch: present.Position.Epoch}
	made := &Snapshot{Name: f.name, Position: position, Data: data, Text: jsonvalue.Encode(data)}
	f.set(made)
	f.documents.Watcher.OnPatch(made, entry.Data)
}

func patched(data any, patch []byte, limit int) (any, error) {
	operations, err := jsonvalue.Parse(patch)
	if err != nil {
		return nil, err
	}
	read, err := jsonpatch.Read(operations, maxOperations)
	if err != nil {
		return nil, err
	}
	return read.Apply(data, limit)
}

// set takes a document as it is in the store now.
func (f *follower) set(made *Snapshot) {
	d := f.documents
	d.mu.Lock()
	defer d.mu.Unlock()
	if present := d.byName[f.name]; present != nil {
		d.octets -= len(present.Text)
	} else {
		d.count++
	}
	d.octets += len(made.Text)
	d.byName[f.name] = &document{Snapshot: made, follower: f}
}

// forget keeps the document no longer; isRemoved: there is none.
func (f *follower) forget(isRemoved bool) {
	present := f.current()
	if present == nil {
		return
	}
	d := f.documents
	d.mu.Lock()
	delete(d.byName, f.name)
	d.count--
	d.octets -= len(present.Text)
	d.mu.Unlock()
	// A listener must not call the store.
	go f.release()
	if isRemoved {
		d.Watcher.OnRemoved(f.name)
	}
}

// load has a document with all changes here from now on, if there is one.
func (d *Documents) load(ctx context.Context, name string) (*Snapshot, error) {
	f := &follower{documents: d, name: name}
	release, err := d.store.Subscribe(ctx, name, f, "")
	if err != nil {
		return nil, err
	}
	f.release = release
	for {
		f.mu.Lock()
		f.isSure = true
		f.mu.Unlock()
		kept, err := d.shared.Load(name)
		if kept == nil || err != nil {
			release()
			return d.Get(name), err
		}
		made, err := snapshotOf(name, kept)
		if err != nil {
			release()
			return nil, err
		}
		d.makeSpace()
		if f.begin(made) {
			return d.Get(name), nil
		}
	}
}

// begin has the document here, unless another has, and reports whether that is what is in the store.
func (f *follower) begin(made *Snapshot) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.documents.Get(f.name) != nil {
		go f.release()
		return true
	}
	if !f.isSure {
		return false
	}
	f.set(made)
	f.isLoaded = true
	for _, entry := range f.early {
		f.apply(entry)
	}
	f.early = nil
	return true
}

func snapshotOf(name string, kept *store.Kept) (*Snapshot, error) {
	data, err := jsonvalue.Parse(kept.Text)
	return &Snapshot{Name: name, Position: kept.Position, Data: data, Text: kept.Text}, err
}

// reload takes a document as it is in the store; who watches it gets the whole.
func (d *Documents) reload(name string) error {
	d.mu.Lock()
	present := d.byName[name]
	d.mu.Unlock()
	if present == nil || present.follower == nil {
		return nil
	}
	kept, err := d.shared.Load(name)
	if err != nil {
		return unlessDown(err)
	}
	f := present.follower
	f.mu.Lock()
	defer f.mu.Unlock()
	if kept == nil {
		f.forget(true)
		return nil
	}
	current := f.current()
	if current == nil || current.Position.Epoch == kept.Position.Epoch && current.Position.Offset >= kept.Position.Offset {
		return nil
	}
	made, err := snapshotOf(name, kept)
	if err != nil {
		return err
	}
	f.set(made)
	d.Watcher.OnReplaced(made)
	return nil
}

// makeSpace forgets a document that nobody watches, for another one.
func (d *Documents) makeSpace() {
	d.mu.Lock()
	var all []*document
	if d.count >= d.settings.MaxDocuments {
		for _, present := range d.byName {
			all = append(all, present)
		}
	}
	d.mu.Unlock()
	for _, present := range all {
		if present.follower != nil && !d.Watcher.IsWatched(present.Name) {
			present.follower.mu.Lock()
			defer present.follower.mu.Unlock()
			present.follower.forget(false)
			return
		}
	}
}

// repeat does it again after what others did at the same time.
func (d *Documents) repeat(name string, step func() (realtime.Position, error)) (at realtime.Position, err error) {
	for attempt := range maxAttempts {
		if attempt > 0 {
			if err := d.reload(name); err != nil {
				return at, err
			}
		}
		if at, err = step(); !errors.Is(err, errConflict) {
			return at, unlessDown(err)
		}
	}
	return at, failf(http.StatusConflict, "others change the document all the time")
}

// commitShared makes a change that all servers see.
func (d *Documents) commitShared(name string, change store.Commit) (realtime.Position, error) {
	state, at, err := d.shared.Commit(name, change)
	switch {
	case err != nil:
		return at, err
	case state == store.TooMany:
		return at, failf(http.StatusRequestEntityTooLarge, "there are MAX_DOCUMENTS documents")
	case state == store.Elsewhere:
		return at, errConflict
	}
	return at, nil
}
