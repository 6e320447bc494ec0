package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"ucan/internal/attack"
	"ucan/internal/certify"
	"ucan/internal/dataset"
	"ucan/internal/progress"
	"ucan/internal/report"
	"ucan/internal/table"
	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/family"
)

// manipulatedSpecimens is how many inputs are manipulated unless the user says otherwise.
const manipulatedSpecimens = 100

// manipulationOptions are those of audit manipulation.
type manipulationOptions struct {
	searchOptions
	noise      noiseOptions
	n0         int64
	alpha      float64
	budget     float64
	budgetNorm string
	norm       family.Norm
}

func (m *manipulationOptions) declare(o *options) {
	m.searchOptions.declare(o)
	o.drop(&m.certificates)
	o.in(noiseSection)
	n := &m.noise
	n.declare(o)
	o.drop(&n.SigmaField, &n.MuField)
	o.in(statisticsSection)
	o.float(&m.budget, "audit.budget", "budget", 0, "largest size of the perturbation that the generator sees")
	o.text(&m.budgetNorm, "audit.budget_norm", "budget-norm", "l2", "norm of --budget").oneOf(normNames()...)
	o.number(&m.n0, "statistics.n0", "n0", 100, 0, mostSamples, "samples that choose the class")
	declareAlpha(o, &m.alpha)
}

func (m *manipulationOptions) check(f *faults) {
	m.searchOptions.check(f)
	checkAlpha(f, &m.alpha)
	if m.n0 < 1 {
		f.add(&m.n0, "some samples must choose the class; give at least 1")
	}
	if !(m.budget > 0) || math.IsInf(m.budget, 0) {
		f.add(&m.budget, "%v is out of range: give the largest size of the perturbation, a positive, finite number", m.budget)
	}
	var err error
	if m.norm, err = family.ParseNorm(m.budgetNorm); err != nil {
		f.add(&m.budgetNorm, "%w", err)
	}
	if m.noise.NPG == "" {
		f.add(&m.noise.NPG, "no generator given; name the one to audit")
		return
	}
	m.noise.check(f)
}

