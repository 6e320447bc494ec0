package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/models"
	"ucan/models/demo"
	"ucan/runtime"
	"ucan/runtime/runtimetest"
)

// asCommand makes the test binary run as the command itself, for tests that must kill a process.
const asCommand = "UCAN_PROBE_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if code, child := runtime.RunProbeChild(os.Args[1:]); child {
		os.Exit(code)
	}
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(withoutConfiguration(m.Run))
}

// withoutConfiguration runs the tests where no file of the user's is found, so that they can run
// beside each other.
func withoutConfiguration(run func() int) int {
	dir, err := os.MkdirTemp("", "ucan-test")
	if err == nil {
		err = os.Setenv("XDG_CONFIG_HOME", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	defer func() { _ = os.RemoveAll(dir) }()
	return run()
}

// outcome is what one command line did.
type outcome struct {
	stdout, stderr string
	code           int
}

// ucan runs a command line in this process.
func ucan(t *testing.T, args ...string) outcome {
	t.Helper()
	return ucanContext(t, context.Background(), args...)
}

func ucanContext(t *testing.T, ctx context.Context, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(ctx, args, &stdout, &stderr)
	code := exitCode(ctx, err)
	if line := errorLine(code, err); line != "" {
		fmt.Fprintln(&stderr, line)
	}
	return outcome{stdout.String(), stderr.String(), code}
}

// want fails the test unless the command line ends with the code; failures must print one line.
func want(t *testing.T, code int, args ...string) outcome {
	t.Helper()
	got := ucan(t, args...)
	if got.code != code {
		t.Fatalf("ucan %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got.code, code, got.stdout, got.stderr)
	}
	if code != exitDone && strings.Count(got.stderr, "ucan: ")-strings.Count(got.stderr, "ucan: warning: ") != 1 {
		t.Errorf("ucan %s: want one line of error, got\n%s", strings.Join(args, " "), got.stderr)
	}
	return got
}

// workshop is a folder with the demonstration model in it, and no configuration in force.
func workshop(t *testing.T) (dir, model string) {
	t.Helper()
	runtimetest.Open(t)
	dir = t.TempDir()
	model, err := writeDemoModel(dir, demo.Model())
	if err != nil {
		t.Fatal(err)
	}
	return dir, model
}

// command starts the command as a process of its own.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// timeless drops the column of times, the only one that may differ between equal runs.
func timeless(t *testing.T, path string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(read(t, path)) {
		fields := strings.Split(line, "\t")
		if len(fields) < 7 {
			t.Fatalf("%s: line %q", path, line)
		}
		out.WriteString(strings.Join(append(fields[:5:5], fields[6:]...), "\t"))
	}
	return out.String()
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	live, dead := context.Background(), func() context.Context {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx
	}()
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want int
	}{
		{"nothing wrong", live, nil, exitDone},
		{"a finished run is done, whatever the signal", dead, nil, exitDone},
		{"any error", live, errors.New("disk full"), exitFailed},
		{"usage", live, usagef("bad flag"), exitUsage},
		{"wrapped usage", live, fmt.Errorf("certify: %w", usagef("bad flag")), exitUsage},
		{"refused", live, refusef("unsound"), exitRefused},
		{"a model's refusal", live, fmt.Errorf("open: %w", &models.Refusal{Reason: "r", Remedy: "m"}), exitRefused},
		{"check", live, checkf("forged"), exitCheck},
		{"interrupted", dead, errors.New("session terminated"), exitInterrupted},
		{"cancelled inside", live, fmt.Errorf("run: %w", context.Canceled), exitInterrupted},
		{"usage wins over the signal", dead, usagef("bad flag"), exitUsage},
	} {
		if got := exitCode(c.ctx, c.err); got != c.want {
			t.Errorf("%s: exit %d, want %d", c.name, got, c.want)
		}
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	t.Parallel()
	got := errorLine(exitFailed, errors.Join(errors.New("read a"), errors.New("close\n\tb")))
	if got != "ucan: read a close b" {
		t.Errorf("line %q", got)
	}
	if got := errorLine(exitInterrupted, resumableError{context.Canceled}); !strings.Contains(got, "--resume") {
		t.Errorf("an interruption does not say how to go on: %q", got)
	}
	if got := errorLine(exitInterrupted, context.Canceled); got != "ucan: interrupted" {
		t.Errorf("an interruption without outputs claims something: %q", got)
	}
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	base := []string{"certify", "--model", model, "--data", "digits?n=60", "--max", "2", "--n", "100", "--seed", "1", "--quiet"}
	with := func(more ...string) []string { return append(append([]string{}, base...), more...) }
	sound := func(more ...string) []string { return with(append([]string{"--sigma", "0.25"}, more...)...) }
	for name, args := range subtest.Rows(map[string][]string{
		"unknown command":     {"certfy"},
		"unknown flag":        sound("--sgima", "1"),
		"stray argument":      sound("model.onnx"),
		"no scale":            base,
		"sigma zero":          with("--sigma", "0"),
		"sigma negative":      with("--sigma", "-1"),
		"sigma NaN":           with("--sigma", "NaN"),
		"sigma no number":     with("--sigma", "much"),
		"sigma and lambda":    sound("--lambda", "1"),
		"alpha zero":          sound("--alpha", "0"),
		"alpha one":           sound("--alpha", "1"),
		"n below one":         sound("--n", "0"),
		"n0 below one":        sound("--n0", "0"),
		"n no number":         sound("--n", "many"),
		"unknown family":      sound("--noise", "gausian"),
		"unknown parameter":   sound("--param", "k=1"),
		"unknown norm":        sound("--norm", "l7"),
		"unknown provider":    sound("--provider", "gpu9000"),
		"unknown profile":     sound("--adaptive", "lazy"),
		"grid at fixed n":     sound("--grid", "0.1,0.2"),
		"label-aware fixed n": sound("--label-aware"),
		"shard out of range":  sound("--shard", "3/3"),
		"unknown layout":      sound("--layout", "chwn"),
		"unknown generator":   with("--npg", "patern:l2"),
		"bad plot":            sound("--plot", "curve.gif"),
		"resume of nothing":   sound("--resume"),
		"n too small":         sound("--n", "5"),
		"no model":            {"certify", "--data", "digits", "--sigma", "1"},
		"no data":             {"certify", "--model", model, "--sigma", "1"},
		"unknown source":      {"certify", "--model", model, "--data", "minst:" + dir, "--sigma", "1"},
		"format":              {"version", "--format", "xml"},
		"workers over":        sound("--threads", "1", "--workers", "2"),
	}) {
		t.Run(name, func(t *testing.T) { want(t, exitUsage, args...) })
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir, model := workshop(t)
	certify := func(model, data string) []string {
		return []string{"certify", "--model", model, "--data", data, "--sigma", "0.25", "--n", "100", "--max", "2", "--quiet"}
	}
	whole := []byte(read(t, model))
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range subtest.Rows(map[string]struct {
		code int
		args []string
	}{
		"missing model":   {exitFailed, certify(filepath.Join(dir, "none.onnx"), "digits")},
		"truncated model": {exitFailed, certify(write("torn.onnx", whole[:len(whole)/3]), "digits")},
		"random bytes":    {exitFailed, certify(write("random.onnx", bytes.Repeat([]byte{0x5a, 0xc3, 0x11}, 999)), "digits")},
		"empty model":     {exitFailed, certify(write("empty.onnx", nil), "digits")},
		"missing data":    {exitUsage, certify(model, "mnist:"+filepath.Join(dir, "none"))},
		"missing library": {exitFailed, append(certify(model, "digits"), "--library", filepath.Join(dir, "none.so"))},
		"wrong size":      {exitRefused, certify(model, "npy:"+write("wide.npy", zeroArray("(5, 1, 32, 32)", 5*32*32)))},
	}) {
		t.Run(name, func(t *testing.T) {
			got := ucan(t, c.args...)
			if got.code == exitDone || got.code == exitInterrupted {
				t.Fatalf("exit %d\n%s", got.code, got.stderr)
			}
			if got.code != c.code && (name != "missing data" || got.code != exitFailed) {
				t.Errorf("exit %d, want %d: %s", got.code, c.code, got.stderr)
			}
		})
	}
}

// zeroArray is a .npy file of float32 zeros.
func zeroArray(shape string, values int) []byte {
	header := "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }"
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	out := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	return append(append(out, header...), make([]byte, 4*values)...)
}
