package models

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/hazard"
)

// plan is everything decided about a file before anything runs.
type plan struct {
	*subject
	file     *file
	declared Declaration
	report   Report
	source   []int // nil: not known without data
	fit      fit
	affine   affine
	static   int // the batch that the file bakes in; 0: open
	denoiser *denoiser

	listed []way // what ways found; nil: not asked yet
	built  built
}

// built is the last graph that build made. Graphs share their weights, so it costs little memory.
type built struct {
	rewrite bool
	batch   int64
	graph   *onnx.Model
	edits   []string
}

// denoiser is an image-to-image model composed in front of the classifier.
type denoiser struct {
	*subject
	file   *file
	fit    fit
	static int
}

// makePlan reads a file and decides what will be done with it. The report is filled
// as far as that went, also when the error is a Refusal.
func makePlan(path string, opts Options) (*plan, error) {
	p := newPlan(path, opts)
	d, yaml, err := ResolveDeclaration(path, opts)
	if err != nil {
		return p, err
	}
	p.report.YAML = base(yaml)
	if p.file, err = readFile(path); err != nil {
		return p, err
	}
	return p, p.decide(d, yaml, opts)
}

// makePlanOf is makePlan for the bytes of a file; only opts.YAML is read beside them.
func makePlanOf(name string, b []byte, opts Options) (*plan, error) {
	p := newPlan(name, opts)
	d, err := opts.Declared, opts.Declared.Validate()
	if err != nil {
		return p, declared("%w", err)
	}
	if opts.YAML != "" {
		if d, _, err = ResolveDeclaration("", opts); err != nil {
			return p, err
		}
	}
	p.report.YAML = base(opts.YAML)
	if p.file, err = parseAlone(b); err != nil {
		return p, err
	}
	return p, p.decide(d, opts.YAML, opts)
}

func newPlan(path string, opts Options) *plan {
	p := &plan{report: Report{Name: opts.Name, File: base(path)}}
	if p.report.Name == "" {
		p.report.Name = stem(path)
	}
	return p
}

// decide settles everything about a file that was read.
func (p *plan) decide(d Declaration, yaml string, opts Options) error {
	p.declared = d
	p.describe()
	var err error
	if yaml != "" {
		p.report.add(kindFound, "the declaration "+base(yaml)+" beside the model", "")
	}
	if p.subject, err = choose(p.file.m, d, &p.report); err != nil {
		return err
	}
	p.roles()
	if err = hazard.Check(p.m); err != nil {
		return err
	}
	if err = p.dropSubnormals(p.subject, ""); err != nil {
		return err
	}
	if err = p.planInput(d, opts.SourceShape); err != nil {
		return err
	}
	if err = p.planOutput(d); err != nil {
		return err
	}
	if d.Denoiser != "" {
		if err = p.planDenoiser(d.Denoiser); err != nil {
			return fmt.Errorf("denoiser %s: %w", d.Denoiser, err)
		}
	}
	p.planBatch()
	return nil
}

// describe fills in what the file says of itself.
func (p *plan) describe() {
	r, m := &p.report, p.file.m
	r.SHA256, r.Bytes = p.file.sha256, p.file.bytes
	r.IRVersion, r.Opsets, r.Operators = m.IRVersion(), map[string]int64{}, m.Operators()
	for d, v := range m.Opsets() {
		if d == "" {
			d = "ai.onnx"
		}
		r.Opsets[d] = v
	}
	name, version := m.Producer()
	r.Producer = name
	if version != "" && name != "" {
		r.Producer += " " + version
	}
	for _, v := range m.Inputs() {
		r.Inputs = append(r.Inputs, describeTensor(v))
	}
	for _, v := range m.Outputs() {
		r.Outputs = append(r.Outputs, describeTensor(v))
	}
	seen := map[string]int{}
	for _, o := range m.Proto().GetOpsetImport() {
		seen[onnx.NormalDomain(o.GetDomain())]++
	}
	for d, n := range seen {
		if n > 1 {
			r.add(kindFound, fmt.Sprintf("operator set %q is imported %d times; the last one, %d, counts", orDefault(d), n, m.Opset(d)), "")
		}
	}
	if extra := len(m.Proto().GetGraph().GetInput()) - len(r.Inputs); extra > 0 {
		r.add(kindFound, fmt.Sprintf("%d weights are listed among the inputs; they stay constant", extra), "")
	}
}

