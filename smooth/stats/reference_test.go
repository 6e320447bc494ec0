package stats

import (
	_ "embed"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"ucan/fixtures/shared"
	"ucan/fixtures/subtest"
)

// reference holds rows computed with mpmath at 60 digits; testdata/generate.py
// is their source.
//
//go:embed testdata/reference.tsv
var reference string

type refRow struct {
	args  []float64
	value *big.Float // to 25 digits
	text  string
}

func referenceRows(t *testing.T, kind string) []refRow {
	t.Helper()
	var rows []refRow
	for line := range strings.Lines(reference) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if f[0] != kind {
			continue
		}
		r := refRow{text: strings.TrimSpace(line)}
		for _, s := range f[1 : len(f)-1] {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(err)
			}
			r.args = append(r.args, v)
		}
		v, _, err := big.ParseFloat(f[len(f)-1], 10, 120, big.ToNearestEven)
		if err != nil {
			t.Fatal(err)
		}
		r.value = v
		rows = append(rows, r)
	}
	if len(rows) < 5 {
		t.Fatalf("only %d reference rows of kind %q", len(rows), kind)
	}
	return rows
}

// relError is (got − want)/|want|, taken in 120 bits so that its sign is right.
func relError(got float64, want *big.Float) float64 {
	d := new(big.Float).SetPrec(120).SetFloat64(got)
	d.Sub(d, want)
	if want.Sign() == 0 {
		v, _ := d.Float64()
		return v
	}
	d.Quo(d, new(big.Float).Abs(want))
	v, _ := d.Float64()
	return v
}

func TestClopperPearsonReference(t *testing.T) {
	type bound func(k, n int64, alpha float64) (float64, error)
	for kind, c := range subtest.Rows(map[string]struct {
		f    bound
		sign float64
	}{
		"lower": {ClopperPearsonLower, -1},
		"upper": {ClopperPearsonUpper, 1},
	}) {
		t.Run(kind, func(t *testing.T) {
			worst := 0.0
			for _, r := range referenceRows(t, kind) {
				got, err := c.f(int64(r.args[0]), int64(r.args[1]), r.args[2])
				if err != nil {
					t.Fatalf("%s: %v", r.text, err)
				}
				e := relError(got, r.value) * c.sign
				if e < 0 {
					t.Errorf("%s: got %v, on the wrong side of the exact value by %.2g", r.text, got, -e)
				}
				if e > 1e-12 {
					t.Errorf("%s: got %v, relative slack %.2g", r.text, got, e)
				}
				worst = math.Max(worst, e)
			}
			t.Logf("%s: worst relative slack %.2g", kind, worst)
		})
	}
}

func TestClopperPearsonSharedTable(t *testing.T) {
	var table struct {
		RelTol float64 `json:"rel_tol"`
		Rows   []struct {
			K, N         int64
			Alpha, Lower float64
		}
	}
	shared.ReadJSON(t, &table, "reference", "clopper_pearson.json")
	if len(table.Rows) < 370 || table.RelTol != 1e-12 {
		t.Fatalf("table has %d rows at tolerance %g", len(table.Rows), table.RelTol)
	}
	for _, r := range table.Rows {
		got, err := ClopperPearsonLower(r.K, r.N, r.Alpha)
		if err != nil {
			t.Fatal(err)
		}
		if got > r.Lower {
			t.Errorf("k=%d n=%d alpha=%g: %v is above the exact %v", r.K, r.N, r.Alpha, got, r.Lower)
		}
		if r.Lower-got > table.RelTol*r.Lower {
			t.Errorf("k=%d n=%d alpha=%g: got %v, want %v", r.K, r.N, r.Alpha, got, r.Lower)
		}
		// The upper bound of the failures is the mirror image.
		up, err := ClopperPearsonUpper(r.N-r.K, r.N, r.Alpha)
		if err != nil {
			t.Fatal(err)
		}
		if up < 1-r.Lower-eps || up > (1-r.Lower)*(1+1e-12)+eps {
			t.Errorf("k=%d n=%d alpha=%g: upper bound of the mirror image is %v, want %v", r.K, r.N, r.Alpha, up, 1-r.Lower)
		}
	}
}

func TestBinomialTestSharedTable(t *testing.T) {
	var table struct {
		Rows []struct {
			Count1, Count2 int64
			PValue         float64 `json:"p_value"`
			Log10          float64 `json:"log10_p"`
			RelTol         float64 `json:"rel_tol"`
		}
	}
	shared.ReadJSON(t, &table, "reference", "binom_test.json")
	if len(table.Rows) < 71 {
		t.Fatalf("table has %d rows", len(table.Rows))
	}
	for _, r := range table.Rows {
		if got := BinomialTest(r.Count1, r.Count2); math.Abs(got-r.PValue) > r.RelTol*r.PValue {
			t.Errorf("%d against %d: got %v, want %v", r.Count1, r.Count2, got, r.PValue)
		}
		if got := LogBinomialTest(r.Count1, r.Count2) / math.Ln10; math.Abs(got-r.Log10) > r.RelTol*math.Abs(r.Log10) {
			t.Errorf("%d against %d: log10 p is %v, want %v", r.Count1, r.Count2, got, r.Log10)
		}
	}
}

func TestBinomialTailReference(t *testing.T) {
	for kind, f := range subtest.Rows(map[string]func(k, n int64, p float64) (float64, error){
		"tail": LogBinomialSurvival,
		"cdf":  LogBinomialCDF,
	}) {
		t.Run(kind, func(t *testing.T) {
			for _, r := range referenceRows(t, kind) {
				got, err := f(int64(r.args[0]), int64(r.args[1]), r.args[2])
				if err != nil {
					t.Fatal(err)
				}
				want, _ := r.value.Float64()
				// An absolute error of the logarithm is a relative one of P.
				if d := math.Abs(got - want); d > 1e-12*math.Max(1, math.Abs(want)/10) {
					t.Errorf("%s: got %.17g, off by %.2g", r.text, got, d)
				}
			}
		})
	}
}

func TestNormalReference(t *testing.T) {
	worst := 0.0
	for _, r := range referenceRows(t, "sf") {
		x := r.args[0]
		e := relError(NormalSurvival(x), r.value)
		worst = math.Max(worst, math.Abs(e))
		if e2 := relError(NormalCDF(-x), r.value); e2 != e {
			t.Errorf("%s: CDF(-x) and Survival(x) differ", r.text)
		}
		if relError(NormalCDFUpper(-x), r.value) < 0 {
			t.Errorf("%s: the value rounded up is below the exact one", r.text)
		}
	}
	t.Logf("survival: worst relative error %.2g", worst)
	if worst > normalSlack/2 {
		t.Errorf("survival: worst relative error %.2g leaves no margin to %.2g", worst, normalSlack)
	}
	worst = 0
	for _, r := range referenceRows(t, "quantile") {
		p := r.args[0]
		worst = math.Max(worst, math.Abs(relError(NormalQuantile(p), r.value)))
		if relError(NormalQuantileLower(p), r.value) > 0 || relError(NormalQuantileUpper(p), r.value) < 0 {
			t.Errorf("%s: the rounded quantiles do not bracket the exact one", r.text)
		}
	}
	t.Logf("quantile: worst relative error %.2g", worst)
	if worst > normalSlack/2 {
		t.Errorf("quantile: worst relative error %.2g leaves no margin to %.2g", worst, normalSlack)
	}
}
