package report

import (
	"bytes"
	"fmt"
	"html/template"
	"io"

	"ucan/internal/report"
	"ucan/internal/zoo/matrix"
)

// mostCurves is how many curves one plot shows: as many as it has colours that everybody can tell
// apart.
const mostCurves = 7

// page is what the template shows.
type page struct {
	*Report
	Rankings []pageRanking
	Cards    []card
}

// pageRanking is a ranking with its plot.
type pageRanking struct {
	Ranking
	Places []pagePlace
	Plot   template.HTML
	Shown  int // curves in the plot
}

// pagePlace is a place with the colour of its curve, "" for one that the plot leaves out.
type pagePlace struct {
	Place
	Color template.CSS
}

// card is one model's own section.
type card struct {
	Model   string
	Entries []cardEntry
}

type cardEntry struct {
	Board *Board
	Entry *Entry
}

// WriteHTML writes the report as one page that needs nothing beside it: boards with their curves,
// each model's figures, and what was refused.
func (r *Report) WriteHTML(w io.Writer) error {
	p := page{Report: r}
	for i := range r.Boards {
		for _, ranking := range r.Boards[i].Rankings() {
			made, err := ranking.page(r.Confidence)
			if err != nil {
				return err
			}
			p.Rankings = append(p.Rankings, made)
		}
	}
	for _, name := range r.Models() {
		c := card{Model: name}
		for i := range r.Boards {
			for j := range r.Boards[i].Entries {
				if e := &r.Boards[i].Entries[j]; e.Model == name {
					c.Entries = append(c.Entries, cardEntry{&r.Boards[i], e})
				}
			}
		}
		p.Cards = append(p.Cards, c)
	}
	t, err := template.New("report").Funcs(template.FuncMap{
		"percent": percent, "share": func(v *float64) string { return percent(*v) }, "percents": percents, "radius": radius, "radii": radii, "orAll": matrix.OrAll,
		"number":  func(v float64) string { return fmt.Sprintf("%.4g", v) },
		"each":    func(total float64, n int) string { return fmt.Sprintf("%.3g", total/float64(max(n, 1))) },
		"hundred": func(v float64) string { return fmt.Sprintf("%g", 100*v) },
	}).Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return t.Execute(w, p)
}

func (r Ranking) page(confidence float64) (pageRanking, error) {
	plot, shown, err := r.svg(confidence)
	if err != nil {
		return pageRanking{}, err
	}
	p := pageRanking{Ranking: r, Plot: plot, Shown: shown}
	for i := range r.Places {
		place := pagePlace{Place: r.Places[i]}
		if i < shown {
			place.Color = template.CSS(report.SeriesColor(i))
		}
		p.Places = append(p.Places, place)
	}
	return p, nil
}

// svg draws the first entries of a ranking.
func (r Ranking) svg(confidence float64) (template.HTML, int, error) {
	var series []report.Series
	for _, p := range r.Places[:min(len(r.Places), mostCurves)] {
		rows := p.rows
		if r.Measure != report.Measure(r.Board.Norm) {
			rows = report.In(rows, r.Measure)
		}
		series = append(series, report.Series{Name: p.Model + ", " + p.Noise, Rows: rows})
	}
	o := report.DefaultPlotOptions()
	o.Confidence, o.NoLegend = confidence, true
	var buffer bytes.Buffer
	if err := report.WritePlot(&buffer, "svg", series, o); err != nil {
		return "", 0, fmt.Errorf("plot %s: %w", r.Title(), err)
	}
	text := buffer.Bytes()
	if i := bytes.Index(text, []byte("<svg")); i > 0 {
		text = text[i:] // without the XML declaration, which HTML lacks
	}
	return template.HTML(text), len(series), nil // our own plotter wrote it, with every text escaped
}

