package main

import (
	"strconv"
	"strings"

	"ucan/runtime/onnx"
)

// shapeOption is the shape of one input, without the batch: it fixes what a model leaves open where
// no data does.
type shapeOption struct {
	text string
	dims []int
}

func (s *shapeOption) declare(o *options, key string) {
	o.text(&s.text, key, "shape", "", "shape of one input without the batch, such as 3,224,224: fixes the sizes that the model leaves open")
}

func (s *shapeOption) check(f *faults) {
	s.dims = nil
	if s.text == "" {
		return
	}
	for part := range strings.SplitSeq(s.text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 || n > 1<<28 {
			f.add(&s.text, "%q is not a shape; give sizes of at least 1 with commas between, such as 3,224,224", s.text)
			return
		}
		s.dims = append(s.dims, n)
	}
}

// fixShape gives the real-valued inputs of that many axes the sizes dims where they leave them
// open. With no dims it changes nothing.
func fixShape(m *onnx.Model, dims []int) (*onnx.Model, error) {
	if dims == nil {
		return m, nil
	}
	fits := false
	var err error
	for _, in := range m.Inputs() {
		if !in.Type.IsFloat() || m.Initializer(in.Name) != nil || !takes(in, dims) {
			continue
		}
		fits = true
		for axis, n := range dims {
			if m, err = m.WithDim(in.Name, axis+1, onnx.Fixed(int64(n))); err != nil {
				return nil, err
			}
		}
	}
	if !fits {
		return nil, usagef("no input of the model takes the shape %v: its inputs are %v; give the sizes of one input, without the batch, in the model's order", dims, m.Inputs())
	}
	return m, nil
}

// takes reports whether an input with a batch axis can have rows of the sizes dims.
func takes(in onnx.ValueInfo, dims []int) bool {
	if !in.HasShape || len(in.Shape) != len(dims)+1 {
		return false
	}
	for i, d := range in.Shape[1:] {
		if d.IsFixed() && d.Size > 0 && d.Size != int64(dims[i]) {
			return false
		}
	}
	return true
}
