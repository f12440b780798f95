package wsclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	random "math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// StateName is what the client does at present.
type StateName string

// The states. Waiting is without a connection, until the next attempt; Closed is for good.
const (
	Idle           StateName = "idle"
	Connecting     StateName = "connecting"
	Authenticating StateName = "authenticating"
	// Resuming: connected, and asking for what was missed.
	Resuming StateName = "resuming"
	Open     StateName = "open"
	Waiting  StateName = "waiting"
	Closed   StateName = "closed"
)

// State of a client.
type State struct {
	Name StateName
	// Reason is why it is waiting or closed.
	Reason string
	// Code is the close code of the last connection, 1006 without one.
	Code int
	// RetryIn is the time until the next attempt.
	RetryIn time.Duration
}

const (
	// closeTimeout is how long the server has to answer a close frame.
	closeTimeout = 2 * time.Second
	// maxIncoming bounds a message of the server, which may hold a whole history.
	maxIncoming = 64 << 20
	// defaultPing is the server's interval if it does not say.
	defaultPing = 25 * time.Second
)

// loss is why a connection has ended.
type loss struct {
	code   int
	reason string
	// status is that of HTTP in place of 101.
	status int
	// retryAfter is the server's wish, if it isGiven.
	retryAfter time.Duration
	isGiven    bool
	// #if rpc
	// isFatal is whether another attempt would end like this one.
	isFatal bool
	// #endif
}

func (l *loss) Error() string { return l.reason }

// delay is a random time that grows, or what the server asks for.
func (o *Options) delay(next reconnect, lost *loss, attempts int) time.Duration {
	if lost.isGiven {
		// Many clients get the same hint: they must not all come at its end.
		return lost.retryAfter + time.Duration(random.Float64()*float64(o.BackoffBase))
	}
	if next == atOnce && attempts == 0 {
		return 0
	}
	limit := min(float64(o.BackoffMax), float64(o.BackoffBase)*float64(uint64(1)<<min(attempts, 30)))
	return time.Duration(random.Float64() * limit)
}

// dial makes a connection, whose messages are bounded.
func (o *Options) dial(ctx context.Context) (*websocket.Conn, *loss) {
	socket, response, err := websocket.Dial(ctx, o.URL, &websocket.DialOptions{
		HTTPClient:   o.HTTPClient,
		HTTPHeader:   o.Header.Clone(),
		Subprotocols: o.Subprotocols,
	})
	if err == nil {
		socket.SetReadLimit(maxIncoming)
		return socket, nil
	}
	lost := lossOf(ctx, err)
	if response != nil && response.StatusCode != http.StatusSwitchingProtocols {
		lost.status = response.StatusCode
		lost.reason = fmt.Sprintf("HTTP %d", lost.status)
		lost.retryAfter, lost.isGiven = retryAfter(response.Header.Get("Retry-After"))
	}
	return nil, lost
}

// lossOf is why a connection was lost: what this client has decided, which is the cause of ctx, comes first.
func lossOf(ctx context.Context, err error) *loss {
	var lost *loss
	var closed websocket.CloseError
	switch {
	case errors.As(context.Cause(ctx), &lost):
		return lost
	case errors.As(err, &closed) && closed.Reason != "":
		return &loss{code: int(closed.Code), reason: closed.Reason}
	case errors.As(err, &closed):
		return &loss{code: int(closed.Code), reason: fmt.Sprintf("close code %d", closed.Code)}
	}
	return &loss{code: 1006, reason: withoutURL(err).Error()}
}

// withoutURL leaves the URL out of an error: its query may hold what is secret.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// retryAfter reads the field (RFC 9110 section 10.2.3): seconds or a date.
func retryAfter(field string) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(field, 10, 32); err == nil {
		return milliseconds(float64(seconds) * 1000), true
	}
	date, err := http.ParseTime(field)
	return min(max(0, time.Until(date)), maxWait), err == nil
}

// maxWait bounds what a server can ask for.
const maxWait = 24 * time.Hour

func milliseconds(ms float64) time.Duration {
	return time.Duration(min(ms, float64(maxWait.Milliseconds())) * float64(time.Millisecond))
}

// #if auth && applications || jsonrpc

// untilRenewal is when to show another token, shortly before one expires.
func untilRenewal(expiresAt time.Time) time.Duration {
	left := time.Until(expiresAt)
	return max(time.Second, left-min(20*time.Second, left/5))
}

// #endif
// encode is value as JSON, in which nothing is escaped that need not be.
func encode(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	// The buffer may be twice as large.
	return bytes.Clone(bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))), nil
}

// notice is for OnState or OnError.
type notice struct {
	state *State
	err   error
}

// notices are handed on in order by a goroutine of Run, so that who gets them may call the client.
type notices struct {
	waiting []notice
	wake    chan struct{}
	state   func(State)
	err     func(error)
	// isOver is whether the last one is among those that wait.
	isOver bool
}

func newNotices(options *Options) notices {
	return notices{wake: make(chan struct{}, 1), state: options.OnState, err: options.OnError}
}

// maxNotices wait for a program that is slow; then the oldest ones are left out.
const maxNotices = 1000

func (n *notices) add(one notice) {
	if len(n.waiting) == maxNotices {
		n.waiting = slices.Delete(n.waiting, 0, 1)
	}
	n.waiting = append(n.waiting, one)
	n.isOver = n.isOver || one.state != nil && one.state.Name == Closed
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// handOn ends when the client is closed and has said so; add needs the lock.
func (n *notices) handOn(lock sync.Locker) {
	for range n.wake {
		lock.Lock()
		waiting, isLast := n.waiting, n.isOver
		n.waiting = nil
		lock.Unlock()
		for _, one := range waiting {
			switch {
			case one.state != nil && n.state != nil:
				n.state(*one.state)
			case one.err != nil && n.err != nil:
				n.err(one.err)
			}
		}
		if isLast {
			return
		}
	}
}

var errRanBefore = errors.New("the client has run before: make another")
