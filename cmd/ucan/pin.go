package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"ucan/internal/audit"
	"ucan/internal/dataset"
	"ucan/internal/progress"
	"ucan/internal/table"
	"ucan/models"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// replayed is one input that was answered with the noise of its certificate.
type replayed struct {
	Index     int    `json:"idx"`
	Label     int    `json:"label"`
	Certified int    `json:"certified"`
	Predict   int    `json:"predict"`
	Agrees    bool   `json:"agrees"`
	Inside    string `json:"inside"` // yes, no or unknown
	// Share is how far towards the region's boundary the input lies: 0 is the certified input, 1 the boundary; null where
	// the certified input is not at hand or has no region.
	Share     *float64              `json:"share"`
	Guarantee certificate.Guarantee `json:"guarantee"`
}

// violated reports whether the certificate promises another answer than the one given.
func (r replayed) violated() bool {
	return r.Inside == insideYes && r.Certified >= 0 && r.Predict >= 0 && r.Predict != r.Certified
}

// The answers to whether an input lies inside the certified region.
const (
	insideYes     = "yes"
	insideNo      = "no"
	insideUnknown = "unknown"
)

// replay is the outcome of predict --pin.
type replay struct {
	Inputs    int        `json:"inputs"`
	Agree     int        `json:"agree"`
	Abstained int        `json:"abstained"`
	Inside    int        `json:"inside"`
	Violated  int        `json:"violated"`
	Results   []replayed `json:"results"`
}

// pinner answers inputs with exactly the noise that their certificates store.
type pinner struct {
	a            *app
	path         string
	certificates map[int]*certificate.Certificate
	folder       *certificate.Folder
	bench        *bench
	clean        *dataset.Source // the certified inputs; nil when not given
	smoother     *smooth.Smoother
	request      smooth.PredictN
}

// runPin answers the chosen inputs that have a certificate in the file.
func runPin(ctx context.Context, a *app, o certifyOptions, path, cleanSpec string) error {
	if len(o.output.outputs()) > 0 || o.output.plot != "" || o.output.resume {
		return usagef("predict --pin: results are printed; leave --out, --json, --plot and --resume out, and use --format json for a document")
	}
	if o.statistics.N < 1 {
		return usagef("predict --pin: a certificate's noise is replayed with samples; give --n of at least 1")
	}
	p := &pinner{a: a, path: path, request: smooth.PredictN{N: o.statistics.N, Alpha: o.statistics.Alpha}}
	if err := p.read(ctx); err != nil {
		return err
	}
	if _, err := o.settle(nil); err != nil {
		return err
	}
	var err error
	if p.bench, err = a.openWorkbench(ctx, o.model, o.declared, o.session, o.data, nil); err != nil {
		return err
	}
	if cleanSpec != "" {
		effective, _, resolveErr := models.ResolveDeclaration(o.model, models.Options{Declared: o.declared})
		if resolveErr != nil {
			return modelError(fmt.Errorf("open model %w", resolveErr))
		}
		data := o.data
		data.spec = cleanSpec
		if p.clean, _, err = a.openData(ctx, data, effective); err != nil {
			return err
		}
	}
	if p.smoother, err = p.bench.Smoother(o.seed); err != nil {
		return err
	}
	indices := slices.DeleteFunc(slices.Clone(p.bench.indices), func(i int) bool { return p.certificates[i] == nil })
	if len(indices) == 0 {
		return usagef("predict --pin %q: none of the %d chosen inputs has a certificate there; choose others with --skip and --max", path, len(p.bench.indices))
	}
	a.note("%d of %d chosen inputs have a certificate; seed %d", len(indices), len(p.bench.indices), o.seed)
	if err = p.bench.checkRows(ctx, a, indices, o.seed, p.seal); err != nil {
		return err
	}
	out, err := p.run(ctx, indices)
	if err != nil {
		return err
	}
	return out.present(a, path)
}

// seal is the noise of an input's certificate, for the check before the run.
func (p *pinner) seal(_ context.Context, item dataset.Item) (*smooth.SealedNoise, error) {
	c := p.certificates[item.Index]
	if !slices.Equal(c.Input.Shape, item.Shape) {
		return nil, nil // refused when its turn comes
	}
	return c.SealedNoise(p.folder)
}

// read loads the certificates by index, each checked: noise is replayed from true ones only.
func (p *pinner) read(ctx context.Context) error {
	p.certificates, p.folder = map[int]*certificate.Certificate{}, certificate.NewFolder(filepath.Dir(p.path))
	checker := audit.NewChecker(p.folder, buildName())
	err := eachLine(ctx, p.path, func(line int, text []byte) error {
		c, findings, err := checker.CheckLine(text)
		if c == nil {
			return checkf("predict --pin %q: line %d: %s; run \"ucan verify\" on it", p.path, line, findings[0].Recomputed)
		}
		if err != nil {
			return fmt.Errorf("predict --pin %q: line %d: %w", p.path, line, err)
		}
		if len(findings) > 0 {
			return checkf("predict --pin %q: line %d is false or altered: %s", p.path, line, findings[0])
		}
		if c.Status == certificate.Failed {
			return nil
		}
		index := int(c.Input.Index)
		if p.certificates[index] != nil {
			return usagef("predict --pin %q: line %d: a second certificate of input %d; give a file with one for each", p.path, line, index)
		}
		p.certificates[index] = c
		return nil
	})
	if err == nil && len(p.certificates) == 0 {
		return usagef("predict --pin %q: it holds no certificate of a usable input; name the file that --json wrote", p.path)
	}
	return err
}

