package wsclient

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// publishers publish as the types of clients do.
var publishers = []struct {
	name string
	make func(Options) (*Client, func(id, text string) *Pending, error)
	kind string
}{
	// #if chat
	{
		name: "chat", kind: "message",
		make: func(options Options) (*Client, func(id, text string) *Pending, error) {
			client, err := NewChat(options)
			if err != nil {
				return nil, nil, err
			}
			return client.Client, client.Join("").Queue, nil
		},
	},
	// #endif
	// #if pubsub
	{
		name: "pubsub", kind: "publish",
		make: func(options Options) (*Client, func(id, text string) *Pending, error) {
			client, err := NewPubsub(options)
			if err != nil {
				return nil, nil, err
			}
			return client.Client, func(id, text string) *Pending { return client.Queue(id, "lobby", text) }, nil
		},
	},
	// #endif
}

type outcome struct {
	ack Ack
	err error
}

// publishing is a client that a test publishes with.
type publishing struct {
	t       *testing.T
	client  *Client
	publish func(id, text string) *Pending
	kind    string
}

func (p *publishing) start(ctx context.Context, id, text string) <-chan outcome {
	pending := p.publish(id, text)
	outcomes := make(chan outcome, 1)
	go func() {
		ack, err := pending.Wait(ctx)
		outcomes <- outcome{ack, err}
	}()
	return outcomes
}

func (p *publishing) expect(outcomes <-chan outcome, expected error) {
	p.t.Helper()
	if got := take(p.t, outcomes, "an outcome"); !errors.Is(got.err, expected) {
		p.t.Fatalf("expected %v, got %v", expected, got.err)
	}
}

func forPublishers(t *testing.T, change func(*Options), test func(s *server, p *publishing)) {
	t.Helper()
	for _, one := range publishers {
		t.Run(one.name, func(t *testing.T) {
			s := serve(t, nil)
			options := s.options()
			if change != nil {
				change(&options)
			}
			client, publish, err := one.make(options)
			if err != nil {
				t.Fatal(err)
			}
			test(s, &publishing{t, client, publish, one.kind})
		})
	}
}

func TestSendsAgainWithTheSameID(t *testing.T) {
	forPublishers(t, nil, func(s *server, p *publishing) {
		outcomes := p.start(p.t.Context(), "k1", "<hello>")
		run(p.t, p.client)
		first := s.accept()
		first.welcome("history", "resume")
		if message := first.next(p.kind); message["id"] != "k1" {
			p.t.Fatal(message)
		}
		first.cut()
		second := s.accept()
		second.welcome("history", "resume")
		if message := second.next(p.kind); message["id"] != "k1" {
			p.t.Fatal(message)
		}
		second.send(object{"type": "ack", "id": "k1", "offset": 7, "duplicate": true})
		if got := take(p.t, outcomes, "the ack"); got != (outcome{ack: Ack{7, true}}) {
			p.t.Fatal(got)
		}
	})
}

func TestUnknownOutcome(t *testing.T) {
	forPublishers(t, nil, func(s *server, p *publishing) {
		outcomes := p.start(p.t.Context(), "k1", "hello")
		run(p.t, p.client)
		first := s.accept()
		first.welcome("history")
		first.next(p.kind)
		first.cut()
		p.expect(outcomes, ErrUnknownOutcome)
		again := p.start(p.t.Context(), "k2", "hello")
		second := s.accept()
		second.welcome("history")
		if message := second.next(p.kind); message["id"] != "k2" {
			p.t.Fatal(message)
		}
		second.send(object{"type": "error", "id": "k2", "code": "forbidden", "message": "no"})
		p.expect(again, &Error{Code: "forbidden"})
	})
}

