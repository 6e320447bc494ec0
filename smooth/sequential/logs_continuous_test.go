package sequential

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"ucan/smooth/stats"
)

// radiusAt is the certified radius, in sigma, of a draw of n fresh samples.
func radiusAt(tb testing.TB, p float64, n int64, rng *rand.Rand) float64 {
	tb.Helper()
	low, err := stats.ClopperPearsonLower(drawOnce(n, p, rng), n, 0.001)
	if err != nil {
		tb.Fatal(err)
	}
	if low <= 0.5 {
		return 0
	}
	return stats.NormalQuantileLower(low)
}

// continuous returns the average certified radius and the samples per image of
// fixed n (two nil) or of the two-stage method.
func continuous(tb testing.TB, logs []published, two *TwoStage, n int64, reps int) (acr, samples float64) {
	tb.Helper()
	rng := rand.New(rand.NewPCG(12, 34))
	images := 0.0
	for _, l := range logs {
		for _, im := range l.images {
			for range reps {
				images++
				fresh, pilot := n, int64(100)
				right := rng.Float64() < selected(tb, im.p)
				p := im.p
				if !right {
					p = rival(p)
				}
				if two != nil {
					pilot = two.Pilot
					var err error
					if fresh, err = two.Size(drawOnce(pilot, 1-p, rng)); err != nil {
						tb.Fatal(err)
					}
				}
				samples += float64(fresh + pilot)
				if right && im.correct {
					acr += l.sigma * radiusAt(tb, p, fresh, rng)
				}
			}
		}
	}
	return acr / images, samples / images
}

// BenchmarkContinuousRadius prints the average certified radius that fixed n and
// the two-stage method keep, and their samples, over the matched logs without
// CIFAR-10 at sigma 0.12:
//
//	go test ./smooth/sequential -run '^$' -bench ContinuousRadius -benchtime 1x
func BenchmarkContinuousRadius(b *testing.B) {
	logs := cohenLogs(b, 1)[1:matchedLogs]
	for b.Loop() {
		base, cost := continuous(b, logs, nil, logN, 3)
		fmt.Printf("\nfixed n = 100,000: ACR %.4f\n| method | fewer samples | share of the ACR |\n| --- | --- | --- |\n", base)
		for _, n := range []int64{5000, 10_000, 20_000} {
			a, c := continuous(b, logs, nil, n, 3)
			fmt.Printf("| fixed n = %d | %.1f | %.3f |\n", n, cost/c, a/base)
		}
		for _, kappa := range []float64{3000, 5000, 8000} {
			two := DefaultTwoStage()
			two.Kappa = kappa
			a, c := continuous(b, logs, &two, 0, 3)
			fmt.Printf("| two-stage, kappa %g | %.1f | %.3f |\n", kappa, cost/c, a/base)
		}
	}
}

// TestTwoStageBeatsFixed: at a similar radius the two-stage method takes fewer
// samples than a fixed number.
func TestTwoStageBeatsFixed(t *testing.T) {
	logs := cohenLogs(t, 4)[1:matchedLogs]
	two := DefaultTwoStage()
	two.Kappa = 3000
	a, c := continuous(t, logs, &two, 0, 1)
	fixed, cost := continuous(t, logs, nil, 10_000, 1)
	if a < 0.98*fixed || c > 0.7*cost {
		t.Errorf("two-stage: ACR %.4f with %.0f samples; fixed: %.4f with %.0f", a, c, fixed, cost)
	}
}

// BenchmarkSingleRadius prints the cost of one question, "robust at r?", over
// every radius of the matched logs.
func BenchmarkSingleRadius(b *testing.B) {
	for b.Loop() {
		for _, m := range []named{
			planned("default", Default(), Selected),
			planned("fast", Fast(), Selected),
			planned("default, label-aware", Default(), Labelled),
			planned("fast, label-aware", Fast(), Labelled),
		} {
			tables := NewTables()
			var used, spent, worst float64
			var each []float64
			for _, l := range cohenLogs(b, 1)[:matchedLogs] {
				for j := range l.radii {
					one := l
					one.radii, one.levels = l.radii[j:j+1], l.levels[j:j+1]
					base := fixedN(b, one, logN, 0.001, 1, 1)
					o := exactly(b, one, tables, m.prof, m.mode)
					used += o.samples * float64(len(l.images))
					spent += base.samples * float64(len(l.images))
					worst = math.Max(worst, loss(base.acc, o.acc))
					each = append(each, base.samples/o.samples)
				}
			}
			fmt.Printf("single radius, %s: %.0f times fewer samples pooled over %d questions (%.0f to %.0f), worst expected loss %.2f points\n",
				m.name, spent/used, len(each), slices.Min(each), slices.Max(each), worst)
		}
	}
}

// BenchmarkFineGrid prints what a grid of .05 sigma up to 3 sigma costs, on every
// fifth image of the matched logs.
func BenchmarkFineGrid(b *testing.B) {
	for b.Loop() {
		for _, prof := range []Profile{Default(), Fast()} {
			tables := NewTables()
			var used, spent, worst float64
			for _, l := range cohenLogs(b, 5)[:matchedLogs] {
				l.radii, l.levels = nil, nil
				for i := range 61 {
					z := 0.05 * float64(i)
					l.radii, l.levels = append(l.radii, z*l.sigma), append(l.levels, stats.NormalCDFUpper(z))
				}
				base := fixedN(b, l, logN, 0.001, 1, 1)
				o := exactly(b, l, tables, prof, Selected)
				used += o.samples * float64(len(l.images))
				spent += base.samples * float64(len(l.images))
				worst = math.Max(worst, loss(base.acc, o.acc))
			}
			fmt.Printf("fine grid, %s: %.1f times fewer samples, worst expected loss %.2f points\n", prof.Name, spent/used, worst)
		}
	}
}
