package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	ort "github.com/yalue/onnxruntime_go"

	"ucan/runtime/onnx"
)

// Session is a graph ready to run. Run may be called from several goroutines
// at once; Close waits for them.
type Session struct {
	rt        *Runtime
	inputs    []IO
	outputs   []IO
	provider  string
	fallbacks []Fallback
	limit     time.Duration // of one Run
	slowest   atomic.Int64  // of the Runs that ended, in nanoseconds

	mu    sync.RWMutex // held for reading by Run, for writing by Close
	inner *ort.DynamicAdvancedSession

	slotMu sync.Mutex
	slots  []*slot // idle ones
}

// disableFallback is onnxruntime's entry that makes a node without a home on
// the asked providers an error instead of a CPU node.
const disableFallback = "session.disable_cpu_ep_fallback"

// NewSession loads a serialised ONNX model. The bytes are not kept. Providers
// are tried in order as SessionOptions says; Provider and Fallbacks tell what
// came of it. onnxruntime can abort the process on damaged graphs: load files
// of unknown origin by ProbeLoad first.
//
// Errors wrap ErrOptions or ErrUnknownProvider (bad options), ErrProvider (a
// provider cannot be used) or ErrModel (the graph is at fault).
func (rt *Runtime) NewSession(ctx context.Context, model []byte, opts SessionOptions) (*Session, error) {
	if err := rt.check(); err != nil {
		return nil, err
	}
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	inputs, outputs, err := graphIO(model)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	if slices.ContainsFunc(outputs, untyped) {
		// Rare: the file leaves the types of outputs to inference. A throw-away
		// session tells them.
		if outputs, err = inferredOutputs(model, outputs); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrModel, err)
		}
	}
	if outputs, err = selectOutputs(outputs, opts.Outputs); err != nil {
		return nil, err
	}
	for _, in := range inputs {
		if !in.Tensor {
			return nil, fmt.Errorf("%w: input %q is not a tensor", ErrModel, in.Name)
		}
	}
	s := &Session{rt: rt, inputs: inputs, outputs: outputs, limit: cmp.Or(opts.RunLimit, DefaultRunLimit)}
	if err := s.open(ctx, model, opts); err != nil {
		return nil, err
	}
	env.sessions.Add(1)
	return s, nil
}

func untyped(d IO) bool { return d.Tensor && d.DType == onnx.Undefined }

// inferredOutputs completes outputs by what onnxruntime infers.
func inferredOutputs(model []byte, outputs []IO) ([]IO, error) {
	_, infos, err := ort.GetInputOutputInfoWithONNXData(model)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(outputs)
	for i := range out {
		j := slices.IndexFunc(infos, func(f ort.InputOutputInfo) bool { return f.Name == out[i].Name })
		if j < 0 || !untyped(out[i]) {
			continue
		}
		f := infos[j]
		out[i].Tensor = f.OrtValueType == ort.ONNXTypeTensor
		out[i].DType = fromORT(f.DataType)
		out[i].Ranked = out[i].Tensor
		out[i].Dims = slices.Clone([]int64(f.Dimensions))
		out[i].Symbols = make([]string, len(out[i].Dims))
	}
	return out, nil
}

// selectOutputs picks the named outputs in their order, or all tensors.
func selectOutputs(all []IO, names []string) ([]IO, error) {
	if names == nil {
		out := slices.DeleteFunc(slices.Clone(all), func(d IO) bool { return !d.Tensor })
		if len(out) == 0 {
			return nil, fmt.Errorf("%w: it has no tensor output", ErrModel)
		}
		return out, nil
	}
	out := make([]IO, 0, len(names))
	for _, name := range names {
		i := slices.IndexFunc(all, func(d IO) bool { return d.Name == name })
		switch {
		case i < 0:
			return nil, fmt.Errorf("%w: the graph has no output %q; it has %s", ErrOptions, name, ioNames(all))
		case !all[i].Tensor:
			return nil, fmt.Errorf("%w: output %q is not a tensor", ErrOptions, name)
		}
		out = append(out, all[i])
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no output is asked for", ErrOptions)
	}
	return out, nil
}

func ioNames(list []IO) string {
	names := make([]string, len(list))
	for i, d := range list {
		names[i] = fmt.Sprintf("%q", d.Name)
	}
	return strings.Join(names, ", ")
}

