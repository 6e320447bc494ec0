package certificate

import (
	"encoding/json"

	"ucan/smooth"
)

// Schema names the format of this package.
const Schema = "ucan.certificate/1"

// Status is the outcome for one input.
type Status string

// The outcomes.
const (
	Certified Status = "certified"
	Abstained Status = "abstained"
	// Failed inputs were never certified: unreadable, or a label outside the
	// classes. They stay in every denominator.
	Failed Status = "failed"
)

// Certificate is one line of a certificate file.
type Certificate struct {
	Schema string `json:"schema"`
	// ID is the hex SHA-256 of the RFC 8785 form of the object without "id" and
	// "run".
	ID        string           `json:"id"`
	Guarantee smooth.Guarantee `json:"guarantee"`
	Status    Status           `json:"status"`
	// Error is the reason of status "failed".
	Error      string     `json:"error,omitempty"`
	Input      Input      `json:"input"`
	Model      Model      `json:"model"`
	Noise      Noise      `json:"noise"`
	Statistics Statistics `json:"statistics"`
	// Stages are those of the guarantee "selector": its selector's, and that of the set it chose,
	// whose model, noise and votes are the certificate's own. Statistics.Alpha is their sum.
	Stages []Stage `json:"stages,omitempty"`
	// Predict is the certified class, −1 when there is none.
	Predict int `json:"predict"`
	// Correct is whether Predict is the label; null when the label is unknown.
	Correct *bool `json:"correct"`
	// Regions intersect in the certified set {δ : ‖δ ⊘ sigma_field‖_norm ≤ R for
	// all}; empty unless certified.
	Regions []Region `json:"regions"`
	// ConvertedFrom is the norm of the theorem when the asked norm has none.
	ConvertedFrom string `json:"converted_from,omitempty"`
	Radii         Radii  `json:"radii"`
	// ALM is (∏σ_i)^{1/d}·R, a measure of volume and not a radius.
	ALM Float `json:"alm"`
	// ALMCapped is the geometric mean over the region's axes of min(extent, range), the range
	// being the largest displacement along the axis within Input.Box, and CappedShare the share
	// of axes whose extent is at least that. Both describe the region and bound nothing. They are
	// 0 where nothing is certified, and nil where the certificate names no box.
	ALMCapped   *Float `json:"alm_capped,omitempty"`
	CappedShare *Float `json:"capped_share,omitempty"`
	LogVolume   Float  `json:"log_volume"`
	// UpperEstimate marks ALM, ALMCapped and LogVolume as the smallest of several regions,
	// an upper estimate of their intersection's.
	UpperEstimate bool     `json:"upper_estimate,omitempty"`
	Warnings      []string `json:"warnings,omitempty"`
	Run           Run      `json:"run"`
}

// Input names the certified input.
type Input struct {
	// Source is the data source without any path, such as "mnist:t10k".
	Source string `json:"source"`
	Index  int64  `json:"index"`
	// SHA256 is that of the float32 little-endian values in source layout; empty
	// when the input could not be read.
	SHA256 string `json:"sha256"`
	Shape  []int  `json:"shape"`
	// Box holds the smallest and the largest value that any coordinate of the data may have, such
	// as 0 and 1 for images; nil where that is not known.
	Box *Box `json:"box,omitempty"`
	// Label is −1 when unknown.
	Label int `json:"label"`
}

// Dim returns the number of coordinates, the product of Shape; 0 for an empty
// shape, and for one that is negative or beyond MaxDim.
func (i Input) Dim() int {
	if len(i.Shape) == 0 {
		return 0
	}
	d := 1
	for _, n := range i.Shape {
		if n < 1 || n > MaxDim/d {
			return 0
		}
		d *= n
	}
	return d
}

// Model names the base classifier.
type Model struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	// Preprocessing is the declared transformation inside the graph, after the
	// noise: any JSON object.
	Preprocessing json.RawMessage `json:"preprocessing"`
	// Denoiser is the model composed in front, when there is one.
	Denoiser *File `json:"denoiser,omitempty"`
	// Decision says how a class is made of the output: "argmax", "argmin",
	// "threshold", "threshold:T" or "label" (the model gives the class itself).
	Decision string `json:"decision"`
	Classes  int    `json:"classes"`
}

