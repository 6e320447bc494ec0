package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ucan/internal/dataset"
	"ucan/internal/pipeline"
	"ucan/internal/progress"
	"ucan/internal/report"
	"ucan/internal/results"
	"ucan/models"
	"ucan/smooth/certificate"
)

func newCertifyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certify",
		Short: "Certify the inputs of a data source and write certificates",
		Long: `Certify classifies many noisy copies of each input, takes the majority and proves a region around the input
inside which the smoothed classifier keeps its answer, with probability at least 1 − alpha.

Sigma and all radii are on the scale of the data: [0,1] for images. Preprocessing (scale, mean, std, layout) belongs to
the model and comes after the noise. Rows are appended and synced as they are made; --resume continues a run.

` + exitCodesHelp,
		Example: `  ucan certify --model model.onnx --data mnist:mnist --sigma 0.25 --n 10000 --max 500 --out run.tsv --json run.jsonl
  ucan certify --model model.onnx --data folder:images --resize 256 --crop 224 --sigma 0.5 --plot curve.png
  ucan certify --model model.onnx --data digits --npg pattern:l2,kappa=0.25,iota=0.15 --plot curve.svg`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runCertify(cmd.Context(), a) },
	}
	addSettings(cmd.Flags(), slices.Concat(modelKeys, dataKeys, noiseKeys, statisticsKeys, certifyKeys, sessionKeys, outputKeys)...)
	return cmd
}

var (
	statisticsKeys = []string{"statistics.n0", "statistics.n", "statistics.alpha", "seed"}
	certifyKeys    = []string{
		"statistics.adaptive", "statistics.grid", "statistics.label_aware", "statistics.bound", "statistics.joint", "statistics.from_counts",
	}
	outputKeys = []string{"output.tsv", "output.jsonl", "output.plot", "output.radii", "output.resume"}
)

// outputOptions says where results go.
type outputOptions struct {
	tsv, jsonl, plot string
	radii            []float64
	resume           bool
}

func (a *app) outputOptions(r *values) outputOptions {
	o := outputOptions{
		tsv: r.text("output.tsv"), jsonl: r.text("output.jsonl"), plot: r.text("output.plot"),
		radii: r.floats("output.radii"), resume: r.flag("output.resume"),
	}
	slices.Sort(o.radii)
	if ext := strings.TrimPrefix(filepath.Ext(o.plot), "."); o.plot != "" && !slices.Contains(report.PlotFormats(), strings.ToLower(ext)) {
		r.fault("output.plot", "%q is no picture that can be drawn; let it end in .%s", o.plot, strings.Join(report.PlotFormats(), " or ."))
	}
	if o.resume && o.tsv == "" && o.jsonl == "" {
		r.fault("output.resume", "there is nothing to resume; name the run's --out or --json")
	}
	return o
}

// certifyOptions is a whole certification run.
type certifyOptions struct {
	model      string
	declared   models.Declaration
	session    sessionOptions
	data       dataOptions
	noise      noiseOptions
	statistics statisticsOptions
	output     outputOptions
	seed       uint64
	seedGiven  bool
}

func (a *app) certifyOptions(leastN int64) (certifyOptions, error) {
	r := a.values()
	o := certifyOptions{
		model: requireModel(r), declared: a.declaration(r), data: a.dataOptions(r),
		statistics: a.statisticsOptions(r, leastN), output: a.outputOptions(r),
	}
	if leastN > 0 || o.statistics.n > 0 {
		o.noise = a.noiseOptions(r)
	}
	var err error
	if o.session, err = a.sessionOptions(r); err != nil {
		return o, err
	}
	o.seed, o.seedGiven = seedOf(r)
	return o, r.err()
}

// seedOf reads the seed; given is false when a random one is to be drawn.
func seedOf(r *values) (seed uint64, given bool) {
	text := r.text("seed")
	if text == "" {
		return 0, false
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		r.fault("seed", "%q is no whole number from 0 to 2^64−1", text)
	}
	return seed, true
}