const pageTemplate = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Zoo {{printf "%.12s" .Run}}</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 2rem auto; max-width: 1180px; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; } h3 { font-size: 1rem; margin-bottom: .3rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #e4e4e4; white-space: nowrap; }
th { background: #f6f6f6; font-weight: 600; } td.text, th.text { text-align: left; } td.reason { text-align: left; white-space: normal; }
small { color: #666; display: block; } .scroll { overflow-x: auto; } svg { max-width: 100%; height: auto; }
.chip { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin-right: .5rem; } tr.model th { background: none; padding-top: 1rem; }
</style>
</head>
<body>
<h1>Zoo run {{printf "%.12s" .Run}}…</h1>
<p>{{.Rows}} of {{.Want}} certificates. Intervals hold at {{hundred .Confidence}} % and speak of the sampling of inputs alone; each
certificate may be wrong with its own probability alpha. Every input counts: wrong, abstained and failed ones count 0 in
accuracies and in the average certified radius (ACR). ALM is the volume of the region as a length; where it equals the radius, as
under isotropic noise, it has no table of its own. Capped ALM counts each axis of the region up to the data's range, beyond which
no input can be moved; its table is left out where no axis reaches that. Boards of different data, norms or guarantees cannot be compared.</p>
{{range .Rankings}}
<h2>{{.Title}}</h2>
<div class="scroll"><table>
<tr><th></th><th class="text">model</th><th class="text">noise</th><th>inputs</th><th>{{.Average}}</th><th>accuracy</th>{{if .Capped}}<th>axes at the cap</th>{{end}}{{range .Radii}}{{if .}}<th>at {{number .}}</th>{{end}}{{end}}</tr>
{{range .Places}}<tr><td>{{.Rank}}</td><td class="text">{{if .Color}}<span class="chip" style="background:{{.Color}}"></span>{{end}}{{.Model}}</td><td class="text">{{.Noise}}</td><td>{{.Summary.Inputs}}{{if .Partial}}/{{.Want}}{{end}}</td>
<td>{{radius .Mean}}<small>{{radii .MeanInterval}}</small></td><td>{{percent .Summary.Accuracy}}<small>{{percents .Summary.AccuracyInterval}}</small></td>{{with .CappedShare}}<td>{{share .}}</td>{{end}}
{{range .Curve}}{{if .Radius}}<td>{{percent .CertifiedAccuracy}}<small>{{percents .Interval}}</small></td>{{end}}{{end}}</tr>
{{end}}</table></div>
{{.Plot}}{{if lt .Shown (len .Places)}}<p>The plot shows the first {{.Shown}} of {{len .Places}}, in the colours of the table.</p>{{end}}
{{end}}
<h2>By model</h2>
<div class="scroll"><table>
<tr><th class="text">dataset</th><th class="text">noise</th><th class="text">guarantee</th><th>place</th><th>certified</th><th>abstained</th><th>failed</th><th>samples an input</th><th>seconds an input</th><th>alpha</th></tr>
{{range .Cards}}<tr class="model"><th class="text" colspan="10">{{.Model}}</th></tr>
{{range .Entries}}<tr><td class="text">{{.Board.Dataset}}</td><td class="text">{{.Entry.Noise}}</td><td class="text">{{.Board.Guarantee}}, {{.Board.Norm}}</td><td>{{.Entry.Rank}} of {{len .Board.Entries}}</td>
<td>{{.Entry.Summary.Certified}}</td><td>{{.Entry.Summary.Abstained}}</td><td>{{.Entry.Summary.Failed}}</td><td>{{printf "%.0f" .Entry.SamplesPerInput}}</td><td>{{each .Entry.Summary.Seconds .Entry.Summary.Inputs}}</td><td>{{.Entry.Alpha}}</td></tr>
{{end}}{{end}}</table></div>
{{if .Refusals}}<h2>Refused</h2>
<p>These made no certificates.</p>
<div class="scroll"><table><tr><th class="text">model</th><th class="text">dataset</th><th class="text">noise</th><th class="text">reason</th></tr>
{{range .Refusals}}<tr><td class="text">{{.Model}}</td><td class="text">{{orAll .Dataset}}</td><td class="text">{{orAll .Noise}}</td><td class="reason">{{.Reason}}</td></tr>
{{end}}</table></div>{{end}}
</body>
</html>
`
