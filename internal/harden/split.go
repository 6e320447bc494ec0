package harden

import (
	"fmt"

	"ucan/internal/fault"
)

// Inputs for the choice and for certification, as far as the data have them.
const (
	wantedInputs = 200
	fewestInputs = 8
)

// Split says which inputs do what. Choice and Certified are shards "i/k", which --shard keeps;
// Except lists what a training leaves out.
type Split struct {
	Choice    string `json:"choice"`
	Certified string `json:"certified"`
	Except    string `json:"except"`
	// Inputs is the number of inputs of each of the two shards, Training that of the rest.
	Inputs          int `json:"inputs"`
	CertifiedInputs int `json:"certified_inputs"`
	Training        int `json:"training"`
}

// splitOf splits n inputs; held is the number of those of a validation source, which are then the
// ones to certify, 0 without one.
//
// Shards take every k-th input with a prime k, so that an order of the classes, one after another
// or in turns, leaves none of them out.
func splitOf(n, held int) (Split, error) {
	k := shards(n)
	if n/k < fewestInputs || held > 0 && held < fewestInputs {
		return Split{}, fault.Wrongf("split the data: %d inputs (%d in --val) are too few to train, choose and certify with; give %d or more", n, held, 5*fewestInputs)
	}
	s := Split{Choice: fmt.Sprintf("0/%d", k), Certified: fmt.Sprintf("1/%d", k), Inputs: sharded(n, 0, k)}
	s.Except, s.CertifiedInputs = s.Choice+","+s.Certified, sharded(n, 1, k)
	s.Training = n - s.Inputs - s.CertifiedInputs
	if held > 0 {
		k = 1 // nothing else is taken from it
		if held >= 2*wantedInputs {
			k = largestPrime(held / wantedInputs)
		}
		s.Certified, s.CertifiedInputs = fmt.Sprintf("0/%d", k), sharded(held, 0, k)
		s.Except, s.Training = s.Choice, n-s.Inputs
	}
	return s, nil
}

// shards is the largest prime number of shards of n inputs that have the wanted number of inputs
// each, and at least 5.
func shards(n int) int {
	return largestPrime(max(5, n/wantedInputs))
}

// largestPrime is the largest prime up to k, which is 2 or more.
func largestPrime(k int) int {
	for ; ; k-- {
		prime := true
		for d := 2; d*d <= k; d++ {
			prime = prime && k%d != 0
		}
		if prime {
			return k
		}
	}
}

// sharded is the number of inputs of shard i of k.
func sharded(n, i, k int) int { return (n - i + k - 1) / k }
