package wamp

import (
	"encoding/json"

	"example.com/ws-app/internal/protocol"
)

// principal is who a session is.
type principal struct{ id, role, method, provider string }

// details are what is said of a session under the names of the protocol.
func (p principal) details() dict {
	return dict{"authid": p.id, "authrole": p.role, "authmethod": p.method, "authprovider": p.provider}
}

// outlet is how a session is reached: its connection, or the procedures of this process.
type outlet interface {
	// send, as invoke and stop, is called with the lock of the realm, and never waits.
	send(message *protocol.Message)
	// invoke is INVOCATION.
	invoke(id, registration uint64, about invoked, carried payload)
	// stop is INTERRUPT.
	stop(id uint64, mode, reason string)
	// leave ends the session of a member with GOODBYE. It is called without the lock.
	leave(m *member, reason string, details dict)
}

// invoked is what a callee gets to know of a call.
type invoked struct {
	// caller is nil if it is not disclosed.
	caller *member
	// procedure is empty if it is that of the registration.
	procedure     string
	wantsProgress bool
}

func (i invoked) details() dict {
	details := dict{}
	if i.caller != nil {
		i.caller.disclose(details, "caller")
	}
	if i.procedure != "" {
		details["procedure"] = i.procedure
	}
	if i.wantsProgress {
		details["receive_progress"] = true
	}
	return details
}

// member is a session in a realm, and what broker and dealer hold for it. The lock of the realm guards it.
type member struct {
	id            uint64
	principal     principal
	role          *role
	outlet        outlet
	subscriptions map[*subscription]struct{}
	registrations map[*registration]struct{}
	// calls are those under way by their request, invocations those that it is to answer.
	calls       map[uint64]*pending
	invocations map[uint64]*pending
	// canCancel is whether it can be interrupted.
	canCancel bool
	// isOwn is whether it is part of this process: it may know who calls.
	isOwn bool
	// isGone is whether it has left: it gets nothing any more.
	isGone bool
	// running are its calls of this process that have not returned, also of those that it has canceled.
	running        int
	lastInvocation uint64
}

func newMember(id uint64, who principal, role *role, by outlet) *member {
	return &member{
		id: id, principal: who, role: role, outlet: by,
		subscriptions: map[*subscription]struct{}{},
		registrations: map[*registration]struct{}{},
		calls:         map[uint64]*pending{},
		invocations:   map[uint64]*pending{},
	}
}

// send sends a message, and everything after it in this order.
func (m *member) send(code int, ids []uint64, parts []json.RawMessage, carried payload) {
	m.deliver(write(code, ids, parts, carried))
}

func (m *member) deliver(message *protocol.Message) {
	if !m.isGone {
		m.outlet.send(message)
	}
}

// refuse answers a request with ERROR.
func (m *member) refuse(of int, request uint64, details json.RawMessage, uri string, carried payload) {
	m.send(errorCode, []uint64{uint64(of), request}, []json.RawMessage{details, quoted(uri)}, carried)
}

// disclose adds what is said of it as a caller or a publisher.
func (m *member) disclose(to dict, as string) {
	to[as] = m.id
	to[as+"_authid"] = m.principal.id
	to[as+"_authrole"] = m.principal.role
}
