package rows

import (
	"fmt"
	"strings"
)

// dim is an extent n·N + c of a tensor, N being the batch; or, where open is set, one
// that is not known but depends neither on N nor on the data.
type dim struct {
	n, c int64
	open bool
}

func fixed(c int64) dim { return dim{c: c} }

var openDim = dim{open: true}

// known says that the extent is a number that does not depend on N.
func (d dim) known() bool { return !d.open && d.n == 0 }

// one says that the extent is known to be 1.
func (d dim) one() bool { return d == fixed(1) }

func (d dim) String() string {
	switch {
	case d.open:
		return "?"
	case d.n == 0:
		return fmt.Sprint(d.c)
	case d.n == 1 && d.c == 0:
		return "N"
	case d.c == 0:
		return fmt.Sprintf("%d·N", d.n)
	}
	return fmt.Sprintf("%d·N%+d", d.n, d.c)
}

func shapeText(dims []dim) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = d.String()
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// largest bounds every number that is computed with; beyond it nothing is known.
const largest = 1 << 52

// times multiplies, ok false where the product is not an extent a·N + b or too large.
func (d dim) times(e dim) (dim, bool) {
	if d.open || e.open || d.n != 0 && e.n != 0 {
		return openDim, false
	}
	n1, ok1 := mul(d.n, e.c)
	n2, ok2 := mul(d.c, e.n)
	c, ok3 := mul(d.c, e.c)
	return dim{n: n1 + n2, c: c}, ok1 && ok2 && ok3
}

// mul multiplies numbers below largest in magnitude.
func mul(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	if abs(a) > largest/abs(b) {
		return 0, false
	}
	return a * b, true
}

func abs(a int64) int64 {
	if a < 0 {
		return -a
	}
	return a
}

// size multiplies all extents.
func size(dims []dim) (dim, bool) {
	p := fixed(1)
	for _, d := range dims {
		var ok bool
		if p, ok = p.times(d); !ok {
			return openDim, false
		}
	}
	return p, true
}

// sizeKnown multiplies extents that must not depend on N.
func sizeKnown(dims []dim) (int64, bool) {
	p, ok := size(dims)
	return p.c, ok && p.n == 0
}
