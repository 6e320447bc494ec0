package diagnose

import (
	"fmt"

	"ucan/npg"
)

// judge compares the figures with the thresholds, the gravest faults first.
func judge(r Report, o Options) []Diagnosis {
	t := o.Thresholds
	var out []Diagnosis
	add := func(d Diagnosis) {
		if !d.Found {
			d.Knob = ""
		}
		out = append(out, d)
	}
	if r.Leak != nil {
		add(judgeLeak(r.Leak, t))
	}
	if a := r.Abstention; a != nil {
		add(Diagnosis{
			Name: Abstains, Found: a.Share >= t.Abstention, Value: a.Share, Threshold: t.Abstention,
			Text: fmt.Sprintf("the smoothed classifier abstains on %d of %d inputs at n = %d", a.Abstained, a.Inputs, a.N),
			Knob: "less noise (--sigma, --ceiling, --volume-weight), or a base classifier trained under this noise (--joint)",
		})
	}
	add(judgeFloor(r.Sigma, t))
	if s := r.Sigma; s.Ceiling > 0 {
		add(Diagnosis{
			Name: SigmaCap, Found: s.AtCeiling >= t.AtCeiling, Value: s.AtCeiling, Threshold: t.AtCeiling,
			Text: fmt.Sprintf("%.1f %% of the coordinates of σ are at the ceiling %.3g", 100*s.AtCeiling, s.Ceiling),
			Knob: "a higher --ceiling, or a lighter volume term (--volume-weight, --reg): now the ceiling makes the field, not training",
		})
	}
	add(Diagnosis{
		Name: Collapse, Found: r.Sigma.SpreadCoordinates < t.Collapse, Value: r.Sigma.SpreadCoordinates, Threshold: t.Collapse,
		Text: fmt.Sprintf("σ has a relative spread of %.2g over the coordinates; below %.2g the region is a ball, as with isotropic noise", r.Sigma.SpreadCoordinates, t.Collapse),
		Knob: "a higher --ceiling, a lighter --volume-weight, --volume logmean, or plain --sigma and no generator",
	})
	if r.Guarantee == string(npg.Deployed) {
		return out // a constant field cannot tell inputs apart, whatever its size
	}
	if r.Inputs > 1 {
		add(Diagnosis{
			Name: CollapseInputs, Found: r.Sigma.SpreadInputs < t.CollapseInputs, Value: r.Sigma.SpreadInputs, Threshold: t.CollapseInputs,
			Text: fmt.Sprintf("σ has a relative spread of %.2g over the inputs; below %.2g all of them get one field", r.Sigma.SpreadInputs, t.CollapseInputs),
			Knob: "--kind dataset, whose constant field keeps the guarantee \"deployed\"",
		})
		add(Diagnosis{
			Name: MuLarge, Found: r.Mu.Varying >= t.MuLarge, Value: r.Mu.Varying, Threshold: t.MuLarge,
			Text: fmt.Sprintf("what differs in μ from input to input is %.2g times the size of the inputs", r.Mu.Varying),
			Knob: "a smaller --mu-scale, or --fixed-mean",
		})
	}
	if r.Mu.Cap > 0 {
		add(Diagnosis{
			Name: MuCap, Found: r.Mu.OfCap >= t.MuCap, Value: r.Mu.OfCap, Threshold: t.MuCap,
			Text: fmt.Sprintf("‖μ‖ = %.3g is %.0f %% of the largest that the generator can make", r.Mu.Norm, 100*r.Mu.OfCap),
			Knob: "a smaller --mu-scale, or --fixed-mean",
		})
	}
	return out
}

// judgeFloor tells the two ways apart in which the ℓ2 radius is lost.
func judgeFloor(s Scale, t Thresholds) Diagnosis {
	if s.AtFloor >= t.AtFloor || s.Floor > 0 && s.VolumeGain < t.VolumeGain {
		return Diagnosis{
			Name: ZeroRadius, Found: s.AtFloor >= t.AtFloor, Value: s.AtFloor, Threshold: t.AtFloor,
			Text: fmt.Sprintf("%.1f %% of the coordinates of σ are at the floor %.3g, below which the ℓ2 radius cannot fall", 100*s.AtFloor, s.Floor),
			Knob: "a higher --floor, or a volume term that looks at the least σ (--volume min) or weighs more (--volume-weight)",
		}
	}
	return Diagnosis{
		Name: ZeroRadius, Found: s.VolumeGain >= t.VolumeGain, Value: s.VolumeGain, Threshold: t.VolumeGain,
		Text: fmt.Sprintf("the least σ of an input is %.3g times below its geometric mean, and the ℓ2 radius as far below the ALM", s.VolumeGain),
		Knob: "a higher --floor, or a volume term that looks at the least σ (--volume min)",
	}
}

func judgeLeak(l *Leak, t Thresholds) Diagnosis {
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
