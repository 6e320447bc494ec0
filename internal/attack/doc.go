// Package attack looks for what a certificate says cannot be: a point of its region at which the
// smoothed classifier prefers another class. It serves the audits of the command.
//
// # The search
//
// For each certificate, candidates x + δ inside its region are made by
//
//   - projected gradient ascent with expectation over noise: −ln of the mean over m noisy copies
//
// of the probability of the certified class (Salman et al. 2019, SmoothAdv), in the coordinates u
// = diag(1/s)·Uᵀδ in which a region {‖u‖_p ≤ R} is a ball, by the steepest direction of its norm;
// from 0 and from random points, in the coordinates of each region in turn, scaled into the
// others;   - random directions, up to the boundary;   - the longest axis and the axis with the
// steepest slope, both ways, up to the boundary.
//
// A candidate is a float32 input (in lattice arithmetic an 8-bit image). It is moved towards x
// until exact membership of the region holds ([Claim.Contains]): nothing outside is ever blamed on
// a certificate.
//
// # What counts as a flip
//
// Some samples of each candidate choose the worst one (the worse half gets twice as many, until
// one is left), with class j ahead of or next behind the certified class c. Of n fresh samples at
// that point let n_j and n_c be the votes. If c is the smoothed classifier's answer there, p_c ≥
// p_j, and given n_j + n_c the first is binomial with at most 1/2. So P[Bin(n_j+n_c, 1/2) ≥ n_j] ≤
// β/N counts a flip wrongly with probability at most β/N, and over N certificates with at most β
// (Bonferroni). All samples are of stream phase Audit, those that choose and those that judge
// apart: no flip depends on the samples of the certificate.
//
// # What counts as a violation
//
// A certificate at α is false with probability up to α, however good the method. Of N independent
// certificates at α_1 … α_N the number of false ones has the tail of a Poisson-binomial law. Flips
// are a violation when P[at least so many] ≤ β. A true method is then accused with probability at
// most 2β, which is [Options.Level].
package attack
