package smooth

import (
	"context"
	"fmt"

	"ucan/smooth/sequential"
	"ucan/smooth/stream"
)

// TwoStageN are the settings of a two-stage certificate: a pilot chooses the class and
// the number of fresh samples. The radius is continuous, as with a fixed n, and takes
// fewer samples.
type TwoStageN struct {
	sequential.TwoStage
	// Alpha is the failure probability, in (0, 1).
	Alpha float64
}

// CertifyTwoStage certifies input x at a number of samples that a pilot decides
// (package sequential, TwoStage). The pilot's samples are of phase Select and are
// never counted in the bound, so the guarantee is that of Certify. Errors are
// those of Certify, and settings out of range.
func (s *Smoother) CertifyTwoStage(ctx context.Context, x []float32, id [32]byte, noise *SealedNoise, c TwoStageN) (Certification, error) {
	if err := validateAlpha(c.Alpha); err != nil {
		return Certification{}, err
	}
	if _, err := c.Size(0); err != nil {
		return Certification{}, fmt.Errorf("smooth: %w", err)
	}
	pilot, err := s.Sample(ctx, x, id, noise, stream.Select, 0, uint64(c.Pilot))
	if err != nil {
		return Certification{}, err
	}
	n, err := c.size(pilot)
	if err != nil {
		return Certification{}, err
	}
	estimation, err := s.Sample(ctx, x, id, noise, stream.Estimate, 0, uint64(n))
	if err != nil {
		return Certification{}, err
	}
	return noise.ConcludeTwoStage(pilot, estimation, c)
}

// size returns the number of fresh samples after the pilot; one without a vote
// counts as a failure.
func (c TwoStageN) size(pilot Counts) (int64, error) {
	_, votes, _ := pilot.Top()
	n, err := c.Size(pilot.N - votes)
	if err != nil {
		return 0, fmt.Errorf("smooth: %w", err)
	}
	return n, nil
}

// ConcludeTwoStage is Conclude for the votes of a pilot and of the fresh samples.
// It returns an error when their number is not the one that the pilot decides.
func (s *SealedNoise) ConcludeTwoStage(pilot, estimation Counts, c TwoStageN) (Certification, error) {
	if pilot.N != c.Pilot {
		return Certification{}, fmt.Errorf("smooth: pilot of %d samples where %d were planned", pilot.N, c.Pilot)
	}
	n, err := c.size(pilot)
	if err != nil {
		return Certification{}, err
	}
	if estimation.N != n {
		return Certification{}, fmt.Errorf("smooth: %d fresh samples where the pilot decides for %d", estimation.N, n)
	}
	r, err := s.Conclude(pilot, estimation, c.Alpha, OneBound)
	if err != nil {
		return Certification{}, err
	}
	r.Method, r.TwoStage = MethodTwoStage, &c.TwoStage
	return r, nil
}
