package audit

import (
	"cmp"
	"errors"
	"slices"

	"ucan/smooth/certificate"
)

// Finding is one false member of one certificate of a file.
type Finding struct {
	Line  int
	Index int64 // of the input, −1 where the line is no certificate
	certificate.Finding
}

// Unchecked is a certificate that cannot be checked, which is not to say that it is false.
type Unchecked struct {
	Line   int    `json:"line"`
	Index  int64  `json:"index"`
	Reason string `json:"reason"`
}

// Repeat is a line that holds the certificate of an earlier line again.
type Repeat struct {
	Line  int `json:"line"`
	First int `json:"first"`
}

// Numbered is a certificate that was found true, with the number of its line.
type Numbered struct {
	Line int
	*certificate.Certificate
}

// entry is what is remembered of a certificate that is true in itself.
type entry struct {
	line        int
	run         int // in runs
	input       string
	status      certificate.Status
	certificate *certificate.Certificate // nil unless asked for
}

// file checks the certificates of one file, line by line. It is not safe for concurrent use.
type file struct {
	checker  *checker
	keep     bool
	services services
	runs     runs
	ids      map[string]int
	entries  []entry
	report   Report
	known    bool // some line is a certificate of some version
}

// Report is the outcome of checking a file.
type Report struct {
	// Certificates is the number of lines, less the repeated ones.
	Certificates int
	// False is the number of those that are false or altered; Findings say in what, in order of
	// lines.
	False    int
	Findings []Finding
	// Unchecked are the certificates that cannot be checked. They count neither as true nor as
	// false.
	Unchecked []Unchecked
	// Repeated are the lines left out because their certificate was there before.
	Repeated []Repeat
	// Runs are the terms that certificates have in common, and how many have them. False ones are
	// left out.
	Runs []Run
}

// True is the number of certificates that were checked and found true.
func (r Report) True() int { return r.Certificates - r.False - len(r.Unchecked) }

// newFile returns a file; load and build are those of [newChecker]. keep keeps the true
// certificates in memory.
func newFile(load certificate.Loader, build string, keep bool) *file {
	return &file{
		checker: newChecker(load, build), keep: keep,
		services: services{}, runs: newRuns(), ids: map[string]int{},
	}
}

// add checks a line. The error is that of a machine that cannot go on, never of the line.
func (f *file) add(line int, text []byte) error {
	c, findings, err := f.checker.checkLine(text)
	if c == nil {
		f.known = f.known || certificate.Recognise(text)
		f.note(line, -1, findings)
		f.report.Certificates++
		return nil
	}
	f.known = true
	if first, again := f.ids[c.ID]; again && err == nil && len(findings) == 0 {
		f.report.Repeated = append(f.report.Repeated, Repeat{line, first})
		return nil
	}
	f.report.Certificates++
	switch {
	case errors.Is(err, certificate.ErrUncheckable):
		f.report.Unchecked = append(f.report.Unchecked, Unchecked{line, c.Input.Index, err.Error()})
		return nil
	case err != nil:
		return err
	case len(findings) > 0:
		f.note(line, c.Input.Index, findings)
		return nil
	}
	f.ids[c.ID] = line
	if err = f.services.add(line, c); err != nil {
		return err
	}
	run, err := f.runs.of(c)
	if err != nil {
		return err
	}
	e := entry{line: line, run: run, input: c.Input.SHA256, status: c.Status}
	if f.keep {
		e.certificate = c
	}
	f.entries = append(f.entries, e)
	return nil
}

// finish compares the certificates with each other and returns the report. It is called once, after
// the last line.
func (f *file) finish() Report {
	f.report.Findings = append(f.report.Findings, f.services.findings()...)
	slices.SortStableFunc(f.report.Findings, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	bad := map[int]bool{}
	for _, found := range f.report.Findings {
		bad[found.Line] = true
	}
	f.entries = slices.DeleteFunc(f.entries, func(e entry) bool { return bad[e.line] })
	f.report.False = len(bad)
	f.report.Runs = f.runs.count(f.entries)
	return f.report
}

// kept returns the certificates that are true, in order of lines, after finish; none unless they
// were to be kept.
func (f *file) kept() []Numbered {
	var out []Numbered
	for _, e := range f.entries {
		if e.certificate != nil {
			out = append(out, Numbered{e.line, e.certificate})
		}
	}
	return out
}

func (f *file) note(line int, index int64, findings []certificate.Finding) {
	for _, found := range findings {
		f.report.Findings = append(f.report.Findings, Finding{line, index, found})
	}
}
