package library

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"ucan/internal/atomicfile"
)

// Plugins are execution providers in libraries of their own, with a release cycle of
// their own, that a loaded onnxruntime takes in afterwards.

// ErrNoPlugin: the library of a plugin provider is not on this machine.
var ErrNoPlugin = errors.New("no plugin library found")

// PluginNames lists the providers whose plugin InstallPlugin fetches, sorted.
func PluginNames() []string { return []string{"openvino", "webgpu"} }

// pluginPackage is the module folder in a plugin's wheel.
func pluginPackage(name string) string { return "onnxruntime_ep_" + name }

// pluginFile is the name of a plugin's library in its package.
func pluginFile(name string) string {
	if name == "openvino" {
		name += "_plugin"
	}
	return FileName("onnxruntime_providers_" + name)
}

// pluginPins lists the packages of a plugin for a platform. Hashes as for pins.
func pluginPins(name, platform string) []pin {
	version, list := "1.8.1", []wheel{
		{"linux/amd64", "manylinux_2_28_x86_64", "", 52587628, "3832643158c8c187fcab6db661cde2a8c06a2b3559d95d0f2411ac0e51c5e924"},
		{"windows/amd64", "win_amd64", "", 75824318, "1acd878be173b02bb8b953460f2f59b121e5f6e47ebc6aad490c0590cf6718fb"},
	}
	switch name {
	case "openvino":
	case "webgpu":
		version, list = "0.4.0", []wheel{
			{"linux/amd64", "manylinux_2_28_x86_64", "", 6892120, "5d8c961eda91a88961cad1fb7621f389f006b18497d6ea9ecf96f729f066cbfb"},
			{"linux/arm64", "manylinux_2_28_aarch64", "", 6096222, "17f660db53b1a509c63e721ac6784a2daa1c4e91a968523ee9986505ee5b0a55"},
			{"darwin/arm64", "macosx_14_0_universal2", "macosx_14_0_arm64", 5200679, "8d0a91d44b43d931c3068b9134aed9770f27803e353c2b58c93e1700bb68bcca"},
			{"windows/amd64", "win_amd64", "", 13149847, "7db646669d1a2390551da675115ea125e68cb3d4d2c3a2d6e463372bf8d6ea87"},
			{"windows/arm64", "win_arm64", "", 14194630, "a9586f6744370776059edd794c11bca2f563258a5bd2707864aefff31d3af39f"},
		}
	default:
		return nil
	}
	return wheelPins("onnxruntime-ep-"+name, version, pluginPackage(name)+"-"+version+"-py3-none", platform, list)
}

// pluginFolder is where a plugin is installed below the cache folder.
func pluginFolder(name, version string) string {
	return name + "-" + version + "-" + strings.ReplaceAll(platform(), "/", "-")
}

// Plugin finds the library of a plugin provider: the pinned one that InstallPlugin put
// into the cache folder ("" for DefaultCacheDir), checked against its digests, else one
// in the Python packages at hand. The error wraps ErrNoPlugin when there is none.
func Plugin(ctx context.Context, cacheDir, name string) (string, error) {
	if !slices.Contains(PluginNames(), name) {
		return "", fmt.Errorf("%w for provider %q: give its path by the option library", ErrNoPlugin, name)
	}
	cache, err := Options{CacheDir: cacheDir}.cacheDir()
	if err == nil {
		for _, p := range pluginPins(name, platform()) {
			file, err := installedPlugin(filepath.Join(cache, pluginFolder(name, p.Version)))
			if err == nil || !errors.Is(err, os.ErrNotExist) {
				return file, err
			}
		}
	}
	for _, site := range SitePackages(ctx) {
		file := filepath.Join(site, pluginPackage(name), pluginFile(name))
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("%w for provider %q: run `ucan runtime install --provider %s`, or give its path by the option library", ErrNoPlugin, name, name)
}

// installedPlugin returns the plugin's library in a folder of the cache, where it is
// complete and unchanged.
func installedPlugin(dir string) (string, error) {
	m, err := unchangedManifest(dir)
	return filepath.Join(dir, m.Library), err
}

// InstallPlugin fetches the pinned plugin of a provider by pip, or takes its wheel from
// in.From, checks its digest, and returns the library's path in the cache.
func InstallPlugin(ctx context.Context, in InstallOptions, name string) (_ string, err error) {
	fail := func(err error) error { return fmt.Errorf("install the %s plugin: %w", name, err) }
	list := pluginPins(name, platform())
	if len(list) == 0 {
		return "", fail(fmt.Errorf("there is no official one for %s; name the library by the provider's option library", platform()))
	}
	p, o := list[0], Options{CacheDir: in.CacheDir, Progress: in.Progress}
	cache, unlock, err := openCache(ctx, o)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	final := filepath.Join(cache, pluginFolder(name, p.Version))
	if file, ferr := installedPlugin(final); ferr == nil && !in.Force {
		o.say("the %s plugin %s is installed in %s", name, p.Version, final)
		return file, nil
	}
	file := in.From
	if file == "" {
		tmp, terr := atomicfile.MakeFolder(cache, ".download-", 0o700)
		if terr != nil {
			return "", fail(terr)
		}
		defer func() { _ = os.RemoveAll(tmp) }() // left-overs are hidden and harmless
		if file, err = in.download(ctx, p, tmp, o); err != nil {
			return "", fail(fmt.Errorf("%w; fetch %s on a connected machine and give it by --from", err, p.File))
		}
	}
	if err = verify(file, p); err != nil {
		return "", fail(err)
	}
	tmp, err := atomicfile.MakeFolder(cache, ".install-", 0o755)
	if err != nil {
		return "", fail(err)
	}
	defer func() { _ = os.RemoveAll(tmp) }() // gone already after the rename
	if err = unpackPlugin(file, name, tmp); err != nil {
		return "", fail(err)
	}
	m := manifest{
		Version: p.Version, Platform: platform(), Plugin: name, Origin: fmt.Sprintf("%s %s by %s", p.Package, p.Version, p.Client),
		SHA256: p.SHA256, Library: pluginFile(name),
	}
	if err = seal(tmp, m); err != nil {
		return "", fail(err)
	}
	if err = replace(tmp, final); err != nil {
		return "", fail(err)
	}
	if file, err = installedPlugin(final); err != nil {
		return "", fail(err)
	}
	o.say("installed the %s plugin %s in %s", name, p.Version, final)
	return file, nil
}

// unpackPlugin puts the files of a plugin's module, Python's own aside, into dir: its
// libraries look for one another in their folder.
func unpackPlugin(file, name, dir string) (err error) {
	r, err := zip.OpenReader(file)
	if err != nil {
		return fmt.Errorf("it is not a wheel: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	found := false
	for _, f := range r.File {
		folder, base := path.Split(f.Name)
		if folder != pluginPackage(name)+"/" || base == "" || path.Ext(base) == ".py" || !f.Mode().IsRegular() {
			continue
		}
		if err := copyFile(filepath.Join(dir, base), func() (io.ReadCloser, error) { return f.Open() }); err != nil {
			return fmt.Errorf("unpack %s: %w", f.Name, err)
		}
		found = found || base == pluginFile(name)
	}
	if !found {
		return fmt.Errorf("it holds no %s", pluginFile(name))
	}
	return nil
}
