package compare

import (
	"context"
	"fmt"
	"slices"

	"ucan/internal/audit"
	"ucan/internal/fault"
	"ucan/internal/report"
	"ucan/internal/results"
	"ucan/smooth/certificate"
)

// Arm is one file of certificates in a comparison.
type Arm struct {
	Name string `json:"name"`
	// Isotropic says that the arm is part of the envelope.
	Isotropic bool   `json:"isotropic"`
	Guarantee string `json:"guarantee"`
	// MeanSigma and LargestSigma describe λ·s over all coordinates of all inputs.
	MeanSigma    float64 `json:"mean_sigma"`
	LargestSigma float64 `json:"largest_sigma"`
	// Accuracy is the share of inputs that are right, ACR the mean ℓ2 radius and MeanALM the mean
	// ALM radius, both with 0 for inputs that are not.
	Accuracy float64 `json:"accuracy"`
	ACR      float64 `json:"acr"`
	MeanALM  float64 `json:"mean_alm"`
	// MeanALMCapped is MeanALM with each axis capped at the data's range, and CappedShare the mean
	// share of axes at their cap over the certified inputs, whatever their class; nil where
	// certificates do not name the range.
	MeanALMCapped *float64 `json:"mean_alm_capped,omitempty"`
	CappedShare   *float64 `json:"capped_share,omitempty"`
	// Samples and Seconds were spent.
	Samples int64   `json:"samples"`
	Seconds float64 `json:"seconds"`

	certified []certified
	boxless   int // certified inputs without a capped ALM
	noises    int // certificates that MeanSigma sums over
}

// certified is what a comparison needs of one certificate.
type certified struct {
	input string // digest
	// certified is whether there is a region, correct whether it is one of the right class.
	certified, correct bool
	size               size
	samples            int64
	seconds            float64
}

// size is how large one certified region is: the radius of its ℓ2 ball, its ALM radius, the ALM
// radius of its section through the inputs that vary, and its capped ALM with the share of axes at
// their cap; 0 without a region.
type size struct{ l2, alm, section, capped, share float64 }

// rows are table rows with a measure of the region as their radius.
func (a *Arm) rows(m measure) []results.Row {
	rows := make([]results.Row, len(a.certified))
	for i, c := range a.certified {
		rows[i] = results.Row{Index: i, Correct: c.correct, Norm: m.norm, Guarantee: a.Guarantee, Status: results.Abstained}
		if c.correct {
			rows[i].Radius, rows[i].Status = m.of(c.size), results.Certified
		}
	}
	return rows
}

// Read reads a file of certificates, which it believes. varies tells which coordinates vary in
// training, nil for all.
func Read(ctx context.Context, name, path string, varies []bool) (*Arm, error) {
	a := &Arm{Name: name}
	folder, known := results.Beside(path), sections{varies: varies, known: map[string]float64{}}
	err := audit.Lines(ctx, path, func(line int, text []byte) error {
		c, err := certificate.Parse(text)
		if err != nil {
			return fmt.Errorf("line %d: %w; run \"ucan verify\" on the file", line, err)
		}
		if err = a.add(c, folder, &known); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("compare %q: %w", path, err)
	}
	if len(a.certified) == 0 {
		return nil, fault.Wrongf("compare %q: no certificates; name the file that --json wrote", path)
	}
	a.MeanSigma /= float64(max(a.noises, 1))
	return a, nil
}

// add takes one certificate into account.
func (a *Arm) add(c *certificate.Certificate, load certificate.Loader, known *sections) error {
	one := certified{
		input: c.Input.SHA256, certified: c.Status == certificate.Certified, correct: c.Status == certificate.Certified && c.Correct != nil && *c.Correct,
		samples: c.Statistics.N, seconds: float64(c.Run.Seconds),
	}
	if c.Status == certificate.Certified {
		one.size = size{l2: float64(c.Radii.L2), alm: float64(c.ALM)}
		if c.Noise.SigmaField == nil && len(c.Regions) == 1 { // a ball: R itself, where the stored ALM is rounded down
			one.size.alm, one.size.section = float64(c.Regions[0].R), float64(c.Regions[0].R)
		} else {
			var err error
			if one.size.section, err = known.radius(c, load); err != nil {
				return err
			}
		}
		a.addCapped(c, &one.size)
	}
	if len(a.certified) > 0 && a.Guarantee != string(c.Guarantee) {
		return fault.Wrongf("the guarantee is %s, and before it %s; compare files of one guarantee each", c.Guarantee, a.Guarantee)
	}
	a.Guarantee = string(c.Guarantee)
	a.certified = append(a.certified, one)
	return a.addNoise(c, load)
}

// addCapped takes the capped ALM of a certificate into a size.
func (a *Arm) addCapped(c *certificate.Certificate, s *size) {
	if c.ALMCapped == nil || c.CappedShare == nil {
		a.boxless++
		return
	}
	s.capped, s.share = float64(*c.ALMCapped), float64(*c.CappedShare)
	if s.share == 0 { // no axis is at its cap: the ALM as it is taken above
		s.capped = s.alm
	}
}

// capped reports whether all regions of the arms have a capped ALM, and an axis at its cap in one.
func capped(arms []*Arm) bool {
	reached := false
	for _, a := range arms {
		if a.boxless > 0 {
			return false
		}
		reached = reached || slices.ContainsFunc(a.certified, func(c certified) bool { return c.size.share > 0 })
	}
	return reached
}

// addNoise takes the scales of a certificate's noise into account.
func (a *Arm) addNoise(c *certificate.Certificate, load certificate.Loader) error {
	if c.Status == certificate.Failed {
		return nil
	}
	noise, err := c.SealedNoise(load)
	if err != nil {
		return err
	}
	a.noises++
	lambda := float64(c.Noise.Lambda)
	field := noise.Noise().Sigma()
	if field == nil {
		a.MeanSigma, a.LargestSigma = a.MeanSigma+lambda, max(a.LargestSigma, lambda)
		return nil
	}
	sum := 0.0
	for _, s := range field {
		sum += float64(s)
		a.LargestSigma = max(a.LargestSigma, lambda*float64(s))
	}
	a.MeanSigma += lambda * sum / float64(len(field))
	return nil
}

// summarise fills in the means.
func (a *Arm) summarise() {
	n := float64(len(a.certified))
	volume, share, regions := 0.0, 0.0, 0
	for _, c := range a.certified {
		if c.certified {
			share, regions = share+c.size.share, regions+1
		}
		if c.correct {
			volume += c.size.capped / n
		}
		a.Samples, a.Seconds = a.Samples+c.samples, a.Seconds+c.seconds
		if c.correct {
			a.Accuracy, a.ACR, a.MeanALM = a.Accuracy+1/n, a.ACR+c.size.l2/n, a.MeanALM+c.size.alm/n
		}
	}
	if share /= float64(max(regions, 1)); a.boxless == 0 && regions > 0 {
		a.MeanALMCapped, a.CappedShare = &volume, &share
	}
}

// inputs lists the digests.
func (a *Arm) inputs() []string {
	out := make([]string, len(a.certified))
	for i, c := range a.certified {
		out[i] = c.input
	}
	return out
}

// series is a curve of the arm for a plot.
func (a *Arm) series(m measure) report.Series { return report.Series{Name: a.Name, Rows: a.rows(m)} }
