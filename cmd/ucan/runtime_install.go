package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"ucan/runtime/library"
)

// installOptions are those of runtime install.
type installOptions struct {
	from  string
	gpu   bool
	force bool

	plugins []string // that --provider names
}

func (i *installOptions) declare(o *options) {
	o.text(&i.from, "install.from", "from", "", "install from this wheel, archive (.tgz, .zip) or library on disk instead of fetching it").code()
	o.on(&i.gpu, "install.gpu", "gpu", "install the build with the CUDA provider (256 MB to fetch)")
	o.on(&i.force, "install.force", "reinstall", "install anew what is already there")
}

func (i *installOptions) check(f *faults) {
	if i.from != "" && i.gpu {
		f.add(&i.gpu, "a file is given by --from; it holds the CUDA provider or does not")
	}
	i.plugins = askedPlugins(f)
	if len(i.plugins) > 0 && i.gpu || len(i.plugins) > 1 && i.from != "" {
		f.add(&i.from, "install a plugin by itself")
	}
}

// askedPlugins lists the plugins that --provider names. A configured list of providers does not
// count: it says what runs, not what to install.
func askedPlugins(f *faults) []string {
	global := &f.app.global
	if flag := f.app.flags.Lookup("provider"); flag == nil || !flag.Changed {
		return nil
	}
	var names []string
	for _, p := range global.providerList(f) {
		if !slices.Contains(library.PluginNames(), p.Name) {
			f.add(&global.providers, "provider %s has no plugin: install %s, or the build with CUDA by --gpu", p.Name, alternatives(library.PluginNames()))
			continue
		}
		names = append(names, p.Name)
	}
	return names
}

func newRuntimeInstallCommand(a *app) *cobra.Command {
	o := &installOptions{}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install onnxruntime's library into the user's cache folder",
		Long: `Install fetches the pinned official build of onnxruntime by pip or npm, whichever is at hand, checks it against a pinned
SHA-256 and puts it into the user's cache folder. With --from it takes a wheel, an archive or a library from disk
instead: for machines without a network. With --gpu it takes the build with the CUDA provider, with --provider openvino
or webgpu that provider's plugin.`,
		Example: `  ucan runtime install
  ucan runtime install --gpu
  ucan runtime install --provider openvino
  ucan runtime install --from onnxruntime-` + library.Pinned + `-cp312-cp312-manylinux_2_28_x86_64.whl`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRuntimeInstall(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

func runRuntimeInstall(ctx context.Context, a *app, o *installOptions) error {
	how := library.InstallOptions{From: o.from, GPU: o.gpu, Force: o.force, Progress: a.installProgress()}
	if len(o.plugins) > 0 {
		return installPlugins(ctx, a, how, o.plugins)
	}
	lib, err := library.Install(ctx, how)
	if err != nil {
		return err
	}
	if a.json() {
		return writeJSON(a.stdout, lib)
	}
	_, err = fmt.Fprintf(a.stdout, "onnxruntime %s  %s\n", lib.Version, lib.Path)
	return err
}

// installedPlugin is what the command prints of a plugin.
type installedPlugin struct {
	Provider string `json:"provider"`
	Path     string `json:"path"`
}

func installPlugins(ctx context.Context, a *app, o library.InstallOptions, names []string) error {
	var done []installedPlugin
	for _, name := range names {
		path, err := library.InstallPlugin(ctx, o, name)
		if err != nil {
			return err
		}
		done = append(done, installedPlugin{name, path})
	}
	if a.json() {
		return writeJSON(a.stdout, done)
	}
	for _, p := range done {
		if _, err := fmt.Fprintf(a.stdout, "%s plugin  %s\n", p.Provider, p.Path); err != nil {
			return err
		}
	}
	return nil
}
