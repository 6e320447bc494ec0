package results

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"ucan/smooth/certificate"
)

// Status says how an input ended.
type Status = certificate.Status

// The values of [Status].
const (
	// Certified: the class is certified, with a radius of 0 or more.
	Certified = certificate.Certified
	// Abstained: no class has a lower bound above 1/2.
	Abstained = certificate.Abstained
	// Failed: the input could not be used; it stays in every denominator.
	Failed = certificate.Failed
	// Predicted: a class without a radius (ucan predict).
	Predicted Status = "predicted"
)

// guarantees lists what a row may claim in its guarantee column, and "none".
func guarantees() []string {
	return []string{"deployed", "pinned", "selector", "adaptive", "lipschitz", "registry", "none"}
}

// NoClass stands for "no class" in the columns label (unknown) and predict
// (abstained or failed).
const NoClass = -1

// Row is one line of the table.
type Row struct {
	// Index is the input's index in the whole source.
	Index int
	// Label is the true class, [NoClass] when unknown.
	Label int
	// Predict is the smoothed classifier's class, [NoClass] for none.
	Predict int
	// Radius is the certified radius in Norm, in input units, 0 or more.
	Radius float64
	// Correct says whether Predict is Label.
	Correct bool
	// Seconds is the time spent on this input.
	Seconds float64
	// Norm is "l1", "l2" or "linf".
	Norm string
	// L1, L2 and LInf are the largest balls inside the certified region.
	L1, L2, LInf float64
	// ALM is the region's alternative Lebesgue measure, exp(mean log σ)·R.
	ALM float64
	// ALMCapped is the ALM with each axis capped at the data's range, and CappedShare the share
	// of axes at their cap. Both are 0 unless Boxed: certificates whose data have no known range
	// do not have them, nor do tables.
	ALMCapped, CappedShare float64
	Boxed                  bool
	// PLower is the lower bound on the probability of the class, in [0, 1].
	PLower float64
	// K of N estimation samples voted for the class.
	K, N int64
	// Guarantee is one of guarantees().
	Guarantee string
	// Status says how the input ended.
	Status Status
}

// Columns are the names in the header line of the table, in order.
func Columns() []string {
	return append(cohenColumns(), "norm", "l1", "l2", "linf", "alm", "p_lower", "k", "n", "guarantee", "status")
}

// cohenColumns are the columns of Cohen et al.'s logs, read as well.
func cohenColumns() []string {
	return []string{"idx", "label", "predict", "radius", "correct", "time"}
}

func header() string { return strings.Join(Columns(), "\t") + "\n" }

// Validate reports a row that contradicts itself. Errors match [ErrRow].
func (r Row) Validate() error {
	fail := func(format string, args ...any) error {
		return kindErrorf(ErrRow, "row of input %d: "+format, append([]any{r.Index}, args...)...)
	}
	if r.Index < 0 || r.Label < NoClass || r.Predict < NoClass {
		return fail("idx, label and predict are %d, %d, %d; want 0 or more, or %d for no class", r.Index, r.Label, r.Predict, NoClass)
	}
	if !slices.Contains([]Status{Certified, Abstained, Failed, Predicted}, r.Status) {
		return fail("status %q; want certified, abstained, failed or predicted", r.Status)
	}
	if !slices.Contains([]string{"l1", "l2", "linf"}, r.Norm) {
		return fail("norm %q; want l1, l2 or linf", r.Norm)
	}
	if !slices.Contains(guarantees(), r.Guarantee) {
		return fail("guarantee %q; want one of %s", r.Guarantee, strings.Join(guarantees(), ", "))
	}
	for name, v := range map[string]float64{"radius": r.Radius, "time": r.Seconds, "l1": r.L1, "l2": r.L2, "linf": r.LInf, "alm": r.ALM, "alm_capped": r.ALMCapped, "capped_share": r.CappedShare, "p_lower": r.PLower} {
		if math.IsNaN(v) || v < 0 {
			return fail("%s is %v; want 0 or more", name, v)
		}
	}
	if math.IsInf(r.Seconds, 0) || r.PLower > 1 || r.CappedShare > 1 || r.K < 0 || r.K > r.N {
		return fail("time %v, p_lower %v, k %d, n %d; want finite time, probabilities and shares up to 1, and 0 ≤ k ≤ n", r.Seconds, r.PLower, r.K, r.N)
	}
	return r.validateOutcome(fail)
}

