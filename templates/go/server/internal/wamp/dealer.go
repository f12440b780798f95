package wamp

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// maxTimeout is milliseconds of the longest timeout.
const maxTimeout = math.MaxInt32

// registration is a procedure, and who answers its calls: several callees if they share it.
type registration struct {
	id                 uint64
	uri, match, policy string
	callees            []*member
	// turn is the place of the callee whose turn it is.
	turn int
}

// pending is a call under way.
type pending struct {
	caller        *member
	request       uint64
	callee        *member
	invocation    uint64
	wantsProgress bool
	timeout       time.Duration
	// timer is nil without a timeout; a newer deadline is for a later run.
	timer    *time.Timer
	deadline time.Time
	// isInterrupted is whether the callee was asked to stop, and its answer is what the caller gets.
	isInterrupted bool
	isOver        bool
}

// dealer routes calls to who registered their procedures, and answers back. The lock of its realm guards it.
type dealer struct {
	// lock is that of the realm.
	lock          sync.Locker
	registrations patterns[*registration]
	byID          map[uint64]*registration
	room          *room
	lastID        uint64
}

func (d *dealer) register(m *member, uri string, options dict) (uint64, error) {
	match, err := matchOf(options)
	if err != nil {
		return 0, err
	}
	policy, err := choiceOf(options, "invoke", "single", "first", "last", "roundrobin", "random")
	if err == nil && !m.isOwn {
		if err = checkURI(uri, match, false); err == nil {
			err = m.role.check("register", uri, match)
		}
	}
	if err != nil {
		return 0, err
	}
	found, isThere := d.registrations.get(uri, match)
	if isThere {
		isShared := policy != "single" && found.policy != "single"
		if isShared && found.policy != policy {
			return 0, &refusal{"wamp.error.procedure_exists_with_different_invocation_policy", "it has " + found.policy}
		}
		if !isShared || slices.Contains(found.callees, m) {
			return 0, &refusal{"wamp.error.procedure_already_exists", "it is registered"}
		}
	}
	if !m.isOwn {
		if err := d.room.take("registrations", len(m.registrations), d.room.limits.registrations); err != nil {
			return 0, err
		}
	}
	if !isThere {
		d.lastID++
		found = &registration{id: d.lastID, uri: uri, match: match, policy: policy}
		d.registrations.set(uri, match, found)
		d.byID[found.id] = found
	}
	found.callees = append(found.callees, m)
	m.registrations[found] = struct{}{}
	return found.id, nil
}

func (d *dealer) unregister(m *member, id uint64) error {
	found := d.byID[id]
	if found == nil || !slices.Contains(found.callees, m) {
		return &refusal{"wamp.error.no_such_registration", "there is none with this id"}
	}
	d.remove(m, found)
	return nil
}

func (d *dealer) call(caller *member, request uint64, options dict, uri string, carried payload) error {
	if _, isUnderWay := caller.calls[request]; isUnderWay {
		return violation("call: the request is under way")
	}
	if err := checkURI(uri, exact, true); err != nil {
		return err
	}
	wish, err := flagOf(options, "disclose_me", false)
	if err == nil {
		err = caller.role.checkDisclosed("call", uri, wish)
	}
	if err != nil {
		return err
	}
	timeout, isNumber := options["timeout"].(float64)
	if options["timeout"] != nil && !isNumber || timeout < 0 || timeout > maxTimeout {
		return &refusal{"wamp.error.invalid_argument", "timeout: milliseconds"}
	}
	wantsProgress, err := flagOf(options, "receive_progress", false)
	if err != nil {
		return err
	}
	found := d.find(uri)
	if found == nil {
		return &refusal{"wamp.error.no_such_procedure", "nobody has registered it"}
	}
	if max(len(caller.calls), caller.running) >= d.room.limits.calls {
		reason := fmt.Sprintf("at most %d of a session at a time", d.room.limits.calls)
		return &refusal{"error.too_many_calls", reason}
	}
	callee := found.choose()
	callee.lastInvocation++
	made := &pending{
		caller: caller, request: request, callee: callee, invocation: callee.lastInvocation,
		wantsProgress: wantsProgress, timeout: time.Duration(timeout * float64(time.Millisecond)),
	}
	caller.calls[request] = made
	callee.invocations[made.invocation] = made
	d.startTimer(made)
	// Callees that do not announce parts of results are asked, too: many make them all the same.
	about := invoked{wantsProgress: wantsProgress}
	if wish || callee.isOwn {
		about.caller = caller
	}
	if found.match != exact || callee.isOwn {
		about.procedure = uri
	}
	callee.outlet.invoke(made.invocation, found.id, about, carried)
	return nil
}

