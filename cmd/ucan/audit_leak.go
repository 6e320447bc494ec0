package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/attack"
	"ucan/internal/certify"
	"ucan/internal/report"
	"ucan/internal/table"
	"ucan/npg/bundle"
	"ucan/npg/diagnose"
	"ucan/smooth"
	"ucan/smooth/stream"
)

// leakOptions are those of audit leak: npg check's, with the generator as a flag.
type leakOptions struct {
	npgCheckOptions
	plot string
}

func (l *leakOptions) declare(o *options) {
	l.model.declare(o)
	l.data.declare(o)
	o.drop(&l.data.force)
	n := &l.noise
	n.declare(o)
	o.drop(&n.arithmetic, &n.SigmaField, &n.MuField)
	l.seed.declare(o)
	declarePicture(o, &l.plot)
	l.session.declare(o)
}

// declarePicture declares where an audit draws its worst case.
func declarePicture(o *options, into *string) {
	o.in(outputSection)
	o.text(into, "audit.plot", "plot", "", "draw the worst case into this .png or .svg file: the input, the perturbed one and their difference").output()
}

func (l *leakOptions) check(f *faults) {
	if l.noise.NPG == "" {
		f.add(&l.noise.NPG, "no generator given; name the one to audit")
		return
	}
	if joint, ok := bundle.ClassifierFile(l.noise.NPG); ok && l.model.file == "" {
		l.model.file = joint // the model that was trained along with the generator
	}
	l.model.check(f)
	l.data.check(f)
	l.noise.check(f)
	l.seed.check(f)
	l.session.check(f)
	checkPlot(f, &l.plot)
	if l.session.batch == 0 {
		l.session.batch = checkedBatch
	}
}

