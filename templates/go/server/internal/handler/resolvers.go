package handler

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/graph-gophers/graphql-go"

	"example.com/ws-app/internal/graphqlws"
)

// Schema is what clients may ask for.
//
//go:embed schema.graphql
var Schema string

// What is kept: messages of a channel, and channels.
const (
	maxMessages = 100
	maxChannels = 1000
	maxText     = 4096
)

var channelName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// Resolvers are those of Schema: methods by the names of its fields. Those of Subscription return a channel, each
// value of it is one event; they end when ctx does. Clients read a *graphqlws.Error; of any other error they
// read that there is one, and the log has the rest.
type Resolvers struct {
	// sent is in this process, as all that is kept: several servers need a store and a broker that they share.
	sent graphqlws.Broadcast[*message]

	mu       sync.Mutex
	channels map[string][]*message
}

// NewResolvers makes those of a server.
func NewResolvers() *Resolvers { return &Resolvers{channels: map[string][]*message{}} }

type (
	query        struct{ *Resolvers }
	mutation     struct{ *Resolvers }
	subscription struct{ *Resolvers }
)

// Query has the resolvers of the type with its name, as what follows.
func (r *Resolvers) Query() *query { return &query{r} }

// Mutation is called for one after the other.
func (r *Resolvers) Mutation() *mutation { return &mutation{r} }

// Subscription goes on until its client has enough.
func (r *Resolvers) Subscription() *subscription { return &subscription{r} }

// message has the fields of the type Message.
type message struct {
	ID      graphql.ID
	Channel string
	From    string
	Text    string
	SentAt  string
}

func refuse(reason string, arguments ...any) error {
	return &graphqlws.Error{Message: fmt.Sprintf(reason, arguments...), Code: "BAD_USER_INPUT"}
}

// Messages are the last of a channel.
func (q *query) Messages(arguments struct {
	Channel string
	Last    int32
}) []*message {
	q.mu.Lock()
	defer q.mu.Unlock()
	kept := q.channels[arguments.Channel]
	count := min(len(kept), max(0, int(arguments.Last)))
	return append([]*message{}, kept[len(kept)-count:]...)
}

// Send sends a message to a channel.
func (m *mutation) Send(ctx context.Context, arguments struct{ Channel, Text string }) (*message, error) {
	if !channelName.MatchString(arguments.Channel) {
		return nil, refuse("channel: expected 1 to 64 letters or digits")
	}
	if len(arguments.Text) > maxText {
		return nil, refuse("text: expected at most %d bytes", maxText)
	}
	made := &message{
		ID:      graphql.ID(rand.Text()),
		Channel: arguments.Channel,
		From:    graphqlws.CallerOf(ctx).User,
		Text:    arguments.Text,
		SentAt:  time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
	}
	m.keep(made)
	m.sent.Publish(made.Channel, made)
	return made, nil
}

func (r *Resolvers) keep(made *message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := append(r.channels[made.Channel], made)
	r.channels[made.Channel] = kept[max(0, len(kept)-maxMessages):]
	if len(r.channels) <= maxChannels {
		return
	}
	quietest := made
	for _, messages := range r.channels {
		if last := messages[len(messages)-1]; last.SentAt < quietest.SentAt {
			quietest = last
		}
	}
	delete(r.channels, quietest.Channel)
}

// Messages are those of a channel from now on.
func (s *subscription) Messages(ctx context.Context, arguments struct{ Channel string }) <-chan *message {
	return s.sent.Subscribe(ctx, arguments.Channel)
}

// Countdown counts down to 0.
func (s *subscription) Countdown(ctx context.Context, arguments struct{ From, EveryMs int32 }) (<-chan int32, error) {
	if arguments.From < 0 || arguments.From > 1000 {
		return nil, refuse("from: expected 0 to 1000")
	}
	if arguments.EveryMs < 0 || arguments.EveryMs > 60_000 {
		return nil, refuse("everyMs: expected 0 to 60000")
	}
	left := make(chan int32)
	go func() {
		defer close(left)
		for now := arguments.From; now >= 0; now-- {
			select {
			case left <- now:
			case <-ctx.Done():
				return
			}
			if now == 0 {
				return
			}
			select {
			case <-time.After(time.Duration(arguments.EveryMs) * time.Millisecond):
			case <-ctx.Done():
				return
			}
		}
	}()
	return left, nil
}
