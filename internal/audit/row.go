package audit

import (
	"fmt"
	"math"
	"slices"

	"ucan/internal/results"
	"ucan/smooth"
	"ucan/smooth/region"
	"ucan/smooth/stats"
)

// tableDigits is what the six truncated decimals of a table may be off by.
const tableDigits = 2e-6

// checkRow reports a row that its own votes contradict: sample sizes, the bound, and the radii that
// follow from it. A row has neither the input nor the votes of other classes, so that its label,
// its class and the radius under two bounds are not checked.
func (t RunTerms) checkRow(row results.Row) error {
	if row.Guarantee != string(t.Guarantee) || row.Norm != t.Norm.String() {
		return fmt.Errorf("guarantee %s and a radius in %s where this run has %s and %s", row.Guarantee, row.Norm, t.Guarantee, t.Norm)
	}
	if row.Status == results.Failed {
		if row.N != 0 || row.K != 0 || row.PLower != 0 {
			return fmt.Errorf("%d votes of %d and p_lower %v of an input that failed", row.K, row.N, row.PLower)
		}
		return nil
	}
	if t.chooses() {
		return nil // a row has neither the selector's votes nor the set
	}
	if err := t.checkSize(row); err != nil {
		return err
	}
	p, known, err := t.bound(row)
	if err != nil || !known {
		return err
	}
	if row.Status == results.Predicted || (p > 0.5) != (row.Status == results.Certified) && t.Method != smooth.MethodAdaptive {
		return fmt.Errorf("status %s with p_lower %s", row.Status, results.FormatTruncated(p))
	}
	if !t.fixed() || row.Status != results.Certified {
		return nil // no radius can be derived from a row under noise that is made for each input
	}
	r, err := t.Nominal.Region(p)
	if err != nil {
		return err
	}
	e, err := smooth.ExtentOf(region.Intersection{r})
	if err != nil {
		return err
	}
	radius := map[string]float64{"l1": e.Radii.L1, "l2": e.Radii.L2, "linf": e.Radii.LInf}[row.Norm]
	for _, v := range []struct {
		name          string
		stored, known float64
	}{
		{"radius", row.Radius, radius}, {"l1", row.L1, e.Radii.L1}, {"l2", row.L2, e.Radii.L2},
		{"linf", row.LInf, e.Radii.LInf}, {"alm", row.ALM, e.ALM},
	} {
		if v.stored != v.known && !(math.Abs(v.stored-v.known) <= tableDigits+1e-9*v.known) {
			return fmt.Errorf("%s %v where p_lower %s gives %s", v.name, v.stored, results.FormatTruncated(p), results.FormatTruncated(v.known))
		}
	}
	return nil
}

// checkSize compares the number of samples with what the method may draw.
func (t RunTerms) checkSize(row results.Row) error {
	switch t.Method {
	case smooth.MethodAdaptive:
		// Without a class to test no estimation sample is drawn.
		if !slices.Contains(t.Looks, row.N) && (row.N != 0 || row.Status != results.Abstained) {
			return fmt.Errorf("%d samples, at which this run's schedule does not look at its votes", row.N)
		}
	case smooth.MethodTwoStage:
		if row.N < 1 || row.N > t.N {
			return fmt.Errorf("%d samples where this run has at most %d", row.N, t.N)
		}
	default:
		if row.N != t.N {
			return fmt.Errorf("%d samples where this run has %d", row.N, t.N)
		}
	}
	return nil
}

// bound recomputes p_lower, and compares it with the row's; known is false where it cannot be
// recomputed.
func (t RunTerms) bound(row results.Row) (p float64, known bool, err error) {
	if t.Method == smooth.MethodAdaptive {
		if row.Status == results.Abstained {
			if row.PLower != 0 {
				return 0, false, fmt.Errorf("p_lower %v of an adaptive run that rejected nothing", row.PLower)
			}
			return 0, true, nil
		}
		for _, level := range t.Levels {
			if math.Abs(level-row.PLower) <= tableDigits {
				return level, true, nil
			}
		}
		if t.Levels != nil {
			return 0, false, fmt.Errorf("p_lower %v, which is not a level of this run's grid", row.PLower)
		}
		return 0, false, nil
	}
	if p, err = stats.ClopperPearsonLower(row.K, row.N, t.Alpha); err != nil {
		return 0, false, err
	}
	if t.fixed() {
		p = max(0, p-t.Nominal.LostMass())
	}
	switch {
	case t.Bound != smooth.OneBound: // its alpha is shared with the other classes' bounds, so it is no larger
		if row.PLower > p+tableDigits {
			return 0, false, fmt.Errorf("p_lower %v where %d votes of %d give at most %s at alpha %g", row.PLower, row.K, row.N, results.FormatTruncated(p), t.Alpha)
		}
		return 0, false, nil
	case math.Abs(row.PLower-p) > tableDigits:
		return 0, false, fmt.Errorf("p_lower %v where %d votes of %d give %s at alpha %g", row.PLower, row.K, row.N, results.FormatTruncated(p), t.Alpha)
	}
	return p, true, nil
}
