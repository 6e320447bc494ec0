package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	goruntime "runtime"
	"slices"
	"strings"
	"time"
)

// probeArgument is the hidden first argument of a probing child, and
// probeVariable marks its environment. Both must be there: a user's program
// that happens to take such an argument is not hijacked, and a child can never
// start children of its own.
const (
	probeArgument = "__ucan-probe-model"
	probeVariable = "UCAN_INTERNAL_PROBE_CHILD"
)

// probePrefix begins the child's line on standard output, so that what else a
// program prints does not matter.
const probePrefix = "ucan-probe: "

// ProbeOptions bounds a probe.
type ProbeOptions struct {
	// Session is how the model will be run.
	Session SessionOptions
	// Timeout is the processor time that the child may take, 0 for ten seconds and a
	// quarter of a second a megabyte of the model. It ends after six times as much in all.
	Timeout time.Duration
	// Memory is the limit on the child's private memory in bytes, 0 for 4 GiB
	// and eight times the model. It holds on Linux; elsewhere only Timeout does.
	Memory int64
	// Known is a file of models that are known to load, "" for one in the
	// user's cache folder, "-" for none.
	Known string
	// Weights identifies the contents of external weights, which Known cannot see: a hash. It
	// counts only where the session has an ExternalDir.
	Weights string
	// LoadOnly asks whether onnxruntime accepts the file as it stands, and no
	// more: nothing is run, inputs and outputs may be other things than
	// tensors, and nodes may land on the CPU whatever the providers.
	LoadOnly bool
}

// ProbeLoad loads a model, and runs it on zeros and on noise where its shapes allow,
// in a child process: onnxruntime aborts on some damaged graphs, exhausts
// memory on others, or does not come back. The child's death, whatever its
// cause, is an error that wraps ErrModel. A model that passed is remembered by
// its hash, together with the library's version and the providers, so that the
// price (one start of the program) is paid once.
//
// The child is this program itself, started again; its main has to begin with
// RunProbeChild (TestMain likewise). In a program that does not, ProbeLoad
// loads the model in the process, which finds ordinary errors but cannot
// contain an abort; Probed tells which it will be.
func (rt *Runtime) ProbeLoad(ctx context.Context, model []byte, o ProbeOptions) error {
	if err := rt.check(); err != nil {
		return err
	}
	if err := o.Session.Validate(); err != nil {
		return err
	}
	known := openKnown(o.Known)
	key := rt.probeKey(ctx, model, o)
	if known.has(key) {
		return nil
	}
	var err error
	if Probed() {
		err = rt.probeInChild(ctx, model, o)
	} else {
		err = rt.probeHere(ctx, model, o.Session, o.LoadOnly)
	}
	if err != nil {
		return err
	}
	known.add(key)
	return nil
}

// Probed reports whether ProbeLoad uses a child process here: whether this
// program called RunProbeChild at its start and is no probing child itself.
func Probed() bool {
	return env.probing.Load() && os.Getenv(probeVariable) == ""
}

// probeKey identifies what was found to load.
func (rt *Runtime) probeKey(ctx context.Context, model []byte, p ProbeOptions) string {
	o := p.Session
	h := sha256.New()
	sum := sha256.Sum256(model)
	fmt.Fprintf(h, "trial 2\n%x\n%s\n%d\n%v\n%s\n", sum, rt.lib.Version, o.Optimization, o.Outputs, o.ExternalDir)
	if o.ExternalDir != "" {
		fmt.Fprintf(h, "weights %q\n", p.Weights)
	}
	for _, provider := range o.Providers {
		fmt.Fprintf(h, "%s %q", provider.Name, rt.pluginIdentity(ctx, provider))
		for _, k := range slices.Sorted(maps.Keys(provider.Options)) {
			fmt.Fprintf(h, " %q=%q", k, provider.Options[k])
		}
		fmt.Fprintln(h)
	}
	if p.LoadOnly {
		fmt.Fprintln(h, "load only")
	}
	return hex.EncodeToString(h.Sum(nil))
}

// probeHere loads the model without protection.
func (rt *Runtime) probeHere(ctx context.Context, model []byte, o SessionOptions, loadOnly bool) error {
	if loadOnly {
		return rt.Accepts(ctx, model, o)
	}
	s, err := rt.NewSession(ctx, model, o)
	if err != nil {
		return err
	}
	// Of the trial only survival and memory count: with every open dimension
	// at 1 it may fail for good reasons.
	err = s.trials()
	if err == nil || !outOfMemory(err) {
		return s.Close()
	}
	return errors.Join(fmt.Errorf("%w: a run needs more memory than there is: %w", ErrModel, err), s.Close())
}

