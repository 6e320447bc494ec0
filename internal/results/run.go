package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"ucan/internal/atomicfile"
	"ucan/runtime/files"
)

// RunSchema names the form of run.json.
const RunSchema = "ucan.run/1"

// Run is the record beside an output: what made it.
type Run struct {
	// Schema is [RunSchema]; [Run.Write] sets it.
	Schema string `json:"schema"`
	// Command is the command that ran, for example "certify". A resumed run must have the same.
	Command string `json:"command"`
	// Configuration holds every setting that can change a row: anything that
	// encoding/json writes. A resumed run must have the same.
	Configuration map[string]any `json:"configuration"`
	// Hashes holds digests of model, source, fields and the like, by name. A
	// resumed run must have the same.
	Hashes map[string]string `json:"hashes"`
	// Environment is recorded and not compared: versions, workers, the machine.
	Environment map[string]any `json:"environment,omitempty"`
}

// RunPath is where the record of an output lies.
func RunPath(output string) string { return output + ".run.json" }

// ReadRun reads the record of an output. The error matches fs.ErrNotExist when
// there is none, [ErrFormat] when it is damaged.
func ReadRun(output string) (r Run, err error) {
	path := RunPath(output)
	f, err := files.Open(path)
	if err != nil {
		return Run{}, fmt.Errorf("read the run's record: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := files.ReadAll(f, files.MaxRecord)
	if err != nil {
		return Run{}, fmt.Errorf("read the run's record: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber() // a seed may need all 64 bits
	if err := dec.Decode(&r); err != nil {
		return Run{}, kindErrorf(ErrFormat, "read the run's record %q: %w; start anew under another name", path, err)
	}
	if r.Schema != RunSchema {
		return Run{}, kindErrorf(ErrFormat, "read the run's record %q: schema is %q, want %q", path, r.Schema, RunSchema)
	}
	return r, nil
}

// Write stores the record beside output, in one step: a reader sees the old
// record or the new one, never a part.
func (r Run) Write(output string) error {
	r.Schema = RunSchema
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the run's record: %w", err)
	}
	if err := atomicfile.WriteBytes(RunPath(output), append(b, '\n')); err != nil {
		return fmt.Errorf("write the run's record: %w", err)
	}
	return nil
}

// Difference is one setting that two records give differently.
type Difference struct {
	// Key is the setting's path, for example "configuration.noise.sigma".
	Key string
	// Stored and Now are the two values in JSON, "(absent)" for none.
	Stored, Now string
}

// String shows the difference in a few words.
func (d Difference) String() string { return fmt.Sprintf("%s was %s, is %s", d.Key, d.Stored, d.Now) }

// Compare lists what differs between the stored record r and the present one in
// command, configuration and hashes, sorted by key.
func (r Run) Compare(now Run) ([]Difference, error) {
	a, err := r.flatten()
	if err != nil {
		return nil, err
	}
	b, err := now.flatten()
	if err != nil {
		return nil, err
	}
	const absent = "(absent)"
	var out []Difference
	for key, va := range a {
		if vb, ok := b[key]; !ok {
			out = append(out, Difference{key, va, absent})
		} else if va != vb {
			out = append(out, Difference{key, va, vb})
		}
	}
	for key, vb := range b {
		if _, ok := a[key]; !ok {
			out = append(out, Difference{key, absent, vb})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out, nil
}

// flatten maps every leaf's path to its JSON text.
func (r Run) flatten() (map[string]string, error) {
	out := map[string]string{"command": strconv.Quote(r.Command)}
	for name, v := range map[string]any{"configuration": r.Configuration, "hashes": r.Hashes} {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("compare the runs' records: %s: %w", name, err)
		}
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		var tree any
		if err := dec.Decode(&tree); err != nil {
			return nil, fmt.Errorf("compare the runs' records: %s: %w", name, err)
		}
		flattenInto(out, name, tree)
	}
	return out, nil
}

func flattenInto(out map[string]string, key string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, sub := range v {
			flattenInto(out, key+"."+k, sub)
		}
	case nil:
		// An absent setting and an empty one are the same setting.
	default:
		b, err := json.Marshal(v)
		if err != nil {
			b = []byte(fmt.Sprint(v))
		}
		out[key] = string(b)
	}
}

// mismatch is the error for a record that differs; it names the first few settings.
func mismatch(output string, diffs []Difference) error {
	const most = 4
	var parts []string
	for _, d := range diffs[:min(len(diffs), most)] {
		parts = append(parts, d.String())
	}
	if n := len(diffs) - most; n > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", n))
	}
	return kindErrorf(ErrMismatch, "resume %q: it was made with other settings (%s); use the same ones, or another output", output, strings.Join(slices.Clip(parts), "; "))
}
