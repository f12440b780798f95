package realtime

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"net/http"
	// #if applications
	"runtime"
	// #endif
	"slices"
	// #if metrics && applications
	"strconv"
	// #endif
	"sync"
	"time"

	// #if auth
	"example.com/ws-app/internal/auth"
	// #endif
	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/hook"
	// #if protocols
	"example.com/ws-app/internal/protocol"
	// #endif
	// #if redis
	"example.com/ws-app/internal/redislink"
	// #endif
	"example.com/ws-app/internal/websocket"
)

// errorsAtOnce is how many errors a client causes before it is closed; one more each second.
const errorsAtOnce = 20

// Hub has the clients and what they talk to.
type Hub struct {
	// Now is the clock of what is published.
	Now func() time.Time

	settings *config.Config
	// #if applications
	// applications are what clients say to each other.
	applications []Application
	// types are the commands of each application, by type, common ones included.
	types []map[string]kind
	// #endif
	// #if protocols
	// protocols are those of others.
	protocols []protocol.Protocol
	// #endif
	// trims make what is only kept give way.
	trims  []func()
	routes []Route
	// #if auth
	// auth says whose a token is.
	auth *auth.Auth
	// #else
	//~ // identify says whose a handshake is.
	//~ identify hook.Identify
	// #endif
	// #if metrics
	// figures are what is counted.
	figures *figures
	// #endif
	// #if rate-limit
	// users are the shares of users.
	users *users
	// #endif
	// #if redis
	// link is nil if nothing is shared with other servers.
	link *redislink.Link
	// #endif

	mu sync.Mutex
	// clients are those who are connected, with what tells them to come back later.
	clients map[*Client]func()
	// #if applications
	// flushers have clients in turn.
	flushers []*flusher
	turn     int
	// #endif
}

// #if auth

// NewHub makes one that asks tokens who connects.
func NewHub(settings *config.Config, tokens *auth.Auth) *Hub {
	h := newHub(settings)
	h.auth = tokens
	return h
}

// #else
//~ // NewHub makes one that asks identify who connects.
//~ func NewHub(settings *config.Config, identify hook.Identify) *Hub {
//~ 	h := newHub(settings)
//~ 	h.identify = identify
//~ 	return h
//~ }
// #endif

func newHub(settings *config.Config) *Hub {
	h := &Hub{Now: time.Now, settings: settings, clients: map[*Client]func(){}}
	// #if applications
	for range runtime.GOMAXPROCS(0) {
		h.flushers = append(h.flushers, &flusher{})
	}
	// #endif
	// #if metrics
	h.figures = &figures{}
	// #endif
	// #if rate-limit
	h.users = newUsers(settings)
	// #endif
	return h
}

// #if redis

// Share shares with other servers what users have and may do. Before the link is started.
func (h *Hub) Share(link *redislink.Link) {
	h.link = link
	h.Now = link.Now
	// #if rate-limit
	h.users.link = link
	// #endif
	// #if auth
	h.auth.Share(link, func() { h.closeRevoked(h.auth.Revocations) })
	// #endif
}

// Trouble is why nothing is shared at the moment; empty if all is well.
func (h *Hub) Trouble() string {
	if h.link == nil {
		return ""
	}
	return h.link.Trouble()
}

// #endif

// #if applications

// Add adds an application; the first is for clients that name no subprotocol. Not while it serves.
func (h *Hub) Add(application Application) {
	types := map[string]kind{"ping": {name: "ping"}}
	for name, command := range application.Commands() {
		types[name] = kind{name, command}
	}
	h.applications = append(h.applications, application)
	h.types = append(h.types, types)
}

// Message makes one that is to be sent.
func (h *Hub) Message(message Outgoing) *Message { return h.Encoded(message.kind(), JSON(message)) }

// Encoded is the same of the text of a message.
func (h *Hub) Encoded(kind string, text []byte) *Message {
	prepared := websocket.Prepare(websocket.Message{Type: websocket.Text, Data: text})
	// #if metrics
	return &Message{prepared: prepared, sent: h.figures.sent.of(kind)}
	// #else
	//~ return &Message{prepared: prepared}
	// #endif
}

// #endif
// #if protocols

// Speak adds a protocol of others. Not while it serves.
func (h *Hub) Speak(spoken protocol.Protocol) { h.protocols = append(h.protocols, spoken) }

// #if applications

// protocolOf is the one of a subprotocol; nil: it is that of an application.
func (h *Hub) protocolOf(subprotocol string) protocol.Protocol {
	for _, spoken := range h.protocols {
		if spoken.Subprotocol() == subprotocol {
			return spoken
		}
	}
	return nil
}

// #else
//~ // protocolOf is the one of a subprotocol; the first that the server prefers is for clients that name none.
//~ func (h *Hub) protocolOf(subprotocol string) protocol.Protocol {
//~ 	for _, name := range append([]string{subprotocol}, h.settings.Subprotocols...) {
//~ 		for _, spoken := range h.protocols {
//~ 			if spoken.Subprotocol() == name {
//~ 				return spoken
//~ 			}
//~ 		}
//~ 	}
//~ 	return h.protocols[0]
//~ }
// #endif
// #endif

