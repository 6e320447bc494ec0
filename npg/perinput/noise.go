package perinput

import "ucan/smooth/stream"

// drawer makes noisy copies of one input.
type drawer struct {
	config Config
	key    stream.Key
	x      []float32

	unit      []float32 // ε of the copies last made, n × d
	copies    []float32
	from      uint64
	drawn     int
	shaped, u []float64 // one row in the basis and back
}

// rows returns the copies x + λσ⊙ε of samples from … from+n−1. They are valid until the next call.
func (w *drawer) rows(sigma []float32, from uint64, n int) []float32 {
	d := len(w.x)
	w.draw(from, n)
	if len(w.copies) < n*d {
		w.copies = make([]float32, n*d)
	}
	out := w.copies[:n*d]
	lambda := float32(w.config.Lambda)
	for r := range n {
		unit, row := w.unit[r*d:(r+1)*d], out[r*d:(r+1)*d]
		if w.config.Basis == nil {
			for i, e := range unit {
				row[i] = w.x[i] + lambda*sigma[i]*e
			}
			continue
		}
		w.allocate()
		for i, e := range unit {
			w.shaped[i] = w.config.Lambda * float64(sigma[i]) * float64(e)
		}
		w.config.Basis.Values(w.u, w.shaped)
		for i, v := range w.u {
			row[i] = w.x[i] + float32(v)
		}
	}
	return out
}

// draw makes ε, unless the samples are those last drawn.
func (w *drawer) draw(from uint64, n int) {
	d := len(w.x)
	if w.drawn == n && w.from == from {
		return
	}
	if len(w.unit) < n*d {
		w.unit = make([]float32, n*d)
	}
	for r := range n {
		source := w.key.Source(from + uint64(r))
		w.config.Family.Sample(w.unit[r*d:(r+1)*d], &source)
	}
	w.from, w.drawn = from, n
}

func (w *drawer) allocate() {
	if w.u == nil {
		w.u, w.shaped = make([]float64, len(w.x)), make([]float64, len(w.x))
	}
}

// pull turns the gradient by the copies (n × d) into the gradient by log σ of their mean: Σ over
// copies of (Uᵀg)_i·λσ_iε_i, divided by n.
func (w *drawer) pull(byRow, sigma []float32, from uint64, n int, grad []float64) {
	d := len(w.x)
	w.draw(from, n)
	clear(grad)
	for r := range n {
		unit, g := w.unit[r*d:(r+1)*d], byRow[r*d:(r+1)*d]
		if w.config.Basis == nil {
			for i, e := range unit {
				grad[i] += float64(g[i]) * float64(e)
			}
			continue
		}
		w.allocate()
		for i, v := range g {
			w.u[i] = float64(v)
		}
		w.config.Basis.Coefficients(w.shaped, w.u)
		for i, e := range unit {
			grad[i] += w.shaped[i] * float64(e)
		}
	}
	for i := range grad {
		grad[i] *= w.config.Lambda * float64(sigma[i]) / float64(n)
	}
}
