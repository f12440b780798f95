package redislink

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// oldest is the first version with sharded publishing and flags of scripts.
const oldest = 7

// Subscription is what happens with the messages of a channel. Its function is called with one after the other,
// and must not wait.
type Subscription struct {
	channel   string
	onMessage func(message string)
	isEnded   atomic.Bool
}

// NewSubscription makes one for Link.Subscribe.
func NewSubscription(channel string, onMessage func(message string)) *Subscription {
	return &Subscription{channel: channel, onMessage: onMessage}
}

// connection is one to a process of Redis, until it is lost.
type connection struct {
	client, eventClient *redis.Client
	events              *redis.PubSub
	lost                chan struct{}
	onceLost            sync.Once
	// run identifies the process of Redis: another one may have lost what was written last.
	run, version string

	// subscribing keeps the order of what is sent about channels.
	subscribing sync.Mutex

	mu        sync.Mutex
	byChannel map[string]*Subscription
	confirmed map[string][]chan struct{}
	// pinged is closed with the answer to what was sent last, next with that to what is sent then; nil: none.
	pinged, next chan struct{}
}

// unfitError says why a Redis cannot be used.
type unfitError struct{ why string }

func (e *unfitError) Error() string { return e.why }

// silent keeps the client from writing lines of its own.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func init() { redis.SetLogger(silent{}) }

// newConnection has not connected yet.
func newConnection(options *Options) (*connection, error) {
	parsed, err := redis.ParseURL(options.URL)
	if err != nil {
		return nil, &unfitError{"REDIS_URL cannot be used"}
	}
	c := &connection{
		lost:      make(chan struct{}),
		byChannel: map[string]*Subscription{},
		confirmed: map[string][]chan struct{}{},
	}
	parsed.MaxRetries = -1
	parsed.DialerRetries = 1
	parsed.DialTimeout, parsed.ReadTimeout, parsed.WriteTimeout = options.Timeout, options.Timeout, options.Timeout
	parsed.PoolTimeout = options.Timeout
	parsed.ContextTimeoutEnabled = true
	parsed.DisableIdentity = true
	parsed.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	var greeting sync.Mutex
	parsed.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		greeting.Lock()
		defer greeting.Unlock()
		return c.greet(ctx, conn)
	}
	c.client = redis.NewClient(parsed)
	ofEvents := *parsed
	var isSecond atomic.Bool
	ofEvents.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		// The client would connect again without a word about what was published meanwhile.
		if isSecond.Swap(true) {
			return &unfitError{"the connection was lost"}
		}
		return parsed.OnConnect(ctx, conn)
	}
	c.eventClient = redis.NewClient(&ofEvents)
	c.events = c.eventClient.SSubscribe(context.Background())
	return c, nil
}

var infoLine = regexp.MustCompile(`(?m)^(\w+):(.*?)\r?$`)

// greet finds out whether it is a kind of Redis that can be used, and the same as before.
func (c *connection) greet(ctx context.Context, conn *redis.Conn) error {
	text, err := conn.Info(ctx).Result()
	if err != nil {
		return fmt.Errorf("INFO: %w", err)
	}
	info := map[string]string{}
	for _, line := range infoLine.FindAllStringSubmatch(text, -1) {
		info[line[1]] = line[2]
	}
	version := info["redis_version"]
	var major int
	if _, err := fmt.Sscanf(version, "%d", &major); err != nil || major < oldest {
		if version == "" {
			version = "without a version"
		}
		return &unfitError{"expected Redis " + strconv.Itoa(oldest) + " or newer, it is " + version}
	}
	switch {
	case info["role"] != "master":
		return &unfitError{needsPrimary}
	case info["cluster_enabled"] == "1":
		return &unfitError{"it is a node of a Redis Cluster: expected a Redis that has all keys"}
	case c.run != "" && c.run != info["run_id"]:
		return &unfitError{"another process of Redis answers"}
	}
	c.run, c.version = info["run_id"], version
	return nil
}

