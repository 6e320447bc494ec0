package denoise_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/models/denoise"
)

func record() *denoise.Record {
	return &denoise.Record{
		Architecture: "unet", Shape: []int{1, 8, 8}, Noise: denoise.Noise{Family: "gaussian", Lambda: 0.5, Sigma: 0.5},
		Training: &denoise.Training{Fingerprint: "f", SigmaRange: []float64{0.125, 0.5}},
	}
}

// TestFor: a denoiser for a range of scales is for each of them, and for no other noise.
func TestFor(t *testing.T) {
	of := func(change func(*denoise.Noise)) denoise.Noise {
		n := record().Noise
		change(&n)
		return n
	}
	for name, c := range subtest.Rows(map[string]struct {
		noise denoise.Noise
		want  bool
	}{
		"largest":  {of(func(*denoise.Noise) {}), true},
		"middle":   {of(func(n *denoise.Noise) { n.Lambda, n.Sigma = 0.3, 0.3 }), true},
		"least":    {of(func(n *denoise.Noise) { n.Lambda, n.Sigma = 0.125, 0.125 }), true},
		"below":    {of(func(n *denoise.Noise) { n.Lambda = 0.12 }), false},
		"above":    {of(func(n *denoise.Noise) { n.Lambda = 0.51 }), false},
		"family":   {of(func(n *denoise.Noise) { n.Family = "laplace" }), false},
		"fields":   {of(func(n *denoise.Noise) { n.ScaleField = "abc" }), false},
		"its name": {of(func(n *denoise.Noise) { n.NPG = "field.npy" }), true},
	}) {
		t.Run(name, func(t *testing.T) {
			if got := record().For(c.noise); got != c.want {
				t.Errorf("%v; want %v", got, c.want)
			}
		})
	}
	r := record()
	r.Training = nil
	if r.For(of(func(n *denoise.Noise) { n.Lambda = 0.3 })) {
		t.Error("a denoiser for one noise is for another scale")
	}
}

// TestBundle: what is written is read back, and damage is told from absence.
func TestBundle(t *testing.T) {
	dir := t.TempDir()
	if _, err := denoise.Read(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no record: %v", err)
	}
	for name, write := range map[string]func(string, []byte, *denoise.Record) error{"free": denoise.Write, "locked": denoise.WriteLocked} {
		r := record()
		if err := write(dir, []byte("graph "+name), r); err != nil {
			t.Fatal(err)
		}
		got, err := denoise.Read(dir)
		if err != nil || got.SHA256 != r.SHA256 || len(got.SHA256) != 64 || got.Training.Fingerprint != "f" || !got.Noise.Same(r.Noise) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, r)
		}
	}
	for name, text := range map[string]string{"no YAML": "{", "another schema": "schema: ucan.base/1\n", "incomplete": "schema: ucan.denoiser/1\n"} {
		if err := os.WriteFile(filepath.Join(dir, denoise.RecordFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := denoise.Read(dir); !errors.Is(err, denoise.ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
