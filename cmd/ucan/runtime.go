package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/table"
	"ucan/runtime"
	"ucan/runtime/library"
)

func newRuntimeCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runtime",
		Short: "Install, examine and compare onnxruntime and its providers",
		Long: `The other commands find onnxruntime's library by themselves: the one named by --library, UCAN_RUNTIME_LIBRARY or the
configuration file; else one that was installed before; else a pip- or distribution-installed one; else the loader's;
else they install the pinned official build into the user's cache folder. These commands do it by hand, and look closer.`,
		Args: noSuchCommand,
		RunE: needsCommand,
	}
	cmd.AddCommand(newRuntimeInstallCommand(a), newRuntimeDoctorCommand(a), newRuntimeCompareCommand(a))
	return cmd
}

func newRuntimeInstallCommand(a *app) *cobra.Command {
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
		RunE: func(cmd *cobra.Command, _ []string) error { return runRuntimeInstall(cmd.Context(), a) },
	}
	addSettings(cmd.Flags(), "install.from", "install.gpu", "install.force")
	return cmd
}

func runRuntimeInstall(ctx context.Context, a *app) error {
	r := a.values()
	o := library.InstallOptions{
		From: r.text("install.from"), GPU: r.flag("install.gpu"), Force: r.flag("install.force"), Progress: a.installProgress(),
	}
	if o.From != "" && o.GPU {
		r.fault("install.gpu", "a file is given by --from; it holds the CUDA provider or does not")
	}
	plugins, err := a.askedPlugins()
	if err != nil {
		return err
	}
	if len(plugins) > 0 && o.GPU || len(plugins) > 1 && o.From != "" {
		r.fault("install.from", "install a plugin by itself")
	}
	if err = r.err(); err != nil {
		return err
	}
	if len(plugins) > 0 {
		return installPlugins(ctx, a, o, plugins)
	}
	lib, err := library.Install(ctx, o)
	if err != nil {
		return err
	}
	if a.json() {
		return writeJSON(a.stdout, lib)
	}
	_, err = fmt.Fprintf(a.stdout, "onnxruntime %s  %s\n", lib.Version, lib.Path)
	return err
}

// askedPlugins lists the plugins that --provider names. A configured list of providers does not count: it says what
// runs, not what to install.
func (a *app) askedPlugins() ([]string, error) {
	if f := a.flags.Lookup("provider"); f == nil || !f.Changed {
		return nil, nil
	}
	providers, err := providersOf(a.viper.Get("runtime.providers"))
	if err != nil {
		return nil, usagef("read --provider: %w", err)
	}
	var names []string
	for _, p := range providers {
		if !slices.Contains(library.PluginNames(), p.Name) {
			return nil, usagef("read --provider: %s is no plugin to install; there are %s, and --gpu installs the build with CUDA",
				p.Name, strings.Join(library.PluginNames(), " and "))
		}
		names = append(names, p.Name)
	}
	return names, nil
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

func newRuntimeDoctorCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Show which library runs, which providers it has, and whether they work",
		Long: `Doctor prints the library in use and how it was found, the versions that fit, the processors that this process may keep
busy, and for every provider that is compiled in or asked for by --provider: each shared object it needs, with the
loader's reason where one does not load, and the outcome of a small inference on that provider alone. A provider that
is asked for and does not work makes the command fail (exit 1).`,
		Example: `  ucan runtime doctor
  ucan runtime doctor --provider cuda`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRuntimeDoctor(cmd.Context(), a) },
	}
}

func runRuntimeDoctor(ctx context.Context, a *app) (err error) {
	r := a.values()
	session, err := a.sessionOptions(r)
	if err != nil {
		return err
	}
	if err = r.err(); err != nil {
		return err
	}
	rt, err := runtime.Open(ctx, session.runtime)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	report, err := rt.Doctor(ctx, session.providers)
	if err != nil {
		return err
	}
	if a.json() {
		err = writeJSON(a.stdout, report)
	} else {
		err = printDoctor(a, report)
	}
	if err != nil {
		return err
	}
	for _, p := range report.Providers {
		if p.Asked && p.Trial != runtime.TrialOK {
			return fmt.Errorf("runtime doctor: provider %s does not work: %s", p.Name, p.Trial)
		}
	}
	return nil
}

func printDoctor(a *app, r runtime.Report) error {
	found := map[library.Source]string{
		library.FromPath: "named by --library, " + library.Environment + " or the configuration", library.FromCache: "installed by ucan",
		library.FromPython: "a Python package", library.FromSystem: "the system's", library.FromLoader: "on the loader's path",
	}[r.Library.Source]
	cpus := fmt.Sprintf("%d", r.CPUs)
	if r.CPUs != r.Machine {
		cpus += fmt.Sprintf(" (of %d: a quota holds)", r.Machine)
	}
	fmt.Fprintf(a.stdout, `library     %s
found as    %s
version     %s (fits: %s to below %s; installed by ucan: %s)
API         %d
processors  %s

`, r.Library.Path, found, r.Library.Version, r.Binding.Oldest, r.Binding.Below, r.Binding.Pinned, r.Binding.API, cpus)

	providers := table.New("provider", "asked for", "in this build", "trial")
	objects := table.New("provider", "needs", "loads from")
	devices := table.New("plugin", "device", "offered as", "vendor")
	for _, p := range r.Providers {
		trial := p.Trial
		if trial == runtime.TrialOK {
			trial = fmt.Sprintf("ok, %.1f ms", p.Milliseconds)
		} else if len(p.Objects) > 0 && !p.Asked {
			trial = "does not load"
		}
		providers.Row(p.Name, yesNo(p.Asked), yesNo(p.Compiled), trial)
		for i, d := range p.Devices {
			devices.Row(p.Name, i, d.Provider, d.Vendor)
		}
		for _, o := range p.Objects {
			from := o.Path
			if !o.Loads() {
				from = "does not load"
				if o.Optional {
					from = "optional, does not load"
				}
				from += ": " + strings.TrimPrefix(o.Reason, o.Name+": ") + " (" + o.Remedy + ")"
			}
			objects.Row(p.Name, o.Name, from)
		}
	}
	if _, err := providers.WriteTo(a.stdout); err != nil {
		return err
	}
	for _, t := range []*table.Table{objects, devices} {
		if t.Len() == 0 {
			continue
		}
		fmt.Fprintln(a.stdout)
		if _, err := t.WriteTo(a.stdout); err != nil {
			return err
		}
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
