// Package config has the settings of the server.
package config

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	// #if pubsub || graphql
	"slices"
	// #endif
	"strconv"
	"strings"
	"time"
	// #if auth || redis

	// #endif
	// #if auth
	"example.com/ws-app/internal/auth"
	// #endif
	// #if redis
	"example.com/ws-app/internal/redislink"
	// #endif
)

// Config is every setting; the environment variables are named in Load.
type Config struct {
	// Port 0 lets the system pick a free port.
	Port int
	// Host is empty for every interface.
	Host string
	// MaxPayload is the largest message in bytes, also after decompression.
	MaxPayload int
	// PingInterval is the time between two pings; a peer that neither sends nor reads during two is cut off.
	PingInterval time.Duration
	// Compression is whether permessage-deflate (RFC 7692) is offered.
	Compression bool
	// Subprotocols are those that are supported, the preferred one first.
	Subprotocols []string
	// AllowedOrigins are values of Origin; none listed: pages from this host, and from localhost.
	AllowedOrigins []string
	// AllowedHosts are names of this server besides localhost, 127.0.0.1 and [::1].
	AllowedHosts []string
	// Production is whether pages from localhost are no exception.
	Production bool
	// MaxConnections are open connections; MaxConnectionsPerIP those of an address, which is an IPv4
	// address or an IPv6 network of 64 bits.
	MaxConnections, MaxConnectionsPerIP int
	// HandshakeRate is new connections a second that one address gets.
	HandshakeRate int
	// #if realtime
	// RateLimit is messages, or frames of any kind, a second of one client, RateBurst at once.
	RateLimit, RateBurst int
	// #else
	//~ // RateLimit is frames a second of one client that say nothing: pings, pongs, empty or tiny fragments.
	//~ RateLimit int
	//~ // MessageRate is messages a second of one client, 16 KiB of a message counting as one.
	//~ MessageRate int
	// #endif
	// MemoryBudget is bytes of unfinished, inflated and waiting messages; one address gets half of what
	// others leave.
	MemoryBudget int
	// MessageTimeout is how long an unfinished message may rest.
	MessageTimeout time.Duration
	// TrustProxy is the number of reverse proxies in front whose X-Forwarded-For is trusted.
	TrustProxy int
	// MaxBuffered is bytes that may wait for one client before the server stops reading from it.
	MaxBuffered int
	// HandshakeTimeout is how long a client may take to send its handshake.
	HandshakeTimeout time.Duration
	// DrainTimeout is how long clients get for the closing handshake when the server shuts down.
	DrainTimeout time.Duration
	// #if realtime
	// Demo is whether the page in public/ is served, and may stop the process outside production.
	Demo bool
	// DrainDelay is how long load balancers get to see that the server is about to shut down.
	DrainDelay time.Duration
	// #endif
	// #if rooms
	// MaxRooms are rooms at the same time; MaxRoomsPerIP those that one address opens and keeps open.
	MaxRooms, MaxRoomsPerIP int
	// MaxRoomMembers are members of one room, MaxRoomsPerClient rooms that one client is in.
	MaxRoomMembers, MaxRoomsPerClient int
	// #endif
	// #if presence
	// PresenceGrace is how long a user stays present after a lost connection.
	PresenceGrace time.Duration
	// #endif
	// #if history || live
	// HistoryMessages and HistoryBytes are what is kept of one room, stream or document.
	HistoryMessages, HistoryBytes int
	// HistoryTTL is how long that is kept without clients.
	HistoryTTL time.Duration
	// #endif
	// #if resume
	// ResumeWindow is how long a message with the same id is not published again.
	ResumeWindow time.Duration
	// #endif
	// #if rate-limit
	// UserRateLimit is commands a second of one user over all connections, UserRateBurst at once.
	UserRateLimit, UserRateBurst int
	// MaxConnectionsPerUser are open connections of one user.
	MaxConnectionsPerUser int
	// #endif
	// #if auth
	// Auth says which tokens are valid.
	Auth auth.Options
	// AuthTimeout is how long the first message may take to say who the client is.
	AuthTimeout time.Duration
	// AdminToken is what who revokes has to send; empty: nobody does.
	AdminToken string
	// #endif
	// #if pubsub
	// MaxStreams are first segments of topics that clients subscribe to at the same time; MaxStreamsPerIP
	// those that count for one address.
	MaxStreams, MaxStreamsPerIP int
	// MaxSubscriptions are those at the same time, of an address, and of one client.
	MaxSubscriptions, MaxSubscriptionsPerIP, MaxSubscriptionsPerClient int
	// ClientPublish is whether clients may publish.
	ClientPublish bool
	// #endif
	// #if live
	// MaxDocuments are documents of MaxDocumentBytes as JSON at most.
	MaxDocuments, MaxDocumentBytes int
	// MaxWatchesPerClient are documents that one client watches.
	MaxWatchesPerClient int
	// #endif
	// #if pubsub || live
	// PublishToken is what who publishes over HTTP has to send; empty: nobody does.
	PublishToken string
	// #endif
	// #if jsonrpc
	// MaxBatch is requests in one batch.
	MaxBatch int
	// CallTimeout is how long a client has to answer a call of the server.
	CallTimeout time.Duration
	// #endif
	// #if graphql
	// GraphqlInitTimeout is how long a client may take to send connection_init.
	GraphqlInitTimeout time.Duration
	// GraphqlMaxOperations are those of one connection at the same time, GraphqlMaxAllOperations those of all.
	GraphqlMaxOperations, GraphqlMaxAllOperations int
	// GraphqlMaxDepth is fields of an operation in each other, GraphqlMaxCost all, those of a list as often as it may
	// have items.
	GraphqlMaxDepth, GraphqlMaxCost int
	// GraphqlMaxTokens are those of a document, GraphqlMaxDocument its bytes, GraphqlMaxVariables those of its
	// variables as JSON.
	GraphqlMaxTokens, GraphqlMaxDocument, GraphqlMaxVariables int
	// GraphqlIntrospection is whether clients may read the schema.
	GraphqlIntrospection bool
	// #endif
	// #if jsonrpc || wamp
	// MaxCallsPerClient are calls of one client that are in progress at the same time.
	MaxCallsPerClient int
	// #endif
	// #if wamp
	// RealmsFile has the realms of WAMP; empty: internal/handler/realms.yaml, as it was when the server was built.
	RealmsFile string
	// MaxSubscriptionsPerSession and MaxRegistrationsPerSession are those of one session.
	MaxSubscriptionsPerSession int
	MaxRegistrationsPerSession int
	// MaxWAMPEntries are subscriptions and registrations of all sessions.
	MaxWAMPEntries int
	// #endif
	// #if redis
	// Redis is what servers share.
	Redis redislink.Options
	// PositionCheck is how often it is looked whether anything that was published did not come.
	PositionCheck time.Duration
	// #if presence
	// PresenceTTL is when users are gone whose server has died.
	PresenceTTL time.Duration
	// #endif
	// #endif
	// #if metrics
	// MetricsToken is what who reads /metrics has to send; empty: everybody may read them.
	MetricsToken string
	// #endif
}

