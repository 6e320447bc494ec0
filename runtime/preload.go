package runtime

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ucan/runtime/internal/dl"
	"ucan/runtime/library"
)

// SharedObject is a library file that a provider needs.
type SharedObject struct {
	Name string `json:"name"`
	// Path is where the loader found it, "" when it did not.
	Path string `json:"path,omitempty"`
	// Reason is the loader's, "" when it loads.
	Reason string `json:"reason,omitempty"`
	// Remedy says what to install when it does not load: a pip package, or
	// something else in words.
	Remedy string `json:"remedy,omitempty"`
	// Optional: the provider loads without it, and opens it when an operator needs
	// it (cuDNN for convolutions, say).
	Optional bool `json:"optional,omitempty"`
}

// Loads reports whether the shared object can be loaded.
func (o SharedObject) Loads() bool { return o.Reason == "" }

// base lists what every Linux system has: not worth a line, and not to be
// preloaded.
func base(name string) bool {
	for _, b := range []string{"libc.", "libm.", "libdl.", "librt.", "libpthread.", "libstdc++.", "libgcc_s.", "ld-linux"} {
		if strings.HasPrefix(name, b) {
			return true
		}
	}
	return false
}

// preload loads what a provider's library needs before onnxruntime loads the
// provider: CUDA and cuDNN may lie in Python packages, where the loader does
// not look. The error names every shared object that is missing.
func (rt *Runtime) preload(ctx context.Context, name string) error {
	file := providerFile(name)
	if file == "" {
		return nil
	}
	path := filepath.Join(filepath.Dir(rt.lib.Path), file)
	if _, err := os.Stat(path); err != nil {
		remedy := "use a build that has it by " + library.Environment
		if name == "cuda" {
			remedy = "install one that has by `ucan runtime install --gpu`, or name it by " + library.Environment
		}
		return fmt.Errorf("the library in %q has no %s provider (%s is missing); %s", filepath.Dir(rt.lib.Path), name, file, remedy)
	}
	if err := library.Unchanged(path); err != nil {
		return err
	}
	if !dl.Supported {
		return nil
	}
	objects, err := sharedObjects(ctx, path)
	if err != nil {
		return err
	}
	if err := missingObjects(objects); err != nil {
		return err
	}
	// The provider itself may still not load (a driver too old, say); it needs
	// its shared half first, which only onnxruntime can set up.
	return nil
}

// missingObjects names all objects that do not load, and what to install, in
// one line; nil when all do.
func missingObjects(objects []SharedObject) error {
	var missing, packages, remedies []string
	for _, o := range objects {
		if o.Loads() || o.Optional {
			continue
		}
		missing = append(missing, o.Name)
		if pkg, ok := strings.CutPrefix(o.Remedy, pipInstall); ok {
			if !slices.Contains(packages, pkg) {
				packages = append(packages, pkg)
			}
		} else {
			remedies = append(remedies, o.Remedy)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if len(packages) > 0 {
		remedies = append(remedies, fmt.Sprintf("install your system's CUDA 13 and cuDNN 9 packages, or `%s%s`", pipInstall, strings.Join(packages, " ")))
	}
	return fmt.Errorf("shared objects that do not load: %s; %s", strings.Join(missing, ", "), strings.Join(remedies, ", and "))
}

// pipInstall begins the remedy that is a Python package.
const pipInstall = "pip install "

// sharedObjects loads all direct dependencies of a provider library and tells
// how each fared. They may need one another, and where they lie in different
// folders each loads only after those it needs: so what fails is tried again as
// long as anything new was loaded.
func sharedObjects(ctx context.Context, provider string) ([]SharedObject, error) {
	needed, err := dl.Needed(provider)
	if err != nil {
		return nil, err
	}
	needed = slices.DeleteFunc(needed, base)
	direct := len(needed)
	if strings.Contains(filepath.Base(provider), "cuda") {
		needed = append(needed, openedLater(needed)...)
	}
	var folders []string // looked up when the loader's own places do not do
	out := make([]SharedObject, len(needed))
	for i, name := range needed {
		out[i] = SharedObject{Name: name, Reason: "not tried", Optional: i >= direct}
	}
	for progress := true; progress; {
		progress = false
		for i := range out {
			o := &out[i]
			if o.Loads() {
				continue
			}
			path, lerr := dl.Open(o.Name)
			if lerr != nil && folders == nil {
				folders = cudaFolders(ctx, filepath.Dir(provider))
			}
			for _, dir := range folders {
				if lerr == nil {
					break
				}
				file := filepath.Join(dir, o.Name)
				if _, serr := os.Stat(file); serr == nil {
					path, lerr = dl.Open(file)
				}
			}
			if lerr != nil {
				o.Reason, o.Remedy = oneLine(lerr), remedyFor(o.Name)
				continue
			}
			o.Path, o.Reason, o.Remedy = path, "", ""
			progress = true
		}
	}
	return out, nil
}

// openedLater lists what a provider that needs this CUDA runtime opens by name when an
// operator wants it: from onnxruntime 1.28 on it is not linked to cuDNN, cuFFT and
// nvrtc. Loaded before, they are found wherever they lie.
func openedLater(needed []string) []string {
	var list []string
	switch {
	case slices.Contains(needed, "libcudart.so.13"):
		list = []string{"libcudnn.so.9", "libcufft.so.12", "libnvrtc.so.13"}
	case slices.Contains(needed, "libcudart.so.12"):
		list = []string{"libcudnn.so.9", "libcufft.so.11", "libnvrtc.so.12"}
	}
	return slices.DeleteFunc(list, func(name string) bool { return slices.Contains(needed, name) })
}

// cudaFolders lists where CUDA's libraries may lie beside the loader's path:
// beside the provider, in the nvidia packages of the Python installations
// (that of the library first, if it lies in one), and in CUDA toolkits.
func cudaFolders(ctx context.Context, beside string) []string {
	dirs := []string{beside}
	sites := library.SitePackages(ctx)
	// …/site-packages/onnxruntime/capi → …/site-packages
	sites = append([]string{filepath.Dir(filepath.Dir(beside))}, sites...)
	for _, site := range sites {
		// The pattern's shape is constant; a folder name with brackets in it
		// finds nothing, which is no fault.
		match, _ := filepath.Glob(filepath.Join(site, "nvidia", "*", "lib"))
		dirs = append(dirs, match...)
	}
	for _, v := range []string{"CUDA_HOME", "CUDA_PATH"} {
		if home := os.Getenv(v); home != "" {
			dirs = append(dirs, filepath.Join(home, "lib64"), filepath.Join(home, "lib"))
		}
	}
	match, _ := filepath.Glob("/usr/local/cuda*/lib64")
	return append(dirs, match...)
}

// remedyFor says where a missing shared object comes from.
func remedyFor(name string) string {
	if strings.HasPrefix(name, "libcuda.so") {
		return "install the NVIDIA driver (it brings libcuda.so.1)"
	}
	for prefix, pkg := range map[string]string{
		"libcublas": "nvidia-cublas", "libcurand": "nvidia-curand", "libcufft": "nvidia-cufft",
		"libcudart": "nvidia-cuda-runtime", "libnvrtc": "nvidia-cuda-nvrtc", "libcudnn": "nvidia-cudnn-cu13",
	} {
		if strings.HasPrefix(name, prefix) {
			return pipInstall + pkg
		}
	}
	return "install " + name
}
