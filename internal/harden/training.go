package harden

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ucan/runtime/files"
)

// tried is the number of steps that tell how long one takes.
const tried = 5

// maxLog bounds the log of a training that is read.
const maxLog = 64 << 20

// recipe is a way to train.
type recipe struct {
	name, folder string
	args         []string
}

// recipes lists how the model can be trained, the first that is possible is taken: fine-tuning with
// batch normalisations behind the convolutions, without, and a denoiser in front.
func (h *Hardening) recipes() []recipe {
	flags := [][]Flag{h.Data, h.Noise, h.Session}
	var out []recipe
	if !h.KeepWeights {
		init := make([]Flag, len(h.Model))
		for i, f := range h.Model {
			if init[i] = f; f.Name == "model" {
				init[i].Name = "init"
			}
		}
		tune := h.command([]string{"train", "base"}, append([][]Flag{init}, flags...)...)
		out = append(out,
			recipe{FineTuned, "tuned", append(tune[:len(tune):len(tune)], "--batch-norm", "--optimizer=adamw", "--lr=0.002", "--keep=last")},
			recipe{FineTuned, "tuned", append(tune[:len(tune):len(tune)], "--keep=last")})
	}
	arch := "mlp"
	switch len(h.Shape) {
	case 2:
		arch = "conv1d"
	case 3:
		arch = "ffdnet"
		if h.Shape[1]%2 != 0 || h.Shape[2]%2 != 0 { // it halves both sides
			arch = "dncnn"
		}
	}
	denoise := h.command([]string{"train", "denoiser"}, append([][]Flag{h.Model}, flags...)...)
	return append(out, recipe{Denoiser, "denoiser", append(denoise, "--arch="+arch, "--objective=stability")})
}

// arguments are those of a way to train, but for how long and where to.
func (h *Hardening) arguments(way recipe) []string {
	return slices.Concat(way.args, []string{"--data=" + h.Source, "--except=" + h.record.Split.Except, "--seed=" + h.Seed, fmt.Sprint("--batch=", h.batch()), "--resume"})
}

// batch is the number of inputs of a step.
func (h *Hardening) batch() int { return min(128, max(8, h.record.Split.Training/tried)) }

// try finds the first way to train that is possible, and how long a step takes.
func (h *Hardening) try(ctx context.Context) error {
	r := h.record
	if r.Recipe > 0 || r.Untrained != "" {
		return nil
	}
	for i, way := range h.recipes() {
		trial := h.path(fmt.Sprint("trial-", i+1))
		step, err := h.run(ctx, fmt.Sprintf("try: %s (%d)", way.name, i+1),
			append(h.arguments(way), h.part(tried*h.batch(), "--epochs=1", "--log-every=1", "--out="+trial, "--quiet")...))
		if err != nil {
			return err
		}
		if step.Refused != "" {
			r.Untrained = step.Refused
			continue
		}
		if r.StepSeconds, err = stepSeconds(trial); err != nil {
			return err
		}
		r.Recipe, r.Untrained = i+1, ""
		r.Training = plan(r.Split.Training, h.batch(), time.Duration(r.StepSeconds*float64(time.Second)), h.share(trainingShare))
		if err = r.save(h.Dir); err != nil {
			return err
		}
		if err = os.RemoveAll(trial); err != nil {
			return fmt.Errorf("remove what a trial wrote: %w", err)
		}
		return nil
	}
	return r.save(h.Dir)
}

// trainedRate guesses how many rows the trained candidate classifies in a second: a denoiser may
// cost many times what the classifier does. Of a step, a third is the way forward.
func (h *Hardening) trainedRate() float64 {
	r := h.record
	if r.Recipe == 0 || h.recipes()[r.Recipe-1].name != Denoiser {
		return r.Rate
	}
	return min(r.Rate, 3*float64(h.batch())/max(r.StepSeconds, 1e-6))
}

// trained makes and measures the candidate that is trained.
func (h *Hardening) trained(ctx context.Context) error {
	r := h.record
	if r.Recipe == 0 {
		name := FineTuned
		if h.KeepWeights {
			name = Denoiser
		}
		r.Candidates = append(r.Candidates, Candidate{Name: name, Verdict: "not possible: " + r.Untrained})
		return nil
	}
	way := h.recipes()[r.Recipe-1]
	if r.Training.Epochs == 0 {
		r.Candidates = append(r.Candidates, Candidate{Name: way.name, Verdict: fmt.Sprintf("no time: a step takes %.2g s, and the budget leaves %v for training", r.StepSeconds, h.share(trainingShare).Round(time.Second))})
		return nil
	}
	out := h.path(way.folder)
	model := []Flag{{"model", out}}
	if way.name == Denoiser {
		model = with(h.Model, Flag{"denoiser", out})
	}
	args := append(h.arguments(way), h.part(r.Training.Inputs, fmt.Sprint("--epochs=", r.Training.Epochs), "--out="+out)...)
	return h.made(ctx, way.name, args, model)
}

// part are flags that take at most so many inputs of those for training: every m-th, with a prime m
// that is not that of the split, nor one that classes may take turns in. (A stride would not do:
// shards that are left out are counted behind it.)
func (h *Hardening) part(inputs int, flags ...string) []string {
	m := (h.record.Split.Training + inputs - 1) / max(1, inputs)
	if m < 2 {
		return flags
	}
	for !prime(m) || m == 2 || m == 5 || strings.HasSuffix(h.record.Split.Choice, fmt.Sprint("/", m)) {
		m++
	}
	return append(flags, fmt.Sprint("--shard=0/", m))
}

// stepSeconds reads the log of a trial: the time of a step, the first left out, which also opens
// the sessions.
func stepSeconds(dir string) (float64, error) {
	b, err := files.Read(filepath.Join(dir, "train.jsonl"), maxLog)
	if err != nil {
		return 0, fmt.Errorf("read how long a step took: %w", err)
	}
	var first, last struct {
		Step    int     `json:"step"`
		Seconds float64 `json:"seconds"`
	}
	for i, line := range bytes.Split(bytes.TrimSpace(b), []byte("\n")) {
		if err = json.Unmarshal(line, &last); err != nil {
			return 0, fmt.Errorf("read how long a step took: line %d of its log: %w", i+1, err)
		}
		if i == 0 {
			first = last
		}
	}
	if last.Step <= first.Step {
		return last.Seconds / float64(max(1, last.Step)), nil
	}
	return (last.Seconds - first.Seconds) / float64(last.Step-first.Step), nil
}
