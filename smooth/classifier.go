package smooth

import "context"

// NoVote is the label of a sample that votes for no class: a NaN among the
// decision's values, a maximum attained twice, a value equal to the threshold.
// Such a sample counts in n and never in k, that is, against the certificate.
const NoVote int32 = -1

// Classifier is a base classifier with a fixed physical batch, owned by one
// worker at a time.
//
// Decisions must not depend on a row's position in the batch nor on the other
// rows: otherwise votes are not independent and no bound on p_A holds.
type Classifier interface {
	// Input returns the batch × d buffer, row-major, that Classify reads. It is
	// the same memory for the life of the classifier; the caller fills it.
	Input() []float32

	// Classify decides the first rows of Input, 1 ≤ rows ≤ batch, and returns one
	// label a row: 0 ≤ label < classes, or NoVote. The slice is valid until the
	// next call. It returns an error, and no labels, when inference fails or ctx
	// ends; it does not return while it still reads Input.
	Classify(ctx context.Context, rows int) ([]int32, error)
}

// ClassifierFunc makes a Classifier of a plain function of one input of
// dimension dim, for analytic classifiers, tests and small models in Go. The
// result belongs to one worker; f must not keep or change its argument, and must
// be safe for concurrent use when several classifiers share it.
//
// It panics when dim or batch is below 1, a programmer's error.
func ClassifierFunc(dim, batch int, f func(x []float32) int32) Classifier {
	if dim < 1 || batch < 1 {
		panic("smooth: ClassifierFunc: dim and batch must be at least 1")
	}
	return &funcClassifier{
		dim: dim, f: f,
		input:  make([]float32, dim*batch),
		labels: make([]int32, batch),
	}
}

type funcClassifier struct {
	dim    int
	f      func(x []float32) int32
	input  []float32
	labels []int32
}

func (c *funcClassifier) Input() []float32 { return c.input }

func (c *funcClassifier) Classify(ctx context.Context, rows int) ([]int32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for r := range rows {
		c.labels[r] = c.f(c.input[r*c.dim : (r+1)*c.dim])
	}
	return c.labels[:rows], nil
}
