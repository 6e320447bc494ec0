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
	"ucan/internal/results"
	"ucan/smooth"
)

func newPredictCommand(a *app) *cobra.Command {
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
		RunE: func(cmd *cobra.Command, _ []string) error { return runPredict(cmd.Context(), a) },
	}
	addSettings(cmd.Flags(), slices.Concat(modelKeys, dataKeys, noiseKeys, statisticsKeys, []string{"predict.pin", "predict.pin_data"}, sessionKeys, outputKeys)...)
	return cmd
}

// prediction is the outcome of a whole run, in the names of the command's contract.
type prediction struct {
	Inputs    int     `json:"inputs"`
	Labelled  int     `json:"labelled"`
	Correct   int     `json:"correct"`
	Abstained int     `json:"abstained"`
	Failed    int     `json:"failed"`
	Accuracy  float64 `json:"accuracy"`
	Seconds   float64 `json:"seconds"`
}

func runPredict(ctx context.Context, a *app) error {
	r := a.values()
	pin, clean := r.text("predict.pin"), r.text("predict.pin_data")
	switch {
	case pin == "" && clean != "":
		return usagef("predict: --pin-data says which inputs were certified; give --pin as well, or leave it out")
	case pin != "":
		for _, key := range noiseKeys {
			if key != "noise.family" && key != "noise.arithmetic" && r.changed(key) {
				return usagef("predict --pin: the noise is that of the certificates; leave --%s out", findSetting(key).flag)
			}
		}
		o, err := a.pinOptions()
		if err != nil {
			return err
		}
		return runPin(ctx, a, o, pin, clean)
	}
	o, err := a.certifyOptions(0)
	if err != nil {
		return err
	}
	if o.output.plot != "" {
		return usagef("predict: there is no radius to plot; leave --plot out, or use \"ucan certify\"")
	}
	if !o.output.resume {
		if existing := refuseExisting(o.output.outputs()); existing != nil {
			return existing
		}
	}
	if o.output.jsonl != "" {
		return usagef("predict: predictions carry no certificate; leave --json out, or use \"ucan certify\"")
	}
	earlier, err := o.output.earlier()
	if err != nil {
		return err
	}
	setting, err := o.settle(earlier)
	if err != nil {
		return err
	}
	setup, err := a.openSetup(ctx, o.model, o.declared, o.session, o.data, setting)
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
	options certifyOptions
	setup   *certify.Setup
	noise   *certify.NoiseSource // nil without noise
	writer  *results.Writer
	bar     *progress.Bar
}

func (p *predictor) run(ctx context.Context) (prediction, error) {
	began := time.Now()
	if p.options.statistics.N > 0 {
		var err error
		if p.noise, err = p.setup.NoiseSource(ctx, p.options.noise); err != nil {
			return prediction{}, err
		}
		p.a.onClose(p.noise.Close)
		p.a.note("%s on %s (%d inputs), n = %d, alpha = %g, seed %d",
			p.setup.Model.Name(), p.setup.Info.Name, len(p.setup.Indices), p.options.statistics.N, p.options.statistics.Alpha, p.options.seed)
		p.a.noteNoise(ctx, p.noise)
	}
	if err := p.a.warnOfOutputs(ctx, p.setup); err != nil {
		return prediction{}, err
	}
	var seal certify.Seal
	if p.noise != nil {
		seal = p.noise.SealItem
	}
	if err := p.a.checkRows(ctx, p.setup, p.setup.Indices, p.options.seed, seal); err != nil {
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
	return sum(p.writer.Rows(), time.Since(began)), err
}

// smoothed predicts under noise.
func (p *predictor) smoothed(ctx context.Context, loop certify.Loop) error {
	smoother, err := p.setup.Smoother(p.options.seed)
	if err != nil {
		return err
	}
	request := smooth.PredictN{N: p.options.statistics.N, Alpha: p.options.statistics.Alpha}
	return loop.Run(ctx, func(ctx context.Context, item dataset.Item) error {
		began := time.Now()
		noise, err := p.noise.Seal(ctx, item.X)
		if err != nil {
			return err
		}
		answer, err := smoother.Predict(ctx, item.X, item.SHA256, noise, request)
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
	if p.noise != nil {
		run.Configuration["alpha"], run.Configuration["seed"] = o.statistics.Alpha, seedNumber(o.seed)
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
	if total.Inputs > 0 {
		total.Accuracy = float64(total.Correct) / float64(total.Inputs)
	}
	return total
}

func (p *predictor) present(total prediction) error {
	if p.a.json() {
		return writeJSON(p.a.stdout, total)
	}
	accuracy := "unknown (no labels)"
	if total.Labelled > 0 {
		accuracy = fmt.Sprintf("%.4f (%d of %d)", total.Accuracy, total.Correct, total.Inputs)
	}
	_, err := fmt.Fprintf(p.a.stdout, "inputs     %d\naccuracy   %s\nabstained  %d\nfailed     %d\nseconds    %.2f\n",
		total.Inputs, accuracy, total.Abstained, total.Failed, total.Seconds)
	return err
}
