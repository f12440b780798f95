package wamp

import "slices"

// disclose lets a session say who it is.
const disclose = "disclose"

// actions are what rules allow.
var actions = []string{"call", "register", "publish", "subscribe", disclose}

// rule is what sessions of a role may do with the URIs that it names.
type rule struct {
	URI   string   `yaml:"uri"`
	Match string   `yaml:"match"`
	Allow []string `yaml:"allow"`
}

// maxKept is how many answers of a role are kept.
const maxKept = 10_000

type question struct {
	action, uri, match string
	alsoDisclose       bool
}

// role is rules that add up: what none allows is refused. The lock of its realm guards it.
type role struct {
	rules []rule
	kept  map[question]bool
}

// check is nil if the role may do that with all that uri stands for.
func (r *role) check(action, uri, match string) error {
	if r.allows(question{action, uri, match, false}) {
		return nil
	}
	return &refusal{"wamp.error.not_authorized", action + " is not allowed for this role"}
}

// checkDisclosed checks a call or a publication whose sender may wish to be disclosed.
func (r *role) checkDisclosed(action, uri string, wish bool) error {
	err := r.check(action, uri, exact)
	if err == nil && wish && !r.allows(question{action, uri, exact, true}) {
		return &refusal{"wamp.error.option_disallowed.disclose_me", "not allowed for this role"}
	}
	return err
}

func (r *role) allows(q question) bool {
	answer, isKept := r.kept[q]
	if isKept {
		return answer
	}
	answer = slices.ContainsFunc(r.rules, func(of rule) bool {
		return slices.Contains(of.Allow, q.action) &&
			(!q.alsoDisclose || slices.Contains(of.Allow, disclose)) &&
			// A rule for everything is none for the procedures of the router.
			isReserved(of.URI) == isReserved(q.uri) &&
			covers(of.URI, of.Match, q.uri, q.match)
	})
	if len(r.kept) >= maxKept || r.kept == nil {
		r.kept = map[question]bool{}
	}
	r.kept[q] = answer
	return answer
}
