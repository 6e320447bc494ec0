package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"ucan/runtime/library"
)

// Options of plugin providers that are for us; all others go to the provider.
const (
	// LibraryOption is the path of the plugin's library. With it, a provider may have
	// any name.
	LibraryOption = "library"
	// DeviceOption is the place of the device to use in the list that the plugin
	// offers, "0" when it is not given. Doctor shows that list.
	DeviceOption = "device"
)

// ownName is what a provider with a library of the user's own may be called.
var ownName = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,63}$`)

// plugin reports whether a library of the user's own is named for p.
func (p Provider) plugin() bool { return p.Options[LibraryOption] != "" }

// validatePlugin checks what is said about a plugin's library and device.
func (p Provider) validatePlugin() error {
	known, ok := providerTable()[p.Name]
	switch {
	case p.plugin() && ok && !known.plugin:
		return fmt.Errorf("%w: provider %q is part of onnxruntime and takes no %s; give a plugin another name", ErrOptions, p.Name, LibraryOption)
	case p.plugin() && !ok && !ownName.MatchString(p.Name):
		return fmt.Errorf("%w %q; a plugin's name has up to 64 of a–z, 0–9, _, . and -, and begins with a letter", ErrUnknownProvider, p.Name)
	case !p.plugin() && !ok:
		return fmt.Errorf("%w %q; known are %s, and any other name for a plugin of your own, with its path as the option %s",
			ErrUnknownProvider, p.Name, strings.Join(ProviderNames(), ", "), LibraryOption)
	}
	if device, given := p.Options[DeviceOption]; given && (p.plugin() || known.plugin) {
		if n, err := strconv.Atoi(device); err != nil || n < 0 {
			return fmt.Errorf("%w: %s %q of provider %q is out of range: give the place in the list of its devices, 0 or more", ErrOptions, DeviceOption, device, p.Name)
		}
	}
	return nil
}

// registered is a plugin that this process has taken in, with what it offers.
type registered struct {
	name    string // the provider's
	devices []ort.EpDevice
}

// Device is one that a plugin offers.
type Device struct {
	Provider string `json:"provider"` // as the plugin calls itself
	Vendor   string `json:"vendor"`
}

// pluginPath finds the library that p is served by.
func (rt *Runtime) pluginPath(ctx context.Context, p Provider) (string, error) {
	path := p.Options[LibraryOption]
	if path == "" {
		if known, ok := rt.plugins.Load(p.Name); ok {
			return known.(string), nil
		}
		found, err := library.Plugin(ctx, rt.cacheDir, p.Name)
		if err == nil {
			rt.plugins.Store(p.Name, found)
		}
		return found, err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the plugin's library: %w", err)
	}
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// register loads a plugin's library, once in a process, and returns what it offers. A
// plugin is never taken out again: sessions may use it.
func (e *environment) register(name, path string) (registered, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r, ok := e.plugins[path]; ok {
		return r, nil
	}
	before, err := ort.GetEpDevices()
	if err != nil {
		return registered{}, err
	}
	// Any name will do that no other library has.
	if err = ort.RegisterExecutionProviderLibrary("ucan:"+path, path); err != nil {
		return registered{}, fmt.Errorf("the plugin %q does not load: %w", path, err)
	}
	after, err := ort.GetEpDevices()
	if err != nil {
		return registered{}, err
	}
	r := registered{name: name, devices: slices.DeleteFunc(after, func(d ort.EpDevice) bool { return slices.Contains(before, d) })}
	if e.plugins == nil {
		e.plugins = make(map[string]registered)
	}
	e.plugins[path] = r
	return r, nil
}

// pluginNames maps what the plugins of this process call themselves, in profiles too,
// to their names here.
func (e *environment) pluginNames() map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	names := make(map[string]string)
	for _, r := range e.plugins {
		for _, d := range r.devices {
			names[d.EpName()] = r.name
		}
	}
	return names
}

// devices lists what the plugin of p offers on this machine.
func (rt *Runtime) devices(ctx context.Context, p Provider) (path string, list []ort.EpDevice, err error) {
	if path, err = rt.pluginPath(ctx, p); err != nil {
		return "", nil, err
	}
	r, err := env.register(p.Name, path)
	return path, r.devices, err
}

// appendPlugin adds a device of the plugin of p to the session options.
func (rt *Runtime) appendPlugin(ctx context.Context, so *ort.SessionOptions, p Provider) error {
	path, devices, err := rt.devices(ctx, p)
	if err != nil {
		return err
	}
	if len(devices) == 0 {
		return fmt.Errorf("the plugin %q offers no device on this machine; look at what its vendor supports, or use another provider", path)
	}
	at := 0
	if given, ok := p.Options[DeviceOption]; ok {
		if at, err = strconv.Atoi(given); err != nil || at < 0 || at >= len(devices) {
			return fmt.Errorf("%s %s does not exist: the plugin offers %d (`ucan runtime doctor --provider %s` lists them)", DeviceOption, given, len(devices), p.Name)
		}
	}
	options := maps.Clone(p.Options)
	delete(options, LibraryOption)
	delete(options, DeviceOption)
	return so.AppendExecutionProviderV2(devices[at:at+1], options)
}

// appendBuiltInOrPlugin adds a provider that some builds of onnxruntime hold, and that
// comes as a plugin for all others.
func (rt *Runtime) appendBuiltInOrPlugin(ctx context.Context, so *ort.SessionOptions, p Provider, builtIn func() error) error {
	if _, err := rt.pluginPath(ctx, p); err == nil || p.plugin() {
		return rt.appendPlugin(ctx, so, p)
	} else if !errors.Is(err, library.ErrNoPlugin) {
		return err
	}
	if builtIn() != nil { // it says no more than that this build has none
		_, err := rt.pluginPath(ctx, p)
		return err
	}
	return nil
}

// pluginIdentity tells builds of a plugin apart without reading them.
func (rt *Runtime) pluginIdentity(ctx context.Context, p Provider) string {
	if !p.plugin() && !providerTable()[p.Name].plugin {
		return ""
	}
	path, err := rt.pluginPath(ctx, p)
	if err != nil {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil {
		return path
	}
	return fmt.Sprintf("%s %d %d", path, info.Size(), info.ModTime().UnixNano())
}
