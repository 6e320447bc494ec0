package certify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"ucan/models/denoise"
	"ucan/smooth"
)

// DenoiserWarning says what the record beside the model's denoiser has against the noise: that the
// denoiser was trained under other noise, or that the record is of another file. It is "" where
// there is nothing to say, no denoiser or no record. Certificates hold in any case.
func (s *Setup) DenoiserWarning(ctx context.Context, noise *NoiseSource) string {
	path := s.Model.Denoiser()
	if path == "" {
		return ""
	}
	r, err := denoise.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ""
	case err != nil:
		return err.Error() + "; certificates hold, and nothing is known of the noise that it is for"
	case r.SHA256 != s.Model.Preprocessing().Denoiser:
		return fmt.Sprintf("the record beside the denoiser %s is of another file; certificates hold, and nothing is known of the noise that it is for", s.Model.Report().Denoiser)
	}
	sealed, err := noise.Nominal(ctx)
	if err != nil {
		return "" // sealing the noise gives the error
	}
	under := denoise.NoiseOf(sealed, "")
	if noise.NPG != nil {
		under.NPG = noise.NPG.Spec
	}
	same := r.For(under)
	if noise.Guarantee() != smooth.Deployed { // every input has fields of its own
		same = r.Noise.Family == under.Family && r.Noise.Lambda == under.Lambda && r.Noise.NPG == under.NPG
	}
	if same {
		return ""
	}
	return fmt.Sprintf("the denoiser %s was trained under %s, which this run's is not (%s): its certificates hold, and may be far smaller than they could be", s.Model.Report().Denoiser, r.Noise, under)
}