// outputs lists the files that hold rows.
func (o outputOptions) outputs() []string {
	var paths []string
	for _, p := range []string{o.tsv, o.jsonl} {
		if p != "" {
			paths = append(paths, p)
		}
	}
	return paths
}

// earlier reads the record of the run to be resumed: nil when there is none yet.
func (o outputOptions) earlier() (*results.Run, error) {
	if !o.resume {
		return nil, nil
	}
	for _, path := range o.outputs() {
		run, err := results.ReadRun(path)
		if err == nil {
			return &run, nil
		}
		if errors.Is(err, results.ErrFormat) {
			return nil, err
		}
	}
	return nil, nil
}

// settle fixes the seed and, for a resumed run, the setting of the sessions.
func (o *certifyOptions) settle(earlier *results.Run) (*models.Setting, error) {
	var setting *models.Setting
	if earlier != nil {
		if stored, ok := earlier.Configuration["seed"]; ok && !o.seedGiven {
			seed, err := strconv.ParseUint(fmt.Sprint(stored), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("read the stored run: its seed %v is no number; start anew under another name", stored)
			}
			o.seed, o.seedGiven = seed, true
		}
		if stored, ok := earlier.Environment["setting"]; ok {
			text, err := json.Marshal(stored)
			if err == nil {
				setting = new(models.Setting)
				err = json.Unmarshal(text, setting)
			}
			if err != nil || setting.Batch < 1 || setting.Workers < 1 || setting.IntraOp < 1 {
				return nil, fmt.Errorf("read the stored run: its setting %s is damaged; start anew under another name", text)
			}
		}
	}
	if !o.seedGiven {
		var bytes [8]byte
		rand.Read(bytes[:]) // never fails
		o.seed = binary.LittleEndian.Uint64(bytes[:])
	}
	return setting, nil
}

func runCertify(ctx context.Context, a *app) error {
	if path := a.values().text("statistics.from_counts"); path != "" {
		return runFromCounts(ctx, a, path)
	}
	o, err := a.certifyOptions(1)
	if err != nil {
		return err
	}
	run, err := a.prepareCertification(ctx, o)
	if err != nil {
		return err
	}
	summary, err := run.execute(ctx)
	if err != nil && !errors.Is(err, pipeline.ErrSomeFailed) {
		return err
	}
	return errors.Join(run.present(summary), err)
}

// certification is a run that is ready to go.
type certification struct {
	a         *app
	options   certifyOptions
	bench     *workbench
	certifier *pipeline.Certifier
	writer    *results.Writer
	fields    *certificate.Folder // where fields outside the certificates lie; nil without certificates
	began     time.Time
	samples   int64
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
	return c, c.openOutputs()
}

// makeCertifier makes noise, smoothed classifier and what all certificates have in common.
func (c *certification) makeCertifier(ctx context.Context) error {
	o, bench := c.options, c.bench
	noise, record, err := bench.noiseMaker(ctx, o.noise)
	if err != nil {
		return err
	}
	sealed, err := noise.Seal(ctx, nil)
	if err != nil {
		return usage(err)
	}
	smoother, err := bench.smoother(o.seed)
	if err != nil {
		return err
	}
	model, err := bench.modelRecord()
	if err != nil {
		return err
	}
	inputs, err := bench.selected(o.data)
	if err != nil {
		return err
	}
	statistics, err := o.statistics.share(inputs)
	if err != nil {
		return usage(err)
	}
	method, reach, err := statistics.method(smoother, sealed)
	if err != nil {
		return usage(err)
	}
	c.certifier = &pipeline.Certifier{
		Method: method, Noise: noise, Source: bench.info.Name,
		Head: certificate.Head{
			Model: model, NPG: record,
			Run: certificate.Run{
				Seed: certificate.Seed(o.seed), Provider: bench.model.Provider(), ONNXRuntime: bench.rt.Version(),
				Batch: bench.setting.Batch, Ucan: buildVersion(), Notes: c.notes(),
			},
		},
	}
	c.a.note("%s on %s (%d inputs), %s, %d classes; %d × batch %d, %d thread(s) each; seed %d",
		bench.model.Name(), bench.info.Name, len(bench.indices), bench.model.Provider(), bench.model.Classes(),
		bench.setting.Workers, bench.setting.Batch, bench.setting.IntraOp, o.seed)
	c.a.note("largest %s radius that %s can certify: %s", o.noise.norm, statistics, results.FormatTruncated(reach))
	if reach == 0 && statistics.profile == nil {
		return usagef("plan the run: %s can certify nothing; raise --n", statistics)
	}
	return nil
}

