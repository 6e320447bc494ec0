package attack

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"ucan/internal/audit"
	"ucan/internal/certify"
	"ucan/internal/dataset"
	"ucan/internal/fault"
	"ucan/internal/replay"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// Certificates are those of a file beside the inputs and the model that they speak of.
type Certificates struct {
	Pins   *replay.Pins
	Source certify.Source
	// Model is the opened classifier as certificates name it.
	Model certificate.Model
	// MaxFailures is that of certify.Loop.
	MaxFailures float64
}

// Certified returns those of the indices whose certificate claims something.
func (f Certificates) Certified(of []int) []int {
	return slices.DeleteFunc(slices.Clone(of), func(i int) bool {
		c := f.Pins.Certificate(i)
		return c == nil || c.Status != certificate.Certified
	})
}

// Guarantees counts the certificates of the indices by guarantee.
func (f Certificates) Guarantees(of []int) map[smooth.Guarantee]int {
	out := map[smooth.Guarantee]int{}
	for _, i := range of {
		out[f.Pins.Certificate(i).Guarantee]++
	}
	return out
}

// Case is a certificate with its input.
type Case struct {
	Item        dataset.Item
	Certificate *certificate.Certificate
	Claim       Claim
}

// Each calls visit for the certificate of every index, once it is shown that model and input are
// the certified ones, and skipped for every input that cannot be read.
func (f Certificates) Each(ctx context.Context, indices []int, visit func(context.Context, Case) error, skipped func(reason error)) error {
	loop := certify.Loop{Source: f.Source, Indices: indices, MaxFailures: f.MaxFailures}
	return loop.Run(ctx, func(ctx context.Context, item dataset.Item) error {
		c := f.Pins.Certificate(item.Index)
		found, err := f.check(c, item)
		if err == nil {
			err = visit(ctx, Case{item, c, found})
		}
		if err != nil {
			return fmt.Errorf("input %d: %w", item.Index, err)
		}
		return nil
	}, func(_ dataset.Item, reason error) error {
		skipped(reason)
		return nil
	})
}

func (f Certificates) check(c *certificate.Certificate, item dataset.Item) (Claim, error) {
	if found, other := audit.OtherModel(c.Model, f.Model); other {
		return Claim{}, fault.Refusedf("it was certified for another classifier (%s: %s there, %s here); give that model", found.Field, found.Stored, found.Recomputed)
	}
	if hex.EncodeToString(item.SHA256[:]) != c.Input.SHA256 {
		return Claim{}, fault.Refusedf("it is not the input that was certified (its hash differs); give the data that were certified")
	}
	return OfCertificate(c, item.X, item.SHA256, f.Pins.Fields())
}

// Worst is the case with the least margin, kept to be drawn.
type Worst struct {
	Case
	Attempt Attempt
}

// Report is what an attack on the certificates of a file found.
type Report struct {
	Outcome
	Guarantees map[smooth.Guarantee]int
	Attempts   []Attempt
	// Worst is nil where no input was attacked.
	Worst *Worst
}

// Run attacks the certificates of the indices. change alters a claim before it is attacked, nil
// changes none; each is called after every input. Inputs that cannot be read are told to skipped
// and are in no figure.
func (f Certificates) Run(ctx context.Context, a *Attacker, indices []int, strict bool, change func(*Case) error, each func(), skipped func(error)) (Report, error) {
	r := Report{Guarantees: f.Guarantees(indices), Attempts: []Attempt{}}
	var alpha []float64
	failed := f.Each(ctx, indices, func(ctx context.Context, c Case) error {
		if change != nil {
			if err := change(&c); err != nil {
				return err
			}
		}
		got, err := a.Attack(ctx, c.Claim, len(indices))
		if err != nil {
			return err
		}
		got.Index = c.Item.Index
		if r.Worst == nil || got.Margin < r.Worst.Attempt.Margin {
			r.Worst = &Worst{c, got}
		}
		got.Y = nil // one point is kept, however many inputs there are
		r.Attempts, alpha = append(r.Attempts, got), append(alpha, c.Claim.Alpha)
		each()
		return nil
	}, skipped)
	if failed != nil && !errors.Is(failed, certify.ErrSomeFailed) {
		return r, failed
	}
	var err error
	if r.Outcome, err = a.options.Tally(r.Attempts, alpha, strict); err != nil {
		return r, err
	}
	return r, failed
}
