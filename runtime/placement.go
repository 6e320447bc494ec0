package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Placement tells which provider computed how many nodes in a trial run.
type Placement struct {
	// Nodes counts the nodes by provider, by their names here ("cpu").
	Nodes map[string]int
	// OnCPU names the computing nodes that ran on the CPU, as "Op(name)":
	// those that touch floating-point values, other than by asking for their
	// shape. Shape arithmetic stays on the CPU with every provider.
	OnCPU []string
}

// Placement runs the graph once on zeros in a session of its own, with
// onnxruntime's profiler, and reads back where each node ran.
func (rt *Runtime) Placement(ctx context.Context, model []byte, opts SessionOptions) (_ Placement, err error) {
	dir, err := os.MkdirTemp("", "ucan-placement-")
	if err != nil {
		return Placement{}, fmt.Errorf("read back the placement of nodes: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	opts.Profile = filepath.Join(dir, "profile")
	opts.Config = map[string]string{disableFallback: "0"}
	opts.allowCPU = true
	s, err := rt.NewSession(ctx, model, opts)
	if err != nil {
		return Placement{}, err
	}
	// The profile is written when the session ends.
	if err = errors.Join(s.trial(), s.Close()); err != nil {
		return Placement{}, fmt.Errorf("trial run to read back the placement of nodes: %w", err)
	}
	files, err := filepath.Glob(opts.Profile + "*.json")
	if err != nil || len(files) != 1 {
		return Placement{}, fmt.Errorf("read back the placement of nodes: onnxruntime left %d profiles instead of one", len(files))
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		return Placement{}, err
	}
	return parseProfile(data)
}

// checkPlacement returns an error that names the computing nodes which the
// wanted providers leave to the CPU.
func (rt *Runtime) checkPlacement(ctx context.Context, model []byte, opts SessionOptions, wanted []Provider) error {
	opts.Providers = wanted
	p, err := rt.Placement(ctx, model, opts)
	if err != nil {
		return fmt.Errorf("some nodes would run on the CPU, and where is unknown: %w; add cpu to the providers to allow it", err)
	}
	if len(p.OnCPU) == 0 {
		return nil
	}
	const most = 5
	shown := p.OnCPU[:min(most, len(p.OnCPU))]
	more := ""
	if n := len(p.OnCPU) - len(shown); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("%d computing nodes would silently run on the CPU: %s%s; add cpu to the providers to allow it",
		len(p.OnCPU), strings.Join(shown, ", "), more)
}

// profileEvent is one entry of onnxruntime's profile.
type profileEvent struct {
	Cat  string `json:"cat"`
	Name string `json:"name"`
	Args struct {
		Op       string                       `json:"op_name"`
		Provider string                       `json:"provider"`
		Inputs   []map[string]json.RawMessage `json:"input_type_shape"`
		Outputs  []map[string]json.RawMessage `json:"output_type_shape"`
	} `json:"args"`
}

// parseProfile reads a profile's node events; each node counts once.
func parseProfile(data []byte) (Placement, error) {
	var events []profileEvent
	if err := json.Unmarshal(data, &events); err != nil {
		return Placement{}, fmt.Errorf("read onnxruntime's profile: %w", err)
	}
	names := make(map[string]string)
	for name, k := range knownProviders() {
		names[k.profiled] = name
	}
	p := Placement{Nodes: make(map[string]int)}
	seen := make(map[string]bool)
	for _, e := range events {
		name, ok := strings.CutSuffix(e.Name, "_kernel_time")
		if e.Cat != "Node" || !ok || seen[name] {
			continue
		}
		seen[name] = true
		provider, ok := names[e.Args.Provider]
		if !ok {
			provider = e.Args.Provider
		}
		p.Nodes[provider]++
		if provider == CPU && computes(e) {
			p.OnCPU = append(p.OnCPU, e.Args.Op+"("+name+")")
		}
	}
	slices.Sort(p.OnCPU)
	return p, nil
}

// computes says whether a node touches floating-point values. Shape and Size
// only ask for their dimensions, and Memcpy nodes carry values between
// devices.
func computes(e profileEvent) bool {
	switch e.Args.Op {
	case "Shape", "Size", "MemcpyToHost", "MemcpyFromHost":
		return false
	}
	for _, list := range [][]map[string]json.RawMessage{e.Args.Inputs, e.Args.Outputs} {
		for _, v := range list {
			for typ := range v {
				if strings.HasPrefix(typ, "float") || typ == "double" || strings.HasPrefix(typ, "bfloat") {
					return true
				}
			}
		}
	}
	return false
}
