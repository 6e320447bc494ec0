// Command compare sets certificate files beside each other: certified accuracy against the ℓ2 radius, against the ALM radius
// R·(∏σ)^{1/d}, and against the ALM radius of the section of the region through the inputs that vary in training.
// Runs under isotropic noise form an envelope, at each radius the best of them:
//
//	go run ./docs/experiments/compare -radii 0,0.25,0.5 -out docs/mnist -isotropic a.jsonl,b.jsonl 'name=c.jsonl' …
//
// It prints Markdown tables and writes OUT-l2.png and OUT-alm.png. Curves of different guarantees are named and stay
// rows of their own; nothing is averaged over them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"ucan/internal/report"
	"ucan/internal/results"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// settings are the command line.
type settings struct {
	radii     []float64
	out       string
	isotropic []string
	arms      []string
	training  string // data whose variance tells which inputs vary; empty for none
	max       int
	common    bool    // keep the inputs that all arms hold
	share     float64 // least share of the envelope at which ratios are taken
}

func parse(args []string) (s settings, err error) {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	radii := flags.String("radii", "0,0.25,0.5,0.75,1,1.25,1.5,2", "radii of the tables")
	isotropic := flags.String("isotropic", "", "certificate files under isotropic noise, separated by commas")
	flags.StringVar(&s.out, "out", "", "beginning of the names of the plots (none: no plots)")
	flags.StringVar(&s.training, "training", "", "training data, such as mnist:DIR: a third table leaves out what never varies there")
	flags.IntVar(&s.max, "max", 0, "first N inputs of it (0: all)")
	flags.BoolVar(&s.common, "common", false, "compare on the inputs that all files hold, instead of refusing files with other inputs")
	flags.Float64Var(&s.share, "least", 0.1, "compare only where the envelope certifies this share")
	if err = flags.Parse(args); err != nil {
		return s, err
	}
	for text := range strings.SplitSeq(*radii, ",") {
		r, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || math.IsNaN(r) || r < 0 {
			return s, fmt.Errorf("radius %q is not a number of 0 or more", text)
		}
		s.radii = append(s.radii, r)
	}
	if *isotropic != "" {
		s.isotropic = strings.Split(*isotropic, ",")
	}
	if s.arms = flags.Args(); len(s.arms)+len(s.isotropic) == 0 {
		return s, errors.New("no certificate files; give NAME=FILE.jsonl")
	}
	return s, nil
}

func run(ctx context.Context, args []string, w io.Writer) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	var varies []bool
	if s.training != "" {
		if varies, err = varying(ctx, s.training, s.max); err != nil {
			return err
		}
	}
	var arms []arm
	for _, path := range s.isotropic {
		var a arm
		if a, err = readArm("", path, varies); err != nil {
			return err
		}
		a.name, a.isotropic = fmt.Sprintf("isotropic %.3g", a.meanSigma), true
		arms = append(arms, a)
	}
	for _, text := range s.arms {
		at := strings.LastIndex(text, "=") // a name may say "μ = 0"
		if at < 0 {
			return fmt.Errorf("%q is not NAME=FILE", text)
		}
		name, path := text[:at], text[at+1:]
		var a arm
		if a, err = readArm(name, path, varies); err != nil {
			return err
		}
		arms = append(arms, a)
	}
	if s.common {
		keepCommon(arms)
	}
	if err = sameInputs(arms); err != nil {
		return err
	}
	summary(w, arms)
	for _, m := range measures(varies) {
		if err = curves(w, arms, m, s); err != nil {
			return err
		}
		if err = draw(arms, m, s.out); err != nil {
			return err
		}
	}
	return nil
}

// measure is one way to say how large a region is.
type measure struct {
	name, suffix string
	of           func(*arm) []results.Row
}

func measures(varies []bool) []measure {
	all := []measure{
		{"ℓ2 radius", "l2", func(a *arm) []results.Row { return a.measured(func(s size) float64 { return s.l2 }) }},
		{"ALM radius", "alm", func(a *arm) []results.Row { return a.measured(func(s size) float64 { return s.alm }) }},
	}
	if varies != nil {
		n := 0
		for _, v := range varies {
			if v {
				n++
			}
		}
		all = append(all, measure{fmt.Sprintf("ALM radius over the %d of %d inputs that vary in training", n, len(varies)), "",
			func(a *arm) []results.Row { return a.measured(func(s size) float64 { return s.section }) }})
	}
	return all
}

// draw plots the curves of a measure, all arms in one picture.
func draw(arms []arm, m measure, out string) error {
	if out == "" || m.suffix == "" {
		return nil
	}
	var series []report.Series
	for i := range arms {
		rows := m.of(&arms[i])
		for j := range rows {
			rows[j].Norm = m.suffix
		}
		series = append(series, report.Series{Name: arms[i].name, Rows: rows})
	}
	opt := report.DefaultPlotOptions()
	opt.Width, opt.Height, opt.NoBand = 1000, 600, true
	return report.SavePlot(out+"-"+m.suffix+".png", series, opt)
}

// keepCommon leaves every arm the inputs that all hold.
func keepCommon(arms []arm) {
	count := map[string]int{}
	for i := range arms {
		for _, in := range arms[i].inputs {
			count[in]++
		}
	}
	for i := range arms {
		arms[i].keep(func(in string) bool { return count[in] == len(arms) })
	}
}

// sameInputs refuses arms that were not certified on the same inputs.
func sameInputs(arms []arm) error {
	if len(arms[0].inputs) == 0 {
		return errors.New("the files hold no input in common; certify the same selection")
	}
	for i := range arms {
		if !slices.Equal(arms[i].inputs, arms[0].inputs) {
			return fmt.Errorf("%s and %s hold other inputs (%d and %d); certify the same selection", arms[0].name, arms[i].name, len(arms[0].inputs), len(arms[i].inputs))
		}
	}
	return nil
}
