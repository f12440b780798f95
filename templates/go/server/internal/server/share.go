package server

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/rate"
	"example.com/ws-app/internal/websocket"
)

const (
	// sparePerIP is TCP connections of one address beyond its limit: handshakes under way, health checks.
	sparePerIP = 16
	// Log lines of one address, a second and at once.
	linesPerSecond, linesAtOnce = 5, 50
	loggedOctets                = 200
	leastPause                  = 20 * time.Millisecond
)

// share is what one address has and uses; its registry's mutex guards it.
type share struct {
	ip string
	// tcp and open are TCP and WebSocket connections, held bytes of the budget.
	tcp, open, held, leftOut            int
	frames, messages, handshakes, lines rate.Bucket
}

// registry has the shares of all addresses.
type registry struct {
	settings *config.Config
	log      *slog.Logger

	mu     sync.Mutex
	shares map[string]*share
	// open is WebSocket connections of all addresses, held their bytes.
	open, held int
	// #if realtime
	// grown has a value when more is held than before.
	grown chan struct{}
	// #endif
}

func newRegistry(settings *config.Config, log *slog.Logger) *registry {
	// #if realtime
	return &registry{settings: settings, log: log, shares: map[string]*share{}, grown: make(chan struct{}, 1)}
	// #else
	//~ return &registry{settings: settings, log: log, shares: map[string]*share{}}
	// #endif
}

// #if realtime

func (r *registry) sayHeld() {
	select {
	case r.grown <- struct{}{}:
	default:
	}
}

// use is how many connections there are, and the bytes that they hold.
func (r *registry) use() (open, held int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open, r.held
}

// #endif

// of finds the share of an address; r.mu is held.
func (r *registry) of(ip string) *share {
	s, ok := r.shares[ip]
	if !ok {
		frames, framesAtOnce, messages, messagesAtOnce := r.rates()
		s = &share{
			ip: ip,
			// Eight clients of one address may use up their rates at the same time.
			frames:     rate.NewBucket(8*frames, 8*framesAtOnce),
			messages:   rate.NewBucket(8*messages, 8*messagesAtOnce),
			handshakes: rate.NewBucket(float64(r.settings.HandshakeRate), float64(2*r.settings.MaxConnectionsPerIP+100)),
			lines:      rate.NewBucket(linesPerSecond, linesAtOnce),
		}
		r.shares[ip] = s
	}
	return s
}

// rates of a client, a second and at once.
func (r *registry) rates() (frames, framesAtOnce, messages, messagesAtOnce float64) {
	frames = float64(r.settings.RateLimit)
	// #if realtime
	framesAtOnce = float64(r.settings.RateBurst)
	return frames, framesAtOnce, frames, framesAtOnce
	// #else
	//~ messages = float64(r.settings.MessageRate)
	//~ return frames, 4 * frames, messages, messages
	// #endif
}

// connect counts a TCP connection; false if its address has too many.
func (r *registry) connect(ip string) (*share, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.of(ip)
	s.tcp++
	// Behind proxies all connections have a few addresses; those of clients are counted later.
	return s, r.settings.TrustProxy > 0 || s.tcp <= r.settings.MaxConnectionsPerIP+sparePerIP
}

func (r *registry) disconnect(s *share) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.tcp--
}

// handshakeDebt is how long a handshake has to wait; one that has not to is counted.
func (r *registry) handshakeDebt(s *share) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	debt := s.handshakes.Debt(now)
	if debt == 0 {
		s.handshakes.Spend(now, 1)
	}
	return debt
}

// enter counts a WebSocket connection; it returns the setting that is in the way, if there is one.
func (r *registry) enter(ip string) (s *share, limit string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s = r.of(ip)
	switch {
	case r.open >= r.settings.MaxConnections:
		return s, "MAX_CONNECTIONS"
	case s.open >= r.settings.MaxConnectionsPerIP:
		return s, "MAX_CONNECTIONS_PER_IP"
	}
	r.open++
	s.open++
	return s, ""
}

func (r *registry) leave(s *share) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
	s.open--
}

// sweep forgets addresses that have nothing and owe nothing.
func (r *registry) sweep() {
	var leftOut []*share
	r.mu.Lock()
	now := time.Now()
	for ip, s := range r.shares {
		isFull := true
		for _, b := range []*rate.Bucket{&s.frames, &s.messages, &s.handshakes, &s.lines} {
			isFull = isFull && b.IsFull(now)
		}
		switch {
		case s.leftOut > 0 && s.lines.Wait(now) == 0:
			leftOut = append(leftOut, s)
		case isFull && s.tcp+s.open+s.held+s.leftOut == 0:
			delete(r.shares, ip)
		}
	}
	r.mu.Unlock()
	for _, s := range leftOut {
		r.logPeer(s, slog.LevelInfo, "left-out")
	}
}

