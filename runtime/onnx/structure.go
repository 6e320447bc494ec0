package onnx

import (
	"fmt"
	"maps"
	"slices"

	"ucan/runtime/onnx/onnxpb"
)

// checkStructure reports the first fault in what the model names: a value or an attribute defined
// twice, a value that is read or returned and that nothing defines, nodes that need each other, a
// function given twice or calling itself. Subgraphs and local functions are included. The error
// wraps [ErrMalformed].
//
// Runtimes refuse such files, or take one of two definitions and not the other. Edits such as
// [Model.WithoutDead] would remove many of the faults, so that what runs is no longer the file:
// [Parse] checks them first.
func checkStructure(p *onnxpb.ModelProto) error {
	if _, err := structureOf(p.Graph, nil); err != nil {
		return err
	}
	return checkFunctions(p.GetFunctions())
}

// names is a scope: the values that a graph defines, within those of the graphs around it.
type names struct {
	own   map[string]bool
	outer *names
}

func (s *names) has(name string) bool {
	for ; s != nil; s = s.outer {
		if s.own[name] {
			return true
		}
	}
	return false
}

// define adds a value, which must be new to the scope. Values of outer scopes may be hidden.
func (s *names) define(name, what string) error {
	if s.own[name] {
		return fmt.Errorf("%w: Duplicate definition of name (%s), again by %s", ErrMalformed, name, what)
	}
	s.own[name] = true
	return nil
}

// structureOf checks a graph within the scope around it and returns the values that it takes from
// there.
func structureOf(g *onnxpb.GraphProto, outer *names) (free map[string]bool, err error) {
	s := &names{own: map[string]bool{}, outer: outer}
	constants := map[string]bool{}
	initializer := func(name string) error {
		if constants[name] {
			return fmt.Errorf("%w: Duplicate definition of name (%s), again by an initialiser", ErrMalformed, name)
		}
		constants[name] = true
		return nil
	}
	for _, t := range g.GetInitializer() {
		if err = initializer(t.GetName()); err != nil {
			return nil, err
		}
	}
	for _, t := range g.GetSparseInitializer() {
		if err = initializer(t.GetValues().GetName()); err != nil {
			return nil, err
		}
	}
	for _, v := range g.GetInput() {
		if err = s.define(v.GetName(), "an input"); err != nil {
			return nil, err
		}
	}
	// An initialiser may be listed among the inputs as well: it is that input's default.
	for name := range constants {
		s.own[name] = true
	}
	if free, err = checkNodes(g.GetNode(), s); err != nil {
		return nil, err
	}
	for _, v := range g.GetOutput() {
		if name := v.GetName(); !s.own[name] {
			if !s.has(name) {
				return nil, fmt.Errorf("%w: output %q is made by no node", ErrMalformed, name)
			}
			free[name] = true
		}
	}
	return free, nil
}

// checkNodes checks the nodes of a graph or a function whose inputs and constants s holds, and
// returns the values that they take from the scopes around it.
func checkNodes(nodes []*onnxpb.NodeProto, s *names) (free map[string]bool, err error) {
	maker := map[string]int{}
	for i, n := range nodes {
		for _, o := range n.GetOutput() {
			if o == "" {
				continue
			}
			if err = s.define(o, Describe(n)); err != nil {
				return nil, err
			}
			maker[o] = i
		}
	}
	free = map[string]bool{}
	needs := make([][]int, len(nodes))
	for i, n := range nodes {
		reads, readErr := readsOf(n, s)
		if readErr != nil {
			return nil, readErr
		}
		for _, name := range reads {
			j, made := maker[name]
			switch {
			case made:
				needs[i] = append(needs[i], j)
			case !s.own[name]:
				if !s.has(name) {
					return nil, fmt.Errorf("%w: %s reads %q, which nothing defines", ErrMalformed, Describe(n), name)
				}
				free[name] = true
			}
		}
	}
	if i := inCycle(needs); i >= 0 {
		return nil, fmt.Errorf("%w through %s", ErrCycle, Describe(nodes[i]))
	}
	return free, nil
}

// readsOf returns the values that a node reads, those of its subgraphs included, and checks its
// attributes.
func readsOf(n *onnxpb.NodeProto, s *names) ([]string, error) {
	var reads []string
	for _, in := range n.GetInput() {
		if in != "" {
			reads = append(reads, in)
		}
	}
	seen := make(map[string]bool, len(n.GetAttribute()))
	for _, a := range n.GetAttribute() {
		if seen[a.GetName()] {
			return nil, fmt.Errorf("%w: %s has two attributes %q", ErrMalformed, Describe(n), a.GetName())
		}
		seen[a.GetName()] = true
	}
	for _, sub := range subgraphs(n) {
		free, err := structureOf(sub, s)
		if err != nil {
			return nil, fmt.Errorf("%w (inside %s)", err, Describe(n))
		}
		reads = slices.AppendSeq(reads, maps.Keys(free))
	}
	return reads, nil
}

// inCycle returns an element that needs itself through others, or −1.
func inCycle(needs [][]int) int {
	missing := make([]int, len(needs))
	readers := make([][]int, len(needs))
	var ready []int
	for i, list := range needs {
		missing[i] = len(list)
		for _, j := range list {
			readers[j] = append(readers[j], i)
		}
		if len(list) == 0 {
			ready = append(ready, i)
		}
	}
	done := 0
	for ; len(ready) > 0; done++ {
		i := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		for _, r := range readers[i] {
			if missing[r]--; missing[r] == 0 {
				ready = append(ready, r)
			}
		}
	}
	if done == len(needs) {
		return -1
	}
	return slices.IndexFunc(missing, func(n int) bool { return n > 0 })
}

// checkFunctions checks the model's own functions. Their bodies see nothing but their inputs.
func checkFunctions(functions []*onnxpb.FunctionProto) error {
	index := map[functionName]int{}
	for i, f := range functions {
		key := nameOf(f)
		if _, twice := index[key]; twice {
			return fmt.Errorf("%w: Duplicate definition of function (%s)", ErrMalformed, f.GetName())
		}
		index[key] = i
	}
	needs := make([][]int, len(functions))
	for i, f := range functions {
		s := &names{own: map[string]bool{}}
		for _, in := range f.GetInput() {
			if err := s.define(in, "an input"); err != nil {
				return fmt.Errorf("%w (inside function %q)", err, f.GetName())
			}
		}
		if _, err := checkNodes(f.GetNode(), s); err != nil {
			return fmt.Errorf("%w (inside function %q)", err, f.GetName())
		}
		for _, out := range f.GetOutput() {
			if !s.own[out] {
				return fmt.Errorf("%w: output %q is made by no node (inside function %q)", ErrMalformed, out, f.GetName())
			}
		}
		called := map[int]bool{}
		eachCall(f.GetNode(), func(key functionName) {
			if j, ok := index[key]; ok && !called[j] {
				called[j] = true
				needs[i] = append(needs[i], j)
			}
		})
	}
	if i := inCycle(needs); i >= 0 {
		return fmt.Errorf("%w: function %q calls itself", ErrMalformed, functions[i].GetName())
	}
	return nil
}

// eachCall visits what nodes call, those of their subgraphs included.
func eachCall(nodes []*onnxpb.NodeProto, visit func(functionName)) {
	for _, n := range nodes {
		visit(calledBy(n))
		for _, sub := range subgraphs(n) {
			eachCall(sub.GetNode(), visit)
		}
	}
}
