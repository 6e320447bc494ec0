package certificate

import (
	"fmt"
	"slices"

	"ucan/smooth"
)

// Kind is how a generator makes noise parameters.
type Kind string

// The kinds of generators.
const (
	// KindPattern is a formula of the position, which Spec gives.
	KindPattern Kind = "pattern"
	// KindDataset is one field of a bundle for all inputs.
	KindDataset Kind = "dataset"
	// KindField is one field of an array file for all inputs.
	KindField Kind = "field"
	// KindCertification are networks that read the input.
	KindCertification Kind = "certification"
	// KindPerInput are fields that were optimised for each input.
	KindPerInput Kind = "per-input"
	// KindLipschitz is one field times a scale that follows the input slowly.
	KindLipschitz Kind = "lipschitz"
)

// kinds lists all of them.
var kinds = []Kind{KindPattern, KindDataset, KindField, KindCertification, KindPerInput, KindLipschitz}

// Guarantee returns what certificates with noise of the kind hold for: Deployed for noise that was
// fixed before any input was seen, ByLipschitz for the kind of that name, Pinned for all other
// noise.
func (k Kind) Guarantee() smooth.Guarantee {
	switch k {
	case KindPattern, KindDataset, KindField:
		return smooth.Deployed
	case KindLipschitz:
		return smooth.ByLipschitz
	}
	return smooth.Pinned
}

// validate reports a record that no generator has.
func (n *NPG) validate() error {
	if n == nil {
		return nil
	}
	if !slices.Contains(kinds, n.Kind) {
		return fmt.Errorf("certificate: unknown kind %.60q of noise", string(n.Kind))
	}
	if n.Lipschitz != nil {
		if n.Kind != KindLipschitz {
			return fmt.Errorf("certificate: noise of kind %q with the scale of kind %q", n.Kind, KindLipschitz)
		}
		if err := n.Lipschitz.validate(); err != nil {
			return err
		}
	}
	for _, f := range n.Files {
		if !isHash(f.SHA256) {
			return fmt.Errorf("certificate: the file %.60q of the generator has no SHA-256 in hexadecimal", f.Name)
		}
	}
	return nil
}

// suits reports a guarantee that noise of this generator, or without one, does not have.
func (n *NPG) suits(g smooth.Guarantee) error {
	if err := n.validate(); err != nil {
		return err
	}
	has, noise := smooth.Deployed, "without a generator"
	if n != nil {
		has, noise = n.Kind.Guarantee(), fmt.Sprintf("of kind %q", n.Kind)
	}
	if g == smooth.BySelector && has != smooth.Deployed {
		return fmt.Errorf("certificate: noise %s is made for each input, and a selector chooses among noises that were fixed before", noise)
	}
	if (g == smooth.Deployed || g == smooth.Pinned || g == smooth.ByLipschitz || has == smooth.ByLipschitz) && g != has {
		return fmt.Errorf("certificate: noise %s has the guarantee %q and not %q", noise, has, g)
	}
	return nil
}

// limited reports numbers of coordinates at the generator's floor and ceiling that the
// scales contradict. A generator counts every coordinate that ends at a limit, so the
// number is that of the least or the largest scale, or 0 where no scale ends there.
// The lattice rounds scales afterwards, and may bring others to the same level.
func (n *NPG) limited(noise *smooth.SealedNoise) error {
	if n == nil {
		return nil
	}
	sigma := noise.Noise().Sigma()
	if len(sigma) == 0 {
		if n.Floored != 0 || n.Ceiled != 0 {
			return fmt.Errorf("certificate: %d scales at the floor and %d at the ceiling, and the noise has no scale field", n.Floored, n.Ceiled)
		}
		return nil
	}
	lattice := noise.Arithmetic() == smooth.Lattice
	for _, limit := range []struct {
		name   string
		at     float32
		stored int
	}{{"floor", slices.Min(sigma), n.Floored}, {"ceiling", slices.Max(sigma), n.Ceiled}} {
		most := 0
		for _, s := range sigma {
			if s == limit.at {
				most++
			}
		}
		if limit.stored < 0 || limit.stored > most || limit.stored > 0 && limit.stored < most && !lattice {
			return fmt.Errorf("certificate: %d scales at the generator's %s, and %d have the value nearest to it", limit.stored, limit.name, most)
		}
	}
	return nil
}
