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
// Shards take every k-th input with a prime k of 7 or more, so that an order of the classes, one
// after another or in turns of ten, leaves none of them out.
func splitOf(n, held int) (Split, error) {
	k := largestPrime(max(7, n/wantedInputs))
	if n/k < fewestInputs || held > 0 && held < fewestInputs {
		return Split{}, fault.Wrongf("split the data: %d inputs (%d in --val) are too few to train, choose and certify with; give %d or more", n, held, 7*fewestInputs)
	}
	s := Split{Choice: fmt.Sprintf("0/%d", k), Certified: fmt.Sprintf("1/%d", k), Inputs: sharded(n, 0, k)}
	s.Except, s.CertifiedInputs = s.Choice+","+s.Certified, sharded(n, 1, k)
	s.Training = n - s.Inputs - s.CertifiedInputs
	if held > 0 { // nothing else is taken from it
		s.Certified, s.CertifiedInputs = narrowed("0/1", held, wantedInputs)
		s.Except, s.Training = s.Choice, n-s.Inputs
	}
	return s, nil
}

// narrowed is a part of a shard "i/k" of so many inputs that has about the wanted number or fewer,
// spread alike, and their number.
func narrowed(shard string, inputs, wanted int) (string, int) {
	var i, k int
	if _, err := fmt.Sscanf(shard, "%d/%d", &i, &k); err != nil || 4*inputs <= 5*wanted {
		return shard, inputs
	}
	q := (inputs + wanted - 1) / max(1, wanted)
	for q%2 == 0 || q%5 == 0 { // classes that take turns
		q++
	}
	return fmt.Sprintf("%d/%d", i, k*q), sharded(inputs, 0, q)
}

// largestPrime is the largest prime up to k, which is 2 or more.
func largestPrime(k int) int {
	for ; !prime(k); k-- {
	}
	return k
}

func prime(k int) bool {
	for d := 2; d*d <= k; d++ {
		if k%d == 0 {
			return false
		}
	}
	return k > 1
}

// sharded is the number of inputs of shard i of k.
func sharded(n, i, k int) int { return (n - i + k - 1) / k }
