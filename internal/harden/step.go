package harden

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Commands runs commands of ucan.
type Commands interface {
	// Run runs one with these arguments and returns what it printed.
	Run(ctx context.Context, args []string) ([]byte, error)
	// Takes reports whether the command that args begin with has a flag of this name.
	Takes(args []string, flag string) bool
	// Refused reports whether an error says that a model or data cannot be used so, which another
	// candidate need not share.
	Refused(err error) bool
}

// Flag is a flag that is handed on to the commands that have it.
type Flag struct{ Name, Value string }

// command appends the flags that the command has.
func (h *Hardening) command(args []string, groups ...[]Flag) []string {
	out := slices.Clone(args)
	for _, flag := range slices.Concat(groups...) {
		if h.Commands.Takes(args, flag.Name) {
			out = append(out, "--"+flag.Name+"="+flag.Value)
		}
	}
	return out
}

// run runs a step, or returns what it was when it ran before.
func (h *Hardening) run(ctx context.Context, name string, args []string) (*Step, error) {
	if s := h.record.step(name); s != nil {
		return s, nil
	}
	h.say("%s: ucan %s", name, strings.Join(args, " "))
	begin := time.Now()
	out, err := h.Commands.Run(ctx, args)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", name, context.Cause(ctx))
	}
	s := Step{Name: name, Command: args, Seconds: time.Since(begin).Seconds()}
	switch {
	case err != nil && h.Commands.Refused(err):
		s.Refused = err.Error()
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case json.Valid(out):
		s.Output = out
	}
	h.record.Steps = append(h.record.Steps, s)
	return &s, h.record.save(h.Dir)
}

func (h *Hardening) say(format string, args ...any) {
	if h.Say != nil {
		h.Say(fmt.Sprintf(format, args...))
	}
}

// path is a file or folder of a step.
func (h *Hardening) path(name string) string { return filepath.Join(h.Dir, stepsDir, name) }

// certify are the arguments that certify inputs into a table and a file of certificates, going on
// with what is there.
func (h *Hardening) certify(model []Flag, data, shard, into string, s sampling) []string {
	args := h.command([]string{"certify"}, model, h.Data, h.Noise, h.Session)
	args = append(args, "--data="+data, "--shard="+shard, fmt.Sprint("--n=", s.Samples), "--seed="+h.Seed, "--out="+into+".tsv", "--json="+into+".jsonl", "--quiet")
	if _, err := os.Stat(into + ".tsv"); !errors.Is(err, fs.ErrNotExist) {
		args = append(args, "--resume")
	}
	return args
}
