package store

import (
	// #if history
	"fmt"
	// #endif
	"slices"
	// #if history
	"strings"
	// #endif
	"testing"
	"testing/synctest"
	"time"
	// #if history

	"example.com/ws-app/internal/realtime"
	// #endif
)

// ear notes what it hears.
type ear struct{ heard []string }

func (e *ear) OnEntry(entry Entry) { e.heard = append(e.heard, string(entry.Data)) }

// #if redis

func (e *ear) OnLost() { e.heard = append(e.heard, "lost") }

// #endif
// #if presence

func (e *ear) OnChange(change Change) {
	sign := map[bool]string{false: "+", true: "-"}[change.HasLeft]
	e.heard = append(e.heard, sign+change.User)
}

// #endif

func (e *ear) expect(t *testing.T, heard ...string) {
	t.Helper()
	if !slices.Equal(e.heard, heard) {
		t.Errorf("heard %q, want %q", e.heard, heard)
	}
	e.heard = nil
}

func newTestMemory(change func(*Limits)) *Memory {
	limits := Limits{Entries: 3, Bytes: 100, Space: func() int { return 1 << 20 }, Channels: 2, Idle: time.Minute}
	// #if resume
	limits.ResumeWindow = time.Minute
	// #endif
	// #if presence
	limits.Grace, limits.Users = 3*time.Second, 2
	// #endif
	if change != nil {
		change(&limits)
	}
	return NewMemory(limits)
}

func publish(t *testing.T, m *Memory, channel, text string) Published {
	t.Helper()
	published, err := m.Publish(t.Context(), channel, []byte(text), Origin{User: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	return published
}

func TestListenersHearTheirChannel(t *testing.T) {
	t.Parallel()
	m, e := newTestMemory(nil), &ear{}
	unsubscribe, _ := m.Subscribe(t.Context(), "a", e, "")
	publish(t, m, "a", "one")
	publish(t, m, "b", "other")
	publish(t, m, "a", "two")
	e.expect(t, "one", "two")
	unsubscribe()
	publish(t, m, "a", "three")
	e.expect(t)
}

func TestIdleChannelsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newTestMemory(nil)
		unsubscribe, _ := m.Subscribe(t.Context(), "a", &ear{}, "")
		first := publish(t, m, "a", "one")
		time.Sleep(2 * time.Minute)
		if again := publish(t, m, "a", "two"); again.Epoch != first.Epoch || again.Offset != 2 {
			t.Errorf("with a listener it was forgotten: %v", again)
		}
		unsubscribe()
		time.Sleep(2 * time.Minute)
		if again := publish(t, m, "a", "three"); again.Epoch == first.Epoch || again.Offset != 1 {
			t.Errorf("without a listener it was kept: %v", again)
		}
		// One more than there may be takes the place of the one that has been idle longest.
		publish(t, m, "b", "x")
		publish(t, m, "c", "x")
		if len(m.channels) != 2 || m.channels["a"] != nil {
			t.Errorf("there are %d channels", len(m.channels))
		}
	})
}

// #if history

func recovered(t *testing.T, m *Memory, since *realtime.Position) (string, Recovery) {
	t.Helper()
	recovery, err := m.Recover(t.Context(), "a", since)
	if err != nil {
		t.Fatal(err)
	}
	texts := make([]string, len(recovery.Entries))
	for i, entry := range recovery.Entries {
		texts[i] = string(entry.Data)
	}
	return fmt.Sprint(recovery.Recovered, texts), recovery
}

