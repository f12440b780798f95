package wsclient

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// WAMP is a client of a WAMP router: one session after the other, with the same subscriptions and registrations. Its
// methods may be called from any goroutine.
type WAMP struct {
	sessions[*wampSession]
	// standing is asked for again in each session; it has the lock.
	standing map[*Standing]struct{}
}

// Standing is a subscription or a registration, in this session and those after it.
type Standing struct {
	client *WAMP
	// request is SUBSCRIBE or REGISTER, and options and uri what it has.
	request int
	options map[string]any
	uri     string
	hear    func(Publication)
	run     Procedure
	// session is the last that has begun it.
	session *wampSession
	isOver  bool
}

// Publication is an event.
type Publication struct {
	// Topic is where: a pattern stands for several.
	Topic string
	Data
}

// Invocation is a call to this client.
type Invocation struct {
	// Procedure is what was called: a pattern stands for several.
	Procedure string
	Data
	session *wampSession
	id      uint64
}

// Data is arguments and keyword arguments.
type Data struct {
	args   []json.RawMessage
	kwargs json.RawMessage
}

// Procedure answers calls. Its value is the one argument of the result; an *Error reaches the caller with its code, which is
// a URI, and any other error is wamp.error.runtime_error. ctx ends when the call is canceled, and with the session.
type Procedure func(ctx context.Context, call *Invocation) (any, error)

// Args reads the first arguments.
func (d Data) Args(into ...any) error {
	if len(d.args) < len(into) {
		return invalidArgument("expected %d arguments, got %d", len(into), len(d.args))
	}
	for i, target := range into {
		if err := json.Unmarshal(d.args[i], target); err != nil {
			return invalidArgument("argument %d: %v", i+1, err)
		}
	}
	return nil
}

// Kwargs reads the keyword arguments into a struct or a map.
func (d Data) Kwargs(into any) error {
	if len(d.kwargs) == 0 {
		return nil
	}
	if err := json.Unmarshal(d.kwargs, into); err != nil {
		return invalidArgument("keywords: %v", err)
	}
	return nil
}

func invalidArgument(format string, args ...any) *Error {
	return (&Error{Code: "wamp.error.invalid_argument"}).because(format, args...)
}

// NewWAMP makes a client. It does nothing before Run.
func NewWAMP(options Options) (*WAMP, error) {
	options.Realm = cmp.Or(options.Realm, "realm1")
	w := &WAMP{standing: map[*Standing]struct{}{}}
	if err := w.complete(options, wampProtocol); err != nil {
		return nil, err
	}
	w.hasToken = options.Ticket != nil
	w.talk = func(l *link) *wampSession {
		return &wampSession{
			link: l, client: w,
			pending: map[uint64]*pending{}, hearing: map[uint64][]*Standing{}, answering: map[uint64]*Standing{},
			running: map[uint64]context.CancelFunc{},
		}
	}
	return w, nil
}

func (w *WAMP) hello() map[string]any {
	details := map[string]any{"roles": wampRoles}
	if w.options.AuthID != "" {
		details["authid"] = w.options.AuthID
	}
	var methods []string
	if w.options.Ticket != nil {
		methods = append(methods, "ticket")
	}
	if w.options.Secret != "" {
		methods = append(methods, "wampcra")
	}
	if methods != nil {
		details["authmethods"] = methods
	}
	return details
}

// ask sends a request, and waits for its answer.
func (w *WAMP) ask(ctx context.Context, code int, rest ...any) (reply, error) {
	s, err := w.open(ctx)
	if err != nil {
		return reply{}, err
	}
	return s.ask(ctx, &pending{code: code}, rest...)
}

// Call calls a procedure, and reads the first argument of its result. An error that the router or the callee answers with
// is an *Error whose code is its URI. It waits for a session, but calls once: after ErrUnknownOutcome, the procedure may
// have been carried out. When ctx is done, the call is canceled.
func Call[Result any](ctx context.Context, w *WAMP, procedure string, args ...any) (result Result, err error) {
	answer, err := w.ask(ctx, call, map[string]any{}, procedure, listOf(args))
	if err == nil && len(answer.data.args) > 0 {
		err = answer.data.Args(&result)
	}
	return result, err
}

