package optim

import (
	"runtime"
	"sync"
)

// piece is how many values one call of an update's inner loop takes: few enough that weights,
// gradients and what the optimiser remembers of them stay in the processor's first cache between
// passes.
const piece = 2048

// alone is the number of values below which a second goroutine costs more than it saves.
const alone = 1 << 16

// span is a part of one parameter.
type span struct {
	parameter int
	from, to  int
}

// split cuts the parameters into spans of at most piece values. The cut depends on the sizes only.
func split(ps []Parameter) []span {
	var out []span
	for i, p := range ps {
		for from := 0; from < len(p.Values); from += piece {
			out = append(out, span{i, from, min(from+piece, len(p.Values))})
		}
	}
	return out
}

// spread calls f for every index below n, on several processors when the work is worth it. f must
// not depend on the order: results are the same with any number of processors.
func spread(n, values int, f func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if values < alone || workers < 2 {
		for i := range n {
			f(i)
		}
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w * n / workers; i < (w+1)*n/workers; i++ {
				f(i)
			}
		})
	}
	wg.Wait()
}

// count is the number of values of all parameters.
func count(ps []Parameter) int {
	n := 0
	for _, p := range ps {
		n += len(p.Values)
	}
	return n
}