func (c *certification) notes() map[string]string {
	if c.bench.forced == "" {
		return nil
	}
	return map[string]string{"forced": c.bench.forced}
}

// record is what a resumed run must have in common with this one.
func (c *certification) record() results.Run {
	o := c.options
	return results.Run{
		Command: "certify",
		Configuration: map[string]any{
			"model": json.RawMessage(c.certifier.Head.Model.Preprocessing), "decision": c.certifier.Head.Model.Decision,
			"source": c.bench.info.Name, "shape": c.bench.info.Shape,
			"noise": describeNoise(c.certifier.Noise, o.noise), "statistics": o.statistics.describe(),
			"seed": seedNumber(o.seed), "force": o.data.force,
			"provider": c.bench.model.Provider(), "onnxruntime": c.bench.rt.Version(), "batch": c.bench.setting.Batch, "intra_op": c.bench.setting.IntraOp,
		},
		Hashes:      c.bench.hashes(c.certifier.Noise),
		Environment: c.bench.environment(),
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
func (c *certification) openOutputs() error {
	o := c.options.output
	writer, err := results.Open(results.Config{
		TSV: o.tsv, JSONL: o.jsonl, Indices: c.bench.indices, Resume: o.resume, Run: c.record(),
	})
	if errors.Is(err, results.ErrExists) || errors.Is(err, results.ErrMismatch) {
		return usage(err)
	}
	if err != nil {
		return err
	}
	c.writer = writer
	c.a.onClose(writer.Close)
	if o.jsonl != "" {
		c.fields = certificate.NewFolder(filepath.Dir(o.jsonl))
	}
	return nil
}

// execute certifies what is left to do and sums up all rows.
func (c *certification) execute(ctx context.Context) (report.Summary, error) {
	left := c.writer.Remaining()
	bar := progress.New(c.a.progressWriter(), c.a.progressOptions(len(c.bench.indices), len(c.bench.indices)-len(left)))
	c.began = time.Now()
	loop := pipeline.Loop{
		Source: c.bench.inputs(), Indices: c.bench.indices, Done: c.writer.Done,
		MaxFailures: c.options.data.maxFailures, Prior: failedRows(c.writer.Rows()),
	}
	runErr := loop.Run(ctx,
		func(ctx context.Context, item dataset.Item) error {
			if c.options.statistics.labelAware && item.Label < 0 {
				return refusef("certify input %d of %s: it has no label, and a label-aware run tests the label; leave --label-aware out", item.Index, c.bench.info.Name)
			}
			row, cert, err := c.certifier.Certify(ctx, item)
			if err != nil {
				return err
			}
			c.samples += cert.Statistics.N0 + cert.Statistics.N
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
	options.LabelAware = c.options.statistics.labelAware
	options.Grid, options.Samples, options.Elapsed = c.options.output.radii, c.samples, time.Since(c.began)
	summary, err := report.Summarise(c.writer.Rows(), options)
	return summary, errors.Join(err, runErr)
}

// put appends a row and its certificate to the outputs.
func (c *certification) put(row results.Row, cert *certificate.Certificate) error {
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

// present prints the summary and draws the plot.
func (c *certification) present(summary report.Summary) error {
	title := fmt.Sprintf("%s on %s", c.bench.model.Name(), c.bench.info.Name)
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
	scale := fmt.Sprintf("σ = %g", o.sigma)
	if o.lambda > 0 {
		scale = fmt.Sprintf("λ = %g", o.lambda)
	}
	name := o.family.Name() + " " + scale
	switch {
	case o.npg != "":
		name += ", " + o.npg
	case o.sigmaField != "" || o.muField != "":
		name += ", noise field"
	}
	return name
}
