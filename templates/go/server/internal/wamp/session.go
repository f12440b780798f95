package wamp

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/ws-app/internal/protocol"
	"example.com/ws-app/internal/websocket"
)

// features are what the router does, as it is announced.
var features = dict{
	"broker": dict{"features": flags("pattern_based_subscription", "publisher_exclusion", "publisher_identification",
		"session_meta_api", "subscriber_blackwhite_listing")},
	"dealer": dict{"features": flags("call_canceling", "call_timeout", "caller_identification",
		"pattern_based_registration", "progressive_call_results", "session_meta_api", "shared_registration")},
}

func flags(names ...string) dict {
	made := dict{}
	for _, name := range names {
		made[name] = true
	}
	return made
}

// asked is what a client has been asked for.
type asked struct {
	realm *realm
	roles dict
	// method is ticket or wampcra.
	method, authID string
	user           *user
	// text is what it has to sign.
	text string
	// session is the id of its session, which is signed with it; 0: any.
	session uint64
}

// salts chooses whom users that do not exist are like, and makes their salts.
var salts = []byte(rand.Text())

// session is one session after the other over one connection.
type session struct {
	router *router
	peer   protocol.Peer

	mu sync.Mutex
	// realm and member are nil but for an open session, asked but while its client is authenticated.
	realm  *realm
	member *member
	asked  *asked
	isOver bool
	timer  *time.Timer
}

func newSession(r *router, peer protocol.Peer) *session {
	s := &session{router: r, peer: peer}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expect()
	return s
}

// Receive is part of protocol.Conversation, as Drain and Close.
func (s *session) Receive(ctx context.Context, text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isOver {
		return nil
	}
	read, err := decode(text)
	if err == nil {
		// #if metrics
		s.peer.Received(names[read.code])
		// #endif
		err = s.take(ctx, &read)
	}
	if err != nil {
		s.abort("wamp.error.protocol_violation", err.Error(), websocket.CloseProtocol)
	}
	return nil
}

func (s *session) Drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(func() { s.sayGoodbye(nil, "wamp.close.system_shutdown") })
	s.isOver = true
}

func (s *session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(nil)
	s.isOver = true
}

// send is part of outlet.
func (s *session) send(message *protocol.Message) { s.peer.Send(message) }

// invoke is part of outlet.
func (s *session) invoke(id, registration uint64, about invoked, carried payload) {
	s.send(write(invocation, []uint64{id, registration}, []json.RawMessage{object(about.details())}, carried))
}

// stop is part of outlet.
func (s *session) stop(id uint64, mode, reason string) {
	details := object(dict{"mode": mode, "reason": reason})
	s.send(write(interrupt, []uint64{id}, []json.RawMessage{details}, payload{}))
}

// leave is part of outlet.
func (s *session) leave(m *member, reason string, details dict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// It may have ended, and another begun.
	if s.member != m {
		return
	}
	s.end(func() { s.sayGoodbye(details, reason) })
	s.isOver = true
	s.peer.Close(websocket.CloseNormal, reason)
}

// All that follows is called with the lock of the session.

func (s *session) say(code int, parts ...json.RawMessage) {
	s.send(write(code, nil, parts, payload{}))
}

func (s *session) sayGoodbye(details dict, reason string) {
	s.say(goodbye, object(details), quoted(reason))
}

// expect waits for HELLO.
func (s *session) expect() {
	var timer *time.Timer
	timer = time.AfterFunc(helloTimeout, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.timer == timer {
			s.abort("wamp.error.authentication_required", "no session in time", websocket.ClosePolicy)
		}
	})
	s.timer = timer
}

func (s *session) stopTimer() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// end ends the session, if there is one; last, which may be nil, says so to the client.
func (s *session) end(last func()) {
	s.stopTimer()
	s.asked = nil
	if m := s.member; m != nil {
		s.member = nil
		s.realm.leave(m, last)
	}
}

func (s *session) abort(reason, why string, code int) {
	if s.isOver {
		return
	}
	s.end(nil)
	s.isOver = true
	s.say(abort, object(dict{"message": why}), quoted(reason))
	s.peer.Close(code, why)
}

