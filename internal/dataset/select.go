package dataset

import (
	"strconv"
	"strings"
)

// Selection chooses inputs of a source: of all of them it drops the first Skip,
// takes every Stride-th of the rest, keeps at most Max of those, and of those
// takes every Shards-th, beginning with number Shard.
type Selection struct {
	// Skip is how many inputs are dropped from the front, 0 or more.
	Skip int
	// Stride is the step, 1 or more; [DefaultSelection] has 1.
	Stride int
	// Max is the largest number of inputs over all shards; negative for no limit.
	Max int
	// Shard is the number of this shard, 0 ≤ Shard < Shards.
	Shard int
	// Shards is the number of shards, 1 or more; [DefaultSelection] has 1.
	Shards int
	// Except are shards of what skip, stride and max chose that are left out: what trains is not
	// what is certified.
	Except []Except `json:",omitempty"`
}

// Except is a shard that is left out: every Shards-th input, beginning with number Shard.
type Except struct{ Shard, Shards int }

// ParseExcept reads a list of shards.
func ParseExcept(list []string) ([]Except, error) {
	var out []Except
	for _, text := range list {
		shard, shards, err := ParseShard(text)
		if err != nil {
			return nil, err
		}
		out = append(out, Except{shard, shards})
	}
	return out, nil
}

// leftOut reports whether number j is of a shard that is left out.
func (s Selection) leftOut(j int) bool {
	for _, e := range s.Except {
		if j%e.Shards == e.Shard {
			return true
		}
	}
	return false
}

// DefaultSelection takes every input.
func DefaultSelection() Selection { return Selection{Stride: 1, Max: -1, Shards: 1} }

// ParseShard reads "i/k", 0 ≤ i < k. Errors match [ErrSpec].
func ParseShard(text string) (shard, shards int, err error) {
	a, b, ok := strings.Cut(text, "/")
	shard, err1 := strconv.Atoi(a)
	shards, err2 := strconv.Atoi(b)
	if !ok || err1 != nil || err2 != nil || shards < 1 || shard < 0 || shard >= shards {
		return 0, 0, specErrorf("shard %q: want i/k with 0 ≤ i < k, for example 0/4", text)
	}
	return shard, shards, nil
}

// Validate checks the ranges. Errors match [ErrSpec].
func (s Selection) Validate() error {
	switch {
	case s.Skip < 0:
		return specErrorf("skip %d: want 0 or more", s.Skip)
	case s.Stride < 1:
		return specErrorf("stride %d: want 1 or more", s.Stride)
	case s.Max == 0:
		return specErrorf("max 0: want 1 or more, or leave it out for all")
	case s.Shards < 1 || s.Shard < 0 || s.Shard >= s.Shards:
		return specErrorf("shard %d/%d: want i/k with 0 ≤ i < k", s.Shard, s.Shards)
	}
	for _, e := range s.Except {
		if e.Shards < 1 || e.Shard < 0 || e.Shard >= e.Shards {
			return specErrorf("shard %d/%d to leave out: want i/k with 0 ≤ i < k", e.Shard, e.Shards)
		}
	}
	return nil
}

// Indices lists the chosen indices of a source of n inputs in rising order. A
// shard may be empty when there are more shards than inputs; that nothing is
// left before sharding is an error that matches [ErrSpec].
func (s Selection) Indices(n int) ([]int, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if s.Skip >= n {
		return nil, specErrorf("skip %d leaves nothing of %d inputs; take less", s.Skip, n)
	}
	total := (n-s.Skip-1)/s.Stride + 1
	if s.Max > 0 {
		total = min(total, s.Max)
	}
	var out []int
	for j := s.Shard; j < total; j += s.Shards {
		if !s.leftOut(j) {
			out = append(out, s.Skip+j*s.Stride)
		}
		if j > total-s.Shards {
			break // the next step could overflow for a huge number of shards
		}
	}
	if len(out) == 0 && len(s.Except) > 0 && s.Shards == 1 {
		return nil, specErrorf("of %d inputs, the shards that are left out leave none", total)
	}
	return out, nil
}
