package dataset

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"ucan/fixtures/digits"
)

// defaultDigits is how many digits the source has unless ?n= says otherwise.
const defaultDigits = 10000

// digitsStore draws the built-in digits on demand.
type digitsStore struct {
	g    digits.Generator
	n    int
	seed uint64
}

func openDigits(_ context.Context, spec Spec) (backend, Info, error) {
	n, err := spec.intParam("n", defaultDigits, 1, maxDigits)
	if err != nil {
		return nil, Info{}, err
	}
	seed := uint64(digits.TestSeed)
	if text, ok := spec.Params["seed"]; ok {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			return nil, Info{}, specErrorf("option seed=%s: want an integer from 0 to 2⁶⁴−1", text)
		}
	}
	info := Info{Name: fmt.Sprintf("digits:n=%d,seed=%d", n, seed), Shape: []int{1, digits.Size, digits.Size}, Classes: digits.Classes, Image: true}
	return &digitsStore{g: digits.New(seed), n: n, seed: seed}, info, nil
}

func (s *digitsStore) len() int { return s.n }

func (s *digitsStore) identify(_ context.Context, f fingerprint) error {
	f.text("digits")
	f.number(digits.Version)
	f.number(int64(s.seed))
	f.number(int64(s.n))
	return nil
}

// load draws digit i; its values are levels k/255, so that bytes hold them exactly.
func (s *digitsStore) load(_ context.Context, i int) (record, error) {
	var values [digits.Pixels]float32
	img := newBitmap(1, digits.Size, digits.Size)
	label := s.g.Image(i, values[:])
	for j, v := range values {
		img.pix[j] = uint8(math.Round(float64(v) * 255))
	}
	return record{image: img, label: label}, nil
}

func (s *digitsStore) close() error { return nil }
