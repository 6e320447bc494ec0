package generator

import (
	"math"

	"ucan/train"
)

// Names of the figures in a training log.
const (
	figureError   = "cross_entropy"
	figureMean    = "sigma_mean"
	figureGeo     = "sigma_geomean"
	figureMin     = "sigma_min"
	figureMax     = "sigma_max"
	figureSpread  = "sigma_spread"
	figureBetween = "sigma_between"
	figureMu      = "mu_norm"
)

// metrics reads the results of a step.
func (o *Objective) metrics(labels []int64) train.Metrics {
	f := fieldFigures(o.executor.Result(sigmaOutput), o.config.Rows)
	return train.Metrics{
		Loss:  o.executor.Loss(lossOutput),
		Noisy: train.CorrectShare(o.executor.Result(logitOutput), labels, o.config.Draws, o.classes),
		Extra: []train.Figure{
			{Name: figureError, Value: float64(o.executor.Result(errorOutput)[0])},
			{Name: figureMean, Value: f.mean},
			{Name: figureGeo, Value: f.geometric},
			{Name: figureMin, Value: f.min, Over: train.Minimum},
			{Name: figureMax, Value: f.max, Over: train.Maximum},
			{Name: figureSpread, Value: f.spread},
			{Name: figureBetween, Value: f.between},
			{Name: figureMu, Value: meanNorm(o.executor.Result(muOutput), o.config.Rows)},
		},
	}
}

// figures summarise the scale fields of several inputs.
type figures struct {
	mean, geometric, min, max float64
	// spread is the mean over the inputs of the standard deviation of log s over the coordinates: 0
	// when every field is constant, so that noise is isotropic.
	spread float64
	// between is the mean over the coordinates of the standard deviation of log s over the inputs:
	// 0 when all inputs get one field.
	between float64
}

// fieldFigures summarises rows fields, one after the other.
func fieldFigures(sigma []float32, rows int) figures {
	d := len(sigma) / rows
	f := figures{min: math.Inf(1), max: math.Inf(-1)}
	sum, squares := make([]float64, d), make([]float64, d)
	for r := range rows {
		var total, square float64
		for i, v := range sigma[r*d : (r+1)*d] {
			s := float64(v)
			f.mean += s
			f.min, f.max = min(f.min, s), max(f.max, s)
			l := math.Log(s)
			total += l
			square += l * l
			sum[i] += l
			squares[i] += l * l
		}
		f.geometric += total / float64(d)
		f.spread += deviation(total, square, d)
	}
	for i := range sum {
		f.between += deviation(sum[i], squares[i], rows)
	}
	f.mean /= float64(len(sigma))
	f.geometric = math.Exp(f.geometric / float64(rows))
	f.spread /= float64(rows)
	f.between /= float64(d)
	return f
}

// deviation is the standard deviation of n numbers with the given sum and sum of squares.
func deviation(sum, squares float64, n int) float64 {
	mean := sum / float64(n)
	return math.Sqrt(max(squares/float64(n)-mean*mean, 0))
}

// meanNorm is the mean ℓ2 norm of rows offset fields; 0 for none.
func meanNorm(mu []float32, rows int) float64 {
	d := len(mu) / rows
	total := 0.0
	for r := range rows {
		square := 0.0
		for _, v := range mu[r*d : (r+1)*d] {
			square += float64(v) * float64(v)
		}
		total += math.Sqrt(square)
	}
	return total / float64(rows)
}
