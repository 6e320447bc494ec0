package train

import "math"

// tally sums up the steps of an epoch. It is part of a checkpoint, so that an epoch's line is the
// same when a resumed run finishes it.
type tally struct {
	Steps int       `json:"steps"`
	Loss  float64   `json:"loss"`
	Noisy float64   `json:"noisy"`
	Norm  float64   `json:"norm"`
	Extra []float64 `json:"extra,omitempty"`
}

// add takes in a step and the norm of its gradients.
func (t *tally) add(m Metrics, norm float64) {
	t.Loss += m.Loss
	t.Noisy += m.Noisy
	t.Norm += norm
	if t.Steps == 0 {
		t.Extra = t.Extra[:0]
		for _, f := range m.Extra {
			t.Extra = append(t.Extra, f.Value)
		}
		t.Steps = 1
		return
	}
	t.Steps++
	for i, f := range m.Extra {
		switch f.Over {
		case Mean:
			t.Extra[i] += f.Value
		case Minimum:
			t.Extra[i] = math.Min(t.Extra[i], f.Value)
		case Maximum:
			t.Extra[i] = math.Max(t.Extra[i], f.Value)
		}
	}
}

// metrics are those of the epoch; like gives the names of the extra figures.
func (t *tally) metrics(like []Figure) Metrics {
	n := float64(t.Steps)
	m := Metrics{Loss: t.Loss / n, Noisy: t.Noisy / n}
	for i, f := range like {
		f.Value = t.Extra[i]
		if f.Over == Mean {
			f.Value /= n
		}
		m.Extra = append(m.Extra, f)
	}
	return m
}

func (t *tally) reset() { *t = tally{Extra: t.Extra[:0]} }

// fields are the metrics as a log line has them.
func (m Metrics) fields() []field {
	list := []field{{"loss", m.Loss}, {"noisy_accuracy", m.Noisy}}
	for _, f := range m.Extra {
		list = append(list, field{f.Name, f.Value})
	}
	return list
}

// CorrectShare returns the fraction of rows of logits whose only largest value is that of the
// label. Rows hold classes values each, and draws rows share a label. A row with a NaN is wrong.
func CorrectShare(logits []float32, labels []int64, draws, classes int) float64 {
	right := 0
	rows := len(labels) * draws
	for r := range rows {
		row := logits[r*classes : (r+1)*classes]
		label := labels[r/draws]
		ok := true
		for k, v := range row {
			ok = ok && (int64(k) == label || v < row[label])
		}
		if ok {
			right++
		}
	}
	return float64(right) / float64(rows)
}
