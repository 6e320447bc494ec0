package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"ucan/internal/audit"
	"ucan/runtime/files"
	"ucan/smooth/certificate"
)

func newVerifyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify FILE.jsonl",
		Short: "Recompute every certificate from its counts, and with --resample from fresh noise",
		Long: `Verify recomputes the id, the bound on p_A, the radius, the region, the ℓ1, ℓ2 and ℓ∞ radii, the volume and everything
else that follows from the votes and parameters of each certificate, and the scales of patterns from their formula. It names
each line and field that is false or altered, with the stored and the recomputed value, and then exits with 4.

Certificates called deployed must have noise that does not change with the input: among those of one model, dimension and
arithmetic, several noises are accepted only where they were tried on the same inputs, or one on a part of the other's.

A certificate that cannot be checked (a guarantee without a theorem here, a noise field that is missing) is listed with the
reason. It hides no false one: exit 4 if any is false, otherwise exit 1. A file without certificates is exit 2. A line that
repeats an earlier certificate is named and counted once. The summary lists which certificates have the same terms; only
those may be summed up in one curve.

With --resample N it also draws N fresh noisy copies of every input (give --model and --data as the run had them), rejects a
certificate whose p_lower the new votes contradict beyond doubt, and compares model, hash, shape and label. Certificates in
lattice arithmetic have their own samples repeated too.

What stays open without the model (docs/verify.md):
` + audit.UnderivableHelp() + `

` + exitCodesHelp,
		Example: `  ucan verify run.jsonl
  ucan verify run.jsonl --resample 1000 --model model.onnx --data mnist:mnist`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("verify: %d files given; name one file of certificates", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runVerify(cmd.Context(), a, args[0]) },
	}
	addSettings(cmd.Flags(), slices.Concat([]string{"verify.resample", "seed"}, modelKeys, dataKeys, sessionKeys)...)
	return cmd
}

func runVerify(ctx context.Context, a *app, path string) error {
	r := a.values()
	resample := r.int("verify.resample", 0, 1<<40)
	if err := r.err(); err != nil {
		return err
	}
	if err := refuseForeignFile(path); err != nil {
		return err
	}
	file := audit.NewFile(certificate.NewFolder(filepath.Dir(path)), buildName(), resample > 0)
	if err := eachLine(ctx, path, file.Add); err != nil {
		return err
	}
	out := verification{Report: file.Finish()}
	if out.Foreign {
		return usagef("verify %q: none of its %d lines is a certificate; name the file that --json wrote", path, out.Certificates)
	}
	if resample > 0 {
		if err := a.resample(ctx, path, resample, file.True(), &out); err != nil {
			return err
		}
	}
	return out.present(a, path)
}

// refuseForeignFile says what a file is that holds no certificates.
func refuseForeignFile(path string) (err error) {
	file, err := files.Open(path)
	if err != nil {
		return fmt.Errorf("read certificates: %w; name the file that --json wrote", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	head := make([]byte, 1<<16)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read certificates: %w; name the file that --json wrote", err)
	}
	if reason := audit.Foreign(head[:n]); reason != "" {
		return usagef("verify %q: %s", path, reason)
	}
	return nil
}

// eachLine calls f for every line of a file, numbered from 1.
func eachLine(ctx context.Context, path string, f func(line int, text []byte) error) (err error) {
	file, err := files.Open(path)
	if err != nil {
		return fmt.Errorf("read certificates: %w; name the file that --json wrote", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 0, 1<<16), certificate.MaxLine)
	lines.Split(wholeLines)
	for line := 1; lines.Scan(); line++ {
		if err = ctx.Err(); err != nil {
			return err
		}
		if err = f(line, lines.Bytes()); err != nil {
			return err
		}
	}
	if err = lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("read certificates %q: a line is longer than %d bytes; this is no file of certificates", path, certificate.MaxLine)
	}
	if err != nil {
		return fmt.Errorf("read certificates %q: %w", path, err)
	}
	return nil
}

// wholeLines splits at newlines and keeps them, so that a torn last line can be told.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
