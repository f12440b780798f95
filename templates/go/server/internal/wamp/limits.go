package wamp

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

const (
	// maxURIBytes is the longest URI.
	maxURIBytes = 255
	// maxComponents is the longest wildcard: each call and event looks into those of all patterns.
	maxComponents = 16
)

// limits are those of what sessions make the router hold.
type limits struct {
	// subscriptions, registrations and calls are those of one session.
	subscriptions, registrations, calls int
	// total is subscriptions and registrations of all sessions.
	total int
}

// room is space for what sessions make the router hold; all realms share it.
type room struct {
	limits limits
	taken  atomic.Int64
}

// take takes space for one more of what a session has count of.
func (r *room) take(what string, count, limit int) error {
	reason := "try later"
	switch {
	case count >= limit:
		reason = fmt.Sprintf("at most %d of a session", limit)
	case r.taken.Add(1) <= int64(r.limits.total):
		return nil
	default:
		r.give()
	}
	return &refusal{"error.too_many_" + what, reason}
}

func (r *room) give() { r.taken.Add(-1) }

// checkURI checks one that a session names. Only where it is open may it be one of the router.
func checkURI(uri, match string, isOpen bool) error {
	fault := ""
	switch {
	case len(uri) > maxURIBytes:
		fault = fmt.Sprintf("at most %d bytes", maxURIBytes)
	case !isURI(uri, match):
		fault = "not a URI"
	case match == wildcard && strings.Count(uri, ".") >= maxComponents:
		fault = fmt.Sprintf("at most %d components in a pattern", maxComponents)
	case !isOpen && isReserved(uri):
		fault = "wamp. is reserved"
	default:
		return nil
	}
	return &refusal{"wamp.error.invalid_uri", fault}
}

func matchOf(options dict) (string, error) {
	return choiceOf(options, "match", exact, prefix, wildcard)
}

// choiceOf is an option that is one of a few words, of which the first is the default.
func choiceOf(options dict, name string, choices ...string) (string, error) {
	switch value := options[name].(type) {
	case nil:
		return choices[0], nil
	case string:
		if slices.Contains(choices, value) {
			return value, nil
		}
	}
	return "", &refusal{"wamp.error.invalid_argument", name + ": one of " + strings.Join(choices, ", ")}
}

// flagOf is an option that is true or false.
func flagOf(options dict, name string, otherwise bool) (bool, error) {
	switch value := options[name].(type) {
	case nil:
		return otherwise, nil
	case bool:
		return value, nil
	}
	return false, &refusal{"wamp.error.invalid_argument", name + ": true or false"}
}
