package certificate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"sync"

	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/smooth/lipschitz"
	"ucan/smooth/sequential"
)

// Finding is one stored value that is not what the rest of the certificate gives.
type Finding struct {
	// Field is the member's path, such as "regions.0.R".
	Field string
	// Stored and Recomputed are the two values as text; Recomputed may be the
	// reason why nothing can be recomputed.
	Stored, Recomputed string
}

// String returns "field: stored …, recomputed …".
func (f Finding) String() string {
	return fmt.Sprintf("%s: stored %s, recomputed %s", f.Field, f.Stored, f.Recomputed)
}

var negInf = Float(math.Inf(-1))

// Check recomputes everything in c that follows from its counts, its noise and its
// fields, and returns a Finding for each member that is stored otherwise: the id, n, k
// and the selected class, p_lower, R, the radii and the volume, status, predict,
// correct and the remarks. No finding means that the certificate is what its votes
// support; whether the votes were really cast is for resampling to say. load reads
// fields outside the certificate and may be nil when there are none.
//
// The error is that of a certificate that cannot be checked at all: a guarantee
// without a theorem here, or fields elsewhere and no load. It matches ErrUncheckable.
func Check(c *Certificate, load Loader) ([]Finding, error) {
	return NewChecker(load, "").Check(c)
}

// Checker checks many certificates. It keeps between them what costs to make: the
// boundaries of adaptive runs, and the noise last seen with its family's tables.
// It is safe for concurrent use when its Loader is.
type Checker struct {
	load   Loader
	tables *sequential.Tables
	build  string

	mu     sync.Mutex // guards what was sealed last
	sealed []sealedNoise
}

// sealedNoise is the noise of a certificate, by what decides it.
type sealedNoise struct {
	key   string
	noise *smooth.SealedNoise
}

// keptNoises is how many noises a checker remembers: those of a file whose selector chooses among a
// few.
const keptNoises = 8

// NewChecker returns a Checker whose certificates keep large fields where load
// finds them; load may be nil when there are none. build names the running program:
// its version, compiler and processor architecture, as Run.Ucan does. Certificates of
// the same build must have exactly the recomputed numbers. Those of others may differ
// in the last digits (see tolAbove), since mathematical functions do.
func NewChecker(load Loader, build string) *Checker {
	return &Checker{load: load, tables: sequential.NewTables(), build: build}
}

// Check is the function Check.
func (x *Checker) Check(c *Certificate) ([]Finding, error) {
	k := &checker{dim: float64(c.Input.Dim()), exact: x.build != "" && x.build == c.Run.Ucan}
	id, err := c.computeID()
	if err != nil {
		return nil, err
	}
	if c.ID != id {
		k.add("id", strconv.Quote(c.ID), strconv.Quote(id))
	}
	k.claims(c)
	want, err := c.rederive(x)
	switch {
	case errors.Is(err, ErrUncheckable):
		return nil, err
	case errors.Is(err, fs.ErrNotExist):
		k.add("noise", "a field in a file", err.Error()+"; keep the .npy files of a run beside its certificates")
		return k.findings, nil
	case err != nil:
		k.add("statistics", "a certificate", err.Error())
		return k.findings, nil
	}
	if f, ferr := c.Noise.family(); ferr == nil {
		k.slack = family.Slack(f)
	}
	if c.Noise.NPG.lipschitz() != nil {
		k.slack = lipschitz.Theorem{}.Slack()
	}
	if err := k.compare(c, want); err != nil {
		return nil, err
	}
	return k.findings, nil
}

// noise is sealNoise, remembering the last ones.
func (x *Checker) noise(n *Noise, dim int) (*smooth.SealedNoise, error) {
	key, err := json.Marshal([]any{n.Family, n.Norm, n.Parameters, n.Lambda, n.Arithmetic, dim, n.SigmaField.Digest(), n.MuField.Digest(), n.Basis, n.NPG.lipschitz().RateHere()})
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.sealed {
		if s.key == string(key) {
			return s.noise, nil
		}
	}
	sealed, err := sealNoise(*n, dim, x.load)
	if err != nil {
		return nil, err
	}
	if len(x.sealed) == keptNoises {
		x.sealed = slices.Delete(x.sealed, 0, 1)
	}
	x.sealed = append(x.sealed, sealedNoise{string(key), sealed})
	return sealed, nil
}

