package cell

import (
	"ucan/internal/certify"
	"ucan/internal/zoo/matrix"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/smooth/sequential"
)

// Noise turns a setting into what package certify takes; the paths of a generator are those of the
// setting's NPG.
func Noise(s *matrix.Setting) (certify.Noise, error) {
	f, err := family.New(s.Family, s.Params)
	if err != nil {
		return certify.Noise{}, err
	}
	norm, err := family.ParseNorm(s.Norm)
	if err != nil {
		return certify.Noise{}, err
	}
	arithmetic, err := smooth.ParseArithmetic(s.Arithmetic)
	return certify.Noise{Family: f, Norm: norm, Sigma: s.Sigma, Lambda: s.Lambda, NPG: s.NPG, Arithmetic: arithmetic}, err
}

// Statistics turns a model's statistics into what package certify takes, with alpha shared among so
// many inputs where the run asks for that.
func Statistics(s matrix.Statistics, inputs int) (certify.Statistics, error) {
	bound, err := smooth.ParseBound(s.Bound)
	if err != nil {
		return certify.Statistics{}, err
	}
	out := certify.Statistics{N0: s.N0, N: s.N, Alpha: s.Alpha, Bound: bound, Joint: s.Joint, LabelAware: s.LabelAware, Grid: s.Grid}
	if s.Adaptive != "" {
		profile, err := sequential.ParseProfile(s.Adaptive)
		if err != nil {
			return certify.Statistics{}, err
		}
		profile = profile.WithCap(s.N)
		out.Profile = &profile
	}
	return out.Share(int64(inputs))
}

// providers turns the providers of a run into those of a session.
func providers(list []matrix.Provider) []runtime.Provider {
	out := make([]runtime.Provider, len(list))
	for i, p := range list {
		out[i] = runtime.Provider{Name: p.Name, Options: p.Options}
	}
	return out
}
