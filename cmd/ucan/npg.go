package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/certify"
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

// generatorNoiseKeys are the settings of noise whose generator is the command's argument.
var generatorNoiseKeys = []string{
	"noise.family", "noise.norm", "noise.sigma", "noise.lambda", "noise.param", "noise.floor", "noise.ceiling", "noise.fixed_mean",
}

// oneGenerator checks that one generator is named.
func oneGenerator(cmd *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return usagef("read the command line of %q: %d generators given; name one: a pattern, a bundle's folder, a .npy field, an .onnx file, or MU.onnx,SIGMA.onnx",
			cmd.CommandPath(), len(args))
	}
	return nil
}

// generatorNoise reads the noise that the generator is used with.
func (a *app) generatorNoise(r *values, spec string) certify.Noise {
	a.viper.Set("noise.npg", spec)
	return a.noiseOptions(r)
}

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

// spread takes at most n of the indices, evenly spaced, unless the user chose.
func spread(r *values, indices []int, n int) []int {
	if r.given("data.max") || r.given("data.stride") || len(indices) <= n {
		return indices
	}
	out := make([]int, n)
	for i := range out {
		out[i] = indices[i*len(indices)/n]
	}
	return slices.Compact(out)
}
