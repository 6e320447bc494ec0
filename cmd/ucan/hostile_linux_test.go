package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"ucan/fixtures/subtest"

	"golang.org/x/sys/unix"
)

// hostileVariable is how many hostile files to try; unset, a few dozen.
const hostileVariable = "UCAN_PROBE_TEST_HOSTILE"

// What a command may use in these tests: memory, and processor time, which does not depend on how
// busy the machine is.
const (
	hostileMemory  = 2 << 30
	hostileSeconds = 20
	hostileWall    = 5 * time.Minute
)

// assault is a command line on a file that means harm.
type assault struct {
	name string
	args []string
}

// TestHostileFiles runs the command on damaged and crafted files, each in a process with 2 GB and
// 20 s: it must answer in one line, must not crash or hang, and must leave no process behind.
//
//	UCAN_PROBE_TEST_HOSTILE=500 go test ./cmd/ucan -run HostileFiles -timeout 2h
func TestHostileFiles(t *testing.T) {
	subtest.Long(t)
	dir, model := workshop(t)
	all := attacks(t, dir, model)
	n, err := strconv.Atoi(os.Getenv(hostileVariable))
	if err != nil {
		n = 40
	}
	if n > len(all) {
		t.Fatalf("there are %d attacks, and %s asks for %d", len(all), hostileVariable, n)
	}
	// An even choice of all kinds.
	for i := range n {
		a := all[i*len(all)/n]
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			a.try(t)
		})
	}
}

