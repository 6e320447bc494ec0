package certificate

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"ucan/smooth"
)

// maxClasses bounds the classes a certificate may declare, so that counts of a
// hostile one allocate little.
const maxClasses = 1 << 22

// validate checks the form of a parsed certificate: ranges that computations rely
// on, not the truth of the claims.
func (c *Certificate) validate() error {
	switch {
	case !isHash(c.ID):
		return errors.New("certificate: id is not a SHA-256 in hexadecimal")
	case !c.Guarantee.Known():
		return fmt.Errorf("certificate: unknown guarantee %.60q", string(c.Guarantee))
	case c.Status != Certified && c.Status != Abstained && c.Status != Failed:
		return fmt.Errorf("certificate: unknown status %.60q", string(c.Status))
	case c.Input.Index < 0:
		return fmt.Errorf("certificate: input index %d", c.Input.Index)
	case len(c.Input.Shape) > 8:
		return fmt.Errorf("certificate: input of %d axes", len(c.Input.Shape))
	case c.Input.Box != nil && c.Input.Box.region().Check() != nil:
		return fmt.Errorf("certificate: input.box: %w", c.Input.Box.region().Check())
	case c.Status != Failed && c.Input.Dim() < 1:
		return fmt.Errorf("certificate: input shape %v is empty or too large", c.Input.Shape)
	case c.Status != Failed && !isHash(c.Input.SHA256):
		return errors.New("certificate: input.sha256 is not a SHA-256 in hexadecimal")
	case c.Status != Failed && (c.Model.Classes < 1 || c.Model.Classes > maxClasses):
		return fmt.Errorf("certificate: %d classes", c.Model.Classes)
	case !bytes.HasPrefix(bytes.TrimSpace(c.Model.Preprocessing), []byte("{")):
		return errors.New("certificate: model.preprocessing is not an object")
	case c.Input.Label < -1:
		return fmt.Errorf("certificate: label %d; an unknown one is -1", c.Input.Label)
	case len(c.Stages) > 0 && (c.Guarantee != smooth.BySelector || c.Status == Failed):
		return fmt.Errorf("certificate: stages under guarantee %q and status %q", c.Guarantee, c.Status)
	case c.Status != Failed && !isHash(c.Model.SHA256):
		return errors.New("certificate: model.sha256 is not a SHA-256 in hexadecimal")
	case c.Model.Denoiser != nil && !isHash(c.Model.Denoiser.SHA256):
		return errors.New("certificate: model.denoiser.sha256 is not a SHA-256 in hexadecimal")
	case !slices.Contains([]string{"l1", "l2", "linf"}, c.Noise.Norm) && (c.Status != Failed || c.Noise.Norm != ""): // earlier versions left it out
		return fmt.Errorf("certificate: norm %.60q is none of l1, l2, linf", c.Noise.Norm)
	case c.Status == Failed && c.Error == "":
		return errors.New("certificate: failed without an error")
	case c.Status != Failed && c.Error != "":
		return errors.New("certificate: an error, though it did not fail")
	}
	if err := c.Noise.NPG.suits(c.Guarantee); err != nil {
		return err
	}
	if c.Status == Failed {
		return nil
	}
	if err := c.Statistics.validate(); err != nil {
		return err
	}
	if c.Guarantee == smooth.BySelector {
		return c.validateStages()
	}
	return nil
}

func (s *Statistics) validate() error {
	switch {
	case !slices.Contains([]smooth.Method{smooth.MethodFixed, smooth.MethodAdaptive, smooth.MethodTwoStage}, smooth.Method(s.Method)):
		return fmt.Errorf("certificate: unknown method %.60q", s.Method)
	case (s.Method == string(smooth.MethodAdaptive)) != (s.AdaptiveStatistics != nil),
		(s.Method == string(smooth.MethodTwoStage)) != (s.TwoStage != nil):
		return fmt.Errorf("certificate: method %q with the members of another", s.Method)
	case !(s.Alpha > 0 && s.Alpha < 1):
		return fmt.Errorf("certificate: alpha %v is not between 0 and 1", float64(s.Alpha))
	case s.N < 0 || s.N > maxExact || s.N0 < 0 || s.N0 > maxExact:
		return fmt.Errorf("certificate: sample sizes %d and %d", s.N0, s.N)
	case s.K < 0 || s.K > s.N:
		return fmt.Errorf("certificate: k is %d of n %d", s.K, s.N)
	case !(s.PLower >= 0 && s.PLower < 1):
		return fmt.Errorf("certificate: p_lower %v is not in [0, 1)", float64(s.PLower))
	case s.Method != string(smooth.MethodFixed) && s.Bound != "":
		return fmt.Errorf("certificate: method %q has one bound", s.Method)
	case s.AdaptiveStatistics != nil:
		return s.AdaptiveStatistics.validate()
	}
	return nil
}

// decisions lists what Model.Decision may be: how a class is made of an output.
const decisions = "argmax, argmin, threshold, threshold:T or label"

func knownDecision(s string) bool {
	if value, ok := strings.CutPrefix(s, "threshold:"); ok {
		t, err := strconv.ParseFloat(value, 32)
		return err == nil && !math.IsNaN(t) && !math.IsInf(t, 0)
	}
	return slices.Contains([]string{"argmax", "argmin", "threshold", "label"}, s)
}
