// Package wamp is version 2 of WAMP in JSON: clients call each other, and hear what others publish. The router
// does no I/O, and keeps no clock but for what a client has to do in time.
//
// A realm has one lock, for all that its sessions share; nothing waits while it is held. A session has one for
// its own state, which comes before that of its realm.
package wamp

import (
	"log/slog"
	"time"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/protocol"
)

// helloTimeout is for the first message of a session, and for its authentication.
const helloTimeout = 10 * time.Second

// WAMP is a protocol.Protocol.
type WAMP struct{ router *router }

var _ protocol.Protocol = (*WAMP)(nil)

// New makes one with the procedures of this process. Its realms are those of text, or of the file of the settings;
// what is secret there is in variables. An error says what is wrong with them.
func New(
	settings *config.Config, text []byte, procedures []Procedure, getenv func(string) string, logger *slog.Logger,
) (*WAMP, error) {
	realms, err := readRealms(settings.RealmsFile, text, getenv)
	if err != nil {
		return nil, err
	}
	most := limits{
		subscriptions: settings.MaxSubscriptionsPerSession,
		registrations: settings.MaxRegistrationsPerSession,
		calls:         settings.MaxCallsPerClient,
		total:         settings.MaxWAMPEntries,
	}
	onFailed := func(procedure string, err error) {
		logger.Error("procedure-failed", "procedure", procedure, "trace", err.Error())
	}
	router, err := newRouter(realms, procedures, most, onFailed)
	if err != nil {
		return nil, err
	}
	return &WAMP{router}, nil
}

// Subprotocol is part of protocol.Protocol.
func (w *WAMP) Subprotocol() string { return "wamp.2.json" }

// Accept is part of protocol.Protocol.
func (w *WAMP) Accept(peer protocol.Peer) protocol.Conversation { return newSession(w.router, peer) }
