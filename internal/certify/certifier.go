package certify

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"ucan/internal/dataset"
	"ucan/internal/fault"
	"ucan/models"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// Method certifies one input: fixed-n certification is smooth.Smoother.Certify with its statistics
// bound.
type Method func(ctx context.Context, x []float32, id [32]byte, noise *smooth.SealedNoise, label int) (smooth.Certification, error)

// Certifier turns inputs into certificates.
type Certifier struct {
	Method Method
	// Smoother draws the votes of the method.
	Smoother *smooth.Smoother
	Noise    *NoiseSource
	// Chooser picks a smoothed classifier for each input, in place of Method, Smoother and Noise,
	// of which Noise is then that of the first set; nil where there is one for all.
	Chooser *Chooser
	// Head holds what all certificates of the run have in common; Input, NPG and Run.Seconds are
	// filled in for each.
	Head certificate.Head
	// Source names the data source in certificates.
	Source string
	// Box is the range of the data's values in certificates, nil where it is not known.
	Box *certificate.Box
	// LabelAware refuses inputs without a label, which such a run cannot test.
	LabelAware bool
}

// Config configures the certifier of a setup.
type Config struct {
	Noise Noise
	// Statistics have their alpha shared already ([Statistics.Share]).
	Statistics Statistics
	Seed       uint64
	// Version is that of the program, as certificates record it.
	Version string
	// Chooser is an opened selector with its sets, in place of Noise; nil for none. The certifier
	// does not close it.
	Chooser *Chooser
	// Processor is the kind of this machine's (processor.Processor), as certificates record it; ""
	// for unknown.
	Processor string
}

// Certifier makes what turns inputs of the setup into certificates; close its Noise after use.
// reach is the largest radius that the statistics can certify, in the reported norm; where the
// noise is made for each input, that for s = 1.
func (s *Setup) Certifier(ctx context.Context, c Config) (certifier *Certifier, reach float64, err error) {
	if c.Chooser != nil {
		return s.choosing(ctx, c)
	}
	noise, err := s.NoiseSource(ctx, c.Noise)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, noise.Close())
		}
	}()
	nominal, err := noise.Nominal(ctx)
	if err != nil {
		return nil, 0, fault.Mark(fault.Wrong, err)
	}
	smoother, err := s.Smoother(c.Seed)
	if err != nil {
		return nil, 0, err
	}
	model, err := s.ModelRecord()
	if err != nil {
		return nil, 0, err
	}
	method, reach, err := c.Statistics.Method(smoother, nominal)
	if err != nil {
		return nil, 0, fault.Mark(fault.Wrong, err)
	}
	return &Certifier{
		Method: method, Smoother: smoother, Noise: noise, Source: s.Info.Name, Box: s.Box(), LabelAware: c.Statistics.LabelAware,
		Head: certificate.Head{Model: model, Run: s.runRecord(c)},
	}, reach, nil
}

// choosing is Certifier for a service whose selector picks the noise.
func (s *Setup) choosing(ctx context.Context, c Config) (*Certifier, float64, error) {
	reach, err := c.Chooser.plan(ctx, c.Statistics)
	if err != nil {
		return nil, 0, fault.Mark(fault.Wrong, err)
	}
	first := c.Chooser.sets[0]
	return &Certifier{
		Chooser: c.Chooser, Smoother: first.smoother, Noise: first.noise, Source: s.Info.Name, Box: s.Box(), LabelAware: c.Statistics.LabelAware,
		Head: certificate.Head{Model: first.model, Run: s.runRecord(c), Selection: c.Chooser.selection(0)},
	}, reach, nil
}

// runRecord is what the certificates of a run say of it.
func (s *Setup) runRecord(c Config) certificate.Run {
	run := certificate.Run{
		Seed: certificate.Seed(c.Seed), Provider: s.Model.Provider(), ONNXRuntime: s.Runtime.Version(),
		Batch: s.Setting.Batch, CPU: c.Processor, Ucan: c.Version,
	}
	if s.Forced != "" {
		run.Notes = map[string]string{"forced": s.Forced}
	}
	return run
}

