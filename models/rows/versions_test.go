package rows

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx/onnxpb"
)

// TestFunctionsRunAtTheModelsVersions calls a function whose Softmax works along one axis from
// version 13 on, and along all later axes, the batch's too, before. onnxruntime takes the version
// that the model imports; where the function imports another, nothing may be proved.
func TestFunctionsRunAtTheModelsVersions(t *testing.T) {
	rt := openRuntime(t)
	for _, v := range []struct {
		model, function int64
		proved          bool
	}{{11, 11, false}, {11, 13, false}, {12, 18, false}, {13, 11, false}, {13, 13, true}, {18, 13, false}} {
		g := newGraph(v.model, 3, 4)
		g.p.OpsetImport = append(g.p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("local"), Version: proto.Int64(1)})
		inner := &onnxpb.FunctionProto{
			Name: proto.String("Soft"), Domain: proto.String("local"), Input: []string{"a"}, Output: []string{"b"},
			Node:        []*onnxpb.NodeProto{node("Softmax", "a", "b", aInt("axis", 1))},
			OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: &v.function}},
		}
		g.p.Functions = append(g.p.Functions, inner)
		g.do("Transpose", "x", "t", aInts("perm", 1, 2, 0)).do("local:Soft", "t", "s").do("Transpose", "s", "y", aInts("perm", 2, 0, 1))
		m := g.model(t)
		proof := Prove(m, "x", "y", 0)
		name := fmt.Sprintf("model %d, function %d", v.model, v.function)
		if proof.Proved != v.proved {
			t.Errorf("%s: proved %v: %v", name, proof.Proved, proof.Break)
		}
		r, err := newRunner(t, rt, g, m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		d, err := r.difference(rand.New(rand.NewPCG(1, 2)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if mixes := d > rounding; mixes != (v.model < 13) {
			t.Errorf("%s: answers to the same row differ by %v: another version than the model's runs", name, d)
		}
	}
}
