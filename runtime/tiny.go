package runtime

import "ucan/runtime/onnx"

// tinyModel is the graph of the doctor's trial: y = Relu(x·W), x float [2,3], W =
// [[1,−1],[2,0],[3,1]].
func tinyModel() ([]byte, error) {
	b := onnx.NewBuilder("tiny", 13)
	x := b.Input("x", onnx.Float, onnx.Dims(2, 3)...)
	w := onnx.Tensor(b, "w", []int64{3, 2}, []float32{1, -1, 2, 0, 3, 1})
	b.Output("y", b.Relu(b.MatMul(x, w)), onnx.Float, onnx.Dims(2, 2)...)
	m, err := b.Build()
	if err != nil {
		return nil, err
	}
	return m.Marshal()
}

// tinyInput and tinyOutput are a pair that the tiny model must reproduce:
// [1,2,3]·W = (14, 2), [1,0,−1]·W = (−2, −2).
func tinyInput() []float32  { return []float32{1, 2, 3, 1, 0, -1} }
func tinyOutput() []float32 { return []float32{14, 2, 0, 0} }