// Publish publishes an event, and returns when the router has it.
func (w *WAMP) Publish(ctx context.Context, topic string, args ...any) error {
	_, err := w.ask(ctx, publish, map[string]any{"acknowledge": true}, topic, listOf(args))
	return err
}

// Subscribe hears the events of a topic. One after the other is given to hear, from one goroutine.
func (w *WAMP) Subscribe(ctx context.Context, topic string, hear func(Publication)) (*Standing, error) {
	return w.SubscribePattern(ctx, topic, "exact", hear)
}

// SubscribePattern hears the events of all topics that a pattern stands for; match is prefix or wildcard.
func (w *WAMP) SubscribePattern(ctx context.Context, pattern, match string, hear func(Publication)) (*Standing, error) {
	return w.stand(ctx, &Standing{request: subscribe, options: map[string]any{"match": match}, uri: pattern, hear: hear})
}

// Register answers the calls of a procedure. Each has a goroutine.
func (w *WAMP) Register(ctx context.Context, procedure string, run Procedure) (*Standing, error) {
	return w.stand(ctx, &Standing{request: register, options: map[string]any{}, uri: procedure, run: run})
}

func (w *WAMP) stand(ctx context.Context, standing *Standing) (*Standing, error) {
	standing.client = w
	session, err := w.open(ctx)
	if err == nil {
		err = session.stand(ctx, standing)
	}
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.standing[standing] = struct{}{}
	return standing, nil
}

// End ends it, in this session and for those after it.
func (s *Standing) End(ctx context.Context) error {
	w := s.client
	w.mu.Lock()
	delete(w.standing, s)
	s.isOver = true
	session := s.session
	w.mu.Unlock()
	if session == nil {
		return nil
	}
	return session.finish(ctx, s)
}

func (s *Standing) give(event Publication) {
	if !s.hasEnded() {
		s.hear(event)
	}
}

func (s *Standing) hasEnded() bool {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	return s.isOver
}

// listOf is never null.
func listOf(args []any) []any {
	if args == nil {
		return []any{}
	}
	return args
}

const (
	wampProtocol = "wamp.2.json"
	// maxIterations bounds the work that a router can ask for.
	maxIterations = 10_000_000
)

// Codes of messages.
const (
	hello        = 1
	welcome      = 2
	abort        = 3
	challenge    = 4
	authenticate = 5
	goodbye      = 6
	failure      = 8
	publish      = 16
	subscribe    = 32
	event        = 36
	call         = 48
	cancel       = 49
	register     = 64
	invocation   = 68
	interrupt    = 69
	yield        = 70
)

var wampRoles = map[string]any{
	"publisher":  map[string]any{"features": map[string]any{}},
	"subscriber": map[string]any{"features": map[string]any{"pattern_based_subscription": true}},
	"caller":     map[string]any{"features": map[string]any{"call_canceling": true}},
	"callee":     map[string]any{"features": map[string]any{"call_canceling": true, "progressive_call_results": true}},
}

// reply is what a request was answered with.
type reply struct {
	id   uint64
	data Data
	err  error
}

// pending is a request without an answer.
type pending struct {
	code   int
	answer chan reply
	// standing is what begins with the answer; nil for most.
	standing *Standing
}

// wampSession is one session.
type wampSession struct {
	*link
	client *WAMP
	// lastID changes while a message is written, so that ids are in the order of the messages.
	lastID uint64

	mu sync.Mutex
	// pending are the requests without an answer; nil when no more can come.
	pending map[uint64]*pending
	// hearing are subscriptions by their ids: a topic that is asked for twice has one. answering are registrations.
	hearing   map[uint64][]*Standing
	answering map[uint64]*Standing
	// running are calls to this client.
	running map[uint64]context.CancelFunc
}

