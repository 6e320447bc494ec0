package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"ucan/internal/audit"
	"ucan/internal/dataset"
	"ucan/internal/pipeline"
	"ucan/internal/progress"
	"ucan/internal/report"
	"ucan/internal/results"
	"ucan/internal/workbench"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// certification is a run that is ready to go.
type certification struct {
	a          *app
	options    certifyOptions
	statistics workbench.Statistics // with alpha shared among the inputs
	bench      *bench
	certifier  *pipeline.Certifier
	writer     *results.Writer
	fields     *certificate.Folder // where fields outside the certificates lie; nil without certificates
	began      time.Time
	samples    int64
	inputs     map[string]int // how often each input was there, by hash
	// votes and invalid count those of all certificates that are known: this run's and, in a resumed one, the stored ones.
	votes, invalid int64
}

// prepareCertification opens everything that a run needs and settles every choice, in the order in which a user can
// mend faults cheapest: configuration, data, model, clean accuracy, outputs.
func (a *app) prepareCertification(ctx context.Context, o certifyOptions) (*certification, error) {
	if !o.output.resume {
		if err := refuseExisting(o.output.outputs()); err != nil {
			return nil, err
		}
	}
	earlier, err := o.output.earlier()
	if err != nil {
		return nil, err
	}
	setting, err := o.settle(earlier)
	if err != nil {
		return nil, err
	}
	bench, err := a.openWorkbench(ctx, o.model, o.declared, o.session, o.data, setting)
	if err != nil {
		return nil, err
	}
	c := &certification{a: a, options: o, bench: bench}
	if err := bench.checkClean(ctx, a, o.data.force); err != nil {
		return nil, err
	}
	if err := c.makeCertifier(ctx); err != nil {
		return nil, err
	}
	if err := bench.checkRows(ctx, a, bench.indices, o.seed, sealWith(c.certifier.Noise)); err != nil {
		return nil, err
	}
	return c, c.openOutputs(ctx)
}

// makeCertifier makes what certifies an input, and says what it can reach.
func (c *certification) makeCertifier(ctx context.Context) error {
	o, bench := c.options, c.bench
	inputs, err := bench.selected(o.data)
	if err != nil {
		return err
	}
	if c.statistics, err = o.statistics.Share(inputs); err != nil {
		return usage(err)
	}
	var reach float64
	c.certifier, reach, err = bench.Certifier(ctx, workbench.Certification{
		Noise: o.noise, Statistics: c.statistics, Seed: o.seed, Version: buildName(), Processor: c.a.processor,
	})
	if err != nil {
		return err
	}
	c.a.note("%s on %s (%d inputs), %s, %d classes; %d × batch %d, %d thread(s) each; seed %d",
		bench.Model.Name(), bench.Info.Name, len(bench.indices), bench.Model.Provider(), bench.Model.Classes(),
		bench.Setting.Workers, bench.Setting.Batch, bench.Setting.IntraOp, o.seed)
	c.a.onClose(c.certifier.Noise.Close)
	c.a.note("largest %s radius that %s can certify: %s%s", o.noise.Norm, c.statistics, results.FormatTruncated(reach), perInput(c.certifier.Noise))
	c.a.noteNoise(ctx, c.certifier.Noise)
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
	configuration := map[string]any{
		"model": c.certifier.Head.Model.Preprocessing, "decision": c.certifier.Head.Model.Decision,
		"noise": describeNoise(c.certifier.Noise), "statistics": c.statistics.Describe(), "labels": o.data.labels(),
		"seed": seedNumber(o.seed), "force": o.data.force,
		"provider": c.bench.Model.Provider(), "onnxruntime": c.bench.Runtime.Version(), "batch": c.bench.Setting.Batch, "intra_op": c.bench.Setting.IntraOp,
	}
	c.bench.describeData(configuration)
	return results.Run{
		Command: "certify", Configuration: configuration,
		Hashes:      c.bench.hashes(ctx, c.certifier.Noise),
		Environment: c.bench.environment(c.a),
	}
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
	writer, err := results.Open(results.Config{
		TSV: o.tsv, JSONL: o.jsonl, Indices: c.bench.indices, Resume: o.resume, Run: c.record(ctx),
	})
	if errors.Is(err, results.ErrExists) || errors.Is(err, results.ErrMismatch) {
		return usage(err)
	}
	if err != nil {
		return err
	}
	c.writer = writer
	c.a.onClose(writer.Close)
	c.a.warnProcessors(o.outputs(), writer.OtherProcessors(), "every row is sound as it stands, and certificates name the processor of each")
	if o.jsonl != "" {
		c.fields = certificate.NewFolder(filepath.Dir(o.jsonl))
	}
	return c.checkEarlier(ctx)
}