// yield is the result of an invocation, or a part of it; one of a call that has ended is left out.
func (d *dealer) yield(callee *member, id uint64, options dict, carried payload) error {
	of := callee.invocations[id]
	if of == nil {
		return nil
	}
	isPart, err := flagOf(options, "progress", false)
	if err != nil || isPart && !of.wantsProgress {
		return err
	}
	details := "{}"
	if isPart {
		details = `{"progress":true}`
		// The time is that between two parts.
		d.startTimer(of)
	} else {
		d.end(of)
	}
	of.caller.send(result, []uint64{of.request}, []json.RawMessage{json.RawMessage(details)}, carried)
	return nil
}

// fail is the error of an invocation.
func (d *dealer) fail(callee *member, id uint64, details json.RawMessage, uri string, carried payload) {
	if of := callee.invocations[id]; of != nil {
		d.end(of)
		of.caller.refuse(call, of.request, details, uri, carried)
	}
}

func (d *dealer) cancel(caller *member, request uint64, options dict) error {
	of := caller.calls[request]
	if of == nil {
		return nil
	}
	mode, err := choiceOf(options, "mode", "killnowait", "skip", "kill")
	if err != nil {
		return err
	}
	if mode == "kill" && of.callee.canCancel {
		if !of.isInterrupted {
			of.interrupt(mode, "wamp.error.canceled")
		}
		return nil
	}
	d.abandon(of, "wamp.error.canceled", "canceled by the caller", mode != "skip" || of.callee.isOwn)
	return nil
}

// leave ends what a session has under way.
func (d *dealer) leave(m *member) {
	for _, of := range m.invocations {
		d.abandon(of, "wamp.error.canceled", "the callee has gone", false)
	}
	for _, of := range m.calls {
		d.end(of)
		of.interrupt("killnowait", "wamp.error.canceled")
	}
	for of := range m.registrations {
		d.remove(m, of)
	}
}

// find is the registration that a call is for.
func (d *dealer) find(uri string) *registration {
	for found := range d.registrations.matching(uri) {
		return found
	}
	return nil
}

func (r *registration) choose() *member {
	at := 0
	switch r.policy {
	case "last":
		at = len(r.callees) - 1
	case "random":
		at = rand.IntN(len(r.callees))
	case "roundrobin":
		at = r.turn % len(r.callees)
		r.turn = at + 1
	}
	return r.callees[at]
}

// startTimer starts the time of a call, or starts it again.
func (d *dealer) startTimer(of *pending) {
	if of.timeout == 0 {
		return
	}
	of.deadline = time.Now().Add(of.timeout)
	if of.timer != nil {
		of.timer.Reset(of.timeout)
		return
	}
	of.timer = time.AfterFunc(of.timeout, func() {
		d.lock.Lock()
		defer d.lock.Unlock()
		if !of.isOver && !time.Now().Before(of.deadline) {
			d.abandon(of, "wamp.error.timeout", "no result in time", true)
		}
	})
}

// abandon ends a call without an answer of its callee.
func (d *dealer) abandon(of *pending, uri, why string, isInterrupted bool) {
	d.end(of)
	if isInterrupted {
		of.interrupt("killnowait", uri)
	}
	of.caller.refuse(call, of.request, object(nil), uri, textPayload(why))
}

func (p *pending) interrupt(mode, reason string) {
	p.isInterrupted = true
	if p.callee.canCancel && !p.callee.isGone {
		p.callee.outlet.stop(p.invocation, mode, reason)
	}
}

func (d *dealer) end(of *pending) {
	of.isOver = true
	if of.timer != nil {
		of.timer.Stop()
	}
	delete(of.caller.calls, of.request)
	delete(of.callee.invocations, of.invocation)
}

func (d *dealer) remove(m *member, of *registration) {
	if !m.isOwn {
		d.room.give()
	}
	delete(m.registrations, of)
	if of.callees = slices.DeleteFunc(of.callees, func(one *member) bool { return one == m }); len(of.callees) == 0 {
		d.registrations.remove(of.uri, of.match)
		delete(d.byID, of.id)
	}
}

// textPayload is one argument that says why.
func textPayload(why string) payload {
	made, _ := encode([]string{why})
	return payload{args: made}
}