// Load reads the settings. Its error has one line for each that is wrong, with what is expected.
func Load(getenv func(string) string) (Config, error) {
	env := &reader{getenv: getenv}
	c := Config{
		Port:             env.integer("PORT", 8080, 0, 65_535),
		Host:             getenv("HOST"),
		MaxPayload:       env.integer("MAX_PAYLOAD", 1048576, 1, 0x7fffffff),
		PingInterval:     env.milliseconds("PING_INTERVAL", 30000, 10, 3_600_000),
		Compression:      env.oneOf("COMPRESSION", "permessage-deflate", "permessage-deflate", "none") != "none",
		Subprotocols:     env.list("SUBPROTOCOLS", []string{"chat.v1"}, token.MatchString, "names of subprotocols"),
		AllowedOrigins:   env.list("ALLOWED_ORIGINS", nil, isOrigin, "origins as in https://example.com"),
		AllowedHosts:     env.list("ALLOWED_HOSTS", nil, hostName.MatchString, "host names without a port"),
		Production:       getenv("NODE_ENV") == "production",
		MaxConnections:   env.integer("MAX_CONNECTIONS", 10_000, 1, 1_000_000),
		MessageTimeout:   env.milliseconds("MESSAGE_TIMEOUT", 30_000, 50, 3_600_000),
		TrustProxy:       env.integer("TRUST_PROXY", 0, 0, 10),
		HandshakeTimeout: env.milliseconds("HANDSHAKE_TIMEOUT", 5000, 50, 9000),
		DrainTimeout:     env.milliseconds("DRAIN_TIMEOUT", 5000, 0, 600_000),
	}
	// #if realtime
	// #if applications
	c.MaxPayload = min(c.MaxPayload, maxCommandBytes)
	// #endif
	c.MaxConnectionsPerIP = env.integer("MAX_CONNECTIONS_PER_IP", 256, 1, 1_000_000)
	c.HandshakeRate = env.integer("HANDSHAKE_RATE", 200, 1, 1_000_000)
	c.RateLimit = env.integer("RATE_LIMIT", 100, 1, 1_000_000)
	c.RateBurst = env.integer("RATE_BURST", 200, 1, 1_000_000)
	c.MemoryBudget = env.integer("MEMORY_BUDGET", 256<<20, 65_536, min(0x7fffffffff, math.MaxInt))
	c.MaxBuffered = env.integer("MAX_BUFFERED", 2<<20, 16_384, 0x7fffffff)
	c.Demo = env.oneOf("DEMO", "0", "1", "0", "true", "false") == "1" || getenv("DEMO") == "true"
	c.DrainDelay = env.milliseconds("DRAIN_DELAY", 0, 0, 600_000)
	// #if rooms
	c.MaxRooms = env.integer("MAX_ROOMS", 1000, 1, 1_000_000)
	c.MaxRoomsPerIP = env.integer("MAX_ROOMS_PER_IP", 128, 1, 1_000_000)
	c.MaxRoomMembers = env.integer("MAX_ROOM_MEMBERS", 1000, 1, 100_000)
	c.MaxRoomsPerClient = env.integer("MAX_ROOMS_PER_CLIENT", 128, 1, 10_000)
	// #endif
	// #if presence
	c.PresenceGrace = env.milliseconds("PRESENCE_GRACE", 3000, 0, 600_000)
	// #endif
	// #if history || live
	c.HistoryMessages = env.integer("HISTORY_MESSAGES", 100, 1, 100_000)
	c.HistoryBytes = env.integer("HISTORY_BYTES", 128<<10, 1024, 0x7fffffff)
	c.HistoryTTL = env.milliseconds("HISTORY_TTL", 300_000, 0, 86_400_000)
	// #endif
	// #if resume
	c.ResumeWindow = env.milliseconds("RESUME_WINDOW", 120_000, 0, 3_600_000)
	// #endif
	// #if rate-limit
	c.UserRateLimit = env.integer("USER_RATE_LIMIT", 200, 1, 1_000_000)
	c.UserRateBurst = env.integer("USER_RATE_BURST", 400, 1, 1_000_000)
	c.MaxConnectionsPerUser = env.integer("MAX_CONNECTIONS_PER_USER", 32, 1, 1_000_000)
	// #endif
	// #if auth
	env.auth(&c)
	// #endif
	// #if pubsub
	c.MaxStreams = env.integer("MAX_STREAMS", 1000, 1, 1_000_000)
	c.MaxStreamsPerIP = env.integer("MAX_STREAMS_PER_IP", 128, 1, 1_000_000)
	c.MaxSubscriptions = env.integer("MAX_SUBSCRIPTIONS", 50_000, 1, 10_000_000)
	c.MaxSubscriptionsPerIP = env.integer("MAX_SUBSCRIPTIONS_PER_IP", 5000, 1, 10_000_000)
	c.MaxSubscriptionsPerClient = env.integer("MAX_SUBSCRIPTIONS_PER_CLIENT", 128, 1, 100_000)
	c.ClientPublish = slices.Contains(truths, env.oneOf("CLIENT_PUBLISH", "true", append(truths, "false", "0", "no", "off")...))
	// #endif
	// #if live
	c.MaxDocuments = env.integer("MAX_DOCUMENTS", 1000, 1, 100_000)
	c.MaxDocumentBytes = env.integer("MAX_DOCUMENT_BYTES", 256<<10, 1024, 0x7fffffff)
	c.MaxWatchesPerClient = env.integer("MAX_WATCHES_PER_CLIENT", 128, 1, 100_000)
	// #endif
	// #if pubsub || live
	c.PublishToken = env.secret("PUBLISH_TOKEN", 32)
	// #endif
	// #if jsonrpc
	c.MaxBatch = env.integer("MAX_BATCH", 100, 1, 100_000)
	c.CallTimeout = env.milliseconds("CALL_TIMEOUT", 30_000, 1, 86_400_000)
	// #endif
	// #if graphql
	c.GraphqlInitTimeout = env.milliseconds("GRAPHQL_INIT_TIMEOUT", 3000, 50, 600_000)
	c.GraphqlMaxOperations = env.integer("GRAPHQL_MAX_OPERATIONS", 100, 1, 100_000)
	c.GraphqlMaxAllOperations = env.integer("GRAPHQL_MAX_ALL_OPERATIONS", 50_000, 1, 10_000_000)
	c.GraphqlMaxDepth = env.integer("GRAPHQL_MAX_DEPTH", 10, 1, 1000)
	c.GraphqlMaxCost = env.integer("GRAPHQL_MAX_COST", 1000, 1, 1_000_000_000)
	c.GraphqlMaxTokens = env.integer("GRAPHQL_MAX_TOKENS", 1000, 1, 100_000)
	c.GraphqlMaxDocument = env.integer("GRAPHQL_MAX_DOCUMENT", 16_384, 1, 65_536)
	c.GraphqlMaxVariables = env.integer("GRAPHQL_MAX_VARIABLES", 16_384, 2, 65_536)
	isShown := "true"
	if c.Production {
		isShown = "false"
	}
	c.GraphqlIntrospection = slices.Contains(truths, env.oneOf("GRAPHQL_INTROSPECTION", isShown, append(truths, "false", "0", "no", "off")...))
	// #endif
	// #if jsonrpc || wamp
	c.MaxCallsPerClient = env.integer("MAX_CALLS_PER_CLIENT", 100, 1, 100_000)
	// #endif
	// #if wamp
	c.RealmsFile = getenv("REALMS_FILE")
	c.MaxSubscriptionsPerSession = env.integer("MAX_SUBSCRIPTIONS_PER_SESSION", 1000, 1, 1_000_000)
	c.MaxRegistrationsPerSession = env.integer("MAX_REGISTRATIONS_PER_SESSION", 1000, 1, 1_000_000)
	c.MaxWAMPEntries = env.integer("MAX_WAMP_ENTRIES", 50_000, 1, 10_000_000)
	// #endif
	// #if redis
	env.redis(&c)
	// #endif
	// #if metrics
	c.MetricsToken = env.secret("METRICS_TOKEN", 16)
	// #endif
	if len(env.faults) == 0 {
		env.fit(&c)
	}
	// #else
	//~ c.MaxConnectionsPerIP = env.integer("MAX_CONNECTIONS_PER_IP", unset, 1, 1_000_000)
	//~ c.HandshakeRate = env.integer("HANDSHAKE_RATE", 1000, 1, 1_000_000)
	//~ c.RateLimit = env.integer("RATE_LIMIT", 1000, 1, 1_000_000)
	//~ c.MessageRate = env.integer("MAX_MESSAGES_PER_SECOND", 1_000_000, 1, 10_000_000)
	//~ c.MemoryBudget = env.integer("MEMORY_BUDGET", unset, 65_536, min(0x7fffffffff, math.MaxInt))
	//~ c.MaxBuffered = env.integer("MAX_BUFFERED", 1_048_576, 1024, 0x7fffffff)
	//~ // Limits that nobody set fit the others; limits that were set must.
	//~ if c.MaxConnectionsPerIP == unset {
	//~ 	c.MaxConnectionsPerIP = min(1024, c.MaxConnections)
	//~ }
	//~ if c.MemoryBudget == unset {
	//~ 	c.MemoryBudget = max(256<<20, 2*c.MaxPayload, 2*c.MaxBuffered)
	//~ }
	//~ if len(env.faults) == 0 {
	//~ 	env.atMost("MAX_CONNECTIONS_PER_IP", c.MaxConnectionsPerIP, "MAX_CONNECTIONS", c.MaxConnections, 1)
	//~ 	env.atMost("MAX_PAYLOAD", c.MaxPayload, "MEMORY_BUDGET", c.MemoryBudget, 2)
	//~ 	env.atMost("MAX_BUFFERED", c.MaxBuffered, "MEMORY_BUDGET", c.MemoryBudget, 2)
	//~ }
	// #endif
	return c, errors.Join(env.faults...)
}

