package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func newNPGCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "npg",
		Short: "Look at and check noise parameter generators",
		Long: `A noise parameter generator gives the offset μ and the scale σ of the noise for every coordinate of an input. "npg show"
draws what it gives, "npg check" says what is wrong with it. Both take what --npg takes: a pattern, a bundle's folder, a
.npy field, an .onnx file, or MU.onnx,SIGMA.onnx.`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newNPGShowCommand(a), newNPGCheckCommand(a))
	return cmd
}

// generatorOptions are those of a command whose argument is a generator: the noise that it shapes,
// and the data.
type generatorOptions struct {
	noise noiseOptions
	data  dataOptions
	seed  seedOptions
}

func (g *generatorOptions) declare(o *options) {
	g.data.declare(o)
	n := &g.noise
	n.declare(o)
	o.drop(&n.arithmetic, &n.SigmaField, &n.MuField, &n.NPG)
	g.seed.declare(o)
}

func (g *generatorOptions) check(f *faults) {
	g.data.check(f)
	g.noise.NPG = f.args[0]
	g.noise.check(f)
	g.seed.check(f)
}

// spread takes at most n of the indices, evenly spaced, unless the user chose.
func (g *generatorOptions) spread(a *app, indices []int, n int) []int {
	return g.data.spread(a, indices, n)
}

// spread takes at most n of the indices, evenly spaced, unless the user chose.
func (d *dataOptions) spread(a *app, indices []int, n int) []int {
	if a.changed(&d.most) || a.changed(&d.selection.Stride) || len(indices) <= n {
		return indices
	}
	out := make([]int, n)
	for i := range out {
		out[i] = indices[i*len(indices)/n]
	}
	return slices.Compact(out)
}

const generatorForms = "one generator: a pattern, a bundle's folder, a .npy field, an .onnx file, or MU.onnx,SIGMA.onnx"

// generatorName is the generator without any folder of this machine.
func generatorName(spec string) string {
	if strings.HasPrefix(spec, "pattern:") {
		return spec
	}
	parts := strings.Split(spec, ",")
	for i, p := range parts {
		parts[i] = filepath.Base(filepath.Clean(p))
	}
	return strings.Join(parts, ",")
}
