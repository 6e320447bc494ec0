package runtime

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"ucan/runtime/onnx"
)

// IO describes one input or output of a graph.
type IO struct {
	Name  string
	DType onnx.DType // Undefined when the graph does not say, or for what is not a tensor
	// Dims are the dimensions, −1 where the graph leaves one open; nil with
	// Ranked false when not even their number is declared.
	Dims   []int64
	Ranked bool
	// Symbols names the open dimensions ("" for fixed and for unnamed ones).
	Symbols []string
	// Tensor is false for sequences, maps and optionals, which cannot be fed
	// or fetched here.
	Tensor bool
}

// String is "name float[N,3,32,32]".
func (d IO) String() string {
	if !d.Tensor {
		return d.Name + " (not a tensor)"
	}
	if !d.Ranked {
		return fmt.Sprintf("%s %s of unknown shape", d.Name, d.DType)
	}
	parts := make([]string, len(d.Dims))
	for i, n := range d.Dims {
		switch {
		case n >= 0:
			parts[i] = fmt.Sprint(n)
		case d.Symbols[i] != "":
			parts[i] = d.Symbols[i]
		default:
			parts[i] = "?"
		}
	}
	return fmt.Sprintf("%s %s[%s]", d.Name, d.DType, strings.Join(parts, ","))
}

// fits says why a tensor cannot stand for d, or nil.
func (d IO) fits(t *Tensor) error {
	if d.DType != onnx.Undefined && d.DType != t.dtype {
		return fmt.Errorf("%w: %s wants %s, the tensor is %s", ErrTensor, d.Name, d.DType, t.dtype)
	}
	if !d.Ranked {
		return nil
	}
	if len(d.Dims) != len(t.shape) {
		return fmt.Errorf("%w: %s has %d dimensions, the tensor %d (%v)", ErrTensor, d, len(d.Dims), len(t.shape), t.shape)
	}
	for i, n := range d.Dims {
		if n >= 0 && n != t.shape[i] {
			return fmt.Errorf("%w: %s, the tensor is %v", ErrTensor, d, t.shape)
		}
	}
	return nil
}

// errProto is returned for bytes that are no protocol buffer message.
var errProto = errors.New("not an ONNX file: the bytes are not a protocol buffer message")

// graphIO reads the inputs that must be fed (graph inputs without an
// initialiser) and the outputs of a serialised ModelProto. It walks the wire
// format and skips weights by their length: asking the binding instead would
// build the whole session a second time, with as many threads as the machine
// has.
func graphIO(model []byte) (inputs, outputs []IO, err error) {
	graph, found, err := lastField(model, 7) // ModelProto.graph
	if err != nil {
		return nil, nil, err
	}
	if !found {
		return nil, nil, errors.New("not an ONNX file: it holds no graph")
	}
	constant := make(map[string]bool)
	err = eachField(graph, func(num protowire.Number, v []byte, _ uint64) error {
		if v == nil {
			return nil
		}
		switch num {
		case 5: // GraphProto.initializer: TensorProto.name is field 8
			name, _, ferr := lastField(v, 8)
			constant[string(name)] = true
			return ferr
		case 15: // GraphProto.sparse_initializer: its values are a TensorProto
			values, _, ferr := lastField(v, 1)
			if ferr != nil {
				return ferr
			}
			name, _, ferr := lastField(values, 8)
			constant[string(name)] = true
			return ferr
		case 11, 12: // GraphProto.input, .output
			d, ferr := valueInfo(v)
			if num == 11 {
				inputs = append(inputs, d)
			} else {
				outputs = append(outputs, d)
			}
			return ferr
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	fed := inputs[:0]
	for _, d := range inputs {
		if !constant[d.Name] {
			fed = append(fed, d)
		}
	}
	return fed, outputs, nil
}

// valueInfo reads a ValueInfoProto.
func valueInfo(b []byte) (IO, error) {
	d := IO{}
	name, _, err := lastField(b, 1)
	if err != nil {
		return d, err
	}
	d.Name = string(name)
	typ, ok, err := lastField(b, 2)
	if err != nil || !ok {
		d.Tensor = !ok // without a type, onnxruntime infers it
		return d, err
	}
	tensor, ok, err := lastField(typ, 1) // TypeProto.tensor_type
	if err != nil || !ok {
		return d, err
	}
	d.Tensor = true
	elem, err := lastVarint(tensor, 1) // Tensor.elem_type
	if err != nil {
		return d, err
	}
	d.DType = onnx.DType(int32(elem))
	shape, ok, err := lastField(tensor, 2)
	if err != nil || !ok {
		return d, err
	}
	d.Ranked = true
	d.Dims, d.Symbols = []int64{}, []string{}
	err = eachField(shape, func(num protowire.Number, v []byte, _ uint64) error {
		if num != 1 || v == nil {
			return nil
		}
		n, symbol, ferr := dimension(v)
		d.Dims, d.Symbols = append(d.Dims, n), append(d.Symbols, symbol)
		return ferr
	})
	return d, err
}

// dimension reads a TensorShapeProto.Dimension: dim_value (1) or dim_param (2).
func dimension(b []byte) (int64, string, error) {
	size, symbol := int64(-1), ""
	err := eachField(b, func(num protowire.Number, v []byte, n uint64) error {
		switch {
		case num == 1 && v == nil:
			size, symbol = int64(n), ""
		case num == 2 && v != nil:
			size, symbol = -1, string(v)
		}
		return nil
	})
	return max(size, -1), symbol, err
}

// eachField calls f for every field of a message that holds bytes, v, or a whole number, n, with a
// nil v.
func eachField(b []byte, f func(num protowire.Number, v []byte, n uint64) error) error {
	for len(b) > 0 {
		num, typ, l := protowire.ConsumeTag(b)
		if l < 0 {
			return errProto
		}
		b = b[l:]
		var v []byte
		var n uint64
		switch typ {
		case protowire.BytesType:
			v, l = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			n, l = protowire.ConsumeVarint(b)
		default:
			l = protowire.ConsumeFieldValue(num, typ, b)
		}
		if l < 0 {
			return errProto
		}
		b = b[l:]
		if typ != protowire.BytesType && typ != protowire.VarintType {
			continue
		}
		if err := f(num, v, n); err != nil {
			return err
		}
	}
	return nil
}

// lastField returns the last length-delimited field num of a message.
// (Protocol buffers merge repeated sub-messages; no exporter splits them.)
func lastField(b []byte, num protowire.Number) (v []byte, found bool, err error) {
	err = eachField(b, func(n protowire.Number, field []byte, _ uint64) error {
		if n == num && field != nil {
			v, found = field, true
		}
		return nil
	})
	return v, found, err
}

// lastVarint returns the last varint field num of a message, 0 when absent.
func lastVarint(b []byte, num protowire.Number) (out uint64, err error) {
	err = eachField(b, func(n protowire.Number, field []byte, v uint64) error {
		if n == num && field == nil {
			out = v
		}
		return nil
	})
	return out, err
}
