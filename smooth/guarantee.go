package smooth

import (
	"fmt"
	"strings"
)

// Guarantee is what a certificate holds for. It depends on when the noise parameters were made.
// Certificates of different guarantees must not be averaged into one figure without saying so.
type Guarantee string

// The guarantees.
const (
	// Deployed noise was fixed before the input was seen (UCAN, Theorem 2).
	Deployed Guarantee = "deployed"
	// Pinned noise was made once from the clean x (UCAN, Theorem 7).
	Pinned Guarantee = "pinned"
	// BySelector noise is one of K fixed noises, which an isotropic certified selector picks; the
	// region is an intersection ([Compose]).
	BySelector Guarantee = "selector"
	// ByAdaptation noise is remade for every sample from a noised first query. In flags and reports
	// it is called two-query, since "adaptive" there means sampling that stops early.
	ByAdaptation Guarantee = "adaptive"
	// ByLipschitz noise has scales σ(x) that vary slowly by construction.
	ByLipschitz Guarantee = "lipschitz"
	// ByRegistry noise is stored, in a frozen registry of disjoint regions.
	ByRegistry Guarantee = "registry"
	// NoGuarantee promises nothing: the answer to a query outside a registry.
	NoGuarantee Guarantee = "none"
)

// Guarantees lists all of them but [NoGuarantee], which nothing can be asked to give.
func Guarantees() []Guarantee {
	return []Guarantee{Deployed, Pinned, BySelector, ByAdaptation, ByLipschitz, ByRegistry}
}

// Known reports whether g is one of the guarantees above.
func (g Guarantee) Known() bool { return g.Sentence() != "" }

// InService reports whether certificates hold for a service that remakes its noise, as far as it
// depends on the request, from each request that it gets.
func (g Guarantee) InService() bool { return g.Known() && g != Pinned && g != NoGuarantee }

// Sentence says in plain words what certificates of the guarantee hold for; "" for an unknown one.
func (g Guarantee) Sentence() string {
	switch g {
	case Deployed:
		return "holds for the running smoothed classifier"
	case Pinned:
		return "holds for a verifier who replays the stored noise; no guarantee for a service that recomputes the noise from each request"
	case BySelector:
		return "holds for the running service, whose certified selector picks one of its fixed noises for each request"
	case ByAdaptation:
		return "holds for the running service, which makes the noise of every sample from a noisy first query of it (two-query)"
	case ByLipschitz:
		return "holds for the running service, whose scales vary slowly with the request by construction"
	case ByRegistry:
		return "holds for the running service with this registry, for the inputs stored in it"
	case NoGuarantee:
		return "promises nothing"
	}
	return ""
}

// ParseGuarantee is the inverse of the conversion to text.
func ParseGuarantee(name string) (Guarantee, error) {
	names := make([]string, 0, len(Guarantees()))
	for _, g := range Guarantees() {
		if string(g) == name {
			return g, nil
		}
		names = append(names, string(g))
	}
	return "", fmt.Errorf("smooth: unknown guarantee %.60q; the guarantees are %s", name, strings.Join(names, ", "))
}
