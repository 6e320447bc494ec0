package main

import (
	"ucan/models"
	"ucan/models/declare"
)

// modelOptions name a model and declare what is known of it.
type modelOptions struct {
	file     string
	declared models.Declaration

	layout   string
	channels string
	fix      []string
}

func (m *modelOptions) declare(o *options) {
	o.in(modelSection)
	o.text(&m.file, "model.file", "model", "", "ONNX file to certify").as("m")
	input, output := &m.declared.Input, &m.declared.Output
	declareNormalisation(o, &input.Mean, &input.Std)
	o.maybeFloat(&input.Scale, "model.scale", "scale", "factor applied before mean and std (255 for models fed raw bytes)")
	o.text(&m.layout, "model.layout", "layout", "", "layout of the model's input: nchw, nhwc or flat").offers(layoutNames)
	o.text(&m.channels, "model.channels", "channels", "", "order of channels that the model expects: rgb or bgr (data are rgb; mean and std are in the model's order)").offers(channelNames)
	o.text(&input.Name, "model.input", "input", "", "name of the input that carries the image")
	declareOutput(o, &output.Name)
	o.text(&output.Decision, "model.decision", "decision", "", "how scores become a class: argmax, argmin, threshold[:T] or label").offers(decisionNames)
	o.words(&m.fix, "model.fix", "fix", nil, "constant for a second input, NAME=VALUE (repeatable)")
	o.text(&m.declared.Denoiser, "model.denoiser", "denoiser", "", "denoiser to put in front of the model: a bundle of train denoiser, or an ONNX file")
}

func declareNormalisation(o *options, mean, std *[]float64) {
	o.floats(mean, "model.mean", "mean", "per-channel mean: f sees (x·scale − mean)/std")
	o.floats(std, "model.std", "std", "per-channel standard deviation")
}

func declareOutput(o *options, into *string) {
	o.text(into, "model.output", "output", "", "name of the output that carries the scores")
}

func layoutNames() []string {
	return []string{string(declare.NCHW), string(declare.NHWC), string(declare.Flat)}
}

func channelNames() []string { return []string{string(declare.RGB), string(declare.BGR)} }

func decisionNames() []string {
	return []string{string(declare.Argmax), string(declare.Argmin), string(declare.Threshold), string(declare.Label)}
}

// check requires a model. A bundle's folder stands for the file in it.
func (m *modelOptions) check(f *faults) {
	if m.file == "" {
		f.add(&m.file, "no model given; name an ONNX file, or the bundle of a trained one")
	}
	m.file = declare.ModelPath(m.file)
	m.checkDeclared(f)
}

// checkDeclared checks what is declared of the model, whether it is named or not.
func (m *modelOptions) checkDeclared(f *faults) {
	var err error
	if m.declared.Input.Layout, err = declare.ParseLayout(m.layout); err != nil {
		f.add(&m.layout, "%w", err)
	}
	if m.declared.Input.Channels, err = declare.ParseChannels(m.channels); err != nil {
		f.add(&m.channels, "%w", err)
	}
	if m.declared.Input.Fix, err = declare.ParseFix(m.fix); err != nil {
		f.add(&m.fix, "%w", err)
	}
	if err := m.declared.Validate(); err != nil {
		f.list = append(f.list, err)
	}
}
