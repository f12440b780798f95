package websocket

import "unicode/utf8"

// textCheck looks at text that comes in pieces, and says as soon as it cannot become UTF-8 any more.
type textCheck struct {
	// rest is the start of a character whose end has not come.
	rest  [utf8.UTFMax]byte
	count int
}

// write reports whether what has come so far can become UTF-8.
func (t *textCheck) write(p []byte) bool {
	for t.count > 0 && len(p) > 0 {
		t.rest[t.count] = p[0]
		t.count++
		p = p[1:]
		// An encoding that is wrong counts as full.
		if start := t.rest[:t.count]; utf8.FullRune(start) {
			if !utf8.Valid(start) {
				return false
			}
			t.count = 0
		}
	}
	end := len(p)
	for back := 1; back < utf8.UTFMax && back <= len(p); back++ {
		if utf8.RuneStart(p[len(p)-back]) {
			if !utf8.FullRune(p[len(p)-back:]) {
				end = len(p) - back
			}
			break
		}
	}
	t.count += copy(t.rest[t.count:], p[end:])
	return utf8.Valid(p[:end])
}

// isComplete is whether no character is unfinished.
func (t *textCheck) isComplete() bool { return t.count == 0 }
