package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ucan/internal/audit"
	"ucan/internal/certify"
	"ucan/internal/progress"
	"ucan/internal/report"
	"ucan/internal/results"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// certification is a run that is ready to go.
type certification struct {
	a          *app
	options    *runOptions
	statistics certify.Statistics // with alpha shared among the inputs
	setup      *certify.Setup
	certifier  *certify.Certifier
	writer     *results.Writer
	began      time.Time
	samples    int64
	inputs     map[string]int // how often each input was there, by hash
	// votes and invalid count those of all certificates that are known: this run's and, in a
	// resumed one, the stored ones.
	votes, invalid int64
}

// prepareCertification opens what a run needs in the order in which mistakes are cheapest to fix:
// configuration, data, model, clean accuracy, outputs.
func (a *app) prepareCertification(ctx context.Context, o *runOptions) (*certification, error) {
	setting, err := o.resume()
	if err != nil {
		return nil, err
	}
	setup, err := a.openSetup(ctx, &o.model, &o.session, &o.data, setting)
	if err != nil {
		return nil, err
	}
	c := &certification{a: a, options: o, setup: setup}
	if err := a.checkClean(ctx, setup, o.data.force); err != nil {
		return nil, err
	}
	if err := c.makeCertifier(ctx); err != nil {
		return nil, err
	}
	if err := a.checkAllRows(ctx, setup, o.seed.value, c.certifier.Noise.SealItem, c.certifier.Chooser); err != nil {
		return nil, err
	}
	return c, c.openOutputs(ctx)
}

// makeCertifier makes what certifies an input, and says what it can reach.
func (c *certification) makeCertifier(ctx context.Context) error {
	o, setup := c.options, c.setup
	inputs, err := o.data.selected(setup.Source.Len())
	if err != nil {
		return err
	}
	if c.statistics, err = o.statistics.Share(inputs); err != nil {
		return usage(err)
	}
	var chooser *certify.Chooser
	if o.selector.given() {
		if chooser, err = c.a.openChoice(ctx, setup, &o.selector, o.seed.value, o.data.force); err != nil {
			return err
		}
	}
	var reach float64
	c.certifier, reach, err = setup.Certifier(ctx, certify.Config{
		Noise: o.noise.Noise, Chooser: chooser, Statistics: c.statistics, Seed: o.seed.value, Version: buildName(), Processor: c.a.processor,
	})
	if err != nil {
		return err
	}
	c.a.note("%s on %s (%d inputs), %s, %d classes; %d × batch %d, %d thread(s) each; seed %d",
		setup.Model.Name(), setup.Info.Name, len(setup.Indices), setup.Model.Provider(), setup.Model.Classes(),
		setup.Setting.Workers, setup.Setting.Batch, setup.Setting.IntraOp, o.seed.value)
	if chooser == nil {
		c.a.onClose(c.certifier.Noise.Close)
	}
	if err := o.selector.want(c.certifier.Guarantee()); err != nil {
		return err
	}
	c.a.note("largest %s radius that %s can certify: %s%s", o.noise.Norm, c.statistics, results.FormatTruncated(reach), perInput(c.certifier.Noise))
	c.a.noteNoises(ctx, c.setup, c.certifier.Noise, chooser)
	if c.certifier.Noise.Arithmetic == smooth.Lattice {
		c.a.note("lattice arithmetic: certificates hold, in the arithmetic that really runs, for every x + δ that is an 8-bit image")
	} else {
		c.a.note("float32 arithmetic: certificates assume real arithmetic (--arithmetic lattice is exact for 8-bit images)")
	}
	if reach == 0 && c.statistics.Profile == nil {
		return usagef("plan the run: %s can certify nothing; raise --n", c.statistics)
	}
	return nil
}

// record is what a resumed run must have in common with this one.
func (c *certification) record(ctx context.Context) results.Run {
	o := c.options
	run := c.a.newRecord(ctx, c.setup, "certify", c.certifier.Noise)
	for name, value := range map[string]any{
		"model": c.certifier.Head.Model.Preprocessing, "decision": c.certifier.Head.Model.Decision,
		"statistics": c.statistics.Describe(), "labels": o.data.labels(), "seed": seedNumber(o.seed.value), "force": o.data.force,
	} {
		run.Configuration[name] = value
	}
	if chooser := c.certifier.Chooser; chooser != nil {
		chooser.Record(ctx, &run)
	}
	return run
}

// refuseExisting refuses outputs that exist before anything costly happens.
func refuseExisting(paths []string) error {
	for _, path := range paths {
		if table, err := results.ReadFile(path); err == nil || errors.Is(err, results.ErrFormat) {
			return usagef("write %q: the file exists (%d rows); pass --resume to continue that run, or name another file", path, len(table.Rows))
		}
	}
	return nil
}

