package npg

import "ucan/smooth/certificate"

// Kind is how a generator makes noise parameters; certificates record it. It decides the guarantee
// (Kind.Guarantee).
type Kind = certificate.Kind

// The kinds of generators.
const (
	KindPattern       = certificate.KindPattern       // a formula of the position (UCAN, Eq. 12)
	KindDataset       = certificate.KindDataset       // one learned field for all inputs
	KindField         = certificate.KindField         // one field of an array file for all inputs
	KindCertification = certificate.KindCertification // networks that read the input
	KindPerInput      = certificate.KindPerInput      // fields optimised for each input
)
