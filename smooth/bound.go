package smooth

import "fmt"

// Bound says what a certificate knows of the classes beside the certified one.
type Bound uint8

// The bounds.
const (
	// OneBound bounds p_A from below and takes p_B ≤ 1 − p_A: the certificate
	// abstains unless p_A > 1/2.
	OneBound Bound = iota
	// TwoBounds bounds p_A from below and every other class from above, jointly at
	// α (Bonferroni over all classes, stats.Bonferroni). It gains when the rest of
	// the votes is spread over many classes, loses a little otherwise, and needs a
	// family that implements family.TwoBounds.
	TwoBounds
)

// String returns "one" or "two".
func (b Bound) String() string {
	switch b {
	case OneBound:
		return "one"
	case TwoBounds:
		return "two"
	}
	return fmt.Sprintf("bound(%d)", uint8(b))
}

// ParseBound reads "one" or "two".
func ParseBound(s string) (Bound, error) {
	switch s {
	case "one":
		return OneBound, nil
	case "two":
		return TwoBounds, nil
	}
	return 0, fmt.Errorf("smooth: unknown bound %q; use one or two", s)
}

func (b Bound) validate() error {
	if b > TwoBounds {
		return fmt.Errorf("smooth: unknown bound %d; use OneBound or TwoBounds", uint8(b))
	}
	return nil
}
