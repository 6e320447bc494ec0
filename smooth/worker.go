package smooth

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"ucan/smooth/stream"
)

// job is one call's work, shared by all workers.
type job struct {
	noise  *SealedNoise
	base   []float32 // x + μ
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
	source     stream.Source // a field, so that passing its address allocates nothing
}

// work takes batches of rows until none is left, ctx ends or something fails.
func (w *worker) work(ctx context.Context, j *job) {
	counts := make([]Counts, len(j.parts))
	for i := range counts {
		counts[i] = newCounts(len(j.parts[i].counts.PerClass))
	}
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
		j.noise.fill(w.input[r*w.dim:(r+1)*w.dim], j.base, &w.source)
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
	for r, label := range labels[:rows] {
		p, index := j.locate(first + uint64(r))
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

// fill writes base + scale⊙ε to dst.
func (s *SealedNoise) fill(dst, base []float32, source *stream.Source) {
	s.sampler.Sample(dst, source)
	base = base[:len(dst)]
	// The conversions keep compilers from fusing multiplication and addition, so
	// that every platform computes the same bits.
	if s.scale == nil {
		scale := s.uniform
		for i, e := range dst {
			dst[i] = base[i] + float32(scale*e)
		}
		return
	}
	scale := s.scale[:len(dst)]
	for i, e := range dst {
		dst[i] = base[i] + float32(scale[i]*e)
	}
}
