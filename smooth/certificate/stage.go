package certificate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ucan/smooth"
)

// The names of the two stages under the guarantee "selector", in their order.
const (
	stageSelector = "selector"
	stageSet      = "set"
)

// maxSets bounds the noises that a selector may choose among.
const maxSets = 1 << 10

// Stage is one of the two stages of the guarantee "selector" (smooth.Compose).
type Stage struct {
	// Name is "selector" for the first and "set" for the second.
	Name string `json:"name"`
	// Alpha is the stage's part of the failure probability.
	Alpha Float `json:"alpha"`
	// Model, Noise and Statistics are the selector's, whose classes are the sets. Those of the set
	// are the certificate's own.
	Model      *Model      `json:"model,omitempty"`
	Noise      *Noise      `json:"noise,omitempty"`
	Statistics *Statistics `json:"statistics,omitempty"`
	// Set is the number of the chosen set, counted from 0, and Sets are all of them: what the
	// service chooses among. Only the second stage has them.
	Set  *int  `json:"set,omitempty"`
	Sets []Set `json:"sets,omitempty"`
}

// Set is one of the noises that a selector chooses among, with its base classifier.
type Set struct {
	// Model is the SHA-256 of the base classifier's file.
	Model string `json:"model"`
	// Noise is the digest of what is sampled (Noise.Digest).
	Noise string `json:"noise"`
}

// Selection is what a certificate says of its selector beside the votes.
type Selection struct {
	// Model is the selector; Noise is the noise that it is smoothed with.
	Model Model
	Noise *smooth.SealedNoise
	// Sets are what it chooses among, one for each of its classes, and Set is the chosen one.
	Sets []Set
	Set  int
}

