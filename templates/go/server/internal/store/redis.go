package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/redislink"
)

const (
	// unnamedWindow is how long what was published without an id is known, should it be sent again.
	unnamedWindow = time.Minute
	// atOnce are channels that are looked at together.
	atOnce = 50
)

var (
	publishScript = redislink.NewScript("publish")
	openScript    = redislink.NewScript("open")
	readScript    = redislink.NewScript("read")
)

// Redis keeps what clients have in common in a Redis, for all servers with the same REDIS_PREFIX. While that is
// out of reach, a channel that is used becomes one of this process: it has another epoch, and what was published
// in it is forgotten when Redis is back. Each time its listeners are told that their position is lost.
type Redis struct {
	settings  *config.Config
	link      *redislink.Link
	log       *slog.Logger
	newMemory func() *Memory
	// node is this process; publications count what it has published.
	node         string
	publications atomic.Int64
	closed       chan struct{}

	mu       sync.Mutex
	channels map[string]*shared
	// memory has what is published while Redis is out of reach.
	memory *Memory
	// #if presence
	// attended are the channels to which users of this process have come.
	attended map[string]*attendance
	// #endif
}

var _ Store = (*Redis)(nil)

// NewRedis makes one for a link that is not started; newMemory makes what is used without.
func NewRedis(settings *config.Config, link *redislink.Link, log *slog.Logger, newMemory func() *Memory) *Redis {
	s := &Redis{
		settings:  settings,
		link:      link,
		log:       log,
		newMemory: newMemory,
		node:      newEpoch(),
		closed:    make(chan struct{}),
		channels:  map[string]*shared{},
		memory:    newMemory(),
	}
	// #if presence
	s.attended = map[string]*attendance{}
	// #endif
	link.OnUp(s.reopen)
	go s.check()
	return s
}

func newEpoch() string {
	epoch := make([]byte, 8)
	// It never fails.
	_, _ = rand.Read(epoch)
	return hex.EncodeToString(epoch)
}

// Close ends what happens beside, and says goodbye to the other servers.
func (s *Redis) Close() {
	close(s.closed)
	// #if presence
	s.leaveAll()
	// #endif
}

// Trim makes space in this process.
func (s *Redis) Trim() { s.own().Trim() }

func (s *Redis) own() *Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory
}

func (s *Redis) key(name, kind string) string { return s.link.Key("{"+name+"}", kind) }

// keys are those that every script of a channel begins with.
func (s *Redis) keys(name string, more ...string) []string {
	keys := []string{s.key(name, "meta"), s.key(name, "stream"), s.key(name, "channel")}
	return append(keys, more...)
}

// ttl is how long a channel is kept; who listens says each POSITION_CHECK that it is needed.
func (s *Redis) ttl() int64 {
	return max(s.settings.HistoryTTL, 4*s.settings.PositionCheck).Milliseconds()
}

// Publish is part of Store.
func (s *Redis) Publish(ctx context.Context, name string, data []byte, origin Origin) (published Published, err error) {
	if err := s.waitOpened(name); err != nil {
		return Published{}, err
	}
	attempt := s.newAttempt()
	identity, window := attempt, unnamedWindow
	if origin.ID != "" {
		identity, window = origin.User+"\n"+origin.ID, max(time.Millisecond, s.settings.ResumeWindow)
	}
	hash := sha256.Sum256([]byte(identity))
	keys := s.keys(name, s.key(name, "id:"+base64.RawURLEncoding.EncodeToString(hash[:])))
	err = s.orLocally(
		name,
		func() error {
			reply, err := s.link.Run(
				publishScript, keys, newEpoch(), s.ttl(), s.settings.HistoryMessages, s.settings.HistoryBytes,
				window.Milliseconds(), attempt, data)
			if err != nil {
				return err
			}
			r := newReply(reply)
			published.Duplicate = r.integer() == 1
			published.Position = realtime.Position{Offset: r.integer(), Epoch: r.text()}
			if r.err == nil && !published.Duplicate {
				s.link.Report(s.reach(name, published.Position))
			}
			return r.err
		},
		func(m *Memory) error {
			published, err = m.Publish(ctx, name, data, origin)
			return err
		})
	return published, err
}

