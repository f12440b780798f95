package wamp

import (
	"context"
	"slices"
)

// meta are the procedures about sessions.
func (r *realm) meta() []Procedure {
	missing := &Error{URI: "wamp.error.no_such_session"}
	made := map[string]func(c *Call) (any, error){
		"count": func(c *Call) (any, error) {
			ids, err := r.ofRoles(c)
			return len(ids), err
		},
		"list": func(c *Call) (any, error) { return r.ofRoles(c) },
		"get": func(c *Call) (any, error) {
			var id float64
			if err := c.Args(&id); err != nil {
				return nil, err
			}
			found := r.find(func(m *member) bool { return float64(m.id) == id })
			if len(found) == 0 {
				return nil, missing
			}
			return about(found[0]), nil
		},
		"kill": func(c *Call) (any, error) {
			var id float64
			if err := c.Args(&id); err != nil {
				return nil, err
			}
			killed, err := r.kill(c, func(m *member) bool { return float64(m.id) == id })
			if err == nil && len(killed) == 0 {
				err = missing
			}
			return nil, err
		},
		"kill_by_authid": func(c *Call) (any, error) {
			var name string
			if err := c.Args(&name); err != nil {
				return nil, err
			}
			return r.kill(c, func(m *member) bool { return m.principal.id == name })
		},
		"kill_by_authrole": func(c *Call) (any, error) {
			var name string
			if err := c.Args(&name); err != nil {
				return nil, err
			}
			killed, err := r.kill(c, func(m *member) bool { return m.principal.role == name })
			return len(killed), err
		},
		"kill_all": func(c *Call) (any, error) {
			if err := c.Args(); err != nil {
				return nil, err
			}
			killed, err := r.kill(c, func(*member) bool { return true })
			return len(killed), err
		},
	}
	var all []Procedure
	for name, run := range made {
		all = append(all, Procedure{
			Realm: r.name, URI: "wamp.session." + name,
			Run: func(_ context.Context, c *Call) (any, error) { return run(c) },
		})
	}
	return all
}

func (r *realm) find(isMeant func(*member) bool) (found []*member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if isMeant(m) {
			found = append(found, m)
		}
	}
	return found
}

// ofRoles are the sessions of the roles that a call names, or all.
func (r *realm) ofRoles(c *Call) ([]uint64, error) {
	var roles []string
	if c.NumArgs() > 0 {
		if err := c.Args(&roles); err != nil {
			return nil, err
		}
	}
	return idsOf(r.find(func(m *member) bool { return roles == nil || slices.Contains(roles, m.principal.role) })), nil
}

// kill ends the sessions that are meant, but for that of the caller.
func (r *realm) kill(c *Call, isMeant func(*member) bool) ([]uint64, error) {
	reason := "wamp.close.normal"
	var words struct {
		Reason  *string `json:"reason"`
		Message any     `json:"message"`
	}
	if err := c.Kwargs(&words); err != nil || words.Reason != nil && !isURI(*words.Reason, exact) {
		return nil, &Error{URI: "wamp.error.invalid_uri", Args: []any{"reason: not a URI"}}
	}
	if words.Reason != nil {
		reason = *words.Reason
	}
	details := dict{}
	if text, ok := words.Message.(string); ok {
		details["message"] = text
	}
	others := r.find(func(m *member) bool { return m.id != c.Caller.Session && isMeant(m) })
	for _, m := range others {
		m.outlet.leave(m, reason, details)
	}
	return idsOf(others), nil
}

func idsOf(members []*member) []uint64 {
	ids := make([]uint64, len(members))
	for i, m := range members {
		ids[i] = m.id
	}
	return ids
}
