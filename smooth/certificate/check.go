package certificate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"ucan/smooth"
	"ucan/smooth/family"
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

// Tolerances of recomputed numbers, relative: platforms differ in the last bits.
// A claim may be smaller than recomputed by more than it may be larger.
const (
	tolAbove = 1e-12
	tolBelow = 1e-9
)

var negInf = Float(math.Inf(-1))

// Check recomputes every derived number of c from its counts, its noise and its
// fields, and returns a Finding for each that is stored otherwise: the id, n, k
// and the selected class, p_lower, R, the radii and the volume, status, predict
// and correct. No finding means that the certificate is what its votes support;
// whether the votes were really cast is for resampling to say. load reads fields
// outside the certificate and may be nil when there are none.
//
// The error is that of a certificate that cannot be checked at all: a guarantee
// without a theorem here, or fields elsewhere and no load.
func Check(c *Certificate, load Loader) ([]Finding, error) {
	return NewChecker(load).Check(c)
}

// Checker checks many certificates. It keeps between them what costs to make: the
// boundaries of adaptive runs, and the noise last seen with its family's tables.
// It is safe for concurrent use when its Loader is.
type Checker struct {
	load   Loader
	tables *sequential.Tables

	mu     sync.Mutex // guards the noise last sealed
	key    string
	sealed *smooth.SealedNoise
}

// NewChecker returns a Checker whose certificates keep large fields where load
// finds them; load may be nil when there are none.
func NewChecker(load Loader) *Checker {
	return &Checker{load: load, tables: sequential.NewTables()}
}

// Check is the function Check.
func (x *Checker) Check(c *Certificate) ([]Finding, error) {
	k := &checker{}
	id, err := c.computeID()
	if err != nil {
		return nil, err
	}
	k.text("id", c.ID, id)
	want, err := c.rederive(x)
	switch {
	case errors.Is(err, errUncheckable):
		return nil, err
	case err != nil:
		k.add("statistics", "a certificate", err.Error())
		return k.findings, nil
	}
	if f, ferr := c.Noise.family(); ferr == nil {
		k.slack = family.Slack(f)
	}
	k.compare(c, want)
	k.told(c, want)
	if a := c.Statistics.AdaptiveStatistics; a != nil && a.LabelAware && c.Statistics.Selected != nil {
		k.integer("statistics.selected", int64(*c.Statistics.Selected), int64(c.Input.Label))
	}
	return k.findings, nil
}

// noise is sealNoise, remembering the last one.
func (x *Checker) noise(n *Noise, dim int) (*smooth.SealedNoise, error) {
	key, err := json.Marshal([]any{n.Family, n.Norm, n.Parameters, n.Lambda, n.Arithmetic, dim, fieldText(n.SigmaField), fieldText(n.MuField), n.Basis})
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.sealed != nil && x.key == string(key) {
		return x.sealed, nil
	}
	sealed, err := sealNoise(*n, dim, x.load)
	if err != nil {
		return nil, err
	}
	x.key, x.sealed = string(key), sealed
	return sealed, nil
}

// errUncheckable marks a certificate that cannot be checked, which is not to say
// that it is false.
var errUncheckable = errors.New("cannot be checked")

// rederive returns a certificate with the head, noise and votes of c, and
// everything else recomputed.
func (c *Certificate) rederive(x *Checker) (*Certificate, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	head := Head{Guarantee: c.Guarantee, Input: c.Input, Model: c.Model, NPG: c.Noise.NPG, Run: c.Run}
	if c.Status == Failed {
		w := newCertificate(head)
		w.Status, w.Noise, w.Statistics = Failed, c.Noise, Statistics{Counts: map[int]int64{}}
		w.nothing()
		return w, nil
	}
	if c.Guarantee != Deployed && c.Guarantee != Pinned {
		return nil, fmt.Errorf("certificate: this version has no theorem for guarantee %q: %w", c.Guarantee, errUncheckable)
	}
	if _, err := smooth.ParseArithmetic(c.Noise.Arithmetic); err != nil {
		return nil, fmt.Errorf("certificate: this version does not know arithmetic %.60q: %w", c.Noise.Arithmetic, errUncheckable)
	}
	noise, err := x.noise(&c.Noise, c.Input.Dim())
	if err != nil {
		return nil, err
	}
	result, err := c.Statistics.conclude(noise, c.Model.Classes, c.Predict, x.tables)
	if err != nil {
		return nil, err
	}
	w := newCertificate(head)
	w.Noise = describeNoise(noise, head.NPG)
	w.Statistics = describeStatistics(noise, result)
	w.conclude(noise, result)
	return w, nil
}

