package certificate

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Tolerances of recomputed numbers, relative: other builds differ in the last digits.
// A claim may be smaller than recomputed by more than it may be larger.
const (
	tolAbove = 1e-12
	tolBelow = 1e-9
)

// checker collects what differs between a certificate and what was recomputed.
type checker struct {
	findings []Finding
	strict   bool    // compare the form, every number and member by itself, up to the first difference
	exact    bool    // the same build made the certificate
	slack    float64 // what the family's radii may differ by beyond the usual tolerance
	dim      float64
}

func (k *checker) add(field, stored, recomputed string) {
	if !k.strict || len(k.findings) == 0 {
		k.findings = append(k.findings, Finding{field, stored, recomputed})
	}
}

// claims names members that contradict each other where recomputing alone would name
// their consequences.
func (k *checker) claims(c *Certificate) {
	if !knownDecision(c.Model.Decision) {
		k.add("model.decision", strconv.Quote(c.Model.Decision), decisions)
	}
	if c.Status == Failed {
		return
	}
	s := &c.Statistics
	if s.N0 > 0 && s.Selection == nil && (s.Selected != nil || c.Predict >= 0) {
		k.add("statistics.selection", absent, fmt.Sprintf("the votes among %d selection samples, without which the class cannot be checked", s.N0))
	}
	k.claimStages(c)
	a := s.AdaptiveStatistics
	switch {
	case a == nil || !a.LabelAware:
	case c.Input.Label < 0:
		k.add("input.label", strconv.Itoa(c.Input.Label), "the label that a label-aware run tested")
	case s.Selected == nil || *s.Selected != c.Input.Label:
		k.add("statistics.selected", optional(s.Selected), fmt.Sprintf("%d, the label that a label-aware run tests", c.Input.Label))
	}
}

func optional(class *int) string {
	if class == nil {
		return "null"
	}
	return strconv.Itoa(*class)
}

// compare compares all members but id and run: everything that a certificate says is
// either recomputed in w or copied there as underivable.
func (k *checker) compare(c, w *Certificate) error {
	stored, err := c.tree()
	if err != nil {
		return err
	}
	recomputed, err := w.tree()
	if err != nil {
		return err
	}
	k.walk("", stored, recomputed)
	return nil
}

// tree is the certificate as parsed JSON, without the members that compare leaves out.
func (c *Certificate) tree() (any, error) {
	line, err := c.Marshal()
	if err != nil {
		return nil, err
	}
	o, err := parseObject(line)
	return o.without("id", "run"), err
}

// whole are members that are compared and shown as one.
var whole = []string{
	"noise.sigma_field", "noise.mu_field", "noise.parameters", "noise.npg",
	"statistics.counts", "statistics.selection", "warnings",
}

func (k *checker) walk(path string, stored, recomputed any) {
	if !k.strict && (slices.Contains(whole, ofStage(path)) || strings.HasSuffix(path, ".sigma_field")) {
		k.text(path, stored, recomputed)
		return
	}
	switch a := stored.(type) {
	case nil, bool, string:
		if stored == recomputed {
			return
		}
	case object:
		if b, ok := recomputed.(object); ok {
			k.object(path, a, b)
			return
		}
	case []any:
		if b, ok := recomputed.([]any); ok {
			if len(a) != len(b) {
				k.add(path, strconv.Itoa(len(a)), strconv.Itoa(len(b)))
				return
			}
			for i := range a {
				k.walk(path+"."+strconv.Itoa(i), a[i], b[i])
			}
			return
		}
	case float64:
		if b, ok := recomputed.(float64); ok {
			k.number(path, a, b)
			return
		}
	}
	k.text(path, stored, recomputed)
}

func (k *checker) object(path string, a, b object) {
	if path != "" {
		path += "."
	}
	other := make(map[string]any, len(b))
	for _, m := range b {
		other[m.name] = m.value
	}
	for _, m := range a {
		v, ok := other[m.name]
		if !ok {
			k.add(path+m.name, brief(m.value), absent)
			continue
		}
		delete(other, m.name)
		k.walk(path+m.name, m.value, v)
	}
	for _, m := range b { // in b's order, not that of the map
		if v, ok := other[m.name]; ok {
			k.add(path+m.name, absent, brief(v))
		}
	}
}

const absent = "absent"

// text compares values without a tolerance.
func (k *checker) text(path string, stored, recomputed any) {
	a, b := appendCanonical(nil, stored), appendCanonical(nil, recomputed)
	if string(a) != string(b) {
		k.add(path, brief(stored), brief(recomputed))
	}
}

// brief shows a value in a finding.
func brief(v any) string {
	const most = 120
	text := string(appendCanonical(nil, v))
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return text
}

// number compares numbers, within what other builds may compute.
func (k *checker) number(path string, a, b float64) {
	if a == b {
		return
	}
	at := path
	path = ofStage(path)
	below, above := tolBelow*math.Abs(b), tolAbove*math.Abs(b)
	switch {
	case k.strict:
		below, above = 0, 0
	case strings.HasPrefix(path, "statistics.grid."):
		// The stored radius was asked for; its level certifies at least as much.
		if k.exact {
			above = 0
		}
		below += k.slack * math.Abs(b)
	case k.exact || !derived(path):
		below, above = 0, 0
	case path == "log_volume":
		below, above = below+k.slack*k.dim, above+k.slack*k.dim
	case radial(path):
		below, above = below+k.slack*math.Abs(b), above+k.slack*math.Abs(b)
	}
	if !math.IsInf(b, 0) && a <= b+above && a >= b-below {
		return
	}
	k.add(at, strconv.FormatFloat(a, 'g', -1, 64), strconv.FormatFloat(b, 'g', -1, 64))
}

// derived reports whether a number is computed by mathematical functions.
func derived(path string) bool {
	switch path {
	case "noise.sigma", "statistics.p_lower", "statistics.p_upper", "statistics.lost_mass", "log_volume":
		return true
	}
	return radial(path)
}

// radial reports whether a number is proportional to the theorem's radius.
func radial(path string) bool {
	return path == "alm" || path == "alm_capped" || strings.HasPrefix(path, "radii.") || strings.HasPrefix(path, "regions.") && strings.HasSuffix(path, ".R")
}
