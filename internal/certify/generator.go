package certify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ucan/internal/fault"
	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/npg/infer"
	"ucan/runtime/files"
	"ucan/smooth/certificate"
)

// specForms is what a generator may be named by.
const specForms = "pattern:l1|l2|linf,kappa=…,iota=…, pattern:dct,kappa=…,gamma=…,iota=…, a bundle's folder, a .npy field, one .onnx file, or MU.onnx,SIGMA.onnx"

// generator opens the generator that o names, and returns what certificates record of it: names
// without any folder, and hashes. trained is a bundle's own record of its training.
func (t NoiseTarget) generator(ctx context.Context, o Noise) (g npg.Generator, record *certificate.NPG, trained map[string]any, err error) {
	spec := o.NPG
	limited := o.Limits != npg.Limits{}
	switch parts := strings.Split(spec, ","); {
	case strings.HasPrefix(spec, "pattern:"):
		if limited || o.FixedMean {
			return nil, nil, nil, fault.Wrongf("read --npg: a pattern names its floor and ceiling itself, as in %q, and has no offset; leave the flags out", "pattern:l2,floor=0.1,ceiling=2")
		}
		g, record, err = formula(spec, t.Shape)
		return g, record, nil, err
	case strings.HasSuffix(spec, ".npy"):
		if o.FixedMean {
			return nil, nil, nil, fault.Wrongf("read --npg: a field has no offset; leave --fixed-mean out")
		}
		g, record, err = field(ctx, spec, o.limits(), t.Shape)
		return g, record, nil, err
	case len(parts) <= 2 && !slices.ContainsFunc(parts, func(p string) bool { return !strings.HasSuffix(p, ".onnx") }):
		var networks *bundle.Bundle
		if networks, record, err = o.networks(t.Shape); err != nil {
			return nil, nil, nil, err
		}
		g, err = t.open(ctx, networks, record.Spec)
		return g, record, nil, err
	}
	info, err := os.Stat(spec)
	if err != nil || !info.IsDir() {
		return nil, nil, nil, fault.Wrongf("read --npg: %q is neither a pattern, a file of a known kind nor an existing folder; give %s", spec, specForms)
	}
	if limited || o.FixedMean {
		return nil, nil, nil, fault.Wrongf("read --npg: a bundle has its own floor, ceiling and offset; leave the flags out")
	}
	made, err := bundle.Read(spec)
	if err != nil {
		return nil, nil, nil, err
	}
	name := filepath.Base(filepath.Clean(spec))
	record = &certificate.NPG{
		Kind: kindOf(made.Kind), Spec: name, Files: []certificate.File{{Name: bundle.ManifestName, SHA256: made.Hash()}},
	}
	g, err = t.open(ctx, made, name)
	return g, record, made.Training, err
}

// kindOf is the kind of a bundle as certificates record it. A trained pattern is stored as a field,
// so a certificate calls it one: the kind pattern is for formulas that a reader can evaluate.
func kindOf(k npg.Kind) npg.Kind {
	if k == npg.KindPattern {
		return npg.KindDataset
	}
	return k
}

func (o Noise) limits() npg.Limits {
	if o.Limits == (npg.Limits{}) {
		return npg.DefaultLimits()
	}
	return o.Limits
}

// formula evaluates a pattern; its record is the specification with every default filled in.
func formula(spec string, shape []int) (npg.Generator, *certificate.NPG, error) {
	f, err := npg.ParseFormula(spec)
	if err != nil {
		return nil, nil, fault.Wrongf("read --npg: %w", err)
	}
	parameters, err := f.Field(shape)
	if err != nil {
		return nil, nil, fault.Wrongf("read --npg: %w", err)
	}
	return npg.NewField(parameters), &certificate.NPG{Kind: npg.KindPattern, Spec: f.String()}, nil
}

// field reads a scale field that was made elsewhere.
func field(ctx context.Context, path string, limits npg.Limits, shape []int) (npg.Generator, *certificate.NPG, error) {
	sigma, err := readField(ctx, path, shape)
	if err != nil {
		return nil, nil, err
	}
	parameters, err := limits.Apply(nil, len(sigma), nil, sigma)
	if err != nil {
		return nil, nil, fault.Wrongf("read --npg %q: %w", path, err)
	}
	data, err := files.Read(path, files.MaxModel)
	if err != nil {
		return nil, nil, fmt.Errorf("read --npg: %w", err)
	}
	return npg.NewField(parameters), &certificate.NPG{Kind: npg.KindField, Spec: filepath.Base(path) + "," + limits.String(), Files: []certificate.File{fileOf(path, data)}}, nil
}

func fileOf(path string, data []byte) certificate.File {
	sum := sha256.Sum256(data)
	return certificate.File{Name: filepath.Base(path), SHA256: hex.EncodeToString(sum[:])}
}

// networks reads a generator that is given as one ONNX file, or as one for μ and one for σ, for
// inputs of a shape.
func (o Noise) networks(shape []int) (*bundle.Bundle, *certificate.NPG, error) {
	paths, roles := strings.Split(o.NPG, ","), []bundle.Role{bundle.Joint}
	if len(paths) == 2 {
		roles = []bundle.Role{bundle.Mu, bundle.Sigma}
	}
	made := &bundle.Bundle{
		Kind: npg.KindCertification, Shape: shape, Limits: o.limits(), FixedMean: o.FixedMean, MuScale: 1,
		Graphs: map[bundle.Role][]byte{},
	}
	record := &certificate.NPG{Kind: npg.KindCertification}
	for i, role := range roles {
		data, err := files.Read(paths[i], files.MaxModel)
		if err != nil {
			return nil, nil, fmt.Errorf("read --npg: %w; give %s", err, specForms)
		}
		made.Graphs[role] = data
		record.Files = append(record.Files, fileOf(paths[i], data))
		record.Spec += filepath.Base(paths[i]) + ","
	}
	record.Spec += made.Limits.String()
	if o.FixedMean {
		record.Spec += ",fixed-mean"
	}
	return made, record, nil
}

// open makes the sessions of a bundle.
func (t NoiseTarget) open(ctx context.Context, made *bundle.Bundle, name string) (npg.Generator, error) {
	if !slices.Equal(made.Shape, t.Shape) {
		return nil, fault.Wrongf("read --npg %q: it was made for inputs of shape %v, and these have %v; use data of its shape, or train another", name, made.Shape, t.Shape)
	}
	opened, err := infer.Open(ctx, t.Runtime, made, t.Session)
	if err != nil {
		return nil, fmt.Errorf("read --npg %q: %w", name, err)
	}
	return opened, nil
}