// #if realtime

// #if applications

// maxCommandBytes is the largest command, whatever is set.
const maxCommandBytes = 64 << 10

// #endif

// limit is a setting that needs space in another: its value, times that of times, is at most a share of that.
type limit struct {
	name  string
	value *int
	// timesName is empty for most.
	timesName string
	times     *int
	within    string
	of, share int
	// spare is what of that stays free.
	spare int
	why   string
}

// limits are those of c, in the order in which they give way.
func (c *Config) limits() []limit {
	const half = "half of it is the share of one address"
	all := []limit{
		{name: "MAX_CONNECTIONS_PER_IP", value: &c.MaxConnectionsPerIP, within: "MAX_CONNECTIONS", of: c.MaxConnections, share: 1},
		{name: "MAX_PAYLOAD", value: &c.MaxPayload, within: "MEMORY_BUDGET", of: c.MemoryBudget, share: 2, why: half},
		{name: "MAX_BUFFERED", value: &c.MaxBuffered, within: "MEMORY_BUDGET", of: c.MemoryBudget, share: 2, why: half},
	}
	// #if rooms
	all = append(all, limit{
		name: "MAX_ROOMS", value: &c.MaxRooms, within: "MEMORY_BUDGET", of: c.MemoryBudget, share: 2048,
		why: "each takes 2 KiB without its messages",
	})
	// #endif
	// #if presence
	all = append(all, limit{
		name: "MAX_ROOM_MEMBERS", value: &c.MaxRoomMembers, within: "MAX_BUFFERED", of: c.MaxBuffered, share: 4 * memberBytes,
		why: "the reply to a join lists them",
	})
	// #endif
	// #if history || live
	all = append(all, limit{
		name: "HISTORY_BYTES", value: &c.HistoryBytes, within: "MAX_BUFFERED", of: c.MaxBuffered, share: 4,
		why: "one reply holds them",
	})
	// #if rooms
	all = append(all, limit{
		name: "HISTORY_BYTES", value: &c.HistoryBytes, timesName: "MAX_ROOMS", times: &c.MaxRooms,
		within: "MEMORY_BUDGET", of: c.MemoryBudget, share: 2, why: "half of it is for what is kept",
	})
	// #endif
	// #if pubsub
	all = append(all, limit{
		name: "HISTORY_BYTES", value: &c.HistoryBytes, timesName: "MAX_STREAMS", times: &c.MaxStreams,
		within: "MEMORY_BUDGET", of: c.MemoryBudget, share: 2, why: "half of it is for what is kept",
	})
	// #endif
	// #if live
	all = append(all, limit{
		name: "HISTORY_BYTES", value: &c.HistoryBytes, timesName: "MAX_DOCUMENTS", times: &c.MaxDocuments,
		within: "MEMORY_BUDGET", of: c.MemoryBudget, share: 2, why: "half of it is for what is kept",
	})
	// #endif
	// #endif
	// #if live
	all = append(all, limit{
		name: "MAX_DOCUMENT_BYTES", value: &c.MaxDocumentBytes, within: "MAX_BUFFERED", of: c.MaxBuffered, share: 1,
		spare: c.MaxBuffered / 16, why: "a snapshot holds it",
	})
	// #endif
	// #if pubsub
	all = append(
		all,
		limit{
			name: "MAX_STREAMS", value: &c.MaxStreams, within: "MEMORY_BUDGET", of: c.MemoryBudget, share: 2048,
			why: "each takes 2 KiB without its events",
		},
		limit{
			name: "MAX_SUBSCRIPTIONS", value: &c.MaxSubscriptions, within: "MEMORY_BUDGET", of: c.MemoryBudget, share: 4096,
			why: "each takes up to 4 KiB",
		},
		limit{name: "MAX_STREAMS_PER_IP", value: &c.MaxStreamsPerIP, within: "MAX_STREAMS", of: c.MaxStreams, share: 1},
		limit{
			name: "MAX_SUBSCRIPTIONS_PER_IP", value: &c.MaxSubscriptionsPerIP,
			within: "MAX_SUBSCRIPTIONS", of: c.MaxSubscriptions, share: 1,
		},
	)
	// #endif
	// #if rooms
	all = append(all, limit{name: "MAX_ROOMS_PER_IP", value: &c.MaxRoomsPerIP, within: "MAX_ROOMS", of: c.MaxRooms, share: 1})
	// #endif
	return all
}

