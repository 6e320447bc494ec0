package declare

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxClasses bounds the number of classes: labels pass through float32 inside the
// graph, which holds every integer up to 2^24.
const MaxClasses = 1 << 24

// DecisionKind says how a class is made of a model's output.
type DecisionKind string

// The decisions.
const (
	// Argmax takes the class of the largest score.
	Argmax DecisionKind = "argmax"
	// Argmin takes the class of the smallest score.
	Argmin DecisionKind = "argmin"
	// Threshold takes class 1 where the only score is above T, class 0 where it is
	// below.
	Threshold DecisionKind = "threshold"
	// Label takes the integer that the model itself gives.
	Label DecisionKind = "label"
)

// Decision is how a class is made of a row of a model's output. A row gives no
// vote (−1) where a score is NaN, where the maximum (or minimum) is attained more
// than once, where the value equals T, or where the label is not a class.
type Decision struct {
	Kind DecisionKind
	// T is the threshold, meaningful for Threshold only; it is a float32.
	T float64
	// Default says that no T was given: 0.5 for probabilities, 0 for logits.
	Default bool
}

// ParseDecision reads argmax, argmin, label, threshold or threshold:T.
func ParseDecision(s string) (Decision, error) {
	kind, value, hasValue := strings.Cut(strings.ToLower(s), ":")
	switch k := DecisionKind(kind); k {
	case Argmax, Argmin, Label:
		if !hasValue {
			return Decision{Kind: k}, nil
		}
	case Threshold:
		if !hasValue {
			return Decision{Kind: k, Default: true}, nil
		}
		t, err := strconv.ParseFloat(value, 32)
		if err != nil || !finite(t) {
			return Decision{}, fmt.Errorf("threshold %q is not a finite number", value)
		}
		return Decision{Kind: k, T: t}, nil
	}
	return Decision{}, fmt.Errorf("unknown decision %q: use argmax, argmin, threshold, threshold:T or label", s)
}

// String returns what ParseDecision reads, with the threshold that is used.
func (d Decision) String() string {
	if d.Kind == Threshold {
		return "threshold:" + strconv.FormatFloat(d.T, 'g', -1, 32)
	}
	return string(d.Kind)
}