func (r Row) validateOutcome(fail func(string, ...any) error) error {
	none := r.Status == Abstained || r.Status == Failed
	if none != (r.Predict == NoClass) {
		return fail("status %s with predict %d; abstained and failed rows have %d, the others a class", r.Status, r.Predict, NoClass)
	}
	if r.Status != Certified && (r.Radius != 0 || r.L1 != 0 || r.L2 != 0 || r.LInf != 0 || r.ALM != 0) {
		return fail("status %s with radius %v; only certified rows have one", r.Status, r.Radius)
	}
	if r.Correct != (r.Predict != NoClass && r.Predict == r.Label) {
		return fail("correct is %t with label %d and predict %d", r.Correct, r.Label, r.Predict)
	}
	return nil
}

// Same reports whether two rows read the same in a table, whatever time they took.
func (r Row) Same(other Row) bool {
	r.Seconds, other.Seconds = 0, 0
	return string(r.AppendTSV(nil)) == string(other.AppendTSV(nil))
}

// FormatTruncated writes v ≥ 0 with six decimals truncated toward zero: the text
// never reads back as more than v. It works on the shortest decimal that reads
// back as v, so that 0.3 is "0.300000"; infinity is "inf".
func FormatTruncated(v float64) string {
	if math.IsInf(v, 1) {
		return "inf"
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	whole, frac, _ := strings.Cut(s, ".")
	if len(frac) > decimals {
		frac = frac[:decimals]
	}
	s = whole + "." + frac + strings.Repeat("0", decimals-len(frac))
	if v == 0 || s == "-0.000000" {
		return "0.000000"
	}
	return s
}

const decimals = 6

// AppendTSV appends the row's line, with its newline, to dst.
func (r Row) AppendTSV(dst []byte) []byte {
	num := func(v int64) { dst = append(strconv.AppendInt(dst, v, 10), '\t') }
	dec := func(v float64) { dst = append(append(dst, FormatTruncated(v)...), '\t') }
	num(int64(r.Index))
	num(int64(r.Label))
	num(int64(r.Predict))
	dec(r.Radius)
	if r.Correct {
		num(1)
	} else {
		num(0)
	}
	dst = append(strconv.AppendFloat(dst, r.Seconds, 'f', decimals, 64), '\t')
	dst = append(append(dst, r.Norm...), '\t')
	dec(r.L1)
	dec(r.L2)
	dec(r.LInf)
	dec(r.ALM)
	dec(r.PLower)
	num(r.K)
	num(r.N)
	dst = append(append(dst, r.Guarantee...), '\t')
	return append(append(dst, string(r.Status)...), '\n')
}

// RowOf is the row that a certificate shows.
func RowOf(c *certificate.Certificate) Row {
	r := Row{
		Index: int(c.Input.Index), Label: c.Input.Label, Predict: c.Predict, Seconds: float64(c.Run.Seconds),
		Norm: c.Noise.Norm, PLower: float64(c.Statistics.PLower), K: c.Statistics.K, N: c.Statistics.N,
		Guarantee: string(c.Guarantee), Status: c.Status,
		Correct: c.Correct != nil && *c.Correct,
	}
	r.Boxed = c.ALMCapped != nil && c.CappedShare != nil
	if c.Status != certificate.Certified {
		return r
	}
	if r.Boxed {
		r.ALMCapped, r.CappedShare = float64(*c.ALMCapped), float64(*c.CappedShare)
	}
	r.L1, r.L2, r.LInf, r.ALM = float64(c.Radii.L1), float64(c.Radii.L2), float64(c.Radii.LInf), float64(c.ALM)
	r.Radius = map[string]float64{"l1": r.L1, "l2": r.L2, "linf": r.LInf}[c.Noise.Norm]
	return r
}
