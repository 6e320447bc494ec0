package runtime_test

import (
	"context"
	"fmt"
	"log"

	"ucan/runtime"
)

// A graph runs over the caller's own memory: fill the input slice, Run, read
// the output slice.
func ExampleRuntime_NewSession() {
	ctx := context.Background()
	rt, err := runtime.Open(ctx, runtime.Config{}) // finds or installs the library
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	model := runtime.TinyModel() // the bytes of an ONNX file: y = Relu(x·W)
	sess, err := rt.NewSession(ctx, model, runtime.SessionOptions{IntraOp: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer sess.Close()
	fmt.Println(sess.Inputs()[0], "→", sess.Outputs()[0], "on", sess.Provider())

	pixels, scores := make([]float32, 6), make([]float32, 4)
	x, err := runtime.NewTensor(rt, []int64{2, 3}, pixels)
	if err != nil {
		log.Fatal(err)
	}
	defer x.Close()
	y, err := runtime.NewTensor(rt, []int64{2, 2}, scores)
	if err != nil {
		log.Fatal(err)
	}
	defer y.Close()
	for i := range 2 {
		pixels[0] = float32(i + 1)
		if err := sess.Run(ctx, []*runtime.Tensor{x}, []*runtime.Tensor{y}); err != nil {
			log.Fatal(err)
		}
		fmt.Println(scores)
	}
	// Output:
	// x float[2,3] → y float[2,2] on cpu
	// [1 0 0 0]
	// [2 0 0 0]
}

// Providers come from configuration as names and options.
func ExampleParseProviders() {
	list, err := runtime.ParseProviders([]string{"CUDA", "cpu"}, map[string]map[string]string{"cuda": {"device_id": "1"}})
	fmt.Println(list[0].Name, list[0].Options["device_id"], list[1].Name, err)
	_, err = runtime.ParseProviders([]string{"gpu"}, nil)
	fmt.Println(err != nil)
	// Output:
	// cuda 1 cpu <nil>
	// true
}
