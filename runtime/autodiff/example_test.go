package autodiff_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
)

// An executor computes a loss and its gradients over memory that the caller fills: here the score
// of class 1 of x·w, whose gradient by x is the second column of w.
func ExampleNewExecutor() {
	ctx := context.Background()
	rt, err := runtime.Open(ctx, runtime.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	b := onnx.NewBuilder("linear", 17)
	w, err := onnx.NewTensor("w", []int64{3, 2}, []float32{1, 4, 2, 5, 3, 6})
	if err != nil {
		log.Fatal(err)
	}
	b.Output("scores", b.MatMul(b.Input("x", onnx.Float, onnx.Dims(1, 3)...), b.Initializer(w)), onnx.Float)
	m, err := b.Build()
	if err != nil {
		log.Fatal(err)
	}
	loss := autodiff.Logit{Class: 1}
	x, err := autodiff.NewExecutor(ctx, rt, m, autodiff.ExecutorOptions{
		Options: autodiff.Options{Wrt: []string{"x", "w"}, Losses: []autodiff.Loss{loss}},
		Mode:    autodiff.WeightsAsInputs,
		Session: runtime.SessionOptions{IntraOp: 1},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer x.Close()
	copy(x.Floats("x"), []float32{1, 0, 2})
	if err := x.Step(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(x.Loss(loss.Name()), x.Grad(loss.Name(), "x"), x.Weights())
	// Output: 16 [4 5 6] [w]
}

// Rounding has derivative 0 wherever it has one. Under noise it is a smooth function of slope 1,
// which the score function estimates from values alone.
func ExampleNewScoreFunction() {
	v := []float32{0.2, 3.7}
	loss := func(context.Context) ([]float64, error) {
		return []float64{math.Round(float64(v[0])) + 2*math.Round(float64(v[1]))}, nil
	}
	s, err := autodiff.NewScoreFunction([]string{"loss"}, map[string][]float32{"v": v}, loss,
		autodiff.ScoreOptions{Sigma: 0.5, Pairs: 20000, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Step(context.Background()); err != nil {
		log.Fatal(err)
	}
	g := s.Grad("loss", "v")
	fmt.Printf("loss %v, gradient %.1f %.1f\n", s.Loss("loss"), g[0], g[1])
	// Output: loss 8, gradient 1.0 2.0
}
