package diagnose

import (
	"fmt"

	"ucan/npg"
)

// judge compares the figures with the thresholds, the gravest faults first.
func judge(r Report, o Options) []Warning {
	var out []Warning
	warn := func(found bool, w Warning) {
		if found {
			out = append(out, w)
		}
	}
	t, pinned := o.Thresholds, r.Guarantee != string(npg.Deployed)
	if l := r.Leak; l.found(t) {
		out = append(out, leakWarning(l, t))
	}
	if a := r.Abstention; a != nil {
		warn(a.Share >= t.Abstention, Warning{
			Kind: Abstains, Figure: a.Share, Threshold: t.Abstention,
			Text: fmt.Sprintf("the smoothed classifier abstains on %d of %d inputs at n = %d", a.Abstained, a.Inputs, a.N),
			Knob: "less noise (--sigma, --ceiling, --volume-weight), or a base classifier trained under this noise (--joint)",
		})
	}
	s := r.Sigma
	warn(s.AtFloor >= t.AtFloor, Warning{
		Kind: ZeroRadius, Figure: s.AtFloor, Threshold: t.AtFloor,
		Text: fmt.Sprintf("%.1f %% of the coordinates of σ are at the floor %.3g, which sets the ℓ2 radius", 100*s.AtFloor, s.Floor),
		Knob: "a higher --floor, or a volume term that looks at the least σ (--volume min) or weighs more (--volume-weight)",
	})
	warn(s.AtFloor < t.AtFloor && s.VolumeGain >= t.VolumeGain, Warning{
		Kind: ZeroRadius, Figure: s.VolumeGain, Threshold: t.VolumeGain,
		Text: fmt.Sprintf("the least σ is %.3g times below the geometric mean: the ℓ2 radius is nothing beside the ALM", s.VolumeGain),
		Knob: "a higher --floor, or a volume term that looks at the least σ (--volume min)",
	})
	warn(s.AtCeiling >= t.AtCeiling, Warning{
		Kind: SigmaCapped, Figure: s.AtCeiling, Threshold: t.AtCeiling,
		Text: fmt.Sprintf("%.1f %% of the coordinates of σ are at the ceiling %.3g: the ceiling made this field, not training", 100*s.AtCeiling, s.Ceiling),
		Knob: "a higher --ceiling, or a lighter volume term (--volume-weight, --reg)",
	})
	warn(s.SpreadCoordinates < t.CollapseCoordinates, Warning{
		Kind: CollapseCoordinates, Figure: s.SpreadCoordinates, Threshold: t.CollapseCoordinates,
		Text: fmt.Sprintf("σ has a relative spread of %.2g over the coordinates: the region is a ball, as with isotropic noise", s.SpreadCoordinates),
		Knob: "a higher --ceiling, a lighter --volume-weight, --volume logmean, or plain --sigma and no generator",
	})
	warn(pinned && r.Inputs > 1 && s.SpreadInputs < t.CollapseInputs, Warning{
		Kind: CollapseInputs, Figure: s.SpreadInputs, Threshold: t.CollapseInputs,
		Text: fmt.Sprintf("σ has a relative spread of %.2g over the inputs: all of them get the same field", s.SpreadInputs),
		Knob: "--kind dataset, whose constant field keeps the guarantee \"deployed\"",
	})
	m := r.Mu
	warn(pinned && m.OfCap >= t.OffsetOfCap, Warning{
		Kind: OffsetCapped, Figure: m.OfCap, Threshold: t.OffsetOfCap,
		Text: fmt.Sprintf("‖μ‖ = %.3g is %.0f %% of the largest that the generator can make", m.Norm, 100*m.OfCap),
		Knob: "a smaller --mu-scale, or --fixed-mean",
	})
	warn(pinned && m.Varying >= t.OffsetVarying, Warning{
		Kind: OffsetLarge, Figure: m.Varying, Threshold: t.OffsetVarying,
		Text: fmt.Sprintf("what differs in μ from input to input is %.2g times the size of the inputs", m.Varying),
		Knob: "a smaller --mu-scale, or --fixed-mean",
	})
	return out
}

func leakWarning(l *Leak, t Thresholds) Warning {
	through, knob := "μ", "--fixed-mean, which keeps μ at 0, or a smaller --mu-scale"
	if l.ThroughMu != nil && l.ThroughSigma != nil && *l.ThroughSigma > l.Chance+t.Leak {
		knob = "--kind dataset: here Σ carries the label, and --fixed-mean alone would not help"
		through = "Σ"
		if *l.ThroughMu > l.Chance+t.Leak {
			through = "μ and Σ"
		}
	}
	return Warning{
		Kind: Leaks, Figure: l.Accuracy, Threshold: l.Chance + t.Leak,
		Text: fmt.Sprintf("with the image swapped for one of another class and its noise kept, the base classifier still names the label of %.1f %% (chance: at most %.1f %%): it reads the label from %s",
			100*l.Accuracy, 100*l.Chance, through),
		Knob: knob,
	}
}
