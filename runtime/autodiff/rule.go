package autodiff

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ucan/runtime/onnx"
)

// Rule makes the gradients of a node's inputs out of those of its outputs, by adding operators to
// c.Builder. The result has at most one entry per input of the node; the zero Value, or an entry
// that is missing, stands for no gradient. Every gradient must have the shape of its input
// ([Context.Reduce] undoes broadcasting). Only inputs for which c.Needs holds are worth making one
// for.
type Rule func(c *Context) ([]onnx.Value, error)

// ErrNotDifferentiable is what errors are that say that a model has no gradient, as
// [MissingRulesError] and [RuleError] do, for errors.Is.
var ErrNotDifferentiable = errors.New("autodiff: the model cannot be differentiated")

// Is makes the error match [ErrNotDifferentiable].
func (e *MissingRulesError) Is(target error) bool { return target == ErrNotDifferentiable }

// Is makes the error match [ErrNotDifferentiable].
func (e *RuleError) Is(target error) bool { return target == ErrNotDifferentiable }

// MissingRulesError reports every node that stands between a wanted input and a loss and has no
// rule. [Options.Rules] takes rules of the caller's own.
type MissingRulesError struct {
	Nodes []MissingRule
}

// MissingRule is a node without a rule.
type MissingRule struct {
	Operator string // with its domain where that is not the default
	Node     string // its name, or its first output
}

// Error names every operator and its nodes in one line.
func (e *MissingRulesError) Error() string {
	byOp := make(map[string][]string)
	for _, n := range e.Nodes {
		byOp[n.Operator] = append(byOp[n.Operator], n.Node)
	}
	parts := make([]string, 0, len(byOp))
	for _, op := range slices.Sorted(maps.Keys(byOp)) {
		nodes := byOp[op]
		more := ""
		if len(nodes) > 3 {
			more = fmt.Sprintf(" and %d more", len(nodes)-3)
			nodes = nodes[:3]
		}
		parts = append(parts, fmt.Sprintf("%s (%s%s)", op, strings.Join(nodes, ", "), more))
	}
	return "autodiff: no gradient rule for " + strings.Join(parts, "; ")
}

// Operators returns the operators that lack a rule, sorted.
func (e *MissingRulesError) Operators() []string {
	seen := make(map[string]bool)
	for _, n := range e.Nodes {
		seen[n.Operator] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// RuleError says that the rule of an operator does not cover a node.
type RuleError struct {
	Node string // operator and name
	Err  error
}

// Error names the node and what is in the way.
func (e *RuleError) Error() string {
	return fmt.Sprintf("autodiff: no gradient of %s: %v", e.Node, e.Err)
}

// Unwrap returns the cause.
func (e *RuleError) Unwrap() error { return e.Err }

// rules returns the registry. A nil rule marks an operator that passes no gradient: its derivative
// is 0 wherever it exists, or its result is no real number.
func rules() map[string]Rule {
	return map[string]Rule{
		// Element by element (rules_elementwise.go).
		"Add": addRule, "Sub": subRule, "Mul": mulRule, "Div": divRule,
		"Neg": negRule, "Abs": absRule, "Pow": powRule, "Sqrt": sqrtRule,
		"Reciprocal": reciprocalRule, "Exp": expRule, "Log": logRule,
		"Erf": erfRule, "Sin": sinRule, "Cos": cosRule, "Sum": sumRule,
		"Mean": meanRule, "Min": extremeRule, "Max": extremeRule,
		"Where": whereRule, "Clip": clipRule,

		// Activations (rules_activation.go).
		"Relu": reluRule, "LeakyRelu": leakyReluRule, "PRelu": preluRule,
		"ThresholdedRelu": thresholdedReluRule, "Elu": eluRule,
		"Selu": seluRule, "Celu": celuRule, "Gelu": geluRule,
		"com.microsoft.Gelu": geluRule, "HardSwish": hardSwishRule,
		"HardSigmoid": hardSigmoidRule, "Sigmoid": sigmoidRule,
		"Tanh": tanhRule, "Softplus": softplusRule, "Softsign": softsignRule,
		"Softmax": softmaxRule, "LogSoftmax": logSoftmaxRule,

		// Linear maps (rules_linear.go, rules_conv.go).
		"Gemm": gemmRule, "MatMul": matMulRule,
		"Conv": convRule, "ConvTranspose": convTransposeRule,

		// Normalisation (rules_norm.go).
		"BatchNormalization": batchNormRule, "LayerNormalization": layerNormRule,
		"InstanceNormalization": instanceNormRule,
		"GroupNormalization":    groupNormRule, "LRN": lrnRule,

		// Reductions and pooling (rules_reduce.go, rules_pool.go).
		"ReduceSum": reduceSumRule, "ReduceMean": reduceMeanRule,
		"ReduceMax": reduceExtremeRule, "ReduceMin": reduceExtremeRule,
		"ReduceL1": reduceL1Rule, "ReduceL2": reduceL2Rule,
		"ReduceSumSquare": reduceSumSquareRule, "ReduceLogSum": reduceLogSumRule,
		"ReduceLogSumExp": reduceLogSumExpRule,
		"MaxPool":         maxPoolRule, "AveragePool": averagePoolRule,
		"GlobalAveragePool": globalAveragePoolRule, "GlobalMaxPool": globalMaxPoolRule,

		// Moving elements (rules_shape.go, rules_move.go, rules_resize.go).
		"Reshape": reshapeRule, "Flatten": reshapeRule, "Squeeze": reshapeRule,
		"Unsqueeze": reshapeRule, "Transpose": transposeRule,
		"Concat": concatRule, "Split": splitRule, "Slice": sliceRule,
		"Pad": padRule, "Gather": gatherRule, "Expand": expandRule,
		"Tile": tileRule, "Resize": resizeRule,
		"DepthToSpace": depthToSpaceRule, "SpaceToDepth": spaceToDepthRule,
		"Identity": identityRule, "Cast": castRule, "Dropout": dropoutRule,

		// No gradient.
		"Constant": nil, "ConstantOfShape": nil, "Shape": nil, "Size": nil,
		"Range": nil, "OneHot": nil, "EyeLike": nil, "NonZero": nil,
		"ArgMax": nil, "ArgMin": nil, "Equal": nil, "Greater": nil,
		"GreaterOrEqual": nil, "Less": nil, "LessOrEqual": nil, "Not": nil,
		"And": nil, "Or": nil, "Xor": nil, "IsNaN": nil, "IsInf": nil,
		"Sign": nil, "Floor": nil, "Ceil": nil, "Round": nil,
		"RandomNormal": nil, "RandomNormalLike": nil, "RandomUniform": nil,
		"RandomUniformLike": nil, "Bernoulli": nil, "Multinomial": nil,
	}
}