func (s *Redis) newAttempt() string {
	return s.node + strconv.FormatInt(s.publications.Add(1), 10)
}

// Subscribe is part of Store.
func (s *Redis) Subscribe(_ context.Context, name string, listener Listener, owner string) (func(), error) {
	s.mu.Lock()
	c := s.channels[name]
	isNew := c == nil
	if isNew {
		c = newShared(s, name)
		s.channels[name] = c
	}
	c.mu.Lock()
	c.listeners[listener] = struct{}{}
	c.owner = owner
	if isNew {
		c.opened = newPromise()
		opened := c.opened
		go func() { opened.keep(s.open(c)) }()
	}
	opened := c.opened
	c.mu.Unlock()
	s.mu.Unlock()
	end := func() { s.unsubscribe(c, listener) }
	if err := opened.wait(); err != nil {
		end()
		return nil, err
	}
	return end, nil
}

func (s *Redis) unsubscribe(c *shared, listener Listener) {
	s.mu.Lock()
	c.mu.Lock()
	delete(c.listeners, listener)
	isLast := len(c.listeners) == 0 && s.channels[c.name] == c
	if isLast {
		delete(s.channels, c.name)
		c.leaveMemory()
	}
	c.mu.Unlock()
	s.mu.Unlock()
	if isLast {
		s.link.Unsubscribe(c.subscription)
	}
}

// Recover is part of Store.
func (s *Redis) Recover(ctx context.Context, name string, since *realtime.Position) (recovery Recovery, err error) {
	if err := s.waitOpened(name); err != nil {
		return Recovery{}, err
	}
	err = s.orLocally(
		name,
		func() (err error) {
			if recovery, err = s.read(name, since); err != nil {
				return err
			}
			// Whoever is told has all up to the position: nothing of it may come again.
			return s.reach(name, recovery.Position)
		},
		func(m *Memory) (err error) {
			recovery, err = m.Recover(ctx, name, since)
			return err
		})
	return recovery, err
}

func (s *Redis) channel(name string) *shared {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channels[name]
}

// waitOpened waits until what is published in a channel comes, if anybody listens.
func (s *Redis) waitOpened(name string) error {
	c := s.channel(name)
	if c == nil {
		return nil
	}
	c.mu.Lock()
	opened := c.opened
	c.mu.Unlock()
	return opened.wait()
}

// orLocally does it in Redis; in this process as long as that is out of reach.
func (s *Redis) orLocally(name string, inRedis func() error, locally func(*Memory) error) error {
	if c := s.channel(name); c == nil || !c.isLocal() {
		err := inRedis()
		var down *redislink.DownError
		if !errors.As(err, &down) {
			return err
		}
		if c := s.channel(name); c != nil {
			s.leaveRedis(c)
		}
	}
	return locally(s.own())
}

// open has what is published come from now on.
func (s *Redis) open(c *shared) error {
	err := s.tryOpen(c)
	var down *redislink.DownError
	if errors.As(err, &down) {
		s.leaveRedis(c)
		return nil
	}
	return err
}

func (s *Redis) tryOpen(c *shared) error {
	if err := s.link.Subscribe(c.subscription); err != nil {
		return err
	}
	position, err := s.touch(c.name)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.position == nil {
		c.position = &position
	}
	isBehind := c.highest > c.position.Offset
	c.mu.Unlock()
	// #if presence
	if _, err := s.listAll(c.name); err != nil {
		return err
	}
	// #endif
	if isBehind {
		return s.catchUp(c)
	}
	return nil
}

// reopen is called when a connection to Redis is new: nothing comes any more of what was subscribed to.
func (s *Redis) reopen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	// What was published meanwhile must not be taken for something newer the next time.
	s.memory = s.newMemory()
	channels := slices.Collect(maps.Values(s.channels))
	promises := make([]*promise, len(channels))
	for i, c := range channels {
		promises[i] = newPromise()
		c.mu.Lock()
		c.opened = promises[i]
		c.mu.Unlock()
	}
	s.link.Go(func() {
		inTurn(len(channels), func(i int) { promises[i].keep(s.resume(channels[i])) })
		// #if presence
		s.announceAll()
		for _, c := range channels {
			s.compare(c)
		}
		// #endif
	})
}

