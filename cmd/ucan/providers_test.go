package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime"
	"ucan/runtime/runtimetest"
)

// offered lists the providers that pass their trial on this machine: those compiled in, and the
// plugins at hand.
func offered(t *testing.T) []string {
	t.Helper()
	out, errs, code := ucanRuntime(t, "doctor", "--format", "json")
	var r runtime.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitDone {
		t.Fatalf("exit %d, %v\n%s%s", code, err, out, errs)
	}
	var names []string
	for _, p := range r.Providers {
		if p.Trial == runtime.TrialOK {
			names = append(names, p.Name)
		}
	}
	return names
}

// TestEveryOfferedProvider compares each provider of this machine with the CPU and certifies with
// it: the same classes, but for an input on the edge of abstaining.
func TestEveryOfferedProvider(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	runtimetest.Open(t)
	names := offered(t)
	t.Log(names)
	_, model := workshop(t)
	rows := func(provider string) map[string]string {
		path := filepath.Join(t.TempDir(), "rows.tsv")
		want(t, exitDone, certifyArgs(model, "--provider", provider, "--batch", "32", "--out", path)...)
		found := make(map[string]string)
		var header []string
		for line := range strings.Lines(read(t, path)) {
			fields := strings.Split(strings.TrimRight(line, "\n"), "\t")
			if header == nil {
				header = fields
				continue
			}
			found[fields[0]] = fields[2] // the prediction by idx
		}
		if len(header) < 3 || header[0] != "idx" || header[2] != "predict" || len(found) == 0 {
			t.Fatalf("%s: columns %q, %d rows", provider, header, len(found))
		}
		return found
	}
	cpu := rows("cpu")
	for _, name := range names {
		out, errs, code := ucanRuntime(t, "compare", "--inputs", "32", "--seed", "1", "--provider", name, "--format", "json")
		var c comparison
		if err := json.Unmarshal([]byte(out), &c); err != nil || code != exitDone {
			t.Fatalf("%s: exit %d, %v\n%s%s", name, code, err, out, errs)
		}
		if c.LargestDifference > 1e-3*c.Scale || c.Changed > 1 {
			t.Errorf("%s: compared as %+v", name, c)
		}
		flips := 0
		for idx, class := range rows(name) {
			if cpu[idx] != class {
				t.Logf("%s: input %s is %s instead of %s", name, idx, class, cpu[idx])
				flips++
			}
		}
		if flips > 1 {
			t.Errorf("%s: %d of %d inputs get another class", name, flips, len(cpu))
		}
	}
}
