package lattice

import (
	"math"
	"slices"
	"testing"

	"ucan/smooth/stats"
	"ucan/smooth/stream"
)

// The attack of Voráček and Hein on smoothing in floating point, as a classifier
// that looks at low bits. Noise n that carries x = 28/255 to within 0.047 of 0 is at
// least 2⁻⁴ in size, so a multiple of 2⁻²⁷, and so is the sum. From x = 0 the same
// small values have all the bits of the noise, down to 2⁻²⁸ and below. Class 0: some
// small value is no multiple of 2⁻²⁷.
func lowBits(y []float32) int {
	for _, v := range y {
		if scaled := float64(v) * 0x1p27; math.Abs(float64(v)) < 0.047 && scaled != math.Trunc(scaled) {
			return 0
		}
	}
	return 1
}

const (
	attackDim   = 150
	attackPixel = 28 // δ is 28/255 in every coordinate, 1.345 in ℓ2
	attackSigma = 0.5
	attackN     = 10_000
)

// votes returns how often lowBits says 0.
func votes(sample func(dst []float32, src *stream.Source)) int64 {
	key := stream.New(3, [32]byte{}, stream.Audit)
	dst := make([]float32, attackDim)
	var n int64
	for i := range attackN {
		src := key.Source(uint64(i))
		sample(dst, &src)
		if lowBits(dst) == 0 {
			n++
		}
	}
	return n
}

func TestAttackBreaksFloat32AndNotTheLattice(t *testing.T) {
	clean, attacked := make([]uint8, attackDim), slices.Repeat([]uint8{attackPixel}, attackDim)
	size := float64(attackPixel) / Steps * math.Sqrt(attackDim)

	plain := func(x []uint8) int64 { // x + σε in float32, as certifiers do it
		return votes(func(dst []float32, src *stream.Source) {
			src.NormalInto(dst)
			for i, e := range dst {
				dst[i] = Value(int(x[i])) + float32(attackSigma*e)
			}
		})
	}
	noise := mustNoise(t, Config{Family: mustFamily(t, "gaussian"), Dim: attackDim, Lambda: attackSigma})
	lattice := func(x []uint8) int64 {
		return votes(func(dst []float32, src *stream.Source) {
			if !noise.Sample(dst, x, src) {
				t.Fatal("uncertain sample")
			}
		})
	}
	// bound is the radius certified for class 0 from its votes on the clean input.
	radius := func(k int64) (p, r float64) {
		p, err := stats.ClopperPearsonLower(k, attackN, 0.001)
		if err != nil {
			t.Fatal(err)
		}
		return p, attackSigma * stats.NormalQuantileLower(p)
	}

	p, r := radius(plain(clean))
	if r <= size {
		t.Fatalf("the attack needs a certified radius above %v, got %v", size, r)
	}
	if k := plain(attacked); k != 0 {
		t.Errorf("float32: class 0 has %d of %d votes at the attacked point; the attack is meant to remove all", k, attackN)
	}
	t.Logf("float32: p_A ≥ %.5f certifies ℓ2 radius %.3f; at distance %.3f class 0 has no vote", p, r, size)

	// On the lattice the theorem holds: p_A(x+δ) ≥ Φ(Φ⁻¹(p_A(x)) − ‖δ‖/σ).
	p, r = radius(lattice(clean))
	k := lattice(attacked)
	upper, err := stats.ClopperPearsonUpper(k, attackN, 0.001)
	if err != nil {
		t.Fatal(err)
	}
	if least := stats.NormalCDF((r - size) / attackSigma); upper < least {
		t.Errorf("lattice: p_A ≤ %v at the attacked point, the theorem promises %v", upper, least)
	}
	if k <= attackN/2 {
		t.Errorf("lattice: class 0 has %d of %d votes at the attacked point", k, attackN)
	}
	t.Logf("lattice: p_A ≥ %.5f at the input, %d of %d votes at distance %.3f", p, k, attackN, size)
}

// What a classifier can see does not depend on where the noise started: one
// float32 for each lattice point, the same 256 from every pixel value.
func TestOneFloatForEachLatticePoint(t *testing.T) {
	const dim = 256
	noise := mustNoise(t, Config{Family: mustFamily(t, "laplace"), Dim: dim, Lambda: 0.3})
	x := make([]uint8, dim)
	for i := range x {
		x[i] = uint8(i)
	}
	allowed := map[float32]bool{}
	for k := 0; k <= Steps; k++ {
		allowed[Value(k)] = true
	}
	seen := make([]map[float32]bool, dim)
	for i := range seen {
		seen[i] = map[float32]bool{}
	}
	key := stream.New(4, [32]byte{}, stream.Audit)
	dst := make([]float32, dim)
	for i := range 5000 {
		src := key.Source(uint64(i))
		noise.Sample(dst, x, &src)
		for j, v := range dst {
			if !allowed[v] {
				t.Fatalf("value %v is not k/255", v)
			}
			seen[j][v] = true
		}
	}
	// From every pixel value every lattice point can be reached, the farthest with
	// a probability of e^(−1/0.3)/(0.6·255) = 2.3e-4, so most are seen.
	for j := range seen {
		if len(seen[j]) < 150 {
			t.Errorf("pixel %d reaches %d lattice points only", j, len(seen[j]))
		}
	}
}
