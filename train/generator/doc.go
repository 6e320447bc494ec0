// Package generator is the objective that trains a noise parameter generator through a base
// classifier (UCAN, arXiv 2510.19977, Section 5), for the loop of package train.
//
// # One step
//
// For N images x with labels y and m draws of noise each, λε being raw noise of the run's family:
//
//	μ, s  = generator(x)                                                 [N, shape…]
//	x'_nj = x_n + μ_n + s_n ⊙ λε_nj,  or  x_n + μ_n + U(s_n ⊙ λε_nj)       in the basis U
//	z_nj  = f(x'_nj)                                                     scores of the base classifier
//	loss  = mean_nj CE(z_nj, y_n) − Σ weight·volume(s) + reg·‖Σ‖ + consistency
//
// All of it is one ONNX graph that package autodiff differentiates by the generator's initialisers
// and, in joint training, by those of f; onnxruntime runs it. f is frozen otherwise: only its
// gradient by the input is computed.
//
// # Volume
//
// A larger volume is rewarded. Of each input's s: its minimum (the ℓ2 radius is R·min s), its mean,
// the mean of its logarithm (ALM is R·exp(mean log s)), and Area, which aims at what a curve of
// certified accuracy against ALM encloses:
//
//	area_n = exp(mean log s_n)·max(0, q(C_n)),   q(C) = −ln(e^C − 1)/1.702 ≈ Φ⁻¹(e^{−C}),
//
// C_n being the mean cross-entropy of the image's draws. By Jensen's inequality e^{−C_n} is a lower
// bound on the mean over the draws of the softmax probability of y, which stands for p_A; so area_n
// estimates, from below, the ALM radius of the image. An image with C > ln 2 adds nothing to the
// area: the cross-entropy keeps it from being given up.
//
// ‖Σ‖ is the Frobenius norm over √d, the root mean square of s, averaged over the inputs.
package generator
