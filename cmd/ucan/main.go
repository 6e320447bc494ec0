// Command ucan certifies pretrained ONNX classifiers against adversarial perturbations by
// randomized smoothing with isotropic or anisotropic noise, on onnxruntime.
//
// Each subcommand lives in a file of its own, which parses, wires and prints; the mathematics is in
// package smooth, the models are in package models, and what only the command needs is under
// internal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"ucan/internal/plain"
	"ucan/runtime"
)

func main() {
	runtime.ReturnMemory()
	if code, child := runtime.RunProbeChild(os.Args[1:]); child {
		os.Exit(code)
	}
	os.Exit(runInterruptibly())
}

// runInterruptibly runs the command line and returns the exit code. After the first signal the run
// ends in order; a second one kills it at once.
func runInterruptibly() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	// Rows are synced as they are made, so nothing is lost; a run in a library that does not come
	// back has no other end.
	runtime.OnStuck(func(err error) {
		fmt.Fprintln(os.Stderr, errorLine(exitFailed, err))
		os.Exit(exitFailed)
	})
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	code := exitCode(ctx, err)
	if line := errorLine(code, err); line != "" {
		fmt.Fprintln(os.Stderr, line)
	}
	return code
}

// run executes the command line args, writing results to stdout and everything else to stderr. It
// is the whole program but for signals and the exit code, so tests call it too. All text leaves
// through writers that escape what is no text: names in models, tables and certificates are not
// ours.
func run(ctx context.Context, args []string, out, messages io.Writer) error {
	stdout, stderr := plain.NewWriter(out), plain.NewWriter(messages)
	a := newApp(stdout, stderr)
	root := newRootCommand(a) //nolint:contextcheck // cobra hands the context to each command's RunE
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := checkCommand(root, args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	err = errors.Join(err, a.close(), stdout.Flush(), stderr.Flush())
	if err != nil && a.resumable {
		err = resumableError{err}
	}
	if err != nil && !a.started {
		return usage(err) // cobra refused the command line before any of our code ran
	}
	return err
}
