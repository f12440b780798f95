// Package topics has the names of what is published, and patterns of them.
package topics

import (
	"maps"
	"regexp"
	"strings"
)

const (
	maxSegments = 8
	maxOctets   = 255
)

var segment = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// IsTopic reports whether text is a topic: segments of letters, digits, _ and -, joined by dots.
func IsTopic(text string) bool {
	return isList(text, func(part string, _ bool) bool { return segment.MatchString(part) })
}

// IsPattern reports whether text is a pattern of topics: * stands for exactly one segment, a last # for zero or
// more. Whether it would match too much is another question: see IsTooBroad.
func IsPattern(text string) bool {
	return isList(text, func(part string, isLast bool) bool {
		return part == "*" || isLast && part == "#" || segment.MatchString(part)
	})
}

func isList(text string, isValid func(part string, isLast bool) bool) bool {
	if len(text) > maxOctets {
		return false
	}
	parts := strings.Split(text, ".")
	for i, part := range parts {
		if !isValid(part, i == len(parts)-1) {
			return false
		}
	}
	return len(parts) <= maxSegments
}

// Stream is the first segment of a topic or pattern: those that share it are one stream.
func Stream(text string) string {
	first, _, _ := strings.Cut(text, ".")
	return first
}

// IsTooBroad reports whether a pattern leaves its first segment open.
func IsTooBroad(pattern string) bool { return !segment.MatchString(Stream(pattern)) }

// Match reports whether topic is one of those that pattern stands for.
func Match(pattern, topic string) bool {
	parts, segments := strings.Split(pattern, "."), strings.Split(topic, ".")
	if parts[len(parts)-1] == "#" {
		parts = parts[:len(parts)-1]
		segments = segments[:min(len(segments), len(parts))]
	}
	if len(parts) != len(segments) {
		return false
	}
	for i, part := range parts {
		if part != "*" && part != segments[i] {
			return false
		}
	}
	return true
}

// Tree has who subscribed to which patterns: a topic takes at most two ways at each segment, so that a match
// costs the same for ten patterns as for ten thousand. Its zero value is empty.
type Tree[Subscriber comparable] struct{ root node[Subscriber] }

type node[Subscriber comparable] struct {
	// next is by segment, * among them.
	next map[string]*node[Subscriber]
	// exact have a pattern that ends here, open one that has its # here.
	exact, open map[Subscriber]struct{}
}

func (n *node[Subscriber]) isEmpty() bool { return len(n.next)+len(n.exact)+len(n.open) == 0 }

// Add subscribes to a pattern.
func (t *Tree[Subscriber]) Add(pattern string, subscriber Subscriber) {
	add := func(set *map[Subscriber]struct{}) {
		if *set == nil {
			*set = map[Subscriber]struct{}{}
		}
		(*set)[subscriber] = struct{}{}
	}
	current := &t.root
	for part := range strings.SplitSeq(pattern, ".") {
		if part == "#" {
			add(&current.open)
			return
		}
		next := current.next[part]
		if next == nil {
			next = &node[Subscriber]{}
			if current.next == nil {
				current.next = map[string]*node[Subscriber]{}
			}
			current.next[part] = next
		}
		current = next
	}
	add(&current.exact)
}

// Remove undoes Add.
func (t *Tree[Subscriber]) Remove(pattern string, subscriber Subscriber) {
	t.root.remove(strings.Split(pattern, "."), subscriber)
}

func (n *node[Subscriber]) remove(parts []string, subscriber Subscriber) {
	switch {
	case len(parts) == 0:
		delete(n.exact, subscriber)
	case parts[0] == "#":
		delete(n.open, subscriber)
	default:
		next := n.next[parts[0]]
		if next == nil {
			return
		}
		next.remove(parts[1:], subscriber)
		// What nobody needs any more is not kept.
		if next.isEmpty() {
			delete(n.next, parts[0])
		}
	}
}

// #if redis

// All are who subscribed to anything.
func (t *Tree[Subscriber]) All() map[Subscriber]struct{} {
	all := map[Subscriber]struct{}{}
	t.root.addTo(all)
	return all
}

func (n *node[Subscriber]) addTo(all map[Subscriber]struct{}) {
	maps.Copy(all, n.exact)
	maps.Copy(all, n.open)
	for _, next := range n.next {
		next.addTo(all)
	}
}

// #endif

// Match is who gets what is published to a topic: each once, however many of its patterns match. It is good until
// the tree is changed, and not to be changed itself.
func (t *Tree[Subscriber]) Match(topic string) map[Subscriber]struct{} {
	sets := t.root.match(strings.Split(topic, "."), nil)
	if len(sets) == 1 {
		return sets[0]
	}
	all := map[Subscriber]struct{}{}
	for _, set := range sets {
		maps.Copy(all, set)
	}
	return all
}

// match appends the sets of those whose patterns match.
func (n *node[Subscriber]) match(parts []string, sets []map[Subscriber]struct{}) []map[Subscriber]struct{} {
	if len(n.open) > 0 {
		sets = append(sets, n.open)
	}
	if len(parts) == 0 {
		if len(n.exact) > 0 {
			sets = append(sets, n.exact)
		}
		return sets
	}
	for _, way := range []string{parts[0], "*"} {
		if next := n.next[way]; next != nil {
			sets = next.match(parts[1:], sets)
		}
	}
	return sets
}
