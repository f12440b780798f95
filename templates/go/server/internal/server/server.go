// Package server is the HTTP server: who may connect, health checks, and the end.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	// #if realtime
	"runtime/debug"
	// #endif
	"slices"
	// #if metrics
	"strconv"
	// #endif
	"strings"
	"sync"
	"time"

	"example.com/ws-app/internal/config"
	// #if realtime
	"example.com/ws-app/internal/hook"
	"example.com/ws-app/internal/realtime"
	// #endif
	"example.com/ws-app/internal/websocket"
)

const maxHeaderOctets = 32 << 10

// Server has the connections.
type Server struct {
	settings config.Config
	log      *slog.Logger
	options  websocket.Options
	registry *registry

	mu         sync.Mutex
	isDraining bool
	conns      map[*websocket.Conn]struct{}
	// isEmpty is closed when the server drains and the last connection is gone.
	isEmpty   chan struct{}
	onceEmpty sync.Once

	// #if realtime
	// isLeaving is whether load balancers are told that it is about to drain.
	isLeaving bool
	// hub has the clients, talk serves one.
	hub  *realtime.Hub
	talk func(context.Context, *websocket.Conn, realtime.Peer, hook.Identity) (code int, err error)
	// routes are the HTTP requests that it answers.
	routes []realtime.Route
	// #if redis
	// AtEnd is called when all connections have ended.
	AtEnd func()
	// #endif
	// #else
	//~ // handle is called for each message.
	//~ handle websocket.Handler
	// #endif
}

// #if realtime

// New makes a server for the clients of a hub, which has all its applications.
func New(settings config.Config, logger *slog.Logger, hub *realtime.Hub) *Server {
	s := newServer(settings, logger)
	// #if redis
	s.AtEnd = func() {}
	// #endif
	s.hub = hub
	s.talk = hub.Serve
	s.routes = hub.Routes(s.registry.use)
	return s
}

// Space is how many bytes of MEMORY_BUDGET messages under way leave.
func (s *Server) Space() int {
	_, held := s.registry.use()
	return s.settings.MemoryBudget - held
}

// #else
//~ // New makes a server that calls handle for each message.
//~ func New(settings config.Config, logger *slog.Logger, handle websocket.Handler) *Server {
//~ 	s := newServer(settings, logger)
//~ 	s.handle = handle
//~ 	return s
//~ }
// #endif

func newServer(settings config.Config, logger *slog.Logger) *Server {
	s := &Server{
		settings: settings,
		log:      logger,
		options: websocket.Options{
			MaxPayload:     settings.MaxPayload,
			MaxBuffered:    settings.MaxBuffered,
			PingInterval:   settings.PingInterval,
			MessageTimeout: settings.MessageTimeout,
			Compression:    settings.Compression,
		},
		conns:   map[*websocket.Conn]struct{}{},
		isEmpty: make(chan struct{}),
	}
	s.registry = newRegistry(&s.settings, logger)
	return s
}

// Serve serves until ctx ends. Then it closes all connections with 1001, and waits for them DRAIN_TIMEOUT
// at most.
func (s *Server) Serve(ctx context.Context, inner net.Listener) error {
	l := s.registry.listen(inner)
	// Handlers work until the goodbyes: before, clients do.
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	web := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serveHTTP(serving, w, r) }),
		ReadHeaderTimeout: s.settings.HandshakeTimeout,
		ReadTimeout:       s.settings.HandshakeTimeout,
		WriteTimeout:      s.settings.HandshakeTimeout,
		MaxHeaderBytes:    maxHeaderOctets,
		// It logs what peers do, without a bound.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(l) }()
	_, port, _ := net.SplitHostPort(inner.Addr().String())
	var number int
	_, _ = fmt.Sscan(port, &number)
	s.log.Info("listening", "port", number, "url", "ws://localhost:"+port)
	hasEnded := make(chan struct{})
	defer close(hasEnded)
	// While it drains, too.
	go s.sweep(hasEnded)
	select {
	case err := <-failed:
		return fmt.Errorf("accept connections: %w", err)
	case <-ctx.Done():
		s.drain(context.Cause(ctx), end)
		// #if redis
		s.AtEnd()
		// #endif
		// Readiness was observable until the last client was gone.
		return errors.Join(web.Close(), ignoreClosed(<-failed))
	}
}

