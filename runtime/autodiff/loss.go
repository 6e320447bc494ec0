package autodiff

import (
	"fmt"
	"strconv"
	"strings"

	"ucan/runtime/onnx"
)

// Loss adds a scalar to be differentiated to a graph.
type Loss interface {
	// Name is the name of the loss's output, unless the model has a value of that name; letters,
	// digits, dots and dashes.
	Name() string
	// Build adds the loss to b and returns it, a value of one element. It adds inputs by
	// [Head.Input].
	Build(b *onnx.Builder, h Head) (onnx.Value, error)
}

// Head is the output of the model that a loss reads.
type Head struct {
	Logits onnx.Value
	DType  onnx.DType
	// Dims are its dimensions, −1 for those that vary from run to run.
	Dims []int64
	// Shape is the same as a declaration, with symbols for what varies: those of the model's inputs
	// where they are the same size.
	Shape []onnx.Dim
	// Softmax, LogSoftmax and Sigmoid are set when the model ends in one ([EndingOf]); Before is
	// then what goes into it.
	Softmax, LogSoftmax, Sigmoid bool
	Before                       onnx.Value

	added map[string]string // the inputs that the loss has added, by the names it wanted
}

// Input adds an input for a loss to b, under the given name or, where the model has a value of that
// name, under another ([Gradient.Input]).
func (h Head) Input(b *onnx.Builder, name string, dt onnx.DType, dims ...onnx.Dim) onnx.Value {
	free := b.FreeName(name)
	if h.added != nil {
		h.added[name] = free
	}
	return b.Input(free, dt, dims...)
}

// classes returns the number of logits per sample.
func (h Head) classes() (int64, error) {
	switch {
	case len(h.Dims) < 1:
		return 0, fmt.Errorf("autodiff: the model's output is a scalar, not logits")
	case !fixed(h.Dims[1:]):
		return 0, fmt.Errorf("autodiff: the number of classes varies from run to run")
	case len(h.Dims) == 1:
		return 0, fmt.Errorf("autodiff: the model's output has one dimension; a batch of logits has two")
	}
	return product(h.Dims[1:]), nil
}

// CrossEntropy is the cross-entropy of the logits and the classes in a new input, labels int64 [N]:
//
//	−1/N·Σₙ log softmax(logits[n])[labels[n]]
//
// or, summed, without the 1/N, so that the gradient by each sample's input does not depend on the
// others. Where the model ends in Softmax its logits are what goes into that. A single logit z, or
// what goes into a single Sigmoid, counts as that of class 1 against class 0: ln(1 + e^{−z}) or
// ln(1 + e^{z}).
type CrossEntropy struct {
	// Labels is the name of the input that it adds. "labels" in [DefaultCrossEntropy].
	Labels string
	// Sum leaves out the division by the batch size.
	Sum bool
}

// DefaultCrossEntropy is the mean over the batch with labels in the input "labels".
func DefaultCrossEntropy() CrossEntropy { return CrossEntropy{Labels: "labels"} }

// Name returns "loss".
func (CrossEntropy) Name() string { return "loss" }

// Build adds the loss.
func (l CrossEntropy) Build(b *onnx.Builder, h Head) (onnx.Value, error) {
	k, err := h.classes()
	if err != nil {
		return onnx.Value{}, err
	}
	labels := h.Input(b, l.Labels, onnx.Int64, h.Shape[0])
	s := b.Scope("loss")
	var each onnx.Value // the loss of each sample, [N] or [N, 1]
	if k == 1 && !h.Softmax && !h.LogSoftmax {
		z := h.Logits
		if h.Sigmoid {
			z = h.Before
		}
		z = s.Reshape(z, -1)
		y := s.Cast(labels, h.DType)
		sign := s.Sub(s.Scalar(h.DType, 1), s.Mul(y, s.Scalar(h.DType, 2)))
		each = s.Softplus(s.Mul(z, sign))
	} else {
		logits := h.Logits
		if h.Softmax {
			logits = h.Before
		}
		if len(h.Dims) != 2 {
			logits = s.Reshape(logits, -1, k)
		}
		logp := logits
		if !h.LogSoftmax {
			logp = s.LogSoftmax(logits, 1)
		}
		hot := s.Cast(s.Equal(s.Unsqueeze(labels, 1), s.Ints(upTo(0, int(k))...)), h.DType)
		each = s.Neg(s.Sum(s.Mul(logp, hot), false, 1))
	}
	if l.Sum {
		return s.Sum(each, false), nil
	}
	return s.Mean(each, false), nil
}