func TestRecover(t *testing.T) {
	t.Parallel()
	m := newTestMemory(nil)
	_, start := recovered(t, m, nil)
	for n := range 5 {
		publish(t, m, "a", fmt.Sprint(n))
	}
	at := func(offset int64) *realtime.Position {
		return &realtime.Position{Offset: offset, Epoch: start.Position.Epoch}
	}
	for since, want := range map[*realtime.Position]string{
		nil:                     "false [2 3 4]",
		at(0):                   "false [2 3 4]",
		at(1):                   "false [2 3 4]",
		at(2):                   "true [2 3 4]",
		at(4):                   "true [4]",
		at(5):                   "true []",
		at(6):                   "false [2 3 4]",
		{Offset: 4, Epoch: "x"}: "false [2 3 4]",
	} {
		if got, _ := recovered(t, m, since); got != want {
			t.Errorf("since %v: got %s, want %s", since, got, want)
		}
	}
	publish(t, m, "a", strings.Repeat("x", 99))
	if _, recovery := recovered(t, m, nil); len(recovery.Entries) != 2 {
		t.Errorf("%d entries are kept", len(recovery.Entries))
	}
}

func TestMemoryGivesWay(t *testing.T) {
	t.Parallel()
	space := 1 << 20
	m := newTestMemory(func(l *Limits) { l.Space = func() int { return space } })
	publish(t, m, "a", "old")
	publish(t, m, "b", "new")
	space = m.bytes - 1
	m.Trim()
	if len(m.channels["a"].entries) != 0 || len(m.channels["b"].entries) != 1 {
		t.Error("what is longest without an entry has not lost its own")
	}
	space = 0
	m.Trim()
	if m.bytes != 2*(overhead+1) {
		t.Errorf("%d bytes are kept", m.bytes)
	}
}

// #endif
// #if resume

func TestIDs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, e := newTestMemory(nil), &ear{}
		unsubscribe, _ := m.Subscribe(t.Context(), "a", e, "")
		defer unsubscribe()
		say := func(user, id string) bool {
			published, _ := m.Publish(t.Context(), "a", []byte(user+id), Origin{User: user, ID: id})
			return published.Duplicate
		}
		if say("ada", "1") || say("ada", "2") || say("bob", "1") || !say("ada", "1") {
			t.Error("an id is another's, or was forgotten")
		}
		e.expect(t, "ada1", "ada2", "bob1")
		time.Sleep(61 * time.Second)
		if say("ada", "1") {
			t.Error("an id is known for ever")
		}
	})
}

func TestIDsAreShared(t *testing.T) {
	t.Parallel()
	m := newTestMemory(func(l *Limits) { l.Space = func() int { return 1 << 30 } })
	say := func(user string, id int) bool {
		published, _ := m.Publish(t.Context(), "a", []byte("x"), Origin{User: user, ID: fmt.Sprint(id)})
		return published.Duplicate
	}
	say("bob", 0)
	for id := range maxIDs + 10 {
		say("ada", id)
	}
	if !say("bob", 0) || say("ada", 0) || m.channels["a"].ids.count != maxIDs {
		t.Errorf("%d ids are known", m.channels["a"].ids.count)
	}
}

// #endif
// #if presence

func TestPresence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, e := newTestMemory(nil), &ear{}
		unsubscribe, _ := m.Subscribe(t.Context(), "a", e, "")
		defer unsubscribe()
		enter := func(user string) { _ = m.Enter(t.Context(), "a", user) }
		exit := func(user string, isLost bool) { _ = m.Exit(t.Context(), "a", user, isLost) }
		enter("ada")
		enter("ada")
		e.expect(t, "+ada")
		exit("ada", false)
		e.expect(t)
		exit("ada", true)
		time.Sleep(2 * time.Second)
		enter("ada")
		time.Sleep(5 * time.Second)
		e.expect(t)
		exit("ada", true)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		e.expect(t, "-ada")
		// With more than there may be, nobody has a grace.
		for _, user := range []string{"ada", "bob", "eve"} {
			enter(user)
		}
		e.heard = nil
		exit("bob", true)
		e.expect(t, "-bob")
		if names, _ := m.List(t.Context(), "a"); !slices.Equal(names, []string{"ada", "eve"}) {
			t.Errorf("present are %v", names)
		}
	})
}

// #endif
