package report

import (
	"fmt"
	"io"

	"ucan/internal/report"
	"ucan/internal/results"
	"ucan/internal/table"
	"ucan/internal/zoo/matrix"
)

// maxColumns is how many radii a table on a terminal has.
const maxColumns = 5

// WriteText writes the boards and each model's figures as tables for people.
func (r *Report) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "run %.12s…: %d of %d certificates; intervals at %g %%\n", r.Run, r.Rows, r.Want, 100*r.Confidence)
	for i := range r.Boards {
		if err := r.Boards[i].writeText(w); err != nil {
			return err
		}
	}
	if len(r.Boards) > 0 {
		if err := r.writeModels(w); err != nil {
			return err
		}
	}
	return matrix.WriteRefusals(w, r.Refusals, "made")
}

func (b *Board) writeText(w io.Writer) error {
	for _, r := range b.Rankings() {
		if err := r.writeText(w); err != nil {
			return err
		}
	}
	return nil
}

func (r Ranking) writeText(w io.Writer) error {
	fmt.Fprintf(w, "\n%s\n", r.Title())
	columns := []string{">", "model", "noise", ">inputs", ">" + r.Average(), "interval", ">accuracy"}
	if r.Capped() {
		columns = append(columns, ">axes at the cap")
	}
	sizes := r.Radii()
	shown := shownRadii(sizes)
	for _, j := range shown {
		columns = append(columns, fmt.Sprintf(">at %.4g", sizes[j]), "interval")
	}
	t := table.New(columns...)
	for _, p := range r.Places {
		inputs := fmt.Sprint(p.Summary.Inputs)
		if p.Partial() {
			inputs += fmt.Sprintf("/%d", p.Want)
		}
		cells := []any{p.Rank, p.Model, p.Noise, inputs, radius(p.Mean), radii(p.MeanInterval), percent(p.Summary.Accuracy)}
		if p.CappedShare != nil {
			cells = append(cells, percent(*p.CappedShare))
		}
		for _, j := range shown {
			cells = append(cells, percent(p.Curve[j].CertifiedAccuracy), percents(p.Curve[j].Interval))
		}
		t.Row(cells...)
	}
	_, err := t.WriteTo(w)
	return err
}

// shownRadii picks about five of the radii, the first and the last among them, but for 0, where the
// certified accuracy is the accuracy.
func shownRadii(radii []float64) []int {
	var all, out []int
	for i, r := range radii {
		if r > 0 {
			all = append(all, i)
		}
	}
	if len(all) <= maxColumns {
		return all
	}
	for i := range maxColumns {
		out = append(out, all[i*(len(all)-1)/(maxColumns-1)])
	}
	return out
}

// writeModels writes what each model cost and where it abstained.
func (r *Report) writeModels(w io.Writer) error {
	fmt.Fprintf(w, "\nBy model\n")
	t := table.New("model", "dataset", "noise", "guarantee", ">place", ">certified", ">abstained", ">failed", ">samples/input", ">s/input", ">alpha")
	for _, name := range r.Models() {
		for i := range r.Boards {
			b := &r.Boards[i]
			for j := range b.Entries {
				e := &b.Entries[j]
				if e.Model != name {
					continue
				}
				s := e.Summary
				t.Row(e.Model, b.Dataset, e.Noise, b.Guarantee, fmt.Sprintf("%d of %d", e.Rank, len(b.Entries)), s.Certified, s.Abstained, s.Failed,
					fmt.Sprintf("%.0f", e.SamplesPerInput), fmt.Sprintf("%.3g", s.Seconds/float64(max(s.Inputs, 1))), e.Alpha)
			}
		}
	}
	_, err := t.WriteTo(w)
	return err
}

// radius writes a radius rounded toward zero.
func radius(v float64) string {
	text := results.FormatTruncated(v)
	if len(text) > 2 && text != "inf" {
		text = text[:len(text)-2]
	}
	return text
}

func radii(i *report.Interval) string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf("%.3f–%.3f", i.Low, i.High)
}

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }

func percents(i report.Interval) string { return fmt.Sprintf("%.1f–%.1f", 100*i.Low, 100*i.High) }
