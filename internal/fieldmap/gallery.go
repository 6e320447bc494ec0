package fieldmap

import (
	"encoding/csv"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"ucan/internal/atomicfile"
	"ucan/internal/npy"
	"ucan/npg"
)

// Specimen is an input with its noise parameters.
type Specimen struct {
	// Index and Label are the input's, Label −1 when unknown; Name is the label's name, if any.
	Index, Label int
	Name         string
	X            []float32
	Parameters   npg.Parameters
	// Noisy is one noisy copy of X; nil leaves its column out.
	Noisy []float32
}

// Gallery is what is shown of a generator.
type Gallery struct {
	// Title names the generator; Note says what its noise is good for.
	Title, Note string
	// Shape is that of an input in the source's layout.
	Shape []int
	// Constant says that all inputs get the same fields, which are then stored once.
	Constant  bool
	Specimens []Specimen
}

// Figures are the numbers of one input's fields.
type Figures struct {
	Index int `json:"index"`
	Label int `json:"label"`
	// SigmaMin, SigmaMean (geometric) and SigmaMax are of the scale field in its own basis.
	SigmaMin  float64 `json:"sigma_min"`
	SigmaMean float64 `json:"sigma_geometric_mean"`
	SigmaMax  float64 `json:"sigma_max"`
	// MuNorm and InputNorm are ℓ2 norms.
	MuNorm    float64 `json:"mu_norm"`
	InputNorm float64 `json:"input_norm"`
	// Floored and Ceiled count the coordinates that the generator's limits have moved.
	Floored int `json:"floored"`
	Ceiled  int `json:"ceiled"`
	// SigmaFile and MuFile are the fields' .npy files; MuFile is empty where μ = 0.
	SigmaFile string `json:"sigma_file"`
	MuFile    string `json:"mu_file,omitempty"`
}

// Files are those that [Gallery.Write] wrote, with names relative to the folder.
type Files struct {
	Index   string    `json:"index"`
	Table   string    `json:"table"`
	Sheets  []string  `json:"sheets"`
	Figures []Figures `json:"inputs"`
}

// RowsPerSheet is the number of inputs on a page.
const RowsPerSheet = 8

// ErrExists reports a folder that holds a gallery already.
var ErrExists = errors.New("there is a gallery already")

// The names of the files, beside sheets and fields.
const (
	indexName    = "index.html"
	tableName    = "fields.tsv"
	fieldsFolder = "fields"
)

// Write makes the folder dir with the sheets (sheet-1.png, …), the fields as .npy files under
// fields/, a table of figures and an HTML page that shows all of it, written last. It fails with
// [ErrExists] where that page exists.
func (g Gallery) Write(dir string) (out Files, err error) {
	defer func() {
		if err != nil {
			out, err = Files{}, fmt.Errorf("show a generator: %w", err)
		}
	}()
	if len(g.Specimens) == 0 {
		return out, errors.New("there are no inputs")
	}
	index := filepath.Join(dir, indexName)
	if _, err = os.Lstat(index); err == nil {
		return out, fmt.Errorf("%s: %w; name another folder", index, ErrExists)
	}
	if err = os.MkdirAll(filepath.Join(dir, fieldsFolder), 0o755); err != nil {
		return out, err
	}
	out = Files{Index: indexName, Table: tableName}
	for _, s := range g.Specimens {
		var f Figures
		if f, err = g.saveFields(dir, s); err != nil {
			return out, err
		}
		out.Figures = append(out.Figures, f)
	}
	sheets, err := g.sheets(out.Figures)
	if err != nil {
		return out, err
	}
	for i, s := range sheets {
		name := fmt.Sprintf("sheet-%d.png", i+1)
		if err := atomicfile.Write(filepath.Join(dir, name), s.WritePNG); err != nil {
			return out, err
		}
		out.Sheets = append(out.Sheets, name)
	}
	if err := atomicfile.Write(filepath.Join(dir, tableName), out.writeTable); err != nil {
		return out, err
	}
	return out, atomicfile.Write(index, func(w io.Writer) error { return writePage(w, g, out) })
}

