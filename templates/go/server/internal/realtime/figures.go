package realtime

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// figures are what Prometheus reads. No label holds what a client makes up.
type figures struct {
	handshakes, received, sent, closes, limited counts
	slowConsumers                               atomic.Int64
	seconds                                     histogram
	// #if applications
	// recoveries are of clients that came with a position.
	recoveries counts
	// #endif
}

// #if applications

// Counted is an application that knows how many rooms, streams or documents its clients are in.
type Counted interface {
	Count() int
}

// #endif

// metricsRoute answers Prometheus.
func (h *Hub) metricsRoute(use func() (connections, held int)) Route {
	// Prometheus asks by address or by the name of a service.
	return Route{Method: http.MethodGet, Path: "/metrics", IsForAnyHost: true, Answer: func(request Request) Answer {
		if refusal := h.refuseReader(request); refusal != nil {
			return *refusal
		}
		header := http.Header{"Content-Type": {"text/plain; version=0.0.4; charset=utf-8"}}
		return Answer{Status: http.StatusOK, Header: header, Body: h.metrics(use())}
	}}
}

// refuseReader is why a request gets no figures.
func (h *Hub) refuseReader(request Request) *Answer {
	site := request.Header.Get("Sec-Fetch-Site")
	if request.Header.Get("Origin") != "" || site != "" && site != "none" && site != "same-origin" {
		answer := Problem(http.StatusForbidden, "not for pages of other sites")
		return &answer
	}
	if h.settings.MetricsToken == "" {
		// A page can make its own name point here (DNS rebinding), but no address.
		host := request.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if net.ParseIP(strings.Trim(host, "[]")) == nil && !request.IsOwnHost {
			answer := Problem(http.StatusMisdirectedRequest, "not in ALLOWED_HOSTS, and no METRICS_TOKEN is set")
			return &answer
		}
		return nil
	}
	if !IsSecret(Bearer(request.Header), h.settings.MetricsToken) {
		answer := Problem(http.StatusUnauthorized, "expected METRICS_TOKEN")
		answer.Header = http.Header{"Www-Authenticate": {"Bearer"}}
		return &answer
	}
	return nil
}

func (h *Hub) metrics(connections, held int) string {
	var text strings.Builder
	gauge := func(name, help string, value int64) {
		fmt.Fprintf(&text, "# HELP %s %s\n# TYPE %s gauge\n%s %d\n", name, help, name, name, value)
	}
	// #if applications
	rooms := 0
	for _, application := range h.applications {
		if counted, ok := application.(Counted); ok {
			rooms += counted.Count()
		}
	}
	// #endif
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	gauge("go_goroutines", "Goroutines that there are", int64(runtime.NumGoroutine()))
	gauge("go_memstats_heap_inuse_bytes", "Bytes of the heap in use", int64(memory.HeapInuse))
	gauge("go_memstats_sys_bytes", "Bytes that Go has from the system", int64(memory.Sys))
	gauge("ws_connections", "Open connections", int64(connections))
	gauge("ws_buffered_bytes", "Bytes of unfinished, inflated and waiting messages", int64(held))
	// #if applications
	gauge("ws_rooms", "Rooms, streams or documents that clients are in", int64(rooms))
	// #endif
	gauge("ws_slow_consumers", "Connections closed since the start as they read too slowly", h.figures.slowConsumers.Load())
	// #if redis
	h.writeLink(&text)
	// #endif
	h.figures.handshakes.write(&text, "ws_handshakes_total", "Handshakes by result", "result")
	h.figures.received.write(&text, "ws_messages_received_total", "Commands by type", "type")
	h.figures.sent.write(&text, "ws_messages_sent_total", "Messages by type", "type")
	h.figures.closes.write(&text, "ws_closes_total", "Ended connections by close code", "code")
	// #if applications
	h.figures.recoveries.write(&text, "ws_recoveries_total", "Resumes, by whether all was there", "ok")
	// #endif
	h.figures.limited.write(&text, "ws_rate_limited_total", "What was above a rate, by whose", "limit")
	h.figures.seconds.write(&text, "ws_command_seconds", "Time from a command to its end")
	return text.String()
}