// logPeer logs what a peer did: some lines a second and address, with strings of bounded length.
func (r *registry) logPeer(s *share, level slog.Level, event string, attrs ...slog.Attr) {
	r.mu.Lock()
	if !s.lines.Take(time.Now(), 1) {
		s.leftOut++
		r.mu.Unlock()
		return
	}
	leftOut := s.leftOut
	s.leftOut = 0
	r.mu.Unlock()
	all := []slog.Attr{slog.String("ip", s.ip)}
	for _, attr := range attrs {
		text, isText := attr.Value.Any().(string)
		switch {
		case !isText:
			all = append(all, attr)
		case text != "":
			all = append(all, slog.String(attr.Key, printable(text)))
		}
	}
	if leftOut > 0 {
		all = append(all, slog.Int("leftOut", leftOut))
	}
	// A reader of the log that is slow holds up nobody else's counts.
	r.log.LogAttrs(context.Background(), level, event, all...)
}

// printable is the start of a text; octets of a header that are not UTF-8 are characters of ISO 8859-1.
func printable(text string) string {
	runes := []rune(text)
	if strings.ToValidUTF8(text, "") != text {
		runes = runes[:0]
		for i := range len(text) {
			runes = append(runes, rune(text[i]))
		}
	}
	return string(runes[:min(len(runes), loggedOctets)])
}

// client is the websocket.Meter of one connection.
type client struct {
	registry         *registry
	share            *share
	frames, messages rate.Bucket
	hasSlept         bool
	// #if realtime
	// onThrottled is called when it is above a rate for the first time.
	onThrottled func()
	// #endif
}

var _ websocket.Meter = (*client)(nil)

func (r *registry) newClient(s *share) *client {
	frames, framesAtOnce, messages, messagesAtOnce := r.rates()
	return &client{
		registry: r,
		share:    s,
		frames:   rate.NewBucket(frames, framesAtOnce),
		messages: rate.NewBucket(messages, messagesAtOnce),
		// #if realtime

		onThrottled: func() {},
		// #endif
	}
}

// #if realtime

// Address is that of the client, as all are counted.
func (c *client) Address() string { return c.share.ip }

// Log says what the client did.
func (c *client) Log(level slog.Level, event string, attrs ...slog.Attr) {
	c.registry.logPeer(c.share, level, event, attrs...)
}

// OnThrottled has call called when the client is above a rate for the first time.
func (c *client) OnThrottled(call func()) { c.onThrottled = call }

// #endif

// Hold gives an address half of what others leave: however many hold memory, a newcomer finds some.
func (c *client) Hold(bytes int) bool {
	r := c.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held += bytes
	c.share.held += bytes
	// #if realtime
	if bytes > 0 {
		r.sayHeld()
	}
	// #endif
	left := r.settings.MemoryBudget - (r.held - c.share.held)
	return c.share.held <= left/2
}

// Spend looks at the rates of this client and of its address.
func (c *client) Spend(frames, messages float64) time.Duration {
	r, s, now := c.registry, c.share, time.Now()
	r.mu.Lock()
	wait, limit := owed(&c.frames, &s.frames, frames, now), "RATE_LIMIT"
	if debt := owed(&c.messages, &s.messages, messages, now); debt > wait {
		// #if realtime
		wait = debt
		// #else
		//~ wait, limit = debt, "MAX_MESSAGES_PER_SECOND"
		// #endif
	}
	r.mu.Unlock()
	if wait <= 0 {
		return 0
	}
	if !c.hasSlept {
		c.hasSlept = true
		hint := "not read for a while; " + limit + " allows more"
		r.logPeer(s, slog.LevelWarn, "throttled", slog.String("limit", limit), slog.String("hint", hint))
		// #if realtime
		c.onThrottled()
		// #endif
	}
	return max(wait, leastPause)
}

func owed(own, ofAddress *rate.Bucket, cost float64, now time.Time) time.Duration {
	own.Spend(now, cost)
	ofAddress.Spend(now, cost)
	debt := own.Debt(now)
	// What its address owes is no concern of a client that sends little.
	if !own.IsHalfFull() {
		debt = max(debt, ofAddress.Debt(now))
	}
	return debt
}

// addressKey is one form for all that count as one address: IPv4, also when mapped (RFC 4291 section
// 2.5.5.2), and the first 64 bits of IPv6. What is no address is "unknown", as a client could make up any
// number of others.
func addressKey(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > 1 && strings.HasPrefix(text, `"`) && strings.HasSuffix(text, `"`) {
		text = text[1 : len(text)-1]
	}
	addr, err := netip.ParseAddr(text)
	if err != nil && strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		addr, err = netip.ParseAddr(text[1 : len(text)-1])
	}
	if err != nil {
		var withPort netip.AddrPort
		withPort, err = netip.ParseAddrPort(text)
		addr = withPort.Addr()
	}
	if err != nil {
		return "unknown"
	}
	if addr = addr.Unmap().WithZone(""); addr.Is4() {
		return addr.String()
	}
	// Every IPv6 address has that many bits.
	network, _ := addr.Prefix(64)
	return network.String()
}
