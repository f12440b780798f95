package realtime

import (
	"runtime"
	"sync"

	"example.com/ws-app/internal/websocket"
)

// flusher sends what is queued for clients. What is queued while it does so goes out in its next round, in one
// write for each client.
type flusher struct {
	mu        sync.Mutex
	queued    []*websocket.Conn
	isRunning bool
}

// add has a connection flushed soon.
func (f *flusher) add(conn *websocket.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queued = append(f.queued, conn)
	if !f.isRunning {
		f.isRunning = true
		go f.run()
	}
}

// run ends when nothing is queued any more.
func (f *flusher) run() {
	var round []*websocket.Conn
	for {
		// What others who were read have to say goes out in the same write.
		runtime.Gosched()
		f.mu.Lock()
		round, f.queued = f.queued, round[:0]
		f.isRunning = len(round) > 0
		f.mu.Unlock()
		if len(round) == 0 {
			return
		}
		for _, conn := range round {
			conn.Flush()
		}
		clear(round)
	}
}
