package realtime

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
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
	writeProcess(&text)
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

// writeProcess writes the figures that Prometheus has of most programs, where the system says them in proc(5).
func writeProcess(to io.Writer) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return
	}
	// The name of the program, in parentheses, may have blanks.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 22 {
		return
	}
	// Of the program and of the kernel for it, in hundredths of a second; and pages.
	own, _ := strconv.ParseFloat(fields[11], 64)
	ofSystem, _ := strconv.ParseFloat(fields[12], 64)
	pages, _ := strconv.ParseFloat(fields[21], 64)
	write := func(kind, name, help string, value float64) {
		fmt.Fprintf(to, "# HELP %s %s\n# TYPE %s %s\n%s %g\n", name, help, name, kind, name, value)
	}
	write("counter", "process_cpu_seconds_total", "CPU time of this process", (own+ofSystem)/100)
	write("gauge", "process_resident_memory_bytes", "Memory of this process", pages*float64(os.Getpagesize()))
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

// labelled are values by the value of a label: a few, which come to be and stay. Finding one takes no lock.
type labelled[T any] struct {
	byLabel atomic.Pointer[map[string]*T]
	// adding is held by who adds one.
	adding sync.Mutex
}

func (l *labelled[T]) of(label string) *T {
	if value, ok := l.all()[label]; ok {
		return value
	}
	l.adding.Lock()
	defer l.adding.Unlock()
	all := maps.Clone(l.all())
	if value, ok := all[label]; ok {
		return value
	}
	if all == nil {
		all = map[string]*T{}
	}
	added := new(T)
	all[label] = added
	l.byLabel.Store(&all)
	return added
}

func (l *labelled[T]) all() map[string]*T {
	if all := l.byLabel.Load(); all != nil {
		return *all
	}
	return nil
}

// counts are counters by the value of a label.
type counts struct{ labelled[atomic.Int64] }

func (c *counts) write(to io.Writer, name, help, label string) {
	fmt.Fprintf(to, "# HELP %s %s\n# TYPE %s counter\n", name, help, name)
	values := c.all()
	for _, value := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(to, "%s{%s=%q} %d\n", name, label, value, values[value].Load())
	}
}

// upperEnds are those of the buckets of a histogram, but for the last, which has none.
var upperEnds = [...]time.Duration{
	100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second,
}

// histogram has times by type of command.
type histogram struct{ labelled[times] }

type times struct {
	buckets [len(upperEnds) + 1]atomic.Int64
	// sum is in nanoseconds.
	sum atomic.Int64
}

func (h *histogram) add(kind string, took time.Duration) {
	known, at := h.of(kind), 0
	for at < len(upperEnds) && took > upperEnds[at] {
		at++
	}
	known.buckets[at].Add(1)
	known.sum.Add(int64(took))
}

func (h *histogram) write(to io.Writer, name, help string) {
	fmt.Fprintf(to, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name)
	byType := h.all()
	for _, kind := range slices.Sorted(maps.Keys(byType)) {
		known, count := byType[kind], int64(0)
		for at := range known.buckets {
			end := "+Inf"
			if at < len(upperEnds) {
				end = strconv.FormatFloat(upperEnds[at].Seconds(), 'g', -1, 64)
			}
			count += known.buckets[at].Load()
			fmt.Fprintf(to, "%s_bucket{le=%q,type=%q} %d\n", name, end, kind, count)
		}
		sum := time.Duration(known.sum.Load()).Seconds()
		fmt.Fprintf(to, "%s_sum{type=%q} %g\n%s_count{type=%q} %d\n", name, kind, sum, name, kind, count)
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