// Accepts loads a model in this process as ProbeOptions.LoadOnly says and
// closes it again. Nothing is optimised, which costs less; what makes a file
// invalid is found all the same.
func (rt *Runtime) Accepts(ctx context.Context, model []byte, o SessionOptions) error {
	if err := rt.check(); err != nil {
		return err
	}
	if err := o.Validate(); err != nil {
		return err
	}
	inputs, outputs, err := graphIO(model)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrModel, err)
	}
	o.reading, o.Optimization, o.Outputs = true, OptimizeNone, nil
	s := &Session{rt: rt, inputs: inputs, outputs: outputs}
	if err := s.open(ctx, model, o); err != nil {
		return err
	}
	env.sessions.Add(1)
	return s.Close()
}

// outOfMemory recognises onnxruntime's two ways to say so; its status code
// does not survive the binding.
func outOfMemory(err error) bool {
	return strings.Contains(err.Error(), "bad_alloc") || strings.Contains(err.Error(), "Failed to allocate memory")
}

// probeRequest is what the parent tells the child; the model follows it on
// standard input.
type probeRequest struct {
	Library string `json:"library"`
	// CacheDir is where plugins are looked for.
	CacheDir string         `json:"cache_dir,omitempty"`
	Session  SessionOptions `json:"session"`
	Memory   int64          `json:"memory"`
	// LoadOnly is that of ProbeOptions.
	LoadOnly bool `json:"load_only,omitempty"`
	// Limit is the processor time that the child may take.
	Limit time.Duration `json:"limit"`
	// Bytes is the length of the model.
	Bytes int `json:"bytes"`
}

// probeReply is the child's answer.
type probeReply struct {
	Error string `json:"error,omitempty"`
	// Kind keeps what errors.Is would have told.
	Kind string `json:"kind,omitempty"`
}

func (rt *Runtime) probeInChild(ctx context.Context, model []byte, o ProbeOptions) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("probe the model: find this program: %w", err)
	}
	limit := o.Timeout
	if limit <= 0 {
		limit = 10*time.Second + time.Duration(len(model)>>20)*time.Second/4
	}
	memory := o.Memory
	if memory <= 0 {
		memory = 4<<30 + 8*int64(len(model))
	}
	request, err := json.Marshal(probeRequest{Library: rt.lib.Path, Session: o.Session, Memory: memory, LoadOnly: o.LoadOnly, Limit: limit, Bytes: len(model)})
	if err != nil {
		return fmt.Errorf("probe the model: %w", err)
	}
	child, cancel := context.WithTimeout(ctx, wallLimit(limit))
	defer cancel()
	cmd := exec.CommandContext(child, exe, probeArgument, string(request))
	cmd.Env = append(os.Environ(), probeVariable+"=1")
	cmd.WaitDelay = 2 * time.Second
	var stdout, stderr tail
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = runBound(cmd, model)
	if reply, ok := parseReply(stdout.String()); ok {
		return reply.err()
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("probe the model: %w", context.Cause(ctx))
	case child.Err() != nil:
		return tookLonger(wallLimit(limit))
	case outOfTime(cmd.ProcessState, limit):
		return tookLonger(limit)
	case err == nil:
		return fmt.Errorf("%w: the probing child gave no answer; does main begin with runtime.RunProbeChild?", ErrModel)
	}
	return died(cmd.ProcessState, err, stderr.String(), memory)
}

// died is the error of a child that ended without an answer. Its cause is told where it is known:
// onnxruntime may abort or fault for many reasons, and the limit of memory is one only where the
// last words say so.
func died(state *os.ProcessState, err error, stderr string, memory int64) error {
	const what = "the process that tried the model died"
	words := lastWords(stderr)
	name := signalName(state)
	switch {
	case outOfMemory(errors.New(stderr)) || strings.Contains(stderr, "out of memory") || strings.Contains(stderr, "cannot allocate memory"):
		return fmt.Errorf("%w: %s (%w%s): it needs more memory than the %d MB that it may take", ErrModel, what, err, words, memory>>20)
	case name == "SIGKILL":
		return fmt.Errorf("%w: %s of SIGKILL%s: somebody or the system ended it, as systems do that run out of memory", ErrModel, what, words)
	case name != "":
		return fmt.Errorf("%w: %s of %s%s", ErrModel, what, name, words)
	}
	return fmt.Errorf("%w: %s (%w%s)", ErrModel, what, err, words)
}

