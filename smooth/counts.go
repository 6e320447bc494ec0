package smooth

import "fmt"

// Counts are the votes of a run of samples.
type Counts struct {
	// PerClass holds the number of votes of every class.
	PerClass []int64
	// Invalid is the number of samples that voted for no class (NoVote).
	Invalid int64
	// N is the number of samples drawn: the votes and Invalid.
	N int64
}

// Top returns the class with most votes and the number of them; the lowest class
// when several share the maximum. ok is false when no sample voted.
func (c Counts) Top() (class int, votes int64, ok bool) {
	for i, v := range c.PerClass {
		if v > votes {
			class, votes = i, v
		}
	}
	return class, votes, votes > 0
}

// Votes returns the number of votes of a class, 0 for one outside the classes.
func (c Counts) Votes(class int) int64 {
	if class < 0 || class >= len(c.PerClass) {
		return 0
	}
	return c.PerClass[class]
}

func newCounts(classes int) Counts { return Counts{PerClass: make([]int64, classes)} }

func (c *Counts) merge(o Counts) {
	for i, v := range o.PerClass {
		c.PerClass[i] += v
	}
	c.Invalid += o.Invalid
	c.N += o.N
}

// vote counts one label; labels outside [−1, classes) are an error of the
// classifier, never a vote.
func (c *Counts) vote(label int32) error {
	switch {
	case label == NoVote:
		c.Invalid++
	case label < 0 || int(label) >= len(c.PerClass):
		return fmt.Errorf("smooth: the classifier returned label %d; it must be -1 or below %d classes", label, len(c.PerClass))
	default:
		c.PerClass[label]++
	}
	c.N++
	return nil
}
