package family

import (
	"fmt"
	"strings"
)

// Norm is an ℓp norm of perturbations: ℓ1, ℓ2 or ℓ∞. The zero value is none of
// them.
type Norm uint8

// The norms that certified radii are measured in.
const (
	L1   Norm = 1
	L2   Norm = 2
	LInf Norm = 3
)

// String returns "l1", "l2" or "linf" ("norm(N)" for anything else).
func (n Norm) String() string {
	switch n {
	case L1:
		return "l1"
	case L2:
		return "l2"
	case LInf:
		return "linf"
	}
	return fmt.Sprintf("norm(%d)", uint8(n))
}

// ParseNorm reads a norm in any case: "l1", "l2", "linf", or "1", "2", "inf".
func ParseNorm(s string) (Norm, error) {
	switch strings.TrimPrefix(strings.ToLower(s), "l") {
	case "1":
		return L1, nil
	case "2":
		return L2, nil
	case "inf":
		return LInf, nil
	}
	return 0, fmt.Errorf("unknown norm %q; use l1, l2 or linf", s)
}