// conclude repeats the statistics of stored votes. predict stands in for the
// selected class of a certificate that does not tell its selection votes.
func (s *Statistics) conclude(noise *smooth.SealedNoise, classes, predict int, tables *sequential.Tables) (smooth.Certification, error) {
	var none smooth.Certification
	if classes > maxClasses {
		return none, fmt.Errorf("%d classes", classes)
	}
	estimation, err := counts(s.Counts, s.Invalid, classes)
	if err != nil {
		return none, err
	}
	selected := s.Selected
	if selected == nil {
		selected = s.untoldClass(predict)
	}
	selection := s.Selection
	if selection == nil && selected != nil && s.N0 > 0 {
		selection = map[int]int64{*selected: s.N0}
	}
	cast, err := counts(selection, 0, classes)
	if err != nil {
		return none, fmt.Errorf("selection votes: %w", err)
	}
	sel, err := counts(selection, s.N0-cast.N, classes)
	if err != nil {
		return none, fmt.Errorf("selection votes: %w", err)
	}
	if s.AdaptiveStatistics != nil {
		return s.concludeAdaptive(noise, sel, estimation, selected, tables)
	}
	if t := s.TwoStage; t != nil {
		return noise.ConcludeTwoStage(sel, estimation, smooth.TwoStageN{
			TwoStage: sequential.TwoStage{Pilot: s.N0, Kappa: float64(t.Kappa), Cap: t.Cap}, Alpha: float64(s.Alpha),
		})
	}
	bound := smooth.OneBound
	if s.Bound != "" {
		if bound, err = smooth.ParseBound(s.Bound); err != nil {
			return none, err
		}
	}
	return noise.Conclude(sel, estimation, float64(s.Alpha), bound)
}

// untoldClass is the class that a certificate without "selected" speaks of: the
// predicted one or, where it abstains, the lowest with k votes; nil when k is 0.
func (s *Statistics) untoldClass(predict int) *int {
	if predict >= 0 {
		return &predict
	}
	for _, class := range slices.Sorted(maps.Keys(s.Counts)) {
		if s.K > 0 && s.Counts[class] == s.K {
			return &class
		}
	}
	return nil
}

// checker collects findings.
type checker struct {
	findings []Finding
	slack    float64 // what the family's radii may differ by beyond the usual tolerance
}

func (k *checker) add(field, stored, recomputed string) {
	k.findings = append(k.findings, Finding{field, stored, recomputed})
}

func (k *checker) text(field, stored, recomputed string) {
	if stored != recomputed {
		k.add(field, strconv.Quote(stored), strconv.Quote(recomputed))
	}
}

func (k *checker) integer(field string, stored, recomputed int64) {
	if stored != recomputed {
		k.add(field, strconv.FormatInt(stored, 10), strconv.FormatInt(recomputed, 10))
	}
}

func (k *checker) number(field string, stored, recomputed Float) {
	k.within(field, float64(stored), float64(recomputed), 0)
}

// within is number with a further absolute tolerance to either side.
func (k *checker) within(field string, a, b, further float64) {
	scale := math.Max(math.Abs(b), math.SmallestNonzeroFloat64)
	if a == b || !math.IsInf(scale, 0) && a <= b+tolAbove*scale+further && a >= b-tolBelow*scale-further {
		return
	}
	k.add(field, strconv.FormatFloat(a, 'g', -1, 64), strconv.FormatFloat(b, 'g', -1, 64))
}

// radius compares numbers that are proportional to the theorem's radius.
func (k *checker) radius(field string, stored, recomputed Float) {
	k.within(field, float64(stored), float64(recomputed), k.slack*math.Abs(float64(recomputed)))
}

func (k *checker) optional(field string, stored, recomputed *Float) {
	switch {
	case stored == nil && recomputed == nil:
	case stored == nil || recomputed == nil:
		k.add(field, optionalText(stored), optionalText(recomputed))
	default:
		k.number(field, *stored, *recomputed)
	}
}

func optionalText(f *Float) string {
	if f == nil {
		return "null"
	}
	return strconv.FormatFloat(float64(*f), 'g', -1, 64)
}

