package main

import (
	"context"
	"fmt"

	"ucan/internal/progress"
	"ucan/npg"
	"ucan/npg/net"
	"ucan/train/fit"
	"ucan/train/spectral"
)

// How train npg finds a generator.
const (
	methodGradient = "gradient"
	methodSpectral = "spectral"
)

// checkSpectral checks the options of noise in closed form, which looks at no classifier.
func (t *trainNPGOptions) checkSpectral(f *faults) {
	t.data.check(f)
	t.session.check(f)
	if t.run.Dir == "" {
		f.add(&t.run.Dir, "no bundle to write is given; name a folder")
	}
	if t.kind != string(npg.KindDataset) {
		f.add(&t.kind, "--method spectral makes one field for all inputs; give --kind dataset")
	}
	if f.changed(&t.basis) && t.basis != string(net.DCT) {
		f.add(&t.basis, "--method spectral shapes noise in frequencies; give --basis dct, or leave it out")
	}
	if !f.changed(&t.distortion) {
		f.add(&t.distortion, "no loss of signal is given; give the share of the data's power that may be lost, such as 0.05")
	} else if !(t.distortion > 0 && t.distortion < 1) {
		f.add(&t.distortion, "%v is out of range: give a share between 0 and 1", t.distortion)
	}
	for _, into := range []any{
		&t.joint, &t.jointRate, &t.volume, &t.volumeWeight, &t.reg, &t.start, &t.target, &t.targetMean, &t.norm, &t.noise.name, &t.noise.sigma, &t.noise.lambda,
		&t.net.MuScale, &t.loop.Epochs, &t.loop.Draws, &t.rate, &t.validation, &t.run.Data.HoldOut, &t.augment, &t.loop.Patience, &t.smoothing, &t.consistency,
	} {
		if f.changed(into) {
			f.add(into, "--method spectral does not use it: nothing is trained, and scales are standard deviations; leave it out")
		}
	}
}

// runSpectral makes noise in closed form.
func (a *app) runSpectral(ctx context.Context, o *trainNPGOptions) error {
	c := fit.SpectralConfig{
		Run:   o.run,
		Shape: spectral.Config{Distortion: o.distortion, Floor: o.net.Floor, Ceiling: o.net.Ceiling},
	}
	if err := c.CheckFolder(); err != nil {
		return err
	}
	source, err := a.openSource(ctx, o.data.spec, o.data.options)
	if err != nil {
		return err
	}
	c.Data = fit.Data{Source: source, Selection: o.data.selection}
	c.Observer.Warn = func(text string) { a.warn("%s", text) }
	c.Observer.Reading = func(inputs int) (read, done func()) {
		bar := progress.New(a.progressWriter(), progress.DefaultOptions(a.progressWriter(), int64(inputs), "inputs measured"))
		return func() { bar.Add(1) }, bar.Close
	}
	r, err := fit.Spectral(ctx, c)
	if err != nil {
		return err
	}
	b := r.Bundle
	if a.json() {
		return writeJSON(a.stdout, struct {
			Out           string  `json:"out"`
			Kind          string  `json:"kind"`
			Guarantee     string  `json:"guarantee"`
			SHA256        string  `json:"sha256"`
			Inputs        int     `json:"inputs"`
			Lost          float64 `json:"lost"`
			Capped        int     `json:"at_ceiling"`
			GeometricMean float64 `json:"geometric_mean"`
		}{o.run.Dir, string(b.Kind), string(b.Kind.Guarantee()), b.Hash(), r.Inputs, r.Noise.Lost, r.Noise.Capped, r.GeometricMean})
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s generator, guarantee %s, from the spectrum of %d inputs\n  the best linear estimate loses %.4g of the data's power under it; geometric mean of the scales %.4g, %d of %d at the ceiling of %g\n",
		o.run.Dir, b.Kind, b.Kind.Guarantee(), r.Inputs, r.Noise.Lost, r.GeometricMean, r.Noise.Capped, b.Dim(), o.net.Ceiling)
	return err
}
