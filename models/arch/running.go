package arch

import "fmt"

// NewRunning returns the averages before the first batch: mean 0, variance 1.
func (n *Network) NewRunning() Running {
	r := make(Running, 2*len(n.stats))
	for _, s := range n.stats {
		r[s.Mean] = make([]float32, s.Channels)
		ones := make([]float32, s.Channels)
		for i := range ones {
			ones[i] = 1
		}
		r[s.Variance] = ones
	}
	return r
}

// Update moves the averages towards the statistics of a batch of the given
// number of images, as PyTorch does:
//
//	mean ← (1 − m)·mean + m·batch mean
//	var  ← (1 − m)·var + m·batch variance·k/(k − 1)
//
// with momentum m in (0, 1] (0.1 is customary) and k samples per channel; the
// factor makes the variance unbiased and is left out for k = 1. batch returns
// the value of an output of the training graph (autodiff's Executor.Result).
func (r Running) Update(stats []Statistic, images int, momentum float64, batch func(output string) []float32) error {
	if !(momentum > 0 && momentum <= 1) {
		return fmt.Errorf("arch: momentum %v is not in (0, 1]", momentum)
	}
	for _, s := range stats {
		unbiased := 1.0
		if k := float64(images) * float64(s.Positions); k > 1 {
			unbiased = k / (k - 1)
		}
		for name, factor := range map[string]float64{s.Mean: 1, s.Variance: unbiased} {
			avg, now := r[name], batch(name)
			if len(avg) != s.Channels || len(now) != s.Channels {
				return fmt.Errorf("arch: statistic %q has %d averages and %d values of the batch; it is of %d channels", name, len(avg), len(now), s.Channels)
			}
			for i := range avg {
				avg[i] = float32((1-momentum)*float64(avg[i]) + momentum*factor*float64(now[i]))
			}
		}
	}
	return nil
}
