package diagnose

import "slices"

// The names of the diagnoses.
const (
	// Collapse: Σ is constant over the coordinates of an input, so the region is a ball.
	Collapse = "collapse"
	// CollapseInputs: Σ may depend on the input, yet is the same for all of them.
	CollapseInputs = "collapse across inputs"
	// SigmaCap: most coordinates of Σ sit at the ceiling.
	SigmaCap = "sigma at cap"
	// ZeroRadius: coordinates of Σ sit at the floor, or so far below the others that the ℓ2 ball
	// inside the region is nothing beside its volume.
	ZeroRadius = "zero radius"
	// MuCap: ‖μ‖ is close to the largest that the generator can make.
	MuCap = "mu at cap"
	// MuLarge: μ varies from input to input by more than the size of the inputs.
	MuLarge = "mu outweighs input"
	// Abstains: the smoothed classifier abstains on most inputs.
	Abstains = "abstention"
	// Leaks: the base classifier reads the label from the noise parameters.
	Leaks = "leak"
)

// Diagnosis is one thing that was looked for.
type Diagnosis struct {
	Name string `json:"name" yaml:"name"`
	// Found says that it applies.
	Found bool `json:"found" yaml:"found"`
	// Value is what was measured, Threshold what it is compared with; both in the units that Text
	// names.
	Value     float64 `json:"value" yaml:"value"`
	Threshold float64 `json:"threshold" yaml:"threshold"`
	// Text says in one line what was measured.
	Text string `json:"text" yaml:"text"`
	// Knob says in one line what to change; empty unless Found.
	Knob string `json:"knob,omitempty" yaml:"knob,omitempty"`
}

// Report is everything measured on one generator.
type Report struct {
	// Inputs is the number of inputs looked at and Dim that of their coordinates.
	Inputs int `json:"inputs" yaml:"inputs"`
	Dim    int `json:"dim" yaml:"dim"`
	// Guarantee is the generator's: "deployed" or "pinned".
	Guarantee string `json:"guarantee" yaml:"guarantee"`
	// Basis names the basis that Σ lives in; empty for the input's own coordinates.
	Basis string `json:"basis,omitempty" yaml:"basis,omitempty"`
	Sigma Scale  `json:"sigma" yaml:"sigma"`
	Mu    Offset `json:"mu" yaml:"mu"`
	// Abstention and Leak are nil when they were not measured; Notes says why.
	Abstention *Abstention `json:"abstention,omitempty" yaml:"abstention,omitempty"`
	Leak       *Leak       `json:"leak,omitempty" yaml:"leak,omitempty"`
	// Diagnoses are all that were made, found or not, the gravest first.
	Diagnoses []Diagnosis `json:"diagnoses" yaml:"diagnoses"`
	// Notes say what was not measured and why.
	Notes []string `json:"notes,omitempty" yaml:"notes,omitempty"`
}

// Found returns the diagnoses that apply; none for a healthy generator.
func (r Report) Found() []Diagnosis {
	return slices.DeleteFunc(slices.Clone(r.Diagnoses), func(d Diagnosis) bool { return !d.Found })
}

// Scale describes Σ as the generator makes it, before the noise's own λ, in the generator's basis.
type Scale struct {
	// Min, Mean, Max and GeometricMean are over all coordinates of all inputs.
	Min           float64 `json:"min" yaml:"min"`
	Mean          float64 `json:"mean" yaml:"mean"`
	Max           float64 `json:"max" yaml:"max"`
	GeometricMean float64 `json:"geometric_mean" yaml:"geometric_mean"`
	// SpreadCoordinates is the standard deviation of log σ over the coordinates of one input, root
	// mean square over the inputs: a relative spread, 0 for a ball.
	SpreadCoordinates float64 `json:"spread_coordinates" yaml:"spread_coordinates"`
	// SpreadInputs is the standard deviation of log σ over the inputs at one coordinate, root mean
	// square over the coordinates: 0 when all inputs get the same field.
	SpreadInputs float64 `json:"spread_inputs" yaml:"spread_inputs"`
	// VolumeGain is the geometric mean over inputs of (∏σ)^{1/d} / min σ: how many times the ALM
	// exceeds the ℓ2 radius. It is 1 for a ball.
	VolumeGain float64 `json:"volume_gain" yaml:"volume_gain"`
	// Floor and Ceiling are the generator's bounds, 0 when unknown; AtFloor and AtCeiling the
	// shares of coordinates within a tenth of a percent of them.
	Floor     float64 `json:"floor,omitempty" yaml:"floor,omitempty"`
	Ceiling   float64 `json:"ceiling,omitempty" yaml:"ceiling,omitempty"`
	AtFloor   float64 `json:"at_floor" yaml:"at_floor"`
	AtCeiling float64 `json:"at_ceiling" yaml:"at_ceiling"`
}

