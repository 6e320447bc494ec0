package special

import (
	"math"
	"testing"
)

// The expected values are mpmath's, with 40 to 60 digits, rounded to 17.

// near reports a relative error up to tol.
func near(got, want, tol float64) bool { return math.Abs(got-want) <= tol*math.Abs(want) }

func TestGammaTails(t *testing.T) {
	for _, c := range []struct{ a, x, lower, upper float64 }{
		{0.01, 1e-5, 0.8963367982671972, 0.1036632017328028},
		{0.5, 0.125, 0.38292492254802621, 0.61707507745197379},
		{1, 3, 0.95021293163213606, 0.049787068367863943},
		{10, 3, 0.0011024881301154797, 0.99889751186988452},
		{10, 30, 0.99999287824913718, 7.1217508628155771e-6},
		{500, 400, 8.1093810787991598e-7, 0.99999918906189212},
		{3072, 3072, 0.50239926926267983, 0.49760073073732017},
		{3072, 3400, 0.99999999484054169, 5.1594583125519365e-9},
		{150528, 150000, 0.086657008505520847, 0.91334299149447915},
		{150528, 152000, 0.99992239361640651, 7.7606383593493103e-5},
	} {
		lower, upper := GammaTails(c.a, c.x)
		// The larger tail is one minus the other: half an ulp of 1.
		if !near(lower, c.lower, 1e-13) || !near(upper, c.upper, 1e-13) {
			t.Errorf("GammaTails(%v, %v) = %v, %v; want %v, %v", c.a, c.x, lower, upper, c.lower, c.upper)
		}
		// The ratio is the upper tail over the density.
		if got := UpperGammaRatio(c.a, c.x) * math.Exp(LogGammaPower(c.a, c.x)); !near(got, c.upper, 2e-13) {
			t.Errorf("UpperGammaRatio(%v, %v) gives the tail %v, want %v", c.a, c.x, got, c.upper)
		}
		// The quantile is the inverse on both sides.
		s := LogGammaQuantile(c.a, c.lower, c.upper)
		if min(c.lower, c.upper) > 1e-15 && math.Abs(s-math.Log(c.x)) > 1e-12/math.Sqrt(c.a)+1e-14 {
			t.Errorf("quantile of GammaTails(%v, %v): ln x = %v, want %v", c.a, c.x, s, math.Log(c.x))
		}
	}
	if l, u := GammaTails(3, 0); l != 0 || u != 1 {
		t.Errorf("tails at 0: %v, %v", l, u)
	}
	if l, u := GammaTails(3, math.Inf(1)); l != 1 || u != 0 {
		t.Errorf("tails at infinity: %v, %v", l, u)
	}
}

func TestBetaTails(t *testing.T) {
	for _, c := range []struct{ a, b, x, lower, upper float64 }{
		{0.5, 0.5, 0.125, 0.23005345616261589, 0.76994654383738411},
		{0.5, 1535.5, 0.0009765625, 0.91673549968995178, 0.08326450031004822},
		{0.5, 1535.5, 0.0078125, 0.99999907703738731, 9.2296261269195989e-7},
		{3072, 928, 0.765625, 0.35879665170521604, 0.64120334829478396},
		{75264, 75264, 0.494140625, 2.723619358336091e-6, 0.99999727638064166},
		{20, 16, 0.5, 0.24977991660125554, 0.75022008339874446},
		{1.5, 10.5, 0.9375, 0.99999999999916427, 8.357268832885234e-13},
		{2, 1, 0.25, 0.0625, 0.9375},
		{1, 7, 0.03125, 0.19927754349191673, 0.80072245650808327},
	} {
		lower, upper := BetaTails(c.a, c.b, c.x, 1-c.x)
		if !near(lower, c.lower, 1e-13) || !near(upper, c.upper, 1e-13) {
			t.Errorf("BetaTails(%v, %v, %v) = %v, %v; want %v, %v", c.a, c.b, c.x, lower, upper, c.lower, c.upper)
		}
		x, y := BetaQuantile(c.a, c.b, c.lower, c.upper)
		if !near(x, c.x, 1e-12) || !near(y, 1-c.x, 1e-12) {
			t.Errorf("quantile of BetaTails(%v, %v, %v): %v, %v", c.a, c.b, c.x, x, y)
		}
		if c.a == 0.5 {
			inside, outside := NewCap(int(2*c.b + 1)).Tails(-math.Sqrt(c.x))
			if !near(inside, c.lower, 1e-13) || !near(outside, c.upper, 1e-13) {
				t.Errorf("cap of dimension %v at %v: %v, %v; want %v, %v", 2*c.b+1, c.x, inside, outside, c.lower, c.upper)
			}
		}
	}
	if in, out := NewCap(5).Tails(1.5); in != 1 || out != 0 {
		t.Errorf("cap beyond the sphere: %v, %v", in, out)
	}
}

