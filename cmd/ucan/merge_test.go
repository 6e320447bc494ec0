package main

import (
	"fmt"
	"path/filepath"
	"testing"
)

// The shards of a run, merged into another folder, are the whole run's bytes but for the times,
// fields included.
func TestMergedShardsVerify(t *testing.T) {
	dir, model := workshop(t)
	certify := func(name string, more ...string) (tsv, jsonl string) {
		tsv, jsonl = filepath.Join(dir, name+".tsv"), filepath.Join(dir, name+".jsonl")
		want(t, exitDone, append([]string{
			"certify", "--model", model, "--data", "digits?n=6", "--npg", "pattern:l2,kappa=0.3,iota=0.2", "--n", "50", "--n0", "10",
			"--seed", "1", "--workers", "1", "--batch", "10", "--quiet", "--out", tsv, "--json", jsonl,
		}, more...)...)
		return tsv, jsonl
	}
	var parts []string
	for i := range 2 {
		tsv, jsonl := certify(fmt.Sprint("shard", i), "--shard", fmt.Sprintf("%d/2", i))
		parts = append(parts, tsv, jsonl)
	}
	all := filepath.Join(t.TempDir(), "all")
	want(t, exitDone, append([]string{"merge", all}, parts...)...)
	want(t, exitDone, "verify", all+".jsonl")
	want(t, exitDone, "certify", "--model", model, "--data", "digits?n=6", "--npg", "pattern:l2,kappa=0.3,iota=0.2", "--n", "50", "--n0", "10",
		"--seed", "1", "--workers", "1", "--batch", "10", "--quiet", "--resume", "--out", all+".tsv", "--json", all+".jsonl")
	want(t, exitUsage, append([]string{"merge", all}, parts...)...) // it exists
	want(t, exitUsage, "merge", all+"2", parts[0], parts[0])
	want(t, exitUsage, "merge", all+"2")
}
