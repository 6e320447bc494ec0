package models

import (
	"fmt"

	"ucan/models/declare"
	"ucan/models/internal/rewrite"
	"ucan/runtime/onnx/soundness"
)

// plan is everything decided about a file before anything runs.
type plan struct {
	*network
	file     *file
	declared Declaration
	report   Report
	source   []int // nil: not known without data
	fit      fit
	affine   rewrite.Affine
	static   int // the batch that the file bakes in; 0: open
	denoiser *denoiser

	listed []batchMode // what batchModes found; nil: not asked yet
	built  built
}

// planFile reads a file and decides what will be done with it. The report is filled
// as far as that went, also when the error is a Refusal.
func planFile(path string, opts Options) (*plan, error) {
	path = declare.ModelPath(path)
	p := newPlan(path, opts)
	d, yaml, err := opts.declaration(path)
	if err != nil {
		return p, err
	}
	p.report.YAML = base(yaml)
	if p.file, err = readFile(path); err != nil {
		return p, err
	}
	return p, p.resolve(d, yaml, opts)
}

// planBytes is planFile for the bytes of a file; only opts.YAML is read beside them.
func planBytes(name string, b []byte, opts Options) (*plan, error) {
	p := newPlan(name, opts)
	d, _, err := declare.ResolveFile(opts.YAML, opts.Declared)
	if err != nil {
		return p, err
	}
	p.report.YAML = base(opts.YAML)
	if p.file, err = parseAlone(b); err != nil {
		return p, err
	}
	return p, p.resolve(d, opts.YAML, opts)
}

func newPlan(path string, opts Options) *plan {
	p := &plan{report: Report{Name: opts.Name, File: base(path)}}
	if p.report.Name == "" {
		p.report.Name = declare.ModelName(path)
	}
	return p
}

// resolve decides everything about a file that was read.
func (p *plan) resolve(d Declaration, yaml string, opts Options) error {
	p.declared = d
	p.describe()
	var err error
	if yaml != "" {
		p.report.add(kindFound, "the declaration "+base(yaml)+" beside the model", "")
	}
	if p.network, err = selectNetwork(p.file.m, d, &p.report); err != nil {
		return err
	}
	p.roles()
	if err = soundness.Check(p.m); err != nil {
		return err
	}
	if err = p.dropSubnormals(p.network, ""); err != nil {
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
