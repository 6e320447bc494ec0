package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"

	"ucan/internal/report"
	"ucan/internal/results"
	"ucan/runtime/files"
	"ucan/train/fit"
)

// A selector learns from what runs found: the label of an input is the number of the run that
// certifies it best. An input that no run certifies rightly teaches nothing and is left out.
//
// selectorLabels reads the runs that a selector chooses among, in the order of its classes. The
// notes say how many inputs each has.
func selectorLabels(ctx context.Context, paths []string, measure report.Measure) (_ *fit.Relabel, notes []string, err error) {
	out := &fit.Relabel{Labels: map[int]int{}}
	best, seen := map[int]float64{}, map[int]int{}
	var origin []string
	for set, path := range paths {
		if ended := ctx.Err(); ended != nil {
			return nil, nil, ended
		}
		hash, hashErr := hashFile(path)
		if hashErr != nil {
			return nil, nil, fmt.Errorf("read what the selector chooses among: %w", hashErr)
		}
		origin = append(origin, hash)
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		out.Names = append(out.Names, name)
		t, readErr := results.ReadFile(path)
		if readErr != nil {
			return nil, nil, fmt.Errorf("read what the selector chooses among: %w", readErr)
		}
		for _, row := range t.Rows {
			seen[row.Index]++
			if !row.Correct {
				continue
			}
			// A radius ends where the samples of the run do; the bound tells ties apart.
			worth := measure.Of(row) + 1e-9*row.PLower
			if was, ok := best[row.Index]; !ok || worth > was {
				best[row.Index], out.Labels[row.Index] = worth, set
			}
		}
	}
	counts := make([]int, len(paths))
	for index, set := range out.Labels {
		if seen[index] != len(paths) {
			delete(out.Labels, index)
			continue
		}
		counts[set]++
	}
	for set, n := range counts {
		if n == 0 {
			return nil, nil, usagef("train a selector: no input is certified best by %s, so that its class would have no example; leave that run out", filepath.Base(paths[set]))
		}
		notes = append(notes, fmt.Sprintf("set %d, %s: best for %d inputs", set, out.Names[set], n))
	}
	out.Origin = fmt.Sprintf("best %s of %s", measure, strings.Join(origin, ","))
	return out, notes, nil
}

// hashFile is the beginning of a file's SHA-256 in hexadecimal.
func hashFile(path string) (string, error) {
	data, err := files.Read(path, files.MaxModel)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8]), nil
}