// ErrUncheckable marks a certificate that cannot be checked, which is not to say that
// it is false.
var ErrUncheckable = errors.New("cannot be checked")

// rederive returns a certificate with the head, noise and votes of c, and
// everything else recomputed.
func (c *Certificate) rederive(x *Checker) (*Certificate, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	head := Head{Guarantee: c.Guarantee, Input: c.Input, Model: c.Model, NPG: c.Noise.NPG, Run: c.Run}
	if !known(c.Guarantee) {
		return nil, fmt.Errorf("certificate: this version has no theorem for guarantee %q: %w", c.Guarantee, ErrUncheckable)
	}
	if _, err := smooth.ParseArithmetic(c.Noise.Arithmetic); err != nil {
		return nil, fmt.Errorf("certificate: this version does not know arithmetic %.60q: %w", c.Noise.Arithmetic, ErrUncheckable)
	}
	if c.Status == Failed {
		return c.rederiveFailed(x, head)
	}
	noise, err := x.noise(&c.Noise, c.Input.Dim())
	if err != nil {
		return nil, err
	}
	if err = c.Noise.NPG.limited(noise); err != nil {
		return nil, err
	}
	if err = c.Noise.NPG.follows(noise, x.load); err != nil {
		return nil, err
	}
	w := newCertificate(head)
	var result smooth.Certification
	if c.Guarantee == smooth.BySelector {
		result, w.Stages, err = c.rederiveStages(x, noise)
	} else {
		result, err = c.Statistics.conclude(noise, c.Model.Classes, c.Input.Label, x.tables)
	}
	if err != nil {
		return nil, err
	}
	w.Noise = describeNoise(noise, head.NPG)
	w.Statistics = describeStatistics(noise, result)
	if err := w.conclude(result, c.storedRegions(result.Regions)); err != nil {
		return nil, err
	}
	return w, nil
}

// rederiveFailed is rederive for an input that was never sampled. Its noise claims
// nothing; where the input's shape is known, it must be a noise all the same.
func (c *Certificate) rederiveFailed(x *Checker, head Head) (*Certificate, error) {
	w := newFailed(head, c.Noise.Norm, c.Error)
	switch {
	case c.Noise.Family == "": // no noise was made
	case c.Input.Dim() == 0:
		w.Noise = c.Noise
	default:
		noise, err := x.noise(&c.Noise, c.Input.Dim())
		if err != nil {
			return nil, err
		}
		if err := head.NPG.limited(noise); err != nil {
			return nil, err
		}
		w.Noise = describeNoise(noise, head.NPG)
	}
	return w, nil
}

// conclude repeats the statistics of stored votes. label is the input's.
func (s *Statistics) conclude(noise *smooth.SealedNoise, classes, label int, tables *sequential.Tables) (smooth.Certification, error) {
	var none smooth.Certification
	estimation, err := counts(s.Counts, s.Invalid, classes)
	if err != nil {
		return none, err
	}
	cast, err := counts(s.Selection, 0, classes)
	if err != nil {
		return none, fmt.Errorf("selection votes: %w", err)
	}
	selection, err := counts(s.Selection, s.N0-cast.N, classes)
	if err != nil {
		return none, fmt.Errorf("selection votes: %w", err)
	}
	if s.AdaptiveStatistics != nil {
		return s.concludeAdaptive(noise, selection, estimation, label, tables)
	}
	if t := s.TwoStage; t != nil {
		return noise.ConcludeTwoStage(selection, estimation, smooth.TwoStageN{
			TwoStage: sequential.TwoStage{Pilot: s.N0, Kappa: float64(t.Kappa), Cap: t.Cap}, Alpha: float64(s.Alpha),
		})
	}
	bound := smooth.OneBound
	if s.Bound != "" {
		if bound, err = smooth.ParseBound(s.Bound); err != nil {
			return none, err
		}
	}
	return noise.Conclude(selection, estimation, float64(s.Alpha), bound)
}
