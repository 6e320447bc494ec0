package certify

import (
	"context"
	"fmt"
	"strings"

	"ucan/internal/results"
)

// Record adds to the record of a run what decides the certificates of a service with a selector.
func (c *Chooser) Record(ctx context.Context, run *results.Run) {
	var sets []map[string]any
	for i, s := range c.sets {
		d := s.noise.describe()
		d["model"], d["digest"] = s.model.SHA256, c.records[i].Noise
		sets = append(sets, d)
		hashes := map[string]string{}
		s.noise.addHashes(ctx, hashes)
		for name, hash := range hashes {
			run.Hashes[fmt.Sprintf("set:%d:%s", i, name)] = hash
		}
	}
	run.Configuration["noise"] = map[string]any{
		"selector": map[string]any{"sigma": c.sigma, "n": c.n, "preprocessing": c.selector.model.Preprocessing, "decision": c.selector.model.Decision},
		"sets":     sets,
	}
	run.Hashes["selector"] = c.selector.model.SHA256
}

// Samples is the number of the selector's estimation samples of an input, at most.
func (c *Chooser) Samples() int64 { return c.n }

// String says in one line what picks among what.
func (c *Chooser) String() string {
	names := make([]string, len(c.sets))
	for i, s := range c.sets {
		names[i] = fmt.Sprintf("%s λ = %g", s.noise.Family.Name(), s.noise.Lambda)
		if s.noise.NPG != nil {
			names[i] += ", " + s.noise.NPG.Spec
		}
		if s.setup.file != "" && s.model.Name != c.sets[0].model.Name {
			names[i] += " with " + s.model.Name
		}
	}
	return fmt.Sprintf("selector %s under σ = %g picks among %d noises: %s", c.selector.model.Name, c.sigma, len(c.sets), strings.Join(names, "; "))
}