// close ends it; what it has not answered fails.
func (c *connection) close() {
	c.onceLost.Do(func() {
		close(c.lost)
		// They may have ended already.
		_ = c.client.Close()
		_ = c.events.Close()
		_ = c.eventClient.Close()
	})
}

// listen begins to take what is published; failed is called when that ends.
func (c *connection) listen(ctx context.Context, failed func(error)) error {
	if err := c.events.Ping(ctx); err != nil {
		return fmt.Errorf("PING: %w", err)
	}
	c.mu.Lock()
	c.pinged = make(chan struct{})
	answered := c.pinged
	c.mu.Unlock()
	go func() {
		for {
			// It ends with the connection.
			event, err := c.events.Receive(context.Background())
			if err != nil {
				failed(err)
				return
			}
			c.take(event)
		}
	}()
	select {
	case <-answered:
		return nil
	case <-c.lost:
		return errAgain
	case <-ctx.Done():
		return fmt.Errorf("PING: %w", ctx.Err())
	}
}

// take handles what comes over the connection for events.
func (c *connection) take(event any) {
	c.mu.Lock()
	switch event := event.(type) {
	case *redis.Message:
		s := c.byChannel[event.Channel]
		c.mu.Unlock()
		if s != nil {
			s.onMessage(event.Payload)
		}
		return
	case *redis.Subscription:
		if event.Kind == "ssubscribe" {
			for _, waits := range c.confirmed[event.Channel] {
				close(waits)
			}
			delete(c.confirmed, event.Channel)
		}
	case *redis.Pong:
		if c.pinged != nil {
			close(c.pinged)
		}
		c.pinged = c.next
		c.next = nil
		if c.pinged != nil {
			c.mu.Unlock()
			// If it fails, so does the connection.
			_ = c.events.Ping(context.Background())
			return
		}
	}
	c.mu.Unlock()
}

// sync waits for the answer to a ping, which comes after everything that was published before. All who ask while
// one is under way share the next.
func (c *connection) sync(ctx context.Context) error {
	c.mu.Lock()
	answered := c.next
	if answered == nil {
		answered = make(chan struct{})
		if c.pinged != nil {
			c.next = answered
		} else {
			c.pinged = answered
			c.mu.Unlock()
			if err := c.events.Ping(ctx); err != nil {
				return fmt.Errorf("PING: %w", err)
			}
			c.mu.Lock()
		}
	}
	c.mu.Unlock()
	select {
	case <-answered:
		return nil
	case <-c.lost:
		return errAgain
	case <-ctx.Done():
		return fmt.Errorf("PING: %w", ctx.Err())
	}
}

// subscribe returns when messages come.
func (c *connection) subscribe(ctx context.Context, s *Subscription) error {
	c.subscribing.Lock()
	if s.isEnded.Load() {
		c.subscribing.Unlock()
		return nil
	}
	confirmed := make(chan struct{})
	c.mu.Lock()
	c.byChannel[s.channel] = s
	c.confirmed[s.channel] = append(c.confirmed[s.channel], confirmed)
	c.mu.Unlock()
	err := c.events.SSubscribe(ctx, s.channel)
	c.subscribing.Unlock()
	if err != nil {
		return fmt.Errorf("SSUBSCRIBE: %w", err)
	}
	select {
	case <-confirmed:
		return nil
	case <-c.lost:
		return errAgain
	}
}

// unsubscribe does nothing if another subscription has taken the place.
func (c *connection) unsubscribe(ctx context.Context, s *Subscription) {
	c.subscribing.Lock()
	defer c.subscribing.Unlock()
	c.mu.Lock()
	isCurrent := c.byChannel[s.channel] == s
	if isCurrent {
		delete(c.byChannel, s.channel)
	}
	c.mu.Unlock()
	if isCurrent {
		// If it fails, so does the connection.
		_ = c.events.SUnsubscribe(ctx, s.channel)
	}
}