// inTurn does something for each index, some at once.
func inTurn(count int, do func(index int)) {
	var all sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for i := range count {
		places <- struct{}{}
		all.Go(func() {
			do(i)
			<-places
		})
	}
	all.Wait()
}

func (s *Redis) resume(c *shared) error {
	c.mu.Lock()
	if c.memory != nil {
		c.leaveMemory()
		c.lose(nil)
	}
	isFresh := c.position == nil
	c.mu.Unlock()
	if isFresh {
		return s.open(c)
	}
	err := s.link.Subscribe(c.subscription)
	if err == nil {
		err = s.catchUp(c)
	}
	// The next connection does it again, or who needs it before goes without.
	s.link.Report(err)
	return nil
}

// leaveRedis makes a channel one of this process.
func (s *Redis) leaveRedis(c *shared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.memory != nil || s.channels[c.name] != c {
		return
	}
	// It never fails.
	c.memory, _ = s.memory.Subscribe(context.Background(), c.name, c, c.owner)
	// To who has just come, nothing was promised.
	if c.position != nil {
		c.lose(nil)
	}
}

// reach returns when the listeners of a channel have got everything up to a position, or know that they cannot.
func (s *Redis) reach(name string, to realtime.Position) error {
	c := s.channel(name)
	if c == nil || !c.expect(to) {
		return nil
	}
	// What was published comes before this returns; what has not come is lost.
	if err := s.link.Sync(); err != nil {
		return err
	}
	if !c.expect(to) {
		return nil
	}
	s.countMissed(c, to)
	return s.catchUp(c)
}

// countMissed counts what is known to be published, up to a position, and was not heard.
func (s *Redis) countMissed(c *shared, to realtime.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// After a new connection, what has not come was not lost.
	if c.position != nil && c.position.Epoch == to.Epoch && c.catching == nil {
		s.link.Figures.Missed.Add(max(0, to.Offset-c.position.Offset))
	}
}

// catchUp passes on what is in the stream and has not come; it says so if that is not all.
func (s *Redis) catchUp(c *shared) error {
	c.mu.Lock()
	catching := c.catching
	isFirst := catching == nil
	if isFirst {
		catching = newPromise()
		c.catching = catching
	}
	c.mu.Unlock()
	if !isFirst {
		return catching.wait()
	}
	err := s.readOn(c)
	c.mu.Lock()
	if c.catching == catching {
		c.catching = nil
	}
	c.mu.Unlock()
	catching.keep(err)
	return err
}

func (s *Redis) readOn(c *shared) error {
	top := int64(-1)
	for {
		c.mu.Lock()
		since := c.position
		c.mu.Unlock()
		if since == nil {
			return nil
		}
		recovery, err := s.read(c.name, since)
		if err != nil {
			return err
		}
		isLast := top == recovery.Position.Offset
		if c.takeOver(recovery, isLast) {
			return nil
		}
		top = recovery.Position.Offset
	}
}

func (s *Redis) read(name string, since *realtime.Position) (recovery Recovery, err error) {
	if since == nil {
		since = &realtime.Position{}
	}
	for {
		reply, err := s.link.Run(readScript, s.keys(name), since.Epoch, since.Offset)
		if err != nil {
			return recovery, err
		}
		if reply == nil {
			if _, err := s.touch(name); err != nil {
				return recovery, err
			}
			continue
		}
		r := newReply(reply)
		recovery.Recovered = r.integer() == 1
		recovery.Position = realtime.Position{Offset: r.integer(), Epoch: r.text()}
		for _, item := range r.list() {
			// An id, and the field with its data.
			one := newReply(item)
			id, _, _ := strings.Cut(one.text(), "-")
			offset, err := strconv.ParseInt(id, 10, 64)
			fields := newReply(one.list())
			fields.text()
			recovery.Entries = append(recovery.Entries, Entry{offset, []byte(fields.text())})
			r.err = errors.Join(r.err, one.err, fields.err, err)
		}
		return recovery, r.err
	}
}

