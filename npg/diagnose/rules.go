package diagnose

import (
	"fmt"
	"ucan/smooth"
)

// rule is one row of the table of diagnoses: a figure beside its threshold.
type rule struct {
	applies          bool // the figure was measured, and means something for this generator
	name             string
	found            bool
	value, threshold float64
	text, knob       string
}

// diagnoses compares the figures with the thresholds, the gravest faults first.
func diagnoses(r Report, o Options) []Diagnosis {
	var out []Diagnosis
	if r.Leak != nil {
		out = append(out, leakDiagnosis(r.Leak, o.Thresholds))
	}
	for _, row := range rules(r, o.Thresholds) {
		if row.applies {
			out = append(out, Diagnosis{Name: row.name, Found: row.found, Value: row.value, Threshold: row.threshold, Text: row.text, Knob: row.knob})
		}
	}
	for i := range out {
		if !out[i].Found {
			out[i].Knob = ""
		}
	}
	return out
}

// rules is the table of all diagnoses but the leak. A constant field cannot tell inputs apart,
// whatever its size, so what compares inputs, and the size of the offset, concern generators that
// read them.
func rules(r Report, t Thresholds) []rule {
	s, mu := r.Sigma, r.Mu
	var votes Abstention
	if r.Abstention != nil {
		votes = *r.Abstention
	}
	pinned := r.Guarantee != string(smooth.Deployed)
	return []rule{
		{
			r.Abstention != nil, Abstains, votes.Share >= t.Abstention, votes.Share, t.Abstention,
			fmt.Sprintf("the smoothed classifier abstains on %d of %d inputs at n = %d", votes.Abstained, votes.Inputs, votes.N),
			"less noise (--sigma, --ceiling, --volume-weight), or a base classifier trained under this noise (--joint)",
		},
		floorRule(s, t),
		{
			s.Ceiling > 0, SigmaCap, s.AtCeiling >= t.AtCeiling, s.AtCeiling, t.AtCeiling,
			fmt.Sprintf("%.1f %% of the coordinates of σ are at the ceiling %.3g", 100*s.AtCeiling, s.Ceiling),
			"a higher --ceiling, or a lighter volume term (--volume-weight, --reg): now the ceiling makes the field, not training",
		},
		{
			true, Collapse, s.SpreadCoordinates < t.Collapse, s.SpreadCoordinates, t.Collapse,
			fmt.Sprintf("σ has a relative spread of %.2g over the coordinates; below %.2g the region is a ball, as with isotropic noise", s.SpreadCoordinates, t.Collapse),
			"a higher --ceiling, a lighter --volume-weight, --volume logmean, or plain --sigma and no generator",
		},
		{
			pinned && r.Inputs > 1, CollapseInputs, s.SpreadInputs < t.CollapseInputs, s.SpreadInputs, t.CollapseInputs,
			fmt.Sprintf("σ has a relative spread of %.2g over the inputs; below %.2g all of them get one field", s.SpreadInputs, t.CollapseInputs),
			"--kind dataset, whose constant field keeps the guarantee \"deployed\"",
		},
		{
			pinned && r.Inputs > 1, MuLarge, mu.Varying >= t.MuLarge, mu.Varying, t.MuLarge,
			fmt.Sprintf("what differs in μ from input to input is %.2g times the size of the inputs", mu.Varying),
			"a smaller --mu-scale, or --fixed-mean",
		},
		{
			pinned && mu.Cap > 0, MuCap, mu.OfCap >= t.MuCap, mu.OfCap, t.MuCap,
			fmt.Sprintf("‖μ‖ = %.3g is %.0f %% of the largest that the generator can make", mu.Norm, 100*mu.OfCap),
			"a smaller --mu-scale, or --fixed-mean",
		},
	}
}

// floorRule tells the two ways apart in which the ℓ2 radius is lost.
func floorRule(s Scale, t Thresholds) rule {
	if s.AtFloor >= t.AtFloor || s.Floor > 0 && s.VolumeGain < t.VolumeGain {
		return rule{
			true, ZeroRadius, s.AtFloor >= t.AtFloor, s.AtFloor, t.AtFloor,
			fmt.Sprintf("%.1f %% of the coordinates of σ are at the floor %.3g, below which the ℓ2 radius cannot fall", 100*s.AtFloor, s.Floor),
			"a higher --floor, or a volume term that looks at the least σ (--volume min) or weighs more (--volume-weight)",
		}
	}
	return rule{
		true, ZeroRadius, s.VolumeGain >= t.VolumeGain, s.VolumeGain, t.VolumeGain,
		fmt.Sprintf("the least σ of an input is %.3g times below its geometric mean, and the ℓ2 radius as far below the ALM", s.VolumeGain),
		"a higher --floor, or a volume term that looks at the least σ (--volume min)",
	}
}

func leakDiagnosis(l *Leak, t Thresholds) Diagnosis {
	d := Diagnosis{
		Name: Leaks, Found: l.read(t), Value: l.Accuracy, Threshold: l.Chance + t.Leak,
		Text: fmt.Sprintf("with the image swapped and its noise kept, the base classifier names the label of %.1f %% [%.1f, %.1f], where at most %.1f %% is chance",
			100*l.Accuracy, 100*l.Low, 100*l.High, 100*l.Chance),
		Knob: "--fixed-mean, which keeps μ at 0, or a smaller --mu-scale",
	}
	if r := l.Reader; r != nil {
		d.Text += fmt.Sprintf("; a linear one trained on such copies, of %.1f %% [%.1f, %.1f]", 100*r.Accuracy, 100*r.Low, 100*r.High)
	}
	if !d.Found && l.readable(t) {
		d.Found, d.Value, d.Threshold = true, l.Reader.Accuracy, l.Reader.Chance+t.Leak
		d.Text += ": this base classifier does not read it, one trained with the generator would"
	}
	if l.ThroughMu == nil || l.ThroughSigma == nil {
		return d
	}
	mu, sigma := *l.ThroughMu > l.Chance+t.Leak, *l.ThroughSigma > l.Chance+t.Leak
	switch {
	case sigma && mu:
		d.Text += "; it reads it from μ and from Σ"
		d.Knob = "--kind dataset: both fields carry the label, and --fixed-mean alone does not help"
	case sigma:
		d.Text += "; it reads it from Σ"
		d.Knob = "--kind dataset: Σ carries the label, and --fixed-mean does not help"
	default:
		d.Text += "; it reads it from μ"
	}
	return d
}
