package diagnose

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"

	"ucan/smooth"
	"ucan/smooth/stream"
)

// readFrom is the first sample index of the reader's copies within phase Audit.
const readFrom = 2 << 32

// readerValues bounds the values that the reader holds: 256 MB of float32.
const readerValues = 64 << 20

// readerRidge is the penalty of the reader in units of the mean squared size of its rows: strong,
// since there are fewer rows than coordinates. Between 1 and 10 times the accuracy hardly moves.
const readerRidge = 10

// read is the leak that a classifier could learn: a linear one (ridge regression to the labels) is
// trained on swapped noisy copies of one half of the inputs and tested on those of the other half,
// and the other way round. The base classifier at hand may be blind to what one trained together
// with the generator would read. It returns nil where there are too few inputs.
func read(ctx context.Context, s Subject, cases []specimen, o Options) (*Reading, error) {
	dim := len(cases[0].X)
	halves := split(cases, readerValues/dim/o.ReaderDraws)
	sets := make([]rows, len(halves))
	out := &Reading{}
	for i, half := range halves {
		p := pairing(half)
		if p.inputs < o.LeastInputs/2 || !p.usable() {
			return nil, nil
		}
		var err error
		if sets[i], err = copies(ctx, s, half, p.donors(o, o.ReaderDraws), o.ReaderDraws); err != nil {
			return nil, err
		}
		out.Inputs += p.inputs
		out.Chance += p.chance() / float64(len(halves))
	}
	right, total := 0, 0
	for i := range sets {
		r, err := learn(sets[1-i], dim)
		if err != nil {
			return nil, err
		}
		right += r.right(sets[i], dim)
		total += len(sets[i].labels)
	}
	out.Accuracy = float64(right) / float64(total)
	out.Low, out.High = chernoff(out.Accuracy, out.Inputs, 1-o.Confidence)
	return out, nil
}

// split deals the labelled inputs of every class to two halves, at most limit inputs in all. Of
// equal inputs, whose noise is equal too, one is taken: the reader would know it again.
func split(cases []specimen, limit int) [2][]specimen {
	var out [2][]specimen
	dealt, seen := map[int]int{}, map[[32]byte]bool{}
	for _, c := range cases {
		if c.Label < 0 || seen[c.ID] || len(out[0])+len(out[1]) >= limit {
			continue
		}
		seen[c.ID] = true
		half := dealt[c.Label] % 2
		out[half] = append(out[half], c)
		dealt[c.Label]++
	}
	return out
}

// rows are noisy copies, row by row, and the labels of the inputs whose noise they carry.
type rows struct {
	values []float32
	labels []int
}

// copies draws one noisy copy for each donor of each input: donor + μ(input) + λΣ(input)ε.
func copies(ctx context.Context, s Subject, cases []specimen, donors map[int][]int, draws int) (rows, error) {
	dim := len(cases[0].X)
	var out rows
	// A classifier that keeps what it is asked about sees exactly what the base classifier would.
	keep := smooth.ClassifierFunc(dim, 1, func(x []float32) int32 {
		out.values = append(out.values, x...)
		return 0
	})
	recorder, err := smooth.New([]smooth.Classifier{keep}, smooth.Config{Dim: dim, Classes: 2})
	if err != nil {
		return rows{}, err
	}
	for i, c := range cases {
		noise, err := s.seal(len(c.X), c.fields)
		if err != nil {
			return rows{}, err
		}
		for k, j := range donors[i] {
			from := readFrom + uint64(k%draws)
			if _, err := recorder.Sample(ctx, cases[j].X, c.ID, noise, stream.Audit, from, from+1); err != nil {
				return rows{}, err
			}
			out.labels = append(out.labels, c.Label)
		}
	}
	return out, nil
}

// reader is a linear classifier in dual form: scores(z) = (z − mean)·rowsᵀ·weights.
type reader struct {
	mean    []float32
	rows    blas32.General
	classes []int
	weights *mat.Dense // rows × classes
}

// learn solves (K + penalty·I) weights = targets, K being the products of the centred rows.
func learn(set rows, dim int) (*reader, error) {
	n := len(set.labels)
	r := &reader{mean: make([]float32, dim)}
	for i, v := range set.values {
		r.mean[i%dim] += v / float32(n)
	}
	r.rows = r.centred(set.values, dim)
	column := map[int]int{}
	for _, label := range set.labels {
		if _, known := column[label]; !known {
			column[label] = len(r.classes)
			r.classes = append(r.classes, label)
		}
	}
	gram := blas32.Symmetric{Uplo: blas.Upper, N: n, Stride: n, Data: make([]float32, n*n)}
	blas32.Syrk(blas.NoTrans, 1, r.rows, 0, gram)
	k := mat.NewSymDense(n, nil)
	trace := 0.0
	for i := range n {
		for j := i; j < n; j++ {
			k.SetSym(i, j, float64(gram.Data[i*n+j]))
		}
		trace += k.At(i, i)
	}
	if trace == 0 {
		trace = 1 // rows that are all the same: any penalty makes the weights nil
	}
	for i := range n {
		k.SetSym(i, i, k.At(i, i)+readerRidge*trace/float64(n))
	}
	targets := mat.NewDense(n, len(r.classes), nil)
	for i, label := range set.labels {
		for j := range r.classes {
			targets.Set(i, j, -1/float64(len(r.classes)))
		}
		targets.Set(i, column[label], 1-1/float64(len(r.classes)))
	}
	var factor mat.Cholesky
	if !factor.Factorize(k) {
		return nil, fmt.Errorf("the reader's equations are singular; the noisy copies are not finite")
	}
	r.weights = new(mat.Dense)
	if err := factor.SolveTo(r.weights, targets); err != nil {
		return nil, fmt.Errorf("the reader's equations: %w", err)
	}
	return r, nil
}

// centred returns the values less the mean as a matrix of rows.
func (r *reader) centred(values []float32, dim int) blas32.General {
	out := blas32.General{Rows: len(values) / dim, Cols: dim, Stride: dim, Data: make([]float32, len(values))}
	for i, v := range values {
		out.Data[i] = v - r.mean[i%dim]
	}
	return out
}

// right counts the rows whose label gets the largest score.
func (r *reader) right(set rows, dim int) int {
	z := r.centred(set.values, dim)
	products := blas32.General{Rows: z.Rows, Cols: r.rows.Rows, Stride: r.rows.Rows, Data: make([]float32, z.Rows*r.rows.Rows)}
	blas32.Gemm(blas.NoTrans, blas.Trans, 1, z, r.rows, 0, products)
	right := 0
	score := make([]float64, len(r.classes))
	for i, label := range set.labels {
		clear(score)
		for k := range r.rows.Rows {
			p := float64(products.Data[i*products.Stride+k])
			for j := range score {
				score[j] += p * r.weights.At(k, j)
			}
		}
		best := 0
		for j, v := range score {
			if v > score[best] {
				best = j
			}
		}
		if r.classes[best] == label {
			right++
		}
	}
	return right
}