// execute certifies what is left to do and sums up all rows.
func (c *certification) execute(ctx context.Context) (report.Summary, error) {
	left := c.writer.Remaining()
	bar := progress.New(c.a.progressWriter(), c.a.progressOptions(len(c.bench.indices), len(c.bench.indices)-len(left)))
	c.began = time.Now()
	loop := pipeline.Loop{
		Source: c.bench.Inputs(), Indices: c.bench.indices, Done: c.writer.Done,
		MaxFailures: c.options.data.maxFailures, Prior: failedRows(c.writer.Rows()),
	}
	runErr := loop.Run(ctx,
		func(ctx context.Context, item dataset.Item) error {
			if c.options.statistics.LabelAware && item.Label < 0 {
				return refusef("certify input %d of %s: it has no label, and a label-aware run tests the label; leave --label-aware out", item.Index, c.bench.Info.Name)
			}
			row, cert, err := c.certifier.Certify(ctx, item)
			if err != nil {
				return err
			}
			c.samples += cert.Statistics.N0 + cert.Statistics.N
			c.countVotes(cert)
			bar.Add(1)
			return c.put(row, cert)
		},
		func(item dataset.Item, reason error) error {
			row, cert, err := c.certifier.Fail(item, reason)
			if err != nil {
				return err
			}
			bar.Message("ucan: %s", reason)
			bar.Add(1)
			return c.put(row, cert)
		})
	bar.Close()
	if runErr != nil && !errors.Is(runErr, pipeline.ErrSomeFailed) {
		return report.Summary{}, runErr
	}
	options := report.DefaultOptions()
	options.LabelAware = c.options.statistics.LabelAware
	options.Grid, options.Samples, options.Elapsed = c.options.output.radii, c.samples, time.Since(c.began)
	options.Votes, options.Invalid = c.votes, c.invalid
	summary, err := report.Summarise(c.writer.Rows(), options)
	if n := c.twins(); n > 0 {
		summary.Notes = append(summary.Notes, audit.TwinNote(n))
	}
	return summary, errors.Join(err, runErr)
}

// countVotes adds the votes of a certificate for the summary.
func (c *certification) countVotes(cert *certificate.Certificate) {
	c.votes += cert.Statistics.N
	c.invalid += cert.Statistics.Invalid
}

// put appends a row and its certificate to the outputs.
func (c *certification) put(row results.Row, cert *certificate.Certificate) error {
	c.seen(cert)
	var line []byte
	if c.fields != nil {
		if err := c.fields.Save(cert); err != nil {
			return err
		}
		var err error
		if line, err = cert.Marshal(); err != nil {
			return err
		}
	}
	return c.writer.Put(row, line)
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

// seen counts the inputs that were there before.
func (c *certification) seen(cert *certificate.Certificate) {
	if hash := cert.Input.SHA256; hash != "" {
		if c.inputs == nil {
			c.inputs = map[string]int{}
		}
		c.inputs[hash]++
	}
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
	title := fmt.Sprintf("%s on %s", c.bench.Model.Name(), c.bench.Info.Name)
	return c.a.present(summary, c.options.output.plot, []report.Series{{Name: c.noiseName(), Rows: c.writer.Rows()}}, title)
}

// present draws the plot, if one is asked for, and prints the summary.
func (a *app) present(summary report.Summary, plot string, series []report.Series, title string) error {
	if plot != "" {
		options := report.DefaultPlotOptions()
		options.Title = title
		if err := report.SavePlot(plot, series, options); err != nil {
			return err
		}
		a.note("plot: %s", plot)
	}
	if a.json() {
		return writeJSON(a.stdout, summary)
	}
	return printSummary(a.stdout, summary)
}

// noiseName says in a few words what noise was drawn.
func (c *certification) noiseName() string {
	o := c.options.noise
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