// touch is the position of a channel, which is kept a while longer.
func (s *Redis) touch(name string) (position realtime.Position, err error) {
	reply, err := s.link.Run(openScript, s.keys(name), newEpoch(), s.ttl())
	if err != nil {
		return position, err
	}
	r := newReply(reply)
	return realtime.Position{Offset: r.integer(), Epoch: r.text()}, r.err
}

// check looks now and then whether anything published did not come, and says who is still here.
func (s *Redis) check() {
	ticker := time.NewTicker(s.settings.PositionCheck)
	defer ticker.Stop()
	for {
		select {
		case <-s.closed:
			return
		case <-ticker.C:
		}
		s.mu.Lock()
		channels := slices.Collect(maps.Values(s.channels))
		s.mu.Unlock()
		// One that cannot be looked at is no reason not to look at the others.
		inTurn(len(channels), func(i int) { s.link.Report(s.checkOne(channels[i])) })
		// #if presence
		s.announceAll()
		// #endif
	}
}

func (s *Redis) checkOne(c *shared) error {
	c.mu.Lock()
	isOpen := c.memory == nil && c.position != nil
	c.mu.Unlock()
	if !isOpen {
		return nil
	}
	position, err := s.touch(c.name)
	if err == nil {
		err = s.reach(c.name, position)
	}
	// #if presence
	s.compare(c)
	// #endif
	return err
}

// shared is a channel that somebody in this process listens to. Its mutex is held while listeners are told.
type shared struct {
	store        *Redis
	name         string
	subscription *redislink.Subscription

	mu sync.Mutex
	// opened is kept when what is published comes.
	opened    *promise
	listeners map[Listener]struct{}
	owner     string
	// position is that of the last entry that the listeners got; nil: none was promised to them.
	position *realtime.Position
	// highest is the highest offset that is known to be there.
	highest int64
	// catching is not nil while what is missing is read.
	catching *promise
	// memory ends the subscription to this process, while Redis is out of reach; else nil.
	memory func()
	// #if presence
	// users are those of whom the listeners were told that they are there, longest first; nil: nobody has asked.
	users []string
	// changes are those since lists were asked for.
	changes map[*[]Change]struct{}
	// #endif
}

var _ Listener = (*shared)(nil)

func newShared(s *Redis, name string) *shared {
	c := &shared{store: s, name: name, listeners: map[Listener]struct{}{}}
	// #if presence
	c.changes = map[*[]Change]struct{}{}
	// #endif
	c.subscription = redislink.NewSubscription(s.key(name, "channel"), c.receive)
	return c
}

func (c *shared) isLocal() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.memory != nil
}

// leaveMemory is called with the mutex held.
func (c *shared) leaveMemory() {
	if c.memory != nil {
		c.memory()
		c.memory = nil
	}
}

// lose is called with the mutex held: what follows is no continuation, so that who listens has to ask anew.
func (c *shared) lose(position *realtime.Position) {
	c.position = position
	c.highest = 0
	// #if presence
	c.users = nil
	// #endif
	c.store.log.Warn("position-lost", "channel", c.name)
	c.store.link.Figures.Lost.Add(1)
	for listener := range c.listeners {
		listener.OnLost()
	}
}

// expect reports whether something that is known to be there has not come.
func (c *shared) expect(to realtime.Position) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.position == nil || c.position.Epoch == to.Epoch && c.position.Offset >= to.Offset {
		return false
	}
	c.highest = max(c.highest, to.Offset)
	return true
}

// takeOver takes what was read, and reports whether that is enough: who misses something after that reads anew.
func (c *shared) takeOver(recovery Recovery, isLast bool) (isEnough bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() {
		if isEnough {
			c.catching = nil
		}
	}()
	if c.memory != nil || c.position == nil {
		return true
	}
	if !recovery.Recovered {
		c.lose(&recovery.Position)
		return true
	}
	for _, entry := range recovery.Entries {
		// Some have come while the others were read.
		if entry.Offset == c.position.Offset+1 {
			c.pass(entry)
		}
	}
	return isLast || c.position.Offset >= c.highest
}

