package trial

import "math/rand/v2"

// SampleRows makes deterministic rows of dimension d that look like what a smoothed
// classifier sees: uniform values, greys with a gradient, and both under noise.
func SampleRows(n, d int) []float32 {
	rng := rand.New(rand.NewPCG(0x5ca1ab1e, uint64(d)))
	rows := make([]float32, n*d)
	for r := range n {
		level, slope := rng.Float64(), rng.Float64()-0.5
		for i := range d {
			v := rng.Float64()
			switch r % 4 {
			case 1:
				v = level + slope*float64(i)/float64(d)
			case 2:
				v = level + 0.25*rng.NormFloat64()
			case 3:
				v += 0.5 * rng.NormFloat64()
			}
			rows[r*d+i] = float32(v)
		}
	}
	return rows
}

// outlierRows makes deterministic rows unlike those of SampleRows: large values of
// both signs, all zeros, large constants, and spikes. run turns the kinds around.
func outlierRows(n, d, run int) []float32 {
	const large = 64 // far outside the data and its noise, small enough for float16
	rng := rand.New(rand.NewPCG(0x57ead, uint64(d)<<16|uint64(run)))
	rows := make([]float32, n*d)
	for r := range n {
		row := rows[r*d : (r+1)*d]
		level := large * (2*rng.Float64() - 1)
		for i := range row {
			switch (r + r/4 + run) % 4 {
			case 0:
				row[i] = float32(large * (2*rng.Float64() - 1))
			case 1:
				row[i] = float32(level)
			case 2:
				if rng.IntN(8) == 0 {
					row[i] = float32(level)
				}
			}
		}
	}
	return rows
}