// #if pubsub || graphql

// truths switch a setting on.
var truths = []string{"true", "1", "yes", "on"}

// #endif
// #if presence

// memberBytes is the longest name of a user in a list of members, with its quotation marks and comma.
const memberBytes = 67

// #endif

// fit makes limits that nobody set fit the others; limits that were set must.
func (e *reader) fit(c *Config) {
	for i := range c.limits() {
		// Those before may have given way.
		l := c.limits()[i]
		count := 1
		if l.times != nil {
			count = *l.times
		}
		space := (l.of - l.spare) / l.share
		most := space / count
		switch {
		case *l.value <= most:
		case e.getenv(l.name) == "" && most > 0:
			*l.value = most
		case l.times != nil && e.getenv(l.timesName) == "" && *l.value <= space:
			*l.times = space / *l.value
		default:
			expected := fmt.Sprintf("at most %d, as %s is %d", most, l.within, l.of)
			if l.times != nil {
				expected += fmt.Sprintf(" and %s %d", l.timesName, count)
			}
			if l.why != "" {
				expected += ": " + l.why
			}
			e.wrong(l.name, strconv.Itoa(*l.value), expected)
		}
	}
}

// #if auth || pubsub || live || metrics

// secret is a token that another program sends; long enough that nobody guesses it. A wrong one is not shown.
func (e *reader) secret(name string, least int) string {
	text := e.getenv(name)
	if text == "" || len(text) >= least && isPrintable(text) {
		return text
	}
	e.faults = append(e.faults, fmt.Errorf(
		"%s is wrong, expected at least %d characters without blanks, as from `openssl rand -hex %d`", name, least, least))
	return ""
}

