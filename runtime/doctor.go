package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"time"

	ort "github.com/yalue/onnxruntime_go"

	"ucan/runtime/internal/dl"
	"ucan/runtime/library"
)

// Report is what Doctor found.
type Report struct {
	Library   library.Library  `json:"library"`
	Binding   BindingReport    `json:"binding"`
	CPUs      int              `json:"cpus"`      // that this process can keep busy, quota included
	Machine   int              `json:"cpus_seen"` // that onnxruntime would count by itself
	Providers []ProviderReport `json:"providers"` // those compiled in, and those asked for
	Healthy   bool             `json:"healthy"`   // every asked-for provider passed its trial
}

// BindingReport says what the binding asks of a library.
type BindingReport struct {
	API    int    `json:"api"`
	Oldest string `json:"oldest"` // first version that has the API
	Below  string `json:"below"`  // first version not expected to have it
	Pinned string `json:"pinned"` // version that `ucan runtime install` fetches
}

// ProviderReport is the state of one execution provider.
type ProviderReport struct {
	Name string `json:"name"`
	// Asked: it was named in the configuration.
	Asked bool `json:"asked"`
	// Compiled: the library holds it, or the provider's own library lies
	// beside it, or its plugin is there. That does not mean that it loads.
	Compiled bool `json:"compiled"`
	// Objects are the shared objects it needs, each with the loader's answer.
	Objects []SharedObject `json:"objects,omitempty"`
	// Plugin is the path of the provider's plugin library, "" for one that is not a plugin.
	Plugin string `json:"plugin,omitempty"`
	// Devices are those that the plugin offers on this machine, in the order of
	// DeviceOption.
	Devices []Device `json:"devices,omitempty"`
	// Trial is the outcome of a small inference on this provider alone,
	// strictly: "ok", "" when it was not tried, or why it failed.
	Trial string `json:"trial"`
	// Milliseconds is the time to create the trial's session and run it once.
	Milliseconds float64 `json:"milliseconds,omitempty"`
}

// TrialOK is the ProviderReport.Trial of a provider that works.
const TrialOK = "ok"

// Doctor examines the library and its providers and runs a small inference on
// each that is compiled in or asked for (the CPU when none is). It fails only
// when ctx ends; everything else is in the report.
func (rt *Runtime) Doctor(ctx context.Context, asked []Provider) (Report, error) {
	if err := rt.check(); err != nil {
		return Report{}, err
	}
	r := Report{
		Library: rt.lib,
		Binding: BindingReport{API: library.API, Oldest: library.Oldest, Below: library.Below, Pinned: library.Pinned},
		CPUs:    CPUCount(), Machine: goruntime.NumCPU(), Healthy: true,
	}
	if len(asked) == 0 {
		asked = []Provider{{Name: CPU}}
	}
	for _, name := range providersToExamine(asked) {
		if ctx.Err() != nil {
			return r, context.Cause(ctx)
		}
		p := Provider{Name: name}
		i := slices.IndexFunc(asked, func(a Provider) bool { return a.Name == name })
		if i >= 0 {
			p = asked[i]
		}
		pr := rt.examineProvider(ctx, p)
		pr.Asked = i >= 0
		if !pr.Asked && !pr.Compiled {
			continue
		}
		r.Providers = append(r.Providers, pr)
		r.Healthy = r.Healthy && (!pr.Asked || pr.Trial == TrialOK)
	}
	return r, nil
}

// providersToExamine lists those that onnxruntime knows, and those of the user's own.
func providersToExamine(asked []Provider) []string {
	names := providerTable()
	for _, p := range asked {
		names[p.Name] = providerRow{}
	}
	return slices.Sorted(maps.Keys(names))
}

func (rt *Runtime) examineProvider(ctx context.Context, p Provider) ProviderReport {
	pr := ProviderReport{Name: p.Name}
	if p.plugin() || providerTable()[p.Name].plugin {
		// A plugin loads when it is asked for, not because it lies there.
		if path, err := rt.pluginPath(ctx, p); err == nil || p.plugin() {
			return rt.examinePlugin(ctx, p, pr, path)
		}
	}
	pr.Compiled = rt.compiled(ctx, p.Name)
	if file := providerFile(p.Name); file != "" && pr.Compiled && dl.Supported {
		var err error
		if pr.Objects, err = sharedObjects(ctx, filepath.Join(filepath.Dir(rt.lib.Path), file)); err != nil {
			pr.Trial = oneLine(err)
			return pr
		}
	}
	return rt.timeTrial(ctx, p, pr)
}

// examinePlugin lists what a plugin needs and offers, and tries it.
func (rt *Runtime) examinePlugin(ctx context.Context, p Provider, pr ProviderReport, path string) ProviderReport {
	pr.Plugin, pr.Compiled = path, path != ""
	_, devices, err := rt.devices(ctx, p)
	if err != nil {
		pr.Trial = oneLine(err)
		return pr
	}
	for _, d := range devices {
		pr.Devices = append(pr.Devices, Device{Provider: d.EpName(), Vendor: d.EpVendor()})
	}
	return rt.timeTrial(ctx, p, pr)
}

// timeTrial runs the trial and completes the report by its outcome.
func (rt *Runtime) timeTrial(ctx context.Context, p Provider, pr ProviderReport) ProviderReport {
	start := time.Now()
	if err := rt.tryProvider(ctx, p); err != nil {
		pr.Trial = strings.TrimPrefix(oneLine(err), fmt.Sprintf("%v: %s: ", ErrProvider, p.Name))
		return pr
	}
	pr.Trial = TrialOK
	pr.Milliseconds = float64(time.Since(start).Microseconds()) / 1000
	return pr
}

// compiled says whether the library at hand holds a provider. The binding has
// no list of them, so it is asked to append each to options that are dropped.
func (rt *Runtime) compiled(ctx context.Context, name string) bool {
	if file := providerFile(name); file != "" {
		_, err := os.Stat(filepath.Join(filepath.Dir(rt.lib.Path), file))
		return err == nil
	}
	if name == CPU {
		return true
	}
	so, err := ort.NewSessionOptions()
	if err != nil {
		return false
	}
	env.sessionOptions.Add(1)
	err = rt.appendProvider(ctx, so, Provider{Name: name})
	return errors.Join(err, destroyOptions(so)) == nil
}

// tryProvider runs the tiny model strictly on one provider and compares its
// result.
func (rt *Runtime) tryProvider(ctx context.Context, p Provider) (err error) {
	model, err := tinyModel()
	if err != nil {
		return err
	}
	s, err := rt.NewSession(ctx, model, SessionOptions{Providers: []Provider{p}, IntraOp: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	x, err := NewTensor(rt, []int64{2, 3}, tinyInput())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	y, err := Empty[float32](rt, 2, 2)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, y.Close()) }()
	if err := s.Run(ctx, []*Tensor{x}, []*Tensor{y}); err != nil {
		return err
	}
	// Small integers: exact on every provider, TF32 included.
	if got := Data[float32](y); !slices.Equal(got, tinyOutput()) {
		return fmt.Errorf("the trial inference gave %v instead of %v", got, tinyOutput())
	}
	return nil
}