// open tries the providers from each position of the list until one session
// stands.
func (s *Session) open(ctx context.Context, model []byte, opts SessionOptions) error {
	wanted := opts.Providers
	if len(wanted) == 0 {
		wanted = []Provider{{Name: CPU}}
	}
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("create session: %w", context.Cause(ctx))
		}
		failed, err := s.create(ctx, model, opts, wanted)
		if err == nil {
			return nil
		}
		if failed < 0 { // the graph's own fault
			return err
		}
		if opts.strict() {
			return err
		}
		s.fallbacks = append(s.fallbacks, Fallback{Provider: wanted[failed].Name, Reason: oneLine(err)})
		if wanted = slices.Delete(slices.Clone(wanted), failed, failed+1); len(wanted) == 0 {
			return fmt.Errorf("%w; add cpu to the providers to fall back to it", err)
		}
	}
}

// create makes the session with exactly the given providers. On failure it
// returns the index of the provider to blame, −1 when it is the graph.
func (s *Session) create(ctx context.Context, model []byte, opts SessionOptions, wanted []Provider) (failed int, err error) {
	so, err := opts.ortOptions()
	if err != nil {
		return -1, err
	}
	defer func() { err = errors.Join(err, destroyOptions(so)) }()

	first := CPU // what is left when no provider is: onnxruntime's own default
	device := -1 // index of the first provider that is not the CPU
	for i, p := range wanted {
		if p.Name == CPU {
			break // nothing after it would get a node
		}
		if err = s.rt.appendProvider(ctx, so, p); err != nil {
			return i, fmt.Errorf("%w: %s: %w", ErrProvider, p.Name, err)
		}
		if device < 0 {
			device, first = i, p.Name
		}
	}
	alone := device >= 0 && !opts.reading && !slices.ContainsFunc(wanted, func(p Provider) bool { return p.Name == CPU })
	if alone {
		if err = so.AddSessionConfigEntry(disableFallback, "1"); err != nil {
			return device, err
		}
	}
	inner, err := s.build(model, so)
	if err != nil && alone && strings.Contains(err.Error(), "fallback") {
		// Some providers leave shape arithmetic to the CPU on purpose. Where
		// only that stayed behind, the session is as strict as can be.
		if perr := s.rt.checkPlacement(ctx, model, opts, wanted); perr != nil {
			return device, fmt.Errorf("%w: %s: %w", ErrProvider, first, perr)
		}
		if err = so.AddSessionConfigEntry(disableFallback, "0"); err != nil {
			return device, err
		}
		inner, err = s.build(model, so)
	}
	if err != nil {
		if device >= 0 {
			return device, fmt.Errorf("%w: %s: %w", ErrProvider, first, tidy(err))
		}
		return -1, fmt.Errorf("%w: %w", ErrModel, err)
	}
	s.inner, s.provider = inner, first
	if device >= 0 && !alone && !opts.reading {
		s.recordPlacement(ctx, model, opts, wanted)
	}
	return -1, nil
}

func (s *Session) build(model []byte, so *ort.SessionOptions) (*ort.DynamicAdvancedSession, error) {
	d := watchdog{what: "create session"}
	d.start(DefaultRunLimit)
	defer d.stop()
	return ort.NewDynamicAdvancedSessionWithONNXData(model, names(s.inputs), names(s.outputs), so)
}

func names(list []IO) []string {
	out := make([]string, len(list))
	for i, d := range list {
		out[i] = d.Name
	}
	return out
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

// Inputs describes the inputs in the order in which Run takes them: the
// graph's inputs without those that have an initialiser.
func (s *Session) Inputs() []IO { return slices.Clone(s.inputs) }

// Outputs describes the computed outputs in the order in which Run takes them.
func (s *Session) Outputs() []IO { return slices.Clone(s.outputs) }

// Provider names the provider that computes: the first of those asked for that
// runs any node which touches floating-point values. Fallbacks tells why it is
// not the first of the list, and what else runs on the CPU.
func (s *Session) Provider() string { return s.provider }

// Fallbacks lists the providers that were passed over or did not get all nodes,
// with the reasons.
func (s *Session) Fallbacks() []Fallback { return slices.Clone(s.fallbacks) }

// Close waits for running Runs and releases the session. Further calls do
// nothing.
func (s *Session) Close() (err error) {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inner == nil {
		return nil
	}
	for _, sl := range s.slots {
		err = errors.Join(err, sl.close())
	}
	s.slots = nil
	err = errors.Join(err, s.inner.Destroy())
	s.inner = nil
	env.sessions.Add(-1)
	return err
}
