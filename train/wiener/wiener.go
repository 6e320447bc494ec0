// Package wiener makes denoisers in closed form: the best linear estimate of an input from a noisy
// copy, given the mean and the power of such inputs (package spectrum) and the variances of the
// noise. Nothing is trained, and no label is read.
//
// For y = x + μ + n with noise n of mean zero, uncorrelated with x, the estimate
//
//	D(y) = m + U diag(g) Uᵀ(y − μ − m),  g_k = P_k/(P_k + v_k),
//
// is the best among those that are diagonal in an orthonormal basis U: its mean squared error is
// Σ_k (1 − g_k)² P_k + g_k² v_k, P_k and v_k being the power of x − m and of n along the k-th
// vector, whatever their correlations between vectors are. The error is P_k v_k/(P_k + v_k) at the
// best g_k. Of the bases in which the power is known, the one of least error is taken; its error is
// exact, so that bases compare. For the rows of tables with covariance K the best linear estimate
// of all, m + K(K + diag(v))⁻¹(y − μ − m), is a single product, and is taken.
//
// Source: Wiener, "Extrapolation, Interpolation, and Smoothing of Stationary Time Series", 1949.
package wiener

import (
	"errors"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/mat"

	"ucan/smooth"
	"ucan/train/spectrum"
)

// Filter is a fitted denoiser D(y) = F·y + b.
type Filter struct {
	// Shape is that of one input.
	Shape []int
	// Basis names the basis that was taken: one of those of package spectrum, or [Columns].
	Basis string
	// Error is the expected squared distance of D(y) from x, and Noise that of y, both a
	// coordinate.
	Error, Noise float64

	basis spectrum.Basis
	gain  []float64 // of each vector of the basis; nil for tables
	whole []float64 // F for tables, d × d, row-major
	bias  []float64 // b
	mean  []float64 // m
}

// Columns is the basis of filters that mix all columns of a table.
const Columns = "columns"

// ErrNoise marks noise that has no linear denoiser.
var ErrNoise = errors.New("the noise has no linear denoiser")

// Fit makes the filter for inputs with these moments under the noise. Noise without variance is an
// error that matches [ErrNoise].
func Fit(m *spectrum.Moments, noise *smooth.SealedNoise) (*Filter, error) {
	n := noise.Noise()
	sigma, ok := noise.Sigma()
	if !ok {
		return nil, fmt.Errorf("%w: %s has no variance; take another family", ErrNoise, n.Family.Name())
	}
	if noise.Dim() != m.Dim() {
		return nil, fmt.Errorf("noise for inputs of %d values cannot be filtered from inputs of %d", noise.Dim(), m.Dim())
	}
	field := n.Sigma()
	variances := make([]float64, m.Dim())
	for i := range variances {
		s := sigma
		if field != nil {
			s *= float64(field[i])
		}
		variances[i] = s * s
	}
	f := &Filter{Shape: slices.Clone(m.Shape)}
	var err error
	if k := m.Covariance(); k != nil {
		err = f.fitColumns(k, variances)
	} else {
		f.fitBases(m, variances, n)
	}
	if err != nil {
		return nil, err
	}
	f.setBias(m.Mean, n.Mu())
	for _, v := range variances {
		f.Noise += v / float64(m.Dim())
	}
	return f, nil
}

// fitBases takes the basis of least error.
func (f *Filter) fitBases(m *spectrum.Moments, variances []float64, n smooth.Noise) {
	for i, b := range m.Bases() {
		power, v := m.Power(b), b.Rotate(variances, n.Basis())
		gain, sum := make([]float64, len(v)), 0.0
		for k := range gain {
			gain[k] = power[k] / (power[k] + v[k])
			sum += gain[k] * v[k]
		}
		if e := sum / float64(m.Dim()); i == 0 || e < f.Error {
			f.Basis, f.basis, f.gain, f.Error = b.Name, b, gain, e
		}
	}
}

// fitColumns solves F (K + diag(v)) = K. The error of the estimate is the trace of F·diag(v).
func (f *Filter) fitColumns(covariance, variances []float64) error {
	d := len(variances)
	sum := mat.NewSymDense(d, nil)
	for i := range d {
		for j := i; j < d; j++ {
			sum.SetSym(i, j, covariance[i*d+j])
		}
		sum.SetSym(i, i, covariance[i*d+i]+variances[i])
	}
	var factors mat.Cholesky
	var solved mat.Dense // (K + V)⁻¹ K, the transpose of F
	if !factors.Factorize(sum) {
		return fmt.Errorf("the covariance of %d columns cannot be inverted; give more rows", d)
	}
	if err := factors.SolveTo(&solved, mat.NewDense(d, d, slices.Clone(covariance))); err != nil {
		return fmt.Errorf("solve for the filter of %d columns: %w", d, err)
	}
	f.Basis, f.whole = Columns, make([]float64, d*d)
	for i := range d {
		for j := range d {
			f.whole[i*d+j] = solved.At(j, i)
		}
		f.Error += f.whole[i*d+i] * variances[i] / float64(d)
	}
	return nil
}

// setBias sets b = m − F(m + μ).
func (f *Filter) setBias(mean []float64, mu []float32) {
	f.mean = mean
	shifted := slices.Clone(mean)
	for i, v := range mu {
		shifted[i] += float64(v)
	}
	f.bias = f.linear(shifted)
	for i, v := range f.bias {
		f.bias[i] = mean[i] - v
	}
}

// Apply returns D(y) in float64.
func (f *Filter) Apply(y []float64) []float64 {
	out := f.linear(y)
	for i, b := range f.bias {
		out[i] += b
	}
	return out
}

// linear returns F·y.
func (f *Filter) linear(y []float64) []float64 {
	d := len(y)
	out := make([]float64, d)
	if f.whole != nil {
		for i := range out {
			for j, v := range y {
				out[i] += f.whole[i*d+j] * v
			}
		}
		return out
	}
	copy(out, y)
	tmp := make([]float64, d)
	f.mix(tmp, out, false)
	if t := f.basis.Transform; t != nil {
		t.Coefficients(out, tmp)
	} else {
		copy(out, tmp)
	}
	for k, g := range f.gain {
		out[k] *= g
	}
	if t := f.basis.Transform; t != nil {
		t.Values(tmp, out)
	} else {
		copy(tmp, out)
	}
	f.mix(out, tmp, true)
	return out
}

// mix rotates the channels, or, transposed, rotates them back.
func (f *Filter) mix(dst, src []float64, transposed bool) {
	colour := f.basis.Colour
	if colour == nil {
		copy(dst, src)
		return
	}
	channels := f.basis.Transform.Shape()[0]
	plane := len(src) / channels
	clear(dst)
	for row := range channels {
		for i := range channels {
			c := colour[row*channels+i]
			if transposed {
				c = colour[i*channels+row]
			}
			for k := range plane {
				dst[row*plane+k] += c * src[i*plane+k]
			}
		}
	}
}
