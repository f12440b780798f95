package auth

import "testing"

func TestWhatIsRevokedOnceMoreIsSaidOnceMore(t *testing.T) {
	t.Parallel()
	s := &shared{unsaid: map[string]int{"user:ada": 2}}
	s.said("user:ada", 1)
	if len(s.unsaid) == 0 {
		t.Error("forgotten with the first")
	}
	s.said("user:ada", 2)
	if len(s.unsaid) > 0 {
		t.Error("still to be said")
	}
}