// sweep drops what nobody needs any more, until the server has ended.
func (s *Server) sweep(hasEnded <-chan struct{}) {
	sweeping := time.NewTicker(time.Second)
	defer sweeping.Stop()
	for {
		select {
		case <-hasEnded:
			return
		case <-sweeping.C:
			s.registry.sweep()
			// #if realtime
			s.hub.Sweep()
		case <-s.registry.grown:
			s.hub.Trim()
			// #endif
		}
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *Server) drain(cause error, endHandlers func()) {
	s.mu.Lock()
	// #if realtime
	s.isLeaving = true
	s.mu.Unlock()
	time.Sleep(s.settings.DrainDelay)
	s.mu.Lock()
	// #endif
	s.isDraining = true
	conns := slices.Collect(maps.Keys(s.conns))
	if len(conns) == 0 {
		s.onceEmpty.Do(func() { close(s.isEmpty) })
	}
	s.mu.Unlock()
	s.log.Info("draining", "signal", cause.Error(), "connections", len(conns))
	// #if realtime
	s.hub.Drain()
	// #endif
	for _, conn := range conns {
		conn.GoAway()
	}
	endHandlers()
	select {
	case <-s.isEmpty:
	case <-time.After(s.settings.DrainTimeout):
	}
	s.log.Info("stopped")
}

func (s *Server) serveHTTP(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	if !websocket.WantsUpgrade(r) {
		s.answer(w, r)
		return
	}
	place, refusal := s.admit(r)
	if refusal != nil {
		s.refuse(w, r, place, refusal)
		return
	}
	// #if realtime
	identity, refusal := s.identify(r, place)
	if refusal != nil {
		s.registry.leave(place)
		s.refuse(w, r, place, refusal)
		return
	}
	// #endif
	subprotocol := ""
	if offered := websocket.Offered(r); len(offered) > 0 {
		at := slices.IndexFunc(s.settings.Subprotocols, func(name string) bool { return slices.Contains(offered, name) })
		subprotocol = s.settings.Subprotocols[at]
	}
	peer := s.registry.newClient(place)
	conn, err := websocket.Accept(w, r, subprotocol, &s.options, peer)
	if err != nil {
		s.registry.leave(place)
		return
	}
	// #if metrics
	s.hub.CountHandshake("accepted")
	// #endif
	// The buffers of http go when this returns.
	go s.serve(conn, place, func() (int, error) {
		// #if realtime
		return s.talk(ctx, conn, peer, identity)
		// #else
		//~ s.registry.logPeer(place, slog.LevelInfo, "connected", slog.String("protocol", conn.Subprotocol))
		//~ return conn.Serve(ctx, s.handle)
		// #endif
	})
}

// #if realtime

// identify says whose a handshake is. Where that panics, net/http would go on without freeing the place.
func (s *Server) identify(r *http.Request, place *share) (identity hook.Identity, refusal *websocket.Refusal) {
	defer func() {
		if failed := recover(); failed != nil {
			err := fmt.Errorf("panic: %v\n%s", failed, debug.Stack())
			s.registry.logPeer(place, slog.LevelError, "identify-failed", slog.Any("message", err))
			refusal = &websocket.Refusal{Status: http.StatusInternalServerError, Reason: "internal error"}
		}
	}()
	return s.hub.Identify(r)
}

// #endif

// serve has the connection until it ends.
func (s *Server) serve(conn *websocket.Conn, place *share, talk func() (code int, err error)) {
	// A client that has the answer to its handshake gets a goodbye.
	s.mu.Lock()
	s.conns[conn] = struct{}{}
	isLate := s.isDraining
	s.mu.Unlock()
	if isLate {
		conn.GoAway()
	}
	code, err := talk()
	s.logEnd(place, code, err)
	// The place is free as soon as the peer can know.
	s.registry.leave(place)
	conn.HangUp()
	s.mu.Lock()
	delete(s.conns, conn)
	if s.isDraining && len(s.conns) == 0 {
		s.onceEmpty.Do(func() { close(s.isEmpty) })
	}
	s.mu.Unlock()
}

func (s *Server) logEnd(place *share, code int, err error) {
	var closing *websocket.CloseError
	switch {
	case code == websocket.CloseInternal && err != nil:
		// As it is no string, it is not shortened: the stack of a panic is needed as a whole.
		s.registry.logPeer(place, slog.LevelError, "handler-failed", slog.Any("message", err))
	case errors.As(err, &closing):
		s.registry.logPeer(place, slog.LevelWarn, "client-error", slog.String("message", closing.Reason))
	}
	s.registry.logPeer(place, slog.LevelInfo, "disconnected", slog.Int("code", code))
}

// admit counts a connection, or says why its handshake is refused.
func (s *Server) admit(r *http.Request) (*share, *websocket.Refusal) {
	ip := s.addressOf(r)
	retry := http.Header{"Retry-After": {"5"}}
	refused := func(refusal websocket.Refusal) (*share, *websocket.Refusal) {
		s.registry.mu.Lock()
		defer s.registry.mu.Unlock()
		return s.registry.of(ip), &refusal
	}
	if r.URL.Path != "/" && r.URL.Path != "" {
		return refused(websocket.Refusal{Status: http.StatusNotFound, Reason: "no such path"})
	}
	if refusal := websocket.CheckHandshake(r); refusal != nil {
		return refused(*refusal)
	}
	if hint := faultOfOrigin(&s.settings, r); hint != "" {
		return refused(websocket.Refusal{Status: http.StatusForbidden, Reason: "Origin is not allowed", Hint: hint})
	}
	s.mu.Lock()
	isDraining := s.isDraining
	s.mu.Unlock()
	if isDraining {
		return refused(websocket.Refusal{Status: http.StatusServiceUnavailable, Reason: "shutting down", Header: retry})
	}
	offered := websocket.Offered(r)
	isKnown := func(name string) bool { return slices.Contains(s.settings.Subprotocols, name) }
	if len(offered) > 0 && !slices.ContainsFunc(offered, isKnown) {
		known := strings.Join(s.settings.Subprotocols, ", ")
		if known == "" {
			known = "none"
		}
		return refused(websocket.Refusal{Status: http.StatusBadRequest, Reason: "unknown subprotocol; supported: " + known})
	}
	place, limit := s.registry.enter(ip)
	switch {
	case limit == "MAX_CONNECTIONS":
		return place, &websocket.Refusal{Status: http.StatusServiceUnavailable, Reason: "full: MAX_CONNECTIONS are open", Header: retry}
	case limit != "":
		refusal := overPerIP()
		return place, &refusal
	case s.settings.TrustProxy > 0 && s.registry.handshakeDebt(place) > 0:
		s.registry.leave(place)
		return place, overRate()
	}
	return place, nil
}

func overRate() *websocket.Refusal {
	return &websocket.Refusal{
		Status: http.StatusTooManyRequests,
		Reason: "above HANDSHAKE_RATE of your address",
		Header: http.Header{"Retry-After": {"5"}},
	}
}

func overPerIP() websocket.Refusal {
	return websocket.Refusal{
		Status: http.StatusTooManyRequests,
		Reason: "over MAX_CONNECTIONS_PER_IP from your address",
		Header: http.Header{"Retry-After": {"5"}},
	}
}

// addressOf is the peer; behind proxies the n-th entry from the right, never the first.
func (s *Server) addressOf(r *http.Request) string {
	if n := s.settings.TrustProxy; n > 0 {
		entries := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if len(entries) >= n && strings.TrimSpace(entries[len(entries)-n]) != "" {
			return addressKey(entries[len(entries)-n])
		}
	}
	return addressKey(r.RemoteAddr)
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, place *share, refusal *websocket.Refusal) {
	s.registry.logPeer(place, slog.LevelWarn, "handshake-refused",
		slog.Int("status", refusal.Status), slog.String("reason", refusal.Reason), slog.String("hint", refusal.Hint),
		slog.String("origin", r.Header.Get("Origin")), slog.String("host", r.Host))
	// #if metrics
	s.hub.CountHandshake(strconv.Itoa(refusal.Status))
	// #endif
	maps.Copy(w.Header(), refusal.Header)
	// RFC 9112 section 2.3: an answer has the version of the server, which net/http takes from here.
	r.ProtoMajor, r.ProtoMinor = 1, 1
	write(w, refusal.Status, "text/plain", refusal.Reason)
}

// answer answers health checks; other requests get 426 or 404.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	// #if realtime
	if s.answerRoute(w, r) {
		return
	}
	// #else
	//~ s.mu.Lock()
	//~ isDraining := s.isDraining
	//~ s.mu.Unlock()
	// #endif
	status, body := http.StatusNotFound, `{"error":"not found"}`
	switch r.URL.Path {
	case "/healthz":
		status, body = http.StatusOK, `{"status":"ok"}`
	case "/readyz":
		// #if realtime
		phase, connections := s.phase()
		body = fmt.Sprintf(`{"status":%q,"connections":%d}`, phase, connections)
		if status = http.StatusServiceUnavailable; phase == "serving" {
			status = http.StatusOK
			// #if redis
			if reason := s.hub.Trouble(); reason != "" {
				// All servers lose Redis at the same time: each still serves its own clients.
				body = fmt.Sprintf(`{"status":"degraded","reason":%s,"connections":%d}`, realtime.JSON(reason), connections)
			}
			// #endif
		}
		// #else
		//~ status, body = http.StatusOK, `{"status":"ready"}`
		//~ if isDraining {
		//~ 	status, body = http.StatusServiceUnavailable, `{"status":"draining"}`
		//~ }
		// #endif
	case "/", "":
		// The name of somebody else that points here; load balancers ask for health by address.
		status, body = http.StatusMisdirectedRequest, `{"error":"not in ALLOWED_HOSTS"}`
		if isOwnHost(&s.settings, r.Host) {
			status, body = http.StatusUpgradeRequired, `{"error":"this is a WebSocket endpoint"}`
			// RFC 9110 section 15.5.22: a 426 names what to upgrade to.
			w.Header().Set("Upgrade", "websocket")
		}
	}
	write(w, status, "application/json", body+"\n")
}

