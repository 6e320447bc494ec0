package models

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"ucan/models/declare"
	"ucan/models/internal/rewrite"
)

// WriteText writes the report as a table for people.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	row := func(key, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s %s\n", key, oneLine(fmt.Sprintf(format, args...)))
	}
	row("model", "%s (%s, %s)", r.Name, r.File, byteText(r.Bytes))
	row("sha256", "%s", r.SHA256)
	if r.SHA256 != "" {
		row("written by", "%s, IR %d, opset %s", orText(r.Producer, "an unnamed tool"), r.IRVersion, mapText(r.Opsets))
		row("operators", "%s", mapText(r.Operators))
	}
	for _, t := range r.Inputs {
		row("input", "%s", t)
	}
	for _, t := range r.Outputs {
		row("output", "%s", t)
	}
	if r.Batching.Declared != "" {
		row("batch", "%s", r.Batching)
		for _, e := range r.Batching.Edits {
			row("", "%s", e)
		}
	}
	if r.Rows != nil {
		row("rows", "%s", r.Rows)
	}
	if r.Prep.Input != "" {
		row("source rows", "%s", orText(r.sourceText(), "as the data has them"))
		row("preprocessing", "%s", r.Prep)
	}
	if r.Decision != "" {
		classes := "unknown until it runs"
		if r.Classes > 0 {
			classes = fmt.Sprint(r.Classes)
		}
		row("decision", "%s, classes: %s", r.Decision, classes)
	}
	if len(r.Labels) > 0 {
		row("labels", "%s", strings.Join(shorten(r.Labels, 12), ", "))
	}
	if r.Probe != nil {
		row("provider", "%s", r.Probe.Provider)
	}
	if len(r.Findings) > 0 {
		b.WriteByte('\n')
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-9s %s\n", f.Kind+":", oneLine(f.Text))
		if f.Flag != "" && f.Kind != kindWarning {
			fmt.Fprintf(&b, "%-9s to change it: %s\n", "", f.Flag)
		} else if f.Flag != "" {
			fmt.Fprintf(&b, "%-9s try: %s\n", "", f.Flag)
		}
	}
	if r.Refusal != nil {
		fmt.Fprintf(&b, "\nrefused:  %s\n          %s\n", oneLine(r.Refusal.ReasonText()), oneLine(r.Refusal.Remedy))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// oneLine keeps names from adding lines to a report; what else is no text in them is
// escaped where the report is shown.
func oneLine(s string) string {
	return strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s)
}

// String is "name: type[shape] (role)".
func (t TensorInfo) String() string {
	s := t.Name + ": " + t.Type
	if t.Shape != nil {
		s += "[" + strings.Join(t.Shape, ",") + "]"
	}
	if t.Role != "" {
		s += " (" + t.Role + ")"
	}
	return s
}

// String says how rows are batched.
func (b Batching) String() string {
	s := b.Declared + " in the file; "
	switch b.Plan {
	case planFixed:
		return s + fmt.Sprintf("runs at %d: %s", b.Size, b.Why)
	case planRewritten:
		return s + "made symbolic, any batch runs"
	}
	return s + "any batch runs"
}

// String is the formula that the classifier sees.
func (p Preprocessing) String() string {
	s := "x"
	if p.Scale != 1 {
		s += fmt.Sprintf("·%v", p.Scale)
	}
	if len(p.Mean) > 0 && !rewrite.Constant(p.Mean, 0) {
		s = fmt.Sprintf("(%s − %v)", s, p.Mean)
	}
	if len(p.Std) > 0 && !rewrite.Constant(p.Std, 1) {
		s += fmt.Sprintf("/%v", p.Std)
	}
	if p.Round {
		s = "round(" + s + ")"
	}
	if p.Denoiser != "" {
		s = strings.Replace(s, "x", "denoiser(x)", 1)
	}
	if p.Channels != declare.AsGiven {
		s += ", channels " + string(p.Channels)
	}
	if p.Layout != declare.Undeclared {
		s += ", layout " + string(p.Layout)
	}
	return s + fmt.Sprintf(", rows of %s %s", p.Type, rewrite.ShapeText(p.Shape))
}

func (r Report) sourceText() string {
	if r.Source == nil {
		return ""
	}
	return rewrite.ShapeText(r.Source)
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func shorten(list []string, most int) []string {
	if len(list) <= most {
		return list
	}
	return append(slices.Clone(list[:most]), "…")
}

func mapText[V int | int64](m map[string]V) string {
	parts := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(parts, ", ")
}

func byteText(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
