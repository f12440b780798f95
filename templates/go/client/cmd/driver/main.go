// Driver lets another program use the client: it takes commands as JSON lines on stdin and prints what an application sees
// as JSON lines on stdout. "websocket-skill test --role client" holds the client to its promises with it.
//
// Commands: {"command":"join","name":"lobby"}, leave, {"command":"publish","name":"lobby","data":"hi","key":"k1"},
// {"command":"token","token":"…"} (the answer to the event token) and close. The environment variable CLIENT_OPTIONS holds
// options as JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"sync"
	"time"

	wsclient "example.com/ws-client"
)

// driven is a client as the commands see it.
type driven struct {
	client interface {
		Run(ctx context.Context) error
		Close()
	}
	join func(name string) stream
	// show is an event of the client's own type.
	show func(event wsclient.Event) line
	// #if chat || pubsub

	publish func(name string, data json.RawMessage) *wsclient.Pending
	// #endif
}

type stream interface {
	Events(ctx context.Context) iter.Seq[wsclient.Event]
	Leave()
}

type line map[string]any

var output sync.Mutex

func show(fields line) {
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	_, _ = os.Stdout.Write(append(text, '\n'))
}

var clients = map[string]func(options wsclient.Options) (driven, error){
	// #if chat
	"chat": func(options wsclient.Options) (driven, error) {
		client, err := wsclient.NewChat(options)
		return driven{
			client: client,
			join:   func(name string) stream { return client.Join(name) },
			show: func(event wsclient.Event) line {
				m, _ := event.(wsclient.Message)
				return line{"offset": m.Offset, "id": m.ID, "data": m.Text}
			},
			publish: func(name string, data json.RawMessage) *wsclient.Pending {
				var text string
				_ = json.Unmarshal(data, &text)
				return client.Join(name).Queue("", text)
			},
		}, err
	},
	// #endif
	// #if pubsub
	"pubsub": func(options wsclient.Options) (driven, error) {
		client, err := wsclient.NewPubsub(options)
		return driven{
			client: client,
			join:   func(name string) stream { return client.Subscribe(name) },
			show: func(event wsclient.Event) line {
				m, _ := event.(wsclient.Published)
				return line{"topic": m.Topic, "offset": m.Offset, "id": m.ID, "data": m.Data}
			},
			publish: func(name string, data json.RawMessage) *wsclient.Pending {
				return client.Queue("", name, data)
			},
		}, err
	},
	// #endif
	// #if live
	"live-updates": func(options wsclient.Options) (driven, error) {
		client, err := wsclient.NewLiveUpdates(options)
		return driven{
			client: client,
			join:   func(name string) stream { return client.Watch(name) },
			show: func(event wsclient.Event) line {
				m, _ := event.(wsclient.Change)
				return line{"offset": m.Offset, "data": m.Data}
			},
		}, err
	},
	// #endif
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("usage: driver <url>")
	}
	options, err := optionsOf(os.Getenv("CLIENT_OPTIONS"))
	if err != nil {
		return err
	}
	options.URL = arguments[0]
	// A generated client is of one type; the template itself is told which.
	var one driven
	for name, build := range clients {
		if len(arguments) == 1 || arguments[1] == name {
			if one, err = build(options); err != nil {
				return err
			}
		}
	}
	ctx := context.Background()
	streams := map[string]stream{}
	// #if chat || pubsub
	last := make(chan struct{})
	close(last)
	// #endif
	var others sync.WaitGroup
	others.Go(func() { _ = one.client.Run(ctx) })
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var given struct {
			Command, Name, Key, Token string
			Data                      json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &given); err != nil {
			return err
		}
		switch given.Command {
		case "join":
			joined := one.join(given.Name)
			streams[given.Name] = joined
			others.Go(func() {
				for event := range joined.Events(ctx) {
					showEvent(given.Name, event, one.show)
				}
			})
		case "leave":
			if left := streams[given.Name]; left != nil {
				left.Leave()
			}
		// #if chat || pubsub
		case "publish":
			if one.publish == nil {
				continue
			}
			pending, before, shown := one.publish(given.Name, given.Data), last, make(chan struct{})
			last = shown
			others.Go(func() {
				defer close(shown)
				ack, err := pending.Wait(ctx)
				// In the order in which they were published.
				<-before
				showOutcome(given.Key, ack, err)
			})
		// #endif
		// #if auth
		case "token":
			tokens <- given.Token
		// #endif
		case "close":
			one.client.Close()
		}
	}
	one.client.Close()
	others.Wait()
	return lines.Err()
}

// #if auth

var tokens = make(chan string, 100)

func token(ctx context.Context) (string, error) {
	show(line{"event": "token"})
	select {
	case given := <-tokens:
		return given, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// #endif
func optionsOf(text string) (wsclient.Options, error) {
	given := struct {
		Backoff struct{ BaseMs, MaxMs float64 }

		StableMs, ConnectTimeoutMs, JoinTimeoutMs, PongTimeoutMs, AckTimeoutMs float64
	}{}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &given); err != nil {
			return wsclient.Options{}, fmt.Errorf("CLIENT_OPTIONS: %w", err)
		}
	}
	ms := func(value float64) time.Duration { return time.Duration(value * float64(time.Millisecond)) }
	return wsclient.Options{
		BackoffBase:    ms(given.Backoff.BaseMs),
		BackoffMax:     ms(given.Backoff.MaxMs),
		StableAfter:    ms(given.StableMs),
		ConnectTimeout: ms(given.ConnectTimeoutMs),
		JoinTimeout:    ms(given.JoinTimeoutMs),
		PongTimeout:    ms(given.PongTimeoutMs),
		// #if chat || pubsub

		AckTimeout: ms(given.AckTimeoutMs),
		// #endif
		// #if auth

		Token: token,
		// #endif

		OnState: func(state wsclient.State) {
			fields := line{"event": "state", "state": state.Name, "reason": state.Reason}
			if state.Code != 0 {
				fields["code"] = state.Code
			}
			if state.Name == wsclient.Waiting {
				fields["retryInMs"] = state.RetryIn.Milliseconds()
			}
			show(fields)
		},
		OnError: func(err error) {
			show(line{"event": "error", "code": codeOf(err), "message": err.Error()})
		},
	}, nil
}

// showEvent prints an event that all types have, or one of its own type.
func showEvent(name string, event wsclient.Event, own func(wsclient.Event) line) {
	fields := line{"name": name}
	switch event := event.(type) {
	case wsclient.Joined:
		fields["event"] = "joined"
	case wsclient.Recovered:
		fields["event"], fields["recovered"] = "recovered", event.Complete
	case wsclient.Refused:
		fields["event"], fields["code"], fields["message"] = "refused", event.Err.Code, event.Err.Message
	// #if presence
	case wsclient.Members:
		fields["event"], fields["members"] = "members", event.Users
	// #endif
	// #if live
	case wsclient.Removed:
		fields["event"] = "removed"
	// #endif
	default:
		fields["event"] = "message"
		maps.Copy(fields, own(event))
	}
	show(fields)
}

// #if chat || pubsub
func showOutcome(key string, ack wsclient.Ack, err error) {
	if err != nil {
		show(line{"event": "rejected", "key": key, "code": codeOf(err)})
		return
	}
	show(line{"event": "ack", "key": key, "offset": ack.Offset, "duplicate": ack.Duplicate})
}

// #endif
func codeOf(err error) string {
	var known *wsclient.Error
	if errors.As(err, &known) {
		return known.Code
	}
	return err.Error()
}
