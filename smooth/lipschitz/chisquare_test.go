package lipschitz

import (
	"bufio"
	"encoding/json"
	"errors"
	"math"
	"os"
	"strconv"
	"testing"
)

// rows reads a file of testdata, made by fixtures/scripts/lipschitz.py.
func rows[T any](t *testing.T, name string) []T {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []T
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var row T
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	if err := lines.Err(); err != nil || len(out) == 0 {
		t.Fatalf("%s: %d rows, %v", name, len(out), err)
	}
	return out
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestEncloses compares with mpmath, in both tails.
func TestEncloses(t *testing.T) {
	type row struct {
		D             int
		Lam, X        float64
		CDF, Survival string
	}
	for _, r := range rows[row](t, "chisquare.jsonl") {
		cdf, survival, err := NoncentralChiSquare(r.D, r.Lam, r.X)
		if err != nil {
			t.Fatal(err)
		}
		for name, at := range map[string]struct {
			got  Bounds
			want float64
		}{"cdf": {cdf, number(t, r.CDF)}, "survival": {survival, number(t, r.Survival)}} {
			// The reference is rounded to the nearest float64.
			if at.got.Lower > math.Nextafter(at.want, 2) || at.got.Upper < math.Nextafter(at.want, -1) {
				t.Errorf("%s of d %d, λ %v at %v: %v does not enclose %v", name, r.D, r.Lam, r.X, at.got, at.want)
			}
			if width := at.got.Upper - at.got.Lower; width > 5e-9*at.want+1e-33 {
				t.Errorf("%s of d %d, λ %v at %v: %v is %.1e wide, relative", name, r.D, r.Lam, r.X, at.got, width/at.want)
			}
		}
	}
}

func TestClosedForms(t *testing.T) {
	// d = 1: P[(√λ + Z)² ≤ x] = Φ(√x − √λ) − Φ(−√x − √λ). d = 2, λ = 0: 1 − e^{−x/2}.
	phi := func(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }
	for _, lambda := range []float64{0, 0.01, 1, 9} {
		for _, x := range []float64{1e-6, 0.3, 4, 20} {
			a, b := math.Sqrt(x), math.Sqrt(lambda)
			want := phi(a-b) - phi(-a-b)
			cdf, _, err := NoncentralChiSquare(1, lambda, x)
			if err != nil || math.Abs(cdf.Lower-want) > 1e-12 || math.Abs(cdf.Upper-want) > 1e-12 {
				t.Errorf("λ %v at %v: %v, want %v (%v)", lambda, x, cdf, want, err)
			}
		}
	}
	for _, x := range []float64{1e-9, 0.5, 3, 60, 600} {
		cdf, survival, err := NoncentralChiSquare(2, 0, x)
		if err != nil || math.Abs(cdf.Lower/-math.Expm1(-x/2)-1) > 1e-11 || math.Abs(survival.Upper/math.Exp(-x/2)-1) > 1e-10 && survival.Upper > 1e-36 {
			t.Errorf("at %v: %v, %v (%v)", x, cdf, survival, err)
		}
	}
	if cdf, survival, err := NoncentralChiSquare(5, 3, 0); err != nil || cdf != (Bounds{}) || survival != (Bounds{1, 1}) {
		t.Errorf("at 0: %v, %v (%v)", cdf, survival, err)
	}
}

func TestQuantileIsOnBothSides(t *testing.T) {
	for _, d := range []int{1, 2, 17, 784, 150528} {
		for _, lambda := range []float64{0, 0.5, 300, 1e6} {
			for _, q := range []float64{1e-9, 0.001, 0.4999, 0.5, 0.9, 1 - 1e-9} {
				b, err := NoncentralChiSquareQuantile(d, lambda, q)
				if err != nil {
					t.Fatal(err)
				}
				low, _, err := NoncentralChiSquare(d, lambda, b.Lower)
				if err != nil {
					t.Fatal(err)
				}
				high, _, err := NoncentralChiSquare(d, lambda, b.Upper)
				if err != nil {
					t.Fatal(err)
				}
				if !(low.Upper <= q && high.Lower >= q && b.Lower <= b.Upper) {
					t.Errorf("d %d, λ %v: quantile %v in %v has F %v and %v", d, lambda, q, b, low, high)
				}
				if b.Upper-b.Lower > 1e-7*b.Upper {
					t.Errorf("d %d, λ %v: quantile %v in %v", d, lambda, q, b)
				}
			}
		}
	}
}

func TestDomain(t *testing.T) {
	nan := math.NaN()
	for _, at := range []struct {
		d         int
		lambda, x float64
	}{{0, 1, 1}, {MaxDim + 1, 1, 1}, {1, -1, 1}, {1, nan, 1}, {1, 1, nan}, {1, 1, -1}, {1, 2 * MaxSize, 1}, {1, 1, math.Inf(1)}} {
		if _, _, err := NoncentralChiSquare(at.d, at.lambda, at.x); !errors.Is(err, ErrDomain) {
			t.Errorf("%v was taken: %v", at, err)
		}
	}
	for _, q := range []float64{0, 1, nan, -1} {
		if _, err := NoncentralChiSquareQuantile(3, 1, q); !errors.Is(err, ErrDomain) {
			t.Errorf("quantile %v was taken: %v", q, err)
		}
	}
}