// saveFields stores the fields of one input, or of all when they are constant.
func (g Gallery) saveFields(dir string, s Specimen) (Figures, error) {
	f := Figures{Index: s.Index, Label: s.Label, Floored: s.Parameters.Floored, Ceiled: s.Parameters.Ceiled}
	prefix := ""
	if !g.Constant {
		prefix = fmt.Sprintf("%06d-", s.Index)
	}
	mu, sigma := s.Parameters.Mu(), sigmaOf(s)
	f.SigmaMin, f.SigmaMax = math.Inf(1), math.Inf(-1)
	logs := 0.0
	for _, v := range sigma {
		f.SigmaMin, f.SigmaMax = min(f.SigmaMin, float64(v)), max(f.SigmaMax, float64(v))
		logs += math.Log(float64(v))
	}
	f.SigmaMean = math.Exp(logs / float64(len(sigma)))
	f.MuNorm, f.InputNorm = norm(mu), norm(s.X)
	f.SigmaFile = filepath.ToSlash(filepath.Join(fieldsFolder, prefix+"sigma.npy"))
	err := atomicfile.WriteBytes(filepath.Join(dir, f.SigmaFile), npy.Encode(sigma, g.Shape))
	if mu != nil && err == nil {
		f.MuFile = filepath.ToSlash(filepath.Join(fieldsFolder, prefix+"mu.npy"))
		err = atomicfile.WriteBytes(filepath.Join(dir, f.MuFile), npy.Encode(mu, g.Shape))
	}
	return f, err
}

// sigmaOf returns the scale field, ones where the generator leaves it out.
func sigmaOf(s Specimen) []float32 {
	if sigma := s.Parameters.Sigma(); sigma != nil {
		return sigma
	}
	return slices.Repeat([]float32{1}, len(s.X))
}

func norm(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}

func (f Files) writeTable(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Comma = '\t'
	rows := [][]string{{"idx", "label", "sigma_min", "sigma_geometric_mean", "sigma_max", "mu_norm", "input_norm", "floored", "ceiled", "sigma_file", "mu_file"}}
	for _, r := range f.Figures {
		g := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
		rows = append(rows, []string{
			strconv.Itoa(r.Index), strconv.Itoa(r.Label), g(r.SigmaMin), g(r.SigmaMean), g(r.SigmaMax), g(r.MuNorm), g(r.InputNorm),
			strconv.Itoa(r.Floored), strconv.Itoa(r.Ceiled), r.SigmaFile, r.MuFile,
		})
	}
	return out.WriteAll(rows)
}

// maps are the pictures of one specimen before they are coloured; frequency is used with a basis
// only.
type maps struct{ mu, sigma, frequency Plane }

// sheets lays the specimens out, all on the same scales.
func (g Gallery) sheets(figures []Figures) ([]Sheet, error) {
	geometry, err := GeometryOf(g.Shape)
	if err != nil {
		return nil, err
	}
	first := g.Specimens[0]
	var all []maps
	var mus, sigmas, frequencies []Plane
	anyMu, noisy, inBasis := false, first.Noisy != nil, first.Parameters.Basis() != nil
	for _, s := range g.Specimens {
		mu := s.Parameters.Mu()
		if anyMu = anyMu || mu != nil; mu == nil {
			mu = make([]float32, len(s.X))
		}
		sigma := sigmaOf(s)
		m := maps{mu: geometry.Plane(mu, Mean), sigma: geometry.Plane(Deviation(s.Parameters.Basis(), sigma), RMS), frequency: geometry.Plane(sigma, RMS)}
		all = append(all, m)
		mus, sigmas, frequencies = append(mus, m.mu), append(sigmas, m.sigma), append(frequencies, m.frequency)
	}
	columns, err := g.columns(geometry, anyMu, noisy, inBasis, mus, sigmas, frequencies)
	if err != nil {
		return nil, err
	}
	var out []Sheet
	for from := 0; from < len(g.Specimens); from += RowsPerSheet {
		sheet := Sheet{Title: g.Title, Note: g.Note}
		for _, c := range columns {
			sheet.Columns = append(sheet.Columns, c.Column)
		}
		for i := from; i < min(from+RowsPerSheet, len(g.Specimens)); i++ {
			row := Row{Lines: caption(g.Specimens[i], figures[i])}
			for _, c := range columns {
				row.Cells = append(row.Cells, c.draw(g.Specimens[i], all[i]))
			}
			sheet.Rows = append(sheet.Rows, row)
		}
		out = append(out, sheet)
	}
	return out, nil
}

