package matrix

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"ucan/internal/dataset"
	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime"
	"ucan/runtime/files"
	"ucan/smooth/sequential"
)

// Load reads a zoo.yaml and reports every fault at once. A relative path in it is relative to its
// folder, or else to the working folder. The error matches [ErrFaulty] when the file is at fault.
func Load(file string) (*Zoo, error) {
	text, err := files.Read(file, maxFile)
	if err != nil {
		return nil, fmt.Errorf("%w; give a zoo.yaml", err)
	}
	p := parser{faults: &Faults{File: file}, places: []string{filepath.Dir(file), "."}}
	return p.zoo(text)
}

// parser makes a Zoo of a tree.
type parser struct {
	faults *Faults
	places []string // where relative paths are looked for; nil: paths are not looked up

	noiseLines []int // of each setting
}

func (p *parser) zoo(text []byte) (*Zoo, error) {
	tree := parseTree(text, p.faults)
	z := &Zoo{File: p.faults.File, ShardSize: int(get(tree, "shard_size", int64(16)))}
	if tree.has("seed") {
		seed := get(tree, "seed", uint64(0))
		z.Seed = &seed
	}
	p.models(z, tree)
	for _, o := range get[[]object](tree, "datasets", nil) {
		z.Datasets = append(z.Datasets, p.dataset(o))
	}
	for _, o := range get[[]object](tree, "noise", nil) {
		for _, setting := range p.noise(o) {
			z.Noise, p.noiseLines = append(z.Noise, setting), append(p.noiseLines, o.line)
		}
	}
	p.unique(z)
	p.rules(tree, z)
	return z, p.faults.err()
}

// models reads the models with their defaults.
func (p *parser) models(z *Zoo, tree object) {
	defaults := get(tree, "defaults", object{})
	base := p.declaration(defaults)
	statistics, sessions := get(tree, "statistics", object{}), get(tree, "runtime", object{})
	p.statistics(statistics, object{}) // faults of the defaults are named even where every model has its own
	for _, o := range get[[]object](tree, "models", nil) {
		m := ModelEntry{Line: o.line, Name: get(o, "name", ""), Declared: base.Merge(p.declaration(o))}
		m.Statistics = p.statistics(get(o, "statistics", object{}), statistics)
		m.Statistics.Force = get(o, "force", get(defaults, "force", false))
		m.Runtime, m.Limits = p.runtime(get(o, "runtime", object{}), sessions)
		p.files(z, o, m)
	}
}

// pick is the value of the first layer that has the key.
func pick[T any](key string, otherwise T, layers ...object) T {
	for _, o := range layers {
		if o.has(key) {
			return get(o, key, otherwise)
		}
	}
	return otherwise
}

// lineOf is the line at which the first layer that has a key gives it.
func lineOf(key string, layers ...object) int {
	for _, o := range layers {
		if o.has(key) {
			return o.lineOf(key)
		}
	}
	return layers[0].line
}

// files expands a model's file or glob.
func (p *parser) files(z *Zoo, o object, m ModelEntry) {
	if !o.has("file") {
		return
	}
	pattern, line := get(o, "file", ""), o.lineOf("file")
	glob := strings.ContainsAny(pattern, "*?[")
	if glob && m.Name != "" {
		p.faults.add(o.lineOf("name"), "a glob names its models by their files; leave name out, or name one file")
	}
	found := p.locate(pattern, glob, line)
	for _, file := range found {
		m.File = declare.ModelPath(file)
		if m.Name == "" || glob {
			m.Name = declare.ModelName(file)
		}
		z.Models = append(z.Models, m)
	}
}

// locate finds what a path or glob names.
func (p *parser) locate(name string, glob bool, line int) []string {
	if glob {
		if _, err := path.Match(name, ""); err != nil {
			p.faults.add(line, "bad glob %q: %v; correct the brackets", name, err)
			return nil
		}
	}
	if p.places == nil {
		return []string{name}
	}
	for _, place := range p.places {
		candidate := name
		if !filepath.IsAbs(name) {
			candidate = filepath.Join(place, name)
		}
		if glob {
			if found, err := filepath.Glob(candidate); err == nil && len(found) > 0 {
				return found // sorted
			}
			continue
		}
		if _, err := os.Stat(candidate); err == nil {
			return []string{candidate}
		}
	}
	p.faults.add(line, "%q names nothing that exists; give a path relative to this file, or an absolute one", name)
	return nil
}

