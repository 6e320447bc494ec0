package main

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"ucan/internal/report"
	"ucan/internal/results"
)

// outputOptions say where results go.
type outputOptions struct {
	tsv, jsonl, plot string
	radii            []float64 // of the summary, ascending
	measures         []string  // beside the norm's own radius
	resume           bool
}

func (out *outputOptions) declare(o *options) {
	o.in(outputSection)
	o.text(&out.tsv, "output.tsv", "out", "", "write one row per input to this file").as("o").output()
	o.text(&out.jsonl, "output.jsonl", "json", "", "write one certificate per line to this file").output()
	o.text(&out.plot, "output.plot", "plot", "", "draw the certified-accuracy curve into this .png or .svg file").output()
	declareRadii(o, &out.radii)
	declareMeasures(o, &out.measures)
	o.on(&out.resume, "output.resume", "resume", "continue the run whose outputs these are")
}

// declareRadii declares the radii of a summary.
func declareRadii(o *options, radii *[]float64) {
	o.floats(radii, "output.radii", "radii", "radii at which the summary gives certified accuracy (default: round numbers up to the largest certified radius)")
}

// declareMeasures declares the sizes of regions that a summary and a plot show.
func declareMeasures(o *options, measures *[]string) {
	o.words(measures, "output.measures", "measures", []string{string(report.ALM)}, "sizes of regions to show beside the radius in the norm: "+alternatives(measureNames())).
		offers(measureNames)
}

func measureNames() (names []string) {
	for _, m := range report.Measures() {
		names = append(names, string(m))
	}
	return names
}

// checkMeasures checks that all measures are known.
func checkMeasures(f *faults, measures *[]string) {
	for _, name := range *measures {
		if !slices.Contains(measureNames(), name) {
			f.add(measures, "%w", unknown("measure", name, measureNames()))
		}
	}
}

// measuresOf turns names into measures.
func measuresOf(names []string) []report.Measure {
	measures := make([]report.Measure, len(names))
	for i, name := range names {
		measures[i] = report.Measure(name)
	}
	return measures
}

func (out *outputOptions) check(f *faults) {
	checkMeasures(f, &out.measures)
	slices.Sort(out.radii)
	checkPlot(f, &out.plot)
	if out.resume && out.tsv == "" && out.jsonl == "" {
		f.add(&out.resume, "there is nothing to resume; name the run's --out or --json")
	}
}

// checkPlot checks that a plot can be written in the format that its name asks for.
func checkPlot(f *faults, path *string) {
	extension := strings.TrimPrefix(filepath.Ext(*path), ".")
	if *path != "" && !slices.Contains(report.PlotFormats(), strings.ToLower(extension)) {
		f.add(path, "cannot plot to %q: use a name ending in .%s", *path, strings.Join(report.PlotFormats(), " or ."))
	}
}

// outputs lists the files that hold rows.
func (out *outputOptions) outputs() []string {
	var paths []string
	for _, p := range []string{out.tsv, out.jsonl} {
		if p != "" {
			paths = append(paths, p)
		}
	}
	return paths
}

// earlier reads the record of the run to be resumed: nil when there is none yet.
func (out *outputOptions) earlier() (*results.Run, error) {
	if !out.resume {
		return nil, nil
	}
	for _, path := range out.outputs() {
		run, err := results.ReadRun(path)
		if err == nil {
			return &run, nil
		}
		if errors.Is(err, results.ErrFormat) {
			return nil, err
		}
	}
	return nil, nil
}
