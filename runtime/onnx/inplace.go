package onnx

import (
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx/onnxpb"
)

// Numbers of the fields on the way to a weight: ModelProto.graph, GraphProto.initializer,
// TensorProto.raw_data.
const (
	graphField       protowire.Number = 7
	initializerField protowire.Number = 5
	rawDataField     protowire.Number = 9
)

// largeTensor is the size in bytes from which the data of an initialiser is left where it lies in
// the file's bytes. Smaller ones hold shapes and axes, which edits read.
const largeTensor = 64 << 10

// Places tells where in the bytes that a model was parsed from the data of its large initialisers
// begins.
type Places map[*onnxpb.TensorProto]int64

// placed is the data of an initialiser that was taken out of the bytes.
type placed struct {
	data   []byte
	offset int64
}

// withoutLargeData returns the bytes of a model without the data of the large initialisers of its
// main graph, and that data by the initialiser's number. It gives b back where there is none, or
// where a field stands twice that belongs there once: the general decoder knows what that means.
func withoutLargeData(b []byte) ([]byte, map[int]placed) {
	found := largeData(b)
	if len(found) == 0 {
		return b, nil
	}
	initializer := -1
	return replaced(b, graphField, func(graph []byte) []byte {
		return replaced(graph, initializerField, func(tensor []byte) []byte {
			initializer++
			if _, ok := found[initializer]; !ok {
				return tensor
			}
			return replaced(tensor, rawDataField, func([]byte) []byte { return nil })
		})
	}), found
}

// largeData finds what withoutLargeData takes out; it copies nothing.
func largeData(b []byte) map[int]placed {
	found := make(map[int]placed)
	graphs, initializer, twice := 0, -1, false
	ok := eachField(b, graphField, func(graph []byte, _, at int) bool {
		graphs++
		return eachField(graph, initializerField, func(tensor []byte, _, from int) bool {
			initializer++
			if len(tensor) < largeTensor {
				return true
			}
			times := 0
			ok := eachField(tensor, rawDataField, func(data []byte, _, offset int) bool {
				times++
				if len(data) >= largeTensor {
					found[initializer] = placed{data[:len(data):len(data)], int64(at + from + offset)}
				}
				return true
			})
			twice = twice || times > 1
			return ok
		})
	})
	if !ok || twice || graphs != 1 {
		return nil
	}
	return found
}

// eachField calls visit with the values of the given field of a message and with where in b the
// field and the value begin. It reports false where the message is malformed or visit did.
func eachField(b []byte, number protowire.Number, visit func(value []byte, field, at int) bool) bool {
	for at := 0; at < len(b); {
		num, typ, tag := protowire.ConsumeTag(b[at:])
		if tag < 0 {
			return false
		}
		size := protowire.ConsumeFieldValue(num, typ, b[at+tag:])
		if size < 0 {
			return false
		}
		end := at + tag + size
		if num == number && typ == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(b[at+tag:])
			if !visit(value, at, end-len(value)) {
				return false
			}
		}
		at = end
	}
	return true
}

// replaced copies a well-formed message and puts what change makes of them in the place of the
// given field's values.
func replaced(b []byte, number protowire.Number, change func(value []byte) []byte) []byte {
	var out []byte
	rest := 0 // what lies before is copied
	eachField(b, number, func(value []byte, field, at int) bool {
		out = append(out, b[rest:field]...)
		out = protowire.AppendTag(out, number, protowire.BytesType)
		out = protowire.AppendBytes(out, change(value))
		rest = at + len(value)
		return true
	})
	return append(out, b[rest:]...)
}

// putBack gives the initialisers their data, which stays where it is, and tells where that was.
func putBack(p *onnxpb.ModelProto, found map[int]placed) Places {
	places := make(Places, len(found))
	for i, t := range p.GetGraph().GetInitializer() {
		if d, ok := found[i]; ok {
			t.RawData = d.data
			places[t] = d.offset
		}
	}
	return places
}

// Referring returns the model with the data of its initialisers, as far as places knows them, as
// external data in the file named location, beside the model. onnxruntime then maps that file and
// copies nothing, and nothing here keeps the bytes. Who uses it must make sure that the file is the
// one that was parsed, and stays so.
func (m *Model) Referring(places Places, location string) *Model {
	p := cloneSharing(m.p)
	for i, t := range p.Graph.Initializer {
		if at, ok := places[t]; ok {
			p.Graph.Initializer[i] = referring(t, location, at)
		}
	}
	return &Model{p: p}
}

// referring returns a tensor whose data begins at an offset of another file.
func referring(t *onnxpb.TensorProto, location string, offset int64) *onnxpb.TensorProto {
	u := shallow(t, "raw_data").(*onnxpb.TensorProto)
	u.Dims = slices.Clone(t.Dims)
	u.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
	u.ExternalData = []*onnxpb.StringStringEntryProto{
		{Key: proto.String("location"), Value: proto.String(location)},
		{Key: proto.String("offset"), Value: proto.String(strconv.FormatInt(offset, 10))},
		{Key: proto.String("length"), Value: proto.String(strconv.Itoa(len(t.RawData)))},
	}
	return u
}