// openOutputs opens the files; without any, rows are kept in memory for the summary.
func (c *certification) openOutputs(ctx context.Context) error {
	o := c.options.output
	writer, err := c.a.openWriter(results.Config{
		TSV: o.tsv, JSONL: o.jsonl, Indices: c.setup.Indices, Resume: o.resume, Run: c.record(ctx),
	})
	if err != nil {
		return err
	}
	c.writer = writer
	c.a.warnProcessors(o.outputs(), writer.OtherProcessors(), "every row is sound as it stands, and certificates name the processor of each")
	return c.checkEarlier(ctx)
}

// execute certifies what is left to do and sums up all rows.
func (c *certification) execute(ctx context.Context) (report.Summary, error) {
	all, left := len(c.setup.Indices), len(c.writer.Remaining())
	if err := c.noteCost(ctx, left); err != nil {
		return report.Summary{}, err
	}
	bar := progress.New(c.a.progressWriter(), c.a.progressOptions(all, all-left))
	moving := c.follow(bar)
	c.began = time.Now()
	runErr := c.certifier.Run(ctx, certify.Loop{
		Source: c.setup.Inputs(), Indices: c.setup.Indices, Done: c.writer.Done,
		MaxFailures: c.options.data.maxFailures, Prior: failedRows(c.writer.Rows()),
	}, func(cert *certificate.Certificate) error {
		if cert.Status == certificate.Failed {
			bar.Message("ucan: %s", cert.Error)
		}
		moving.finished()
		bar.Add(1)
		c.samples += cert.Samples()
		c.count(cert)
		return c.writer.Put(cert)
	})
	moving.stop()
	bar.Close()
	if runErr != nil && !errors.Is(runErr, certify.ErrSomeFailed) {
		return report.Summary{}, runErr
	}
	options := report.DefaultOptions()
	options.LabelAware = c.options.statistics.LabelAware
	output := &c.options.output
	options.Grid, options.Measures = output.radii, measuresOf(output.measures)
	options.Samples, options.Elapsed = c.samples, time.Since(c.began)
	options.Votes, options.Invalid = c.votes, c.invalid
	summary, err := report.Summarise(c.writer.Rows(), options)
	if n := c.twins(); n > 0 {
		summary.Notes = append(summary.Notes, audit.TwinNote(n))
	}
	return summary, errors.Join(err, runErr)
}

// count adds a certificate to what the summary tells of all of them.
func (c *certification) count(cert *certificate.Certificate) {
	c.votes += cert.Statistics.N
	c.invalid += cert.Statistics.Invalid
	if hash := cert.Input.SHA256; hash != "" {
		if c.inputs == nil {
			c.inputs = map[string]int{}
		}
		c.inputs[hash]++
	}
}

func failedRows(rows []results.Row) int {
	n := 0
	for _, r := range rows {
		if r.Status == results.Failed {
			n++
		}
	}
	return n
}

// twins is the number of inputs that are identical to an earlier one.
func (c *certification) twins() int {
	n := 0
	for _, times := range c.inputs {
		n += times - 1
	}
	return n
}

// present prints the summary and draws the plot.
func (c *certification) present(summary report.Summary) error {
	title := fmt.Sprintf("%s on %s", c.setup.Model.Name(), c.setup.Info.Name)
	return c.a.present(summary, &c.options.output, []report.Series{{Name: c.noiseName(), Rows: c.writer.Rows()}}, title)
}

// present draws the plot, if one is asked for, and prints the summary.
func (a *app) present(summary report.Summary, output *outputOptions, series []report.Series, title string) error {
	if output.plot != "" {
		options := report.DefaultPlotOptions()
		options.Title, options.Measures = title, measuresOf(output.measures)
		if err := report.SavePlot(output.plot, series, options); err != nil {
			return err
		}
		a.note("plot: %s", output.plot)
	}
	if a.json() {
		return writeJSON(a.stdout, summary)
	}
	return printSummary(a.stdout, summary)
}

// noiseName says in a few words what noise was drawn.
func (c *certification) noiseName() string {
	if chooser := c.certifier.Chooser; chooser != nil {
		return chooser.String()
	}
	o := c.options.noise.Noise
	scale := fmt.Sprintf("σ = %g", o.Sigma)
	if o.Lambda > 0 {
		scale = fmt.Sprintf("λ = %g", o.Lambda)
	}
	name := o.Family.Name() + " " + scale
	switch {
	case c.certifier.Noise.NPG != nil:
		name += ", " + c.certifier.Noise.NPG.Spec
	case o.SigmaField != "" || o.MuField != "":
		name += ", noise field"
	}
	return name
}
