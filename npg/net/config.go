package net

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"ucan/npg"
)

// Basis is the orthonormal basis that the scale field lives in.
type Basis string

// The bases: of pixels, and of the two-dimensional discrete cosine transform of every channel.
const (
	Pixel Basis = "pixel"
	DCT   Basis = "dct"
)

// Hold says which mean of s is kept.
type Hold string

// The means that can be kept.
const (
	HoldNothing Hold = "none"
	// HoldMean keeps the arithmetic mean of s over the coordinates.
	HoldMean Hold = "mean"
	// HoldLogMean keeps the geometric mean (∏ s_i)^(1/d), which the ALM radius is proportional to.
	HoldLogMean Hold = "logmean"
)

// Config describes a generator. Begin with [DefaultConfig].
type Config struct {
	// Kind is the structure.
	Kind npg.Kind
	// Basis is that of the scale field; the certification-wise generator knows pixels only.
	Basis Basis
	// Shape is that of one input in the source's layout: [C, H, W] for [npg.KindCertification] and
	// [DCT], else any.
	Shape []int
	// Floor and Ceiling bound s: 0 < Floor < Ceiling, both finite.
	Floor, Ceiling float64
	// Start is s at the beginning, strictly between the bounds.
	Start float64
	// Hold keeps a mean of s at Start.
	Hold Hold
	// MuScale is c ≥ 0: |μ| ≤ c in every coordinate. 0 fixes the mean: μ = 0 and there is no
	// network for it.
	MuScale float64
	// Seed makes the first weights.
	Seed uint64
}

// DefaultConfig is a certification-wise generator with s from 0.05 to 1, beginning at 0.25, and no
// offset.
func DefaultConfig() Config {
	return Config{Kind: npg.KindCertification, Basis: Pixel, Floor: 0.05, Ceiling: 1, Start: 0.25, Hold: HoldNothing}
}

// Validate reports every fault in one line.
func (c Config) Validate() error {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	switch c.Kind {
	case npg.KindPattern, npg.KindDataset, npg.KindCertification:
	default:
		fault("unknown kind %q: use %s, %s or %s", c.Kind, npg.KindPattern, npg.KindDataset, npg.KindCertification)
	}
	if c.Basis != Pixel && c.Basis != DCT {
		fault("unknown basis %q: use %s or %s", c.Basis, Pixel, DCT)
	}
	images := len(c.Shape) == 3
	for _, d := range c.Shape {
		if d < 1 {
			fault("the shape %v is empty", c.Shape)
			break
		}
	}
	switch {
	case len(c.Shape) == 0:
		fault("no shape of the inputs is given")
	case c.Kind == npg.KindCertification && c.Basis == DCT:
		fault("the certification-wise generator makes s in pixels; use the basis %s, or the kind %s", Pixel, npg.KindDataset)
	case (c.Kind != npg.KindDataset || c.Basis == DCT) && !images:
		fault("inputs of shape %v are not images [C, H, W]; use the kind %s in the basis %s", c.Shape, npg.KindDataset, Pixel)
	}
	if !(c.Floor > 0) || !(c.Ceiling > c.Floor) || math.IsInf(c.Ceiling, 0) {
		fault("floor %v and ceiling %v are out of range: give 0 < floor < ceiling", c.Floor, c.Ceiling)
	} else if !(c.Start > c.Floor && c.Start < c.Ceiling) {
		fault("the scale cannot start at %v; give a value between the floor %v and the ceiling %v", c.Start, c.Floor, c.Ceiling)
	}
	if c.Hold != HoldNothing && c.Hold != HoldMean && c.Hold != HoldLogMean {
		fault("unknown mean to hold %q: use %s, %s or %s", c.Hold, HoldNothing, HoldMean, HoldLogMean)
	}
	if !(c.MuScale >= 0) || math.IsInf(c.MuScale, 0) {
		fault("mu scale %v is out of range: give 0 (no offset) or more", c.MuScale)
	}
	if c.Kind == npg.KindPattern && c.MuScale > 0 {
		fault("a pattern has no offset; leave the mean fixed")
	}
	if len(faults) == 0 {
		return nil
	}
	return errors.New("generator: " + strings.Join(faults, "; "))
}

// Dim is the number of coordinates of one input.
func (c Config) Dim() int { return npg.Dim(c.Shape) }
