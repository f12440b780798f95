package wamp

import (
	"iter"
	"slices"
	"strings"
	"unicode"
)

// How a URI stands for others: for itself, for all that start with it, or with empty components for any.
const (
	exact    = "exact"
	prefix   = "prefix"
	wildcard = "wildcard"
)

// isReserved is whether only the router itself registers and publishes it.
func isReserved(uri string) bool { return strings.HasPrefix(uri, "wamp.") }

// isURI is by the loose rules: components without spaces and #; empty ones stand for any in a pattern.
func isURI(uri, match string) bool {
	isWrong := func(r rune) bool { return r == '#' || r == '\ufeff' || unicode.IsSpace(r) }
	if uri == "" || strings.ContainsFunc(uri, isWrong) {
		return false
	}
	switch match {
	case wildcard:
		return true
	case prefix:
		uri = strings.TrimSuffix(uri, ".")
	}
	return !slices.Contains(strings.Split(uri, "."), "")
}

// covers is whether all that uri stands for is among what pattern stands for.
func covers(pattern, by, uri, match string) bool {
	switch by {
	case exact:
		return match == exact && uri == pattern
	case prefix:
		if match == wildcard {
			// Up to the first component that is left open.
			components := strings.Split(uri, ".")
			if open := slices.Index(components, ""); open >= 0 {
				uri = strings.Join(append(components[:open:open], ""), ".")
			}
		}
		return strings.HasPrefix(uri, pattern)
	}
	parts, components := strings.Split(pattern, "."), strings.Split(uri, ".")
	if match == prefix || len(parts) != len(components) {
		return false
	}
	for i, part := range parts {
		if part != "" && part != components[i] {
			return false
		}
	}
	return true
}

// node is a component of wildcards; they may have empty ones.
type node[Value any] struct {
	next  map[string]*node[Value]
	value *Value
}

// patterns are values by URIs and patterns of URIs. Its zero value is empty.
type patterns[Value any] struct {
	exact map[string]Value
	// prefixes are those of each length, longest first.
	prefixes []*prefixes[Value]
	root     node[Value]
}

type prefixes[Value any] struct {
	length int
	values map[string]Value
}

func (p *patterns[Value]) get(uri, match string) (value Value, ok bool) {
	switch match {
	case exact:
		value, ok = p.exact[uri]
	case prefix:
		if at, isThere := p.find(len(uri)); isThere {
			value, ok = p.prefixes[at].values[uri]
		}
	default:
		at := &p.root
		for component := range strings.SplitSeq(uri, ".") {
			if at = at.next[component]; at == nil {
				return value, false
			}
		}
		if at.value != nil {
			return *at.value, true
		}
	}
	return value, ok
}

func (p *patterns[Value]) set(uri, match string, value Value) {
	switch match {
	case exact:
		if p.exact == nil {
			p.exact = map[string]Value{}
		}
		p.exact[uri] = value
	case prefix:
		at, isThere := p.find(len(uri))
		if !isThere {
			p.prefixes = slices.Insert(p.prefixes, at, &prefixes[Value]{len(uri), map[string]Value{}})
		}
		p.prefixes[at].values[uri] = value
	default:
		at := &p.root
		for component := range strings.SplitSeq(uri, ".") {
			next := at.next[component]
			if next == nil {
				if at.next == nil {
					at.next = map[string]*node[Value]{}
				}
				next = &node[Value]{}
				at.next[component] = next
			}
			at = next
		}
		at.value = &value
	}
}

func (p *patterns[Value]) remove(uri, match string) {
	switch match {
	case exact:
		delete(p.exact, uri)
	case prefix:
		at, isThere := p.find(len(uri))
		if !isThere {
			return
		}
		if delete(p.prefixes[at].values, uri); len(p.prefixes[at].values) == 0 {
			p.prefixes = slices.Delete(p.prefixes, at, at+1)
		}
	default:
		p.root.prune(strings.Split(uri, "."))
	}
}

// find is where prefixes of a length are, or belong.
func (p *patterns[Value]) find(length int) (int, bool) {
	return slices.BinarySearchFunc(p.prefixes, length, func(one *prefixes[Value], length int) int {
		return length - one.length
	})
}

// matching is what stands for uri, in the order in which calls are routed: itself, the longest prefix, and of the
// wildcards the one whose components are given furthest from the left.
func (p *patterns[Value]) matching(uri string) iter.Seq[Value] {
	return func(found func(Value) bool) {
		if value, ok := p.exact[uri]; ok && !found(value) {
			return
		}
		for _, one := range p.prefixes {
			if one.length > len(uri) {
				continue
			}
			if value, ok := one.values[uri[:one.length]]; ok && !found(value) {
				return
			}
		}
		if len(p.root.next) > 0 {
			p.root.walk(strings.Split(uri, "."), found)
		}
	}
}

// walk reports whether more is wanted.
func (n *node[Value]) walk(components []string, found func(Value) bool) bool {
	if len(components) == 0 {
		return n.value == nil || found(*n.value)
	}
	for _, way := range [2]string{components[0], ""} {
		if next := n.next[way]; next != nil && !next.walk(components[1:], found) {
			return false
		}
	}
	return true
}

// prune forgets a value and what nobody needs any more. It reports whether the node is such.
func (n *node[Value]) prune(components []string) bool {
	if len(components) == 0 {
		n.value = nil
	} else if next := n.next[components[0]]; next != nil && next.prune(components[1:]) {
		delete(n.next, components[0])
	}
	return n.value == nil && len(n.next) == 0
}
