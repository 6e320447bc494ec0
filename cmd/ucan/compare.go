package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/compare"
	"ucan/internal/dataset"
	"ucan/internal/report"
	"ucan/internal/table"
)

// compareOptions are those of compare.
type compareOptions struct {
	compare.Options
	isotropic []string
	training  string
	most      int // of the training data
	plots     string
}

func (c *compareOptions) declare(o *options) {
	o.in(outputSection)
	declareRadii(o, &c.Radii)
	o.in(statisticsSection)
	o.words(&c.isotropic, "compare.isotropic", "isotropic", nil, "files under isotropic noise, whose best at each radius is what the others are compared with")
	o.on(&c.Common, "compare.common", "common", "compare on the inputs that all files hold, instead of refusing files with other inputs")
	o.float(&c.Least, "compare.least", "least", 0.1, "give ratios only where the file that is compared with certifies this fraction of the inputs")
	o.in(dataSection)
	o.text(&c.training, "compare.training", "training", "", "training data: a third table leaves out the inputs that never vary there").offers(sourceNames).orFiles()
	o.count(&c.most, "compare.training_max", "training-max", 0, 0, math.MaxInt32, "look at the first N of the training data (0: all)")
	o.in(outputSection)
	o.text(&c.plots, "compare.plots", "plots", "", "draw the curves into PREFIX-l2.png and PREFIX-alm.png, of this PREFIX").output()
}

func (c *compareOptions) check(f *faults) {
	c.Confidence = 0.95
	if !(c.Least >= 0 && c.Least <= 1) {
		f.add(&c.Least, "%v is out of range: give a fraction between 0 and 1", c.Least)
	}
	if len(c.Radii) > 0 && slices.Min(c.Radii) < 0 {
		f.add(&c.Radii, "%v is out of range: give 0 or more", slices.Min(c.Radii))
	}
	if len(f.args)+len(c.isotropic) == 0 {
		f.add(&c.isotropic, "no files given; name two files of certificates or more")
	}
}

func newCompareCommand(a *app) *cobra.Command {
	o := &compareOptions{}
	cmd := &cobra.Command{
		Use:   "compare [NAME=]FILE.jsonl...",
		Short: "Set files of certificates beside each other, on the same inputs",
		Long: `Compare gives the certified accuracy of each file at each radius, and by how much each file differs from the first:
the difference and the ratio, with intervals that use that the inputs are the same. Radii are those of the largest ℓ2 ball
inside a region, and ALM radii, (∏σ)^(1/d)·R, which measure volume.

With --isotropic, files under isotropic noise form an envelope, at each radius the best of them, and the others are compared
with that. With --training, a third table measures regions over the inputs that vary in those data alone.

Every interval holds for its radius alone, and the envelope, chosen by the same inputs, is favoured by that. Certificates are believed: run "ucan verify" on the files first.`,
		Example: `  ucan compare before=a.jsonl after=b.jsonl --radii 0,0.25,0.5
  ucan compare --isotropic s025.jsonl,s050.jsonl field=field.jsonl --plots field`,
		RunE: func(cmd *cobra.Command, args []string) error { return runCompare(cmd.Context(), a, o, args) },
	}
	a.bind(cmd, o)
	return cmd
}

func runCompare(ctx context.Context, a *app, o *compareOptions, args []string) error {
	if o.training != "" {
		source, err := a.openSource(ctx, o.training, dataset.Options{})
		if err != nil {
			return err
		}
		if o.Varies, err = compare.Varying(ctx, source, o.most); err != nil {
			return err
		}
	}
	arms, err := readArms(ctx, o.isotropic, args, o.Varies)
	if err != nil {
		return err
	}
	c, err := compare.Compare(arms, o.Options)
	if err != nil {
		return err
	}
	if o.plots != "" {
		paths, plotErr := compare.Plot(o.plots, arms)
		if plotErr != nil {
			return plotErr
		}
		a.note("plots: %s", strings.Join(paths, ", "))
	}
	if a.json() {
		return writeJSON(a.stdout, c)
	}
	return printComparison(a.stdout, c)
}

