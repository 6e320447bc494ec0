package models

import (
	"slices"

	"ucan/models/declare"
	"ucan/models/internal/rewrite"
	"ucan/models/trial"
	"ucan/runtime"
	"ucan/runtime/onnx"
)

// Model is a prepared base classifier: one function from a row of the source's
// space to a class. It is safe for concurrent use; each worker takes a
// [Classifier] of its own.
type Model struct {
	rt       *runtime.Runtime
	opts     Options
	report   Report
	decision declare.Decision
	sha256   string
	source   []int

	graph *onnx.Model // prepared
	bytes []byte      // the same, as an ONNX file

	fixedBatch int // 0: any batch
	scoreWidth int
	trialWidth int        // of the prepared graph's scores, those behind a label included
	inputType  onnx.DType // of the model's own input
	provider   string
	rowTime    rowTime
	scorer     scorer
	samples    *trial.Answer // to the made-up rows of ExamineSamples; nil: not asked

	file          *file // as it was read, for a second look at its outputs
	declared      Declaration
	other         *otherOutput // nil: no other output names a class
	probabilities string       // why the scores are probabilities, "" where they are not known to be
}

// Name returns the model's name in certificates.
func (m *Model) Name() string { return m.report.Name }

// SHA256 returns the hash of the model's file in hexadecimal; of all its files in
// order where it keeps tensors in others. A denoiser's hash is in Preprocessing.
func (m *Model) SHA256() string { return m.sha256 }

// Classes returns the number of classes, at least 2.
func (m *Model) Classes() int { return m.report.Classes }

// Labels returns the declared names of the classes, or nil.
func (m *Model) Labels() []string { return slices.Clone(m.report.Labels) }

// InputShape returns the shape of one row in the source's layout (images: C, H, W).
func (m *Model) InputShape() []int { return slices.Clone(m.source) }

// Dim returns the number of values of one row.
func (m *Model) Dim() int { return product(m.source) }

// Preprocessing returns what stands between the noise and the classifier.
func (m *Model) Preprocessing() Preprocessing { return m.report.Prep }

// Denoiser returns the path of the denoiser in front, as it was given; "" for none.
func (m *Model) Denoiser() string { return m.declared.Denoiser }

// Decision returns how a class is made of the output.
func (m *Model) Decision() declare.Decision { return m.decision }

// Provider returns the provider that really runs the graph.
func (m *Model) Provider() string { return m.provider }

// FixedBatch returns the only physical batch that the model runs at, or 0 when it
// runs at any.
func (m *Model) FixedBatch() int { return m.fixedBatch }

// Report returns everything found while opening, the probe's result included.
func (m *Model) Report() Report { return m.report }

// Names in the prepared graph ([Model.Graph]): its input, and its output of scores.
const (
	GraphInput  = rewrite.InputName
	GraphScores = rewrite.ScoresName
)

// Graph returns the prepared graph: input [GraphInput] of type float and shape
// [N, source…], outputs "ucan.label" (int32 [N]) and [GraphScores] ([N, K]); under Label
// the latter holds what the label is the index in, and is missing where that is not known.
func (m *Model) Graph() *onnx.Model { return m.graph }
