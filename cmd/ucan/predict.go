package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ucan/internal/certify"
	"ucan/internal/dataset"
	"ucan/internal/progress"
	"ucan/internal/report"
	"ucan/internal/results"
	"ucan/models"
	"ucan/models/declare"
	"ucan/smooth"
)

// predictOptions are those of predict.
type predictOptions struct {
	runOptions
	pin     string // a file of certificates whose noise is used
	pinData string // what was certified there
}

func (p *predictOptions) declare(o *options) {
	p.runOptions.declare(o)
	o.drop(&p.output.measures)
	p.statistics.declareSamples(o, 1000, 0, 0) // a quick answer; unclear inputs abstain
	o.in(noiseSection)
	o.text(&p.pin, "predict.pin", "pin", "", "answer with exactly the noise that the certificates of this file store, input by input")
	o.text(&p.pinData, "predict.pin_data", "pin-data", "", "with --pin, the data that were certified, to say whether those of --data lie inside the regions")
}

func (p *predictOptions) check(f *faults) {
	p.runOptions.check(f)
	checkAlpha(f, &p.statistics.Alpha)
	if p.pin != "" {
		p.checkPin(f)
		return
	}
	p.output.check(f)
	if p.pinData != "" {
		f.add(&p.pinData, "it says which inputs were certified; give --pin as well, or leave it out")
	}
	if p.statistics.N > 0 {
		p.checkNoise(f)
	}
	if p.output.plot != "" {
		f.add(&p.output.plot, "there is no radius to plot; leave it out, or use \"ucan certify\"")
	}
	if p.output.jsonl != "" {
		f.add(&p.output.jsonl, "predictions carry no certificate; leave it out, or use \"ucan certify\"")
	}
}

// checkPin checks what replays stored noise and prints what it finds.
func (p *predictOptions) checkPin(f *faults) {
	own := []any{&p.noise.name, &p.noise.arithmetic, &p.seed.text, &p.pin, &p.pinData}
	for _, option := range f.in(noiseSection) {
		if f.changed(option.into) && !slices.Contains(own, option.into) {
			f.add(option.into, "with --pin the noise is that of the certificates; leave it out")
		}
	}
	out := &p.output
	for _, into := range []any{&out.tsv, &out.jsonl, &out.plot, &out.resume} {
		if f.differs(into) {
			f.add(into, "with --pin results are printed; leave it out, and use --format json for a document")
		}
	}
	if p.statistics.N < 1 {
		f.add(&p.statistics.N, "with --pin noise is replayed by samples; give at least 1")
	}
}