func newAuditLeakCommand(a *app) *cobra.Command {
	o := &leakOptions{}
	cmd := &cobra.Command{
		Use:   "leak",
		Short: "Measure how well the label can be read from the noise parameters alone",
		Long: `Leak keeps the noise parameters (μ, σ) of an input and swaps its image for one of another class. The share of noisy copies that
still get the input's label says what the classifier at hand reads from the parameters; a linear one, trained on such copies of
other inputs, says what one could read. Both are compared with the most that chance allows (docs/generators.md): the figures
are those of "ucan npg check".

Where the label is read beyond chance, certificates with this noise are worth nothing as evidence about the image: exit 4. Noise
that is the same for every input cannot leak. 300 inputs are taken, evenly spread, unless --max or --stride is given.`,
		Example: `  ucan audit leak --model model.onnx --npg bundle --data mnist:mnist --skip 8000
  ucan audit leak --model model.onnx --npg mu.onnx,sigma.onnx --data cifar10:test_batch.bin --format json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runAuditLeak(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

// leakRecord is what audit leak prints as JSON. Rate is the share of samples that get the label of
// the input whose noise was kept, Violations the number of readers (the classifier and the linear
// one) that read beyond chance.
type leakRecord struct {
	auditHead
	Generator  string          `json:"generator"`
	Guarantee  string          `json:"guarantee"`
	Inputs     int             `json:"inputs"`
	Violations int             `json:"violations"`
	Rate       float64         `json:"rate"`
	Interval   attack.Interval `json:"interval"`
	Chance     float64         `json:"chance"`
	Violated   bool            `json:"violated"`
	Leak       *diagnose.Leak  `json:"leak"`
	// Found names all diagnoses of the generator that apply, collapse among them.
	Found []string `json:"found"`
	Notes []string `json:"notes"`
}

func runAuditLeak(ctx context.Context, a *app, o *leakOptions) error {
	if err := refuseExisting(plots(o.plot)); err != nil {
		return err
	}
	c := npgCheck{npgCheckOptions: &o.npgCheckOptions, a: a, spec: o.noise.NPG, options: diagnose.DefaultOptions()}
	c.options.Seed = o.seed.fix()
	w, err := a.openSetup(ctx, &o.model, &o.session, &o.data, nil)
	if err != nil {
		return err
	}
	w.Indices = o.spread(a, w.Indices, checkedSpecimens)
	r, err := c.run(ctx, w)
	if err != nil && !errors.Is(err, certify.ErrSomeFailed) {
		return fmt.Errorf("audit leak of %q: %w", generatorName(c.spec), err)
	}
	record := leakRecord{
		auditHead: auditHead{"leak", w.Model.Name(), w.Info.Name, c.options.Seed}, Generator: generatorName(c.spec), Guarantee: r.Guarantee,
		Inputs: r.Inputs, Interval: attack.Interval{0, 1}, Leak: r.Leak, Found: foundNames(r.Found()), Notes: append([]string{}, r.Notes...),
	}
	if r.Guarantee == string(smooth.Deployed) {
		record.Interval = attack.Interval{0, 0} // there is nothing to read
	}
	if l := r.Leak; l != nil {
		record.Inputs, record.Rate, record.Interval, record.Chance = l.Inputs, l.Accuracy, attack.Interval{l.Low, l.High}, l.Chance
		if l.Low > l.Chance+c.options.Thresholds.Leak {
			record.Violations++
		}
		if l.Reader != nil && l.Reader.Low > l.Reader.Chance+c.options.Thresholds.Leak {
			record.Violations++
		}
		record.Violated = record.Violations > 0
	}
	if o.plot != "" && r.Leak != nil {
		if drawErr := c.drawLeak(ctx, w, o.plot); drawErr != nil {
			return drawErr
		}
	}
	if printErr := record.present(a); printErr != nil {
		return printErr
	}
	if record.Violated {
		return checkf("audit leak of %q: the label is read from the noise parameters; certificates with this noise say nothing of the image", record.Generator)
	}
	return err
}

func (r leakRecord) present(a *app) error {
	if a.json() {
		return writeJSON(a.stdout, r)
	}
	out := a.stdout
	fmt.Fprintf(out, "generator  %s, guarantee %s\n", r.Generator, guaranteeText(r.Guarantee))
	fmt.Fprintf(out, "inputs     %d of %s, classified by %s, seed %d\n\n", r.Inputs, r.Data, r.Model, r.Seed)
	t := table.New("who reads the label", ">accuracy", ">interval", ">chance")
	row := func(who string, accuracy, low, high, chance float64) {
		t.Row(who, fmt.Sprintf("%.3f", accuracy), fmt.Sprintf("%.3f to %.3f", low, high), fmt.Sprintf("%.3f", chance))
	}
	if l := r.Leak; l != nil {
		row("the classifier, image swapped", l.Accuracy, l.Low, l.High, l.Chance)
		if l.Reader != nil {
			row("a linear one, trained on others", l.Reader.Accuracy, l.Reader.Low, l.Reader.High, l.Reader.Chance)
		}
		for _, part := range []struct {
			name string
			v    *float64
		}{{"the classifier, from μ alone", l.ThroughMu}, {"the classifier, from σ alone", l.ThroughSigma}} {
			if part.v != nil {
				t.Row(part.name, fmt.Sprintf("%.3f", *part.v), "", fmt.Sprintf("%.3f", l.Chance))
			}
		}
		if _, err := t.WriteTo(out); err != nil {
			return err
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintln(out, note)
	}
	if len(r.Found) > 0 {
		fmt.Fprintf(out, "found      %s (\"ucan npg check\" says what to turn)\n", strings.Join(r.Found, ", "))
	}
	verdict := "no leak beyond chance"
	if r.Violated {
		verdict = "VIOLATED: the label is read from the noise"
	}
	_, err := fmt.Fprintf(out, "verdict    %s\n", verdict)
	return err
}

// What the picture of a leak is chosen from.
const (
	leakPairs = 16
	leakDraws = 64
	leakFrom  = 6 << 40 // apart from what diagnoses draw
)

// drawLeak draws, of a few swapped images, the one that most often gets the label of the input
// whose noise it has, beside itself with that input's offset.
func (c npgCheck) drawLeak(ctx context.Context, w *certify.Setup, path string) error {
	inputs, err := c.gather(ctx, w)
	if err != nil && !errors.Is(err, certify.ErrSomeFailed) {
		return err
	}
	maker, err := w.NoiseSource(ctx, c.noise.Noise)
	if err != nil {
		return err
	}
	c.a.onClose(maker.Close)
	smoother, err := w.Smoother(c.options.Seed)
	if err != nil {
		return err
	}
	best, picture := int64(-1), attack.Picture{Title: "audit leak: " + generatorName(c.spec), Shape: w.Info.Shape}
	for i := range min(leakPairs, len(inputs)) {
		own := inputs[i]
		k := slices.IndexFunc(inputs, func(other diagnose.Input) bool { return own.Label >= 0 && other.Label >= 0 && other.Label != own.Label })
		if k < 0 {
			continue
		}
		noise, err := maker.Seal(ctx, own.X)
		if err != nil {
			return err
		}
		image := inputs[k]
		counts, err := smoother.Sample(ctx, image.X, own.ID, noise, stream.Audit, leakFrom, leakFrom+leakDraws)
		if err != nil {
			return err
		}
		if votes := counts.Votes(own.Label); votes > best {
			best = votes
			picture.X, picture.Y = image.X, slices.Clone(image.X)
			noise.Noise().AddMu(picture.Y)
			picture.Lines = []string{fmt.Sprintf("image of class %d", image.Label), fmt.Sprintf("noise of class %d:", own.Label), fmt.Sprintf("%d of %d copies", votes, leakDraws), fmt.Sprintf("say %d", own.Label)}
		}
	}
	if best < 0 {
		return nil // no two labels
	}
	picture.Note = fmt.Sprintf("an image with another input's offset μ; the worst of %d; seed %d", min(leakPairs, len(inputs)), c.options.Seed)
	return report.Save(path, picture.Write)
}
