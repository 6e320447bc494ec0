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
	if d, differ := difference(a, b); differ {
		t.Errorf("equal objects differ in %q", d)
	}
	b[n/2].value = -1.0
	if d, _ := difference(object{{"counts", a}}, object{{"counts", b}}); d != "counts."+b[n/2].name {
		t.Errorf("the difference is in %q, want counts.%s", d, b[n/2].name)
	}
	if d, _ := difference(a[:n-1], b); d != strconv.Itoa(n/2-1) && d != strconv.Itoa(n-1) {
		t.Errorf("a missing member: %q", d)
	}
}