// File names a file by its content; Name holds no folder.
type File struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Noise is the noise μ + λ·s⊙ε, as sampled.
type Noise struct {
	Family string `json:"family"`
	// Norm is the norm the radius was asked in.
	Norm       string           `json:"norm"`
	Parameters map[string]Float `json:"parameters"`
	// Lambda is the raw scale λ.
	Lambda Float `json:"lambda"`
	// Sigma is the standard deviation per coordinate that λ stands for, null when
	// the family has no variance.
	Sigma      *Float `json:"sigma"`
	SigmaField *Field `json:"sigma_field"`
	MuField    *Field `json:"mu_field"`
	// Basis names the orthonormal basis U of noise μ + λ·U(s⊙ε) (package basis), left
	// out for the input's own coordinates.
	Basis *string `json:"basis,omitempty"`
	// NPG describes the generator of the fields, null when there was none.
	NPG *NPG `json:"npg"`
	// Arithmetic is "float32": noise is added in floating point and the
	// certificate assumes real arithmetic; or "lattice": noise on the lattice of
	// 8-bit images, and the certificate holds for x + δ that are such images.
	Arithmetic string `json:"arithmetic"`
}

// NPG names the generator of noise parameters.
type NPG struct {
	// Kind is how the parameters were made, and with it the guarantee.
	Kind Kind `json:"kind"`
	// Spec names the generator: of a pattern the formula, "pattern:…", which no other kind
	// has; of others the name of the bundle, or of the files with the limits of the scale.
	Spec string `json:"spec"`
	// Files are its files, by content: of a bundle its npg.yaml, which binds all
	// others.
	Files []File `json:"files,omitempty"`
	// Floored and Ceiled are the numbers of coordinates whose scale was raised to the
	// generator's floor or lowered to its ceiling.
	Floored int `json:"floored,omitempty"`
	Ceiled  int `json:"ceiled,omitempty"`
	// Lipschitz is the scale of the input under kind "lipschitz", nil under others and where no
	// noise was made.
	Lipschitz *Lipschitz `json:"lipschitz,omitempty"`
}

// Statistics are the votes and the bound on p_A.
type Statistics struct {
	// Method is "fixed", "adaptive" or "two-stage".
	Method string `json:"method"`
	Alpha  Float  `json:"alpha"`
	N0     int64  `json:"n0"`
	N      int64  `json:"n"`
	// Counts are the votes of the estimation phase, classes without one left out.
	Counts map[int]int64 `json:"counts"`
	// Invalid is the number of estimation samples without a vote: in N, never in
	// K.
	Invalid int64 `json:"invalid"`
	// Selected is the class the bound speaks of, null when there is none.
	Selected *int `json:"selected"`
	// Selection are the votes of the selection phase.
	Selection map[int]int64 `json:"selection,omitempty"`
	// K is the number of votes for Selected.
	K int64 `json:"k"`
	// PLower is the lower bound on p_A, rounded down, less LostMass; in adaptive
	// runs p_j of the last rejected level.
	PLower Float `json:"p_lower"`
	// LostMass is what PLower concedes to the sampler's unreachable tails.
	LostMass Float `json:"lost_mass"`
	// Bound is "" for p_B ≤ 1 − p_A, "two" when p_B is bounded too, by PUpper.
	Bound string `json:"bound,omitempty"`
	// PUpper is the upper bound on every other class's probability plus LostMass,
	// with Bound "two".
	PUpper *Float `json:"p_upper,omitempty"`
	// TwoStage holds the settings of method "two-stage", whose N0 pilot samples
	// decided N.
	TwoStage *TwoStage `json:"two_stage,omitempty"`

	*AdaptiveStatistics
}

// TwoStage are the settings of a two-stage run (package sequential).
type TwoStage struct {
	Kappa Float `json:"kappa"`
	Cap   int64 `json:"cap"`
}

// Region is one certified region {δ : ‖δ ⊘ sigma_field‖_norm ≤ R}, or with a basis U
// {δ : ‖(Uᵀδ) ⊘ sigma_field‖₂ ≤ R}.
type Region struct {
	Norm string `json:"norm"`
	R    Float  `json:"R"`
	// SigmaField is null for ones.
	SigmaField *Field `json:"sigma_field"`
	// Basis names the basis the region lives in, null for the input's own.
	Basis *string `json:"basis"`
}

// Radii are the largest ℓ1, ℓ2 and ℓ∞ balls inside all regions.
type Radii struct {
	L1   Float `json:"l1"`
	L2   Float `json:"l2"`
	LInf Float `json:"linf"`
}

// Run is what the certificate does not depend on: it is left out of the id.
type Run struct {
	Seed        Seed   `json:"seed"`
	Provider    string `json:"provider"`
	ONNXRuntime string `json:"onnxruntime"`
	Batch       int    `json:"batch"`
	// CPU is the kind of processor that counted the votes, for example "x86-64 avx2 (AMD EPYC)";
	// "" where it is unknown, as in certificates of earlier versions. Another kind may count a
	// few votes otherwise.
	CPU     string `json:"cpu,omitempty"`
	Ucan    string `json:"ucan"`
	Seconds Float  `json:"seconds"`
	// Notes are the run's own remarks, such as a forced sanity check.
	Notes map[string]string `json:"notes,omitempty"`
}