// readArms reads the files under isotropic noise, and those that the arguments name.
func readArms(ctx context.Context, isotropic, args []string, varies []bool) ([]*compare.Arm, error) {
	var arms []*compare.Arm
	for _, path := range isotropic {
		arm, err := compare.Read(ctx, "", path, varies)
		if err != nil {
			return nil, err
		}
		arm.Name, arm.Isotropic = fmt.Sprintf("isotropic %.3g", arm.MeanSigma), true
		arms = append(arms, arm)
	}
	for _, text := range args {
		name, path := strings.TrimSuffix(filepath.Base(text), ".jsonl"), text
		if at := strings.LastIndex(text, "="); at >= 0 { // a name may say "μ = 0"
			name, path = text[:at], text[at+1:]
		}
		arm, err := compare.Read(ctx, name, path, varies)
		if err != nil {
			return nil, err
		}
		arms = append(arms, arm)
	}
	return arms, nil
}

func printComparison(w io.Writer, c compare.Comparison) error {
	fmt.Fprintf(w, "%d inputs; intervals of %g %%, each for its radius alone\n\n", c.Inputs, 100*c.Confidence)
	t := table.New("file", "guarantee", ">mean σ", ">largest σ", ">accuracy", ">ACR (ℓ2)", ">mean ALM", ">mean capped ALM", ">axes at the cap", ">samples", ">seconds")
	for _, a := range c.Arms {
		t.Row(a.Name, a.Guarantee, fmt.Sprintf("%.3f", a.MeanSigma), fmt.Sprintf("%.3f", a.LargestSigma), fmt.Sprintf("%.1f %%", 100*a.Accuracy),
			fmt.Sprintf("%.3f", a.ACR), fmt.Sprintf("%.3f", a.MeanALM), known(a.MeanALMCapped, 1, "%.3f"), known(a.CappedShare, 100, "%.1f %%"), a.Samples, fmt.Sprintf("%.0f", a.Seconds))
	}
	if _, err := t.WriteTo(w); err != nil {
		return err
	}
	for _, m := range c.Measures {
		if err := printMeasure(w, c, m); err != nil {
			return err
		}
	}
	return nil
}

// known writes a figure, times a factor, or a dash where there is none.
func known(v *float64, factor float64, format string) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf(format, factor**v)
}

func printMeasure(w io.Writer, c compare.Comparison, m compare.Measure) error {
	fmt.Fprintf(w, "\ncertified accuracy in %% at the %s\n\n", m.Text)
	columns := []string{">radius"}
	for _, curve := range m.Curves {
		columns = append(columns, ">"+curve.Name)
	}
	if m.Envelope != nil {
		columns = append(columns, ">envelope")
	}
	t := table.New(columns...)
	for j, p := range m.Curves[0].Points {
		row := []any{fmt.Sprintf("%g", p.Radius)}
		for _, curve := range m.Curves {
			row = append(row, accuracyText(curve.Points[j]))
		}
		if m.Envelope != nil {
			row = append(row, accuracyText(m.Envelope[j]))
		}
		t.Row(row...)
	}
	if _, err := t.WriteTo(w); err != nil {
		return err
	}
	if len(m.Pairs) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t = table.New("file", "against", ">radius", ">difference in points", ">ratio")
	for _, p := range m.Pairs {
		ratio := "–"
		if p.Ratio != nil {
			ratio = fmt.Sprintf("%.2f (%.2f to %.2f)", float64(p.Ratio.Value), float64(p.Ratio.Low), float64(p.Ratio.High))
		}
		i := p.DifferenceInterval
		t.Row(p.Name, p.Against, fmt.Sprintf("%g", p.Radius), fmt.Sprintf("%+.1f (%+.1f to %+.1f)", 100*p.Difference, 100*i.Low, 100*i.High), ratio)
	}
	if _, err := t.WriteTo(w); err != nil {
		return err
	}
	for _, a := range c.Arms {
		highest, lowest := m.Extremes(a.Name)
		if highest != nil {
			fmt.Fprintf(w, "%s: at best %.2f times %s (at %g), at worst %+.1f points from %s (at %g)\n",
				a.Name, float64(highest.Ratio.Value), highest.Against, highest.Radius, 100*lowest.Difference, lowest.Against, lowest.Radius)
		}
	}
	return nil
}

func accuracyText(p report.Point) string {
	return fmt.Sprintf("%.1f (%.1f to %.1f)", 100*p.CertifiedAccuracy, 100*p.Interval.Low, 100*p.Interval.High)
}
