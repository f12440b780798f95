package store

import (
	"context"
	"maps"
	"slices"
	"sync"

	"example.com/ws-app/internal/redislink"
)

var (
	enterScript = redislink.NewScript("enter")
	exitScript  = redislink.NewScript("exit")
	listScript  = redislink.NewScript("list")
)

// attendance is who of this process is in a channel. Its mutex is held while Redis is told, so that Redis hears
// it in the order in which it happens.
type attendance struct {
	mu sync.Mutex
	// connections of each user.
	connections map[string]int
}

func (s *Redis) presenceKeys(name string) []string {
	return []string{s.key(name, "channel"), s.key(name, "ends"), s.key(name, "users"), s.key(name, "counts")}
}

// attend locks who is in a channel; leave has to follow.
func (s *Redis) attend(name string) *attendance {
	for {
		s.mu.Lock()
		a := s.attended[name]
		if a == nil {
			a = &attendance{connections: map[string]int{}}
			s.attended[name] = a
		}
		s.mu.Unlock()
		a.mu.Lock()
		s.mu.Lock()
		isCurrent := s.attended[name] == a
		s.mu.Unlock()
		if isCurrent {
			return a
		}
		a.mu.Unlock()
	}
}

// leave forgets a channel in which there is nobody.
func (s *Redis) leave(name string, a *attendance) {
	if len(a.connections) == 0 {
		s.mu.Lock()
		delete(s.attended, name)
		s.mu.Unlock()
	}
	a.mu.Unlock()
}

// Enter is part of Store.
func (s *Redis) Enter(ctx context.Context, name, user string) error {
	return s.orLocally(
		name,
		func() error {
			a := s.attend(name)
			defer s.leave(name, a)
			if a.connections[user] == 0 {
				if err := s.announce(name, []string{user}); err != nil {
					return err
				}
			}
			a.connections[user]++
			return nil
		},
		func(m *Memory) error { return m.Enter(ctx, name, user) })
}

// Exit is part of Store.
func (s *Redis) Exit(ctx context.Context, name, user string, isLost bool) error {
	a := s.attend(name)
	defer s.leave(name, a)
	if a.connections[user] == 0 {
		return s.own().Exit(ctx, name, user, isLost)
	}
	if a.connections[user]--; a.connections[user] > 0 {
		return nil
	}
	delete(a.connections, user)
	isCrowded := false
	if c := s.channel(name); c != nil {
		c.mu.Lock()
		isCrowded = len(c.users) > s.settings.MaxRoomMembers
		c.mu.Unlock()
	}
	grace := int64(0)
	// Users in their grace time must not make a full room exceed its limit.
	if isLost && !isCrowded {
		grace = s.settings.PresenceGrace.Milliseconds()
	}
	// Out of reach, it ends there by itself.
	_, err := s.link.Run(exitScript, s.presenceKeys(name), s.node, user, grace)
	s.link.Report(err)
	return nil
}

// List is part of Store.
func (s *Redis) List(ctx context.Context, name string) (users []string, err error) {
	err = s.orLocally(
		name,
		func() (err error) {
			if c := s.channel(name); c != nil {
				c.mu.Lock()
				users = slices.Clone(c.users)
				c.mu.Unlock()
			}
			if users == nil {
				users, err = s.listAll(name)
			}
			return err
		},
		func(m *Memory) (err error) {
			users, err = m.List(ctx, name)
			return err
		})
	return users, err
}

// leaveAll says goodbye for all users, who have their grace time to come to another server.
func (s *Redis) leaveAll() {
	s.mu.Lock()
	names := slices.Collect(maps.Keys(s.attended))
	s.mu.Unlock()
	inTurn(len(names), func(i int) {
		a := s.attend(names[i])
		defer s.leave(names[i], a)
		for user := range a.connections {
			_, err := s.link.Run(exitScript, s.presenceKeys(names[i]), s.node, user, s.settings.PresenceGrace.Milliseconds())
			s.link.Report(err)
		}
	})
}

// announce says that users are here, and returns when the listeners of this process know.
func (s *Redis) announce(name string, users []string) error {
	args := []any{s.node, s.settings.PresenceTTL.Milliseconds()}
	for _, user := range users {
		args = append(args, user)
	}
	if _, err := s.link.Run(enterScript, s.presenceKeys(name), args...); err != nil {
		return err
	}
	return s.link.Sync()
}

// announceAll says again who is here.
func (s *Redis) announceAll() {
	s.mu.Lock()
	names := slices.Collect(maps.Keys(s.attended))
	s.mu.Unlock()
	inTurn(len(names), func(i int) {
		a := s.attend(names[i])
		defer s.leave(names[i], a)
		if len(a.connections) > 0 {
			s.link.Report(s.announce(names[i], slices.Collect(maps.Keys(a.connections))))
		}
	})
}

// listAll are the users of all servers, longest present first. From then on the channel knows them; who listens
// is told what has changed without being heard.
func (s *Redis) listAll(name string) ([]string, error) {
	var changes []Change
	c := s.channel(name)
	if c != nil {
		c.mu.Lock()
		c.changes[&changes] = struct{}{}
		c.mu.Unlock()
		defer func() {
			c.mu.Lock()
			delete(c.changes, &changes)
			c.mu.Unlock()
		}()
	}
	found, err := s.link.Run(listScript, s.presenceKeys(name))
	if err != nil {
		return nil, err
	}
	r := newReply(found)
	users := make([]string, 0, len(r.items))
	for len(r.items) > 0 {
		users = append(users, r.text())
	}
	if r.err != nil || c == nil {
		return users, r.err
	}
	// What has happened before the list was made has been heard after that.
	if err := s.link.Sync(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, change := range changes {
		users = changed(users, change)
	}
	if c.memory != nil {
		return users, nil
	}
	if c.users == nil {
		c.users = slices.Clone(users)
	}
	for _, user := range slices.Clone(c.users) {
		if !slices.Contains(users, user) {
			c.change(Change{User: user, HasLeft: true})
		}
	}
	for _, user := range users {
		c.change(Change{User: user})
	}
	return users, nil
}

// compare lists the users again, if anybody was told of them.
func (s *Redis) compare(c *shared) {
	c.mu.Lock()
	isKnown := c.users != nil && c.memory == nil
	c.mu.Unlock()
	if isKnown {
		_, err := s.listAll(c.name)
		s.link.Report(err)
	}
}

// changed is a list of users after a change.
func changed(users []string, change Change) []string {
	if slices.Contains(users, change.User) != change.HasLeft {
		return users
	}
	if change.HasLeft {
		return slices.DeleteFunc(users, func(user string) bool { return user == change.User })
	}
	return append(users, change.User)
}

// change tells the listeners who came or left; it is called with the mutex held.
func (c *shared) change(change Change) {
	for changes := range c.changes {
		*changes = append(*changes, change)
	}
	if c.users == nil || slices.Contains(c.users, change.User) != change.HasLeft {
		return
	}
	c.users = changed(c.users, change)
	for listener := range c.listeners {
		listener.OnChange(change)
	}
}

// OnChange is part of Listener: somebody came or left while Redis was out of reach.
func (c *shared) OnChange(change Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.memory == nil {
		return
	}
	for listener := range c.listeners {
		listener.OnChange(change)
	}
}