func TestLimitsOfTheQueue(t *testing.T) {
	for _, one := range []struct {
		whenFull WhenFull
		oldest   error
		newest   error
	}{
		{DropOldest, ErrDropped, ErrClosed},
		{DropNew, ErrClosed, ErrDropped},
		{Reject, ErrClosed, ErrQueueFull},
	} {
		for _, limit := range []func(*Options){
			func(options *Options) { options.QueueMessages = 2 },
			func(options *Options) { options.QueueBytes = 150 },
		} {
			forPublishers(t, func(options *Options) {
				options.WhenFull = one.whenFull
				limit(options)
			}, func(_ *server, p *publishing) {
				text := strings.Repeat("x", 20)
				first := p.start(p.t.Context(), "k1", text)
				second := p.start(p.t.Context(), "k2", text)
				third := p.start(p.t.Context(), "k3", text)
				if errors.Is(one.oldest, ErrDropped) {
					p.expect(first, one.oldest)
				} else {
					p.expect(third, one.newest)
				}
				p.client.Close()
				p.expect(second, ErrClosed)
			})
		}
	}
}

func TestWhatIsNotPublished(t *testing.T) {
	forPublishers(t, func(options *Options) {
		options.QueueAge = time.Millisecond
		options.MaxMessageBytes = 200
	}, func(_ *server, p *publishing) {
		p.expect(p.start(p.t.Context(), "k1", strings.Repeat("x", 200)), ErrTooBig)
		p.expect(p.start(p.t.Context(), "k2", "late"), ErrExpired)
		ctx, cancel := context.WithCancel(p.t.Context())
		cancel()
		p.expect(p.start(ctx, "k3", "never"), context.Canceled)
		p.client.Close()
		p.expect(p.start(p.t.Context(), "k4", "closed"), ErrClosed)
	})
}

func TestAbortedAndTwice(t *testing.T) {
	forPublishers(t, nil, func(_ *server, p *publishing) {
		ctx, cancel := context.WithCancel(p.t.Context())
		first := p.start(ctx, "k1", "hello")
		if _, err := p.publish("k1", "again").Wait(p.t.Context()); !errors.Is(err, &Error{Code: "bad_message"}) {
			p.t.Fatal(err)
		}
		cancel()
		p.expect(first, ErrAborted)
	})
}

func TestNoAnswer(t *testing.T) {
	forPublishers(t, func(options *Options) { options.AckTimeout = time.Millisecond }, func(s *server, p *publishing) {
		outcomes := p.start(p.t.Context(), "k1", "hello")
		run(p.t, p.client)
		s.accept().welcome("resume")
		p.expect(outcomes, ErrTimeout)
	})
}

func TestAllThatWaitsIsSentInOrder(t *testing.T) {
	// One byte above the mark, so that each waits for the one before.
	forPublishers(t, func(options *Options) { options.HighWaterMark = 1 }, func(s *server, p *publishing) {
		ids := []string{"k1", "k2", "k3", "k4"}
		outcomes := []<-chan outcome{}
		for _, id := range ids {
			outcomes = append(outcomes, p.start(p.t.Context(), id, "hello"))
		}
		run(p.t, p.client)
		peer := s.accept()
		peer.welcome("resume")
		for i, id := range ids {
			if message := peer.next(p.kind); message["id"] != id {
				p.t.Fatal(message)
			}
			peer.send(object{"type": "ack", "id": id})
			p.expect(outcomes[i], nil)
		}
	})
}

func TestWhatHasNoAnswerMakesRoom(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"aborted": func(*Options) {},
		"late":    func(options *Options) { options.AckTimeout = 50 * time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			forPublishers(t, func(options *Options) {
				options.QueueMessages = 1
				change(options)
			}, func(s *server, p *publishing) {
				ctx, cancel := context.WithCancel(p.t.Context())
				defer cancel()
				first := p.start(ctx, "k1", "hello")
				run(p.t, p.client)
				peer := s.accept()
				peer.welcome("resume")
				peer.next(p.kind)
				p.publish("k2", "hello")
				if name == "aborted" {
					cancel()
					p.expect(first, ErrAborted)
				} else {
					p.expect(first, ErrTimeout)
				}
				if message := peer.next(p.kind); message["id"] != "k2" {
					p.t.Fatal(message)
				}
			})
		})
	}
}

func TestWaitsTwiceForTheSameAnswer(t *testing.T) {
	forPublishers(t, nil, func(_ *server, p *publishing) {
		pending := p.publish("k1", "hello")
		p.client.Close()
		for range 2 {
			outcomes := make(chan outcome, 1)
			go func() {
				ack, err := pending.Wait(p.t.Context())
				outcomes <- outcome{ack, err}
			}()
			p.expect(outcomes, ErrClosed)
		}
	})
}
