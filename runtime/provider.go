package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	ort "github.com/yalue/onnxruntime_go"
)

// Provider is an onnxruntime execution provider by name, with its options as
// onnxruntime spells them.
type Provider struct {
	// Name in lower case: "cpu", "cuda" or another of ProviderNames, or a name of
	// the user's own for a plugin given by LibraryOption.
	Name string
	// Options are handed to the provider. For cuda, use_tf32 is "0" unless set
	// here, because TF32 moves logits by far more than a change of device.
	Options map[string]string
}

// CPU is the name of the provider that every library has.
const CPU = "cpu"

// CUDA is the name of NVIDIA's provider.
const CUDA = "cuda"

// providerKind is how onnxruntime wants a provider to be appended.
type providerKind int

const (
	appendNothing providerKind = iota // the CPU is always there
	appendCUDA
	appendTensorRT
	appendOpenVINO
	appendCoreML
	appendGeneric
)

// knownProvider is a provider's own spelling and the way to append it.
type knownProvider struct {
	kind     providerKind
	ortName  string // for the generic call
	profiled string // as onnxruntime's profile calls it
	plugin   bool   // its official build is a plugin
}

// knownProviders lists what SessionOptionsAppendExecutionProvider of API 29
// and the provider-specific calls accept.
func knownProviders() map[string]knownProvider {
	return map[string]knownProvider{
		CPU:           {kind: appendNothing, profiled: "CPUExecutionProvider"},
		CUDA:          {kind: appendCUDA, profiled: "CUDAExecutionProvider"},
		"tensorrt":    {kind: appendTensorRT, profiled: "TensorrtExecutionProvider"},
		"openvino":    {kind: appendOpenVINO, profiled: "OpenVINOExecutionProvider", plugin: true},
		"coreml":      {kind: appendCoreML, profiled: "CoreMLExecutionProvider"},
		"azure":       {kind: appendGeneric, ortName: "AZURE", profiled: "AzureExecutionProvider"},
		"dml":         {kind: appendGeneric, ortName: "DML", profiled: "DmlExecutionProvider"},
		"migraphx":    {kind: appendGeneric, ortName: "MIGraphX", profiled: "MIGraphXExecutionProvider"},
		"nvtensorrtx": {kind: appendGeneric, ortName: "NvTensorRtRtx", profiled: "NvTensorRTRTXExecutionProvider"},
		"qnn":         {kind: appendGeneric, ortName: "QNN", profiled: "QNNExecutionProvider"},
		"snpe":        {kind: appendGeneric, ortName: "SNPE", profiled: "SNPEExecutionProvider"},
		"vitisai":     {kind: appendGeneric, ortName: "VitisAI", profiled: "VitisAIExecutionProvider"},
		"webgpu":      {kind: appendGeneric, ortName: "WebGPU", profiled: "WebGpuExecutionProvider", plugin: true},
		"xnnpack":     {kind: appendGeneric, ortName: "XNNPACK", profiled: "XnnpackExecutionProvider"},
	}
}

// ProviderNames lists the names a Provider can have, sorted. Whether the
// library at hand holds one and can load it is another matter; Doctor tells.
func ProviderNames() []string {
	return slices.Sorted(maps.Keys(knownProviders()))
}

// Validate refuses names that are not in ProviderNames and have no LibraryOption,
// wrapping ErrUnknownProvider, and empty option names, wrapping ErrOptions.
func (p Provider) Validate() error {
	if err := p.validatePlugin(); err != nil {
		return err
	}
	for k := range p.Options {
		if k == "" {
			return fmt.Errorf("%w: provider %q has an option without a name", ErrOptions, p.Name)
		}
	}
	return nil
}

