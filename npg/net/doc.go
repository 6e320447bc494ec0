// Package net holds the trainable noise parameter generators of UCAN (arXiv 2510.19977, Section 4)
// as ONNX graphs.
//
// # Kinds
//
//   - [npg.KindDataset]: multilayer perceptrons 1→128→256→512→1024→d with LeakyReLU 0.2 on the
//     constant input 1, one for the scale and, unless the mean is fixed, one for the offset. The
//     result is one field for all inputs.
//   - [npg.KindCertification]: dense-block networks (a 3×3 convolution to 16 maps; four
//     convolutions with LeakyReLU 0.2 of 16 maps each, every one reading all maps before it; a
//     convolution of all 80 maps to 16 and one to the input's channels), the structure of the
//     authors' published generators: G₁ for μ = c·tanh G₁(x) and G₂ for s = H(G₂(x + μ)).
//   - [npg.KindPattern]: the pattern-wise formulas with their two or three numbers as weights.
//
// # The head
//
// The authors take s = |tanh(·)| times a cap. That has a kink where it is smallest, reaches 0,
// where Σ is not invertible, and its gradient dies at the cap, where the published generators sit
// everywhere. Here the last layer's value z is mapped to the scale by
//
//	log s = log F + (log C − log F)·(1 + tanh z)/2,
//
// so that F ≤ s ≤ C (floor and ceiling) whatever the weights are, and ∂log s/∂z = ½ log(C/F)·(1 −
// tanh² z): largest half-way between the two on the logarithmic scale. The bias of the last layer
// makes s = [Config.Start] at the beginning, its weights being a tenth of the usual size, so that
// neither bound is near and all pixels differ a little.
//
// [Config.Hold] keeps a mean of s, over the coordinates of every single input, at a given value:
// log s is computed from z + t, where t solves the equation by Newton steps inside the graph. So
// shapes are learned at equal volume, and two generators can be compared at equal mean. Bounds
// still hold.
//
// # Files
//
// [Net.Export] writes plain ONNX: input "x" float [N, shape…], outputs "mu", which is μ/c, and
// "sigma" of the same shape (no "mu" with a fixed mean). The same weights give the same bytes;
// there is no time and no path in them.
package net
