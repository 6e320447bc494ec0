package rows

import (
	"fmt"
	"testing"
)

// longGraph is a chain of n nodes of several kinds.
func longGraph(n int) *graph {
	g := newGraph(18, 4, 6)
	g.f32("c", 6).f32("w", 6, 6).i64("t", -1, 6).i64("back", -1, 4, 6)
	v := "x"
	step := func(op, more string) {
		g.next++
		out := fmt.Sprintf("v%d", g.next)
		g.do(op, v+more, out)
		v = out
	}
	for g.next < n-1 {
		step("Add", " c")
		step("MatMul", " w")
		step("Tanh", "")
		step("Reshape", " t")
		step("Softmax", "")
		step("Reshape", " back")
	}
	g.do("Identity", v, "y")
	return g
}

func BenchmarkProve(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000} {
		m := longGraph(n).model(b)
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			for b.Loop() {
				if proof := Prove(m, "x", "y", 0); !proof.Proved {
					b.Fatal(proof.Break)
				}
			}
		})
	}
}
