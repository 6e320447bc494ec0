package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"ucan/runtime/library"
)

// providerRow is all that is known of one execution provider. How strict a provider is does not
// depend on it: one that is asked for alone must take every computing node.
type providerRow struct {
	// profiled is the provider's name in onnxruntime's profile.
	profiled string
	// apart says that the provider's code is a library of its own beside onnxruntime's.
	apart bool
	// gpu says that only the build with CUDA has it.
	gpu bool
	// plugin says that the official build comes as a plugin (library.PluginNames).
	plugin bool
	// defaults are options that hold unless the user gives others.
	defaults map[string]string
	// add adds the provider to the options of a session.
	add func(so *ort.SessionOptions, options map[string]string) error
}

// providerTable lists the providers by the names that users give.
func providerTable() map[string]providerRow {
	// byName is onnxruntime's general call, with the name that it expects.
	byName := func(name string) func(*ort.SessionOptions, map[string]string) error {
		return func(so *ort.SessionOptions, options map[string]string) error {
			return so.AppendExecutionProvider(name, options)
		}
	}
	return map[string]providerRow{
		CPU: {profiled: "CPUExecutionProvider", add: func(*ort.SessionOptions, map[string]string) error { return nil }},
		"cuda": {
			profiled: "CUDAExecutionProvider", apart: true, gpu: true,
			// TF32 moves scores by far more than a change of device. Every batch has one shape, so
			// the arena need not grow by more than what is asked for.
			defaults: map[string]string{"use_tf32": "0", "arena_extend_strategy": "kSameAsRequested"},
			add:      addCUDA,
		},
		"tensorrt":    {profiled: "TensorrtExecutionProvider", apart: true, gpu: true, add: addTensorRT},
		"openvino":    {profiled: "OpenVINOExecutionProvider", apart: true, plugin: true, add: (*ort.SessionOptions).AppendExecutionProviderOpenVINO},
		"coreml":      {profiled: "CoreMLExecutionProvider", add: (*ort.SessionOptions).AppendExecutionProviderCoreMLV2},
		"azure":       {profiled: "AzureExecutionProvider", add: byName("AZURE")},
		"dml":         {profiled: "DmlExecutionProvider", add: byName("DML")},
		"migraphx":    {profiled: "MIGraphXExecutionProvider", apart: true, add: byName("MIGraphX")},
		"nvtensorrtx": {profiled: "NvTensorRTRTXExecutionProvider", add: byName("NvTensorRtRtx")},
		"qnn":         {profiled: "QNNExecutionProvider", apart: true, add: byName("QNN")},
		"snpe":        {profiled: "SNPEExecutionProvider", add: byName("SNPE")},
		"vitisai":     {profiled: "VitisAIExecutionProvider", apart: true, add: byName("VitisAI")},
		"webgpu":      {profiled: "WebGpuExecutionProvider", plugin: true, add: byName("WebGPU")},
		"xnnpack":     {profiled: "XnnpackExecutionProvider", add: byName("XNNPACK")},
	}
}

// ProviderNames lists the names a Provider can have, sorted. Whether the
// library at hand holds one and can load it is another matter; Doctor tells.
func ProviderNames() []string { return slices.Sorted(maps.Keys(providerTable())) }

// WantsGPU says whether one of the providers needs a library with the CUDA
// provider, for Config.GPU.
func WantsGPU(list []Provider) bool {
	table := providerTable()
	return slices.ContainsFunc(list, func(p Provider) bool { return table[p.Name].gpu })
}

// providerFile is the shared library of a provider whose code lies apart, "" for the others.
func providerFile(name string) string {
	if !providerTable()[name].apart {
		return ""
	}
	return library.FileName("onnxruntime_providers_" + name)
}

// appendProvider adds p to the session options, loading what it needs.
func (rt *Runtime) appendProvider(ctx context.Context, so *ort.SessionOptions, p Provider) error {
	if p.plugin() {
		return rt.appendPlugin(ctx, so, p)
	}
	row, ok := providerTable()[p.Name]
	switch {
	case !ok:
		return fmt.Errorf("%w %q", ErrUnknownProvider, p.Name)
	case row.plugin:
		return rt.appendBuiltInOrPlugin(ctx, so, p, func() error { return row.add(so, p.Options) })
	case row.gpu:
		if err := rt.preload(ctx, p.Name); err != nil {
			return err
		}
	}
	return row.add(so, row.options(p.Options))
}

// options returns the user's options over the defaults.
func (r providerRow) options(user map[string]string) map[string]string {
	if len(r.defaults) == 0 {
		return user
	}
	o := maps.Clone(r.defaults)
	maps.Copy(o, user)
	return o
}

func addCUDA(so *ort.SessionOptions, options map[string]string) error {
	o, err := ort.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	if err = o.Update(options); err == nil {
		err = so.AppendExecutionProviderCUDA(o)
	}
	return errors.Join(err, o.Destroy())
}

func addTensorRT(so *ort.SessionOptions, options map[string]string) error {
	o, err := ort.NewTensorRTProviderOptions()
	if err != nil {
		return err
	}
	if err = o.Update(options); err == nil {
		err = so.AppendExecutionProviderTensorRT(o)
	}
	return errors.Join(err, o.Destroy())
}
