package topics

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, topic := range []string{"a", "a.b", "a-1.B_2", "a.b.c.d.e.f.g.h", "__proto__"} {
		if !IsTopic(topic) || !IsPattern(topic) {
			t.Errorf("%q is no topic", topic)
		}
	}
	long := strings.Repeat(strings.Repeat("x", 63)+".", 4) + "x"
	for _, text := range []string{"", ".", "a.", ".a", "a..b", "a b", "a/b", "é", "a.b.c.d.e.f.g.h.i", long, strings.Repeat("x", 65), "a\n"} {
		if IsTopic(text) || IsPattern(text) {
			t.Errorf("%q is a topic", text)
		}
	}
	for _, pattern := range []string{"a.*", "a.#", "a.*.c.#", "*", "#", "*.a"} {
		if !IsPattern(pattern) || IsTopic(pattern) {
			t.Errorf("%q is no pattern", pattern)
		}
		if IsTooBroad(pattern) == strings.HasPrefix(pattern, "a") {
			t.Errorf("%q is too broad: %t", pattern, IsTooBroad(pattern))
		}
	}
	for _, text := range []string{"a.#.b", "a.b*", "a.**", "#.a", "a#"} {
		if IsPattern(text) {
			t.Errorf("%q is a pattern", text)
		}
	}
}

func TestATreeMatchesAsEachPatternDoesAlone(t *testing.T) {
	cases := []struct{ pattern, matching, others string }{
		{"a", "a", "b a.b"},
		{"a.b", "a.b", "a a.c a.b.c"},
		{"a.*", "a.b a.c", "a a.b.c b.c"},
		{"a.#", "a a.b a.b.c.d.e.f.g.h", "b ab.c"},
		{"a.*.c", "a.b.c", "a.c a.b.d a.b.b.c"},
		{"a.*.#", "a.b a.b.c", "a b.c"},
		{"a.*.*.#", "a.b.c a.b.c.d", "a.b"},
	}
	var tree Tree[string]
	all := map[string]bool{}
	for _, one := range cases {
		tree.Add(one.pattern, one.pattern)
		for _, topic := range strings.Fields(one.matching) {
			all[topic] = true
			if !Match(one.pattern, topic) {
				t.Errorf("%s does not match %s", one.pattern, topic)
			}
		}
		for _, topic := range strings.Fields(one.others) {
			all[topic] = true
			if Match(one.pattern, topic) {
				t.Errorf("%s matches %s", one.pattern, topic)
			}
		}
	}
	for topic := range all {
		var expected []string
		for _, one := range cases {
			if Match(one.pattern, topic) {
				expected = append(expected, one.pattern)
			}
		}
		slices.Sort(expected)
		if found := slices.Sorted(maps.Keys(tree.Match(topic))); !slices.Equal(found, expected) {
			t.Errorf("%s: %v, expected %v", topic, found, expected)
		}
	}
	tree.Remove("a.*", "a.*")
	if found := slices.Sorted(maps.Keys(tree.Match("a.c"))); !slices.Equal(found, []string{"a.#", "a.*.#"}) {
		t.Errorf("without a.*: %v", found)
	}
	for _, one := range cases {
		tree.Remove(one.pattern+".z", one.pattern)
		tree.Remove(one.pattern, one.pattern)
	}
	if !tree.root.isEmpty() {
		t.Error("what nobody needs is kept")
	}
}

func TestASubscriberIsNamedOnce(t *testing.T) {
	var tree Tree[string]
	for _, pattern := range []string{"a.#", "a.*", "a.b", "a.b.#"} {
		tree.Add(pattern, "ada")
	}
	tree.Add("a.*", "bob")
	if found := slices.Sorted(maps.Keys(tree.Match("a.b"))); !slices.Equal(found, []string{"ada", "bob"}) {
		t.Errorf("got %v", found)
	}
}

func BenchmarkMatch(b *testing.B) {
	var tree Tree[int]
	for i := range 10_000 {
		tree.Add(fmt.Sprintf("a.other%d.#", i), i)
	}
	tree.Add("a.*.c", 0)
	for b.Loop() {
		if len(tree.Match("a.b.c")) != 1 {
			b.Fatal("no match")
		}
	}
}
