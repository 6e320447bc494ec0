package matrix

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The limits of a file, so that a hostile one costs little.
const (
	maxFile  = 8 << 20
	maxNodes = 200_000 // after aliases are followed
	maxDepth = 20
)

// object is a mapping of zoo.yaml with values of the table's form. Others are faults and left
// out, so that the rest can be checked.
type object struct {
	line   int
	values map[string]value
}

// value is a value with the line of its key.
type value struct {
	line int
	v    any // string, []string, float64, []float64, int64, uint64, bool, object, []object, map[string]…, []Provider
}

// reader walks the nodes of a file along the table.
type treeReader struct {
	faults *Faults
	nodes  int
}

// parseTree reads the document and checks its form.
func parseTree(text []byte, faults *Faults) object {
	if len(text) > maxFile {
		faults.add(0, "it is larger than %d bytes; give a zoo.yaml", maxFile)
		return object{}
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := dec.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			faults.add(0, "it is empty; give models, datasets and noise")
			return object{}
		}
		line, what := yamlError(err)
		faults.add(line, "%s; correct the YAML", what)
		return object{}
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		faults.add(0, "it holds more than one document; keep one")
	}
	r := treeReader{faults: faults}
	tree := r.object(document.Content[0], "", zooFields(), 0)
	if r.nodes > maxNodes {
		return object{} // what was read until then is not worth judging
	}
	return tree
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func yamlError(err error) (line int, what string) {
	text := err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // 0 without one
		text = strings.TrimPrefix(text, m[0])
	}
	return line, text
}

// resolve follows aliases and counts nodes; ok is false past the limits.
func (r *treeReader) resolve(n *yaml.Node, depth int) (*yaml.Node, bool) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if r.nodes++; r.nodes > maxNodes+1 {
		return n, false // said already
	}
	if r.nodes > maxNodes || depth > maxDepth {
		r.faults.add(n.Line, "it is nested too deeply or repeats itself too often; write it plainly")
		return n, false
	}
	return n, true
}

// object reads a mapping; path is "" or ends with a dot.
func (r *treeReader) object(n *yaml.Node, path string, fields []field, depth int) object {
	o := object{line: n.Line, values: map[string]value{}}
	n, ok := r.resolve(n, depth)
	if !ok {
		return o
	}
	if n.Kind != yaml.MappingNode {
		r.faults.add(n.Line, "%s is %s; write a mapping of %s", orWhole(path), describe(n), names(fields))
		return o
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, node := n.Content[i], n.Content[i+1]
		at := slices.IndexFunc(fields, func(f field) bool { return f.name == key.Value })
		switch {
		case at < 0:
			r.faults.add(key.Line, "unknown key %q; use %s", path+key.Value, names(fields))
			continue
		case seen[key.Value] > 0:
			r.faults.add(key.Line, "key %q was given in line %d already; keep one", path+key.Value, seen[key.Value])
			continue
		}
		seen[key.Value] = key.Line
		if v, ok := r.value(node, path+key.Value, fields[at], depth+1); ok {
			o.values[key.Value] = value{line: key.Line, v: v}
		}
	}
	for _, f := range fields {
		if f.required && seen[f.name] == 0 {
			r.faults.add(n.Line, "key %q is missing; give %s", path+f.name, f.doc)
		}
	}
	return o
}

func orWhole(path string) string {
	if path == "" {
		return "the file"
	}
	return strconv.Quote(strings.TrimSuffix(path, "."))
}

func names(fields []field) string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.name
	}
	return strings.Join(list, ", ")
}

// describe says what a node is, for messages.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return "empty"
		}
		return strconv.Quote(n.Value)
	case yaml.DocumentNode, yaml.AliasNode:
	}
	return "something else"
}

// value reads one value; ok is false for an empty one, and for one of another form, which is a
// fault.
func (r *treeReader) value(n *yaml.Node, path string, f field, depth int) (v any, ok bool) {
	n, ok = r.resolve(n, depth)
	if !ok {
		return nil, false
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		if f.required {
			r.faults.add(n.Line, "%q is empty; give %s", path, f.doc)
		}
		return nil, false
	}
	switch f.kind {
	case kindObject:
		return r.object(n, path+".", f.fields, depth), true
	case kindObjects:
		return r.objects(n, path, f, depth)
	case kindNumbers, kindTexts:
		return r.list(n, path, f, depth)
	case kindNumberOf, kindTextOf:
		return r.mapping(n, path, f, depth)
	case kindProviders:
		return r.providers(n, path, depth)
	default:
		return r.scalar(n, path, f)
	}
}

