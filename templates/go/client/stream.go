package wsclient

import (
	"context"
	"iter"
)

const (
	// maxHeld is how many events may wait for the answer to a command.
	maxHeld = 10_000
	// maxPending is how many events may wait for the program. The server is asked again for what comes later.
	maxPending = 4096
)

type status int

const (
	// fresh: it has to ask, as soon as there is a connection.
	fresh status = iota
	asked
	joined
	refused
	// behind: the program has not taken what came; then it asks again.
	behind
)

// Stream is a sequence of events, whose offsets count up. It gives each once and in order, or says that there is a gap.
type Stream struct {
	client *Client
	name   string
	kind   kind
	// All of the following has the client's lock.
	status status
	// offset is that of the last event that was given on, if it isPlaced.
	offset   uint64
	isPlaced bool
	// epoch is empty while the server does not resume.
	epoch string
	// since is what the last command has said.
	since      *Position
	held       []*incoming
	wasJoined  bool
	hasEnded   bool
	queue      []Event
	wakeReader chan struct{}
}

// kind is what rooms, subscriptions and documents do in their own ways, with the client's lock.
type kind interface {
	// read takes what a reply holds, and returns its events.
	read(reply *incoming) []*incoming
	// restore starts anew, with a reply that does not continue what there was.
	restore(reply *incoming)
	// give hands a new event on, in order.
	give(event *incoming)
	// position is where to continue; nil when nothing is known.
	position() *Position
	// hasEveryOffset reports whether it gets every event of its sequence.
	hasEveryOffset() bool
}

// Name is that of the room, topic or document.
func (s *Stream) Name() string { return s.name }

// Next waits for the next event. When the context is done, it returns the context's error; when the stream was left or the
// client has ended, and everything was taken, ErrClosed.
func (s *Stream) Next(ctx context.Context) (Event, error) {
	for {
		event, wake, err := s.take()
		if event != nil || err != nil {
			return event, err
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Events gives all events until Next returns an error.
func (s *Stream) Events(ctx context.Context) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for {
			event, err := s.Next(ctx)
			if err != nil || !yield(event) {
				return
			}
		}
	}
}

// Leave ends the events. What came before may still be taken.
func (s *Stream) Leave() {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.client.leave(s)
}

func (s *Stream) take() (Event, <-chan struct{}, error) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if len(s.queue) == 0 {
		if s.hasEnded {
			return nil, nil, ErrClosed
		}
		if s.wakeReader == nil {
			s.wakeReader = make(chan struct{})
		}
		return nil, s.wakeReader, nil
	}
	event := s.queue[0]
	s.queue[0] = nil
	s.queue = s.queue[1:]
	if len(s.queue) == 0 && s.status == behind {
		s.client.ask(s)
	}
	return event, nil, nil
}

func (s *Stream) put(event Event) {
	s.queue = append(s.queue, event)
	s.wake()
}

func (s *Stream) wake() {
	if s.wakeReader != nil {
		close(s.wakeReader)
		s.wakeReader = nil
	}
}

func (s *Stream) end() {
	s.hasEnded = true
	s.held = nil
	s.wake()
}

// hasAsked: the command was sent.
func (s *Stream) hasAsked(since *Position) {
	s.status, s.since, s.held = asked, since, nil
}

// lost: the connection is gone.
func (s *Stream) lost() { s.status, s.held = fresh, nil }

func (s *Stream) refuse(err *Error) {
	s.status = refused
	s.put(Refused{err})
}

// isSettled: the server has answered.
func (s *Stream) isSettled() bool { return s.status != fresh && s.status != asked }

// #if chat || pubsub
func (s *Stream) restore(*incoming) {}

// #endif
// #if chat || live
func (s *Stream) hasEveryOffset() bool { return true }

// #endif
func (s *Stream) position() *Position {
	if !s.isPlaced || s.epoch == "" {
		return nil
	}
	return &Position{s.offset, s.epoch}
}

// accept takes the answer to the command.
func (s *Stream) accept(reply *incoming) {
	since, position := s.since, reply.Position
	events := s.kind.read(reply)
	isContinued := reply.Recovered && since != nil && position != nil && since.Epoch == position.Epoch &&
		s.isComplete(events, since.Offset, position.Offset)
	if s.wasJoined {
		s.put(Recovered{isContinued})
	}
	s.wasJoined, s.status = true, joined
	s.epoch = ""
	if position != nil {
		s.epoch = position.Epoch
	}
	if isContinued {
		s.offset, s.isPlaced = since.Offset, true
	} else {
		s.offset, s.isPlaced = 0, false
		s.kind.restore(reply)
	}
	for _, event := range events {
		s.giveNew(event)
	}
	if position != nil {
		s.offset, s.isPlaced = max(s.offset, position.Offset), true
	}
	s.put(Joined{})
	held := s.held
	s.held = nil
	for _, event := range held {
		s.handle(event)
	}
}

// handle takes an event of the server.
func (s *Stream) handle(event *incoming) {
	switch {
	case s.status == asked:
		s.held = append(s.held, event)
		if len(s.held) > maxHeld {
			s.client.restart("too many events before an answer")
		}
	case s.status != joined, s.isBehind():
	case event.Offset == 0, !s.isPlaced, event.Offset == s.offset+1:
		s.giveNew(event)
	case event.Offset > s.offset:
		s.handleLater(event)
	}
}

// isBehind: too much waits for the program.
func (s *Stream) isBehind() bool {
	if len(s.queue) >= maxPending {
		s.status = behind
	}
	return s.status == behind
}

// #if pubsub || live
// passed: something else of the same sequence came, and nothing before offset is still to come.
func (s *Stream) passed(offset uint64) {
	if s.status == joined && s.isPlaced {
		s.offset = max(s.offset, offset)
	}
}

// #endif
func (s *Stream) handleLater(event *incoming) {
	if s.kind.hasEveryOffset() {
		if s.kind.position() != nil {
			s.client.ask(s)
			if s.status == asked {
				s.handle(event)
			}
			return
		}
		// Without resume the server cannot fill the gap.
		s.put(Recovered{false})
	}
	s.giveNew(event)
}

func (s *Stream) giveNew(event *incoming) {
	if event.Offset > 0 {
		if s.isPlaced && event.Offset <= s.offset {
			return
		}
		s.offset, s.isPlaced = event.Offset, true
	}
	s.kind.give(event)
}

// isComplete reports whether events lead from start to end without a gap.
func (s *Stream) isComplete(events []*incoming, start, end uint64) bool {
	at := start
	for _, event := range events {
		if event.Offset == 0 {
			return false
		}
		if event.Offset <= at {
			continue
		}
		if s.kind.hasEveryOffset() && event.Offset != at+1 {
			return false
		}
		at = event.Offset
	}
	return at == end || at < end && !s.kind.hasEveryOffset()
}
