package smooth

// Guarantee is what a certificate holds for. It depends on when the noise parameters were made.
// Certificates of different guarantees must not be averaged into one figure without saying so.
type Guarantee string

// The guarantees. Only Deployed and Pinned have a theorem in this package; certificates of the
// others can be read.
const (
	// Deployed holds for the running smoothed classifier: its noise was fixed before the input was
	// seen (UCAN, Theorem 2).
	Deployed Guarantee = "deployed"
	// Pinned holds for a verifier who replays x + δ with exactly the stored noise, made once from
	// the clean x (UCAN, Theorem 7); not for a service that recomputes the noise from each request.
	Pinned Guarantee = "pinned"
	// BySelector holds for the running service whose isotropic certified selector picks one of K
	// fixed noises; the region is an intersection.
	BySelector Guarantee = "selector"
	// ByAdaptation holds for the running service whose noise is remade for every sample from a
	// noised first query.
	ByAdaptation Guarantee = "adaptive"
	// ByLipschitz holds for the running service whose σ(x) varies slowly by construction.
	ByLipschitz Guarantee = "lipschitz"
	// ByRegistry holds for the running service, for inputs in a frozen store of disjoint regions.
	ByRegistry Guarantee = "registry"
	// NoGuarantee promises nothing: the answer to a query outside a registry.
	NoGuarantee Guarantee = "none"
)

// Known reports whether g is one of the guarantees above.
func (g Guarantee) Known() bool {
	switch g {
	case Deployed, Pinned, BySelector, ByAdaptation, ByLipschitz, ByRegistry, NoGuarantee:
		return true
	}
	return false
}
