package runtime

import (
	"errors"
	"fmt"
	"math"
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"

	ort "github.com/yalue/onnxruntime_go"

	"ucan/runtime/onnx"
)

// Tensor is a shape over memory that the caller owns: onnxruntime reads an
// input from it and writes an output into it directly. Write the next input
// into the same slice and Run again.
//
// A Tensor may be used by one Run at a time when it is an output; inputs may
// be shared. It is the caller's to Close, which leaves the memory untouched.
type Tensor struct {
	dtype onnx.DType
	shape []int64
	data  any // the caller's slice, for Data

	mu     sync.Mutex
	value  ort.Value // nil once closed
	closed bool
	pin    *goruntime.Pinner
	scalar *scalar // set for rank 0 only
	busy   atomic.Int32
}

// scalar carries the one value of a rank-0 tensor in and out: the binding can
// not make a rank-0 tensor over memory that is not its own.
type scalar struct {
	create func() (ort.Value, error) // with the caller's present value
	load   func(ort.Value)           // copies the result back
	same   func() bool               // the caller's value is the one in the tensor
}

// NewTensor makes a tensor of the given shape over data, row-major, which
// must hold exactly the product of the dimensions (dimensions ≥ 0; no
// dimensions: a scalar, one element). The memory is pinned until Close, so
// that onnxruntime may keep its address.
func NewTensor[T onnx.Element](rt *Runtime, shape []int64, data []T) (*Tensor, error) {
	if err := rt.check(); err != nil {
		return nil, err
	}
	n, err := elements(shape)
	if err != nil {
		return nil, err
	}
	if n != int64(len(data)) {
		return nil, fmt.Errorf("%w: shape %v needs %d values, got %d", ErrTensor, shape, n, len(data))
	}
	t := &Tensor{dtype: onnx.DTypeOf[T](), shape: slices.Clone(shape), data: data}
	switch {
	case len(shape) == 0:
		err = newScalar(t, data)
	default:
		err = t.create(bytesOf(data))
	}
	if err != nil {
		return nil, err
	}
	env.tensors.Add(1)
	// A Pinner that is collected while it pins aborts the process; a tensor
	// that its owner forgot must not do that. Live still shows it till then.
	goruntime.SetFinalizer(t, func(t *Tensor) { _ = t.Close() })
	return t, nil
}

// maxEmpty bounds what Empty allocates: 2³⁶ elements are beyond any machine
// here, and asking Go for more aborts instead of failing.
const maxEmpty = 1 << 36

// Empty makes a tensor over new, zeroed memory; Data returns it.
func Empty[T onnx.Element](rt *Runtime, shape ...int64) (*Tensor, error) {
	n, err := elements(shape)
	if err != nil {
		return nil, err
	}
	if n > maxEmpty {
		return nil, fmt.Errorf("%w: shape %v is too large", ErrTensor, shape)
	}
	return NewTensor(rt, shape, make([]T, n))
}

// Data returns the slice that the tensor was made over, nil when T is not its
// element type.
func Data[T onnx.Element](t *Tensor) []T {
	d, _ := t.data.([]T)
	return d
}

func (t *Tensor) create(data []byte) error {
	if len(data) == 0 {
		// No element, but the binding wants an address.
		data = make([]byte, 8)
	}
	t.pin = new(goruntime.Pinner)
	t.pin.Pin(&data[0])
	v, err := ort.NewCustomDataTensor(ort.Shape(t.shape), data, ortType(t.dtype))
	if err != nil {
		t.pin.Unpin()
		return fmt.Errorf("%w: %s tensor of shape %v: %w", ErrTensor, t.dtype, t.shape, err)
	}
	t.value = v
	return nil
}

// newScalar makes the rank-0 value of t for the types the binding knows.
func newScalar[T onnx.Element](t *Tensor, data []T) error {
	var err error
	switch d := any(data).(type) {
	case []float32:
		err = bindScalar(t, d)
	case []float64:
		err = bindScalar(t, d)
	case []int32:
		err = bindScalar(t, d)
	case []int64:
		err = bindScalar(t, d)
	case []uint8:
		err = bindScalar(t, d)
	case []bool:
		err = bindScalar(t, d)
	default:
		err = errors.New("scalars of this type are not supported; give it one dimension of size 1")
	}
	if err != nil {
		return fmt.Errorf("%w: scalar %s: %w", ErrTensor, t.dtype, err)
	}
	return nil
}

func bindScalar[T interface {
	onnx.Element
	ort.TensorData
}](t *Tensor, data []T) error {
	var held T
	s := &scalar{
		create: func() (ort.Value, error) {
			held = data[0]
			return ort.NewScalar(held)
		},
		load: func(v ort.Value) {
			if sc, ok := v.(*ort.Scalar[T]); ok {
				data[0] = sc.GetData()
				held = data[0]
			}
		},
		same: func() bool { return data[0] == held },
	}
	v, err := s.create()
	if err != nil {
		return err
	}
	t.scalar, t.value = s, v
	return nil
}

// DType returns the element type.
func (t *Tensor) DType() onnx.DType { return t.dtype }

// Shape returns a copy of the dimensions.
func (t *Tensor) Shape() []int64 { return slices.Clone(t.shape) }

// Close releases onnxruntime's handle and unpins the memory. Further calls do
// nothing. A tensor in use by a running session is refused.
func (t *Tensor) Close() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	if t.busy.Load() > 0 {
		return errors.New("close tensor: a Run is using it; wait for it to return")
	}
	t.closed = true
	goruntime.SetFinalizer(t, nil)
	err := t.value.Destroy()
	t.value = nil
	if t.pin != nil {
		t.pin.Unpin()
	}
	env.tensors.Add(-1)
	return err
}

// acquire marks the tensor as used by a Run and returns its value; release
// ends that. For a scalar input the caller's present value is taken over.
func (t *Tensor) acquire(input bool) (ort.Value, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, fmt.Errorf("%w: tensor", ErrClosed)
	}
	if input && t.scalar != nil && !t.scalar.same() && t.busy.Load() == 0 {
		v, err := t.scalar.create()
		if err != nil {
			return nil, err
		}
		_ = t.value.Destroy() // releasing a value cannot fail
		t.value = v
	}
	t.busy.Add(1)
	return t.value, nil
}

func (t *Tensor) release(output bool) {
	if output && t.scalar != nil {
		t.mu.Lock()
		t.scalar.load(t.value)
		t.mu.Unlock()
	}
	t.busy.Add(-1)
}

// elements is the product of the dimensions, with overflow and negative
// dimensions as errors.
func elements(shape []int64) (int64, error) {
	n := int64(1)
	for i, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("%w: dimension %d of shape %v is negative", ErrTensor, i, shape)
		}
		if d != 0 && n > math.MaxInt64/8/d {
			return 0, fmt.Errorf("%w: shape %v is too large", ErrTensor, shape)
		}
		n *= d
	}
	return n, nil
}
