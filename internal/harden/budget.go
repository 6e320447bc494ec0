package harden

import "time"

// How the budget is shared out. What is left is for opening models, and for what takes longer than
// was measured.
const (
	speedShare    = 0.03 // the first look at the speed
	choiceShare   = 0.12 // all candidates under noise
	trainingShare = 0.38
	finalShare    = 0.25 // certification, before and after
)

// Bounds on samples an input.
const (
	fewestChoice, mostChoice = 50, 500
	fewestFinal, mostFinal   = 1000, 10_000
	fewestSpeed, mostSpeed   = 20, 400
)

// Candidates that are measured under noise, at most.
const mostCandidates = 3

// mostEpochs is where more passes stop paying for a model that is fine-tuned.
const mostEpochs = 20

// sampling is a number of inputs and of samples each.
type sampling struct {
	Inputs  int `json:"inputs"`
	Samples int `json:"samples"`
}

// fit finds how many samples each of the inputs of a shard "i/k" can have in a time, at so many
// rows a second; inputs give way where even the fewest samples do not fit. It returns the part of
// the shard that is left.
func fit(shard string, inputs int, rows float64, share time.Duration, fewest, most int) (string, sampling) {
	total := rows * share.Seconds()
	if total < float64(inputs*fewest) {
		shard, inputs = narrowed(shard, inputs, max(fewestInputs, int(total)/fewest))
	}
	samples := min(most, max(fewest, int(total/float64(inputs))))
	if samples > 2*50 {
		samples -= samples % 50 // a round number for people
	}
	return shard, sampling{inputs, samples}
}

// schedule is a number of epochs over a number of inputs; none where the time does not suffice.
type schedule struct {
	Epochs int `json:"epochs"`
	Inputs int `json:"inputs"`
}

// plan finds how often a training can see its inputs in a time, at so much a step of so many
// inputs. Less than a whole pass is a pass over part of them; less than ten steps is none.
func plan(inputs, batch int, step, share time.Duration) schedule {
	const fewestSteps = 10
	steps := int(share / max(step, time.Microsecond))
	whole := max(1, inputs/batch)
	switch {
	case steps >= whole:
		return schedule{min(mostEpochs, steps/whole), inputs}
	case steps >= fewestSteps:
		return schedule{1, steps * batch}
	}
	return schedule{}
}

// together is how many rows each of several models does in a second, where all do the same number.
func together(rates ...float64) float64 {
	sum := 0.0
	for _, r := range rates {
		sum += 1 / r
	}
	return float64(len(rates)) / sum
}
