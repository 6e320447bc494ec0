package harden

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ucan/internal/atomicfile"
	"ucan/internal/fault"
	"ucan/runtime/files"
)

// Files of a folder that was hardened.
const (
	RecordFile = "harden.json"
	TableFile  = "table.tsv"
	CurveFile  = "curve.png"
	ModelDir   = "model"
	stepsDir   = "steps"
)

const recordVersion = "ucan.harden/1"

// maxRecord bounds a record that is read.
const maxRecord = 4 << 20

// Record is what a hardening keeps: what was asked, what was measured and decided, and its steps.
type Record struct {
	Version string `json:"version"`
	// Asked is what decides the outcome, as flags; a run that goes on must ask for the same.
	Asked map[string]string `json:"asked"`
	// Seed is that of all steps: the one that was given, or drawn.
	Seed  string `json:"seed"`
	Split Split  `json:"split"`
	// Clean is the accuracy of the model without noise on the inputs of the choice, Rate what it
	// classifies a second.
	Clean float64 `json:"clean_accuracy"`
	Rate  float64 `json:"rows_per_second"`
	// Recipe is the number of the way to train that is possible, from 1; 0 where none is, and
	// Untrained is why.
	Recipe    int    `json:"recipe,omitempty"`
	Untrained string `json:"untrained,omitempty"`
	// Choice and Final are the samples of the choice and of the certification, and the parts of
	// their shards that there is time for, Training the passes of the training and StepSeconds what
	// one step took when it was tried.
	Choice      sampling `json:"choice"`
	ChoiceShard string   `json:"choice_shard"`
	Final       sampling `json:"certification"`
	FinalShard  string   `json:"certification_shard"`
	Training    schedule `json:"training"`
	StepSeconds float64  `json:"step_seconds"`
	// Candidates are in the order of their cost; Chosen is the name of the one that was taken.
	Candidates []Candidate `json:"candidates"`
	Chosen     string      `json:"chosen"`
	Steps      []Step      `json:"steps"`
	Done       bool        `json:"done"`
}

// Step is a command that ran.
type Step struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Seconds float64  `json:"seconds"`
	// Refused is why it was refused; "" for a step that is done.
	Refused string `json:"refused,omitempty"`
	// Output is what it printed, as JSON.
	Output json.RawMessage `json:"output,omitempty"`
}

// load reads the record of a folder, or begins one. seed is "" where none is given.
func load(dir, seed string, asked map[string]string, resume bool) (*Record, error) {
	path := filepath.Join(dir, RecordFile)
	b, err := files.Read(path, maxRecord)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if entries, derr := os.ReadDir(dir); derr == nil && len(entries) > 0 {
			return nil, fault.Wrongf("%s is not empty and holds no %s; name another folder", dir, RecordFile)
		}
		if seed == "" {
			seed = strconv.FormatUint(rand.Uint64(), 10)
		}
		r := &Record{Version: recordVersion, Asked: asked, Seed: seed}
		if err = os.MkdirAll(filepath.Join(dir, stepsDir), 0o777); err != nil {
			return nil, fmt.Errorf("make the folder of the hardened model: %w", err)
		}
		return r, r.save(dir)
	case err != nil:
		return nil, fmt.Errorf("read the record of %s: %w", dir, err)
	case !resume:
		return nil, fault.Wrongf("%s was hardened, or begun to be; add --resume to go on, or name another folder", dir)
	}
	r := new(Record)
	if err = json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("read the record %s: %w; name another folder", path, err)
	}
	if r.Version != recordVersion {
		return nil, fault.Wrongf("the record %s is of version %q; this program writes %s", path, r.Version, recordVersion)
	}
	if seed != "" && seed != r.Seed {
		return nil, fault.Wrongf("go on with %s: its seed is %s; give that, or none", dir, r.Seed)
	}
	if differ := different(r.Asked, asked); len(differ) > 0 {
		return nil, fault.Wrongf("go on with %s: other settings than at its beginning: %s; give those, or name another folder", dir, strings.Join(differ, "; "))
	}
	return r, nil
}

// different lists the settings that differ.
func different(was, now map[string]string) (out []string) {
	all := maps.Clone(was)
	maps.Copy(all, now)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if was[name] != now[name] {
			out = append(out, fmt.Sprintf("%s was %q and is %q", name, was[name], now[name]))
		}
	}
	return out
}

func (r *Record) save(dir string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = atomicfile.WriteBytes(filepath.Join(dir, RecordFile), append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the record of %s: %w", dir, err)
	}
	return nil
}

// step finds a step that ran, nil where it did not.
func (r *Record) step(name string) *Step {
	for i := range r.Steps {
		if r.Steps[i].Name == name {
			return &r.Steps[i]
		}
	}
	return nil
}