// take takes a message. An error is a violation.
func (s *session) take(ctx context.Context, read *message) error {
	switch {
	case read.code == abort:
		s.end(nil)
		s.isOver = true
		s.peer.Close(websocket.CloseNormal, "")
		return nil
	case s.member != nil && read.code == goodbye:
		s.end(func() { s.sayGoodbye(nil, "wamp.close.goodbye_and_out") })
		s.expect()
		return nil
	case s.member != nil:
		return s.realm.take(s.member, read)
	case s.asked != nil && read.code == authenticate:
		s.authenticate(ctx, read.text)
		return nil
	case s.asked != nil:
		return violation("expected AUTHENTICATE first")
	case read.code != hello:
		return violation("expected HELLO first")
	}
	return s.hello(read.text, read.options)
}

func (s *session) hello(name string, details dict) error {
	roles, _ := details["roles"].(dict)
	if len(roles) == 0 {
		return violation("HELLO: no roles")
	}
	given, isThere := details["authmethods"]
	methods, isList := given.([]any)
	if isThere && !isList {
		return violation("HELLO: authmethods")
	}
	if len(methods) == 0 {
		methods = []any{"anonymous"}
	}
	authID, isText := details["authid"].(string)
	if details["authid"] != nil && !isText {
		return violation("HELLO: authid")
	}
	of := s.router.realms[name]
	if of == nil {
		s.abort("wamp.error.no_such_realm", "there is none with this name", websocket.CloseNormal)
		return nil
	}
	// #if auth
	if known := s.peer.Identity(); of.settings.tokens != "" && known != nil && (!isText || authID == known.User) {
		s.join(of, roles, principal{known.User, of.settings.tokens, "ticket", "token"}, 0)
		return nil
	}
	// #endif
	for _, method := range methods {
		if method == "anonymous" && of.settings.anonymous != "" {
			s.join(of, roles, principal{rand.Text(), of.settings.anonymous, "anonymous", "anonymous"}, 0)
			return nil
		}
		if name, isText := method.(string); isText && of.settings.offers(name) {
			s.ask(&asked{realm: of, roles: roles, method: name, authID: authID})
			return nil
		}
	}
	reason := "no_matching_auth_method"
	if !slices.ContainsFunc(methods, func(method any) bool { return method != "anonymous" }) {
		reason = "authentication_required"
	}
	s.abort("wamp.error."+reason, "none of the methods is offered in this realm", websocket.CloseNormal)
	return nil
}

// offers is whether anybody can come in by a method.
func (s *settings) offers(method string) bool {
	if method == "ticket" && s.tokens != "" {
		return true
	}
	for _, one := range s.users {
		if method == "ticket" && one.ticket != "" || method == "wampcra" && one.secret != "" {
			return true
		}
	}
	return false
}

func (s *session) ask(a *asked) {
	if found, ok := a.realm.settings.users[a.authID]; ok {
		a.user = &found
	}
	extra := dict{}
	if a.method == "wampcra" {
		like := a.user
		if like == nil || like.secret == "" {
			like = a.other()
		}
		a.session = newID()
		a.text = string(object(dict{
			"authid": a.authID, "authrole": like.role, "authmethod": a.method, "authprovider": "static",
			"nonce": rand.Text(), "timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "session": a.session,
		}))
		extra["challenge"] = a.text
		if of := like.salt; of != nil {
			extra["salt"], extra["iterations"], extra["keylen"] = of.Salt, of.Iterations, of.KeyLen
		}
	}
	s.asked = a
	s.say(challenge, quoted(a.method), object(extra))
}

// other is as whom somebody is asked who cannot sign: always like the same one of those who can, so that neither a
// salt nor a role says who exists.
func (a *asked) other() *user {
	var signing []user
	users := a.realm.settings.users
	for _, name := range slices.Sorted(maps.Keys(users)) {
		if one := users[name]; one.secret != "" {
			signing = append(signing, one)
		}
	}
	sum := sha256.Sum256(append(salts[:len(salts):len(salts)], a.authID...))
	like := signing[int(binary.BigEndian.Uint32(sum[:])%uint32(len(signing)))]
	if like.salt != nil {
		made := *like.salt
		text := hex.EncodeToString(sum[4:])
		made.Salt = text[:min(len(made.Salt), len(text))]
		like.salt = &made
	}
	return &like
}

