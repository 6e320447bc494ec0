package runtime

import (
	"context"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"ucan/runtime/onnx"
)

// What the external tests, which may import runtimetest, need from inside.

func TinyInput() []float32                                         { return tinyInput() }
func TinyOutput() []float32                                        { return tinyOutput() }
func GraphIO(b []byte) ([]IO, []IO, error)                         { return graphIO(b) }
func CgroupCPUs(root string) int                                   { return cgroupCPUs(root) }
func ParseProfile(b []byte) (Placement, error)                     { return parseProfile(b) }
func ProviderFile(name string) string                              { return providerFile(name) }
func (rt *Runtime) Preload(ctx context.Context, name string) error { return rt.preload(ctx, name) }
func CudaOptions(user map[string]string) map[string]string {
	return providerTable()["cuda"].options(user)
}
func (o SessionOptions) Spin() bool { return o.spin() }
func (s *Session) Slots() int       { return len(s.slots) }

// WithLibrary returns a runtime that claims to be at path, to test what is
// looked for beside it.
func WithLibrary(path string) *Runtime {
	rt := &Runtime{}
	rt.lib.Path = path
	return rt
}

// TinyModel is the graph of the doctor's trial.
func TinyModel() []byte {
	b, err := tinyModel()
	if err != nil {
		panic(err)
	}
	return b
}

// MakeNode, MakeGraph and MakeValue build small models field by field, wrong ones included.
func MakeNode(op, output string, inputs ...string) []byte {
	var b []byte
	for _, in := range inputs {
		b = append(b, field(1, []byte(in))...) // NodeProto.input
	}
	return append(b, msg(field(2, []byte(output)), field(4, []byte(op)))...) // .output, .op_type
}

// MakeValue is a graph input or output; dims < 0 are open and named "N".
func MakeValue(name string, dtype onnx.DType, dims ...int64) []byte {
	var shape []byte
	for _, d := range dims {
		if d < 0 {
			shape = append(shape, field(1, field(2, []byte("N")))...)
			continue
		}
		shape = append(shape, field(1, num(1, uint64(d)))...)
	}
	tensor := msg(num(1, uint64(dtype)), field(2, shape))
	return msg(field(1, []byte(name)), field(2, field(1, tensor)))
}

// MakeGraph serialises a model of opset 17.
func MakeGraph(nodes, inputs, outputs [][]byte) []byte {
	var graph []byte
	for _, n := range nodes {
		graph = append(graph, field(1, n)...)
	}
	graph = append(graph, field(2, []byte("test"))...)
	for _, v := range inputs {
		graph = append(graph, field(11, v)...)
	}
	for _, v := range outputs {
		graph = append(graph, field(12, v)...)
	}
	return msg(num(1, 8), field(8, msg(num(2, 17))), field(7, graph))
}

func Tidy(err error) error { return tidy(err) }

// CompareValues compares the outputs of one batch.
func CompareValues(a, b []float32, classes int) Comparison {
	c := Comparison{Identical: true}
	c.add(a, b, classes)
	return c
}

// ProbeArgument marks a probing child's command line.
const ProbeArgument = probeArgument

// TelemetryVariable is what keeps onnxruntime from sending anything.
const TelemetryVariable = telemetryVariable

// Watch watches a call as a Run is watched.
func Watch(limit, grace time.Duration, terminate func() error) (stop func() bool) {
	d := &watchdog{what: "test", terminate: terminate, grace: grace}
	d.start(limit)
	return d.stop
}

func msg(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func field(n protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), v)
}

func num(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
}

var LoadError = loadError
