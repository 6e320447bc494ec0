package smooth

import (
	"fmt"

	"ucan/smooth/sequential"
)

// ExpectedSamples is the expected number of samples, those of the selection included, that the plan
// draws for an input whose tested class has probability pA in [0, 1]. It prices runs from a pilot,
// without drawing anything. A plan without selection samples is priced like one with them, which is
// right to a fraction of a percent.
func (p *AdaptivePlan) ExpectedSamples(pA float64) (float64, error) {
	plan := p.plan
	if plan.Mode == sequential.Leading {
		plan.Mode = sequential.Selected
	}
	e, err := sequential.Expect(plan, p.tables, pA)
	if err != nil {
		return 0, fmt.Errorf("smooth: %w", err)
	}
	return e.Samples + float64(p.cfg.N0), nil
}
