// Package redislink is the connection to a Redis that servers share.
//
// There are two connections at a time, or none: one for commands (a pool), one for what is published. Both are
// to the same process of Redis, and given up together, when one fails or nothing is answered in time.
package redislink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// firstRetry and longestRetry are between attempts to connect.
	firstRetry, longestRetry = 50 * time.Millisecond, 2 * time.Second
	// attempts are connections that one command is tried on.
	attempts = 5
	// fullRetry is when a client tries again what a full Redis has refused.
	fullRetry = 2 * time.Second
	// clockTTL is how long a look at the clock of Redis holds.
	clockTTL = time.Minute
	// patience is how long Close waits for what runs beside.
	patience = time.Second
)

// DownError says why Redis cannot be asked now; a newer connection may not have that reason.
type DownError struct{ Reason string }

func (e *DownError) Error() string { return "Redis is out of reach: " + e.Reason }

// FullError says that Redis takes nothing now, and when it may; nothing was done.
type FullError struct{ RetryAfter time.Duration }

func (e *FullError) Error() string { return "the store is full" }

// Options say which Redis it is.
type Options struct {
	// URL is empty if there is none.
	URL string
	// Prefix is what all names in Redis start with.
	Prefix string
	// Timeout is how long nothing is answered until the server goes on without.
	Timeout time.Duration
}

// Figures are what has happened since the start.
type Figures struct {
	// Connects are connections that were made.
	Connects atomic.Int64
	// Down, Full and Refused are commands that failed, by why.
	Down, Full, Refused atomic.Int64
	// Missed are messages that were not passed on, Lost positions from which nobody could go on.
	Missed, Lost atomic.Int64
}

// Link is made anew whenever it is lost.
type Link struct {
	Figures Figures

	options Options
	log     *slog.Logger
	up      []func()
	ctx     context.Context
	stop    context.CancelFunc
	beside  atomic.Int64
	ended   chan struct{}

	mu sync.Mutex
	// current is nil while there is none; changed is closed when there is one.
	current *connection
	changed chan struct{}
	// downSince is when the last one failed, reason why, said what the log says.
	downSince    time.Time
	reason, said string
	// clockAt is when the clock of Redis was looked at; it was clock then.
	clockAt, clock time.Time
}

// New makes one that is not connected.
func New(options Options, log *slog.Logger) *Link {
	ctx, stop := context.WithCancel(context.Background())
	return &Link{
		options: options,
		log:     log,
		ctx:     ctx,
		stop:    stop,
		ended:   make(chan struct{}),
		changed: make(chan struct{}),
		reason:  "not connected yet",
	}
}

// Key is a name in Redis.
func (l *Link) Key(parts ...string) string { return l.options.Prefix + ":" + strings.Join(parts, ":") }

// Trouble is why Redis is not used at the moment; empty if it is.
func (l *Link) Trouble() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil {
		return ""
	}
	return l.reason
}

// Now is by the clock of Redis, so that all servers have one; by its own before it knows it.
func (l *Link) Now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.clockAt.IsZero() {
		return time.Now()
	}
	return l.clock.Add(time.Since(l.clockAt))
}

// OnUp has up called before each new connection is used. What up waits for has to run beside. Before Start.
func (l *Link) OnUp(up func()) { l.up = append(l.up, up) }

// Go runs what Close waits for, but not for ever.
func (l *Link) Go(run func()) {
	l.beside.Add(1)
	go func() {
		defer l.beside.Add(-1)
		run()
	}()
}

// Report logs what failed beside, unless the log has said it.
func (l *Link) Report(err error) {
	var down *DownError
	if err != nil && !errors.As(err, &down) && l.ctx.Err() == nil {
		l.log.Error("redis-failed", "message", err.Error())
	}
}

// Start connects; it returns when that has worked, or has not in time.
func (l *Link) Start() {
	l.mu.Lock()
	l.downSince = time.Now()
	l.mu.Unlock()
	go l.keep()
	// Without, the server serves, too.
	_, _ = l.whenUp()
}

// Close ends the connection. It waits for what runs beside, a second at most.
func (l *Link) Close() {
	for began := time.Now(); l.beside.Load() > 0 && time.Since(began) < patience; {
		time.Sleep(5 * time.Millisecond)
	}
	l.stop()
	<-l.ended
}

