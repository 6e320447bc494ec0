package base_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"ucan/models/arch"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/runtimetest"
	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/train/base"
	"ucan/train/data"
	"ucan/train/optim"
)

// torch takes training steps in PyTorch on request.
type torch struct {
	in  io.WriteCloser
	out *bufio.Reader
}

// openTorch starts testdata/torch_step.py by the interpreter that UCAN_TORCH names, nil where it
// names none.
func openTorch(b *testing.B) *torch {
	python := os.Getenv("UCAN_TORCH")
	if python == "" {
		return nil
	}
	cmd := exec.Command(python, "../testdata/torch_step.py", "--threads", strconv.Itoa(threads()))
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

// trainer takes whole steps as the loop does: batch with noise, gradients, norm, optimiser.
type trainer struct {
	objective *base.Objective
	feed      *data.Feed
	optimizer optim.Optimizer
	norm      *optim.Norm
	step      int64
}

func newTrainer(b testing.TB, rt *runtime.Runtime, name string, mode autodiff.WeightMode) *trainer {
	ctx := context.Background()
	const batch = 128
	shape, optimizer := []int{1, 28, 28}, optim.DefaultConfig("adamw")
	if name == "resnet20" {
		shape, optimizer = []int{3, 32, 32}, optim.DefaultConfig("sgd")
	}
	n, err := arch.New(arch.Config{Name: name, Input: shape, Classes: 10, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	objective, err := base.New(ctx, rt, base.FromArch(n), base.Config{
		Rows: batch, Draws: 1, Momentum: 0.1, Mode: mode, Session: runtime.SessionOptions{IntraOp: threads()},
	})
	if err != nil {
		b.Fatal(err)
	}
	set, err := data.Load(ctx, noiseSource{shape: shape}, upTo(4*batch), 10, nil)
	if err != nil {
		b.Fatal(err)
	}
	augment := data.Augment{}
	if name == "resnet20" {
		augment = data.Augment{Pad: 4, Flip: true}
	}
	feed, err := data.NewFeed(set, data.Config{
		Batch: batch, Draws: 1, Seed: 1, Augment: augment, Family: family.Gaussian{}, Lambda: 0.25, Shaper: data.Fixed(smooth.Fields{}),
	})
	if err != nil {
		b.Fatal(err)
	}
	opt, err := optim.New(optimizer, objective.Parameters())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = feed.Close()
		if err := objective.Close(); err != nil {
			b.Error(err)
		}
	})
	return &trainer{objective: objective, feed: feed, optimizer: opt, norm: optim.NewNorm(objective.Parameters())}
}

// run takes one step; inside is the part of it that the gradient graph ran.
func (t *trainer) run(b testing.TB) (whole, inside float64) {
	begin := time.Now()
	batches := int64(t.feed.Batches())
	batch, err := t.feed.Batch(context.Background(), int(t.step/batches), int(t.step%batches))
	if err != nil {
		b.Fatal(err)
	}
	middle := time.Now()
	if _, err := t.objective.Step(context.Background(), batch); err != nil {
		b.Fatal(err)
	}
	inside = time.Since(middle).Seconds()
	t.step++
	t.optimizer.Update(optim.Update{Step: t.step, Rate: 1e-4, Scale: optim.ClipScale(t.norm.Of(), 1)})
	return time.Since(begin).Seconds(), inside
}

// BenchmarkStep measures whole training steps at batch 128 on two threads (UCAN_BENCH_THREADS),
// with weights as inputs, in µs an image (medians), interleaved with PyTorch's when UCAN_TORCH
// names an interpreter that has it. torch-x is ours over PyTorch's; overhead-x a whole step over
// the gradient graph's run; work is processor time, which a busy machine disturbs less than the
// clock (on one thread: waiting threads spin).
func BenchmarkStep(b *testing.B) {
	for _, name := range []string{"mnist-cnn", "resnet20"} {
		b.Run(name, func(b *testing.B) {
			rt := runtimetest.Open(b)
			other := openTorch(b)
			ours := newTrainer(b, rt, name, autodiff.WeightsAsInputs)
			ours.run(b) // the first step of a session and of PyTorch makes their buffers
			if other != nil {
				other.step(b, name)
			}
			var wall, used, over, torchWall, torchUsed []float64
			b.ResetTimer()
			for range b.N {
				before := work()
				whole, inside := ours.run(b)
				wall, used, over = append(wall, whole), append(used, work()-before), append(over, whole/inside)
				if other != nil {
					w, u := other.step(b, name)
					torchWall, torchUsed = append(torchWall, w), append(torchUsed, u)
				}
			}
			b.ReportMetric(median(wall)*1e6/128, "µs/image")
			b.ReportMetric(median(used)*1e6/128, "work-µs/image")
			b.ReportMetric(median(over), "overhead-x")
			if other != nil {
				b.ReportMetric(median(torchWall)*1e6/128, "torch-µs/image")
				b.ReportMetric(median(torchUsed)*1e6/128, "torch-work-µs/image")
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

// threads is the number of threads to measure with: 2, or what UCAN_BENCH_THREADS says.
func threads() int {
	if n, err := strconv.Atoi(os.Getenv("UCAN_BENCH_THREADS")); err == nil {
		return n
	}
	return 2
}
