package base_test

import (
	"context"

	"ucan/internal/dataset"
	"ucan/smooth"
	"ucan/smooth/stream"
)

// noiseSource is a source of images of random bytes, each with the class of its index modulo 10;
// learnable since the class brightens a stripe of the image.
type noiseSource struct{ shape []int }

func (s noiseSource) Info() dataset.Info {
	return dataset.Info{Name: "random", Shape: s.shape, Classes: 10, Image: true, Fingerprint: "random"}
}

func (s noiseSource) At(_ context.Context, i int) (dataset.Item, error) {
	n := 1
	for _, d := range s.shape {
		n *= d
	}
	x := make([]float32, n)
	source := stream.New(uint64(i), [32]byte{}, stream.Train).Source(0)
	for j := range x {
		v := source.Uint64() % 128
		if j*10/n == i%10 {
			v += 127
		}
		x[j] = float32(v) / 255
	}
	return dataset.Item{Index: i, X: x, Shape: s.shape, Label: i % 10, SHA256: smooth.InputID(x)}, nil
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// calm keeps idle threads from spinning, so that tests are quick on a busy machine; bits do not
// depend on it.
func calm() map[string]string { return map[string]string{"session.intra_op.allow_spinning": "0"} }
