package data

import (
	"context"
	"fmt"

	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/smooth/family"
	"ucan/smooth/stream"
	"ucan/train"
)

// Shaper gives the (μ, Σ) of an image. [Config.Shaper] is called with the augmented clean image,
// from one goroutine.
type Shaper func(ctx context.Context, clean []float32) (smooth.Fields, error)

// Fixed returns a Shaper for noise that is the same for every image.
func Fixed(f smooth.Fields) Shaper {
	return func(context.Context, []float32) (smooth.Fields, error) { return f, nil }
}

// Config configures how a Feed makes batches of a Set.
type Config struct {
	// Batch is the number of images of a batch, ≥ 1 and at most the set's length. What is left of
	// an epoch's images after the last whole batch, another few in every epoch, is not used in it.
	Batch int
	// Draws is the number of noise draws for each image, ≥ 1.
	Draws int
	// Seed keys shuffling, augmentation and noise.
	Seed uint64
	// Augment varies the images.
	Augment Augment
	// Family draws the noise, Lambda is its raw scale, > 0.
	Family family.Sampler
	Lambda float64
	// Shaper, where not nil, asks for batches with Noisy, x + μ + U diag(s) λε, in place of Noise,
	// λε.
	Shaper Shaper
}

// Validate checks c against the set it is for.
func (c Config) Validate(s *Set) error {
	switch {
	case c.Batch < 1:
		return fmt.Errorf("%w: a batch of %d images; give 1 or more", ErrData, c.Batch)
	case c.Batch > s.Len():
		return fmt.Errorf("%w: a batch of %d images and a set of %d; make the batch smaller", ErrData, c.Batch, s.Len())
	case c.Draws < 1:
		return fmt.Errorf("%w: %d noise draws an image; give 1 or more", ErrData, c.Draws)
	case c.Family == nil || !(c.Lambda > 0):
		return fmt.Errorf("%w: noise without a family or a positive scale", ErrData)
	}
	return c.Augment.Validate(s.info.Shape)
}

// Feed makes the batches of a run: the next one is prepared while the last is used. Methods are for
// one goroutine.
type Feed struct {
	set    *Set
	config Config
	order  []int
	epoch  int // that order belongs to, −1 for none
	ahead  *pending
	spare  *train.Batch
	work   workspace
}

// pending is a batch under way.
type pending struct {
	epoch, index int
	batch        *train.Batch
	err          error
	done         chan struct{}
	cancel       context.CancelFunc
}

// workspace is the memory that the preparing goroutine works in.
type workspace struct {
	plain, base []float32
	sigma       []float32 // of the image; empty stands for ones
	scratch     *basis.Scratch
	of          *basis.Transform // that scratch belongs to
}

var _ train.Feed = (*Feed)(nil)

// NewFeed makes a feed of a set. Close it after use.
func NewFeed(s *Set, c Config) (*Feed, error) {
	if err := c.Validate(s); err != nil {
		return nil, err
	}
	f := &Feed{set: s, config: c, order: make([]int, s.Len()), epoch: -1}
	f.work.plain, f.work.base = make([]float32, s.dim), make([]float32, s.dim)
	f.spare = f.newBatch()
	return f, nil
}

func (f *Feed) newBatch() *train.Batch {
	c := f.config
	b := &train.Batch{
		Rows: c.Batch, Draws: c.Draws,
		Clean:  make([]float32, c.Batch*f.set.dim),
		Labels: make([]int64, c.Batch), Indices: make([]int, c.Batch),
	}
	noise := make([]float32, c.Batch*c.Draws*f.set.dim)
	if c.Shaper == nil {
		b.Noise = noise
	} else {
		b.Noisy = noise
	}
	return b
}

// Batches is the number of batches of an epoch.
func (f *Feed) Batches() int { return f.set.Len() / f.config.Batch }

// Batch returns a batch and begins with the one that follows it.
func (f *Feed) Batch(ctx context.Context, epoch, index int) (*train.Batch, error) {
	if epoch < 0 || index < 0 || index >= f.Batches() {
		return nil, fmt.Errorf("%w: there is no batch %d of epoch %d; an epoch has %d", ErrData, index, epoch, f.Batches())
	}
	p := f.ahead
	f.ahead = nil
	if p != nil && (p.epoch != epoch || p.index != index) {
		f.drop(p)
		p = nil
	}
	if p == nil {
		p = f.begin(ctx, epoch, index)
	}
	<-p.done
	p.cancel()
	if p.err != nil {
		f.spare = p.batch
		return nil, p.err
	}
	if f.spare == nil {
		f.spare = f.newBatch() // the second of two, on the first call
	}
	next := [2]int{epoch, index + 1}
	if next[1] == f.Batches() {
		next = [2]int{epoch + 1, 0}
	}
	f.ahead = f.begin(ctx, next[0], next[1])
	f.spare = p.batch // free once the caller asks for the next
	return p.batch, nil
}

