package models

import "ucan/runtime/onnx"

// CheckFaults is the table of known faults with a version of the test's.
func CheckFaults(version string, m *onnx.Model) error { return checkFaults(version, m) }
