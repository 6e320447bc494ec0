package cell

import (
	"ucan/internal/dataset"
	"ucan/internal/workbench"
	"ucan/internal/zoo/matrix"
	"ucan/models"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/smooth/sequential"
)

// Noise turns a setting into what the workbench takes; the paths of a generator are those of the setting's NPG.
func Noise(s *matrix.Setting) (workbench.Noise, error) {
	f, err := family.New(s.Family, s.Params)
	if err != nil {
		return workbench.Noise{}, err
	}
	norm, err := family.ParseNorm(s.Norm)
	if err != nil {
		return workbench.Noise{}, err
	}
	arithmetic, err := smooth.ParseArithmetic(s.Arithmetic)
	return workbench.Noise{Family: f, Norm: norm, Sigma: s.Sigma, Lambda: s.Lambda, NPG: s.NPG, Arithmetic: arithmetic}, err
}

// Statistics turns a model's statistics into what the workbench takes; alpha is not shared yet.
func Statistics(s matrix.Statistics) (workbench.Statistics, error) {
	bound, err := smooth.ParseBound(s.Bound)
	if err != nil {
		return workbench.Statistics{}, err
	}
	w := workbench.Statistics{N0: s.N0, N: s.N, Alpha: s.Alpha, Bound: bound, Joint: s.Joint, LabelAware: s.LabelAware, Grid: s.Grid}
	if s.Adaptive != "" {
		profile, err := sequential.ParseProfile(s.Adaptive)
		if err != nil {
			return workbench.Statistics{}, err
		}
		profile = profile.WithCap(s.N)
		w.Profile = &profile
	}
	return w, nil
}

// DataOptions say how a data source is opened for a model: what the model declares about resizing counts where the data
// source says nothing.
func DataOptions(d *matrix.Dataset, declared models.Declaration) dataset.Options {
	o := dataset.Options{Resize: d.Resize, Crop: d.Crop, LabelMap: d.LabelMap}
	if o.Resize == 0 {
		o.Resize = declared.Input.Resize
	}
	if o.Crop == 0 {
		o.Crop = declared.Input.Crop
	}
	return o
}

// Providers turns the providers of a run into those of a session.
func Providers(list []matrix.Provider) []runtime.Provider {
	out := make([]runtime.Provider, len(list))
	for i, p := range list {
		out[i] = runtime.Provider{Name: p.Name, Options: p.Options}
	}
	return out
}
