package certify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ucan/internal/dataset"
	"ucan/models"
	"ucan/smooth"
	"ucan/smooth/stream"
)

// The inputs that the check of rows looks at.
const (
	checkInputs = 3  // fill a batch each under noise
	cleanInputs = 8  // share batches without noise
	checkTries  = 64 // inputs that are tried until as many can be read
)

// Seal makes the noise of an input; nil noise leaves the input out.
type Seal func(context.Context, dataset.Item) (*smooth.SealedNoise, error)

// CheckRows runs trial batches on the sessions before anything is derived from them: see
// [models.Model.CheckRows]. The rows are those of the first usable inputs among indices, under the
// noise that seal makes for each, or as they are where seal is nil. That noise is of
// [stream.Check], which nothing else draws from: the check leaves every vote of the run as it is,
// and the same seed checks the same rows. What was tried stays in Rows.
func (s *Setup) CheckRows(ctx context.Context, indices []int, seed uint64, seal Seal) error {
	most := checkInputs
	if seal == nil {
		most = cleanInputs
	}
	items, err := s.usable(ctx, indices, most)
	if err != nil || len(items) == 0 {
		return err
	}
	var batches [][]float32
	if seal == nil {
		batches = s.cleanBatches(items)
	} else if batches, err = s.noisyBatches(ctx, items, seed, seal); err != nil || len(batches) == 0 {
		return err
	}
	var sessions []models.Session
	for _, c := range s.Classifiers {
		sessions = append(sessions, c)
	}
	check, err := s.Model.CheckRows(ctx, batches, s.Setting.IntraOp, sessions)
	if err != nil {
		return err
	}
	if check.Noise = seal != nil; !check.Noise {
		check.Inputs = len(items)
	}
	if check.Batches > 0 {
		s.Rows = &check
	}
	return nil
}

// usable reads the first inputs that can be read.
func (s *Setup) usable(ctx context.Context, indices []int, most int) ([]dataset.Item, error) {
	var items []dataset.Item
	for _, i := range indices[:min(len(indices), checkTries)] {
		if len(items) == most {
			break
		}
		item, err := s.Inputs().At(ctx, i)
		var bad *dataset.ItemError
		if errors.As(err, &bad) {
			continue
		}
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// cleanBatches fills batches with the inputs in turn: one, or as many as hold each input once.
func (s *Setup) cleanBatches(items []dataset.Item) [][]float32 {
	d, size := s.Model.Dim(), s.Setting.Batch
	batches := make([][]float32, (len(items)+size-1)/size)
	for k := range batches {
		batches[k] = make([]float32, size*d)
		for r := range size {
			copy(batches[k][r*d:(r+1)*d], items[(k*size+r)%len(items)].X)
		}
	}
	return batches
}

// noisyBatches draws one batch of noisy rows for each input, as the run's own sampler does.
func (s *Setup) noisyBatches(ctx context.Context, items []dataset.Item, seed uint64, seal Seal) ([][]float32, error) {
	size := s.Setting.Batch
	r := &recorder{input: make([]float32, size*s.Model.Dim()), labels: make([]int32, size)}
	sampler, err := smooth.New([]smooth.Classifier{r}, smooth.Config{Dim: s.Model.Dim(), Classes: s.Model.Classes(), Seed: seed})
	if err != nil {
		return nil, err
	}
	var batches [][]float32
	for _, item := range items {
		noise, err := seal(ctx, item)
		if err != nil {
			return nil, fmt.Errorf("check rows of input %d: %w", item.Index, err)
		}
		if noise == nil {
			continue
		}
		if _, err = sampler.Sample(ctx, item.X, item.SHA256, noise, stream.Check, 0, uint64(size)); err != nil {
			return nil, fmt.Errorf("check rows of input %d: %w", item.Index, err)
		}
		batches = append(batches, slices.Clone(r.input))
	}
	return batches, nil
}

// recorder is a classifier that keeps the rows it is given and calls all of them class 0.
type recorder struct {
	input  []float32
	labels []int32
}

var _ smooth.Classifier = (*recorder)(nil)

func (r *recorder) Input() []float32 { return r.input }

func (r *recorder) Classify(_ context.Context, rows int) ([]int32, error) {
	return r.labels[:rows], nil
}