// Logit is the sum over the batch of one output of the model, Class ≥ 0, so that the gradient by
// the input is, for each sample, that of its own logit.
type Logit struct{ Class int64 }

// Name returns "logit" and the class.
func (l Logit) Name() string { return "logit" + strconv.FormatInt(l.Class, 10) }

// Build adds the loss.
func (l Logit) Build(b *onnx.Builder, h Head) (onnx.Value, error) {
	k, err := h.classes()
	if err != nil {
		return onnx.Value{}, err
	}
	if l.Class < 0 || l.Class >= k {
		return onnx.Value{}, fmt.Errorf("autodiff: class %d is not among the model's %d outputs", l.Class, k)
	}
	s := b.Scope("loss")
	z := h.Logits
	if len(h.Dims) != 2 {
		z = s.Reshape(z, -1, k)
	}
	return s.Sum(s.Slice(z, []int64{l.Class}, []int64{l.Class + 1}, []int64{1}, nil), false), nil
}

// Linear is Σ w·output with the weights in a new input of the output's shape: any vector–Jacobian
// product.
type Linear struct {
	// Weights is the name of the input that it adds, "weights" in [DefaultLinear].
	Weights string
}

// DefaultLinear reads its weights from the input "weights".
func DefaultLinear() Linear { return Linear{Weights: "weights"} }

// Name returns "linear".
func (Linear) Name() string { return "linear" }

// Build adds the loss.
func (l Linear) Build(b *onnx.Builder, h Head) (onnx.Value, error) {
	w := h.Input(b, l.Weights, h.DType, h.Shape...)
	s := b.Scope("loss")
	return s.Sum(s.Mul(h.Logits, w), false), nil
}

// Existing takes a value that the graph has already as a loss; it must have one element.
type Existing struct{ Value string }

// Name returns the value's name.
func (l Existing) Name() string { return l.Value }

// Build finds the value.
func (l Existing) Build(b *onnx.Builder, _ Head) (onnx.Value, error) { return b.Value(l.Value), nil }

// ParseLoss reads "cross-entropy", "logit:K" or "linear".
func ParseLoss(s string) (Loss, error) {
	switch {
	case s == "cross-entropy":
		return DefaultCrossEntropy(), nil
	case s == "linear":
		return DefaultLinear(), nil
	case strings.HasPrefix(s, "logit:"):
		k, err := strconv.ParseInt(s[len("logit:"):], 10, 64)
		if err != nil || k < 0 {
			return nil, fmt.Errorf("autodiff: loss %q: the class is a number from 0", s)
		}
		return Logit{Class: k}, nil
	}
	return nil, fmt.Errorf("autodiff: unknown loss %q; there are cross-entropy, logit:K and linear", s)
}

// headOf describes output name of m, of which f is known, and returns the sizes in probing of the
// symbols that it had to invent.
func headOf(b *onnx.Builder, m *onnx.Model, name string, f fact, fs facts) (Head, map[string][2]int64) {
	h := Head{Logits: b.Value(name), DType: f.dtype, Dims: f.dims}
	invented := make(map[string][2]int64)
	for i, d := range f.dims {
		if d >= 0 {
			h.Shape = append(h.Shape, onnx.Fixed(d))
			continue
		}
		sizes := [2]int64{f.seen[0][i], f.seen[1][i]}
		symbol := inputSymbol(m, fs, i, sizes)
		if symbol == "" {
			symbol = fmt.Sprintf("%s.%d", name, i)
			invented[symbol] = sizes
		}
		h.Shape = append(h.Shape, onnx.Sym(symbol))
	}
	if len(f.dims) != 2 {
		return h, invented
	}
	end := EndingOf(m, name)
	h.Softmax, h.LogSoftmax, h.Sigmoid = end.Operator == "Softmax", end.Operator == "LogSoftmax", end.Operator == "Sigmoid"
	if end.Operator != "" {
		h.Before = b.Value(end.Before)
	}
	return h, invented
}

// inputSymbol returns the symbol of an input's dimension axis that had the given sizes in probing,
// or "".
func inputSymbol(m *onnx.Model, fs facts, axis int, sizes [2]int64) string {
	for _, in := range m.Inputs() {
		f := fs[in.Name]
		if axis < len(in.Shape) && f.seen[0][axis] == sizes[0] && f.seen[1][axis] == sizes[1] {
			return in.Shape[axis].Symbol
		}
	}
	return ""
}
