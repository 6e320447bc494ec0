package models_test

import (
	"context"
	"fmt"
	"log"

	"ucan/fixtures/digits"
	"ucan/models"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/smooth/family"
)

// From an ONNX file to a certificate: open the runtime and the model, smooth it with
// Gaussian noise, certify one input.
func Example() {
	ctx := context.Background()
	rt, err := runtime.Open(ctx, runtime.Config{})
	check(err)
	model, err := models.Open(ctx, rt, "demo/digits_cnn.onnx", models.Options{})
	check(err)
	worker, err := model.Classifier(ctx, 64, 1) // 64 rows a run, one thread
	check(err)
	defer worker.Close()
	noise, err := smooth.Noise{Family: family.Gaussian{}, Norm: family.L2, Lambda: 0.25}.Seal(model.Dim())
	check(err)
	smoother, err := smooth.New([]smooth.Classifier{worker}, smooth.Config{Dim: model.Dim(), Classes: model.Classes(), Seed: 1})
	check(err)

	x := make([]float32, model.Dim()) // a drawn digit
	digit := digits.New(2).Image(0, x)
	c, err := smoother.Certify(ctx, x, smooth.InputID(x), noise, smooth.FixedN{N0: 100, N: 1000, Alpha: 0.001})
	check(err)
	fmt.Printf("a %d, certified as %d within an ℓ2 radius above 0.4: %v\n", digit, c.Class, c.Radius > 0.4)
	// Output: a 9, certified as 9 within an ℓ2 radius above 0.4: true
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// What a file holds, without running it.
func ExampleInspect() {
	r, err := models.Inspect(context.Background(), "demo/digits_cnn.onnx", models.Options{})
	check(err)
	fmt.Println(r.Source, r.Prep)
	fmt.Println(r.Decision, r.Classes, "|", r.Batching)
	// Output:
	// [1 28 28] x, layout nchw, rows of float [1,28,28]
	// argmax 10 | N in the file; any batch runs
}

// Classifiers are what package smooth asks for.
var _ smooth.Classifier = (*models.Classifier)(nil)
