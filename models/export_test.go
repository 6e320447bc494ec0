package models

import "ucan/runtime/onnx"

// CheckFaults is the table of known faults with a version of the test's.
func CheckFaults(version string, m *onnx.Model) error { return checkFaults(version, m) }

// ScoreWidth is the number of scores a row.
func (m *Model) ScoreWidth() int { return m.scoreWidth }

// InspectBytes is Inspect for the bytes of an ONNX file.
func InspectBytes(name string, b []byte, opts Options) (Report, error) {
	p, err := planBytes(name, b, opts)
	return p.inspected(name, err)
}

// MappedTensors is the number of tensors that an inspection of the file leaves in it.
func MappedTensors(path string) (int, error) {
	p, err := planFile(path, Options{})
	if err != nil {
		return 0, err
	}
	p.mapWeights(path, Options{}.Session)
	return len(p.m.ExternalTensors()), nil
}