func isPrintable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < '!' || r > '~' })
}

// #endif
// #else
//~
//~ // unset is the value of a setting that follows from others.
//~ const unset = -1
// #endif

// reader reads environment variables and keeps what is wrong with them.
type reader struct {
	getenv func(string) string
	faults []error
}

func (e *reader) wrong(name, text, expected string) {
	e.faults = append(e.faults, fmt.Errorf("%s is %q, expected %s", name, text, expected))
}

func (e *reader) integer(name string, fallback, least, most int) int {
	text := e.getenv(name)
	if text == "" {
		return fallback
	}
	value, err := strconv.ParseUint(text, 10, 63)
	if err != nil || value < uint64(least) || value > uint64(most) {
		e.wrong(name, text, fmt.Sprintf("an integer from %d to %d", least, most))
		return fallback
	}
	return int(value)
}

func (e *reader) milliseconds(name string, fallback, least, most int) time.Duration {
	return time.Duration(e.integer(name, fallback, least, most)) * time.Millisecond
}

func (e *reader) oneOf(name, fallback string, values ...string) string {
	text := e.getenv(name)
	if text == "" {
		return fallback
	}
	for _, value := range values {
		if text == value {
			return text
		}
	}
	e.wrong(name, text, strings.Join(values, " or "))
	return fallback
}