func (s *session) authenticate(ctx context.Context, answer string) {
	a := s.asked
	s.asked = nil
	expected := rand.Text()
	if a.user != nil && a.method == "ticket" && a.user.ticket != "" {
		expected = a.user.ticket
	}
	if a.method == "wampcra" {
		key := rand.Text()
		if a.user != nil && a.user.secret != "" {
			key = a.user.secret
		}
		signed := hmac.New(sha256.New, []byte(key))
		signed.Write([]byte(a.text))
		expected = base64.StdEncoding.EncodeToString(signed.Sum(nil))
	}
	if isSame(answer, expected) && a.user != nil {
		s.join(a.realm, a.roles, principal{a.authID, a.user.role, a.method, "static"}, a.session)
		return
	}
	// #if auth
	if tokens := a.realm.settings.tokens; a.method == "ticket" && tokens != "" {
		s.mu.Unlock()
		known := s.peer.Authenticate(ctx, answer)
		s.mu.Lock()
		if s.isOver {
			return
		}
		if known != nil && (a.authID == "" || a.authID == known.User) {
			s.join(a.realm, a.roles, principal{known.User, tokens, "ticket", "token"}, 0)
			return
		}
	}
	// #else
	//~ _ = ctx
	// #endif
	s.abort("wamp.error.authentication_denied", "unknown, or not who it says", websocket.ClosePolicy)
}

// join opens a session with an id, or with any for 0.
func (s *session) join(of *realm, roles dict, who principal, id uint64) {
	s.stopTimer()
	// #if auth
	s.peer.Admit()
	// #endif
	callee, _ := roles["callee"].(dict)
	its, _ := callee["features"].(dict)
	s.realm = of
	s.member = of.join(id, func(id uint64) *member {
		m := newMember(id, who, of.settings.roles[who.role], s)
		m.canCancel = its["call_canceling"] == true
		return m
	}, func(m *member) {
		details := who.details()
		details["realm"] = of.name
		details["roles"] = features
		m.send(welcome, []uint64{m.id}, []json.RawMessage{object(details)}, payload{})
	})
}

// take takes a message of an open session. An error is a violation.
func (r *realm) take(m *member, read *message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	reply, id, err := 0, uint64(0), error(nil)
	switch read.code {
	case publish:
		id, err = r.broker.publish(m, read.text, read.options, read.payload)
		// Who publishes without a wish for an answer gets none.
		if read.options["acknowledge"] == true {
			reply = published
		} else if isRefusal(err) {
			err = nil
		}
	case subscribe:
		reply = subscribed
		id, err = r.broker.subscribe(m, read.text, read.options)
	case unsubscribe:
		reply = unsubscribed
		err = r.broker.unsubscribe(m, read.other)
	case call:
		err = r.dealer.call(m, read.id, read.options, read.text, read.payload)
	case cancel:
		err = asViolation(r.dealer.cancel(m, read.id, read.options))
	case register:
		reply = registered
		id, err = r.dealer.register(m, read.text, read.options)
	case unregister:
		reply = unregistered
		err = r.dealer.unregister(m, read.other)
	case yield:
		err = asViolation(r.dealer.yield(m, read.id, read.options, read.payload))
	case errorCode:
		if read.of != invocation {
			return violation("ERROR: only for an INVOCATION")
		}
		r.dealer.fail(m, read.id, object(read.options), read.text, read.payload)
	default:
		return violation(names[read.code] + " in an open session")
	}
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		m.refuse(read.code, read.id, object(nil), refused.uri, textPayload(refused.message))
		return nil
	case err != nil || reply == 0:
		return err
	case id == 0:
		m.send(reply, []uint64{read.id}, nil, payload{})
	default:
		m.send(reply, []uint64{read.id, id}, nil, payload{})
	}
	return nil
}

func isRefusal(err error) bool {
	var refused *refusal
	return errors.As(err, &refused)
}

// asViolation is for what is not answered with ERROR.
func asViolation(err error) error {
	if err == nil {
		return nil
	}
	return violation(err.Error())
}

// isSame compares without telling by its time how much is right.
func isSame(one, other string) bool {
	a, b := sha256.Sum256([]byte(one)), sha256.Sum256([]byte(other))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