// ParseProviders makes providers of names (case does not matter, spaces
// around them neither, empty ones are skipped) and options by provider name.
// No name at all means the CPU. Options for a provider that is not listed are
// an error, as they would silently do nothing.
func ParseProviders(names []string, options map[string]map[string]string) ([]Provider, error) {
	var (
		out  []Provider
		errs []error
	)
	used := make(map[string]bool)
	for _, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "" {
			continue
		}
		p := Provider{Name: name, Options: maps.Clone(options[name])}
		if err := p.Validate(); err != nil {
			errs = append(errs, err)
		}
		if used[name] {
			errs = append(errs, fmt.Errorf("%w: provider %q is listed twice", ErrOptions, name))
		}
		used[name] = true
		out = append(out, p)
	}
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if !used[name] {
			errs = append(errs, fmt.Errorf("%w: options are given for provider %q, which is not among the providers", ErrOptions, name))
		}
	}
	if len(out) == 0 {
		out = []Provider{{Name: CPU}}
	}
	return out, errors.Join(errs...)
}

// WantsGPU says whether one of the providers needs a library with the CUDA
// provider, for Config.GPU.
func WantsGPU(list []Provider) bool {
	return slices.ContainsFunc(list, func(p Provider) bool { return p.Name == CUDA || p.Name == "tensorrt" })
}

// Fallback tells that a wanted provider was passed over, or did not get all
// computing nodes.
type Fallback struct {
	Provider string `json:"provider"`
	Reason   string `json:"reason"` // one line
}

// appendProvider adds p to the session options, loading what it needs.
func (rt *Runtime) appendProvider(ctx context.Context, so *ort.SessionOptions, p Provider) error {
	if p.plugin() {
		return rt.appendPlugin(ctx, so, p)
	}
	known := knownProviders()[p.Name]
	if known.plugin {
		return rt.appendBuiltInOrPlugin(ctx, so, p, func() error { return rt.appendBuiltIn(ctx, so, p, known) })
	}
	return rt.appendBuiltIn(ctx, so, p, known)
}

// appendBuiltIn adds a provider that the library at hand may hold.
func (rt *Runtime) appendBuiltIn(ctx context.Context, so *ort.SessionOptions, p Provider, known knownProvider) error {
	switch known.kind {
	case appendNothing:
		return nil
	case appendCUDA:
		return rt.appendCUDA(ctx, so, p)
	case appendTensorRT:
		if err := rt.preload(ctx, p.Name); err != nil {
			return err
		}
		o, err := ort.NewTensorRTProviderOptions()
		if err != nil {
			return err
		}
		err = o.Update(p.Options)
		if err == nil {
			err = so.AppendExecutionProviderTensorRT(o)
		}
		return errors.Join(err, o.Destroy())
	case appendOpenVINO:
		return so.AppendExecutionProviderOpenVINO(p.Options)
	case appendCoreML:
		return so.AppendExecutionProviderCoreMLV2(p.Options)
	case appendGeneric:
		return so.AppendExecutionProvider(known.ortName, p.Options)
	}
	return fmt.Errorf("%w %q", ErrUnknownProvider, p.Name)
}

// tidy cuts onnxruntime's CUDA errors, which carry C++ signatures, source lines
// and the host's name, down to what CUDA said.
func tidy(err error) error {
	text := err.Error()
	i := strings.LastIndex(text, "CUDA failure")
	if i < 0 {
		return err
	}
	said, _, _ := strings.Cut(text[i:], " ;")
	return errors.New(strings.TrimSpace(said))
}

func (rt *Runtime) appendCUDA(ctx context.Context, so *ort.SessionOptions, p Provider) error {
	if err := rt.preload(ctx, p.Name); err != nil {
		return err
	}
	o, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	err = o.Update(cudaOptions(p.Options))
	if err == nil {
		err = so.AppendExecutionProviderCUDA(o)
	}
	return errors.Join(err, o.Destroy())
}

// cudaOptions adds the defaults of a certifier to the user's: no TF32, and an
// arena that grows by what is asked for, since every batch has one shape.
func cudaOptions(user map[string]string) map[string]string {
	o := map[string]string{"use_tf32": "0", "arena_extend_strategy": "kSameAsRequested"}
	maps.Copy(o, user)
	return o
}
