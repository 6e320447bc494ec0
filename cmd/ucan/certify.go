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

	"github.com/spf13/cobra"

	"ucan/internal/certify"
	"ucan/internal/report"
	"ucan/internal/results"
	"ucan/models"
	"ucan/npg"
)

func newCertifyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certify",
		Short: "Certify the inputs of a data source and write certificates",
		Long: `Certify classifies many noisy copies of each input, takes the majority and proves a region around the input
inside which the smoothed classifier keeps its answer, with probability at least 1 − alpha.

Sigma and all radii are on the scale of the data: [0,1] for images. Preprocessing (scale, mean, std, layout) belongs to
the model and comes after the noise. Rows are appended and synced as they are made; --resume continues a run.

--npg shapes the noise by a generator. Patterns, fields and dataset-wise bundles are fixed before any input is seen, and
their certificates hold for the running smoothed classifier (guarantee "deployed"). Networks and per-input bundles make
the noise from each clean input, once; (μ, Σ) is stored in the certificate, which holds for a verifier who replays it
("pinned", see "ucan predict --pin"): ` + pinnedSentence + `.

--from-counts FILE derives the certificates that the stored votes of a file support at another --alpha, --norm or --bound. The
norm is free: every norm follows from the same bound. Alpha and bound are not, once the votes were seen: whoever tries m of
them and keeps the best must give each alpha/m, or the failure probability is m times as large.

Intervals in the summary take inputs as independent. Identical inputs share their noise, which is a function of the input, so
that their votes are one sample; the summary says when there are such.

Presets of patterns: ` + strings.Join(npg.PresetNames(), ", ") + `, as in --npg pattern:dct32.`,
		Example: `  ucan certify --model model.onnx --data mnist:mnist --sigma 0.25 --n 10000 --max 500 --out run.tsv --json run.jsonl
  ucan certify --model model.onnx --data mnist:mnist --sigma 0.25 --adaptive two-stage --out run.tsv --json run.jsonl
  ucan certify --model model.onnx --data folder:images --resize 256 --crop 224 --sigma 0.5 --plot curve.png
  ucan certify --model model.onnx --data digits --npg pattern:l2,kappa=0.25,iota=0.15 --plot curve.svg
  ucan certify --model model.onnx --data cifar10:test_batch.bin --npg pattern:dct,kappa=16,gamma=3,iota=0.25 --out run.tsv
  ucan certify --model model.onnx --data cifar10:test_batch.bin --npg mu.onnx,sigma.onnx --floor 0.05 --json run.jsonl`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runCertify(cmd.Context(), a) },
	}
	addSettings(cmd.Flags(), slices.Concat(modelKeys, dataKeys, noiseKeys, statisticsKeys, certifyKeys, sessionKeys, outputKeys)...)
	return cmd
}

var (
	statisticsKeys = []string{"statistics.n0", "statistics.n", "statistics.alpha", "seed"}
	certifyKeys    = []string{
		"statistics.adaptive", "statistics.kappa", "statistics.grid", "statistics.label_aware", "statistics.bound", "statistics.joint", "statistics.from_counts",
	}
	outputKeys = []string{"output.tsv", "output.jsonl", "output.plot", "output.radii", "output.resume"}
)

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
	noise      certify.Noise
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
	if leastN > 0 || o.statistics.N > 0 {
		o.noise = a.noiseOptions(r)
	}
	var err error
	if o.session, err = a.sessionOptions(r); err != nil {
		return o, err
	}
	o.seed, o.seedGiven = seedOf(r)
	return o, r.err()
}

// pinOptions are those of predict --pin: a run without noise of its own.
func (a *app) pinOptions() (certifyOptions, error) {
	r := a.values()
	o := certifyOptions{
		model: requireModel(r), declared: a.declaration(r), data: a.dataOptions(r),
		statistics: a.statisticsOptions(r, 0), output: a.outputOptions(r),
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

// settle fixes the seed and, for a resumed run, the setting of the sessions.
func (o *certifyOptions) settle(earlier *results.Run) (*models.Setting, error) {
	var setting *models.Setting
	if earlier != nil {
		if stored, ok := earlier.Configuration["seed"]; ok && !o.seedGiven {
			seed, err := strconv.ParseUint(fmt.Sprint(stored), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("read the stored run: its seed %v is not a number; start anew under another name", stored)
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
	if err != nil && !errors.Is(err, certify.ErrSomeFailed) {
		return err
	}
	return errors.Join(run.present(summary), err)
}
