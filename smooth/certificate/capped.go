package certificate

import (
	"fmt"

	"ucan/smooth/region"
)

// Box is the range of the data's values, [smallest, largest].
type Box [2]Float

// NewBox returns the box from low to high, which must be finite and rising.
func NewBox(low, high float64) (*Box, error) {
	b := &Box{Float(low), Float(high)}
	if err := b.region().Check(); err != nil {
		return nil, fmt.Errorf("certificate: range of the data: %w", err)
	}
	return b, nil
}

func (b *Box) region() region.Box { return region.Box{Low: float64(b[0]), High: float64(b[1])} }

// capVolume sets the measures of the regions that the data's range caps, where it is known.
func (c *Certificate) capVolume(regions region.Intersection) error {
	if c.Input.Box == nil {
		return nil
	}
	capped, err := regions.CappedALM(c.Input.Box.region())
	if err != nil {
		return fmt.Errorf("certificate: capped ALM: %w", err)
	}
	*c.ALMCapped, *c.CappedShare = Float(capped.ALM), Float(capped.Share)
	return nil
}

// storedRegions returns the recomputed regions with the radii that c stores. Radii of another build
// may differ in their last digits, and then an axis may lie at its cap for one of them alone: a
// share of axes must be counted with the radius that it stands beside. The radii themselves are
// compared for their own sake.
func (c *Certificate) storedRegions(recomputed region.Intersection) region.Intersection {
	if len(c.Regions) != len(recomputed) {
		return recomputed
	}
	stored := make(region.Intersection, len(recomputed))
	for i, r := range recomputed {
		r.R = float64(c.Regions[i].R)
		stored[i] = r
	}
	if stored.Check() != nil {
		return recomputed
	}
	return stored
}
