package runtime_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

func TestParseProviders(t *testing.T) {
	got, err := runtime.ParseProviders([]string{" CUDA ", "", "cpu"}, map[string]map[string]string{"cuda": {"device_id": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Name != "cuda" || got[0].Options["device_id"] != "1" || got[1].Name != "cpu" {
		t.Errorf("parsed as %v", got)
	}
	if got, err = runtime.ParseProviders(nil, nil); err != nil || len(got) != 1 || got[0].Name != runtime.CPU {
		t.Errorf("no name gives %v, %v", got, err)
	}
	for name, c := range subtest.Rows(map[string]struct {
		names   []string
		options map[string]map[string]string
		want    error
	}{
		"unknown":        {[]string{"gpu"}, nil, runtime.ErrUnknownProvider},
		"twice":          {[]string{"cpu", "CPU"}, nil, runtime.ErrOptions},
		"unused options": {[]string{"cpu"}, map[string]map[string]string{"cuda": {"a": "b"}}, runtime.ErrOptions},
		"nameless":       {[]string{"cpu"}, map[string]map[string]string{"cpu": {"": "b"}}, runtime.ErrOptions},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := runtime.ParseProviders(c.names, c.options); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func TestCUDAOptionDefaults(t *testing.T) {
	got := runtime.CudaOptions(map[string]string{"device_id": "1", "use_tf32": "1"})
	want := map[string]string{"device_id": "1", "use_tf32": "1", "arena_extend_strategy": "kSameAsRequested"}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if got := runtime.CudaOptions(nil)["use_tf32"]; got != "0" {
		t.Errorf("TF32 is %q by default", got)
	}
}

func TestSpinningStopsWhenOversubscribed(t *testing.T) {
	n := runtime.CPUCount()
	for _, c := range []struct {
		intra, concurrent int
		want              bool
	}{{1, 0, true}, {n, 1, true}, {n + 1, 1, false}, {1, n, true}, {1, n + 1, false}} {
		o := runtime.SessionOptions{IntraOp: c.intra, Concurrent: c.concurrent}
		if o.Spin() != c.want {
			t.Errorf("%d sessions × %d threads on %d CPUs: spin %v", c.concurrent, c.intra, n, o.Spin())
		}
	}
}

func TestValidateReportsAllFaults(t *testing.T) {
	err := runtime.SessionOptions{
		IntraOp: 0, Concurrent: -1, Optimization: 9,
		Providers: []runtime.Provider{{Name: "warp"}, {Name: "cpu"}, {Name: "cpu"}},
	}.Validate()
	for _, part := range []string{"intra-op", "concurrent", "optimisation", "warp", "twice"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in %v", part, err)
		}
	}
}

// providers makes options for the given names.
func providers(names ...string) runtime.SessionOptions {
	o := one()
	for _, n := range names {
		o.Providers = append(o.Providers, runtime.Provider{Name: n})
	}
	return o
}

// needCPUBuild skips where the library at hand has a CUDA provider, which then
// may well load.
func needCPUBuild(t *testing.T, rt *runtime.Runtime) {
	t.Helper()
	if rt.Library().CUDA {
		t.Skip("the library at hand has a CUDA provider")
	}
}

func TestAMissingProviderIsAnErrorWhenStrict(t *testing.T) {
	rt := runtimetest.Open(t)
	needCPUBuild(t, rt)
	strict := providers("cuda", "cpu")
	strict.Strict = true
	for name, o := range subtest.Rows(map[string]runtime.SessionOptions{
		"alone": providers("cuda"), "strict list": strict, "none left": providers("cuda", "tensorrt"),
	}) {
		t.Run(name, func(t *testing.T) {
			_, err := rt.NewSession(t.Context(), runtime.TinyModel(), o)
			if !errors.Is(err, runtime.ErrProvider) {
				t.Errorf("%s: %v", name, err)
				return
			}
			if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, runtime.ProviderFile("cuda")) && name != "none left" {
				t.Errorf("%s: the message does not name the missing file in one line: %s", name, text)
			}
		})
	}
	if live := runtime.Live(); live.SessionOptions != 0 {
		t.Errorf("%d session options leaked", live.SessionOptions)
	}
}

func TestFallbackIsReported(t *testing.T) {
	rt := runtimetest.Open(t)
	needCPUBuild(t, rt)
	s := newSession(t, rt, runtime.TinyModel(), providers("cuda", "cpu"))
	if s.Provider() != "cpu" {
		t.Errorf("ran on %q", s.Provider())
	}
	f := s.Fallbacks()
	if len(f) != 1 || f[0].Provider != "cuda" || !strings.Contains(f[0].Reason, runtime.ProviderFile("cuda")) {
		t.Errorf("reported %v", f)
	}
}

// TestNoNodeLandsSilentlyOnTheCPU uses the one provider beside the CPU that
// the official CPU build has; it takes no ordinary node.
func TestNoNodeLandsSilentlyOnTheCPU(t *testing.T) {
	rt := runtimetest.Open(t)
	s, err := rt.NewSession(t.Context(), runtime.TinyModel(), providers("azure"))
	if err == nil {
		_ = s.Close()
		t.Fatal("a provider that can run nothing was accepted alone")
	}
	if !errors.Is(err, runtime.ErrProvider) {
		t.Fatal(err)
	}
	if strings.Contains(err.Error(), "not enabled") || strings.Contains(err.Error(), "not supported in this build") {
		t.Skipf("this build lacks the provider: %v", err)
	}
	if !strings.Contains(err.Error(), "MatMul") {
		t.Errorf("the message does not name the node: %v", err)
	}
	// With the CPU in the list the user allows it.
	ok := newSession(t, rt, runtime.TinyModel(), providers("azure", "cpu"))
	if f := ok.Fallbacks(); ok.Provider() != "cpu" || len(f) != 1 || f[0].Provider != "azure" || !strings.Contains(f[0].Reason, "none of the graph's") {
		t.Errorf("ran on %q, reported %v", ok.Provider(), f)
	}
	// A second session of the graph says the same, from memory.
	again := newSession(t, rt, runtime.TinyModel(), providers("azure", "cpu"))
	if !slices.Equal(again.Fallbacks(), ok.Fallbacks()) || again.Provider() != ok.Provider() {
		t.Errorf("then ran on %q, reported %v", again.Provider(), again.Fallbacks())
	}
}

func TestPlacementReadsBackTheProfile(t *testing.T) {
	rt := runtimetest.Open(t)
	model := runtime.MakeGraph(
		[][]byte{runtime.MakeNode("Shape", "s", "x"), runtime.MakeNode("Sigmoid", "a", "x"), runtime.MakeNode("Reshape", "y", "a", "s")},
		[][]byte{runtime.MakeValue("x", onnx.Float, -1, 4)}, [][]byte{runtime.MakeValue("y", onnx.Float, -1, 4)})
	o := one()
	o.Optimization = runtime.OptimizeNone
	p, err := rt.Placement(t.Context(), model, o)
	if err != nil {
		t.Fatal(err)
	}
	if p.Nodes["cpu"] != 3 {
		t.Errorf("placed %v", p.Nodes)
	}
	ops := make([]string, len(p.OnCPU))
	for i, s := range p.OnCPU {
		ops[i], _, _ = strings.Cut(s, "(")
	}
	if !slices.Equal(ops, []string{"Reshape", "Sigmoid"}) {
		t.Errorf("computing nodes are %v; Shape is not one", p.OnCPU)
	}
}

func TestProfileOfAGPU(t *testing.T) {
	const profile = `[
	{"cat":"Session","name":"model_loading","args":{}},
	{"cat":"Node","name":"conv1_kernel_time","args":{"op_name":"Conv","provider":"CUDAExecutionProvider","input_type_shape":[{"float":[1,3]}],"output_type_shape":[{"float":[1]}]}},
	{"cat":"Node","name":"conv1_fence_before","args":{"op_name":"Conv"}},
	{"cat":"Node","name":"g_kernel_time","args":{"op_name":"Gather","provider":"CPUExecutionProvider","input_type_shape":[{"int64":[4]},{"int64":[]}],"output_type_shape":[{"int64":[]}]}},
	{"cat":"Node","name":"s_kernel_time","args":{"op_name":"Shape","provider":"CPUExecutionProvider","input_type_shape":[{"float":[1,3]}],"output_type_shape":[{"int64":[2]}]}},
	{"cat":"Node","name":"m_kernel_time","args":{"op_name":"ArgMax","provider":"CPUExecutionProvider","input_type_shape":[{"float16":[1,3]}],"output_type_shape":[{"int64":[1]}]}},
	{"cat":"Node","name":"m_kernel_time","args":{"op_name":"ArgMax","provider":"CPUExecutionProvider","input_type_shape":[{"float16":[1,3]}],"output_type_shape":[{"int64":[1]}]}}
	]`
	p, err := runtime.ParseProfile([]byte(profile))
	if err != nil {
		t.Fatal(err)
	}
	if p.Nodes["cuda"] != 1 || p.Nodes["cpu"] != 3 || p.Computing["cuda"] != 1 || p.Computing["cpu"] != 1 || !slices.Equal(p.OnCPU, []string{"ArgMax(m)"}) {
		t.Errorf("read %v, %v", p.Nodes, p.OnCPU)
	}
	if _, err := runtime.ParseProfile([]byte("{")); err == nil {
		t.Error("a torn profile was read")
	}
}

func TestCUDAErrorsAreTidied(t *testing.T) {
	// As onnxruntime 1.27.0 reported a driver without a device.
	long := errors.New("Error creating C session: /onnxruntime_src/cuda_call.cc:122 std::conditional_t<THRW> CudaCall(…) [with ERRTYPE = cudaError] " +
		"CUDA failure 100: no CUDA-capable device is detected ; GPU=-1 ; hostname=vm ; file=/onnxruntime_src/x.cc ; line=337 ; expr=cudaSetDevice(info_.device_id);")
	if got := runtime.Tidy(long).Error(); got != "CUDA failure 100: no CUDA-capable device is detected" {
		t.Errorf("tidied to %q", got)
	}
	if other := errors.New("x"); !errors.Is(runtime.Tidy(other), other) {
		t.Error("other errors are changed")
	}
}

func TestPreloadNamesEveryMissingObject(t *testing.T) {
	if runtime.ProviderFile("cuda") != "libonnxruntime_providers_cuda.so" {
		t.Skip("ELF is Linux's")
	}
	dir := t.TempDir()
	// A copy of a real shared library whose dependencies are renamed in place.
	rt := runtimetest.Open(t)
	data, err := os.ReadFile(filepath.Join(filepath.Dir(rt.Library().Path), "libonnxruntime_providers_shared.so"))
	if err != nil {
		t.Skip(err)
	}
	if !bytes.Contains(data, []byte("libgcc_s.so.1\x00")) || !bytes.Contains(data, []byte("libm.so.6\x00")) {
		t.Skip("the library needs other objects than it did")
	}
	data = bytes.Replace(data, []byte("libgcc_s.so.1\x00"), []byte("libcuda.so.1\x00\x00"), 1)
	data = bytes.Replace(data, []byte("libm.so.6\x00"), []byte("libcu.so9\x00"), 1)
	if err = os.WriteFile(filepath.Join(dir, "libonnxruntime_providers_cuda.so"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	err = runtime.WithLibrary(filepath.Join(dir, "libonnxruntime.so")).Preload(t.Context(), "cuda")
	if err == nil {
		t.Skip("there is a CUDA driver on this machine")
	}
	for _, part := range []string{"libcu.so9", "libcuda.so.1", "NVIDIA driver"} {
		if !strings.Contains(err.Error(), part) && (part == "libcu.so9" || !onThisMachine("libcuda.so.1")) {
			t.Errorf("%q is missing in %v", part, err)
		}
	}
}

func onThisMachine(name string) bool {
	match, _ := filepath.Glob("/usr/lib/*/" + name)
	return len(match) > 0
}