func (p *pinner) run(ctx context.Context, indices []int) (replay, error) {
	bar := progress.New(p.a.progressWriter(), p.a.progressOptions(len(indices), 0))
	defer bar.Close()
	record, err := p.bench.ModelRecord()
	if err != nil {
		return replay{}, err
	}
	out := replay{Results: []replayed{}}
	for _, index := range indices {
		c := p.certificates[index]
		if f, other := audit.OtherModel(c.Model, record); other {
			return replay{}, refusef("predict --pin %q: input %d was certified for another classifier (%s: %s there, %s here); give that model", p.path, index, f.Field, f.Stored, f.Recomputed)
		}
		item, err := p.bench.Inputs().At(ctx, index)
		if err != nil {
			return replay{}, fmt.Errorf("predict --pin: %w", err)
		}
		r, err := p.answer(ctx, c, item)
		if err != nil {
			return replay{}, fmt.Errorf("predict --pin %q: input %d: %w", p.path, index, err)
		}
		out.add(r)
		bar.Add(1)
	}
	return out, nil
}

// answer replays one certificate's noise on an input.
func (p *pinner) answer(ctx context.Context, c *certificate.Certificate, item dataset.Item) (replayed, error) {
	if !slices.Equal(c.Input.Shape, item.Shape) {
		return replayed{}, refusef("it has shape %v, and the certified one %v", item.Shape, c.Input.Shape)
	}
	noise, err := c.SealedNoise(p.folder)
	if err != nil {
		return replayed{}, err
	}
	answer, err := p.smoother.Predict(ctx, item.X, item.SHA256, noise, p.request)
	if err != nil {
		return replayed{}, err
	}
	r := replayed{Index: item.Index, Label: item.Label, Certified: c.Predict, Predict: -1, Guarantee: c.Guarantee}
	if !answer.Abstained {
		r.Predict = answer.Class
	}
	r.Agrees = r.Predict >= 0 && r.Predict == r.Certified
	r.Inside, r.Share, err = p.place(ctx, c, item)
	return r, err
}

// place says where an input lies with respect to the certified region.
func (p *pinner) place(ctx context.Context, c *certificate.Certificate, item dataset.Item) (inside string, share *float64, err error) {
	x := item.X
	if hex.EncodeToString(item.SHA256[:]) != c.Input.SHA256 {
		if p.clean == nil {
			return insideUnknown, nil, nil
		}
		clean, readErr := p.clean.At(ctx, item.Index)
		if readErr != nil {
			return "", nil, readErr
		}
		if hex.EncodeToString(clean.SHA256[:]) != c.Input.SHA256 {
			return "", nil, refusef("--pin-data does not hold the certified input (its hash differs); give the data that were certified")
		}
		x = clean.X
	}
	if c.Status != certificate.Certified {
		return insideNo, nil, nil
	}
	in, err := c.ContainsPoint(x, item.X, p.folder)
	if err != nil {
		return "", nil, err
	}
	delta := make([]float64, len(x))
	for i := range x {
		delta[i] = float64(item.X[i]) - float64(x[i])
	}
	region, err := c.Intersection(p.folder)
	if err != nil {
		return "", nil, err
	}
	scale, err := region.MaxScale(delta)
	if err != nil {
		return "", nil, err
	}
	if scale > 0 {
		s := 1 / scale
		share = &s
	}
	if in {
		return insideYes, share, nil
	}
	return insideNo, share, nil
}

func (o *replay) add(r replayed) {
	o.Inputs++
	o.Results = append(o.Results, r)
	if r.Agrees {
		o.Agree++
	}
	if r.Predict < 0 {
		o.Abstained++
	}
	if r.Inside == insideYes {
		o.Inside++
	}
	if r.violated() {
		o.Violated++
	}
}

func (o replay) present(a *app, path string) error {
	if a.json() {
		if err := writeJSON(a.stdout, o); err != nil {
			return err
		}
	} else if err := o.print(a.stdout); err != nil {
		return err
	}
	if o.Violated > 0 {
		return checkf("predict --pin %q: %d inputs inside their certified regions are answered with another class than certified", path, o.Violated)
	}
	return nil
}

func (o replay) print(w io.Writer) error {
	t := table.New(">idx", ">label", ">certified", ">predict", "agrees", "inside", ">share of the way to the boundary")
	guarantees := map[certificate.Guarantee]bool{}
	for _, r := range o.Results {
		share := "–"
		if r.Share != nil {
			share = fmt.Sprintf("%.4f", *r.Share)
		}
		agrees := "no"
		if r.Agrees {
			agrees = "yes"
		}
		t.Row(r.Index, r.Label, r.Certified, r.Predict, agrees, r.Inside, share)
		guarantees[r.Guarantee] = true
	}
	if _, err := t.WriteTo(w); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d inputs: %d answered as certified, %d abstained, %d inside their regions, %d violations\n", o.Inputs, o.Agree, o.Abstained, o.Inside, o.Violated)
	for _, g := range []certificate.Guarantee{certificate.Deployed, certificate.Pinned} {
		if guarantees[g] {
			fmt.Fprintf(w, "guarantee  %s\n", guaranteeText(string(g)))
		}
	}
	return nil
}
