package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"ucan/internal/table"
	"ucan/runtime/files"
	"ucan/smooth/certificate"
)

func newVerifyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify FILE.jsonl",
		Short: "Recompute every certificate from its counts, and with --resample from fresh noise",
		Long: `Verify recomputes the id, the bound on p_A, the radius, the region, the ℓ1, ℓ2 and ℓ∞ radii and the volume of every
certificate from its counts and parameters, and the scales of patterns from their formula. It names each line and field that
is false or altered, with the stored and the recomputed value, and then exits with 4. Certificates called deployed must have
the same noise on all lines that name the same generator.

With --resample N it also draws N fresh noisy copies of every input (give --model and --data) and rejects a certificate
whose p_lower the new votes contradict beyond doubt.

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

// falsehood is one false field of one certificate.
type falsehood struct {
	Line       int    `json:"line"`
	Index      int64  `json:"index"`
	Field      string `json:"field"`
	Stored     string `json:"stored"`
	Recomputed string `json:"recomputed"`
}

// verification is the outcome of checking a file.
type verification struct {
	Certificates int         `json:"certificates"`
	False        int         `json:"false"`
	Findings     []falsehood `json:"findings"`
	Resampled    *resampling `json:"resampled,omitempty"`
}

func runVerify(ctx context.Context, a *app, path string) error {
	r := a.values()
	resample := r.int("verify.resample", 0, 1<<40)
	if err := r.err(); err != nil {
		return err
	}
	var out verification
	bad := map[int]bool{}
	note := func(line int, index int64, f certificate.Finding) {
		bad[line] = true
		out.Findings = append(out.Findings, falsehood{line, index, f.Field, f.Stored, f.Recomputed})
	}
	folder := certificate.NewFolder(filepath.Dir(path))
	checker, fixed := certificate.NewChecker(folder), newFixedNoise(folder)
	var all []*certificate.Certificate
	var lines []int
	err := eachLine(ctx, path, func(line int, text []byte) error {
		out.Certificates++
		c, parseErr := certificate.Parse(text)
		if parseErr != nil {
			note(line, -1, certificate.Finding{Field: "certificate", Stored: "a line", Recomputed: parseErr.Error()})
			return nil //nolint:nilerr // a line that is no certificate is a finding, and the others are still checked
		}
		findings, err := checker.Check(c)
		if err != nil {
			return fmt.Errorf("verify %q: line %d: %w", path, line, err)
		}
		if len(findings) == 0 {
			if findings, err = fixed.check(line, c); err != nil {
				return fmt.Errorf("verify %q: line %d: %w", path, line, err)
			}
		}
		for _, f := range findings {
			note(line, c.Input.Index, f)
		}
		if len(findings) == 0 && resample > 0 {
			all, lines = append(all, c), append(lines, line)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if out.Certificates == 0 {
		return fmt.Errorf("verify %q: it holds no certificate; name the file that --json wrote", path)
	}
	if resample > 0 {
		if out.Resampled, err = a.resample(ctx, path, resample, all, lines, note); err != nil {
			return err
		}
	}
	out.False = len(bad)
	return out.present(a, path)
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

func (v verification) present(a *app, path string) error {
	if a.json() {
		if v.Findings == nil {
			v.Findings = []falsehood{}
		}
		if err := writeJSON(a.stdout, v); err != nil {
			return err
		}
	} else {
		if len(v.Findings) > 0 {
			t := table.New(">line", ">input", "field", "stored", "recomputed")
			for _, f := range v.Findings {
				t.Row(f.Line, f.Index, f.Field, f.Stored, f.Recomputed)
			}
			if _, err := t.WriteTo(a.stdout); err != nil {
				return err
			}
		}
		fmt.Fprintf(a.stdout, "%d certificates, %d true, %d false\n", v.Certificates, v.Certificates-v.False, v.False)
		if v.Resampled != nil {
			v.Resampled.print(a.stdout)
		}
	}
	if v.False > 0 {
		first := v.Findings[0]
		return checkf("verify %q: %d of %d certificates are false or altered; the first is on line %d, %s: stored %s, recomputed %s",
			path, v.False, v.Certificates, first.Line, first.Field, first.Stored, first.Recomputed)
	}
	return nil
}
