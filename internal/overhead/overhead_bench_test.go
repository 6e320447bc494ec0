package overhead

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"ucan/fixtures/shared"
	"ucan/models"
	"ucan/models/demo"
	"ucan/runtime"
	"ucan/runtime/runtimetest"
	"ucan/smooth"
	"ucan/smooth/family"
)

// BenchmarkOverhead prints, for every model, the time of fixed-n certification at n = 10,000
// relative to the bare sessions' for the same samples, at the setting that calibration chooses. One
// iteration is one pair of neighbours, so -benchtime=9x takes the median of nine.
func BenchmarkOverhead(b *testing.B) {
	b.Run("demo", func(b *testing.B) { benchmarkModel(b, demo.Name, demo.Model()) })
	for _, name := range []string{"cifar10_resnet20_sigma025", "zoo_mnist_12", "cifar10_resnet_2b"} {
		b.Run(name, func(b *testing.B) {
			benchmarkModel(b, name, shared.Read(b, "models", name+".onnx"))
		})
	}
}

func benchmarkModel(b *testing.B, name string, data []byte) {
	ctx := context.Background()
	model, err := models.OpenBytes(ctx, runtimetest.Open(b), name, data, models.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = model.Close() })
	setting, err := model.Calibrate(ctx, models.Wanted{Threads: runtime.CPUCount()})
	if err != nil {
		b.Fatal(err)
	}
	sessions, err := model.Classifiers(ctx, setting.Workers, setting.Batch, setting.IntraOp)
	if err != nil {
		b.Fatal(err)
	}
	workers := make([]smooth.Classifier, len(sessions))
	for i, session := range sessions {
		b.Cleanup(func() { _ = session.Close() })
		workers[i] = session
	}
	sealed, err := smooth.Noise{Family: family.Gaussian{}, Norm: family.L2, Lambda: 0.25}.Seal(model.Dim())
	if err != nil {
		b.Fatal(err)
	}
	input := make([]float32, model.Dim())
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // G404: any input will do
	for i := range input {
		input[i] = random.Float32()
	}
	b.ResetTimer()
	result, err := Overhead(ctx, Config{
		Classifiers: workers, Dim: model.Dim(), Classes: model.Classes(), Noise: sealed,
		Statistics: smooth.FixedN{N0: 100, N: 10000, Alpha: .001}, Rounds: b.N, Input: input,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(result.Ratio, "ratio")
	b.ReportMetric(slices.Min(result.Ratios), "least")
	b.ReportMetric(float64(result.Bare.Nanoseconds())/float64(result.Samples), "bare-ns/sample")
	b.ReportMetric(float64(result.Certified.Nanoseconds())/float64(result.Samples), "certify-ns/sample")
	b.ReportMetric(result.NoiseNanoseconds, "noise-ns/value")
}