// drawn is a column that knows its pictures.
type drawn struct {
	Column
	draw func(Specimen, maps) image.Image
}

// columns chooses what is shown and makes the scales.
func (g Gallery) columns(geometry Geometry, anyMu, noisy, inBasis bool, mus, sigmas, frequencies []Plane) ([]drawn, error) {
	how := ""
	if geometry.Channels > 1 {
		how = "over channels"
	}
	second := func(kind string) string {
		if how == "" {
			return ""
		}
		return "\n" + kind + " " + how
	}
	out := []drawn{{Column{Heading: "input"}, func(s Specimen, _ maps) image.Image { return geometry.Image(s.X) }}}
	if noisy {
		out = append(out, drawn{Column{Heading: "one noisy copy\nvalues cut to [0,1]"}, func(s Specimen, _ maps) image.Image {
			if s.Noisy == nil {
				return nil
			}
			return geometry.Image(s.Noisy)
		}})
	}
	if anyMu {
		scale, err := Symmetric(mus...)
		if err != nil {
			return nil, err
		}
		out = append(out, drawn{Column{Heading: "offset μ" + second("mean"), Scale: scale}, func(_ Specimen, m maps) image.Image { return scale.Draw(m.mu) }})
	}
	scale, err := Sequential(sigmas...)
	if err != nil {
		return nil, err
	}
	heading := "scale σ" + second("rms")
	if inBasis {
		heading = "standard deviation\nof each pixel's noise"
	}
	out = append(out, drawn{Column{Heading: heading, Scale: scale}, func(_ Specimen, m maps) image.Image { return scale.Draw(m.sigma) }})
	if inBasis {
		byFrequency, err := Sequential(frequencies...)
		if err != nil {
			return nil, err
		}
		out = append(out, drawn{Column{Heading: "scale s by frequency\n0 at the top left", Scale: byFrequency}, func(_ Specimen, m maps) image.Image { return byFrequency.Draw(m.frequency) }})
	}
	return out, nil
}

// caption is what stands beside an input.
func caption(s Specimen, f Figures) []string {
	head := fmt.Sprintf("input %d", s.Index)
	switch {
	case s.Name != "":
		head += ": " + s.Name
	case s.Label >= 0:
		head += fmt.Sprintf(": label %d", s.Label)
	}
	name := "σ"
	if s.Parameters.Basis() != nil {
		name = "s"
	}
	lines := []string{
		head,
		fmt.Sprintf("%s  %s to %s", name, number(f.SigmaMin), number(f.SigmaMax)),
		"geometric mean " + number(f.SigmaMean),
	}
	if f.MuNorm > 0 {
		lines = append(lines, fmt.Sprintf("‖μ‖ %s, ‖x‖ %s", number(f.MuNorm), number(f.InputNorm)))
	}
	if f.Floored > 0 {
		lines = append(lines, fmt.Sprintf("%d at the floor", f.Floored))
	}
	if f.Ceiled > 0 {
		lines = append(lines, fmt.Sprintf("%d at the ceiling", f.Ceiled))
	}
	return lines
}