func orDefault(domain string) string {
	if domain == "" {
		return "ai.onnx"
	}
	return domain
}

func describeTensor(v onnx.ValueInfo) TensorInfo {
	t := TensorInfo{Name: v.Name, Type: v.Type.String()}
	if v.Kind != "tensor" {
		t.Type = v.Kind
	}
	if v.HasShape {
		t.Shape = make([]string, len(v.Shape))
		for i, d := range v.Shape {
			t.Shape[i] = d.String()
		}
	}
	return t
}

// roles marks what became of the inputs and outputs.
func (p *plan) roles() {
	for i := range p.report.Inputs {
		t := &p.report.Inputs[i]
		switch {
		case t.Name == p.input.Name || "base."+t.Name == p.input.Name:
			t.Role = "data"
		case p.m.Initializer(t.Name) != nil:
			t.Role = "fixed"
		default:
			t.Role = "unused"
		}
	}
	for i := range p.report.Outputs {
		t := &p.report.Outputs[i]
		t.Role = "unused"
		if t.Name == p.output || "base."+t.Name == p.output {
			t.Role = "scores"
			if p.decision.Kind == Label {
				t.Role = "label"
			}
		}
	}
}

// planInput settles the source's shape, the layout and the preprocessing.
func (p *plan) planInput(d Declaration, source []int) error {
	r := &p.report
	row := rowDims(p.input)
	p.static = batchDim(p.input)
	if p.input.HasShape && len(p.input.Shape) == 0 {
		return refuse(fmt.Sprintf("input %v is a single number without a batch axis", p.input), "export the model with a batch axis")
	}
	if source != nil {
		p.source = slices.Clone(source)
	} else {
		p.source = inferSource(row, d.Input.Layout)
	}
	if p.source != nil && (len(p.source) == 0 || slices.Min(p.source) < 1 || product(p.source) > 1<<28) {
		return declared("the data's shape %s is out of range", shapeText(p.source))
	}
	if err := p.planAffine(d); err != nil {
		return err
	}
	r.Source = p.source
	v := newView(p.m)
	r.Inside = v.findNormalisation(p.input.Name)
	r.Prep = Preprocessing{
		Input: p.input.Name, Layout: d.Input.Layout, Type: p.input.Type.String(), Shape: row,
		Scale: p.affine.scale, Mean: p.affine.mean, Std: p.affine.std, Fix: d.Input.Fix, Output: p.output,
	}
	_, _, r.Prep.Round = integerRange(p.input.Type)
	p.explainInput(d)
	if p.source == nil {
		r.add(kindWarning, fmt.Sprintf("input %v leaves dimensions open: the data's own shape decides", p.input), "")
		return nil
	}
	var err error
	if p.fit, err = fitLayout(p.source, row, d.Input.Layout); err != nil {
		if whole := append([]int{p.static}, row...); p.static > 0 && slices.Equal(whole, p.source) {
			return refuse(fmt.Sprintf("input %v is a single row without a batch axis", p.input), "export the model with a batch axis in front")
		}
		return err
	}
	r.Prep.Layout, r.Prep.Shape = p.fit.layout, p.fit.target
	for _, v := range [][]float64{p.affine.mean, p.affine.std} {
		if _, err := channelDims(len(v), p.source); err != nil {
			return err
		}
	}
	kind := kindFound
	if p.fit.guessed && d.Input.Layout == Undeclared {
		kind = kindGuessed
	}
	text := fmt.Sprintf("layout %s: source rows %s enter as %s", p.fit.layout, shapeText(p.source), shapeText(p.fit.target))
	if p.fit.transpose {
		text += ", transposed to rows, columns, channels"
	}
	r.add(kind, text, "--layout nchw|nhwc|flat")
	return nil
}