// try runs the attack and judges the answer.
func (a assault) try(t *testing.T) {
	mark := fmt.Sprintf("UCAN_PROBE_TEST_MARK=%s-%d", a.name, time.Now().UnixNano())
	cmd := command(t, a.args...)
	cmd.Env = append(cmd.Env, mark)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for resource, most := range map[int]uint64{unix.RLIMIT_DATA: hostileMemory, unix.RLIMIT_CPU: hostileSeconds, unix.RLIMIT_CORE: 0} {
		if err := unix.Prlimit(cmd.Process.Pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil && !errors.Is(err, unix.ESRCH) {
			t.Fatal(err)
		}
	}
	late := time.AfterFunc(hostileWall, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	show := func() string {
		return fmt.Sprintf("ucan %q: %v\n%.2000s\n%.2000s", a.args, err, stdout.String(), stderr.String())
	}
	if !late.Stop() {
		t.Fatalf("it hangs: %s", show())
	}
	if code := cmd.ProcessState.ExitCode(); code < exitDone || code > exitCheck {
		t.Errorf("no answer: %s", show())
	}
	for _, crash := range []string{"panic: ", "goroutine ", "SIGSEGV", "fatal error", "unexpected fault"} {
		if strings.Contains(stderr.String(), crash) {
			t.Errorf("a crash: %s", show())
		}
	}
	if cmd.ProcessState.ExitCode() != exitDone {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "ucan: ") || len(last) > 4000 {
			t.Errorf("no error in one line of sane length: %s", show())
		}
	}
	onlyText(t, outcome{stdout: stdout.String(), stderr: stderr.String()})
	if left := living(mark); len(left) > 0 {
		t.Errorf("processes %v are left behind: %s", left, show())
	}
}

// living lists the processes that have the mark in their environment, after those that are about to
// end did.
func living(mark string) (pids []string) {
	for range 100 {
		pids = pids[:0]
		all, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, path := range all {
			if environ, err := os.ReadFile(path); err == nil && bytes.Contains(environ, []byte(mark)) {
				pids = append(pids, filepath.Base(filepath.Dir(path)))
			}
		}
		if len(pids) == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return pids
}

// hostileFiles makes files that mean harm, and the command lines that read them.
type hostileFiles struct {
	t     *testing.T
	dir   string
	model string
	rng   *rand.Rand
	all   []assault
}

// attacks makes all files; the same ones every time.
func attacks(t *testing.T, dir, model string) []assault {
	w := &hostileFiles{t: t, dir: dir, model: model, rng: rand.New(rand.NewPCG(14, 500))}
	w.models()
	w.arrays()
	w.tables()
	w.archives()
	w.pictures()
	w.texts()
	w.certificates()
	w.irregular()
	return w.all
}

// file writes a file of its own and returns its path.
func (w *hostileFiles) file(name string, content []byte) string {
	w.t.Helper()
	path := filepath.Join(w.dir, "hostile", strconv.Itoa(len(w.all)), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// sparse makes a file of so many zeros that take no room after the beginning.
func (w *hostileFiles) sparse(name string, begin []byte, size int64) string {
	path := w.file(name, begin)
	if err := os.Truncate(path, size); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *hostileFiles) add(name string, args ...string) {
	w.all = append(w.all, assault{fmt.Sprintf("%03d %s", len(w.all), name), args})
}

// inspect and the others are the commands that read a kind of file.
func (w *hostileFiles) inspect(name string, content []byte) {
	w.add(name, "inspect", w.file("m.onnx", content))
}

func (w *hostileFiles) predict(name, kind, file string, content []byte) {
	w.read(name, kind+w.file(file, content))
}

func (w *hostileFiles) read(name, source string) {
	w.add(name, "predict", "--n", "0", "--model", w.model, "--data", source, "--max", "3", "--quiet")
}

// damaged is the content with a few bits turned, a run of bytes overwritten, or its end cut off.
func (w *hostileFiles) damaged(content []byte) []byte {
	b := slices.Clone(content)
	switch w.rng.IntN(4) {
	case 0:
		return b[:w.rng.IntN(len(b))]
	case 1:
		at := w.rng.IntN(len(b))
		for i := at; i < min(at+1+w.rng.IntN(16), len(b)); i++ {
			b[i] = byte(w.rng.UintN(256))
		}
	default:
		for range 1 + w.rng.IntN(6) {
			b[w.rng.IntN(len(b))] ^= 1 << w.rng.UintN(8)
		}
	}
	return b
}

// irregular names pipes, devices, folders, sockets and links without end wherever a file is read or
// written.
func (w *hostileFiles) irregular() {
	in := func(name string) string { return filepath.Join(w.dir, "irregular", name) }
	if err := os.MkdirAll(in("folder"), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := errors.Join(syscall.Mkfifo(in("pipe"), 0o600), os.Symlink("loop", in("loop")), os.Symlink("pipe", in("link"))); err != nil {
		w.t.Skip(err)
	}
	certify := []string{"certify", "--model", w.model, "--data", "digits?n=1", "--sigma", "0.5", "--n", "20", "--n0", "5", "--quiet"}
	with := func(args ...string) []string { return append(slices.Clone(certify), args...) }
	for _, what := range []string{in("pipe"), in("link"), in("loop"), in("folder"), "/dev/zero", "/dev/full", "/proc/self/mem"} {
		for _, args := range [][]string{
			{"inspect", what}, {"grad", what, "--out", in("g.onnx")}, {"verify", what}, {"radius", "--rows", what},
			{"config", "--config", what}, {"zoo", "plan", what}, {"zoo", "status", "--store", "sqlite:" + what},
			{"certify", "--from-counts", what}, {"predict", "--n", "0", "--model", w.model, "--data", "csv:" + what},
			{"predict", "--n", "0", "--model", w.model, "--data", "npy:" + what}, {"predict", "--n", "0", "--model", w.model, "--data", "zip:" + what},
			{"predict", "--n", "0", "--model", w.model, "--data", "mnist:" + what}, {"predict", "--n", "0", "--model", w.model, "--data", "cifar10:" + what},
			{"predict", "--n", "0", "--model", w.model, "--data", "digits?n=1", "--label-map", what},
			with("--sigma-field", what), with("--npg", what), with("--out", what), with("--json", what), with("--denoiser", what),
			with("--plot", what), {"runtime", "install", "--from", what}, {"npg", "check", what, "--model", w.model, "--data", "digits?n=2"},
		} {
			w.add("irregular "+filepath.Base(what)+" "+args[0], args...)
		}
	}
}
