package runtime

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"ucan/runtime/onnx"
)

// maxTrialBytes bounds the inputs of a trial run.
const maxTrialBytes = 256 << 20

// trials runs the graph on zeros, and on values as a smoothed classifier sees them: a
// graph can end for one and not for the other. All of them are run, for survival and
// time are what counts; the error is the first.
func (s *Session) trials() error {
	var first error
	for _, f := range []func(i int) float64{
		func(int) float64 { return 0 },
		func(i int) float64 { return math.Abs(spread(i)) },
		func(i int) float64 { return 0.5 + 0.5*spread(i) },
		func(i int) float64 { return 3 * spread(i+1) },
	} {
		err := s.run(f)
		if err != nil && first == nil {
			first = err
		}
		if err != nil && outOfMemory(err) {
			return err
		}
	}
	return first
}

// spread is a fixed sequence of values between −1 and 1 without a pattern to speak of.
func spread(i int) float64 { return float64(uint32(i+1)*2654435769)/(1<<31) - 1 }

// trial runs the graph once on zeros.
func (s *Session) trial() error { return s.run(func(int) float64 { return 0 }) }

// run runs the graph once, open dimensions set to 1, floating-point inputs filled with
// the values and others with zeros. It drops the outputs, which onnxruntime allocates for
// once: their shapes may be open.
func (s *Session) run(value func(i int) float64) (err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.inner == nil {
		return ErrClosed
	}
	in := make([]ort.Value, 0, len(s.inputs))
	out := make([]ort.Value, len(s.outputs))
	defer func() {
		for _, v := range append(in, out...) {
			if !absent(v) {
				if derr := v.Destroy(); derr != nil && err == nil {
					err = derr
				}
			}
		}
	}()
	budget := int64(maxTrialBytes)
	for _, d := range s.inputs {
		v, size, zerr := filled(d, budget, value)
		if zerr != nil {
			return zerr
		}
		budget -= size
		in = append(in, v)
	}
	err = s.inner.RunWithOptions(in, out, nil)
	if err != nil && strings.Contains(err.Error(), "Error creating tensor from ort") {
		err = nil // the run itself is over: only the copy of an output failed
	}
	return err
}

// absent reports a value that is not there. The binding fails to copy outputs of types
// that Go lacks, float16 among them, and then leaves a nil pointer inside the
// interface, which is no nil interface.
func absent(v ort.Value) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}

// filled makes an input of the values for d within the budget of bytes.
func filled(d IO, budget int64, value func(i int) float64) (ort.Value, int64, error) {
	elem := ortType(d.DType)
	if elem == ort.TensorElementDataTypeUndefined || !d.Ranked {
		return nil, 0, fmt.Errorf("%w: no trial input can be made for %s", ErrTensor, d)
	}
	shape := make([]int64, len(d.Dims))
	for i, n := range d.Dims {
		if shape[i] = n; n < 0 {
			shape[i] = 1
		}
	}
	n, err := elements(shape)
	if err != nil {
		return nil, 0, err
	}
	if n > budget/int64(d.DType.Size()) {
		return nil, 0, fmt.Errorf("%w: %s is too large for a trial", ErrTensor, d)
	}
	size := n * int64(d.DType.Size())
	if len(shape) == 0 {
		v, serr := zeroScalar(d.DType)
		return v, size, serr
	}
	data := make([]byte, max(size, 8))
	for i := range int(n) {
		switch d.DType {
		case onnx.Float:
			binary.NativeEndian.PutUint32(data[4*i:], math.Float32bits(float32(value(i))))
		case onnx.Double:
			binary.NativeEndian.PutUint64(data[8*i:], math.Float64bits(value(i)))
		default: // zeros
		}
	}
	v, err := ort.NewCustomDataTensor(ort.Shape(shape), data, elem)
	return v, size, err
}

func zeroScalar(d onnx.DType) (ort.Value, error) {
	switch d {
	case onnx.Float:
		return ort.NewScalar[float32](0)
	case onnx.Double:
		return ort.NewScalar[float64](0)
	case onnx.Int32:
		return ort.NewScalar[int32](0)
	case onnx.Int64:
		return ort.NewScalar[int64](0)
	case onnx.Bool:
		return ort.NewScalar(false)
	default:
		return nil, fmt.Errorf("%w: no scalar of type %s can be made", ErrTensor, d)
	}
}
