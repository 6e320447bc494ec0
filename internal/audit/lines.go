package audit

import (
	"context"
	"errors"
	"fmt"
	"io"

	"ucan/internal/fault"
	"ucan/internal/results"
	"ucan/runtime/files"
	"ucan/smooth/certificate"
)

// Lines calls f for every line of a file of certificates, numbered from 1. Lines keep their
// newline, so that a torn last line can be told from a whole one.
func Lines(ctx context.Context, path string, f func(line int, text []byte) error) (err error) {
	file, err := files.Open(path)
	if err != nil {
		return fmt.Errorf("read certificates: %w; name the file that --json wrote", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	err = results.Lines(file, certificate.MaxLine, func(line int, text []byte) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return f(line, text)
	})
	if errors.Is(err, results.ErrFormat) {
		return fmt.Errorf("read certificates %q: %w", path, err)
	}
	return err
}

// TrueLines calls f for every certificate of a file, in order of lines. It stops with an error at
// the first line that is no certificate, that cannot be checked, or that is false or altered. build
// is the running program as certificates name it in run.ucan.
func TrueLines(ctx context.Context, path string, load certificate.Loader, build string, f func(line int, text []byte, c *certificate.Certificate) error) error {
	checker := newChecker(load, build)
	return Lines(ctx, path, func(line int, text []byte) error {
		c, findings, err := checker.checkLine(text)
		switch {
		case c == nil:
			return fault.Falsef("line %d: %s; run \"ucan verify\" on it", line, findings[0].Recomputed)
		case err != nil:
			return fmt.Errorf("line %d: %w", line, err)
		case len(findings) > 0:
			return fault.Falsef("line %d is false or altered: %s; \"ucan verify\" lists all such lines", line, findings[0])
		}
		return f(line, text, c)
	})
}

// Verify checks all certificates of a file together. keep returns those that are true as well.
func Verify(ctx context.Context, path string, load certificate.Loader, build string, keep bool) (Report, []Numbered, error) {
	if err := refuseForeign(path); err != nil {
		return Report{}, nil, err
	}
	f := newFile(load, build, keep)
	if err := Lines(ctx, path, f.add); err != nil {
		return Report{}, nil, err
	}
	report := f.finish()
	if !f.known && report.Certificates > 0 { // the file is of another kind
		return report, nil, fault.Wrongf("verify %q: none of its %d lines is a certificate; name the file that --json wrote", path, report.Certificates)
	}
	return report, f.kept(), nil
}

// refuseForeign says what a file is that holds no certificates.
func refuseForeign(path string) (err error) {
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
	if reason := foreign(head[:n]); reason != "" {
		return fault.Wrongf("verify %q: %s", path, reason)
	}
	return nil
}
