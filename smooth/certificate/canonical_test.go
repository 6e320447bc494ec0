package certificate

import (
	"strconv"
	"testing"

	"ucan/fixtures/subtest"
)

// Comparing a certificate of many classes with its normal form must not take the square
// of their number: with a search in a list for each member this test takes an hour.
func TestDifferenceOfManyMembers(t *testing.T) {
	subtest.Long(t)
	const n = 1 << 20
	a, b := make(object, n), make(object, n)
	for i := range n {
		a[i] = member{strconv.Itoa(i), float64(i)}
		b[n-1-i] = a[i] // members may come in any order
	}
	if d := difference("", a, b); d != "" {
		t.Errorf("equal objects differ in %q", d)
	}
	b[n/2].value = -1.0
	if d, want := difference("counts", a, b), "counts."+b[n/2].name; d != want {
		t.Errorf("the difference is in %q, want %q", d, want)
	}
	if d, want := difference("", a[:n-1], b), strconv.Itoa(n-1); d != strconv.Itoa(n/2-1) && d != want {
		t.Errorf("a missing member: %q", d)
	}
}