// request writes a request with the next id.
func (s *wampSession) request(p *pending, rest []any) (id uint64, err error) {
	// What cannot be written uses no id.
	if _, err := encode(rest); err != nil {
		return 0, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.lastID++
	text, err := encode(append([]any{p.code, s.lastID}, rest...))
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	isOver := s.pending == nil
	if !isOver {
		s.pending[s.lastID] = p
	}
	s.mu.Unlock()
	if isOver || s.writeText(text) != nil {
		return 0, ErrUnknownOutcome.because("the session was lost")
	}
	return s.lastID, nil
}

func (s *wampSession) ask(ctx context.Context, p *pending, rest ...any) (reply, error) {
	p.answer = make(chan reply, 1)
	id, err := s.request(p, rest)
	if err != nil {
		return reply{}, err
	}
	select {
	case got := <-p.answer:
		return got, got.err
	case <-ctx.Done():
	}
	s.mu.Lock()
	delete(s.pending, id)
	s.mu.Unlock()
	if p.code == call {
		_ = s.say(cancel, id, map[string]any{})
	}
	return reply{}, aborted(ctx)
}

// stand asks for a subscription or a registration.
func (s *wampSession) stand(ctx context.Context, standing *Standing) error {
	_, err := s.ask(ctx, &pending{code: standing.request, standing: standing}, standing.options, standing.uri)
	return err
}

// begun is called before anything is read that comes after the answer.
func (s *wampSession) begun(standing *Standing, id uint64) {
	s.client.mu.Lock()
	standing.session = s
	s.client.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if standing.request == subscribe {
		s.hearing[id] = append(s.hearing[id], standing)
	} else {
		s.answering[id] = standing
	}
}

// finish ends a subscription or a registration, if this session has it.
func (s *wampSession) finish(ctx context.Context, standing *Standing) error {
	id, isLast := s.remove(standing)
	if !isLast {
		return nil
	}
	// UNSUBSCRIBE or UNREGISTER.
	_, err := s.ask(ctx, &pending{code: standing.request + 2}, id)
	if errors.Is(err, ErrUnknownOutcome) {
		// It has ended with its session.
		return nil
	}
	return err
}

// remove reports whether the router has to know, and under which id.
func (s *wampSession) remove(standing *Standing) (id uint64, isLast bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, one := range s.answering {
		if one == standing {
			delete(s.answering, id)
			return id, true
		}
	}
	for id, all := range s.hearing {
		if at := slices.Index(all, standing); at >= 0 {
			if len(all) == 1 {
				delete(s.hearing, id)
				return id, true
			}
			// Who reads events has the list of before.
			s.hearing[id] = slices.Delete(slices.Clone(all), at, at+1)
			return id, false
		}
	}
	return 0, false
}

func (s *wampSession) begin() { _ = s.say(hello, s.client.options.Realm, s.client.hello()) }

func (s *wampSession) goodbye() { _ = s.say(goodbye, map[string]any{}, "wamp.close.close_realm") }

// say writes a message.
func (s *wampSession) say(message ...any) error { return s.write(message) }

// forget answers what will have no answer, and leaves out the events that still wait.
func (s *wampSession) forget() {
	for isEmpty := false; !isEmpty; {
		select {
		case <-s.client.events:
		default:
			isEmpty = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pending {
		p.answer <- reply{err: ErrUnknownOutcome.because("the session was lost")}
	}
	s.pending = nil
	for _, stop := range s.running {
		stop()
	}
}

// wampMessage is a message of the router.
type wampMessage struct {
	code int
	// ids are its numbers, in their order.
	ids []uint64
	// details are its first dictionary.
	details struct {
		Topic      string `json:"topic"`
		Procedure  string `json:"procedure"`
		Message    string `json:"message"`
		Progress   bool   `json:"progress"`
		Challenge  string `json:"challenge"`
		Salt       string `json:"salt"`
		Iterations int    `json:"iterations"`
		KeyLen     int    `json:"keylen"`
	}
	// text is a URI or a method.
	text string
	Data
}

// forms are what messages consist of: i number, d details, s text; + arguments and keyword arguments may follow.
var forms = map[int]string{
	welcome: "id", abort: "ds", challenge: "sd", goodbye: "ds", failure: "iids+",
	publish + 1: "ii", subscribe + 1: "ii", subscribe + 3: "i", event: "iid+", call + 2: "id+",
	register + 1: "ii", register + 3: "i", invocation: "iid+", interrupt: "id",
}

func parseWAMP(text []byte) (*wampMessage, error) {
	malformed := errors.New("malformed message")
	var items []json.RawMessage
	m := &wampMessage{}
	if json.Unmarshal(text, &items) != nil || len(items) == 0 || json.Unmarshal(items[0], &m.code) != nil {
		return nil, malformed
	}
	form, isKnown := forms[m.code]
	if items = items[1:]; !isKnown || len(items) < len(strings.TrimSuffix(form, "+")) {
		return nil, malformed
	}
	var err error
	for _, kind := range strings.TrimSuffix(form, "+") {
		switch kind {
		case 'i':
			var id uint64
			err = errors.Join(err, json.Unmarshal(items[0], &id))
			m.ids = append(m.ids, id)
		case 'd':
			err = errors.Join(err, json.Unmarshal(items[0], &m.details))
		default:
			err = errors.Join(err, json.Unmarshal(items[0], &m.text))
		}
		items = items[1:]
	}
	if strings.HasSuffix(form, "+") && len(items) > 0 {
		err = errors.Join(err, json.Unmarshal(items[0], &m.args))
		if len(items) > 1 {
			m.kwargs = items[1]
		}
	}
	return m, err
}

func (s *wampSession) take(text []byte) *loss {
	m, err := parseWAMP(text)
	if err != nil {
		_ = s.say(abort, map[string]any{"message": "malformed message"}, "wamp.error.protocol_violation")
		return &loss{code: 1006, reason: "malformed message"}
	}
	switch m.code {
	case welcome:
		s.late.Stop()
		s.others.Go(s.resume)
	case challenge:
		s.others.Go(func() { s.authenticate(m) })
	case abort:
		// Another attempt would end like this one, unless it was for the moment.
		isFatal := strings.HasPrefix(m.text, "wamp.error.") && m.text != "wamp.error.authentication_failed"
		if isFatal {
			s.client.report(&Error{Code: m.text, Message: m.details.Message})
		}
		return &loss{code: 1001, reason: m.text, isFatal: isFatal}
	case goodbye:
		_ = s.say(goodbye, map[string]any{}, "wamp.close.goodbye_and_out")
		return &loss{code: 1001, reason: m.text}
	case event:
		return s.hear(m)
	case invocation:
		s.invoke(m)
	case interrupt:
		s.mu.Lock()
		if stop := s.running[m.ids[0]]; stop != nil {
			stop()
		}
		s.mu.Unlock()
	case failure:
		err := &Error{Code: m.text}
		// Why is the first argument, if anything.
		_ = m.Args(&err.Message)
		s.answer(m.ids[1], reply{err: err})
	default:
		answer := reply{data: m.Data}
		if len(m.ids) > 1 {
			answer.id = m.ids[1]
		}
		s.answer(m.ids[0], answer)
	}
	return nil
}

func (s *wampSession) answer(id uint64, answer reply) {
	s.mu.Lock()
	p := s.pending[id]
	delete(s.pending, id)
	s.mu.Unlock()
	if p == nil {
		return
	}
	if p.standing != nil && answer.err == nil {
		s.begun(p.standing, answer.id)
	}
	p.answer <- answer
}

// resume asks again for what the session before had, and opens the session.
func (s *wampSession) resume() {
	w := s.client
	w.mu.Lock()
	w.set(State{Name: Resuming})
	standing := slices.Collect(maps.Keys(w.standing))
	w.mu.Unlock()
	for _, one := range standing {
		ctx, done := context.WithTimeout(s.ctx, w.options.JoinTimeout)
		err := s.stand(ctx, one)
		if err == nil && one.hasEnded() {
			// In the meantime.
			err = s.finish(ctx, one)
		}
		done()
		switch {
		case s.ctx.Err() != nil:
			return
		case errors.Is(err, ErrAborted):
			s.end(&loss{code: 1006, reason: "no answer for " + one.uri})
			return
		case err != nil:
			w.report(fmt.Errorf("%s: %w", one.uri, err))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isOpen(s, s.link)
}

// authenticate answers CHALLENGE.
func (s *wampSession) authenticate(m *wampMessage) {
	options := &s.client.options
	var answer string
	var err error
	switch m.text {
	case "ticket":
		if options.Ticket == nil {
			err = errors.New("there is none")
		} else {
			answer, err = options.Ticket(s.ctx)
		}
	case "wampcra":
		answer, err = sign(options.Secret, m)
	default:
		err = errors.New("unknown method " + m.text)
	}
	if err == nil {
		_ = s.say(authenticate, answer, map[string]any{})
		return
	}
	s.client.report(&Error{Code: ErrToken.Code, Cause: err})
	_ = s.say(abort, map[string]any{}, "wamp.error.authentication_failed")
	s.end(&loss{code: 1006, reason: "no answer to the challenge"})
}

// sign is the signature of WAMP-CRA; with a salt, the key is derived of the secret.
func sign(secret string, m *wampMessage) (string, error) {
	key := []byte(secret)
	if of := &m.details; of.Salt != "" {
		if of.Iterations < 1 || of.Iterations > maxIterations || of.KeyLen < 1 || of.KeyLen > 64 {
			return "", errors.New("the router asks for an unlikely key")
		}
		derived, err := pbkdf2.Key(sha256.New, secret, []byte(of.Salt), of.Iterations, of.KeyLen)
		if err != nil {
			return "", err
		}
		key = []byte(base64.StdEncoding.EncodeToString(derived))
	}
	sum := hmac.New(sha256.New, key)
	sum.Write([]byte(m.details.Challenge))
	return base64.StdEncoding.EncodeToString(sum.Sum(nil)), nil
}

func (s *wampSession) hear(m *wampMessage) *loss {
	s.mu.Lock()
	all := s.hearing[m.ids[0]]
	s.mu.Unlock()
	for _, standing := range all {
		heard := Publication{Topic: cmp.Or(m.details.Topic, standing.uri), Data: m.Data}
		select {
		case s.client.events <- func() { standing.give(heard) }:
		default:
			s.client.report(ErrBehind.because("more than %d events wait: the session begins anew", maxPendingEvents))
			return &loss{code: 1006, reason: "the program takes events too slowly"}
		}
	}
	return nil
}

func (s *wampSession) invoke(m *wampMessage) {
	id := m.ids[0]
	s.mu.Lock()
	standing := s.answering[m.ids[1]]
	isMuch := len(s.running) >= maxRunning
	ctx, stop := context.WithCancel(s.ctx)
	if standing != nil && !isMuch {
		s.running[id] = stop
	}
	s.mu.Unlock()
	if standing == nil || isMuch {
		stop()
		s.others.Go(func() { s.fail(id, &Error{Code: "wamp.error.unavailable"}) })
		return
	}
	made := &Invocation{Procedure: cmp.Or(m.details.Procedure, standing.uri), Data: m.Data, session: s, id: id}
	s.client.programs.Go(func() {
		defer stop()
		value, err := standing.run(ctx, made)
		s.mu.Lock()
		delete(s.running, id)
		s.mu.Unlock()
		if err == nil {
			err = s.say(yield, id, map[string]any{}, resultOf(value))
		}
		if err != nil && s.ctx.Err() == nil {
			s.fail(id, err)
		}
	})
}

// resultOf is the arguments of a result: nil has none.
func resultOf(value any) []any {
	if value == nil {
		return []any{}
	}
	return []any{value}
}

func (s *wampSession) fail(id uint64, err error) {
	var own *Error
	if !errors.As(err, &own) {
		// What went wrong inside is not for others.
		s.client.report(err)
		own = &Error{Code: "wamp.error.runtime_error", Message: "internal error"}
	}
	_ = s.say(failure, invocation, id, map[string]any{}, own.Code, []any{own.Message})
}

// Progress sends a part of the result, to who asked for parts.
func (i *Invocation) Progress(args ...any) error {
	return i.session.say(yield, i.id, map[string]any{"progress": true}, listOf(args))
}