func (r *treeReader) objects(n *yaml.Node, path string, f field, depth int) (any, bool) {
	if n.Kind != yaml.SequenceNode || (f.required && len(n.Content) == 0) {
		r.faults.add(n.Line, "%q is %s; write a list of mappings, each begun with a dash", path, emptyOr(n))
		return nil, false
	}
	var all []object
	for _, c := range n.Content {
		all = append(all, r.object(c, path+".", f.fields, depth+1))
	}
	return all, true
}

func emptyOr(n *yaml.Node) string {
	if len(n.Content) == 0 && n.Kind == yaml.SequenceNode {
		return "empty"
	}
	return describe(n)
}

// list reads one value, or a list of at least one.
func (r *treeReader) list(n *yaml.Node, path string, f field, depth int) (any, bool) {
	one := f
	one.kind = map[kind]kind{kindNumbers: kindNumber, kindTexts: kindText}[f.kind]
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		if nodes = n.Content; len(nodes) == 0 {
			r.faults.add(n.Line, "%q is empty; give at least one value, or leave it out", path)
			return nil, false
		}
	}
	var numbers []float64
	var texts []string
	good := true
	for _, node := range nodes {
		c, ok := r.resolve(node, depth+1)
		if !ok {
			return nil, false
		}
		v, ok := r.scalar(c, path, one)
		if !ok {
			good = false
			continue
		}
		switch v := v.(type) {
		case float64:
			numbers = append(numbers, v)
		case string:
			texts = append(texts, v)
		}
	}
	if f.kind == kindNumbers {
		return numbers, good
	}
	return texts, good
}

func (r *treeReader) mapping(n *yaml.Node, path string, f field, depth int) (any, bool) {
	if n.Kind != yaml.MappingNode {
		r.faults.add(n.Line, "%q is %s; write a mapping of names to values, such as {k: 1}", path, describe(n))
		return nil, false
	}
	numbers, texts := map[string]float64{}, map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		c, ok := r.resolve(n.Content[i+1], depth+1)
		if !ok {
			return nil, false
		}
		if f.kind == kindTextOf {
			if c.Kind != yaml.ScalarNode {
				r.faults.add(c.Line, "%q is %s; write one value, or values separated by commas in quotes", path+"."+key, describe(c))
				return nil, false
			}
			texts[key] = c.Value
			continue
		}
		v, ok := r.scalar(c, path+"."+key, field{kind: kindNumber})
		if !ok {
			return nil, false
		}
		numbers[key], _ = v.(float64)
	}
	if f.kind == kindTextOf {
		return texts, true
	}
	return numbers, true
}

func (r *treeReader) providers(n *yaml.Node, path string, depth int) (any, bool) {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	var list []Provider
	for _, node := range nodes {
		c, ok := r.resolve(node, depth+1)
		if !ok {
			return nil, false
		}
		switch {
		case c.Kind == yaml.ScalarNode && c.Tag == "!!str":
			for name := range strings.SplitSeq(c.Value, ",") {
				list = append(list, Provider{Name: strings.TrimSpace(name)})
			}
		case c.Kind == yaml.MappingNode && len(c.Content) == 2:
			p := Provider{Name: c.Content[0].Value}
			options, ok := r.value(c.Content[1], path+"."+p.Name, field{kind: kindTextOf}, depth+2)
			if m, isMap := options.(map[string]string); ok && isMap {
				p.Options = m
			}
			list = append(list, p)
		default:
			r.faults.add(c.Line, "%q has %s; write a provider's name, or {name: {option: value}}", path, describe(c))
			return nil, false
		}
	}
	if len(list) == 0 {
		r.faults.add(n.Line, "%q is empty; give at least one provider, such as cpu", path)
	}
	return list, len(list) > 0
}

func (o object) has(key string) bool { _, ok := o.values[key]; return ok }

func (o object) lineOf(key string) int {
	if v, ok := o.values[key]; ok {
		return v.line
	}
	return o.line
}

func get[T any](o object, key string, otherwise T) T {
	if v, ok := o.values[key].v.(T); ok {
		return v
	}
	return otherwise
}

// without is the object without some keys.
func (o object) without(keys ...string) object {
	values := maps.Clone(o.values)
	for _, key := range keys {
		delete(values, key)
	}
	return object{line: o.line, values: values}
}