// Box is the range of the data's values as certificates name it, nil where it is not known.
func (s *Setup) Box() *certificate.Box {
	low, high, known := s.Info.Range()
	if !known {
		return nil
	}
	return &certificate.Box{certificate.Float(low), certificate.Float(high)}
}

// Run certifies the inputs of a loop and hands each certificate to put, in the order of the loop.
// The error of put, like any other, stops the run; see [Loop.Run] for what it returns at the end.
func (c *Certifier) Run(ctx context.Context, l Loop, put func(*certificate.Certificate) error) error {
	return l.Run(ctx,
		func(ctx context.Context, item dataset.Item) error {
			cert, err := c.Certify(ctx, item)
			if err != nil {
				return err
			}
			return put(cert)
		},
		func(item dataset.Item, reason error) error {
			cert, err := c.Fail(item, reason)
			if err != nil {
				return err
			}
			return put(cert)
		})
}

// Certify certifies one usable input.
func (c *Certifier) Certify(ctx context.Context, item dataset.Item) (*certificate.Certificate, error) {
	if c.LabelAware && item.Label < 0 {
		return nil, &models.Refusal{
			Reason: fmt.Sprintf("input %d of %s has no label, and a label-aware run tests the label", item.Index, c.Source),
			Remedy: "leave label-aware out",
		}
	}
	cert, err := c.certify(ctx, item)
	if err != nil {
		return nil, fmt.Errorf("certify input %d of %s: %w", item.Index, c.Source, err)
	}
	return cert, nil
}

func (c *Certifier) certify(ctx context.Context, item dataset.Item) (*certificate.Certificate, error) {
	begin := time.Now()
	if c.Chooser != nil {
		result, selection, chosen, err := c.Chooser.certify(ctx, item)
		if err != nil {
			return nil, err
		}
		noise, err := chosen.noise.forInput(ctx, nil)
		if err != nil {
			return nil, err
		}
		head := c.head(item)
		head.Model, head.NPG, head.Selection = chosen.model, noise.npg, selection
		head.Run.Seconds = certificate.Float(time.Since(begin).Seconds())
		return certificate.New(head, noise.SealedNoise, result)
	}
	noise, err := c.Noise.forInput(ctx, item.X)
	if err != nil {
		return nil, err
	}
	result, err := c.Method(ctx, item.X, item.SHA256, noise.SealedNoise, item.Label)
	if err != nil {
		return nil, err
	}
	head := c.head(item)
	head.NPG, head.Run.Seconds = noise.npg, certificate.Float(time.Since(begin).Seconds())
	return certificate.New(head, noise.SealedNoise, result)
}

// Fail records an input that could not be used. Its certificate gives the reason and claims
// nothing.
func (c *Certifier) Fail(item dataset.Item, reason error) (*certificate.Certificate, error) {
	head := c.head(item)
	var noise *smooth.SealedNoise
	head.Selection = nil // nothing was chosen
	if fixed := c.Noise.fixed; fixed != nil {
		noise, head.NPG = fixed.SealedNoise, fixed.npg
	}
	cert, err := certificate.NewFailed(head, c.Noise.Norm, noise, reason.Error())
	if err != nil {
		return nil, fmt.Errorf("record input %d of %s as failed: %w", item.Index, c.Source, err)
	}
	return cert, nil
}

// head is what the certificate of an input says that no computation gives.
func (c *Certifier) head(item dataset.Item) certificate.Head {
	head := c.Head
	head.Guarantee, head.NPG = c.Guarantee(), c.Noise.NPG
	head.Input = certificate.Input{Source: c.Source, Index: int64(item.Index), Shape: item.Shape, Box: c.Box, Label: item.Label}
	if item.X != nil {
		head.Input.SHA256 = hex.EncodeToString(item.SHA256[:])
	}
	return head
}
