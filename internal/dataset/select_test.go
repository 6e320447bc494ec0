package dataset

import (
	"errors"
	"math"
	"slices"
	"testing"

	"ucan/fixtures/subtest"
)

func TestSelection(t *testing.T) {
	for _, tc := range []struct {
		s    Selection
		n    int
		want []int
	}{
		{Selection{Stride: 1, Max: -1, Shards: 1}, 4, []int{0, 1, 2, 3}},
		// drop 2, then every third of 2…9, then two of those
		{Selection{Skip: 2, Stride: 3, Max: 2, Shards: 1}, 10, []int{2, 5}},
		{Selection{Skip: 2, Stride: 3, Max: 100, Shards: 1}, 10, []int{2, 5, 8}},
		// Cohen's script misses max when it is no multiple of skip; here max counts inputs
		{Selection{Stride: 20, Max: 3, Shards: 1}, 10000, []int{0, 20, 40}},
		{Selection{Skip: 9, Stride: 5, Max: -1, Shards: 1}, 10, []int{9}},
		// shards share the inputs that max leaves
		{Selection{Skip: 1, Stride: 2, Max: 5, Shard: 0, Shards: 2}, 100, []int{1, 5, 9}},
		{Selection{Skip: 1, Stride: 2, Max: 5, Shard: 1, Shards: 2}, 100, []int{3, 7}},
		{Selection{Stride: 1, Max: -1, Shard: 5, Shards: 7}, 3, nil},
		// what is left of the inputs that skip, stride and max chose
		{Selection{Skip: 1, Stride: 2, Max: 8, Shards: 1, Except: []Except{{0, 3}, {1, 5}}}, 100, []int{5, 9, 11, 15}},
		{Selection{Stride: 1, Max: -1, Shard: 0, Shards: 3, Except: []Except{{0, 2}}}, 20, []int{3, 9, 15}},
		{Selection{Stride: math.MaxInt, Max: -1, Shard: 0, Shards: math.MaxInt}, 3, []int{0}},
	} {
		if got, err := tc.s.Indices(tc.n); err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%+v of %d: %v, %v; want %v", tc.s, tc.n, got, err, tc.want)
		}
	}
}

// What is left without some shards and those shards are a partition.
func TestExceptIsTheRest(t *testing.T) {
	for k := 2; k < 9; k++ {
		rest := Selection{Skip: 3, Stride: 2, Max: 17, Shards: 1, Except: []Except{{0, k}, {1, k}}}
		got, err := rest.Indices(60)
		if k == 2 { // nothing is left
			if !errors.Is(err, ErrSpec) {
				t.Errorf("nothing is left: %v, %v", got, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range rest.Except {
			part := Selection{Skip: 3, Stride: 2, Max: 17, Shard: e.Shard, Shards: e.Shards}
			indices, err := part.Indices(60)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, indices...)
		}
		slices.Sort(got)
		whole := Selection{Skip: 3, Stride: 2, Max: 17, Shards: 1}
		if want, err := whole.Indices(60); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d shards: %v, want %v", k, got, want)
		}
	}
}

// Shards are a partition of the unsharded selection, whatever the numbers.
func TestShardsPartition(t *testing.T) {
	for k := 1; k < 9; k++ {
		whole := Selection{Skip: 3, Stride: 2, Max: 17, Shards: 1}
		want, err := whole.Indices(60)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for i := range k {
			part := whole
			part.Shard, part.Shards = i, k
			indices, err := part.Indices(60)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, indices...)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%d shards together: %v, want %v", k, got, want)
		}
	}
}

func TestSelectionFaults(t *testing.T) {
	for _, s := range []Selection{
		{}, {Skip: -1, Stride: 1, Max: -1, Shards: 1}, {Stride: 0, Max: -1, Shards: 1}, {Stride: 1, Max: 0, Shards: 1},
		{Stride: 1, Max: -1, Shard: 2, Shards: 2}, {Stride: 1, Max: -1, Shard: -1, Shards: 2}, {Skip: 10, Stride: 1, Max: -1, Shards: 1},
	} {
		if got, err := s.Indices(10); !errors.Is(err, ErrSpec) {
			t.Errorf("%+v: %v, %v; want ErrSpec", s, got, err)
		}
	}
	for text, ok := range subtest.Rows(map[string]bool{"0/1": true, "3/4": true, "4/4": false, "-1/4": false, "1": false, "a/b": false, "0/0": false, "": false, "1/2/3": false}) {
		t.Run(text, func(t *testing.T) {
			if _, _, err := ParseShard(text); (err == nil) != ok || (err != nil && !errors.Is(err, ErrSpec)) {
				t.Errorf("shard %q: %v", text, err)
			}
		})
	}
}