// Identify says whose handshake it is, or why it is refused.
func (h *Hub) Identify(r *http.Request) (hook.Identity, *websocket.Refusal) {
	// #if auth
	token, refusal := h.tokenOf(r)
	if refusal != nil {
		return hook.Identity{}, refusal
	}
	// Who says nothing is asked.
	if token == nil {
		return hook.Identity{}, nil
	}
	identity := identityOf(token)
	// #else
	//~ user, ok := h.identify(r)
	//~ if !ok {
	//~ 	// RFC 9110 section 15.5.2: a 401 names a way to authenticate.
	//~ 	header := http.Header{"Www-Authenticate": {"Bearer"}}
	//~ 	return hook.Identity{}, &websocket.Refusal{Status: http.StatusUnauthorized, Reason: "unknown user", Header: header}
	//~ }
	//~ identity := hook.Identity{User: user}
	// #endif
	// #if rate-limit
	// #if redis
	h.users.learn(identity.User)
	// #endif
	if h.users.isFull(identity.User) {
		header := http.Header{"Retry-After": {"5"}}
		return hook.Identity{}, &websocket.Refusal{Status: http.StatusTooManyRequests, Reason: "over MAX_CONNECTIONS_PER_USER", Header: header}
	}
	// #endif
	return identity, nil
}

// Serve has a connection until it ends, as conn.Serve does.
func (h *Hub) Serve(ctx context.Context, conn *websocket.Conn, peer Peer, identity hook.Identity) (code int, err error) {
	id := make([]byte, 16)
	// It never fails.
	_, _ = rand.Read(id)
	client := &Client{ID: hex.EncodeToString(id), hub: h, conn: conn, peer: peer}
	client.identity.Store(&identity)
	// #if applications
	// #if protocols
	if spoken := h.protocolOf(conn.Subprotocol); spoken != nil {
		return h.converse(ctx, client, spoken)
	}
	// #endif
	s := h.newSession(client)
	defer h.enter(client, s.drain)(&code)
	return s.serve(ctx)
	// #else
	//~ return h.converse(ctx, client, h.protocolOf(conn.Subprotocol))
	// #endif
}

// enter adds a client; what it returns removes it again.
func (h *Hub) enter(client *Client, drain func()) (leave func(code *int)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients[client] = drain
	// #if applications
	h.turn = (h.turn + 1) % len(h.flushers)
	client.flusher = h.flushers[h.turn]
	// #endif
	return func(code *int) {
		h.mu.Lock()
		delete(h.clients, client)
		h.mu.Unlock()
		// #if metrics
		h.figures.closes.of(closeLabel(*code)).Add(1)
		// #else
		//~ _ = code
		// #endif
	}
}

// Drain tells all clients to come back later; the server closes them afterwards.
func (h *Hub) Drain() {
	h.mu.Lock()
	drains := slices.Collect(maps.Values(h.clients))
	h.mu.Unlock()
	for _, drain := range drains {
		drain()
	}
}

// Trim is called when more of MEMORY_BUDGET is held than before.
func (h *Hub) Trim() {
	for _, trim := range h.trims {
		trim()
	}
}

// OnTrim has trim called when what is only kept has to give way. Not while it serves.
func (h *Hub) OnTrim(trim func()) { h.trims = append(h.trims, trim) }

// AddRoutes adds those of no application. Not while it serves.
func (h *Hub) AddRoutes(routes []Route) { h.routes = append(h.routes, routes...) }

// Routes are those of all applications; use is how many connections there are and the bytes that they hold.
func (h *Hub) Routes(use func() (connections, held int)) []Route {
	routes := h.routes
	// #if applications
	for _, application := range h.applications {
		if routed, ok := application.(Routed); ok {
			routes = append(routes, routed.Routes()...)
		}
	}
	// #endif
	// #if protocols
	for _, spoken := range h.protocols {
		if routed, ok := spoken.(Routed); ok {
			routes = append(routes, routed.Routes()...)
		}
	}
	// #endif
	// #if auth
	routes = append(routes, h.authRoutes()...)
	// #endif
	// #if metrics
	routes = append(routes, h.metricsRoute(use))
	// #else
	//~ _ = use
	// #endif
	return routes
}

// #if metrics

// CountHandshake is told what became of a handshake: accepted, or the status of a refusal.
func (h *Hub) CountHandshake(result string) { h.figures.handshakes.of(result).Add(1) }

// #if applications

// CountRecovery is told of a client that came with a position; isWhole is whether it gets everything after that.
func (h *Hub) CountRecovery(isWhole bool) {
	h.figures.recoveries.of(strconv.FormatBool(isWhole)).Add(1)
}

// #endif

// #endif

// Sweep is called once a second.
func (h *Hub) Sweep() {
	// #if rate-limit
	h.users.sweep()
	// #endif
}

// #if applications

// features are those of a server with the application, in the order of the documentation.
func (h *Hub) features(application Application) []string {
	features := append([]string{}, application.Features()...)
	// #if auth
	features = append(features, "auth")
	// #endif
	// #if rate-limit
	features = append(features, "rate-limit")
	// #endif
	// #if metrics
	features = append(features, "metrics")
	// #endif
	return features
}

// #endif
