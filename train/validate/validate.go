// Package validate measures weights in the middle of training: accuracy without noise, accuracy
// under it, and a fast estimate of the certified-accuracy curve from a few samples an image.
package validate

import (
	"context"
	"errors"
	"fmt"
	"math"

	"ucan/smooth"
	"ucan/smooth/stream"
	"ucan/train"
)

// Images are held-out inputs with labels, such as data.Set.
type Images interface {
	// Len is the number of images, Read writes one to dst, Label is its class.
	Len() int
	Read(i int, dst []float32)
	Label(i int) int
}

// Options configures how much is measured.
type Options struct {
	// Samples is the number of noise draws for each image, ≥ 1.
	Samples int
	// Seed keys them. The same seed in every validation compares weights on the same noise.
	Seed uint64
	// Classes is the number of classes of the classifier.
	Classes int
	// Radii are where the curve is estimated, in the noise's norm; nil for the noise's own grid at
	// the first image.
	Radii []float64
}

// Noise makes the noise of a clean input.
type Noise func(ctx context.Context, x []float32) (*smooth.SealedNoise, error)

// Run measures a classifier, whose workers share the samples, on images of dim values.
//
// An image counts at radius r when its label has more than half of the votes and the radius of (k +
// ½)/(n + 1) reaches r, k of its n samples having voted for the label. That is an estimate of what
// certification with many samples would give and no certificate: nothing bounds its error. The
// score is the average of these radii over all images, misclassified ones with 0. The samples come
// from the streams of phase Train.
func Run(ctx context.Context, workers []smooth.Classifier, images Images, dim int, noise Noise, o Options) (train.Validation, error) {
	if o.Samples < 1 || images.Len() < 1 || len(workers) < 1 {
		return train.Validation{}, errors.New("validation needs a classifier, an image and a sample")
	}
	smoother, err := smooth.New(workers, smooth.Config{Dim: dim, Classes: o.Classes, Seed: o.Seed})
	if err != nil {
		return train.Validation{}, err
	}
	v := train.Validation{}
	for _, r := range o.Radii {
		v.Curve = append(v.Curve, train.CertifiedAt{Radius: r})
	}
	if v.Clean, err = clean(ctx, workers[0], images, dim); err != nil {
		return train.Validation{}, err
	}
	x := make([]float32, dim)
	for i := range images.Len() {
		images.Read(i, x)
		sealed, err := noise(ctx, x)
		if err != nil {
			return train.Validation{}, fmt.Errorf("noise of validation image %d: %w", i, err)
		}
		if v.Curve == nil {
			if v.Curve, err = grid(sealed); err != nil {
				return train.Validation{}, err
			}
		}
		share, radius, err := one(ctx, smoother, x, images.Label(i), sealed, o.Samples)
		if err != nil {
			return train.Validation{}, err
		}
		v.Noisy += share
		v.Score += radius
		for j := range v.Curve {
			if share > 0.5 && radius >= v.Curve[j].Radius {
				v.Curve[j].Accuracy++
			}
		}
	}
	n := float64(images.Len())
	v.Noisy, v.Score = v.Noisy/n, v.Score/n
	for j := range v.Curve {
		v.Curve[j].Accuracy /= n
	}
	return v, nil
}

// grid is the noise's own ladder of radii.
func grid(noise *smooth.SealedNoise) ([]train.CertifiedAt, error) {
	g, err := noise.DefaultGrid()
	if err != nil {
		return nil, err
	}
	curve := make([]train.CertifiedAt, len(g.Radii))
	for i, r := range g.Radii {
		curve[i].Radius = r
	}
	return curve, nil
}

// one returns the share of an image's samples that vote for its label, and the estimated radius.
func one(ctx context.Context, s *smooth.Smoother, x []float32, label int, noise *smooth.SealedNoise, samples int) (share, radius float64, err error) {
	counts, err := s.Sample(ctx, x, smooth.InputID(x), noise, stream.Train, 0, uint64(samples))
	if err != nil {
		return 0, 0, err
	}
	k, n := float64(counts.Votes(label)), float64(samples)
	share = k / n
	if share <= 0.5 {
		return share, 0, nil
	}
	if radius, err = noise.Radius((k + 0.5) / (n + 1)); err != nil {
		return 0, 0, err
	}
	if math.IsInf(radius, 0) {
		return 0, 0, fmt.Errorf("the estimated radius of %v votes of %d is infinite", k, samples)
	}
	return share, radius, nil
}

// clean is the accuracy without noise.
func clean(ctx context.Context, c smooth.Classifier, images Images, dim int) (float64, error) {
	input := c.Input()
	batch := len(input) / dim
	right := 0
	for from := 0; from < images.Len(); from += batch {
		rows := min(batch, images.Len()-from)
		for r := range rows {
			images.Read(from+r, input[r*dim:(r+1)*dim])
		}
		labels, err := c.Classify(ctx, rows)
		if err != nil {
			return 0, err
		}
		for r, label := range labels[:rows] {
			if int(label) == images.Label(from+r) {
				right++
			}
		}
	}
	return float64(right) / float64(images.Len()), nil
}