func (e *reader) list(name string, fallback []string, isValid func(string) bool, what string) []string {
	text := e.getenv(name)
	if text == "" {
		return fallback
	}
	items := strings.Split(text, ",")
	for i, item := range items {
		items[i] = strings.TrimSpace(item)
		if !isValid(items[i]) {
			e.wrong(name, text, what+", separated by commas")
			return fallback
		}
	}
	return items
}

// #if realtime
// #else
//~ // atMost refuses limits that contradict each other; the sentence names both.
//~ func (e *reader) atMost(name string, value int, other string, limit, divisor int) {
//~ 	if value <= limit/divisor {
//~ 		return
//~ 	}
//~ 	why := ""
//~ 	if divisor > 1 {
//~ 		why = ": half of it is the share of one address"
//~ 	}
//~ 	e.wrong(name, strconv.Itoa(value), fmt.Sprintf("at most %d, as %s is %d%s", limit/divisor, other, limit, why))
//~ }
// #endif

var (
	// RFC 6455 section 4.1, item 10: a subprotocol is named by a token (RFC 9110 section 5.6.2).
	token = regexp.MustCompile("^[!#$%&'*+\\-.^_`|~0-9A-Za-z]+$")
	// As in a URL: echo.example.com, 192.0.2.1, [2001:db8::1].
	hostName = regexp.MustCompile(`^(?i:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])$`)
)

// isOrigin takes an origin exactly as browsers send it: no path, no trailing slash, no wildcard.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != text {
		return false
	}
	isDefault := u.Scheme == "http" && u.Port() == "80" || u.Scheme == "https" && u.Port() == "443"
	return !isDefault && strings.ToLower(text) == text && !strings.ContainsAny(u.Host, "*@")
}