func newAuditManipulationCommand(a *app) *cobra.Command {
	o := &manipulationOptions{}
	cmd := &cobra.Command{
		Use:   "manipulation",
		Short: "Perturb the input while its noise parameters are made, and certify the clean one with them",
		Long: `Manipulation asks what an attacker gains who touches the input only while the generator reads it: the noise parameters are those
of x + δ with ‖δ‖ ≤ --budget, the certificate is of the clean x under that noise. Three attacks are made on each input, by gradients
through classifier and generator and by random search: for a small radius of the clean class, for a large claimed radius, and
for another class. In images x + δ stays within the range of pixels.

It prints what becomes of the claimed radius (as a share of the clean one) and of the truth: the share of inputs that are certified
with a class that is not the label, before and after. An input that is certified as one class, and with manipulated parameters
as another, counts as a violation, since then the parameters give the answer; more of them than false certificates explain are
exit 4. 100 inputs are taken, evenly spread, unless --max or --stride is given.`,
		Example: `  ucan audit manipulation --model model.onnx --npg bundle --data mnist:mnist --budget 0.5 --n 2000
  ucan audit manipulation --model model.onnx --npg mu.onnx,sigma.onnx --data cifar10:test_batch.bin --budget 0.03 --budget-norm linf`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runAuditManipulation(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

// manipulationRecord is what audit manipulation prints as JSON.
type manipulationRecord struct {
	auditHead
	attack.Effect
	Generator  string               `json:"generator"`
	Guarantee  smooth.Guarantee     `json:"guarantee"`
	Budget     float64              `json:"budget"`
	BudgetNorm string               `json:"budget_norm"`
	Norm       string               `json:"norm"`
	Alpha      float64              `json:"alpha"`
	Level      float64              `json:"level"`
	Confidence float64              `json:"confidence"`
	Samples    int64                `json:"n"`
	Notes      []string             `json:"notes"`
	Results    []attack.Manipulated `json:"results"`
}

func runAuditManipulation(ctx context.Context, a *app, o *manipulationOptions) error {
	if err := refuseExisting(plots(o.plot)); err != nil {
		return err
	}
	o.search.Seed = o.seed.fix()
	s := &search{searchOptions: &o.searchOptions, a: a, name: "manipulation"}
	var err error
	if s.setup, err = a.openSetup(ctx, &o.model, &o.session, &o.data, nil); err != nil {
		return err
	}
	s.setup.Indices = o.data.spread(a, s.setup.Indices, manipulatedSpecimens)
	maker, err := s.setup.NoiseSource(ctx, o.noise.Noise)
	if err != nil {
		return err
	}
	a.onClose(maker.Close)
	if maker.NPG != nil && maker.NPG.Kind == npg.KindPerInput {
		return refusef("audit manipulation: the generator holds fields for the inputs that it was optimised for and none for x + δ")
	}
	if err = a.checkRows(ctx, s.setup, s.setup.Indices, o.search.Seed, maker.SealItem); err != nil {
		return err
	}
	if err = s.arm(ctx); err != nil {
		return err
	}
	m := attack.Manipulation{
		Attacker: s.attacker, Drift: attack.Drift{Generator: maker.Generator},
		Noise:  smooth.Noise{Family: maker.Family, Norm: maker.Norm, Lambda: maker.Lambda, Arithmetic: maker.Arithmetic},
		Budget: o.budget, BudgetNorm: o.norm, N0: o.n0, N: o.search.N, Alpha: o.alpha, Fixed: maker.Guarantee() == smooth.Deployed,
	}
	m.Low, m.High, m.Box = s.setup.Info.Range()
	if m.Derivative, err = s.derivative(ctx, maker); err != nil {
		return err
	}
	return s.manipulate(ctx, o, m, maker)
}

// manipulate manipulates all inputs and presents what came of it.
func (s *search) manipulate(ctx context.Context, o *manipulationOptions, m attack.Manipulation, maker *certify.NoiseSource) error {
	a := s.a
	a.note("manipulation of %d inputs of %s within %g in %s, seed %d", len(s.setup.Indices), s.setup.Info.Name, o.budget, o.norm, o.search.Seed)
	bar := progress.New(a.progressWriter(), a.progressOptions(len(s.setup.Indices), 0))
	defer bar.Close()
	record := manipulationRecord{
		auditHead: auditHead{s.name, s.setup.Model.Name(), s.setup.Info.Name, o.search.Seed}, Generator: generatorName(o.noise.NPG), Guarantee: maker.Guarantee(),
		Budget: o.budget, BudgetNorm: o.norm.String(), Norm: maker.Norm.String(), Alpha: o.alpha, Level: o.search.Level, Confidence: o.search.Confidence,
		Samples: o.search.N, Notes: append([]string{}, s.notes...), Results: []attack.Manipulated{},
	}
	var worst *attack.Manipulated
	var clean []float32
	loop := certify.Loop{Source: s.setup.Inputs(), Indices: s.setup.Indices, MaxFailures: o.data.maxFailures}
	failed := loop.Run(ctx, func(ctx context.Context, item dataset.Item) error {
		got, err := m.Run(ctx, item)
		if err != nil {
			return fmt.Errorf("audit manipulation: input %d: %w", item.Index, err)
		}
		if worst == nil || gain(got) > gain(*worst) {
			kept := got
			worst, clean = &kept, item.X
		}
		got.Y = nil
		record.Results = append(record.Results, got)
		bar.Add(1)
		return nil
	}, func(_ dataset.Item, reason error) error {
		bar.Message("ucan: left out: %v", reason)
		return nil
	})
	if failed != nil && !errors.Is(failed, certify.ErrSomeFailed) {
		return failed
	}
	var err error
	if record.Effect, err = o.search.Effect(record.Results, o.alpha); err != nil {
		return err
	}
	if o.plot != "" && worst != nil {
		picture := attack.Picture{
			Title: fmt.Sprintf("audit manipulation: input %d of %s", worst.Index, s.setup.Info.Name),
			Note:  fmt.Sprintf("what the generator sees, within %g in %s; the largest gain for another class; seed %d", o.budget, o.norm, o.search.Seed),
			Lines: []string{"clean: " + certifiedText(worst.Clean), "manipulated: " + certifiedText(worst.Wrong), fmt.Sprintf("target: class %d", worst.Target)},
			Shape: s.setup.Info.Shape, X: clean, Y: worst.Y,
		}
		if err = report.Save(o.plot, picture.Write); err != nil {
			return err
		}
	}
	if err = record.present(a); err != nil {
		return err
	}
	if record.Violated {
		return checkf("audit manipulation of %q: %d of %d inputs are certified as another class when the generator sees a perturbed input; the noise parameters give the answer", record.Generator, record.Changed, record.Inputs)
	}
	return failed
}

// gain is the radius that another class than the clean one is certified at.
func gain(m attack.Manipulated) float64 {
	if m.Wrong.Class >= 0 && m.Wrong.Class != m.Clean.Class {
		return m.Wrong.Radius
	}
	return -m.Wrong.Radius
}

func certifiedText(c attack.Certified) string {
	if c.Class < 0 {
		return "abstains"
	}
	return fmt.Sprintf("class %d, %.3f", c.Class, c.Radius)
}

func (r manipulationRecord) present(a *app) error {
	if a.json() {
		return writeJSON(a.stdout, r)
	}
	out := a.stdout
	t := table.New(">idx", ">label", ">clean", ">reduced", ">enlarged", ">target", ">for the target")
	worst := slices.Clone(r.Results)
	slices.SortStableFunc(worst, func(x, y attack.Manipulated) int { return cmp.Compare(gain(y), gain(x)) })
	for _, m := range worst[:min(shownAttempts, len(worst))] {
		t.Row(m.Index, m.Label, certifiedText(m.Clean), certifiedText(m.Reduced), certifiedText(m.Enlarged), m.Target, certifiedText(m.Wrong))
	}
	if _, err := t.WriteTo(out); err != nil {
		return err
	}
	if n := len(worst) - shownAttempts; n > 0 {
		fmt.Fprintf(out, "(the %d worst of %d)\n", shownAttempts, len(worst))
	}
	fmt.Fprintf(out, "\ngenerator  %s, guarantee %s\n", r.Generator, guaranteeText(string(r.Guarantee)))
	fmt.Fprintf(out, "inputs     %d of %s, perturbed within %g in %s for the generator alone, seed %d\n", r.Inputs, r.Data, r.Budget, r.BudgetNorm, r.Seed)
	fmt.Fprintf(out, "radius     reduced to %.3f and enlarged to %.3f of the clean one, means over %d certified inputs; at most %.3f times it\n", r.ReducedRatio, r.EnlargedRatio, r.CleanCertified, r.LargestRatio)
	fmt.Fprintf(out, "truth      certified wrongly: %d of %d clean (%g %% interval %.4f to %.4f), %d manipulated (%.4f to %.4f)\n", r.WrongClean, r.Labelled, 100*r.Confidence,
		r.WrongCleanInterval[0], r.WrongCleanInterval[1], r.WrongAfter, r.WrongAfterInterval[0], r.WrongAfterInterval[1])
	fmt.Fprintf(out, "changed    %d certified as another class than clean: %.4f, interval %.4f to %.4f\n", r.Changed, r.Rate, r.Interval[0], r.Interval[1])
	for _, note := range r.Notes {
		fmt.Fprintln(out, note)
	}
	verdict := "no violation"
	if r.Violated {
		verdict = "VIOLATED"
	}
	_, err := fmt.Fprintf(out, "verdict    %s (chance of as many by false certificates: %.2g)\n", verdict, r.PValue)
	return err
}