// file is locate for one file, "" where it is missing.
func (p *parser) file(name string, line int) string {
	if found := p.locate(name, false, line); len(found) > 0 {
		return found[0]
	}
	return ""
}

// declaration reads what a model, or the defaults, declare.
func (p *parser) declaration(o object) models.Declaration {
	in, out := get(o, "preprocessing", object{}), get(o, "output", object{})
	d := models.Declaration{
		Input: models.InputDeclaration{
			Name: get(in, "name", ""), Layout: declare.Layout(get(in, "layout", "")),
			Channels: declare.Channels(get(in, "channels", "")),
			Mean:     get[[]float64](in, "mean", nil), Std: get[[]float64](in, "std", nil), Fix: get[map[string]string](in, "fix", nil),
			Resize: int(get(in, "resize", int64(0))), Crop: int(get(in, "crop", int64(0))),
		},
		Output: models.OutputDeclaration{
			Name: get(out, "name", ""), Kind: get(out, "kind", ""), Decision: get(out, "decision", ""), Classes: int(get(out, "classes", int64(0))),
		},
		Labels: get[[]string](o, "labels", nil),
	}
	if in.has("scale") {
		scale := get(in, "scale", 1.0)
		d.Input.Scale = &scale
	}
	if err := d.Validate(); err != nil {
		p.faults.add(max(lineOf("preprocessing", o), 1), "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if o.has("denoiser") {
		d.Denoiser = p.file(get(o, "denoiser", ""), o.lineOf("denoiser"))
	}
	return d
}

// statistics reads a model's statistics over the defaults.
func (p *parser) statistics(own, whole object) Statistics {
	if own.has("adaptive") && get(own, "adaptive", "off") == "off" {
		whole = whole.without("grid", "label_aware") // they belong to the profile that the model turns off
	} else if own.has("adaptive") {
		whole = whole.without("bound")
	}
	s := Statistics{
		N0: pick("n0", int64(100), own, whole), Alpha: pick("alpha", 0.001, own, whole),
		Grid: pick[[]float64]("grid", nil, own, whole), Bound: pick("bound", "one", own, whole),
		Joint: pick("joint", false, own, whole), LabelAware: pick("label_aware", false, own, whole),
	}
	fault := func(key, format string, args ...any) { p.faults.add(lineOf(key, own, whole), format, args...) }
	s.N = 100_000
	if name := pick("adaptive", "off", own, whole); name != "off" {
		s.Adaptive = name
		profile, err := sequential.ParseProfile(name)
		if err != nil {
			fault("adaptive", "%v", err)
		}
		s.N = profile.Cap
	}
	s.N = pick("n", s.N, own, whole)
	if s.Adaptive != "" {
		profile, err := sequential.ParseProfile(s.Adaptive)
		if err == nil {
			err = profile.WithCap(s.N).Validate()
		}
		if err != nil || s.N < 100 {
			fault("n", "the cap of an adaptive run is %d; give 100 to 10000000", s.N)
		}
	}
	if s.LabelAware {
		if s.Adaptive == "" {
			fault("label_aware", "a label-aware run is adaptive; give adaptive as well, such as default")
		}
		if s.N0 != 0 && (own.has("n0") || whole.has("n0")) {
			fault("n0", "a label-aware run selects no class; leave n0 out")
		}
		s.N0 = 0
	}
	if s.Adaptive == "" && s.N0 == 0 {
		fault("n0", "at fixed n some samples must choose the class; give at least 1")
	}
	if s.Adaptive != "" && s.Bound != "one" {
		fault("bound", "adaptive runs bound p_A alone; leave bound out")
	}
	if s.Grid != nil {
		if s.Adaptive == "" {
			fault("grid", "radii are a grid in adaptive runs only; give adaptive as well, such as default")
		}
		s.Grid = slices.Compact(slices.Sorted(slices.Values(s.Grid)))
		if s.Grid[0] > 0 {
			s.Grid = append([]float64{0}, s.Grid...) // levels are tested in order from radius 0
		}
	}
	return s
}

// runtime reads a model's sessions and limits over the defaults.
func (p *parser) runtime(own, whole object) (Runtime, Limits) {
	r := Runtime{
		Providers: pick("providers", []Provider{{Name: runtime.CPU}}, own, whole),
		Threads:   int(pick("threads", int64(1), own, whole)), Batch: int(pick("batch", int64(0), own, whole)),
	}
	names, options := make([]string, len(r.Providers)), map[string]map[string]string{}
	for i, provider := range r.Providers {
		names[i], options[provider.Name] = provider.Name, provider.Options
	}
	parsed, err := runtime.ParseProviders(names, options)
	if err != nil {
		p.faults.add(lineOf("providers", own, whole), "%s", err)
	}
	for i := range parsed {
		r.Providers[i] = Provider{Name: parsed[i].Name, Options: parsed[i].Options}
	}
	return r, Limits{Memory: pick("memory", int64(0), own, whole), Timeout: pick("timeout", 0.0, own, whole)}
}

// dataset reads a data source.
func (p *parser) dataset(o object) DatasetEntry {
	d := DatasetEntry{
		Line: o.line, Name: get(o, "name", ""),
		Skip: int(get(o, "skip", int64(0))), Stride: int(get(o, "stride", int64(1))), Max: int(get(o, "max", int64(0))),
		Resize: int(get(o, "resize", int64(0))), Crop: int(get(o, "crop", int64(0))),
	}
	if !o.has("source") {
		return d
	}
	line := o.lineOf("source")
	var err error
	if d.Spec, err = dataset.ParseSpec(get(o, "source", "")); err != nil {
		p.faults.add(line, "%s", err)
		return d
	}
	for i, name := range d.Spec.Paths {
		d.Spec.Paths[i] = p.file(name, line)
	}
	if name, ok := d.Spec.Params["labels"]; ok {
		d.Spec.Params["labels"] = p.file(name, line)
	}
	if o.has("label_map") {
		d.LabelMap = p.labelMap(get(o, "label_map", ""), o.lineOf("label_map"))
	}
	return d
}

func (p *parser) labelMap(name string, line int) map[string]int {
	file := p.file(name, line)
	if file == "" || p.places == nil {
		return nil
	}
	f, err := files.Open(file)
	if err != nil {
		p.faults.add(line, "%v; give a file that can be read", err)
		return nil
	}
	labels, err := dataset.ReadLabelMap(f)
	if err = errors.Join(err, f.Close()); err != nil {
		p.faults.add(line, "label map %q: %v", name, err)
	}
	return labels
}

// unique finds names that occur twice, or that no row could carry.
func (p *parser) unique(z *Zoo) {
	check := func(what, remedy string, seen map[string]int, name string, line int) {
		if name == "" {
			return
		}
		if len(name) > 200 {
			p.faults.add(line, "%s name %q… is longer than 200 bytes; shorten it", what, name[:40])
		}
		if before, twice := seen[name]; twice {
			p.faults.add(line, "%s %q is there already (line %d); %s", what, name, before, remedy)
			return
		}
		seen[name] = line
	}
	models, datasets, noise := map[string]int{}, map[string]int{}, map[string]int{}
	for _, m := range z.Models {
		check("model", "give one of them another name", models, m.Name, m.Line)
	}
	for _, d := range z.Datasets {
		check("dataset", "give one of them another name", datasets, d.Name, d.Line)
	}
	for i, s := range z.Noise {
		check("noise", "drop one, or give it a name", noise, s.Name, p.noiseLines[i])
	}
}

// rules reads what to leave out; a pattern that matches nothing is taken for a typing error.
func (p *parser) rules(tree object, z *Zoo) {
	for _, o := range get[[]object](tree, "skip", nil) {
		r := Rule{Model: get(o, "model", "*"), Dataset: get(o, "dataset", "*"), Noise: get(o, "noise", "*")}
		for key, pattern := range map[string]string{"model": r.Model, "dataset": r.Dataset, "noise": r.Noise} {
			if _, err := path.Match(pattern, ""); err != nil {
				p.faults.add(o.lineOf(key), "bad pattern %q: %v; correct the brackets", pattern, err)
			}
		}
		if p.places != nil && len(z.Models) > 0 && !slices.ContainsFunc(z.Models, func(m ModelEntry) bool { return matches(r.Model, m.Name) }) {
			p.faults.add(o.lineOf("model"), "the pattern %q matches no model; correct it, or drop the rule", r.Model)
		}
		if len(z.Noise) > 0 && !slices.ContainsFunc(z.Noise, func(s Setting) bool { return matches(r.Noise, s.Name) }) {
			p.faults.add(o.lineOf("noise"), "the pattern %q matches no noise setting; correct it, or drop the rule", r.Noise)
		}
		z.Skip = append(z.Skip, r)
	}
}
