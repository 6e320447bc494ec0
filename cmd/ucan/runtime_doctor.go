package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ucan/internal/table"
	"ucan/runtime"
	"ucan/runtime/library"
)

// doctorOptions are those of runtime doctor: it has only the ones of every command.
type doctorOptions struct{ providers []runtime.Provider }

func (*doctorOptions) declare(*options) {}

func (d *doctorOptions) check(f *faults) { d.providers = f.app.global.providerList(f) }

func newRuntimeDoctorCommand(a *app) *cobra.Command {
	o := &doctorOptions{}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Show which library runs, which providers it has, and whether they work",
		Long: `Doctor prints the library in use and how it was found, the versions that fit, the processors that this process may keep
busy, and for every provider that is compiled in or asked for by --provider: each shared object it needs, with the
loader's reason where one does not load, and the outcome of a small inference on that provider alone. A provider that
is asked for and does not work makes the command fail (exit 1).`,
		Example: `  ucan runtime doctor
  ucan runtime doctor --provider cuda`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRuntimeDoctor(cmd.Context(), a, o) },
	}
	a.bind(cmd, o)
	return cmd
}

func runRuntimeDoctor(ctx context.Context, a *app, o *doctorOptions) (err error) {
	config := a.runtimeConfig()
	config.GPU = runtime.WantsGPU(o.providers)
	rt, err := runtime.Open(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	report, err := rt.Doctor(ctx, o.providers)
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
