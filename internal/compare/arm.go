package compare

import (
	"context"
	"fmt"

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
	// Samples and Seconds were spent.
	Samples int64   `json:"samples"`
	Seconds float64 `json:"seconds"`

	certified []certified
	noises    int // certificates that MeanSigma sums over
}

// certified is what a comparison needs of one certificate.
type certified struct {
	input   string // digest
	correct bool   // certified, of the right class
	size    size
	samples int64
	seconds float64
}

// size is how large one certified region is: the radius of its ℓ2 ball, its ALM radius, and the ALM
// radius of its section through the inputs that vary; 0 without a region.
type size struct{ l2, alm, section float64 }

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
		input: c.Input.SHA256, correct: c.Status == certificate.Certified && c.Correct != nil && *c.Correct,
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
	}
	if len(a.certified) > 0 && a.Guarantee != string(c.Guarantee) {
		return fault.Wrongf("the guarantee is %s, and before it %s; compare files of one guarantee each", c.Guarantee, a.Guarantee)
	}
	a.Guarantee = string(c.Guarantee)
	a.certified = append(a.certified, one)
	return a.addNoise(c, load)
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
	for _, c := range a.certified {
		a.Samples, a.Seconds = a.Samples+c.samples, a.Seconds+c.seconds
		if c.correct {
			a.Accuracy, a.ACR, a.MeanALM = a.Accuracy+1/n, a.ACR+c.size.l2/n, a.MeanALM+c.size.alm/n
		}
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