// compare compares everything that rederive recomputes.
func (k *checker) compare(c, w *Certificate) {
	k.text("status", string(c.Status), string(w.Status))
	k.number("noise.lambda", c.Noise.Lambda, w.Noise.Lambda)
	k.optional("noise.sigma", c.Noise.Sigma, w.Noise.Sigma)
	k.text("noise.sigma_field", fieldText(c.Noise.SigmaField), fieldText(w.Noise.SigmaField))
	k.text("noise.mu_field", fieldText(c.Noise.MuField), fieldText(w.Noise.MuField))
	k.text("noise.basis", nameText(c.Noise.Basis), nameText(w.Noise.Basis))
	k.statistics(&c.Statistics, &w.Statistics)
	k.integer("predict", int64(c.Predict), int64(w.Predict))
	k.text("correct", boolText(c.Correct), boolText(w.Correct))
	k.text("converted_from", c.ConvertedFrom, w.ConvertedFrom)
	k.regions(c.Regions, w.Regions)
	k.radius("radii.l1", c.Radii.L1, w.Radii.L1)
	k.radius("radii.l2", c.Radii.L2, w.Radii.L2)
	k.radius("radii.linf", c.Radii.LInf, w.Radii.LInf)
	k.radius("alm", c.ALM, w.ALM)
	k.within("log_volume", float64(c.LogVolume), float64(w.LogVolume), k.slack*float64(c.Input.Dim()))
	k.text("upper_estimate", strconv.FormatBool(c.UpperEstimate), strconv.FormatBool(w.UpperEstimate))
}

func (k *checker) statistics(s, w *Statistics) {
	k.integer("statistics.n0", s.N0, w.N0)
	k.integer("statistics.n", s.N, w.N)
	k.integer("statistics.k", s.K, w.K)
	if s.Selected != nil || w.Selected == nil {
		k.text("statistics.selected", classText(s.Selected), classText(w.Selected))
	}
	k.number("statistics.p_lower", s.PLower, w.PLower)
	k.optional("statistics.p_upper", s.PUpper, w.PUpper)
	k.number("statistics.lost_mass", s.LostMass, w.LostMass)
	if s.AdaptiveStatistics == nil || w.AdaptiveStatistics == nil {
		return
	}
	for j := range min(len(s.Grid), len(w.Grid)) {
		k.radius("statistics.grid."+strconv.Itoa(j), s.Grid[j], w.Grid[j])
	}
}

func (k *checker) regions(stored, want []Region) {
	k.integer("regions", int64(len(stored)), int64(len(want)))
	for i := range min(len(stored), len(want)) {
		path := "regions." + strconv.Itoa(i) + "."
		a, b := stored[i], want[i]
		k.text(path+"norm", a.Norm, b.Norm)
		k.radius(path+"R", a.R, b.R)
		k.text(path+"sigma_field", fieldText(a.SigmaField), fieldText(b.SigmaField))
		k.text(path+"basis", nameText(a.Basis), nameText(b.Basis))
	}
}

// told compares what no number depends on: how a class is made of an output, which
// votes chose the class, and the remarks. The contract's example has neither
// "selected" nor "selection" nor "warnings", so a writer that leaves out the first may
// leave out the others; what is there must be right.
func (k *checker) told(c, w *Certificate) {
	if !knownDecision(c.Model.Decision) {
		k.add("model.decision", strconv.Quote(c.Model.Decision), decisions)
	}
	s := &c.Statistics
	if s.Selected != nil && s.N0 > 0 && s.Selection == nil && c.Status != Failed {
		k.add("statistics.selection", "null", fmt.Sprintf("the votes among %d selection samples", s.N0))
	}
	if c.Status == Failed { // never sampled
		k.integer("statistics.counts", int64(len(s.Counts)), 0)
		k.integer("statistics.selection", int64(len(s.Selection)), 0)
		k.integer("statistics.invalid", s.Invalid, 0)
	}
	if minimal := s.Selected == nil && c.Warnings == nil; !minimal {
		k.text("warnings", warningText(c.Warnings), warningText(w.Warnings))
	}
}

func warningText(w []string) string {
	if len(w) == 0 {
		return "none"
	}
	return strings.Join(w, "; ")
}

func fieldText(f *Field) string {
	if f == nil {
		return "null"
	}
	return f.SHA256
}

func nameText(name *string) string {
	if name == nil {
		return "null"
	}
	return *name
}

func classText(c *int) string {
	if c == nil {
		return "null"
	}
	return strconv.Itoa(*c)
}

func boolText(b *bool) string {
	if b == nil {
		return "null"
	}
	return strconv.FormatBool(*b)
}
