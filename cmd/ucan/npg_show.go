package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"ucan/internal/certify"
	"ucan/internal/dataset"
	"ucan/internal/fieldmap"
	"ucan/internal/table"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/smooth/stream"
)

// shownSpecimens is how many inputs are drawn unless the user says otherwise.
const shownSpecimens = 16

// npgShowOptions are those of npg show.
type npgShowOptions struct {
	generatorOptions
	session sessionOptions // of the generator's networks
	out     string
}

func (s *npgShowOptions) declare(o *options) {
	s.generatorOptions.declare(o)
	o.drop(&s.data.force)
	o.in(outputSection)
	o.text(&s.out, "show.out", "out", "", "folder for the sheets, the fields and the index").as("o").output()
}

func (s *npgShowOptions) check(f *faults) {
	s.generatorOptions.check(f)
	s.session.check(f)
	if s.out == "" {
		f.add(&s.out, "no folder given; name one for the sheets and fields")
	}
}

func newNPGShowCommand(a *app) *cobra.Command {
	o := &npgShowOptions{}
	cmd := &cobra.Command{
		Use:   "show BUNDLE | MU.onnx,SIGMA.onnx | SPEC",
		Short: "Draw the offset and the scale of a generator's noise beside the inputs",
		Long: `Show runs a generator on some of the data (16 inputs, evenly spread, unless --max or --stride is given) and writes into
the folder --out: sheets of inputs beside one noisy copy and the maps of μ and σ, all on one colour scale with a legend
(PNG); the fields (.npy); a table of figures (fields.tsv); and index.html, which shows all of it. Noise that is shaped
in the frequencies of a DCT is drawn twice: its scale by frequency, and the standard deviation of every pixel.`,
		Example: `  ucan npg show bundle --data mnist:mnist --skip 8000 --out look
  ucan npg show pattern:dct,kappa=16,gamma=3,iota=0.25 --data cifar10:test_batch.bin --max 4 --out look
  ucan npg show mu.onnx,sigma.onnx --data cifar10:test_batch.bin --out look`,
		Args: oneArgument(generatorForms),
		RunE: func(cmd *cobra.Command, args []string) error { return runNPGShow(cmd.Context(), a, o, args[0]) },
	}
	a.bind(cmd, o)
	return cmd
}

func runNPGShow(ctx context.Context, a *app, o *npgShowOptions, spec string) error {
	seed := o.seed.fix()
	rt, err := runtime.Open(ctx, o.session.runtime)
	if err != nil {
		return err
	}
	a.onClose(rt.Close)
	source, err := a.openSource(ctx, o.data.spec, o.data.options)
	if err != nil {
		return err
	}
	indices, err := o.data.selection.Indices(source.Len())
	if err != nil {
		return usage(err)
	}
	info := source.Info()
	maker, err := certify.OpenNoise(ctx, o.noise.Noise, certify.NoiseTarget{Shape: info.Shape, Source: source, Runtime: rt, Session: o.session.options()})
	if err != nil {
		return err
	}
	a.onClose(maker.Close)
	loop := certify.Loop{Source: source, Indices: o.spread(a, indices, shownSpecimens), MaxFailures: o.data.maxFailures}
	g := fieldmap.Gallery{
		Title: generatorName(spec), Shape: info.Shape, Constant: maker.Guarantee() == smooth.Deployed,
		Note: fmt.Sprintf("data %s; seed %d; guarantee %s", info.Name, seed, guaranteeText(string(maker.Guarantee()))),
	}
	g.Specimens, err = specimens(ctx, a, loop, maker, info, seed)
	if err != nil && !errors.Is(err, certify.ErrSomeFailed) {
		return fmt.Errorf("show the generator %q: %w", g.Title, err)
	}
	files, writeErr := g.Write(o.out)
	if errors.Is(writeErr, fieldmap.ErrExists) {
		return usage(writeErr)
	}
	if writeErr != nil {
		return writeErr
	}
	return errors.Join(printGallery(a, o.out, files, seed), err)
}

// specimens makes the noise parameters and one noisy copy of every input.
func specimens(ctx context.Context, a *app, loop certify.Loop, maker *certify.NoiseSource, info dataset.Info, seed uint64) ([]fieldmap.Specimen, error) {
	var noisy []float32
	// A classifier that keeps what it is asked about gets exactly what a model would see.
	keep := smooth.ClassifierFunc(maker.Dim, 1, func(x []float32) int32 {
		noisy = slices.Clone(x)
		return 0
	})
	drawer, err := smooth.New([]smooth.Classifier{keep}, smooth.Config{Dim: maker.Dim, Classes: 2, Seed: seed})
	if err != nil {
		return nil, err
	}
	var out []fieldmap.Specimen
	err = loop.Run(ctx, func(ctx context.Context, item dataset.Item) error {
		parameters, parametersErr := maker.Generator.Parameters(ctx, item.X)
		if parametersErr != nil {
			return fmt.Errorf("input %d: %w", item.Index, parametersErr)
		}
		noise, sealErr := maker.Seal(ctx, item.X)
		if sealErr != nil {
			return fmt.Errorf("input %d: %w", item.Index, sealErr)
		}
		if _, err = drawer.Sample(ctx, item.X, item.SHA256, noise, stream.Audit, 0, 1); err != nil {
			return fmt.Errorf("input %d: %w", item.Index, err)
		}
		s := fieldmap.Specimen{Index: item.Index, Label: item.Label, X: item.X, Parameters: parameters, Noisy: noisy}
		if item.Label >= 0 && item.Label < len(info.Labels) {
			s.Name = info.Labels[item.Label]
		}
		out = append(out, s)
		return nil
	}, func(_ dataset.Item, reason error) error {
		a.warn("left out: %v", reason)
		return nil
	})
	return out, err
}

func printGallery(a *app, dir string, files fieldmap.Files, seed uint64) error {
	if a.json() {
		return writeJSON(a.stdout, struct {
			Out  string `json:"out"`
			Seed uint64 `json:"seed"`
			fieldmap.Files
		}{dir, seed, files})
	}
	t := table.New(">input", ">label", ">least σ", ">geometric mean", ">largest σ", ">‖μ‖", ">‖x‖")
	three := func(v float64) string { return fmt.Sprintf("%.3g", v) }
	for _, f := range files.Figures {
		label := ""
		if f.Label >= 0 {
			label = fmt.Sprint(f.Label)
		}
		t.Row(f.Index, label, three(f.SigmaMin), three(f.SigmaMean), three(f.SigmaMax), three(f.MuNorm), three(f.InputNorm))
	}
	if _, err := t.WriteTo(a.stdout); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "\nwritten to %s: sheets (%d), fields and a table, with noise of seed %d; open %s\n", dir, len(files.Sheets), seed, files.Index)
	return err
}
