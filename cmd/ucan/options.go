package main

import (
	"math"
	"strconv"
	"strings"
	"time"

	"ucan/internal/certify"
	"ucan/internal/dataset"
	"ucan/models"
	"ucan/models/declare"
	"ucan/npg"
	"ucan/runtime"
	"ucan/smooth"
	"ucan/smooth/family"
)

// The groups of settings that several commands share.
var (
	modelKeys = []string{
		"model.file", "model.mean", "model.std", "model.scale", "model.layout", "model.input", "model.output",
		"model.decision", "model.fix", "model.denoiser", "runtime.run_limit",
	}
	dataKeys = []string{
		"data.source", "data.skip", "data.stride", "data.max", "data.shard", "data.resize", "data.crop", "data.label_map",
		"data.max_failures", "data.force",
	}
	noiseKeys = []string{
		"noise.family", "noise.norm", "noise.sigma", "noise.lambda", "noise.param", "noise.sigma_field", "noise.mu_field", "noise.npg", "noise.floor", "noise.ceiling", "noise.fixed_mean", "noise.arithmetic",
	}
	sessionKeys = []string{"runtime.workers", "runtime.batch"}
)

func (a *app) sessionOptions(r *values) (sessionOptions, error) {
	config := a.runtimeConfig()
	providers, err := providersOf(a.viper.Get("runtime.providers"))
	if err != nil {
		return sessionOptions{}, usagef("read --provider: %w", err)
	}
	config.GPU = runtime.WantsGPU(providers)
	o := sessionOptions{
		runtime: config, providers: providers,
		fallback: r.flag("runtime.fallback"),
		threads:  int(r.int("runtime.threads", 0, 4096)),
		workers:  int(r.int("runtime.workers", 0, 4096)),
		batch:    int(r.int("runtime.batch", 0, math.MaxInt32)),
	}
	if seconds := r.float("runtime.run_limit"); seconds >= 0 && seconds < 1e6 {
		o.runLimit = time.Duration(seconds * float64(time.Second))
	} else {
		r.fault("runtime.run_limit", "%s is not a number of seconds; give 0 or more", r.text("runtime.run_limit"))
	}
	if o.threads > 0 && o.workers > o.threads {
		r.fault("runtime.workers", "%d workers need at least as many threads, and --threads gives %d", o.workers, o.threads)
	}
	return o, nil
}

// declaration reads the preprocessing flags.
func (a *app) declaration(r *values) models.Declaration {
	d := models.Declaration{
		Input: models.InputDeclaration{
			Name: r.text("model.input"), Mean: r.floats("model.mean"), Std: r.floats("model.std"),
		},
		Output:   models.OutputDeclaration{Name: r.text("model.output"), Decision: r.text("model.decision")},
		Denoiser: r.text("model.denoiser"),
	}
	if r.given("model.scale") {
		scale := r.float("model.scale")
		d.Input.Scale = &scale
	}
	layout, err := declare.ParseLayout(r.text("model.layout"))
	if err != nil {
		r.fault("model.layout", "%s", err)
	}
	d.Input.Layout = layout
	if d.Input.Fix, err = declare.ParseFix(r.list("model.fix")); err != nil {
		r.fault("model.fix", "%s", err)
	}
	if err := d.Validate(); err != nil {
		r.faults = append(r.faults, err)
	}
	return d
}

