package wamp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"

	"example.com/ws-app/internal/protocol"
)

// Procedure is one of this process, which clients call as they call those of other clients.
type Procedure struct {
	Realm string
	URI   string
	// Match is prefix or wildcard if URI stands for several; empty: it stands for itself.
	Match string
	// Run answers a call: its value is the one argument of the result, unless it is a Result; nil is a result
	// without arguments. An Error reaches the caller. Any other error is logged, as a panic is, and the caller
	// gets wamp.error.runtime_error without details. ctx ends when the call is canceled or takes too long, and
	// when the caller has gone.
	Run func(ctx context.Context, call *Call) (any, error)
}

// Result is one with several arguments or with keywords.
type Result struct {
	Args   []any
	Kwargs map[string]any
}

// Error is what the caller gets instead of a result.
type Error struct {
	URI    string
	Args   []any
	Kwargs map[string]any
}

func (e *Error) Error() string { return e.URI }

// Caller is who calls.
type Caller struct {
	Session          uint64
	AuthID, AuthRole string
}

// Call is one call of a procedure.
type Call struct {
	// Procedure is as it was called: a pattern stands for several.
	Procedure string
	Caller    Caller

	args   []json.RawMessage
	kwargs json.RawMessage
	host   *host
	id     uint64
}

// NumArgs is how many arguments there are.
func (c *Call) NumArgs() int { return len(c.args) }

// Args reads the arguments, which have to be as many and of such types; an error is for Run to return.
func (c *Call) Args(into ...any) error {
	if len(c.args) != len(into) {
		return invalid("expected %d arguments, got %d", len(into), len(c.args))
	}
	for i, target := range into {
		if err := read(c.args[i], target); err != nil {
			return invalid("argument %d: %v", i+1, err)
		}
	}
	return nil
}

// Kwargs reads the keyword arguments into a struct or a map; an error is for Run to return.
func (c *Call) Kwargs(into any) error {
	if len(c.kwargs) == 0 {
		return nil
	}
	if err := read(c.kwargs, into); err != nil {
		return invalid("keywords: %v", err)
	}
	return nil
}

// Progress sends a part of the result; callers that did not ask for parts do not get it.
func (c *Call) Progress(args ...any) error {
	carried, err := payloadOf(args, nil)
	if err != nil {
		return err
	}
	c.host.realm.mu.Lock()
	defer c.host.realm.mu.Unlock()
	return c.host.realm.dealer.yield(c.host.member, c.id, dict{"progress": true}, carried)
}

// Publish publishes an event in the realm.
func (c *Call) Publish(topic string, args ...any) error {
	carried, err := payloadOf(args, nil)
	if err != nil {
		return err
	}
	c.host.realm.mu.Lock()
	defer c.host.realm.mu.Unlock()
	c.host.realm.broker.announce(topic, carried)
	return nil
}

func invalid(format string, args ...any) *Error {
	return &Error{URI: "wamp.error.invalid_argument", Args: []any{fmt.Sprintf(format, args...)}}
}

// read reads a value; null is none for what cannot hold it.
func read(text json.RawMessage, into any) error {
	if string(text) == "null" {
		switch reflect.TypeOf(into).Elem().Kind() {
		case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		default:
			return errors.New("expected a value, got null")
		}
	}
	err := json.Unmarshal(text, into)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("expected %s, got %s", wrong.Type, wrong.Value)
	}
	return err
}

// host is the callee of a realm that is this process.
type host struct {
	realm      *realm
	member     *member
	procedures map[uint64]Procedure
	failed     failed
	// running are the invocations under way; the lock of the realm guards them.
	running map[uint64]context.CancelFunc
}

func newHost(of *realm, onFailed failed) *host {
	h := &host{realm: of, procedures: map[uint64]Procedure{}, failed: onFailed, running: map[uint64]context.CancelFunc{}}
	h.member = newMember(newID(), principal{"router", "router", "own", "own"}, &role{}, h)
	h.member.isOwn, h.member.canCancel = true, true
	return h
}

// add registers procedures. Before anybody joins.
func (h *host) add(procedures ...Procedure) error {
	for _, p := range procedures {
		options := dict{}
		if p.Match != "" {
			options["match"] = p.Match
		}
		id, err := h.realm.dealer.register(h.member, p.URI, options)
		if err != nil {
			return fmt.Errorf("%s: %w", p.URI, err)
		}
		h.procedures[id] = p
	}
	return nil
}

// send is part of outlet: it subscribes to nothing, and calls nobody.
func (h *host) send(*protocol.Message) {}

// leave is part of outlet: it stays.
func (h *host) leave(*member, string, dict) {}

// stop is part of outlet.
func (h *host) stop(id uint64, _, _ string) {
	if cancel := h.running[id]; cancel != nil {
		cancel()
	}
}

// invoke is part of outlet.
func (h *host) invoke(id, registration uint64, about invoked, carried payload) {
	ctx, cancel := context.WithCancel(context.Background())
	h.running[id] = cancel
	caller := about.caller
	caller.running++
	c := &Call{
		Procedure: about.procedure,
		Caller:    Caller{caller.id, caller.principal.id, caller.principal.role},
		kwargs:    carried.kwargs,
		host:      h,
		id:        id,
	}
	if carried.args != nil {
		// It is a list.
		_ = json.Unmarshal(carried.args, &c.args)
	}
	go h.run(ctx, h.procedures[registration], c, caller)
}

func (h *host) run(ctx context.Context, p Procedure, c *Call, caller *member) {
	carried, failure := answer(ctx, p, c)
	uri := ""
	if failure != nil {
		var own *Error
		err := failure
		if errors.As(failure, &own) {
			uri = own.URI
			carried, err = payloadOf(own.Args, own.Kwargs)
		}
		if err != nil {
			// What went wrong inside is for the log, and not for clients.
			h.failed(c.Procedure, err)
			uri, carried = "wamp.error.runtime_error", textPayload("internal error")
		}
	}
	h.realm.mu.Lock()
	defer h.realm.mu.Unlock()
	h.running[c.id]()
	delete(h.running, c.id)
	caller.running--
	if uri != "" {
		h.realm.dealer.fail(h.member, c.id, object(nil), uri, carried)
		return
	}
	// Its options have nothing that can be wrong.
	_ = h.realm.dealer.yield(h.member, c.id, nil, carried)
}

// answer runs a procedure; a panic is an error.
func answer(ctx context.Context, p Procedure, c *Call) (carried payload, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v\n%s", reason, debug.Stack())
		}
	}()
	value, err := p.Run(ctx, c)
	if err != nil {
		return payload{}, err
	}
	switch value := value.(type) {
	case nil:
		return payload{}, nil
	case Result:
		return payloadOf(value.Args, value.Kwargs)
	}
	return payloadOf([]any{value}, nil)
}
