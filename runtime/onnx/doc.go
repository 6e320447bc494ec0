// Package onnx reads, builds, edits and writes ONNX models as Go values.
//
// # Terms
//
//   - A value is a named tensor of a graph: an input, an initialiser or the output of a node. Names
//     are unique within a graph; a subgraph (the body of If, Loop or Scan) also sees the names of
//     the graphs around it.
//   - An initialiser is a constant stored with the graph. Before IR version 4 every initialiser was
//     listed among the inputs as well; [Model.Inputs] leaves those out.
//   - An opset is a version of an operator set. The domain "" is ONNX's own and is written
//     "ai.onnx" by some exporters; the two are the same here.
//
// # Edits
//
// A [Model] is a value: no method changes it. Every edit returns a new model and leaves the
// original untouched. The copies share the bytes of the initialisers, which are never written to,
// so an edit of a large model costs little. Protobuf messages handed out by accessors are for
// reading only.
//
// Fields of the file format that this version of the schema does not know are kept through reading,
// editing and writing.
//
// # Hostile files
//
// [Parse] and [Read] may be given any bytes. They return an error for what is malformed, follow no
// path out of the model's folder, and allocate no more than a small multiple of the bytes that are
// really there; see [Limits].
package onnx
