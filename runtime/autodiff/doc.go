// Package autodiff turns an ONNX graph into another ONNX graph that also returns gradients, made of
// ordinary operators, so that onnxruntime runs it on whatever provider is configured.
//
// # Terms
//
//   - The forward graph maps inputs to a loss: one number. Several losses may be differentiated at
//     once.
//   - The gradient of a value v is ∂loss/∂v, of v's shape. Reverse mode starts from ∂loss/∂loss = 1
//     and walks the nodes backwards; at each node a [Rule] turns the gradients of its outputs into
//     those of its inputs. Where a value is read several times, its gradients are added.
//   - "With respect to" (wrt) names the inputs and initialisers whose gradients are wanted. An
//     initialiser that is named becomes an input (it is promoted) or stays a constant, see
//     [Options.Promote].
//
// # Probing
//
// No shape is inferred by hand. The forward graph is run with the shape of every value as an output
// ([Engine]); where it has symbolic dimensions, twice with different sizes, so that what varies is
// told from what does not. What depends on constants only, and shape arithmetic on dimensions that
// do not vary, is folded into constants.
//
// # Kinks
//
// Where a function has no derivative a fixed choice is made:
//
//   - Relu, LeakyRelu, PRelu, ThresholdedRelu, HardSwish, HardSigmoid, Clip: the side on which the
//     operator is constant (0 for Relu at 0, the slope alpha for LeakyRelu and PRelu); Elu, Selu,
//     Celu: the negative side.
//   - Abs and ReduceL1: 0 at 0. ReduceL2: 0 at the zero vector. Sqrt and Log are infinite at 0, as
//     is Pow below exponent 1.
//   - Max, Min, ReduceMax, ReduceMin, GlobalMaxPool: equal maxima share the gradient evenly. So
//     they do in MaxPool where its windows tile the input; where they overlap, are padded or leave
//     a rest, the first maximum of a window takes it all. With Options.CPU numbers below the normal
//     range of float32 count as equal.
//   - Floor, Ceil, Round, Sign, comparisons, ArgMax, TopK's indices and casts to integers: 0
//     everywhere.
//
// # What cannot be differentiated
//
// An operator without a rule between a wanted input and a loss is reported before anything runs,
// all of them at once ([MissingRulesError]). The caller may bring rules of their own
// ([Options.Rules]) or estimate the gradient from losses alone ([ScoreFunction]).
//
// CONTRIBUTING.md says how to add a rule.
package autodiff
