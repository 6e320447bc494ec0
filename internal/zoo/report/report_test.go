package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"

	"ucan/internal/zoo/export"
	"ucan/internal/zoo/matrix"
)

// memory is a store of certificates in memory.
type memory struct {
	run     matrix.Run
	records []export.Record
}

func (m *memory) Run(context.Context, string) (*matrix.Run, error) { return &m.run, nil }

func (m *memory) Records(context.Context, string) iter.Seq2[export.Record, error] {
	return func(yield func(export.Record, error) bool) {
		for _, r := range m.records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (m *memory) Field(context.Context, string, string) ([]byte, error) { return nil, nil }

// add stores n certificates of a cell under isotropic noise: all right, with the radius, but for
// the last, which is wrong.
func (m *memory) add(model, dataset, noise, guarantee, norm string, n int, radius float64) {
	m.addSized(model, dataset, noise, guarantee, norm, n, radius, radius)
}

// addSized is add for regions whose ALM is another than the radius.
func (m *memory) addSized(model, dataset, noise, guarantee, norm string, n int, radius, alm float64) {
	for i := range n {
		predict := 3
		if i == n-1 {
			predict = 4
		}
		m.records = append(m.records, export.Record{Model: model, Dataset: dataset, Noise: noise, Index: int64(i), Certificate: fmt.Appendf(nil,
			`{"schema":"ucan.certificate/1","guarantee":%q,"status":"certified","input":{"index":%d,"label":3},"noise":{"norm":%q},`+
				`"statistics":{"n":1000,"k":990,"p_lower":0.9},"predict":%d,"correct":%t,"radii":{"l1":%g,"l2":%g,"linf":%g},"alm":%g,"run":{"seconds":0.5}}`,
			guarantee, i, norm, predict, predict == 3, radius, radius, radius, alm)})
	}
	m.run.Cells = append(m.run.Cells, matrix.Cell{Model: model, Dataset: dataset, Noise: noise, Inputs: n})
}

func sample() *memory {
	m := &memory{run: matrix.Run{
		ID: "0123456789abcdef", ShardSize: 4,
		Models:   []matrix.Model{{Name: "a", Statistics: matrix.Statistics{Alpha: 0.001}}, {Name: "b<script>", Statistics: matrix.Statistics{Alpha: 0.01}}},
		Refusals: []matrix.Refusal{{Model: "forest", Reason: "no tensor of scores"}},
	}}
	m.add("a", "mnist", "s0.25", "deployed", "l2", 10, 0.3)
	m.add("a", "mnist", "s0.5", "deployed", "l2", 10, 0.5)
	m.add("a", "mnist", "npg", "pinned", "l2", 10, 9)
	m.add("a", "cifar", "s0.25", "deployed", "l2", 10, 0.1)
	m.add("b<script>", "mnist", "s0.25", "deployed", "l2", 10, 0.4)
	m.add("b<script>", "mnist", "lap", "deployed", "l1", 10, 0.4)
	m.run.Cells[0].Inputs = 12 // two are still missing
	return m
}

// Data, norms and guarantees make boards of their own; a large pinned radius ranks above no
// deployed one.
func TestBoards(t *testing.T) {
	r, err := Make(t.Context(), sample(), "", DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	var titles, places []string
	for i := range r.Boards {
		titles = append(titles, r.Boards[i].Rankings()[0].Title())
		for _, e := range r.Boards[i].Entries {
			places = append(places, fmt.Sprintf("%d:%d %s %s", i, e.Rank, e.Model, e.Noise))
		}
	}
	if got := strings.Join(titles, "; "); got != "cifar: ℓ2 radius, guarantee deployed; mnist: ℓ1 radius, guarantee deployed; mnist: ℓ2 radius, guarantee deployed; mnist: ℓ2 radius, guarantee pinned" {
		t.Errorf("boards: %s", got)
	}
	if got := strings.Join(places, ", "); got != "0:1 a s0.25, 1:1 b<script> lap, 2:1 a s0.5, 2:2 b<script> s0.25, 2:3 a s0.25, 3:1 a npg" {
		t.Errorf("places: %s", got)
	}
	first := r.Boards[2].Entries[0]
	// Nine of ten are right with radius 0.5: ACR 0.45, accuracy 0.9 with the exact interval of 9 in
	// 10 (R: binom.test(9, 10)).
	if s := first.Summary; math.Abs(s.ACR-0.45) > 1e-12 || s.Accuracy != 0.9 || math.Abs(s.AccuracyInterval.Low-0.5549839) > 1e-6 || math.Abs(s.AccuracyInterval.High-0.9974714) > 1e-6 {
		t.Errorf("%+v", s)
	}
	if first.Partial() || !r.Boards[2].Entries[2].Partial() || r.Rows != 60 || r.Want != 62 || first.SamplesPerInput != 1000 || first.Alpha != 0.001 {
		t.Errorf("%+v", first)
	}
}

// All entries of a board share their radii, and those asked for are used as they are.
func TestRadii(t *testing.T) {
	o := DefaultOptions()
	o.Radii = []float64{0, 0.3, 0.45}
	r, err := Make(t.Context(), sample(), "", o)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range r.Boards[2].Entries {
		for _, p := range e.Summary.Curve {
			got = append(got, fmt.Sprint(p.CertifiedAccuracy))
		}
	}
	if strings.Join(got, " ") != "0.9 0.9 0.9 0.9 0.9 0 0.9 0.9 0" {
		t.Errorf("%v", got)
	}
}

// A generator that gains volume and loses in the ball is last by the radius and first by ALM, in
// the text and on the page; boards where both measures agree have one table.
func TestRankingByVolume(t *testing.T) {
	m := &memory{run: matrix.Run{ID: "ab", ShardSize: 4}}
	m.add("a", "mnist", "isotropic", "deployed", "l2", 10, 0.5)
	m.addSized("a", "mnist", "field", "deployed", "l2", 10, 0.1, 2)
	m.add("a", "cifar", "isotropic", "deployed", "l2", 10, 0.5)
	r, err := Make(t.Context(), m, "", DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range r.Boards {
		for _, ranking := range r.Boards[i].Rankings() {
			first := ranking.Places[0]
			got = append(got, fmt.Sprintf("%s %s %s %.2f", r.Boards[i].Dataset, ranking.Measure, first.Noise, first.Mean))
		}
	}
	if text := strings.Join(got, "; "); text != "cifar ℓ2 radius isotropic 0.45; mnist ℓ2 radius isotropic 0.45; mnist ALM field 1.80" {
		t.Error(text)
	}
	var text, page bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteHTML(&page)); err != nil {
		t.Fatal(err)
	}
	if s := text.String(); strings.Count(s, "mean ALM") != 1 || !strings.Contains(s, "mnist: ALM, guarantee deployed") || !strings.Contains(s, "1.7999") {
		t.Error(s)
	}
	if s := page.String(); strings.Count(s, "<svg") != 3 || strings.Count(s, "<th>mean ALM</th>") != 1 {
		t.Errorf("%d plots", strings.Count(s, "<svg"))
	}
}

// Where axes reach the data's range, capped ALM has a ranking of its own with their share.
func TestRankingByCappedALM(t *testing.T) {
	m := &memory{run: matrix.Run{ID: "ab", ShardSize: 4}}
	m.addSized("a", "mnist", "modest", "deployed", "l2", 10, 0.1, 0.9)
	m.addSized("a", "mnist", "deaf", "deployed", "l2", 10, 0.1, 2)
	for i := range m.records {
		capped := `"alm_capped":0.9,"capped_share":0,"run"`
		if m.records[i].Noise == "deaf" {
			capped = `"alm_capped":0.8,"capped_share":0.625,"run"`
		}
		m.records[i].Certificate = bytes.Replace(m.records[i].Certificate, []byte(`"run"`), []byte(capped), 1)
	}
	r, err := Make(t.Context(), m, "", DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ranking := range r.Boards[0].Rankings() {
		got = append(got, fmt.Sprintf("%s: %s %.2f", ranking.Measure, ranking.Places[0].Noise, ranking.Places[0].Mean))
	}
	if text := strings.Join(got, "; "); text != "ℓ2 radius: deaf 0.09; ALM: deaf 1.80; capped ALM: modest 0.81" {
		t.Error(text)
	}
	var text, page bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteHTML(&page)); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{"text": text.String(), "page": page.String()} {
		if strings.Count(s, "axes at the cap") != 1 || !strings.Contains(s, "62.5 %") || !strings.Contains(s, "mean capped ALM") {
			t.Errorf("%s: %s", name, s)
		}
	}
}

func TestFormats(t *testing.T) {
	r, err := Make(t.Context(), sample(), "", DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	var text, page bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"60 of 62 certificates", "guarantee pinned", "0.3600", "10/12", "By model", "2 of 3", "forest"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
	if err := r.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	if html := page.String(); strings.Contains(html, "<script") || strings.Count(html, "<svg") != 4 || !strings.Contains(html, "b&lt;script&gt;") || !strings.Contains(html, "no tensor of scores") || strings.Contains(html, "<?xml") {
		t.Errorf("page of %d bytes with %d plots", len(html), strings.Count(html, "<svg"))
	}
	// Every entry is named in the colour of its curve; the accuracy, which is that at radius 0, is
	// shown once.
	if html := page.String(); strings.Count(html, `class="chip" style="background:#`) != 6 || !strings.Contains(html, `<th>at 0.`) || strings.Contains(html, "<th>at 0<") {
		t.Error("the page lacks colours, or shows the accuracy twice")
	}
	if strings.Contains(text.String(), "at 0 ") {
		t.Errorf("the text shows the accuracy twice:\n%s", text.String())
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestBadConfidence(t *testing.T) {
	for _, c := range []float64{0, 1, math.NaN()} {
		if _, err := Make(t.Context(), sample(), "", Options{Confidence: c}); err == nil {
			t.Errorf("confidence %v accepted", c)
		}
	}
}
