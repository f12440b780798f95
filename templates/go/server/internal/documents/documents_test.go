package documents

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/jsonpatch"
	"example.com/ws-app/internal/jsonvalue"
	"example.com/ws-app/internal/realtime"
	"example.com/ws-app/internal/store"
)

// replica does what a client does that watches all documents.
type replica struct {
	mu      sync.Mutex
	data    map[string]any
	offsets map[string]int64
	faults  []string
}

func (r *replica) OnPatch(snapshot *Snapshot, patch []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := snapshot.Name
	if r.offsets[name]++; r.offsets[name] != snapshot.Position.Offset {
		r.faults = append(r.faults, fmt.Sprintf("offset %d of %s comes as change %d", snapshot.Position.Offset, name, r.offsets[name]))
	}
	value, err := jsonvalue.Parse(patch)
	if err == nil {
		var operations jsonpatch.Patch
		if operations, err = jsonpatch.Read(value, maxOperations); err == nil {
			r.data[name], err = operations.Apply(r.data[name], 1<<20)
		}
	}
	if err != nil || !jsonvalue.Equal(r.data[name], snapshot.Data) || string(jsonvalue.Encode(snapshot.Data)) != string(snapshot.Text) {
		r.faults = append(r.faults, fmt.Sprintf("%s makes %v of %s: %v", patch, r.data[name], name, err))
	}
}

func (r *replica) OnRemoved(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.data, name)
}

// #if redis

func (r *replica) OnReplaced(snapshot *Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.data[snapshot.Name], r.offsets[snapshot.Name] = snapshot.Data, snapshot.Position.Offset
}

func (*replica) IsWatched(string) bool { return true }

// lateRemoval is a store in which another server removes the document just after it was read.
type lateRemoval struct {
	store.Store
	store.Documents
	listener store.Listener
	isGone   bool
}

func (l *lateRemoval) Subscribe(_ context.Context, _ string, listener store.Listener, _ string) (func(), error) {
	l.listener = listener
	return func() {}, nil
}

func (l *lateRemoval) Load(string) (*store.Kept, error) {
	if l.isGone {
		return nil, nil
	}
	l.isGone = true
	l.listener.OnRemoved()
	return &store.Kept{Position: realtime.Position{Offset: 1, Epoch: "e"}, Text: []byte("{}")}, nil
}

func TestADocumentRemovedWhileItIsReadIsGone(t *testing.T) {
	t.Parallel()
	d := New(&config.Config{MaxDocuments: 1}, &lateRemoval{})
	d.Watcher = &replica{}
	if found, err := d.Open(t.Context(), "a"); found != nil || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}

// #endif

