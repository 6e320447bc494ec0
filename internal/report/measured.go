package report

// Measured sums up sizes of regions by one measure.
type Measured struct {
	Measure Measure `json:"measure"`
	// Mean is the mean over the same inputs of the size where correct, else 0, as ACR is for the
	// norm.
	Mean         float64   `json:"mean"`
	MeanInterval *Interval `json:"mean_interval"`
	// Curve is the certified accuracy at sizes of the measure.
	Curve []Point `json:"curve"`
	// Equal says that all sizes are the radii in the rows' norm, as under isotropic noise.
	Equal bool `json:"equal"`
	// CappedShare is, for [ALMCapped], the mean share of axes at their cap over the certified rows.
	CappedShare *float64 `json:"capped_share,omitempty"`
}

// Mean returns the mean size by a measure that the summary has beside its norm; 0 for another.
func (s Summary) Mean(m Measure) float64 {
	for _, measured := range s.Measures {
		if measured.Measure == m {
			return measured.Mean
		}
	}
	return 0
}

// Uncapped reports whether the measure is capped ALM and no axis is at its cap: it is ALM then.
func (m Measured) Uncapped() bool { return m.CappedShare != nil && *m.CappedShare == 0 }