// Digest identifies what is sampled: the family, its parameters and scale, the fields, the basis
// and the arithmetic, whatever made them.
func (n *Noise) Digest() (string, error) {
	text, err := json.Marshal([]any{n.Family, n.Parameters, n.Lambda, n.Basis, n.MuField.Digest(), n.SigmaField.Digest(), n.Arithmetic})
	if err != nil {
		return "", fmt.Errorf("certificate: digest the noise: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// DigestOf is Noise.Digest of the noise that a certificate would describe.
func DigestOf(s *smooth.SealedNoise) (string, error) {
	n := describeNoise(s, nil)
	return n.Digest()
}

// Samples is the number of samples drawn for the certificate, over all phases and stages.
func (c *Certificate) Samples() int64 {
	n := c.Statistics.N0 + c.Statistics.N
	for _, s := range c.Stages {
		if s.Statistics != nil {
			n += s.Statistics.N0 + s.Statistics.N
		}
	}
	return n
}

// SelectorAlone returns a certificate of the selector's stage alone, as the classifier of sets that
// it is: its model, noise and statistics, for the same input. It has no id and no regions.
func (c *Certificate) SelectorAlone() (*Certificate, error) {
	if len(c.Stages) == 0 || c.Stages[0].Model == nil || c.Stages[0].Noise == nil || c.Stages[0].Statistics == nil {
		return nil, errors.New("certificate: it has no selector")
	}
	first := c.Stages[0]
	alone := &Certificate{
		Schema: Schema, Guarantee: smooth.Deployed, Status: c.Status, Input: c.Input, Model: *first.Model, Noise: *first.Noise,
		Statistics: *first.Statistics, Predict: -1, Run: c.Run,
	}
	if first.Statistics.Selected != nil {
		alone.Predict = *first.Statistics.Selected
	}
	return alone, nil
}

// validate reports a selection that does not fit the chosen set's model and noise.
func (s *Selection) validate(dim int, chosen Model, noise *Noise) error {
	switch {
	case s.Noise == nil || s.Noise.Dim() != dim:
		return fmt.Errorf("certificate: the selector's noise is not of %d coordinates", dim)
	case s.Noise.Via() != s.Noise.Noise().Norm:
		return fmt.Errorf("certificate: the selector's noise is asked for in %s; its theorem's norm is %s", s.Noise.Noise().Norm, s.Noise.Via())
	case string(s.Noise.Arithmetic()) != noise.Arithmetic:
		return fmt.Errorf("certificate: the selector's noise is in %s arithmetic and the set's in %s", s.Noise.Arithmetic(), noise.Arithmetic)
	case !knownDecision(s.Model.Decision):
		return fmt.Errorf("certificate: decision %.60q of the selector; it must be %s", s.Model.Decision, decisions)
	case s.Model.Classes != len(s.Sets):
		return fmt.Errorf("certificate: a selector of %d classes for %d sets", s.Model.Classes, len(s.Sets))
	}
	return checkSet(s.Sets, s.Set, chosen, noise)
}

// checkSet reports a chosen set that is not the given model under the given noise.
func checkSet(sets []Set, set int, chosen Model, noise *Noise) error {
	if set < 0 || set >= len(sets) {
		return fmt.Errorf("certificate: set %d of %d", set, len(sets))
	}
	digest, err := noise.Digest()
	if err != nil {
		return err
	}
	if at := sets[set]; at.Model != chosen.SHA256 || at.Noise != digest {
		return fmt.Errorf("certificate: set %d is model %.12s under noise %.12s, and the certificate's are %.12s and %.12s", set, at.Model, at.Noise, chosen.SHA256, digest)
	}
	return nil
}

// stages are the stages of a result of smooth.Compose.
func (s *Selection) stages(result smooth.Certification) []Stage {
	model, noise := s.Model, describeNoise(s.Noise, nil)
	if model.Preprocessing == nil {
		model.Preprocessing = []byte("{}")
	}
	statistics := describeStatistics(s.Noise, *result.Selector)
	set := s.Set
	return []Stage{
		{Name: stageSelector, Alpha: Float(result.Selector.Alpha), Model: &model, Noise: &noise, Statistics: &statistics},
		{Name: stageSet, Alpha: Float(result.StageAlpha), Set: &set, Sets: s.Sets},
	}
}

// validateStages checks the form of the stages.
func (c *Certificate) validateStages() error {
	if len(c.Stages) != 2 || c.Stages[0].Name != stageSelector || c.Stages[1].Name != stageSet {
		return fmt.Errorf("certificate: the stages are not %q and %q", stageSelector, stageSet)
	}
	first, second := &c.Stages[0], &c.Stages[1]
	switch {
	case first.Model == nil || first.Noise == nil || first.Statistics == nil || first.Set != nil || first.Sets != nil:
		return errors.New("certificate: the selector's stage has a model, a noise and statistics, and nothing else")
	case second.Model != nil || second.Noise != nil || second.Statistics != nil || second.Set == nil:
		return errors.New("certificate: the stage of the set has the set's number and all sets, and nothing else")
	case len(second.Sets) < 1 || len(second.Sets) > maxSets:
		return fmt.Errorf("certificate: %d sets; at least 1 and at most %d", len(second.Sets), maxSets)
	case first.Model.Classes != len(second.Sets):
		return fmt.Errorf("certificate: a selector of %d classes for %d sets", first.Model.Classes, len(second.Sets))
	case !isHash(first.Model.SHA256) || first.Model.Denoiser != nil && !isHash(first.Model.Denoiser.SHA256):
		return errors.New("certificate: the selector's hash is not a SHA-256 in hexadecimal")
	case !strings.HasPrefix(strings.TrimSpace(string(first.Model.Preprocessing)), "{"):
		return errors.New("certificate: the selector's preprocessing is not an object")
	case first.Alpha != first.Statistics.Alpha:
		return errors.New("certificate: the selector's alpha is not that of its statistics")
	case !(second.Alpha > 0 && second.Alpha < 1):
		return fmt.Errorf("certificate: alpha %v of the set is not between 0 and 1", float64(second.Alpha))
	case first.Noise.NPG != nil || first.Noise.SigmaField != nil || first.Noise.MuField != nil || first.Noise.Basis != nil:
		return errors.New("certificate: the selector's noise is not isotropic")
	}
	for _, s := range second.Sets {
		if !isHash(s.Model) || !isHash(s.Noise) {
			return errors.New("certificate: a set whose model or noise has no SHA-256 in hexadecimal")
		}
	}
	return first.Statistics.validate()
}

// rederiveStages repeats the statistics of both stages, and composes them.
func (c *Certificate) rederiveStages(x *Checker, noise *smooth.SealedNoise) (smooth.Certification, []Stage, error) {
	var none smooth.Certification
	first, second := &c.Stages[0], &c.Stages[1]
	own, err := x.noise(first.Noise, c.Input.Dim())
	if err != nil {
		return none, nil, fmt.Errorf("the selector's noise: %w", err)
	}
	selector, err := first.Statistics.conclude(own, first.Model.Classes, -1, x.tables)
	if err != nil {
		return none, nil, fmt.Errorf("the selector's statistics: %w", err)
	}
	if selector.Converted {
		return none, nil, fmt.Errorf("the selector's noise is asked for in %s; its theorem's norm is %s", selector.Norm, selector.Via)
	}
	// The set is chosen by the selection samples, whether or not their class can be certified.
	set := 0
	if selector.HasClass {
		set = selector.Class
	}
	var chosen smooth.Certification
	if selector.Abstained {
		chosen = noise.Unsampled(c.Model.Classes, float64(second.Alpha))
	} else {
		statistics := c.Statistics
		statistics.Alpha = second.Alpha
		if chosen, err = statistics.conclude(noise, c.Model.Classes, c.Input.Label, x.tables); err != nil {
			return none, nil, err
		}
	}
	result, err := smooth.Compose(selector, chosen)
	if err != nil {
		return none, nil, err
	}
	s := Selection{Model: *first.Model, Noise: own, Sets: second.Sets, Set: set}
	if err := s.validate(c.Input.Dim(), c.Model, &c.Noise); err != nil {
		return none, nil, err
	}
	return result, s.stages(result), nil
}

// claimStages is claims for the selector's stage.
func (k *checker) claimStages(c *Certificate) {
	if len(c.Stages) == 0 || c.Stages[0].Statistics == nil || c.Stages[0].Model == nil {
		return
	}
	s := c.Stages[0].Statistics
	if s.N0 > 0 && s.Selection == nil && s.Selected != nil {
		k.add("stages.0.statistics.selection", absent, fmt.Sprintf("the votes among %d selection samples, without which the set cannot be checked", s.N0))
	}
	if d := c.Stages[0].Model.Decision; !knownDecision(d) {
		k.add("stages.0.model.decision", d, decisions)
	}
}

// ofStage is the path of a member of the selector's stage as that of the same member of a
// certificate.
func ofStage(path string) string { return strings.TrimPrefix(path, "stages.0.") }

// adaptiveStage reports whether a stage stopped when an input was clear.
func adaptiveStage(stages []Stage) bool {
	return slices.ContainsFunc(stages, func(s Stage) bool { return s.Statistics != nil && s.Statistics.AdaptiveStatistics != nil })
}

// shareAlpha returns the stages with alpha shared equally.
func shareAlpha(stages []Stage, alpha float64) []Stage {
	out := slices.Clone(stages)
	for i := range out {
		out[i].Alpha = Float(alpha / 2)
		if s := out[i].Statistics; s != nil {
			own := *s
			own.Alpha = out[i].Alpha
			out[i].Statistics = &own
		}
	}
	return out
}
