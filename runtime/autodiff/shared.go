package autodiff

import (
	"slices"

	"ucan/runtime/autodiff/internal/ortcpu"
	"ucan/runtime/onnx"
)

// shared is what the rules of one pass have in common.
type shared struct {
	blocked map[string]bool
	ones    map[int64]onnx.Value
	fixed   map[string]bool // the initialisers, those among Wrt included
	readers map[string]int  // of the values of the forward graph, outputs counted
	relus   map[string]bool // outputs of Relu
	masked  map[string]bool // outputs of Relu whose gradient is masked already
	layout  bool            // forCPU will name the provider's operators
	groups  bool            // small groups among them (ortcpu.Layout)
	// phases are what interleave made a gradient of.
	phases map[string]interleaved
	// stacks are the weight gradients that wait for others by the same input, by stackKey and in
	// the order of the graph.
	stacks     map[string]*weightStack
	stackOrder []*weightStack
}

func newShared() *shared {
	return &shared{blocked: make(map[string]bool), ones: make(map[int64]onnx.Value),
		fixed: make(map[string]bool), readers: make(map[string]int), relus: make(map[string]bool), masked: make(map[string]bool),
		phases: make(map[string]interleaved), stacks: make(map[string]*weightStack)}
}

func (s *shared) units(b *onnx.Builder, channels int64) onnx.Value {
	v, ok := s.ones[channels]
	if !ok {
		v = onnx.Tensor(b, "units", []int64{channels, 1, 1, 1}, slices.Repeat([]float32{1}, int(channels)))
		s.ones[channels] = v
	}
	return v
}

// markBlocked follows the layout through the forward graph (ortcpu.Held), and notes what rules ask
// of its values.
func (d *differ) markBlocked(m *onnx.Model, sh *shared) {
	for _, t := range m.Initializers() {
		sh.fixed[t.GetName()] = true
	}
	if sh.layout {
		for _, w := range d.promoted {
			sh.fixed[w] = true
		}
	}
	for _, o := range m.Outputs() {
		sh.readers[o.Name]++
	}
	for _, n := range m.Nodes() {
		for _, u := range onnx.Uses(n) {
			sh.readers[u]++
		}
		if onnx.OperatorName(n) == "Relu" {
			sh.relus[n.GetOutput()[0]] = true
		}
	}
	if d.cpu {
		sh.blocked = ortcpu.Held(m, d.facts.tensors(), sh.fixed)
	}
}
