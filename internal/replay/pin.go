package replay

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"ucan/internal/audit"
	"ucan/internal/dataset"
	"ucan/internal/fault"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// Pins are certificates by the index of their input, each of them true.
type Pins struct {
	certificates map[int]*certificate.Certificate
	fields       certificate.Loader
}

// ReadPins reads a file of certificates. Noise is replayed from true ones only: any other line is
// an error, and so is a second certificate of an input. build is the running program.
func ReadPins(ctx context.Context, path string, load certificate.Loader, build string) (*Pins, error) {
	p := &Pins{map[int]*certificate.Certificate{}, load}
	err := audit.TrueLines(ctx, path, load, build, func(line int, _ []byte, c *certificate.Certificate) error {
		if c.Status == certificate.Failed {
			return nil
		}
		index := int(c.Input.Index)
		if p.certificates[index] != nil {
			return fault.Wrongf("line %d: a second certificate of input %d; give a file with one for each", line, index)
		}
		p.certificates[index] = c
		return nil
	})
	if err == nil && len(p.certificates) == 0 {
		err = fault.Wrongf("it holds no certificate of a usable input; name the file that --json wrote")
	}
	return p, err
}

// Indices returns those of the given indices that have a certificate.
func (p *Pins) Indices(of []int) []int {
	return slices.DeleteFunc(slices.Clone(of), func(i int) bool { return p.certificates[i] == nil })
}

// Certificate returns the certificate of an input, nil where there is none.
func (p *Pins) Certificate(index int) *certificate.Certificate { return p.certificates[index] }

// Fields finds the noise fields of the certificates.
func (p *Pins) Fields() certificate.Loader { return p.fields }

// Seal returns the noise of an input's certificate, nil where the certificate is of another shape.
func (p *Pins) Seal(_ context.Context, item dataset.Item) (*smooth.SealedNoise, error) {
	c := p.certificates[item.Index]
	if !slices.Equal(c.Input.Shape, item.Shape) {
		return nil, nil // refused when its turn comes
	}
	return c.SealedNoise(p.fields)
}

// Pinned answers inputs with exactly the noise that their certificates store.
type Pinned struct {
	Pins *Pins
	// Inputs are those to answer, Certified those that were certified; nil when they are not at
	// hand.
	Inputs, Certified Source
	// Model is the opened classifier as certificates name it.
	Model    certificate.Model
	Smoother *smooth.Smoother
	Request  smooth.PredictN
}

// Inside says whether an input lies inside the certified region of its certificate.
type Inside string

// Unknown stands for an input whose certified input is not at hand.
const (
	Yes     Inside = "yes"
	No      Inside = "no"
	Unknown Inside = "unknown"
)

// Answer is one input that was answered with the noise of its certificate.
type Answer struct {
	Index int `json:"idx"`
	Label int `json:"label"`
	// Certified is the certificate's class and Predict the answer, −1 where it abstains; Agrees
	// says that they are one class.
	Certified int    `json:"certified"`
	Predict   int    `json:"predict"`
	Agrees    bool   `json:"agrees"`
	Inside    Inside `json:"inside"`
	// Share is how far towards the region's boundary the input lies: 0 is the certified input, 1
	// the boundary; null where the certified input is not at hand or has no region.
	Share     *float64         `json:"share"`
	Guarantee smooth.Guarantee `json:"guarantee"`
}

// violated reports whether the certificate promises another answer than the one given.
func (a Answer) violated() bool {
	return a.Inside == Yes && a.Certified >= 0 && a.Predict >= 0 && a.Predict != a.Certified
}

// Answers is the outcome of a run.
type Answers struct {
	Inputs    int      `json:"inputs"`
	Agree     int      `json:"agree"`
	Abstained int      `json:"abstained"`
	Inside    int      `json:"inside"`
	Violated  int      `json:"violated"`
	Results   []Answer `json:"results"`
}

func (o *Answers) add(a Answer) {
	o.Inputs++
	o.Results = append(o.Results, a)
	if a.Agrees {
		o.Agree++
	}
	if a.Predict < 0 {
		o.Abstained++
	}
	if a.Inside == Yes {
		o.Inside++
	}
	if a.violated() {
		o.Violated++
	}
}

// Run answers the inputs with the given indices, each of which has a certificate, and calls each
// after every one.
func (p Pinned) Run(ctx context.Context, indices []int, each func()) (Answers, error) {
	out := Answers{Results: []Answer{}}
	for _, index := range indices {
		c := p.Pins.certificates[index]
		if f, other := audit.OtherModel(c.Model, p.Model); other {
			return out, fault.Refusedf("input %d was certified for another classifier (%s: %s there, %s here); give that model", index, f.Field, f.Stored, f.Recomputed)
		}
		item, err := p.Inputs.At(ctx, index)
		if err != nil {
			return out, err
		}
		a, err := p.answer(ctx, c, item)
		if err != nil {
			return out, fmt.Errorf("input %d: %w", index, err)
		}
		out.add(a)
		each()
	}
	return out, nil
}

// answer replays one certificate's noise on an input.
func (p Pinned) answer(ctx context.Context, c *certificate.Certificate, item dataset.Item) (Answer, error) {
	if !slices.Equal(c.Input.Shape, item.Shape) {
		return Answer{}, fault.Refusedf("it has shape %v, and the certified one %v", item.Shape, c.Input.Shape)
	}
	noise, err := c.SealedNoise(p.Pins.fields)
	if err != nil {
		return Answer{}, err
	}
	answer, err := p.Smoother.Predict(ctx, item.X, item.SHA256, noise, p.Request)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Index: item.Index, Label: item.Label, Certified: c.Predict, Predict: -1, Guarantee: c.Guarantee}
	if !answer.Abstained {
		a.Predict = answer.Class
	}
	a.Agrees = a.Predict >= 0 && a.Predict == a.Certified
	a.Inside, a.Share, err = p.place(ctx, c, item)
	return a, err
}

// place says where an input lies with respect to the certified region.
func (p Pinned) place(ctx context.Context, c *certificate.Certificate, item dataset.Item) (Inside, *float64, error) {
	x := item.X
	if hex.EncodeToString(item.SHA256[:]) != c.Input.SHA256 {
		if p.Certified == nil {
			return Unknown, nil, nil
		}
		certified, err := p.Certified.At(ctx, item.Index)
		if err != nil {
			return "", nil, err
		}
		if hex.EncodeToString(certified.SHA256[:]) != c.Input.SHA256 {
			return "", nil, fault.Refusedf("--pin-data does not hold the certified input (its hash differs); give the data that were certified")
		}
		x = certified.X
	}
	if c.Status != certificate.Certified {
		return No, nil, nil
	}
	in, err := c.ContainsPoint(x, item.X, p.Pins.fields)
	if err != nil {
		return "", nil, err
	}
	share, err := c.BoundaryShare(x, item.X, p.Pins.fields)
	if err != nil {
		return "", nil, err
	}
	if in {
		return Yes, share, nil
	}
	return No, share, nil
}
