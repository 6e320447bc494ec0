package models

import (
	"fmt"

	"ucan/models/declare"
	"ucan/runtime/onnx"
)

// describe fills in what the file says of itself.
func (p *plan) describe() {
	r, m := &p.report, p.file.m
	r.SHA256, r.Bytes = p.file.sha256, p.file.bytes
	r.IRVersion, r.Opsets, r.Operators = m.IRVersion(), map[string]int64{}, m.Operators()
	for d, v := range m.Opsets() {
		if d == "" {
			d = "ai.onnx"
		}
		r.Opsets[d] = v
	}
	name, version := m.Producer()
	r.Producer = name
	if version != "" && name != "" {
		r.Producer += " " + version
	}
	for _, v := range m.Inputs() {
		r.Inputs = append(r.Inputs, describeTensor(v))
	}
	for _, v := range m.Outputs() {
		r.Outputs = append(r.Outputs, describeTensor(v))
	}
	seen := map[string]int{}
	for _, o := range m.Proto().GetOpsetImport() {
		seen[onnx.NormalDomain(o.GetDomain())]++
	}
	for d, n := range seen {
		if n > 1 {
			r.add(kindFound, fmt.Sprintf("operator set %q is imported %d times; the last one, %d, counts", orDefault(d), n, m.Opset(d)), "")
		}
	}
	if extra := len(m.Proto().GetGraph().GetInput()) - len(r.Inputs); extra > 0 {
		r.add(kindFound, fmt.Sprintf("%d weights are listed among the inputs; they stay constant", extra), "")
	}
}

func orDefault(domain string) string {
	if domain == "" {
		return "ai.onnx"
	}
	return domain
}

func describeTensor(v onnx.ValueInfo) TensorInfo {
	t := TensorInfo{Name: v.Name, Type: v.Type.String()}
	if v.Kind != "tensor" {
		t.Type = v.Kind
	}
	if v.HasShape {
		t.Shape = make([]string, len(v.Shape))
		for i, d := range v.Shape {
			t.Shape[i] = d.String()
		}
	}
	return t
}

// roles marks what became of the inputs and outputs.
func (p *plan) roles() {
	for i := range p.report.Inputs {
		t := &p.report.Inputs[i]
		switch {
		case t.Name == p.input.Name || "base."+t.Name == p.input.Name:
			t.Role = "data"
		case p.m.Initializer(t.Name) != nil:
			t.Role = "fixed"
		default:
			t.Role = "unused"
		}
	}
	for i := range p.report.Outputs {
		t := &p.report.Outputs[i]
		t.Role = "unused"
		if t.Name == p.output || "base."+t.Name == p.output {
			t.Role = "scores"
			if p.decision.Kind == declare.Label {
				t.Role = "label"
			}
		}
	}
}