// begin prepares a batch in the spare memory on a goroutine of its own.
func (f *Feed) begin(ctx context.Context, epoch, index int) *pending {
	ctx, cancel := context.WithCancel(ctx)
	p := &pending{epoch: epoch, index: index, batch: f.spare, done: make(chan struct{}), cancel: cancel}
	f.spare = nil
	go func() {
		defer close(p.done)
		p.err = f.fill(ctx, p.batch, epoch, index)
	}()
	return p
}

// drop waits for a batch that nobody wants and takes its memory back.
func (f *Feed) drop(p *pending) {
	p.cancel()
	<-p.done
	f.spare = p.batch
}

// Close ends what is under way. Further calls do nothing.
func (f *Feed) Close() error {
	if f.ahead != nil {
		f.drop(f.ahead)
		f.ahead = nil
	}
	return nil
}

// fill makes batch index of an epoch. Only one fill runs at a time.
func (f *Feed) fill(ctx context.Context, b *train.Batch, epoch, index int) error {
	if f.epoch != epoch {
		shuffle(f.order, f.config.Seed, epoch)
		f.epoch = epoch
	}
	b.Epoch, b.Index, b.Step = epoch, index, int64(epoch)*int64(f.Batches())+int64(index)
	augment := stream.New(f.config.Seed, augmentTag, stream.Train)
	dim := f.set.dim
	for r, i := range f.order[index*f.config.Batch : (index+1)*f.config.Batch] {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.Labels[r], b.Indices[r] = f.set.labels[i], f.set.indices[i]
		f.set.Read(i, f.work.plain)
		clean := b.Clean[r*dim : (r+1)*dim]
		source := augment.Source(uint64(epoch)<<32 | uint64(i))
		f.config.Augment.apply(clean, f.work.plain, f.set.info.Shape, &source)
		if err := f.noise(ctx, b, r, i, clean); err != nil {
			return err
		}
	}
	return nil
}

// noise draws the noise of row r, image i of the set.
func (f *Feed) noise(ctx context.Context, b *train.Batch, r, i int, clean []float32) error {
	c, dim := f.config, f.set.dim
	key := stream.New(c.Seed, f.set.hashes[i], stream.Train)
	var shape smooth.Fields
	if c.Shaper != nil {
		var err error
		if shape, err = c.Shaper(ctx, clean); err != nil {
			return fmt.Errorf("noise parameters of input %d: %w", f.set.indices[i], err)
		}
		f.work.begin(clean, shape)
	}
	for j := range c.Draws {
		source := key.Source(uint64(b.Epoch)*uint64(c.Draws) + uint64(j))
		at := (r*c.Draws + j) * dim
		if c.Shaper == nil {
			out := b.Noise[at : at+dim]
			c.Family.Sample(out, &source)
			scale(out, float32(c.Lambda))
			continue
		}
		out := b.Noisy[at : at+dim]
		switch {
		case shape.Basis() != nil:
			f.work.synthesise(out, shape.Basis(), c, &source)
		case len(f.work.sigma) > 0:
			c.Family.Sample(out, &source)
			scale(out, float32(c.Lambda))
			stream.AffineField(out, f.work.base, f.work.sigma)
		default:
			c.Family.Sample(out, &source)
			stream.Affine(out, f.work.base, float32(c.Lambda))
		}
	}
	return nil
}

// begin sets base to clean + μ, and sigma.
func (w *workspace) begin(clean []float32, f smooth.Fields) {
	copy(w.base, clean)
	f.AddMu(w.base)
	w.sigma = f.AppendSigma(w.sigma[:0])
	if u := f.Basis(); u != nil && w.of != u {
		w.of, w.scratch = u, u.NewScratch()
	}
}

// synthesise writes base + U diag(s) λε to out. The room for the plain image, no longer needed,
// holds the coefficients.
func (w *workspace) synthesise(out []float32, u *basis.Transform, c Config, source *stream.Source) {
	c.Family.Sample(w.plain, source)
	scale(w.plain, float32(c.Lambda))
	for i, v := range w.sigma {
		w.plain[i] *= v
	}
	u.Synthesise(out, w.base, w.plain, w.scratch)
}

// scale multiplies x by a factor.
func scale(x []float32, by float32) {
	for i := range x {
		x[i] *= by
	}
}