// write ends the connection: the next request is one of those that are counted.
func write(w http.ResponseWriter, status int, contentType, body string) {
	header := w.Header()
	header["Connection"] = []string{"close"}
	if header.Get("Upgrade") != "" {
		header["Connection"] = []string{"close", "Upgrade"}
	}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	w.WriteHeader(status)
	// The peer may be gone.
	_, _ = io.WriteString(w, body)
}

// #if realtime

// phase is what readiness says, with the number of connections.
func (s *Server) phase() (phase string, connections int) {
	s.mu.Lock()
	isLeaving, isDraining := s.isLeaving, s.isDraining
	s.mu.Unlock()
	connections, _ = s.registry.use()
	switch {
	case isDraining:
		return "draining", connections
	case isLeaving:
		return "leaving", connections
	case connections >= s.settings.MaxConnections:
		return "full", connections
	}
	return "serving", connections
}

// answerRoute reports false for a request that no route is for.
func (s *Server) answerRoute(w http.ResponseWriter, r *http.Request) bool {
	route, name, allowed := realtime.FindRoute(s.routes, r.Method, r.URL.EscapedPath())
	isForUs := route != nil && route.IsForAnyHost || isOwnHost(&s.settings, r.Host)
	if route == nil && len(allowed) == 0 || !isForUs {
		return false
	}
	if route == nil {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		respond(w, realtime.Problem(http.StatusMethodNotAllowed, "not this method"))
		return true
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, route.MaxBody))
	if err != nil {
		respond(w, realtime.Problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("expected at most %d bytes", route.MaxBody)))
		return true
	}
	s.registry.mu.Lock()
	place := s.registry.of(s.addressOf(r))
	s.registry.mu.Unlock()
	request := realtime.Request{
		Request:   r,
		Body:      body,
		Name:      name,
		Peer:      s.registry.newClient(place),
		IsOwnHost: isOwnHost(&s.settings, r.Host),
	}
	if refusal := s.refusalOf(route, r, place); refusal != nil {
		respond(w, request.Refuse(refusal))
	} else {
		respond(w, route.Answer(request))
	}
	return true
}

// refusalOf says why a request is refused, whatever it asks for.
func (s *Server) refusalOf(route *realtime.Route, r *http.Request, place *share) *websocket.Refusal {
	if route.IsForAnyHost {
		return nil
	}
	if hint := faultOfOrigin(&s.settings, r); hint != "" {
		return &websocket.Refusal{Status: http.StatusForbidden, Reason: "Origin is not allowed", Hint: hint}
	}
	if s.settings.TrustProxy > 0 && s.registry.handshakeDebt(place) > 0 {
		return overRate()
	}
	return nil
}

func respond(w http.ResponseWriter, answer realtime.Answer) {
	maps.Copy(w.Header(), answer.Header)
	kind, body := w.Header().Get("Content-Type"), ""
	switch value := answer.Body.(type) {
	case nil:
	case string:
		body = value
	default:
		kind, body = "application/json", string(realtime.JSON(value))+"\n"
	}
	write(w, answer.Status, kind, body)
}

// #endif
