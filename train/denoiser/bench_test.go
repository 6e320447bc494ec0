package denoiser_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"ucan/models"
	"ucan/models/arch"
	"ucan/models/arch/denoise"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/runtimetest"
	"ucan/smooth/family"
	"ucan/smooth/stream"
	"ucan/train"
	"ucan/train/denoiser"
	"ucan/train/generator"
	"ucan/train/optim"
)

const benchBatch = 64

// torch takes training steps in PyTorch on request.
type torch struct {
	in  io.WriteCloser
	out *bufio.Reader
}

// openTorch starts testdata/torch_denoiser.py by the interpreter that UCAN_TORCH names, nil where
// it names none.
func openTorch(b *testing.B) *torch {
	python := os.Getenv("UCAN_TORCH")
	if python == "" {
		return nil
	}
	cmd := exec.Command(python, "../testdata/torch_denoiser.py", "--threads", strconv.Itoa(threads()), "--batch", strconv.Itoa(benchBatch))
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	t := &torch{in, bufio.NewReader(out)}
	if _, err := t.out.ReadString('\n'); err != nil {
		b.Fatal(err)
	}
	return t
}

// step returns the seconds of one step, on the clock and of processor time.
func (t *torch) step(b *testing.B, name string) (wall, work float64) {
	fmt.Fprintln(t.in, name)
	line, err := t.out.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscan(line, &wall, &work)
	}
	if err != nil {
		b.Fatal(err)
	}
	return wall, work
}

// work is the processor time of this process in seconds.
func work() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}

// stepper takes whole steps: noise, labels, gradients, norm, optimiser.
func stepper(b *testing.B, name, objective string) func() {
	rt := runtimetest.Open(b)
	shape := []int{3, 32, 32}
	classifier, err := arch.New(arch.Config{Name: "resnet20", Input: shape, Classes: 10, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	values := make(map[string][]float32)
	for _, w := range classifier.Weights() {
		values[w.Name] = w.Values
	}
	exported, err := classifier.Export(values, classifier.NewRunning())
	if err != nil {
		b.Fatal(err)
	}
	bytes, err := exported.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	m, err := models.OpenBytes(b.Context(), rt, "resnet20", bytes, models.Options{SourceShape: shape, SkipLoadTrial: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.Close() })
	f, err := m.Classifier(b.Context(), benchBatch, threads())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	base, err := generator.BaseOf(m)
	if err != nil {
		b.Fatal(err)
	}
	net, err := denoise.New(denoise.Config{Name: name, Shape: shape, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	o := open(b, rt, denoiser.Config{
		Net: net, Shape: shape, Classifiers: []generator.Base{base}, Labeler: f, Stages: []denoiser.Stage{{Objective: objective, Epochs: 1}},
		Rows: benchBatch, Draws: 1, Momentum: 0.1, Mode: autodiff.WeightsAsInputs, Session: runtime.SessionOptions{IntraOp: threads()},
	})
	opt, err := optim.New(optim.DefaultConfig("adamw"), o.Parameters())
	if err != nil {
		b.Fatal(err)
	}
	norm := optim.NewNorm(o.Parameters())
	batch := &train.Batch{Rows: benchBatch, Draws: 1, Labels: make([]int64, benchBatch)}
	batch.Clean, batch.Noisy = make([]float32, benchBatch*3072), make([]float32, benchBatch*3072)
	key := stream.New(1, [32]byte{}, stream.Train)
	source := key.Source(0)
	source.UniformInto(batch.Clean)
	step := int64(0)
	return func() {
		source := key.Source(uint64(step + 1))
		family.Gaussian{}.Sample(batch.Noisy, &source)
		for i, x := range batch.Clean {
			batch.Noisy[i] = x + 0.25*batch.Noisy[i]
		}
		if _, err := o.Step(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		step++
		opt.Update(optim.Update{Step: step, Rate: 1e-5, Scale: optim.ClipScale(norm.Of(), 1)})
	}
}

// BenchmarkStep measures whole training steps at batch 64 through a frozen ResNet-20, on one thread
// (UCAN_BENCH_THREADS), in µs an image (medians), interleaved with PyTorch's when UCAN_TORCH names
// an interpreter that has it. torch-x is ours over PyTorch's; work is processor time, which a busy
// machine disturbs less than the clock.
func BenchmarkStep(b *testing.B) {
	for _, name := range []string{"dncnn mse", "ffdnet mse", "unet mse", "dncnn stability", "ffdnet stability", "unet stability"} {
		b.Run(name, func(b *testing.B) {
			var architecture, objective string
			if _, err := fmt.Sscan(name, &architecture, &objective); err != nil {
				b.Fatal(err)
			}
			other := openTorch(b)
			ours := stepper(b, architecture, objective)
			ours() // the first step of a session and of PyTorch makes their buffers
			if other != nil {
				other.step(b, name)
			}
			var wall, used, torchWall, torchUsed []float64
			b.ResetTimer()
			for range b.N {
				before, begin := work(), time.Now()
				ours()
				wall, used = append(wall, time.Since(begin).Seconds()), append(used, work()-before)
				if other != nil {
					w, u := other.step(b, name)
					torchWall, torchUsed = append(torchWall, w), append(torchUsed, u)
				}
			}
			b.ReportMetric(median(wall)*1e6/benchBatch, "µs/image")
			b.ReportMetric(median(used)*1e6/benchBatch, "work-µs/image")
			if other != nil {
				b.ReportMetric(median(torchWall)*1e6/benchBatch, "torch-µs/image")
				b.ReportMetric(median(torchUsed)*1e6/benchBatch, "torch-work-µs/image")
				b.ReportMetric(median(wall)/median(torchWall), "torch-x")
				b.ReportMetric(median(used)/median(torchUsed), "torch-work-x")
			}
		})
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// threads is the number of threads to measure with: 1, or what UCAN_BENCH_THREADS says.
func threads() int {
	if n, err := strconv.Atoi(os.Getenv("UCAN_BENCH_THREADS")); err == nil {
		return n
	}
	return 1
}
