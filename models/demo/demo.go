// Package demo holds the demonstration network: a small convolutional
// classifier of package fixtures/digits, trained under Gaussian noise and
// compiled into the program, so that a certificate can be made on a machine
// that has no model and no data yet.
//
// The network takes `input`, float32 [N,1,28,28], digits in [0,1] without any
// normalisation, and gives `logits`, float32 [N,10]. How it was trained, what
// it reaches and how long it takes: README.md beside this file; the program
// that made it: fixtures/scripts/train_demo.py.
package demo

import _ "embed"

// digitsCNN is a string so that no caller can alter the embedded bytes.
//
//go:embed digits_cnn.onnx
var digitsCNN string

const (
	// Name is the file name under which the network should be shown and written.
	Name = "digits_cnn.onnx"
	// DataSpec is the data source, as `ucan certify --data` takes it, that the
	// network is made for: digits it has never seen (digits.TestSeed).
	DataSpec = "digits"
)

// Model returns the network as an ONNX file (opset 17, no external data). The
// caller owns the slice.
func Model() []byte { return []byte(digitsCNN) }