// Run runs a script, over several connections if need be: run twice, it does nothing more. Its error is a
// DownError, a FullError, or what is wrong with the script.
func (l *Link) Run(script *Script, keys []string, args ...any) (reply any, err error) {
	err = l.try(attempts, func(c *connection) error {
		reply, err = script.made.Run(l.ctx, c.client, keys, append([]any{c.run}, args...)...).Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return reply, err
}

// Do does what may be done twice. Its error is as of Run, or redis.Nil.
func (l *Link) Do(action func(ctx context.Context, client redis.Cmdable) error) error {
	return l.try(attempts, func(c *connection) error { return action(l.ctx, c.client) })
}

// Subscribe has messages come, as long as this connection lasts.
func (l *Link) Subscribe(s *Subscription) error {
	return l.try(1, func(c *connection) error { return c.subscribe(l.ctx, s) })
}

// Unsubscribe ends that, and may come first.
func (l *Link) Unsubscribe(s *Subscription) {
	l.mu.Lock()
	c := l.current
	l.mu.Unlock()
	s.isEnded.Store(true)
	if c != nil {
		c.unsubscribe(l.ctx, s)
	}
}

// Sync returns when everything has come that was published before.
func (l *Link) Sync() error {
	return l.try(1, func(c *connection) error { return c.sync(l.ctx) })
}

// try does it on one connection after the other.
func (l *Link) try(most int, action func(*connection) error) error {
	err := error(nil)
	for range most {
		c, down := l.whenUp()
		if err = down; down != nil {
			break
		}
		began := time.Now()
		if err = l.judge(c, action(c), began); err == nil || !errors.Is(err, errAgain) {
			break
		}
	}
	if errors.Is(err, errAgain) {
		l.mu.Lock()
		err = &DownError{l.reason}
		l.mu.Unlock()
	}
	var down *DownError
	var full *FullError
	switch {
	case err == nil || errors.Is(err, redis.Nil):
	case errors.As(err, &down):
		l.Figures.Down.Add(1)
	case errors.As(err, &full):
		l.Figures.Full.Add(1)
	default:
		l.Figures.Refused.Add(1)
	}
	return err
}

// errAgain is that another connection may do.
var errAgain = errors.New("another connection may do")

// wrongServer are errors of one that is not, or not any more, the one to ask.
var wrongServer = regexp.MustCompile(`^(?:READONLY|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|NOAUTH|NOPERM|MOVED|CLUSTERDOWN)\b`)

// judge says what an error means for who asked: errAgain if the connection is of no use.
func (l *Link) judge(c *connection, err error, began time.Time) error {
	if err == nil || errors.Is(err, redis.Nil) {
		return err
	}
	if l.ctx.Err() != nil {
		return &DownError{"closed"}
	}
	if isReply(err) {
		if strings.HasPrefix(err.Error(), "OOM") {
			return &FullError{fullRetry}
		}
		if !wrongServer.MatchString(err.Error()) {
			return err
		}
	}
	since := time.Now()
	if isTimeout(err) {
		since = began
	}
	l.drop(c, l.reasonOf(err), since)
	return errAgain
}

// whenUp waits for a connection, until there has been none for too long.
func (l *Link) whenUp() (*connection, error) {
	for {
		l.mu.Lock()
		c, changed, reason := l.current, l.changed, l.reason
		left := l.options.Timeout - time.Since(l.downSince)
		l.mu.Unlock()
		if c != nil {
			return c, nil
		}
		if left <= 0 || l.ctx.Err() != nil {
			return nil, &DownError{reason}
		}
		timer := time.NewTimer(left)
		select {
		case <-changed:
		case <-timer.C:
		case <-l.ctx.Done():
		}
		timer.Stop()
	}
}

// keep connects again and again, until Close.
func (l *Link) keep() {
	defer close(l.ended)
	wait := firstRetry
	for l.ctx.Err() == nil {
		c, err := l.connect()
		if err == nil {
			wait = firstRetry
			l.watch(c)
			l.drop(c, "closed", time.Now())
		}
		l.mu.Lock()
		if err != nil {
			l.reason = l.reasonOf(err)
		}
		reason := l.reason
		isNews := reason != l.said && l.ctx.Err() == nil
		l.said = reason
		l.mu.Unlock()
		if isNews {
			l.log.Error("redis-unavailable", "redis", printable(l.options.URL), "reason", reason)
		}
		select {
		case <-time.After(time.Duration(float64(wait) * (0.5 + rand.Float64()/2))):
		case <-l.ctx.Done():
		}
		wait = min(longestRetry, 2*wait)
	}
}

// connect makes a connection that works.
func (l *Link) connect() (*connection, error) {
	ctx, cancel := context.WithTimeout(l.ctx, l.options.Timeout)
	defer cancel()
	c, err := newConnection(&l.options)
	if err != nil {
		return nil, err
	}
	if err = l.probe(ctx, c, true); err == nil {
		err = c.listen(ctx, func(err error) { l.drop(c, l.reasonOf(err), time.Now()) })
	}
	if err != nil {
		c.close()
		return nil, err
	}
	// What is kept up over all connections is there before this one is used.
	for _, up := range l.up {
		up()
	}
	l.mu.Lock()
	l.current = c
	l.said = ""
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
	l.Figures.Connects.Add(1)
	l.log.Info("redis-connected", "redis", printable(l.options.URL), "version", c.version)
	return c, nil
}

// watch gives a connection up that does not answer; it returns when it is lost.
func (l *Link) watch(c *connection) {
	ticker := time.NewTicker(max(10*time.Millisecond, l.options.Timeout/2))
	defer ticker.Stop()
	for {
		select {
		case <-c.lost:
			return
		case <-l.ctx.Done():
			return
		case <-ticker.C:
			ctx, cancel := context.WithTimeout(l.ctx, l.options.Timeout)
			began := time.Now()
			err := l.probe(ctx, c, time.Since(l.clockAt) > clockTTL)
			if err == nil {
				err = c.sync(ctx)
			}
			cancel()
			// A script that is refused for want of memory is no reason.
			_ = l.judge(c, err, began)
		}
	}
}

// probe finds out whether scripts can be run and write, and what time it is there.
func (l *Link) probe(ctx context.Context, c *connection, isForTime bool) error {
	before := time.Now()
	reply, err := probe.made.Run(ctx, c.client, []string{l.Key("probe")}).StringSlice()
	if err != nil || !isForTime {
		return err
	}
	after := time.Now()
	var seconds, micros int64
	if _, err := fmt.Sscan(strings.Join(reply, " "), &seconds, &micros); err != nil {
		return fmt.Errorf("the time of Redis: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clockAt, l.clock = after, time.Unix(seconds, micros*1000).Add(after.Sub(before)/2)
	return nil
}

// drop ends a connection that is of no use since a moment.
func (l *Link) drop(c *connection, reason string, since time.Time) {
	l.mu.Lock()
	if l.current == c {
		l.current = nil
		l.reason = reason
		l.downSince = since
	}
	l.mu.Unlock()
	c.close()
}

func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

func isTimeout(err error) bool {
	var failed net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &failed) && failed.Timeout()
}

const needsPrimary = "it is a read-only replica: REDIS_URL has to name the primary"

// reasonOf never holds a password: what Redis says names none.
func (l *Link) reasonOf(err error) string {
	var unfit *unfitError
	text := err.Error()
	switch {
	case errors.As(err, &unfit):
		return unfit.why
	case isTimeout(err):
		return fmt.Sprintf("no answer for %d ms", l.options.Timeout.Milliseconds())
	case strings.Contains(text, "NOAUTH"):
		return "it needs a password: put it into REDIS_URL"
	case strings.Contains(text, "WRONGPASS"):
		return "the user or the password in REDIS_URL is wrong"
	case strings.HasPrefix(text, "READONLY"):
		return needsPrimary
	case strings.Contains(text, "invalid reply") || strings.Contains(text, "can't parse"):
		return "what answers is no Redis"
	case strings.HasSuffix(text, "EOF"):
		return "the connection was lost"
	}
	return text
}

// printable is a URL without user and password.
func printable(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + strings.TrimSuffix(u.Path, "/")
}