// #if redis

// writeLink writes what happens with the Redis of REDIS_URL.
func (h *Hub) writeLink(to io.Writer) {
	if h.link == nil {
		return
	}
	write := func(kind, name, help string, value int64) {
		fmt.Fprintf(to, "# HELP %s %s\n# TYPE %s %s\n%s %d\n", name, help, name, kind, name, value)
	}
	degraded := int64(0)
	if h.link.Trouble() != "" {
		degraded = 1
	}
	figures := &h.link.Figures
	write("gauge", "ws_redis_degraded", "1 while the Redis of REDIS_URL is out of reach", degraded)
	write("counter", "ws_redis_connects_total", "Connections made to Redis: the first, and one after each loss", figures.Connects.Load())
	write("counter", "ws_redis_missed_total", "Messages that Redis has not passed on, as their positions show", figures.Missed.Load())
	write("counter", "ws_redis_lost_positions_total", "Positions from which clients could not go on", figures.Lost.Load())
	var errors counts
	errors.of("down").Store(figures.Down.Load())
	errors.of("full").Store(figures.Full.Load())
	errors.of("refused").Store(figures.Refused.Load())
	errors.write(to, "ws_redis_errors_total", "Commands of Redis that failed: it was down, it was full, or it refused them", "why")
}

// #endif

// counts are counters by the value of a label.
type counts struct{ byLabel sync.Map }

func (c *counts) of(label string) *atomic.Int64 {
	if count, ok := c.byLabel.Load(label); ok {
		return count.(*atomic.Int64)
	}
	count, _ := c.byLabel.LoadOrStore(label, new(atomic.Int64))
	return count.(*atomic.Int64)
}

func (c *counts) write(to io.Writer, name, help, label string) {
	fmt.Fprintf(to, "# HELP %s %s\n# TYPE %s counter\n", name, help, name)
	values := map[string]int64{}
	c.byLabel.Range(func(label, count any) bool {
		values[label.(string)] = count.(*atomic.Int64).Load()
		return true
	})
	for _, value := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(to, "%s{%s=%q} %d\n", name, label, value, values[value])
	}
}

// upperEnds are those of the buckets of a histogram, but for the last, which has none.
var upperEnds = [...]float64{0.0001, 0.001, 0.01, 0.1, 1, 10}

// histogram has times by type of command.
type histogram struct {
	mu     sync.Mutex
	byType map[string]*times
}

type times struct {
	buckets [len(upperEnds) + 1]int64
	sum     float64
}

func (h *histogram) add(kind string, took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	known, ok := h.byType[kind]
	if !ok {
		if h.byType == nil {
			h.byType = map[string]*times{}
		}
		known = &times{}
		h.byType[kind] = known
	}
	at := 0
	for at < len(upperEnds) && took.Seconds() > upperEnds[at] {
		at++
	}
	known.buckets[at]++
	known.sum += took.Seconds()
}

func (h *histogram) write(to io.Writer, name, help string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fmt.Fprintf(to, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name)
	for _, kind := range slices.Sorted(maps.Keys(h.byType)) {
		known, count := h.byType[kind], int64(0)
		for at, values := range known.buckets {
			end := "+Inf"
			if at < len(upperEnds) {
				end = strconv.FormatFloat(upperEnds[at], 'g', -1, 64)
			}
			count += values
			fmt.Fprintf(to, "%s_bucket{le=%q,type=%q} %d\n", name, end, kind, count)
		}
		fmt.Fprintf(to, "%s_sum{type=%q} %g\n%s_count{type=%q} %d\n", name, kind, known.sum, name, kind, count)
	}
}

// closeCodes are those of this server beyond RFC 6455's, and of the protocols that it speaks.
var closeCodes = []int{4400, 4401, 4403, 4406, 4408, 4409, 4429, 4500, 4501, 4502}

// closeLabel is a close code as a label; a peer could make up any number of others.
func closeLabel(code int) string {
	if code >= 1000 && code <= 1013 || slices.Contains(closeCodes, code) {
		return strconv.Itoa(code)
	}
	return "other"
}
