// Package runtime runs ONNX graphs on onnxruntime: it finds (or installs) the
// shared library, opens one environment per process and makes sessions whose
// tensors are the caller's own memory.
//
//	rt, err := runtime.Open(ctx, runtime.Config{})
//	defer rt.Close()
//	sess, err := rt.NewSession(ctx, model, runtime.SessionOptions{IntraOp: 1})
//	defer sess.Close()
//	x, err := runtime.NewTensor(rt, []int64{1, 28 * 28}, pixels)  // pixels []float32 is used in place
//	y, err := runtime.NewTensor(rt, []int64{1, 10}, logits)
//	err = sess.Run(ctx, []*runtime.Tensor{x}, []*runtime.Tensor{y})
//
// Ownership: whoever makes a Runtime, Session or Tensor closes it, once or
// more often; Live counts what is still open. Nothing is allocated by
// onnxruntime for a Run's results: outputs are preallocated by the caller, so
// the shapes must be known, which is how models are prepared here.
//
// Providers are data (Provider): a single one is strict, so no computing node
// lands on the CPU without being asked for; a longer list falls back in order
// and the Session tells what really ran.
//
// # Files
//
//	open.go, env.go                       the library and the environment of the process
//	session.go, run.go, options.go        sessions and their runs; limit.go stops those that do not end
//	tensor.go, dtype.go, graphio.go       memory, element types, inputs and outputs of a graph
//	provider.go, provider_table.go,       execution providers; plugin.go and preload.go load them,
//	placement.go                          and the last tells which nodes they computed
//	doctor.go, compare.go, tiny.go        examinations of a machine
//	probe.go, trial.go, known.go          the trial of a file in a process of its own
//
// The package needs cgo. The parts that do not — finding, reading the version
// of and installing the library — are in runtime/library.
package runtime
