package auth

import "testing"

func TestWhatIsRevokedOnceMoreIsSaidOnceMore(t *testing.T) {
	t.Parallel()
	s := &shared{unsaid: map[string]int{}}
	first := s.note("user:ada")
	second := s.note("user:ada")
	s.said("user:ada", first)
	if len(s.unsaid) == 0 {
		t.Error("forgotten with the first")
	}
	s.said("user:ada", second)
	if len(s.unsaid) > 0 {
		t.Error("still to be said")
	}
	// The first may have been said late, on another connection.
	s.note("user:ada")
	s.said("user:ada", first)
	if len(s.unsaid) == 0 {
		t.Error("the third is forgotten with the first")
	}
}
