package harden

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ucan/internal/fault"
	"ucan/internal/results"
)

// Names of candidates.
const (
	Nothing   = "nothing"
	Wiener    = "linear denoiser"
	Denoiser  = "trained denoiser"
	FineTuned = "fine-tuned"
)

// Hardening is one run.
type Hardening struct {
	Commands Commands
	// Dir is the folder to write; Resume goes on in it.
	Dir    string
	Resume bool
	Budget time.Duration
	// KeepWeights leaves the classifier as it is: a denoiser is trained instead.
	KeepWeights bool
	// Seed is that of all steps; "" draws one.
	Seed string
	// Source is the data, Held the data to certify, "" for a part of Source; Inputs and HeldInputs
	// are how many inputs they have.
	Source, Held       string
	Inputs, HeldInputs int
	// Shape is that of one input.
	Shape []int
	// Model, Data, Noise and Session are flags that are handed on.
	Model, Data, Noise, Session []Flag
	// Say tells what is done; nil for nobody.
	Say func(text string)

	record *Record
}

// Run hardens the model. The record is returned as far as the run went.
func (h *Hardening) Run(ctx context.Context) (_ *Record, err error) {
	if h.record, err = load(h.Dir, h.Seed, h.asked(), h.Resume); err != nil {
		return nil, err
	}
	h.Seed = h.record.Seed
	if h.record.Done {
		return h.record, nil
	}
	if h.record.Split, err = splitOf(h.Inputs, h.HeldInputs); err != nil {
		return h.record, err
	}
	for _, part := range []func(context.Context) error{h.measure, h.candidates, h.take, h.certifyBoth, h.present} {
		if err = part(ctx); err != nil {
			return h.record, err
		}
	}
	h.record.Done = true
	return h.record, h.record.save(h.Dir)
}

// asked are the settings that decide the outcome.
func (h *Hardening) asked() map[string]string {
	asked := map[string]string{
		"data": h.Source, "val": h.Held, "inputs": fmt.Sprint(h.Inputs, " ", h.HeldInputs),
		"budget": h.Budget.String(), "keep-weights": strconv.FormatBool(h.KeepWeights),
	}
	for _, group := range [][]Flag{h.Model, h.Data, h.Noise} {
		for _, f := range group {
			asked[f.Name] = f.Value
		}
	}
	return asked
}

// share is a part of the budget.
func (h *Hardening) share(part float64) time.Duration {
	return time.Duration(part * float64(h.Budget))
}

// measure finds the accuracy of the model without noise, and its speed.
func (h *Hardening) measure(ctx context.Context) error {
	s := h.record.Split
	args := h.command([]string{"predict"}, h.Model, h.Data, h.Session)
	step, err := h.run(ctx, "clean accuracy", append(args, "--data="+h.Source, "--shard="+s.Choice, "--n=0", "--format=json", "--quiet"))
	if err != nil {
		return err
	}
	if step.Refused != "" {
		return fault.Refusedf("harden: %s", step.Refused)
	}
	var clean struct {
		Labelled int     `json:"labelled"`
		Accuracy float64 `json:"accuracy"`
		Seconds  float64 `json:"seconds"`
	}
	if err = json.Unmarshal(step.Output, &clean); err != nil {
		return fmt.Errorf("read what predict printed: %w", err)
	}
	if clean.Labelled == 0 {
		return fault.Refusedf("harden: the data have no labels, so that nothing can be chosen by accuracy; give labelled data")
	}
	r := h.record
	if r.Rate > 0 {
		return nil
	}
	r.Clean = clean.Accuracy
	if r.Rate, err = h.speed(ctx, float64(s.Inputs)/max(clean.Seconds, 1e-3)); err != nil {
		return err
	}
	return r.save(h.Dir)
}

// speed measures how many rows are certified in a second, on a few inputs. rows is what the model
// did without noise, where opening it counts too: about that much time is spent.
func (h *Hardening) speed(ctx context.Context, rows float64) (float64, error) {
	shard, few := narrowed(h.record.Split.Choice, h.record.Split.Inputs, fewestInputs)
	shard, s := fit(shard, few, rows, h.share(speedShare), fewestSpeed, mostSpeed)
	into := h.path("speed")
	step, err := h.run(ctx, "speed", h.certify(h.Model, h.Source, shard, into, s))
	if err != nil {
		return 0, err
	}
	if step.Refused != "" {
		return 0, fault.Refusedf("harden: %s", step.Refused)
	}
	table, err := results.ReadFile(into + ".tsv")
	if err != nil {
		return 0, err
	}
	return rate(table.Rows), nil
}

