// Package models turns an ONNX file on disk into a base classifier that can be
// smoothed: it opens, inspects and prepares.
//
// # What preparing means
//
// Noise is added and radii are measured in the input space: the raw scale of the
// data in the layout of its source (images: CHW in [0,1]). Everything between that
// tensor and the model's own input is compiled into the graph, behind the noise:
//
//	source x + noise → denoiser → (x·scale − mean)/std → layout → element type → f → decision
//
// so that only one integer label a row crosses the boundary of onnxruntime: the
// class, or −1 (no vote) where a score is NaN, the maximum is attained more than
// once, or the value equals the threshold. An infinite score is a score: a unique
// +Inf is the maximum, −Inf loses.
//
// A model exported with a fixed batch is rewritten to a symbolic one where that
// keeps its results, and runs at its own batch where it does not.
//
// # Batches
//
// A certificate counts independent votes of one function of a row. Rows share a batch
// only where package rows proves, over the graph that runs, that each is answered by
// itself. Where the proof ends, every row is a call of its own; Report.Rows says at which
// node. A fixed batch of several rows without a proof is refused.
//
// # What is refused
//
// A model whose answer depends on chance, or that gives no class, is refused with a
// [*Refusal]: training-mode normalisation or dropout, random operators, sequence and
// map outputs, a single regression output, weights that are not numbers. [Open] also
// runs the prepared graph on the same made-up rows at different positions of a batch and
// refuses when the decisions differ; [Model.CheckRows] does so before a run, with its own
// rows at its own batch.
//
// What no check can know stays with the user: a model with several heads side by
// side in one output (two commands of a controller, say) looks like one classifier;
// the arg-max over all its values means nothing.
//
// # Where each step is
//
// Read the files in this order; each step uses those above it.
//
//	Declare        package declare: what flags and model.yaml say of a model
//	               options.go: how a file is opened
//	Read           read.go: an ONNX file, its hash and its external tensors
//	Interface      network.go: the graph reduced to one data input and one output
//	               output.go, input.go: which ones, and the decision
//	               layout.go: how a row of the source becomes a row of the input
//	               classes.go, classnames.go: the number of classes, and their names
//	Soundness      package soundness (runtime/onnx): graphs that are no function of their input
//	               soundness.go: operators that a version of onnxruntime gets wrong
//	Preprocessing  preprocessing.go, normalisation.go: scale, mean and std, declared or inside
//	               denoiser.go: a model in front
//	Batch          package rows: the proof that rows are independent
//	               batch.go: at which batches the model may run, the best first
//	Plan           plan.go: all decisions above, made before anything runs
//	               build.go: the graph that follows; package rewrite has the edits
//	Decision       measure.go: the output's shape in a real run
//	Trial          package trial: the same row at other places and beside other rows
//	               runner.go, try.go, open.go: one batch mode after the other, until one passes
//	               checkrows.go: the trial before a run, on its own rows
//	               examine.go, examination.go, textlabel.go: outputs that cannot be what was meant
//	Calibration    package calibrate, calibration.go: batch, sessions and threads for speed
//	Result         model.go, classifier.go, scores.go: what a run uses
//	               pipeline.go: the whole as one ONNX file, for others
//	               inspect.go, describe.go, report.go, reporttext.go: what a user is told
//	               mapped.go: large weights stay in their file while it is inspected
package models