func newDocuments(t *testing.T, env map[string]string) (*Documents, *replica) {
	t.Helper()
	settings, err := config.Load(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	watcher := &replica{data: map[string]any{}, offsets: map[string]int64{}}
	d := New(&settings, store.NewMemory(store.LimitsOf(&settings, func() int { return settings.MemoryBudget })))
	d.Watcher = watcher
	t.Cleanup(func() {
		for _, fault := range watcher.faults {
			t.Error(fault)
		}
	})
	return d, watcher
}

func status(err error) int {
	var wrong *Error
	if errors.As(err, &wrong) {
		return wrong.Status
	}
	return 0
}

func TestChangesComeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	d, watcher := newDocuments(t, nil)
	ctx := t.Context()
	for _, name := range []string{"a", "b"} {
		if _, err := d.Put(ctx, name, map[string]any{"list": []int{}, "filler": strings.Repeat("x", 2000)}); err != nil {
			t.Fatal(err)
		}
	}
	var wait sync.WaitGroup
	for i := range 50 {
		for _, name := range []string{"a", "b"} {
			wait.Go(func() {
				add := []map[string]any{{"op": "add", "path": "/list/-", "value": i}}
				if _, err := d.Patch(ctx, name, add); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	for _, name := range []string{"a", "b"} {
		snapshot := d.Get(name)
		if list := snapshot.Data.(map[string]any)["list"].([]any); len(list) != 50 || snapshot.Position.Offset != 51 {
			t.Errorf("%d items at %d", len(list), snapshot.Position.Offset)
		}
		if !jsonvalue.Equal(watcher.data[name], snapshot.Data) {
			t.Errorf("a replica has %v", watcher.data[name])
		}
	}
	if len(d.turns) > 0 {
		t.Errorf("%d turns are kept", len(d.turns))
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	d, watcher := newDocuments(t, map[string]string{"MAX_DOCUMENTS": "2", "MAX_DOCUMENT_BYTES": "1024"})
	ctx := t.Context()
	at, err := d.Put(ctx, "a", map[string]int{"n": 1})
	if err != nil {
		t.Fatal(err)
	}
	operations := func(text string) any {
		value, err := jsonvalue.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	put := func(name, expected string) func() error {
		return func() error { _, err := d.PutAt(ctx, name, 1.0, expected); return err }
	}
	patch := func(name, text, expected string) func() error {
		return func() error { _, err := d.PatchAt(ctx, name, operations(text), expected); return err }
	}
	current := func(more int64) string { return fmt.Sprintf("%s:%d", at.Epoch, at.Offset+more) }
	large := `[{"op":"add","path":"/x","value":"` + strings.Repeat("x", 1024) + `"}]`
	deep := `[{"op":"add","path":"/x","value":` + strings.Repeat("[", 62) + strings.Repeat("]", 62) + `}]`
	if _, err := d.PatchAt(ctx, "a", operations(deep), ""); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		status int
		call   func() error
	}{
		"no name":       {http.StatusBadRequest, put("a b", "")},
		"__proto__":     {http.StatusBadRequest, func() error { _, err := d.Put(ctx, "a", map[string]int{"__proto__": 1}); return err }},
		"another place": {http.StatusPreconditionFailed, put("a", "x:1")},
		"none there":    {http.StatusPreconditionFailed, put("b", "*")},
		"too large":     {http.StatusRequestEntityTooLarge, func() error { _, err := d.Put(ctx, "b", strings.Repeat("x", 1024)); return err }},
		"no document":   {http.StatusNotFound, patch("b", `[]`, "")},
		"no patch":      {http.StatusBadRequest, patch("a", `{}`, current(1))},
		"conflict":      {http.StatusConflict, patch("a", `[{"op":"remove","path":"/none"}]`, "*")},
		"grows":         {http.StatusRequestEntityTooLarge, patch("a", large, "")},
		"too deep":      {http.StatusBadRequest, patch("a", `[{"op":"copy","from":"","path":"/y"},{"op":"copy","from":"","path":"/z"}]`, "")},
	} {
		if err := test.call(); status(err) != test.status {
			t.Errorf("%s: %v, want status %d", name, err, test.status)
		}
	}
	if _, err := d.Remove("b", ""); status(err) != http.StatusNotFound {
		t.Errorf("removed what is not there: %v", err)
	}
	if _, err := d.Remove("a", "x:1"); status(err) != http.StatusPreconditionFailed {
		t.Errorf("removed at another position: %v", err)
	}
	if got, err := d.Remove("a", "*"); err != nil || got.Epoch != at.Epoch || watcher.data["a"] != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if d.count != 0 || d.octets != 0 {
		t.Errorf("%d documents of %d bytes are counted", d.count, d.octets)
	}
}

func TestWhatChangesNothingIsNoChange(t *testing.T) {
	t.Parallel()
	d, _ := newDocuments(t, nil)
	ctx := t.Context()
	first, err := d.Put(ctx, "a", map[string]any{"n": 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() (realtime.Position, error){
		"the same": func() (realtime.Position, error) { return d.Put(ctx, "a", map[string]any{"n": 1.0}) },
		"a test": func() (realtime.Position, error) {
			return d.Patch(ctx, "a", []any{map[string]any{"op": "test", "path": "/n", "value": 1}})
		},
		"no change": func() (realtime.Position, error) {
			return d.Patch(ctx, "a", []any{map[string]any{"op": "move", "from": "/n", "path": "/n"}})
		},
	} {
		if at, err := call(); err != nil || at != first {
			t.Errorf("%s: %v, %v", name, at, err)
		}
	}
}

func TestDocumentsAreNotMadeWithoutEnd(t *testing.T) {
	t.Parallel()
	d, _ := newDocuments(t, map[string]string{"MAX_DOCUMENTS": "3"})
	var wait sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for i := range 20 {
		wait.Go(func() {
			_, err := d.Put(context.Background(), fmt.Sprint("d", i), i)
			mu.Lock()
			defer mu.Unlock()
			switch status(err) {
			case 0:
				made++
			case http.StatusRequestEntityTooLarge:
			default:
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if made != 3 {
		t.Errorf("%d documents were made", made)
	}
}

func TestRecover(t *testing.T) {
	t.Parallel()
	d, _ := newDocuments(t, nil)
	ctx := t.Context()
	var first realtime.Position
	for i := range 3 {
		at, err := d.Put(ctx, "a", map[string]any{"n": i, "filler": strings.Repeat("x", 100)})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = at
		}
	}
	recovery, err := d.Recover(ctx, "a", &first)
	if err != nil || !recovery.Recovered || len(recovery.Entries) != 2 {
		t.Fatalf("got %+v, %v", recovery, err)
	}
	want := `{"offset":2,"patch":[{"op":"replace","path":"/n","value":1}]}`
	if text := string(PatchText(recovery.Entries[0])); text != want {
		t.Errorf("got %s", text)
	}
}