func newPredictCommand(a *app) *cobra.Command {
	o := &predictOptions{}
	cmd := &cobra.Command{
		Use:   "predict",
		Short: "Answer as the smoothed classifier, or abstain",
		Long: `Predict answers with the class that the smoothed classifier takes: the majority over n noisy copies, if an exact
binomial test tells it from the runner-up at level alpha; otherwise it abstains. The answer is then wrong about the
smoothed classifier with probability at most alpha. With --n 0 it is plain classification without noise.

With --pin FILE.jsonl each chosen input that has a certificate in the file (by its index in the whole source) is answered
with exactly the noise (μ, Σ) that the certificate stores: what a pinned certificate speaks of. The noise settings are
then the certificate's. --data may hold the certified inputs or changed ones, x + δ, under the same indices; with the
certified ones at --pin-data it is said whether a changed input lies inside the certified region. An input inside it that
is answered with another class violates the certificate: exit 4.

Where a generator makes the noise from each input, there is ` + pinnedSentence + `.`,
		Example: `  ucan predict --model model.onnx --data cifar10:test_batch.bin --n 0 --format json
  ucan predict --model model.onnx --data folder:images --sigma 0.25 --n 1000
  ucan predict --model model.onnx --pin run.jsonl --data npy:attacked.npy,labels.npy --pin-data cifar10:test_batch.bin --n 1000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runPredict(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

// prediction is the outcome of a whole run, in the names of the command's contract.
type prediction struct {
	Inputs    int `json:"inputs"`
	Labelled  int `json:"labelled"`
	Correct   int `json:"correct"`
	Abstained int `json:"abstained"`
	// Ties of the abstained inputs have two classes with the same best score; only told without
	// noise.
	Ties     int     `json:"ties,omitempty"`
	Failed   int     `json:"failed"`
	Accuracy float64 `json:"accuracy"`
	Seconds  float64 `json:"seconds"`

	judged int // that the accuracy is over
}

func runPredict(ctx context.Context, a *app, o *predictOptions) error {
	if o.pin != "" {
		return runPin(ctx, a, o)
	}
	setting, err := o.resume()
	if err != nil {
		return err
	}
	setup, err := a.openSetup(ctx, &o.model, &o.session, &o.data, setting)
	if err != nil {
		return err
	}
	p := &predictor{a: a, options: o, setup: setup}
	total, err := p.run(ctx)
	if err != nil && !errors.Is(err, certify.ErrSomeFailed) {
		return err
	}
	return errors.Join(p.present(total), err)
}

// predictor runs predictions over the chosen inputs.
type predictor struct {
	a       *app
	options *predictOptions
	setup   *certify.Setup
	noise   *certify.NoiseSource // nil without noise; the first set's under a selector
	chooser *certify.Chooser     // nil without a selector
	writer  *results.Writer
	bar     *progress.Bar
}

func (p *predictor) run(ctx context.Context) (prediction, error) {
	began := time.Now()
	if p.options.statistics.N > 0 {
		if err := p.openNoise(ctx); err != nil {
			return prediction{}, err
		}
		p.a.note("%s on %s (%d inputs), n = %d, alpha = %g, seed %d",
			p.setup.Model.Name(), p.setup.Info.Name, len(p.setup.Indices), p.options.statistics.N, p.options.statistics.Alpha, p.options.seed.value)
		p.a.noteNoises(ctx, p.setup, p.noise, p.chooser)
	}
	if err := p.a.warnOfOutputs(ctx, p.setup); err != nil {
		return prediction{}, err
	}
	var seal certify.Seal
	if p.noise != nil {
		seal = p.noise.SealItem
	}
	if err := p.a.checkAllRows(ctx, p.setup, p.options.seed.value, seal, p.chooser); err != nil {
		return prediction{}, err
	}
	var err error
	if p.writer, err = p.a.openWriter(results.Config{
		TSV: p.options.output.tsv, Indices: p.setup.Indices, Resume: p.options.output.resume, Run: p.record(ctx),
	}); err != nil {
		return prediction{}, err
	}
	p.a.warnProcessors(p.options.output.outputs(), p.writer.OtherProcessors(), "every row holds as it stands, and the record beside the table names both")
	left := len(p.writer.Remaining())
	p.bar = progress.New(p.a.progressWriter(), p.a.progressOptions(len(p.setup.Indices), len(p.setup.Indices)-left))
	defer p.bar.Close()
	loop := certify.Loop{
		Source: p.setup.Inputs(), Indices: p.setup.Indices, Done: p.writer.Done,
		MaxFailures: p.options.data.maxFailures, Prior: failedRows(p.writer.Rows()),
	}
	if p.noise == nil {
		err = certify.Classify(ctx, loop, p.setup.Classifiers[0], p.setup.Model.Dim(),
			func(item dataset.Item, label int32) error { return p.put(item, int(label), smooth.Counts{}, 0) }, p.fail)
	} else {
		err = p.smoothed(ctx, loop)
	}
	if err != nil && !errors.Is(err, certify.ErrSomeFailed) {
		return prediction{}, err
	}
	total := sum(p.writer.Rows(), time.Since(began))
	if p.noise == nil {
		var tieErr error
		if total.Ties, tieErr = p.ties(ctx); tieErr != nil {
			return prediction{}, tieErr
		}
	}
	return total, err
}

// openNoise opens the noise, or a selector with those that it picks among.
func (p *predictor) openNoise(ctx context.Context) (err error) {
	o := p.options
	if o.selector.given() {
		if p.chooser, err = p.a.openChoice(ctx, p.setup, &o.selector, o.seed.value, o.data.force); err != nil {
			return err
		}
		p.noise = p.chooser.Noises()[0]
		return o.selector.want(smooth.BySelector)
	}
	if p.noise, err = p.setup.NoiseSource(ctx, o.noise.Noise); err != nil {
		return err
	}
	p.a.onClose(p.noise.Close)
	return o.selector.want(p.noise.Guarantee())
}

// ties counts the inputs without a class whose best score two classes share.
func (p *predictor) ties(ctx context.Context) (n int, err error) {
	decision := p.setup.Model.Decision().Kind
	if decision != declare.Argmax && decision != declare.Argmin {
		return 0, nil
	}
	for _, row := range p.writer.Rows() {
		if row.Status != results.Abstained {
			continue
		}
		item, err := p.setup.Inputs().At(ctx, row.Index)
		if err != nil {
			return 0, err
		}
		scores, err := p.setup.Model.Scores(ctx, item.X)
		if errors.Is(err, models.ErrNoScores) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if tied(scores, decision) {
			n++
		}
	}
	return n, nil
}

// tied reports whether two scores share the place that the decision takes.
func tied(scores []float32, decision declare.DecisionKind) bool {
	best := slices.Max(scores)
	if decision == declare.Argmin {
		best = slices.Min(scores)
	}
	first := slices.Index(scores, best) // none where a NaN is among them
	return first >= 0 && slices.Contains(scores[first+1:], best)
}

// smoothed predicts under noise.
func (p *predictor) smoothed(ctx context.Context, loop certify.Loop) error {
	smoother, err := p.setup.Smoother(p.options.seed.value)
	if err != nil {
		return err
	}
	request := smooth.PredictN{N: p.options.statistics.N, Alpha: p.options.statistics.Alpha}
	return loop.Run(ctx, func(ctx context.Context, item dataset.Item) error {
		began := time.Now()
		answer, err := p.answer(ctx, smoother, item, request)
		if err != nil {
			return fmt.Errorf("predict input %d of %s: %w", item.Index, p.setup.Info.Name, err)
		}
		class := results.NoClass
		if !answer.Abstained {
			class = answer.Class
		}
		return p.put(item, class, answer.Counts, time.Since(began).Seconds())
	}, p.fail)
}

// answer is the smoothed classifier's, or the service's behind a selector.
func (p *predictor) answer(ctx context.Context, smoother *smooth.Smoother, item dataset.Item, request smooth.PredictN) (smooth.Prediction, error) {
	if p.chooser != nil {
		return p.chooser.Predict(ctx, item, request)
	}
	noise, err := p.noise.Seal(ctx, item.X)
	if err != nil {
		return smooth.Prediction{}, err
	}
	return smoother.Predict(ctx, item.X, item.SHA256, noise, request)
}

// put writes the row of one prediction; class −1 abstains.
func (p *predictor) put(item dataset.Item, class int, counts smooth.Counts, seconds float64) error {
	r := p.emptyRow(item)
	r.Status, r.Predict, r.Seconds = results.Abstained, class, seconds
	r.K, r.N = counts.Votes(class), counts.N
	if class != results.NoClass {
		r.Status, r.Correct = results.Predicted, class == item.Label
	}
	p.bar.Add(1)
	return p.writer.PutRow(r)
}

func (p *predictor) fail(item dataset.Item, reason error) error {
	r := p.emptyRow(item)
	r.Status, r.Predict = results.Failed, results.NoClass
	p.bar.Message("ucan: %s", reason)
	p.bar.Add(1)
	return p.writer.PutRow(r)
}

// emptyRow is a row that claims nothing yet: a prediction has neither a radius nor a guarantee.
func (p *predictor) emptyRow(item dataset.Item) results.Row {
	norm := "l2"
	if p.noise != nil {
		norm = p.noise.Norm.String()
	}
	return results.Row{Index: item.Index, Label: item.Label, Norm: norm, Guarantee: "none"}
}

func (p *predictor) record(ctx context.Context) results.Run {
	o := p.options
	run := p.a.newRecord(ctx, p.setup, "predict", p.noise)
	run.Configuration["labels"], run.Configuration["n"] = o.data.labels(), o.statistics.N
	run.Configuration["preprocessing"], run.Configuration["decision"] = p.setup.Model.Preprocessing(), p.setup.Model.Decision().String()
	if p.chooser != nil {
		p.chooser.Record(ctx, &run)
	}
	if p.noise != nil {
		run.Configuration["alpha"], run.Configuration["seed"] = o.statistics.Alpha, seedNumber(o.seed.value)
	}
	return run
}

func sum(rows []results.Row, elapsed time.Duration) prediction {
	total := prediction{Inputs: len(rows), Seconds: elapsed.Seconds()}
	for _, r := range rows {
		if r.Label != results.NoClass {
			total.Labelled++
		}
		if r.Correct {
			total.Correct++
		}
		switch r.Status {
		case results.Abstained:
			total.Abstained++
		case results.Failed:
			total.Failed++
		case results.Certified, results.Predicted:
		}
	}
	if total.judged = len(report.Judged(rows)); total.judged > 0 {
		total.Accuracy = float64(total.Correct) / float64(total.judged)
	}
	return total
}

func (p *predictor) present(total prediction) error {
	if n := total.Inputs - total.judged; n > 0 {
		p.a.note("%s", report.Unlabelled(n, total.Inputs))
	}
	if total.Ties > 0 {
		p.a.note("%d of %d inputs tie between classes and count as abstained", total.Ties, total.Inputs)
	}
	if p.a.json() {
		return writeJSON(p.a.stdout, total)
	}
	accuracy := "unknown (no labels)"
	if total.Labelled > 0 {
		accuracy = fmt.Sprintf("%.4f (%d of %d)", total.Accuracy, total.Correct, total.judged)
	}
	_, err := fmt.Fprintf(p.a.stdout, "inputs     %d\naccuracy   %s\nabstained  %d\nfailed     %d\nseconds    %.2f\n",
		total.Inputs, accuracy, total.Abstained, total.Failed, total.Seconds)
	return err
}