func TestLogGammaRatio(t *testing.T) {
	for _, c := range []struct{ x, delta, want float64 }{
		{0.25, 0.5, -1.0847415732667821},
		{1, 1.5, 0.28468287047291916},
		{10, 0.75, 1.7176447449790488},
		{784, 2, 13.330092738132816},
		{150528, 0.5, 5.9609513657788056},
		{20, -0.5, -1.478797678238397},
		{100000, -3, -34.538716394210673},
	} {
		if got := LogGammaRatio(c.x, c.delta); !near(got, c.want, 3e-15) {
			t.Errorf("LogGammaRatio(%v, %v) = %v, want %v", c.x, c.delta, got, c.want)
		}
	}
	if GammaRatio(1e5, 0) != 1 {
		t.Error("Γ(x)/Γ(x) is not 1")
	}
}

func TestDilog(t *testing.T) {
	for _, c := range []struct{ x, want float64 }{
		{0.0078125, 0.0078278120049701163},
		{0.25, 0.26765263908273261},
		{0.5, 0.58224052646501251},
		{0.625, 0.76628528996974619},
		{0.984375, 1.5637520286882692},
		{0, 0}, {1, math.Pi * math.Pi / 6},
	} {
		if got := Dilog(c.x); !near(got, c.want, 1e-15) {
			t.Errorf("Dilog(%v) = %v, want %v", c.x, got, c.want)
		}
	}
}

func TestBinomialHalf(t *testing.T) {
	for _, c := range []struct{ n, k, want float64 }{
		{1, 1, 0.5},
		{2, 1, 0.5},
		{21, 11, 0.16818809509277344},
		{784, 400, 0.024200468931969558},
		{150528, 75264, 0.0020565093789763028},
		{150529, 75400, 0.0016113385142573669},
	} {
		if got := BinomialHalf(c.n, c.k); !near(got, c.want, 1e-14) {
			t.Errorf("BinomialHalf(%v, %v) = %v, want %v", c.n, c.k, got, c.want)
		}
	}
}

// Quantiles far out, where tails are near the smallest numbers: the inverse of the
// tails to their accuracy.
func TestQuantilesFarOut(t *testing.T) {
	for _, a := range []float64{0.01, 0.5, 3, 1000, 150528} {
		for _, p := range []float64{1e-300, 1e-30, 0x1p-52, 0.3} {
			s := LogGammaQuantile(a, p, 1)
			lower, _ := GammaTails(a, math.Exp(s))
			// Rounding ln x costs its error times the slope of the tail.
			if s > -700 && !near(lower, p, 1e-10) {
				t.Errorf("a=%v: lower tail at its quantile of %v is %v", a, p, lower)
			}
			_, upper := GammaTails(a, math.Exp(LogGammaQuantile(a, 1, p)))
			if !near(upper, p, 1e-10) {
				t.Errorf("a=%v: upper tail at its quantile of %v is %v", a, p, upper)
			}
			x, y := BetaQuantile(a, 7, 1, p)
			if _, got := BetaTails(a, 7, x, y); y > 1e-290 && !near(got, p, 1e-11) {
				t.Errorf("a=%v: upper beta tail at its quantile of %v is %v", a, p, got)
			}
		}
	}
}

func TestGaussIntegratesPolynomials(t *testing.T) {
	// Exact up to degree 31.
	for n := range 32 {
		want := (math.Pow(2, float64(n+1)) - math.Pow(-1, float64(n+1))) / float64(n+1)
		if got := Gauss(func(x float64) float64 { return math.Pow(x, float64(n)) }, -1, 2); !near(got, want, 1e-14) {
			t.Errorf("∫x^%d = %v, want %v", n, got, want)
		}
	}
}

// Kinks and roots, as the measure of caps has them.
func TestGaussPair(t *testing.T) {
	a, b, restA, restB := GaussPair(func(x float64) (float64, float64) {
		return math.Abs(x - 0.3), math.Sqrt(math.Max(0, 1-x*x))
	}, -2, 2, 1, 1e-12, 0)
	if want := (2.3*2.3 + 1.7*1.7) / 2; !near(a, want, 1e-11) {
		t.Errorf("∫|x−0.3| = %v, want %v", a, want)
	}
	if restA > 1e-10 || restB > 1e-10 {
		t.Errorf("disagreement of %v and %v", restA, restB)
	}
	if want := math.Pi / 2; !near(b, want, 1e-11) {
		t.Errorf("∫√(1−x²) = %v, want %v", b, want)
	}
}