// planAffine settles (x·scale − mean)/std.
func (p *plan) planAffine(d Declaration) error {
	p.affine = affine{scale: 1, mean: []float64{0}, std: []float64{1}}
	_, _, integer := integerRange(p.input.Type)
	switch {
	case d.Input.Scale != nil:
		p.affine.scale = *d.Input.Scale
	case p.input.Type == onnx.Uint8:
		p.affine.scale = 255
		p.report.add(kindGuessed, "input of type uint8: values are multiplied by 255, rounded, clipped to 0…255 and cast, behind the noise", "--scale S")
	case integer:
		return refuse(fmt.Sprintf("input %v takes integers and their scale is unknown", p.input),
			"declare it with --scale (and --mean): the model sees round(x·scale − mean)")
	}
	if len(d.Input.Mean) > 0 {
		p.affine.mean = slices.Clone(d.Input.Mean)
	}
	if len(d.Input.Std) > 0 {
		p.affine.std = slices.Clone(d.Input.Std)
	}
	return nil
}

// explainInput tells what is known of the normalisation.
func (p *plan) explainInput(d Declaration) {
	r := &p.report
	in := d.Input
	r.Prep.Inferred = in.Scale == nil && in.Mean == nil && in.Std == nil
	const flags = "--scale S --mean a,b,c --std a,b,c"
	if !r.Prep.Inferred {
		r.add(kindWillDo, fmt.Sprintf("behind the noise the model sees (x·%v − %v)/%v", p.affine.scale, p.affine.mean, p.affine.std), flags)
	}
	inside := r.Inside
	switch {
	case inside == nil && r.Prep.Inferred:
		r.add(kindGuessed, "no normalisation declared and none found inside the graph: the model sees the data as it is (images: [0,1])", flags)
	case inside == nil:
	case !r.Prep.Inferred && !p.affine.identity():
		r.add(kindWarning, fmt.Sprintf("the graph itself begins with %v: is the data normalised twice?", inside.Operators), flags)
	default:
		text := fmt.Sprintf("the graph itself normalises its input (%v)", inside.Operators)
		switch {
		case inside.Mean != nil && constant(inside.Mean, 0) && constant(inside.Std, 1):
			text = fmt.Sprintf("the graph itself begins with %v, whose constants change nothing", inside.Operators)
		case inside.Mean != nil:
			text = fmt.Sprintf("the graph itself normalises its input: (x − %v)/%v", inside.Mean, inside.Std)
		}
		r.add(kindFound, text, flags)
		if inside.Std != nil && p.affine.scale == 1 && slices.Max(inside.Std) > 8 {
			r.add(kindWarning, "these constants fit pixels of 0…255; for data in [0,1] the model may want --scale 255", "--scale 255")
		}
	}
}

// intention announces a rewrite of the batch.
func (p *plan) intention() string {
	return fmt.Sprintf("rewrite the fixed batch %s to a symbolic one, if the results stay the same", p.report.Batching.Declared)
}

// openBatch announces that any batch runs.
const openBatch = "the batch is open"

// planBatch settles how rows are batched as far as the file tells.
func (p *plan) planBatch() {
	r := &p.report
	b := Batching{Declared: "?", Plan: planDynamic}
	if p.input.HasShape && len(p.input.Shape) > 0 {
		b.Declared = p.input.Shape[0].String()
	}
	if p.static > 0 || p.denoiser != nil && p.denoiser.static > 0 {
		b.Plan = planRewritten
	}
	r.Batching = b
	switch b.Plan {
	case planRewritten:
		r.add(kindWillDo, p.intention(), "")
	default:
		r.add(kindFound, openBatch, "")
	}
}