func (a *app) dataOptions(r *values) dataOptions {
	o := dataOptions{
		spec:        r.text("data.source"),
		maxFailures: r.float("data.max_failures"),
		force:       r.flag("data.force"),
		selection:   dataset.DefaultSelection(),
		options: dataset.Options{
			Resize: int(r.int("data.resize", 0, math.MaxInt32)),
			Crop:   int(r.int("data.crop", 0, math.MaxInt32)),
		},
	}
	if o.spec == "" {
		r.fault("data.source", "no data given; name a source, such as mnist:DIR or digits")
	}
	o.selection.Skip = int(r.int("data.skip", 0, math.MaxInt32))
	o.selection.Stride = int(r.int("data.stride", 1, math.MaxInt32))
	if m := int(r.int("data.max", 0, math.MaxInt32)); m > 0 {
		o.selection.Max = m
	}
	if shard := r.text("data.shard"); shard != "" {
		var err error
		if o.selection.Shard, o.selection.Shards, err = dataset.ParseShard(shard); err != nil {
			r.fault("data.shard", "%s", err)
			o.selection.Shards = 1
		}
	}
	if path := r.text("data.label_map"); path != "" {
		labels, err := readLabelMap(path)
		if err != nil {
			r.fault("data.label_map", "%s", err)
		}
		o.options.LabelMap = labels
	}
	if !(o.maxFailures >= 0 && o.maxFailures <= 1) {
		r.fault("data.max_failures", "%v is no share; give 0 to 1", o.maxFailures)
	}
	return o
}

// noiseOptions reads what noise is drawn; sigma and lambda are 0 when not given.
func (a *app) noiseOptions(r *values) certify.Noise {
	o := certify.Noise{
		SigmaField: r.text("noise.sigma_field"), MuField: r.text("noise.mu_field"), NPG: r.text("noise.npg"),
		FixedMean: r.flag("noise.fixed_mean"), Limits: scaleLimits(r),
	}
	params := parameters(r)
	var err error
	if o.Arithmetic, err = smooth.ParseArithmetic(r.text("noise.arithmetic")); err != nil {
		r.fault("noise.arithmetic", "%q is unknown; give float32 or lattice", r.text("noise.arithmetic"))
	}
	if o.Family, err = family.New(strings.ToLower(r.text("noise.family")), params); err != nil {
		r.fault("noise.family", "%s", err)
		return o
	}
	o.Norm = o.Family.Norms()[0]
	if text := r.text("noise.norm"); text != "" {
		if o.Norm, err = family.ParseNorm(text); err != nil {
			r.fault("noise.norm", "%s", err)
		}
	}
	for key, value := range map[string]*float64{"noise.sigma": &o.Sigma, "noise.lambda": &o.Lambda} {
		if !r.given(key) {
			continue
		}
		*value = r.float(key)
		if !(*value > 0) || math.IsInf(*value, 0) {
			r.fault(key, "%s is not a positive, finite scale", r.text(key))
		}
	}
	shaped := o.SigmaField != "" || o.NPG != ""
	switch {
	case r.given("noise.sigma") && r.given("noise.lambda"):
		r.fault("noise.sigma", "both --sigma and --lambda are given; give one")
	case !r.given("noise.sigma") && !r.given("noise.lambda") && shaped:
		o.Sigma = 1
	case !r.given("noise.sigma") && !r.given("noise.lambda"):
		r.fault("noise.sigma", "no noise scale given; give --sigma (standard deviation, on the data's scale) or --lambda")
	}
	if o.NPG != "" && (o.SigmaField != "" || o.MuField != "") {
		r.fault("noise.npg", "a generator and fields are given; give one of the two")
	}
	return o
}

// scaleLimits reads the floor and the ceiling of a generator; the zero value when neither is given.
func scaleLimits(r *values) npg.Limits {
	if !r.given("noise.floor") && !r.given("noise.ceiling") {
		return npg.Limits{}
	}
	limits := npg.DefaultLimits()
	if r.given("noise.floor") {
		limits.Floor = r.float("noise.floor")
	}
	if r.given("noise.ceiling") {
		limits.Ceiling = r.float("noise.ceiling")
	}
	if err := limits.Validate(); err != nil {
		r.fault("noise.floor", "%s", err)
	}
	return limits
}

// parameters reads k=1,j=0 lists.
func parameters(r *values) map[string]float64 {
	params := map[string]float64{}
	for _, pair := range r.list("noise.param") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		v, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			r.fault("noise.param", "%q is not NAME=NUMBER", pair)
			continue
		}
		params[name] = v
	}
	return params
}

// requireModel checks that a model is named.
func requireModel(r *values) string {
	path := r.text("model.file")
	if path == "" {
		r.fault("model.file", "no model given; name an ONNX file, or the bundle of a trained one")
	}
	return declare.ModelPath(path)
}