// Offset describes μ. All norms are ℓ2, means over the inputs.
type Offset struct {
	Norm      float64 `json:"norm" yaml:"norm"`
	InputNorm float64 `json:"input_norm" yaml:"input_norm"`
	// OfInput is the mean of ‖μ(x)‖/‖x‖ over the inputs other than 0.
	OfInput float64 `json:"of_input" yaml:"of_input"`
	// Varying is that of ‖μ(x) − μ̄‖/‖x‖, μ̄ being the mean offset of the inputs: the part that can
	// tell inputs apart.
	Varying float64 `json:"varying" yaml:"varying"`
	// Cap is the bound on |μ_i|, 0 when unknown, and OfCap the mean of ‖μ‖/(Cap·√d).
	Cap   float64 `json:"cap,omitempty" yaml:"cap,omitempty"`
	OfCap float64 `json:"of_cap" yaml:"of_cap"`
}

// Abstention describes the smoothed classifier at a small sample size.
type Abstention struct {
	// Inputs were sampled N times each; Abstained of them have a Clopper–Pearson lower bound at
	// Alpha of at most 1/2 for the leading class. Low and High are the exact interval of the share
	// at the report's confidence.
	Inputs    int     `json:"inputs" yaml:"inputs"`
	N         int64   `json:"n" yaml:"n"`
	Alpha     float64 `json:"alpha" yaml:"alpha"`
	Abstained int     `json:"abstained" yaml:"abstained"`
	Share     float64 `json:"share" yaml:"share"`
	Low       float64 `json:"low" yaml:"low"`
	High      float64 `json:"high" yaml:"high"`
	// Accuracy is the share of labelled inputs whose leading class is the label, abstentions
	// counting as wrong; −1 without labels.
	Accuracy float64 `json:"accuracy" yaml:"accuracy"`
}

// Leak is the outcome of the swap audit; see the package documentation.
type Leak struct {
	// Inputs of Classes classes kept their noise parameters while the image was swapped for Donors
	// others, Draws times each.
	Inputs  int `json:"inputs" yaml:"inputs"`
	Classes int `json:"classes" yaml:"classes"`
	Donors  int `json:"donors" yaml:"donors"`
	Draws   int `json:"draws" yaml:"draws"`
	// Accuracy is the share of samples classified as the label of the input whose noise parameters
	// were kept. Low and High enclose its expectation with probability Confidence
	// (Chernoff–Hoeffding over the inputs).
	Accuracy   float64 `json:"accuracy" yaml:"accuracy"`
	Low        float64 `json:"low" yaml:"low"`
	High       float64 `json:"high" yaml:"high"`
	Confidence float64 `json:"confidence" yaml:"confidence"`
	// Chance is the most that any classifier reaches without reading the noise parameters.
	Chance float64 `json:"chance" yaml:"chance"`
	// Reader is what a linear classifier learns to read from such copies; nil where there are too
	// few inputs.
	Reader *Reading `json:"reader,omitempty" yaml:"reader,omitempty"`
	// ThroughMu and ThroughSigma are the accuracies when only that field is kept and the other is
	// the donor's; nil when the base classifier reads nothing that could be attributed.
	ThroughMu    *float64 `json:"through_mu,omitempty" yaml:"through_mu,omitempty"`
	ThroughSigma *float64 `json:"through_sigma,omitempty" yaml:"through_sigma,omitempty"`
}

// Reading is the accuracy of a linear classifier that was trained on swapped noisy copies of other
// inputs: a lower bound on what a base classifier that is trained together with the generator
// learns to read. The fields are those of [Leak].
type Reading struct {
	Inputs   int     `json:"inputs" yaml:"inputs"`
	Accuracy float64 `json:"accuracy" yaml:"accuracy"`
	Low      float64 `json:"low" yaml:"low"`
	High     float64 `json:"high" yaml:"high"`
	Chance   float64 `json:"chance" yaml:"chance"`
}
