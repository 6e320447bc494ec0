package certificate

import (
	"fmt"

	"ucan/smooth"
)

// SealedNoise rebuilds the noise that the certificate speaks of, ready to sample, so that a
// verifier can repeat the Monte Carlo with exactly it. load reads fields outside the certificate
// and may be nil when there are none.
func (c *Certificate) SealedNoise(load Loader) (*smooth.SealedNoise, error) {
	noise, err := sealNoise(c.Noise, c.Input.Dim(), load)
	if err != nil {
		return nil, fmt.Errorf("rebuild the certificate's noise: %w", err)
	}
	return noise, nil
}
