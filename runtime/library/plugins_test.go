package library

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPluginPinsAreComplete(t *testing.T) {
	some := false
	for _, name := range PluginNames() {
		for _, p := range platforms() {
			for _, x := range pluginPins(name, p) {
				some = true
				if len(x.SHA256) != 64 || x.Bytes < 1e6 || !strings.Contains(x.File, x.Version) || x.Client != "pip" ||
					!strings.HasPrefix(x.File, strings.ReplaceAll(x.Package, "-", "_")) {
					t.Errorf("%s for %s: %+v", name, p, x)
				}
			}
		}
	}
	if !some {
		t.Error("there are no pins")
	}
}

// TestPlugin finds a plugin in a Python package, then in the cache, where it is not
// used once it was changed.
func TestPlugin(t *testing.T) {
	dir := isolate(t)
	cache := filepath.Join(dir, "cache")
	if _, err := Plugin(t.Context(), cache, "webgpu"); !errors.Is(err, ErrNoPlugin) || !strings.Contains(err.Error(), "install --provider webgpu") {
		t.Errorf("nothing there: %v", err)
	}
	if _, err := Plugin(t.Context(), cache, "mine"); !errors.Is(err, ErrNoPlugin) {
		t.Errorf("a plugin of the user's: %v", err)
	}
	packaged := write(t, filepath.Join(dir, "venv/lib/python3.12/site-packages/onnxruntime_ep_webgpu", pluginFile("webgpu")), []byte("x"))
	t.Setenv("VIRTUAL_ENV", filepath.Join(dir, "venv"))
	if path, err := Plugin(t.Context(), cache, "webgpu"); err != nil || path != packaged {
		t.Errorf("found %q, %v", path, err)
	}
	list := pluginPins("webgpu", platform())
	if len(list) == 0 {
		t.Skip("no pin for this platform")
	}
	folder := filepath.Join(cache, pluginFolder("webgpu", list[0].Version))
	wheel := zipFile(t, filepath.Join(dir, "w.whl"), entry{"onnxruntime_ep_webgpu/" + pluginFile("webgpu"), []byte("plugin")},
		entry{"onnxruntime_ep_webgpu/helper.so", []byte("helper")}, entry{"onnxruntime_ep_webgpu/__init__.py", []byte("import os")},
		entry{"onnxruntime_ep_webgpu/../../outside.so", []byte("x")}, entry{"other/thing.so", []byte("x")})
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unpackPlugin(wheel, "webgpu", folder); err != nil {
		t.Fatal(err)
	}
	if err := seal(folder, manifest{Version: list[0].Version, Platform: platform(), Plugin: "webgpu", Library: pluginFile("webgpu")}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 3 { // two files and the manifest
		t.Errorf("unpacked %v, %v", entries, err)
	}
	path, err := Plugin(t.Context(), cache, "webgpu")
	if err != nil || path != filepath.Join(folder, pluginFile("webgpu")) {
		t.Errorf("found %q, %v", path, err)
	}
	if c := inCache(cache); len(c) != 0 {
		t.Errorf("a plugin is taken for onnxruntime: %v", c)
	}
	write(t, filepath.Join(folder, "helper.so"), []byte("HELPER"))
	if path, err := Plugin(t.Context(), cache, "webgpu"); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "install --provider webgpu") {
		t.Errorf("a changed plugin: %q, %v", path, err)
	}
	if err := unpackPlugin(wheel, "openvino", t.TempDir()); err == nil {
		t.Error("another plugin's wheel was taken")
	}
}

func TestInstallPluginVerifiesThePin(t *testing.T) {
	dir := isolate(t)
	if len(pluginPins("webgpu", platform())) == 0 {
		t.Skip("no pin for this platform")
	}
	calls := 0
	cache := filepath.Join(dir, "c")
	_, err := InstallPlugin(t.Context(), InstallOptions{CacheDir: cache, fetch: pinnedByTest([]byte("evil"), &calls)}, "webgpu")
	if err == nil || calls != 1 || !strings.Contains(err.Error(), "instead of the pinned") {
		t.Errorf("unverified bytes after %d calls: %v", calls, err)
	}
	from := write(t, filepath.Join(dir, "mine.whl"), []byte("evil"))
	if _, err = InstallPlugin(t.Context(), InstallOptions{CacheDir: cache, From: from}, "webgpu"); err == nil {
		t.Error("unverified bytes of a file were installed")
	}
	offline := func(context.Context, pin, string, Options) (string, error) { return "", errNoClient }
	if _, err = InstallPlugin(t.Context(), InstallOptions{CacheDir: cache, fetch: offline}, "webgpu"); !errors.Is(err, errNoClient) || !strings.Contains(err.Error(), "--from") {
		t.Errorf("without a client: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(cache, "webgpu*")); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}
