package radii

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/fault"
)

// At p = Φ(1) a Gaussian of σ = 0.5 certifies ℓ2 radius 0.5 (Cohen, Rosenfeld and Kolter 2019,
// Theorem 1).
const phi1 = "0.8413447460685429"

func TestAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range subtest.Rows(map[string]struct {
		row   string
		want  float64
		fault string
	}{
		"a row":               {`{"family":"gaussian","norm":"l2","dim":9,"sigma":0.5,"p_lower":` + phi1 + `}`, 0.5, ""},
		"names of the tables": {`{"family":"Gaussian","norm":2,"dim":9,"sigma":0.5,"params":{"k":null},"p_lower":` + phi1 + `,"radius":7}`, 0.5, ""},
		"two bounds":          {`{"family":"gaussian","dim":9,"sigma":1,"p_lower":` + phi1 + `,"p_upper":0.15865525393145707}`, 1, ""},
		"no scale":            {`{"family":"gaussian","dim":9,"p_lower":0.9}`, 0, "no scale given"},
		"no dimension":        {`{"family":"gaussian","sigma":1,"p_lower":0.9}`, 0, "the dimension is 0"},
		"a scale of 0":        {`{"family":"gaussian","dim":9,"lambda":0,"p_lower":0.9}`, 0, "lambda is 0"},
		"not JSON":            {`family`, 0, "line 3"},
	}) {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := Answer(context.Background(), strings.NewReader("\n\n"+c.row+"\n"), &out)
			if c.fault != "" {
				if !fault.Is(err, fault.Wrong) || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("%v, want %s", err, c.fault)
				}
				return
			}
			var row map[string]json.RawMessage
			if err == nil {
				err = json.Unmarshal([]byte(out.String()), &row)
			}
			if err != nil {
				t.Fatal(err)
			}
			var got float64
			if err := json.Unmarshal(row["radius"], &got); err != nil || math.Abs(got-c.want) > 1e-9 {
				t.Errorf("radius %s, want %v", row["radius"], c.want)
			}
			if row["family"] == nil {
				t.Error("the row is not copied")
			}
		})
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	if got := Number(math.Inf(1)); got != "+Inf" {
		t.Errorf("infinity is written as %v", got)
	}
}

func TestFamilies(t *testing.T) {
	t.Parallel()
	families, err := Families()
	if err != nil || len(families) < 10 {
		t.Fatalf("%d families, %v", len(families), err)
	}
	for _, f := range families {
		if f.Name == "" || len(f.Norms) == 0 || f.Default != f.Norms[0] {
			t.Errorf("%+v is incomplete", f)
		}
	}
}
