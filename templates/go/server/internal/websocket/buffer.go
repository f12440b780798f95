package websocket

import (
	"math/bits"
	"sync"
)

const (
	smallestBuffer = 4 << 10
	largestPooled  = 64 << 10
)

// buffers has a pool for each power of two from smallestBuffer to largestPooled.
var buffers [5]sync.Pool

// getBuffer returns an empty buffer for at least size bytes.
func getBuffer(size int) []byte {
	if size > largestPooled {
		return make([]byte, 0, size)
	}
	class := bits.Len(uint(max(size, smallestBuffer)-1)) - 12
	if p, ok := buffers[class].Get().(*[]byte); ok {
		return (*p)[:0]
	}
	return make([]byte, 0, smallestBuffer<<class)
}

// putBuffer takes a buffer of getBuffer back.
func putBuffer(b []byte) {
	if cap(b) < smallestBuffer || cap(b) > largestPooled {
		return
	}
	if class := bits.Len(uint(cap(b)-1)) - 12; cap(b) == smallestBuffer<<class {
		buffers[class].Put(&b)
	}
}
