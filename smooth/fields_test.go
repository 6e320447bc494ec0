package smooth_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
)

func TestNewFieldsRefuses(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for name, c := range subtest.Rows(map[string]struct {
		mu, sigma []float32
		want      string
	}{
		"mu too short":   {[]float32{0}, nil, "offset field has 1 values"},
		"mu empty":       {[]float32{}, nil, "offset field has 0 values"},
		"mu NaN":         {[]float32{0, nan}, nil, "coordinate 1"},
		"mu infinite":    {[]float32{inf, 0}, nil, "coordinate 0"},
		"sigma too long": {nil, []float32{1, 1, 1}, "scale field has 3 values"},
		"sigma 0":        {nil, []float32{1, 0}, "must be positive and finite"},
		"sigma negative": {nil, []float32{-1, 1}, "must be positive and finite"},
		"sigma NaN":      {nil, []float32{nan, 1}, "must be positive and finite"},
		"sigma infinite": {nil, []float32{1, inf}, "must be positive and finite"},
	}) {
		t.Run(name, func(t *testing.T) {
			_, err := smooth.NewFields(2, c.mu, c.sigma, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one about %q", err, c.want)
			}
			if scale := strings.HasPrefix(c.want, "must be positive"); errors.Is(err, smooth.ErrSigma) != scale {
				t.Errorf("%v matches ErrSigma: %v", err, !scale)
			}
		})
	}
}