// pass gives the listeners the next entry; it is called with the mutex held.
func (c *shared) pass(entry Entry) {
	c.position = &realtime.Position{Offset: entry.Offset, Epoch: c.position.Epoch}
	for listener := range c.listeners {
		listener.OnEntry(entry)
	}
}

// OnEntry is part of Listener: something was published in this process.
func (c *shared) OnEntry(entry Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.memory == nil {
		return
	}
	for listener := range c.listeners {
		listener.OnEntry(entry)
	}
}

// OnLost is part of Listener.
func (c *shared) OnLost() {}

// #if live

// OnRemoved is part of Listener.
func (c *shared) OnRemoved() {}

// #endif

// receive takes what is published.
func (c *shared) receive(message string) {
	if message == "" || c.isLocal() {
		return
	}
	rest := message[1:]
	switch message[0] {
	case 'e':
		parts := strings.SplitN(rest, " ", 3)
		if offset, err := strconv.ParseInt(parts[0], 10, 64); err == nil && len(parts) == 3 {
			c.hear(Entry{offset, []byte(parts[2])}, parts[1])
		}
	// #if live
	case 'r':
		c.mu.Lock()
		defer c.mu.Unlock()
		for listener := range c.listeners {
			listener.OnRemoved()
		}
	// #endif
	// #if presence
	case 'j', 'l':
		c.mu.Lock()
		defer c.mu.Unlock()
		c.change(Change{User: rest, HasLeft: message[0] == 'l'})
	case 'g':
		if milliseconds, err := strconv.Atoi(rest); err == nil {
			time.AfterFunc(time.Duration(milliseconds+1)*time.Millisecond, func() {
				if c.store.channel(c.name) == c {
					_, err := c.store.listAll(c.name)
					c.store.link.Report(err)
				}
			})
		}
	// #endif
	}
}

// hear passes an entry on if it is the next; it looks for those that are missing before it.
func (c *shared) hear(entry Entry, epoch string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.position == nil:
		// It is being opened, and may be at that already.
		c.highest = max(c.highest, entry.Offset)
	case epoch == c.position.Epoch && entry.Offset <= c.position.Offset:
		// It was read before it came.
	case epoch == c.position.Epoch && entry.Offset == c.position.Offset+1:
		c.pass(entry)
	default:
		if epoch == c.position.Epoch && c.catching == nil {
			c.store.link.Figures.Missed.Add(max(0, entry.Offset-1-max(c.position.Offset, c.highest)))
		}
		c.highest = max(c.highest, entry.Offset)
		c.store.link.Go(func() { c.store.link.Report(c.store.catchUp(c)) })
	}
}

// promise is kept once.
type promise struct {
	done chan struct{}
	err  error
}

func newPromise() *promise { return &promise{done: make(chan struct{})} }

func (p *promise) keep(err error) {
	p.err = err
	close(p.done)
}

func (p *promise) wait() error {
	<-p.done
	return p.err
}

// reply reads what a script returns, one value after the other; the first that is of another type makes err.
type reply struct {
	items []any
	err   error
}

func newReply(value any) *reply {
	items, isList := value.([]any)
	r := &reply{items: items}
	if !isList {
		r.err = fmt.Errorf("unexpected reply %v", value)
	}
	return r
}

func next[T any](r *reply) (value T) {
	if len(r.items) == 0 {
		r.err = errors.Join(r.err, errors.New("the reply is too short"))
		return value
	}
	value, ok := r.items[0].(T)
	if !ok {
		r.err = errors.Join(r.err, fmt.Errorf("unexpected %v in a reply", r.items[0]))
	}
	r.items = r.items[1:]
	return value
}

func (r *reply) integer() int64 { return next[int64](r) }
func (r *reply) text() string   { return next[string](r) }
func (r *reply) list() []any    { return next[[]any](r) }
