package resolve_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/internal/zoo/matrix"
	"ucan/internal/zoo/resolve"
	"ucan/models/denoise"
	"ucan/runtime/runtimetest"
	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/train/spectrum"
	"ucan/train/wiener"
)

// TestDenoiserBundle plans a model behind the bundle of a denoiser: its file is described like any
// other, and noise that it is not for is told.
func TestDenoiserBundle(t *testing.T) {
	rt := runtimetest.Open(t)
	dir := t.TempDir()
	file := zoo(t, dir, `
models: [{name: one, file: models/one.onnx, denoiser: wiener}]
datasets: [{source: "digits?n=20&seed=1", max: 3}]
noise: [{sigma: [0.25, 0.5]}]
statistics: {n0: 10, n: 200}
`)
	writeWiener(t, filepath.Join(dir, "wiener"), []int{1, 28, 28}, 0.25)
	z, err := matrix.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	var notes []string
	run, err := resolve.Resolve(t.Context(), rt, z, resolve.Options{Note: func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }})
	if err != nil {
		t.Fatal(err)
	}
	if d := run.Models[0].Denoiser; d == nil || d.Entry != denoise.ModelFile || len(run.Cells) != 2 {
		t.Errorf("denoiser %+v in %d cells", d, len(run.Cells))
	}
	var warnings []string
	for _, n := range notes {
		if strings.Contains(n, "trained under") {
			warnings = append(warnings, n)
		}
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "s0.5") {
		t.Errorf("warnings %q; want one, of the noise of .5", warnings)
	}
}

// writeWiener writes the denoiser of photographs for isotropic noise.
func writeWiener(t *testing.T, dir string, shape []int, sigma float64) {
	t.Helper()
	m, err := spectrum.Prior(shape)
	if err != nil {
		t.Fatal(err)
	}
	gaussian, err := family.New("gaussian", nil)
	if err != nil {
		t.Fatal(err)
	}
	noise, err := smooth.Noise{Family: gaussian, Norm: family.L2, Lambda: sigma}.Seal(m.Dim())
	if err != nil {
		t.Fatal(err)
	}
	f, err := wiener.Fit(m, noise)
	if err != nil {
		t.Fatal(err)
	}
	graph, err := f.Graph()
	if err != nil {
		t.Fatal(err)
	}
	b, err := graph.Marshal()
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err == nil {
		err = denoise.Write(dir, b, &denoise.Record{Architecture: "wiener", Shape: shape, Noise: denoise.NoiseOf(noise, "")})
	}
	if err != nil {
		t.Fatal(err)
	}
}
