package plan

import (
	"fmt"
	"io"

	"ucan/internal/table"
	"ucan/internal/zoo/matrix"
)

// WriteText writes the plan as tables for people.
func (p *Plan) WriteText(w io.Writer) error {
	t := table.New("model", "dataset", "noise", ">inputs", ">done", ">most passes", ">expected", ">a pass", ">one worker", ">disk")
	for i := range p.Prices {
		c := &p.Prices[i]
		expected, pass, seconds, disk := count(c.Passes), Seconds(c.SecondsPerPass), Seconds(c.Seconds), Bytes(c.Bytes)
		if c.Unmeasured != "" {
			pass, seconds, disk = "?", "?", "?"
		}
		if c.Passes == c.FixedPasses {
			expected = "="
		}
		t.Row(c.Model, c.Dataset, c.Noise, c.Inputs, c.Done, count(c.FixedPasses), expected, pass, seconds, disk)
	}
	if t.Len() > 0 {
		if _, err := t.WriteTo(w); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("run", "%.12s… (seed %d)", p.Run, p.Seed)
	line("inputs", "%d in %d shards of %d combinations; %d done, %d to do", p.Inputs, p.Shards, len(p.Prices), p.Done, p.Inputs-p.Done)
	line("passes", "%s expected, %s at most", count(p.Passes), count(p.FixedPasses))
	line("time", "%s on one worker; %s on this machine (%s)", Seconds(p.Seconds), Seconds(p.Here.Seconds), workers(p.Here.Workers))
	if p.On != nil {
		line("", "%s on %s, each with processors of its own like this machine's", Seconds(p.On.Seconds), workers(p.On.Workers))
	}
	line("disk", "%s", Bytes(p.Bytes))
	if p.Unmeasured > 0 {
		line("not timed", "%d combinations, which are in none of the times: %s", p.Unmeasured, p.firstUnmeasured())
	}
	return matrix.WriteRefusals(w, p.Refusals, "make")
}

func (p *Plan) firstUnmeasured() string {
	for _, c := range p.Prices {
		if c.Unmeasured != "" {
			return c.Unmeasured
		}
	}
	return ""
}

func workers(n int) string {
	if n == 1 {
		return "1 worker"
	}
	return fmt.Sprintf("%d workers", n)
}

// count writes a number of passes.
func count(v float64) string {
	switch {
	case v < 1e6:
		return fmt.Sprintf("%.0f", v)
	case v < 1e9:
		return fmt.Sprintf("%.3g M", v/1e6)
	default:
		return fmt.Sprintf("%.4g G", v/1e9)
	}
}

// WriteOutcomes writes simulated fleets as a table.
func WriteOutcomes(w io.Writer, s Scenario, outcomes []Outcome) error {
	fail := "no worker fails"
	if s.MTBF > 0 {
		fail = fmt.Sprintf("a worker fails every %s of work, is found after %s and restarted after %s", Seconds(s.MTBF), Seconds(s.Detect), Seconds(s.Restart))
	}
	rate := "without limit"
	if s.Rate > 0 {
		rate = fmt.Sprintf("%g shards/s", s.Rate)
	}
	fmt.Fprintf(w, "\nSimulated: %s; database %s; %s of setup a worker.\n", fail, rate, Seconds(s.Setup))
	t := table.New(">workers", ">makespan", ">ideal", ">overhead", ">failures", ">work lost", ">database busy")
	for _, o := range outcomes {
		t.Row(o.Workers, Seconds(o.Makespan), Seconds(o.Ideal), fmt.Sprintf("%.1f %%", 100*o.Overhead), o.Failures, Seconds(o.Lost), fmt.Sprintf("%.1f %%", 100*o.Database))
	}
	_, err := t.WriteTo(w)
	return err
}
