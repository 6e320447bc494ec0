package models

import (
	"fmt"
	"os"

	"ucan/models/declare"
	"ucan/models/internal/rewrite"
	"ucan/runtime/onnx/soundness"
)

// Names of the joint between a denoiser and the classifier.
const (
	denoisedName   = "ucan.denoised"
	classifierName = "ucan.clean"
)

// denoiser is an image-to-image model composed in front of the classifier.
type denoiser struct {
	*network
	file   *file
	fit    fit
	static int
}

// planDenoiser reads an image-to-image model that turns noisy rows of the source
// into clean ones of the same shape.
func (p *plan) planDenoiser(path string) error {
	if p.source == nil {
		return soundness.Refuse("the classifier leaves the data's shape open", "compose a denoiser when data is given")
	}
	file := declare.DenoiserPath(path)
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return declare.Errorf("it is a folder without %s; give a bundle of \"ucan train denoiser\", or an ONNX file", declare.DenoiserFile)
	}
	f, err := readFile(file)
	if err != nil {
		return err
	}
	var r Report // its findings are not the classifier's
	outs := f.m.Outputs()
	if len(outs) != 1 {
		return soundness.Refuse("it has several outputs ("+list(outs)+")", "export it with its image as the only output")
	}
	s, err := selectNetwork(f.m, Declaration{Output: OutputDeclaration{Name: outs[0].Name, Decision: string(declare.Argmax)}}, &r)
	if err != nil {
		return err
	}
	if err = soundness.Check(s.m); err != nil {
		return err
	}
	if _, _, integer := rewrite.IntegerRange(s.input.Type); integer {
		return soundness.Refuse(fmt.Sprintf("input %v takes integers", s.input), "export it with a float input")
	}
	if err = p.dropSubnormals(s, " of the denoiser"); err != nil {
		return err
	}
	d := &denoiser{network: s, file: f, static: batchDim(s.input)}
	if d.fit, err = fitLayout(p.source, rowDims(s.input), declare.Undeclared); err != nil {
		return err
	}
	p.denoiser = d
	name := declare.DenoiserName(path)
	p.report.Denoiser, p.report.Prep.Denoiser = name, f.sha256
	p.report.add(kindWillDo, fmt.Sprintf("denoiser %s (sha256 %s…) behind the noise, in front of the preprocessing", name, f.sha256[:12]), "--denoiser FILE")
	return nil
}
