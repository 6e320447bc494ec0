package sequential

import (
	"fmt"
	"math"

	"ucan/smooth/stats"
)

// MinAlpha is the smallest error probability for which tables are made. Below
// it the float64 slack that keeps a table valid would be a visible part of
// alpha.
const MinAlpha = 1e-9

// Table holds the critical numbers of one level. It is immutable.
//
// Source: Lan and DeMets 1983, group-sequential tests with a spending function, here with the exact
// distribution of the failure count; see newTable.
type Table struct {
	looks    []int64
	critical []int64
	spent    float64 // bounds the probability of ever rejecting at p_A = p
}

// Len is the number of looks.
func (t *Table) Len() int { return len(t.looks) }

// Look is the number of samples at look k = 0, 1, …, Len()−1.
func (t *Table) Look(k int) int64 { return t.looks[k] }

// Critical is the largest number of failures at look k at which the level is
// rejected, or −1 when no number is small enough.
func (t *Table) Critical(k int) int64 { return t.critical[k] }

// newTable computes the critical numbers of H: p_A ≤ p by dynamic programming
// over the distribution of the failure count F at p_A = p, the least favourable
// one (crossing is monotone in p_A by coupling).
//
// State: v[F] = P[F failures and not yet rejected], C = P[rejected]. At look k
// the new samples are added by convolution with Bin(n_k − n_{k−1}, q), then
// cells are moved into C from the lowest F upward while C stays at most
//
//	A_k = (alpha − slack)(0.01 + 0.99 t_k^rho),  t_k = ln(n_k/n_1)/ln(N/n_1).
//
// Cells below 1e-10·alpha at either end are dropped, and so are the far tails of
// the binomial steps; everything dropped is added to C, as though it had been
// rejected, so that C bounds the true probability from above. slack =
// max(1e-6·alpha, 1e-12) covers the rounding of the sums themselves, which is
// about the number of looks times 1e-13, relative.
func newTable(p, alpha float64, s Schedule) (*Table, error) {
	if !(p >= 0.5 && p < 1) {
		return nil, fmt.Errorf("level probability %v is outside [1/2, 1)", p)
	}
	if !(alpha >= MinAlpha && alpha < 1) {
		return nil, fmt.Errorf("error probability alpha %v is outside [%g, 1): the adaptive method keeps no digits below", alpha, MinAlpha)
	}
	looks, err := s.Looks()
	if err != nil {
		return nil, err
	}
	q := 1 - p // exact
	t := &Table{looks: looks, critical: make([]int64, len(looks))}
	budget := alpha - math.Max(1e-6*alpha, 1e-12)
	trim := 1e-10 * alpha

	cells, low, crossed := []float64{1}, int64(0), 0.0 // cells[i] = v[low+i]
	var step, next []float64
	stepOf := int64(-1)
	var stepLow int64
	var stepLost float64
	for k, n := range looks {
		m := n
		if k > 0 {
			m -= looks[k-1]
		}
		if m != stepOf {
			if step, stepLow, stepLost, err = binomialStep(m, q, step, trim); err != nil {
				return nil, err
			}
			stepOf = m
		}
		crossed += stepLost // the mass before the step is at most 1
		next = convolve(next, cells, step)
		cells, next = next, cells
		low += stepLow

		last := k == len(looks)-1
		spend := budget
		if !last {
			at := math.Log(float64(n)/float64(looks[0])) / math.Log(float64(s.Cap)/float64(looks[0]))
			spend = budget * (0.01 + 0.99*math.Pow(at, s.Rho))
		}
		i := 0
		for i < len(cells) && crossed+cells[i] <= spend {
			crossed += cells[i]
			i++
		}
		if !last {
			for i < len(cells) && cells[i] < trim {
				crossed += cells[i]
				i++
			}
		}
		cells, low = cells[i:], low+int64(i)
		t.critical[k] = low - 1
		if !last {
			j := len(cells)
			for j > 0 && cells[j-1] < trim {
				j--
				crossed += cells[j]
			}
			cells = cells[:j]
		}
	}
	t.spent = crossed
	if crossed > alpha {
		return nil, fmt.Errorf("critical numbers at level %v: error probability %v exceeds alpha %v", p, crossed, alpha)
	}
	return t, nil
}

// binomialStep returns the probabilities of Bin(m, q) from low on, without the
// far tails, and a bound on the mass left out, which is far below trim.
func binomialStep(m int64, q float64, into []float64, trim float64) (pmf []float64, low int64, lost float64, err error) {
	mode := min(m, int64((float64(m)+1)*q))
	logMode, err := stats.LogBinomialPMF(mode, m, q)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("binomial step: %w", err)
	}
	head := math.Exp(logMode)
	floor := trim * 1e-6 * head
	odds := q / (1 - q)
	// The ratio of neighbouring terms falls on the way out, so what follows a
	// term v with ratio r is at most v·r/(1−r).
	w := head
	low = mode
	for low > 0 {
		r := float64(low) / (float64(m-low+1) * odds)
		if w*r < floor && r < 0.99 {
			lost += w * r / (1 - r)
			break
		}
		w *= r
		low--
	}
	pmf = into[:0]
	for i := low; i < mode; i++ { // refilled below, outward from the mode
		pmf = append(pmf, 0)
	}
	pmf = append(pmf, head)
	for i := mode; i > low; i-- {
		pmf[i-1-low] = pmf[i-low] * (float64(i) / (float64(m-i+1) * odds))
	}
	w = head
	for i := mode; i < m; i++ {
		r := float64(m-i) / float64(i+1) * odds
		if w*r < floor && r < 0.99 {
			lost += w * r / (1 - r)
			break
		}
		w *= r
		pmf = append(pmf, w)
	}
	return pmf, low, lost, nil
}

// convolve returns the convolution of a and b in dst's storage.
func convolve(dst, a, b []float64) []float64 {
	n := len(a) + len(b) - 1
	if cap(dst) < n {
		dst = make([]float64, n, 2*n)
	}
	dst = dst[:n]
	clear(dst)
	if len(a) > len(b) {
		a, b = b, a
	}
	// The inner loop runs over the longer operand; unrolled by four rows so
	// that each pass over dst adds four products.
	i := 0
	for ; i+4 <= len(a); i += 4 {
		a0, a1, a2, a3 := a[i], a[i+1], a[i+2], a[i+3]
		d := dst[i : i+len(b)+3]
		var b1, b2, b3 float64
		for j, b0 := range b {
			d[j] += a0*b0 + a1*b1 + a2*b2 + a3*b3
			b1, b2, b3 = b0, b1, b2
		}
		e := d[len(b):]
		e[0] += a1*b1 + a2*b2 + a3*b3
		e[1] += a2*b1 + a3*b2
		e[2] += a3 * b1
	}
	for ; i < len(a); i++ {
		ai := a[i]
		d := dst[i : i+len(b)]
		for j, bj := range b {
			d[j] += ai * bj
		}
	}
	return dst
}