// tookLonger is the error of a trial that was ended.
func tookLonger(limit time.Duration) error {
	return fmt.Errorf("%w: loading and trying it %w of %v; the model does not end, or raise the limit", ErrModel, ErrTimeLimit, limit)
}

// wallLimit is when a child ends that has not used its processor time: on a busy machine
// it may get little of it.
func wallLimit(limit time.Duration) time.Duration { return 6 * limit }

// runBound runs a child that cannot outlive this process. The model goes to its standard
// input, which then stays open: the child ends when it is closed. Where the system can, it
// also kills the child when the thread dies that started it, hence the lock.
func runBound(cmd *exec.Cmd, model []byte) error {
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	dieWithParent(cmd)
	stdin, err := cmd.StdinPipe() // Wait closes it
	if err != nil {
		return err
	}
	if err = cmd.Start(); err != nil {
		return err
	}
	go func() { _, _ = stdin.Write(model) }() // a child that ends early reads less
	return cmd.Wait()
}

// lastWords is the first line of what a dying child said, in brackets.
func lastWords(s string) string {
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			return ": " + line
		}
	}
	return ""
}

func parseReply(out string) (probeReply, bool) {
	var r probeReply
	i := strings.LastIndex(out, probePrefix)
	if i < 0 {
		return r, false
	}
	line, _, _ := strings.Cut(out[i+len(probePrefix):], "\n")
	return r, json.Unmarshal([]byte(line), &r) == nil
}

// replyKinds are the sentinels that survive the way through the pipe.
func replyKinds() map[string]error {
	return map[string]error{"model": ErrModel, "provider": ErrProvider, "options": ErrOptions, "unknown": ErrUnknownProvider}
}

func (r probeReply) err() error {
	if r.Error == "" {
		return nil
	}
	if kind, ok := replyKinds()[r.Kind]; ok {
		// The text begins with the sentinel's own.
		return fmt.Errorf("%w%s", kind, strings.TrimPrefix(r.Error, kind.Error()))
	}
	return errors.New(r.Error)
}

func replyFor(err error) probeReply {
	if err == nil {
		return probeReply{}
	}
	r := probeReply{Error: oneLine(err)}
	for name, kind := range replyKinds() {
		if errors.Is(err, kind) && strings.HasPrefix(r.Error, kind.Error()) {
			r.Kind = name
		}
	}
	return r
}

// RunProbeChild does the work of a probing child if this process is one, and
// tells so; then main must end at once with the given exit code. Call it first
// in main (and in TestMain), with os.Args[1:]. In every other process it only
// notes that ProbeLoad may start this program as its child.
func RunProbeChild(args []string) (code int, child bool) {
	env.probing.Store(true)
	if os.Getenv(probeVariable) == "" || len(args) < 2 || args[0] != probeArgument {
		return 0, false
	}
	reply := replyFor(probeChild(args[1], os.Stdin))
	line, err := json.Marshal(reply)
	if err != nil {
		return 1, true
	}
	if _, err := fmt.Fprintf(os.Stdout, "\n%s%s\n", probePrefix, line); err != nil {
		return 1, true
	}
	return 0, true
}

func probeChild(request string, stdin io.Reader) error {
	var r probeRequest
	if err := json.Unmarshal([]byte(request), &r); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	if err := limitSelf(r.Memory, r.Limit); err != nil {
		return fmt.Errorf("limit the probing process: %w", err)
	}
	// The parent's own clock ends the child; this one serves when the parent cannot.
	time.AfterFunc(wallLimit(r.Limit)+5*time.Second, func() { os.Exit(1) })
	model := make([]byte, r.Bytes)
	if _, err := io.ReadFull(stdin, model); err != nil {
		return fmt.Errorf("read the model: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, stdin) // ends with the parent
		os.Exit(1)
	}()
	ctx := context.Background()
	rt, err := Open(ctx, Config{Library: r.Library, CacheDir: r.CacheDir})
	if err != nil {
		return err
	}
	return errors.Join(rt.probeHere(ctx, model, r.Session, r.LoadOnly), rt.Close())
}

// tail keeps the first and the last few thousand bytes of a child's output.
type tail struct{ head, end []byte }

const tailSize = 8 << 10

// Write keeps what is worth keeping and never fails.
func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if room := tailSize - len(t.head); room > 0 {
		k := min(room, len(p))
		t.head, p = append(t.head, p[:k]...), p[k:]
	}
	t.end = append(t.end, p...)
	if extra := len(t.end) - tailSize; extra > 0 {
		t.end = append(t.end[:0], t.end[extra:]...)
	}
	return n, nil
}

// String is what was kept.
func (t *tail) String() string { return string(t.head) + string(t.end) }
