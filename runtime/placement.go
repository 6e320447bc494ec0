package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Placement tells which provider computed how many nodes in a trial run.
type Placement struct {
	// Nodes counts the nodes by provider, by their names here ("cpu").
	Nodes map[string]int
	// Computing counts those that touch floating-point values, other than by
	// asking for their shape. Shape arithmetic stays on the CPU with every
	// provider.
	Computing map[string]int
	// OnCPU names the computing nodes that ran on the CPU, as "Op(name)".
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
	opts.reading = true
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
	return fmt.Errorf("%d computing nodes would silently run on the CPU: %s; add cpu to the providers to allow it",
		len(p.OnCPU), p.listOnCPU())
}

// listOnCPU names the first computing nodes on the CPU.
func (p Placement) listOnCPU() string {
	const most = 5
	shown := strings.Join(p.OnCPU[:min(most, len(p.OnCPU))], ", ")
	if n := len(p.OnCPU) - most; n > 0 {
		shown += fmt.Sprintf(" and %d more", n)
	}
	return shown
}

// recordPlacement finds out where the nodes of a session with several providers really
// run: Provider becomes the first that computes anything, and what the CPU got
// is reported as a fallback. The answer is kept for further sessions of the
// same graph.
func (s *Session) recordPlacement(ctx context.Context, model []byte, opts SessionOptions, wanted []Provider) {
	key := s.rt.probeKey(ctx, model, ProbeOptions{Session: opts})
	var p Placement
	if known, ok := s.rt.placements.Load(key); ok {
		p, _ = known.(Placement)
	} else {
		opts.Providers, opts.Strict = wanted, true
		var err error
		if p, err = s.rt.Placement(ctx, model, opts); err != nil {
			s.fallbacks = append(s.fallbacks, Fallback{s.provider, "where its nodes run could not be read back: " + oneLine(err)})
			return
		}
		s.rt.placements.Store(key, p)
	}
	asked := s.provider
	for _, w := range wanted {
		if p.Computing[w.Name] > 0 {
			s.provider = w.Name
			break
		}
	}
	switch {
	case p.Computing[asked] == 0 && len(p.OnCPU) > 0:
		s.fallbacks = append(s.fallbacks, Fallback{asked, "it takes none of the graph's computing nodes"})
	case len(p.OnCPU) > 0:
		s.fallbacks = append(s.fallbacks, Fallback{asked, fmt.Sprintf("%d computing nodes run on the CPU: %s", len(p.OnCPU), p.listOnCPU())})
	}
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
	for name, k := range providerTable() {
		names[k.profiled] = name
	}
	maps.Copy(names, env.pluginNames())
	p := Placement{Nodes: make(map[string]int), Computing: make(map[string]int)}
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
		if !computes(e) {
			continue
		}
		p.Computing[provider]++
		if provider == CPU {
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
