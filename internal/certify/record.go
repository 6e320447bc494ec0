package certify

import (
	"context"
	"fmt"
	goruntime "runtime"

	"ucan/internal/results"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// Record is what a run on the setup records beside its results, under noise or, where that is nil,
// without. The caller adds the settings of its own command. A resumed run must have the same
// configuration and hashes.
func (s *Setup) Record(ctx context.Context, command string, noise *NoiseSource) results.Run {
	run := results.Run{
		Command: command,
		Configuration: map[string]any{
			"source": s.Info.Name, "shape": s.Info.Shape,
			"provider": s.Model.Provider(), "onnxruntime": s.Runtime.Version(),
			"batch": s.Setting.Batch, "intra_op": s.Setting.IntraOp,
		},
		Hashes: map[string]string{"model": s.Model.SHA256(), "source": s.Info.Fingerprint},
		Environment: map[string]any{
			"onnxruntime": s.Runtime.Version(), "provider": s.Model.Provider(),
			"platform": goruntime.GOOS + "/" + goruntime.GOARCH, "setting": s.Setting,
		},
	}
	// What images are resized to is no property of the files, and does not show in the shape where
	// they are cropped too.
	if s.Info.Resize > 0 {
		run.Configuration["resize"] = s.Info.Resize
	}
	if s.Info.Crop > 0 {
		run.Configuration["crop"] = s.Info.Crop
	}
	if s.Rows != nil {
		run.Environment["rows_checked"] = s.Rows
	}
	if noise != nil {
		run.Configuration["noise"] = noise.describe()
		noise.addHashes(ctx, run.Hashes)
	}
	return run
}

// describe is the noise as runs record it: the generator by what certificates say of it, without
// any path.
func (m *NoiseSource) describe() map[string]any {
	spec := ""
	if m.NPG != nil {
		spec = m.NPG.Spec
	}
	return map[string]any{
		"family": m.Family.Name(), "parameters": m.Family.Params(), "norm": m.Norm.String(),
		"lambda": m.Lambda, "npg": spec, "arithmetic": m.Arithmetic,
	}
}

// addHashes adds the digests of a generator's files, and of fields that all inputs share.
func (m *NoiseSource) addHashes(ctx context.Context, hashes map[string]string) {
	if m.NPG != nil {
		for i, f := range m.NPG.Files {
			name := "npg:" + f.Name
			if _, taken := hashes[name]; taken { // a file of μ and one of σ may bear one name, in two folders
				name = fmt.Sprintf("npg:%d:%s", i, f.Name)
			}
			hashes[name] = f.SHA256
		}
	}
	if m.Guarantee() != smooth.Deployed {
		return
	}
	sealed, err := m.Seal(ctx, nil)
	if err != nil {
		return // certifying gives the error
	}
	n := sealed.Noise()
	for name, field := range map[string][]float32{"mu_field": n.Mu(), "sigma_field": n.Sigma()} {
		if field != nil {
			hashes[name] = certificate.NewField(field).SHA256
		}
	}
}
