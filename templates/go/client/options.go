package wsclient

import (
	// #if auth || rpc
	"context"
	// #endif
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options of a client. What is zero has its default.
type Options struct {
	// URL of the server, with ws: or wss:.
	URL string
	// HTTPClient makes the connections: its Transport knows of proxies and certificates.
	HTTPClient *http.Client
	// Header of every handshake.
	Header http.Header
	// Subprotocols are offered in this order. Default: the one of the server's type.
	Subprotocols []string

	// #if auth && applications
	// Token gives a token that has not expired. It is called when the server asks for one, once at a time, and again
	// before it expires.
	// #endif
	// #if jsonrpc || graphql
	// Token gives a token that has not expired, for each connection. Without, the client shows none.
	// #endif
	// #if auth && applications || jsonrpc || graphql
	Token func(ctx context.Context) (string, error)

	// #endif
	// #if wamp
	// Realm is the one that the client joins (realm1).
	Realm string
	// AuthID is who the client is; without, it is anonymous. Ticket gives its ticket, or a token of it; Secret is instead
	// for WAMP-CRA.
	AuthID string
	Ticket func(ctx context.Context) (string, error)
	Secret string

	// #endif
	// OnState is told of each new state, and OnError of what belongs to no call: the server complains, or there is no
	// token. They are called one after the other.
	OnState func(State)
	OnError func(error)

	// Attempt n waits a random time up to BackoffBase * 2^n (250 ms), at most BackoffMax (30 s).
	BackoffBase time.Duration
	BackoffMax  time.Duration
	// StableAfter so long (10 s) a connection counts as good, and the waits start anew.
	StableAfter time.Duration
	// ConnectTimeout is the limit of an attempt until the server's welcome, PongTimeout that of a silent server to answer a
	// ping (10 s each).
	ConnectTimeout time.Duration
	PongTimeout    time.Duration
	// #if applications || wamp
	// JoinTimeout is the limit of the answer to the command that lets the client in (10 s).
	JoinTimeout time.Duration
	// #endif
	// #if rpc
	// PingInterval (25 s): so often the server is asked for a sign of life.
	PingInterval time.Duration
	// #endif
	// #if chat || pubsub

	// AckTimeout is how long the server has to answer what was sent (10 s).
	AckTimeout time.Duration
	// QueueMessages (1000), QueueBytes (1 MiB) and QueueAge (60 s) are the limits of what waits for a connection.
	QueueMessages int
	QueueBytes    int
	QueueAge      time.Duration
	// WhenFull says what becomes of a message that finds no room.
	WhenFull WhenFull
	// HighWaterMark: nothing is handed to the connection while more bytes wait in it (64 KiB).
	HighWaterMark int
	// MaxMessageBytes: the server refuses a larger message and closes the connection (64 KiB).
	MaxMessageBytes int
	// ResendWithin so long the server knows a message by its id (100 s); later it is not sent again.
	ResendWithin time.Duration
	// #endif
}

// #if chat || pubsub

// WhenFull is what becomes of a message that finds no room in the queue.
type WhenFull int

const (
	// DropOldest refuses the oldest with ErrDropped.
	DropOldest WhenFull = iota
	// DropNew refuses the new one with ErrDropped.
	DropNew
	// Reject refuses the new one with ErrQueueFull.
	Reject
)

// #endif
// complete fills in the defaults, and refuses what is out of range.
func (o *Options) complete(subprotocol string) error {
	if target, err := url.Parse(o.URL); err != nil {
		return fmt.Errorf("URL: %w", withoutURL(err))
	} else if strings.Contains(o.URL, "#") {
		return errors.New("URL: expected none with a fragment")
	} else if target.Scheme != "ws" && target.Scheme != "wss" || target.Host == "" {
		return errors.New("URL: expected the scheme ws or wss, and a host")
	}
	if o.Subprotocols == nil {
		o.Subprotocols = []string{subprotocol}
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{}
	}
	client := *o.HTTPClient
	if client.CheckRedirect == nil {
		// Browsers follow no redirects of a handshake, either.
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	// ConnectTimeout is for that.
	client.Timeout = 0
	o.HTTPClient = &client
	err := errors.Join(
		inRange("BackoffBase", &o.BackoffBase, 250*time.Millisecond),
		inRange("BackoffMax", &o.BackoffMax, 30*time.Second),
		inRange("StableAfter", &o.StableAfter, 10*time.Second),
		inRange("ConnectTimeout", &o.ConnectTimeout, 10*time.Second),
		inRange("PongTimeout", &o.PongTimeout, 10*time.Second),
	)
	// #if applications || wamp
	err = errors.Join(err, inRange("JoinTimeout", &o.JoinTimeout, 10*time.Second))
	// #endif
	// #if rpc
	err = errors.Join(err, inRange("PingInterval", &o.PingInterval, defaultPing))
	// #endif
	// #if chat || pubsub
	err = errors.Join(err,
		inRange("AckTimeout", &o.AckTimeout, 10*time.Second),
		inRange("QueueMessages", &o.QueueMessages, 1000),
		inRange("QueueBytes", &o.QueueBytes, 1<<20),
		inRange("QueueAge", &o.QueueAge, time.Minute),
		inRange("HighWaterMark", &o.HighWaterMark, 64<<10),
		inRange("MaxMessageBytes", &o.MaxMessageBytes, 64<<10),
		inRange("ResendWithin", &o.ResendWithin, 100*time.Second),
	)
	if o.WhenFull < DropOldest || o.WhenFull > Reject {
		err = errors.Join(err, errors.New("WhenFull: expected DropOldest, DropNew or Reject"))
	}
	// #endif
	return err
}

// #if jsonrpc || graphql

// token is a new one, or an error that is ErrToken.
func (o *Options) token(ctx context.Context) (string, error) {
	token, err := o.Token(ctx)
	if err == nil && token == "" {
		err = errors.New("the token is empty")
	}
	if err != nil {
		return "", &Error{Code: ErrToken.Code, Cause: err}
	}
	return token, nil
}

// #endif
func inRange[T int | time.Duration](name string, value *T, otherwise T) error {
	if *value < 0 {
		return fmt.Errorf("%s: expected no negative value", name)
	}
	if *value == 0 {
		*value = otherwise
	}
	return nil
}
