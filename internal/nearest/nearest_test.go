package nearest

import (
	"testing"

	"ucan/fixtures/subtest"
)

func TestNearestName(t *testing.T) {
	t.Parallel()
	known := []string{"sigma", "sigma-field", "seed", "shard", "alpha", "model"}
	for name, c := range subtest.Rows(map[string]struct{ word, want string }{
		"two letters swapped": {"sgima", "sigma"},
		"a letter too many":   {"alphaa", "alpha"},
		"a letter left out":   {"modl", "model"},
		"capitals":            {"SIGMA", "sigma"},
		"nothing near":        {"frequency", ""},
		"a short word":        {"x", ""},
	}) {
		t.Run(name, func(t *testing.T) {
			if got := Word(c.word, known); got != c.want {
				t.Errorf("the name nearest to %q is %q, want %q", c.word, got, c.want)
			}
		})
	}
}

func TestEditDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"ab", "ba", 1}, {"ca", "abc", 3}, {"µσ", "σ", 1}} {
		if got, back := editDistance(c.a, c.b), editDistance(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("%q and %q differ by %d, the other way round by %d, want %d", c.a, c.b, got, back, c.want)
		}
	}
}
