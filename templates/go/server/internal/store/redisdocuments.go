package store

import (
	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/redislink"
)

var (
	loadScript   = redislink.NewScript("load")
	commitScript = redislink.NewScript("commit")
	dropScript   = redislink.NewScript("drop")
)

// Documents keeps documents whose patches are the entries of a channel of the same name.
type Documents interface {
	// Load returns a document as JSON, and its position; nil if there is none.
	Load(name string) (*Kept, error)
	// Commit keeps a document and publishes the patch that has made it, if it is at a position, or does not exist
	// if that is nil. It returns when the listeners of this process know.
	Commit(name string, change Commit) (Committed, realtime.Position, error)
	// Drop removes a document, if it is at a position.
	Drop(name string, at realtime.Position) (isDone bool, err error)
	// Report logs what failed beside.
	Report(err error)
}

// Kept is a document in a store.
type Kept struct {
	Position realtime.Position
	Text     []byte
}

// Commit is a change of a document.
type Commit struct {
	Text, Patch []byte
	Expected    *realtime.Position
}

// Committed is what became of a change.
type Committed int

// What can become of it; Elsewhere is that the document is at another position.
const (
	Elsewhere Committed = iota
	Done
	TooMany
)

var _ Documents = (*Redis)(nil)

// Load is part of Documents.
func (s *Redis) Load(name string) (*Kept, error) {
	found, err := s.link.Run(loadScript, s.keys(name, s.key(name, "document")), newEpoch(), s.ttl())
	if err != nil || found == nil {
		return nil, err
	}
	r := newReply(found)
	position := realtime.Position{Offset: r.integer(), Epoch: r.text()}
	return &Kept{position, []byte(r.text())}, r.err
}

// Commit is part of Documents.
func (s *Redis) Commit(name string, change Commit) (state Committed, at realtime.Position, err error) {
	expected := realtime.Position{}
	if change.Expected != nil {
		expected = *change.Expected
	}
	keys := s.keys(name, s.key(name, "document"), s.key(name, "id:"+s.newAttempt()), s.link.Key("documents"))
	made, err := s.link.Run(
		commitScript, keys, newEpoch(), s.ttl(), s.settings.HistoryMessages, s.settings.HistoryBytes,
		unnamedWindow.Milliseconds(), change.Patch, change.Text, expected.Epoch, expected.Offset, s.settings.MaxDocuments, name)
	if err != nil {
		return Elsewhere, at, err
	}
	r := newReply(made)
	state = Committed(r.integer())
	at = realtime.Position{Offset: r.integer(), Epoch: r.text()}
	if r.err == nil && state == Done {
		s.link.Report(s.reach(name, at))
	}
	return state, at, r.err
}

// Drop is part of Documents.
func (s *Redis) Drop(name string, at realtime.Position) (bool, error) {
	keys := s.keys(name, s.key(name, "document"), s.link.Key("documents"))
	done, err := s.link.Run(dropScript, keys, newEpoch(), at.Epoch, at.Offset, name)
	return done == int64(1), err
}

// Report is part of Documents.
func (s *Redis) Report(err error) { s.link.Report(err) }
