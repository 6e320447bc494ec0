package stream

// Phase names what the samples of a stream are drawn for. Streams of different
// phases are disjoint, so a choice made with one phase (class, noise scale,
// sample size, generator output) can never be biased towards the samples of
// another: whatever chose μ, Σ, σ, the class, n or the method must not have
// drawn from Estimate.
type Phase uint8

// The phases of a certification. Their numbers enter the stream's key and are
// never renumbered: a change would alter every stored certificate's replay.
const (
	Train    Phase = 1  // noise of training steps
	NPG      Phase = 2  // a noise parameter generator's own randomness
	Selector Phase = 3  // training labels of selectors: which noise suits an input
	Pilot    Phase = 4  // calibration, cost estimates, choice of n
	Select   Phase = 5  // n0 samples that choose the class
	Estimate Phase = 6  // n samples that bound its probability
	Predict  Phase = 7  // samples of Predict
	Audit    Phase = 8  // leak, drift and attack audits
	Resample Phase = 9  // verify --resample
	Check    Phase = 10 // trial batches before a run: is the answer a function of the row?
)