// candidates makes and measures the candidates.
func (h *Hardening) candidates(ctx context.Context) error {
	r := h.record
	if r.Chosen != "" {
		return nil
	}
	r.Candidates = nil
	if err := h.try(ctx); err != nil {
		return err
	}
	if r.Choice.Samples == 0 {
		rate := together(r.Rate, r.Rate, h.trainedRate())
		r.ChoiceShard, r.Choice = fit(r.Split.Choice, r.Split.Inputs, rate, h.share(choiceShare)/mostCandidates, fewestChoice, mostChoice)
	}
	if err := h.candidate(ctx, Nothing, h.Model); err != nil {
		return err
	}
	if len(r.Candidates[0].radii) == 0 {
		return fault.Refusedf("harden: %s", r.Candidates[0].Verdict)
	}
	wiener := h.path("wiener")
	args := h.command([]string{"train", "denoiser"}, h.Model, h.Data, h.Noise, h.Session)
	args = append(args, "--arch=wiener", "--data="+h.Source, "--except="+r.Split.Except, "--resume", "--out="+wiener)
	if err := h.made(ctx, Wiener, args, with(h.Model, Flag{"denoiser", wiener})); err != nil {
		return err
	}
	if err := h.trained(ctx); err != nil {
		return err
	}
	best := r.Candidates[choose(r.Candidates)]
	r.Chosen = best.Name
	r.FinalShard, r.Final = fit(r.Split.Certified, r.Split.CertifiedInputs, together(r.Rate, best.Rate), h.share(finalShare)/2, fewestFinal, mostFinal)
	h.say("chosen: %s", r.Chosen)
	return r.save(h.Dir)
}

// with is a list of flags with one more.
func with(flags []Flag, more Flag) []Flag { return append(flags[:len(flags):len(flags)], more) }

// made runs the command that makes a candidate, and measures it.
func (h *Hardening) made(ctx context.Context, name string, args []string, model []Flag) error {
	step, err := h.run(ctx, "make: "+name, args)
	if err != nil {
		return err
	}
	if step.Refused != "" {
		h.record.Candidates = append(h.record.Candidates, Candidate{Name: name, Verdict: "not possible: " + step.Refused})
		return nil
	}
	return h.candidate(ctx, name, model)
}

// candidate measures one under noise.
func (h *Hardening) candidate(ctx context.Context, name string, model []Flag) error {
	r := h.record
	into := h.path("choice-" + strings.ReplaceAll(name, " ", "-"))
	step, err := h.run(ctx, "measure: "+name, h.certify(model, h.Source, r.ChoiceShard, into, r.Choice))
	if err != nil {
		return err
	}
	if step.Refused != "" {
		r.Candidates = append(r.Candidates, Candidate{Name: name, Verdict: "not possible: " + step.Refused})
		return nil
	}
	table, err := results.ReadFile(into + ".tsv")
	if err != nil {
		return err
	}
	r.Candidates = append(r.Candidates, measured(name, table.Rows))
	return nil
}

// take writes the chosen model as one file.
func (h *Hardening) take(ctx context.Context) error {
	dir := filepath.Join(h.Dir, ModelDir)
	out := filepath.Join(dir, "model.onnx")
	if h.record.step("export") == nil {
		// What a step left that was stopped is written anew.
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("write the hardened model: %w", err)
		}
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return fmt.Errorf("write the hardened model: %w", err)
		}
	}
	step, err := h.run(ctx, "export", append(h.command([]string{"export"}, h.chosen(), []Flag{{"shape", shapeText(h.Shape)}}), "--out="+out, "--quiet"))
	if err == nil && step.Refused != "" {
		err = fault.Refusedf("harden: %s", step.Refused)
	}
	return err
}

// chosen are the flags of the candidate that was taken.
func (h *Hardening) chosen() []Flag {
	switch h.record.Chosen {
	case Wiener:
		return with(h.Model, Flag{"denoiser", h.path("wiener")})
	case Denoiser:
		return with(h.Model, Flag{"denoiser", h.path("denoiser")})
	case FineTuned:
		return []Flag{{"model", h.path("tuned")}}
	}
	return h.Model
}

func shapeText(shape []int) string {
	var b strings.Builder
	for i, n := range shape {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

// certifyBoth certifies the model as it was and as it is on inputs that nothing has seen.
func (h *Hardening) certifyBoth(ctx context.Context) error {
	r := h.record
	data := h.Source
	if h.Held != "" {
		data = h.Held
	}
	for _, side := range []struct {
		name  string
		model []Flag
	}{{before, h.Model}, {after, []Flag{{"model", filepath.Join(h.Dir, ModelDir)}}}} {
		step, err := h.run(ctx, "certify "+side.name, h.certify(side.model, data, r.FinalShard, filepath.Join(h.Dir, side.name), r.Final))
		if err != nil {
			return err
		}
		if step.Refused != "" {
			return fault.Refusedf("harden: certify the model %s: %s", side.name, step.Refused)
		}
	}
	return nil
}
