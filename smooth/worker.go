package smooth

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"ucan/smooth/basis"
	"ucan/smooth/family"
	"ucan/smooth/stream"
)

// job is one call's work, shared by all workers.
type job struct {
	noise  *SealedNoise
	base   []float32 // x + μ
	pixels []uint8   // x in lattice steps; nil in float32 arithmetic
	parts  []part
	rows   uint64
	next   atomic.Uint64 // first row that no worker has taken
	cancel context.CancelFunc

	mu  sync.Mutex // guards err and the parts' counts
	err error
}

// done returns the number of samples counted. Only for after the workers ended.
func (j *job) done() uint64 {
	var n uint64
	for i := range j.parts {
		n += uint64(j.parts[i].counts.N)
	}
	return n
}

// fail keeps the first error and stops the other workers.
func (j *job) fail(err error) {
	j.mu.Lock()
	if j.err == nil {
		j.err = err
	}
	j.mu.Unlock()
	j.cancel()
}

// worker owns one classifier and what it needs to draw without allocating.
type worker struct {
	classifier Classifier
	input      []float32
	dim, batch int
	inBasis    *basisBuffer  // for noise in a basis, made when first needed
	unsure     []bool        // rows of the batch whose lattice draw was not decided
	source     stream.Source // a field, so that passing its address allocates nothing
	drawn      *atomic.Int64 // the smoother's, for progress
}

// basisBuffer holds the coefficients of one sample of noise in a basis.
type basisBuffer struct {
	basis        *basis.Transform
	coefficients []float32
	scratch      *basis.Scratch
}

// prepare makes the worker's buffer for noise in basis b; nil needs none.
func (w *worker) prepare(b *basis.Transform) {
	if b != nil && (w.inBasis == nil || w.inBasis.basis.Shape() != b.Shape()) {
		w.inBasis = &basisBuffer{basis: b, coefficients: make([]float32, b.Dim()), scratch: b.NewScratch()}
	}
}

// work takes batches of rows until none is left, ctx ends or something fails.
func (w *worker) work(ctx context.Context, j *job) {
	counts := make([]Counts, len(j.parts))
	for i := range counts {
		counts[i] = newCounts(len(j.parts[i].counts.PerClass))
	}
	w.prepare(j.noise.noise.basis)
	for ctx.Err() == nil {
		first := j.next.Add(uint64(w.batch)) - uint64(w.batch)
		if first >= j.rows {
			break
		}
		rows := int(min(uint64(w.batch), j.rows-first))
		if err := w.classify(ctx, j, first, rows, counts); err != nil {
			j.fail(err)
			return
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range counts {
		j.parts[i].counts.merge(counts[i])
	}
}

// classify fills one batch with the rows first … first+rows−1, classifies it and
// counts the votes.
func (w *worker) classify(ctx context.Context, j *job, first uint64, rows int, counts []Counts) error {
	for r := range rows {
		p, index := j.locate(first + uint64(r))
		w.source = j.parts[p].key.Source(index)
		row := w.input[r*w.dim : (r+1)*w.dim]
		if j.pixels == nil {
			j.noise.fill(row, j.base, &w.source, w.inBasis)
		} else {
			w.unsure[r] = !j.noise.lattice.Sample(row, j.pixels, &w.source)
		}
	}
	// The rest of a last batch repeats its first row: its decisions are thrown
	// away, but it must hold nothing that depends on earlier batches.
	for r := rows; r < w.batch; r++ {
		copy(w.input[r*w.dim:(r+1)*w.dim], w.input[:w.dim])
	}
	labels, err := w.classifier.Classify(ctx, rows)
	if err != nil {
		return err
	}
	if len(labels) < rows {
		return fmt.Errorf("the classifier returned %d labels for %d rows", len(labels), rows)
	}
	w.drawn.Add(int64(rows))
	for r, label := range labels[:rows] {
		p, index := j.locate(first + uint64(r))
		if j.pixels != nil && w.unsure[r] {
			label = NoVote // a draw that 60 bits cannot decide counts against the certificate
		}
		if err := counts[p].vote(label); err != nil {
			return err
		}
		if part := &j.parts[p]; part.labels != nil {
			part.labels[index-part.from] = label
		}
	}
	return nil
}

// locate finds the part and the sample index of a row.
func (j *job) locate(row uint64) (p int, index uint64) {
	for i := range j.parts {
		n := j.parts[i].to - j.parts[i].from
		if row < n {
			return i, j.parts[i].from + row
		}
		row -= n
	}
	panic("smooth: row outside the job") // rows come from j.next, below j.rows
}

// fill writes base + scale⊙ε to dst, or base + U(scale⊙ε) in a basis.
func (s *SealedNoise) fill(dst, base []float32, source *stream.Source, buffer *basisBuffer) {
	switch b := s.noise.basis; {
	case b != nil:
		if s.affine != nil {
			s.affine.SampleField(buffer.coefficients, s.zeros, s.scale, source)
		} else {
			s.sampler.Sample(buffer.coefficients, source)
			s.apply(buffer.coefficients, s.zeros)
		}
		b.Synthesise(dst, base, buffer.coefficients, buffer.scratch)
	case s.affine == nil:
		s.sampler.Sample(dst, source)
		s.apply(dst, base)
	case s.scale == nil:
		s.affine.SampleAffine(dst, base, s.uniform, source)
	default:
		s.affine.SampleField(dst, base, s.scale, source)
	}
}

// apply turns noise ε in dst into base + scale⊙ε.
func (s *SealedNoise) apply(dst, base []float32) {
	if s.scale == nil {
		stream.Affine(dst, base, s.uniform)
	} else {
		stream.AffineField(dst, base, s.scale)
	}
}

// affineOf returns the family's affine sampler if it has one that draws the same
// bits as its Sample, else nil. The check is for types that embed a family of
// this module and replace Sample: they inherit the affine sampler of another law.
func (s *SealedNoise) affineOf() family.AffineSampler {
	affine, ok := s.sampler.(family.AffineSampler)
	if !ok {
		return nil
	}
	base := make([]float32, s.dim)
	for i := range base {
		base[i] = float32(i % 3)
	}
	plain, joint := make([]float32, s.dim), make([]float32, s.dim)
	begin := stream.New(0, [32]byte{}, stream.Audit).Source(0)
	a, b := begin, begin
	s.sampler.Sample(plain, &a)
	s.apply(plain, base)
	if s.scale == nil {
		affine.SampleAffine(joint, base, s.uniform, &b)
	} else {
		affine.SampleField(joint, base, s.scale, &b)
	}
	if a != b || !slices.Equal(plain, joint) {
		return nil
	}
	return affine
}
