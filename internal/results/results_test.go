package results

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/certificate"
)

// row makes a certified row of input i, or an abstained or failed one.
func row(i int) Row {
	switch i % 7 {
	case 3:
		return Row{Index: i, Label: 1, Predict: NoClass, Seconds: 0.5, Norm: "l2", PLower: 0.43, K: 60, N: 100, Guarantee: "deployed", Status: Abstained}
	case 5:
		return Row{Index: i, Label: NoClass, Predict: NoClass, Seconds: 0.1, Norm: "l2", Guarantee: "deployed", Status: Failed}
	}
	radius := 0.123456789 + float64(i)/97
	return Row{
		Index: i, Label: i % 3, Predict: 1, Correct: i%3 == 1, Radius: radius, Seconds: 0.25, Norm: "l2",
		L1: radius, L2: radius, LInf: radius / 28, ALM: radius, PLower: 0.9876543219, K: 99, N: 100, Guarantee: "deployed", Status: Certified,
	}
}

// certificateOf makes a certificate that shows row r.
func certificateOf(r Row) *certificate.Certificate {
	c := &certificate.Certificate{
		Schema: certificate.Schema, Guarantee: smooth.Guarantee(r.Guarantee), Status: r.Status, Predict: r.Predict, Correct: &r.Correct,
		Radii: certificate.Radii{L1: certificate.Float(r.L1), L2: certificate.Float(r.L2), LInf: certificate.Float(r.LInf)}, ALM: certificate.Float(r.ALM),
	}
	c.Input = certificate.Input{Source: "test", Index: int64(r.Index), Label: r.Label}
	c.Noise.Norm, c.Run.Seconds = r.Norm, certificate.Float(r.Seconds)
	c.Statistics.N, c.Statistics.K, c.Statistics.PLower = r.N, r.K, certificate.Float(r.PLower)
	return c
}

// lineOf is the line of that certificate.
func lineOf(t testing.TB, r Row) []byte {
	t.Helper()
	b, err := certificateOf(r).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFormatTruncated(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.000000", math.Copysign(0, -1): "0.000000", 1: "1.000000", 0.9999999: "0.999999", 0.99951: "0.999510",
		0.3: "0.300000", math.Nextafter(0.3, 1): "0.300000", 1.0000009999: "1.000000", 5e-324: "0.000000", 9.99999e-7: "0.000000",
		1e-6: "0.000001", 123456.7890129: "123456.789012", 1e22: "10000000000000000000000.000000", math.Inf(1): "inf",
		math.Nextafter(1, 0): "0.999999", math.Nextafter(0.5, 0): "0.499999",
	} {
		if got := FormatTruncated(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

// The text never reads back as more, and as less than a millionth below.
func FuzzFormatTruncated(f *testing.F) {
	for _, v := range []float64{0, 0.3, 0.9999999, 1e300, 5e-324, 0.123456499999} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v float64) {
		if v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
		s := FormatTruncated(v)
		back, err := strconv.ParseFloat(s, 64)
		if err != nil || back > v || (v < 1e9 && v-back >= 1e-6*(1+1e-9)) {
			t.Errorf("%v became %q, which is %v (%v)", v, s, back, err)
		}
		if again := FormatTruncated(back); again != s {
			t.Errorf("%q became %q when written again", s, again)
		}
		if _, frac, _ := strings.Cut(s, "."); len(frac) != 6 {
			t.Errorf("%q has not six decimals", s)
		}
	})
}

func TestRowText(t *testing.T) {
	got := string(row(1).AppendTSV(nil)) + string(row(3).AppendTSV(nil)) + string(row(5).AppendTSV(nil))
	want := "1\t1\t1\t0.133766\t1\t0.250000\tl2\t0.133766\t0.133766\t0.004777\t0.133766\t0.987654\t99\t100\tdeployed\tcertified\n" +
		"3\t1\t-1\t0.000000\t0\t0.500000\tl2\t0.000000\t0.000000\t0.000000\t0.000000\t0.430000\t60\t100\tdeployed\tabstained\n" +
		"5\t-1\t-1\t0.000000\t0\t0.100000\tl2\t0.000000\t0.000000\t0.000000\t0.000000\t0.000000\t0\t0\tdeployed\tfailed\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if h := header(); h != "idx\tlabel\tpredict\tradius\tcorrect\ttime\tnorm\tl1\tl2\tlinf\talm\tp_lower\tk\tn\tguarantee\tstatus\n" {
		t.Errorf("header %q is not that of the contract", h)
	}
}

func TestRowFaults(t *testing.T) {
	for name, spoil := range subtest.Rows(map[string]func(*Row){
		"index":               func(r *Row) { r.Index = -1 },
		"label":               func(r *Row) { r.Label = -2 },
		"status":              func(r *Row) { r.Status = "fine" },
		"norm":                func(r *Row) { r.Norm = "l3" },
		"guarantee":           func(r *Row) { r.Guarantee = "" },
		"NaN radius":          func(r *Row) { r.Radius = math.NaN() },
		"negative radius":     func(r *Row) { r.Radius = -0.1 },
		"p above 1":           func(r *Row) { r.PLower = 1.1 },
		"k above n":           func(r *Row) { r.K = 101 },
		"infinite time":       func(r *Row) { r.Seconds = math.Inf(1) },
		"abstained, radius":   func(r *Row) { r.Status, r.Predict, r.Correct = Abstained, NoClass, false },
		"certified, no class": func(r *Row) { r.Predict, r.Correct = NoClass, false },
		"predicted, radius":   func(r *Row) { r.Status = Predicted },
		"wrong but correct":   func(r *Row) { r.Label = 2 },
		"right but not so":    func(r *Row) { r.Correct = false },
	}) {
		t.Run(name, func(t *testing.T) {
			r := row(1)
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
			spoil(&r)
			if err := r.Validate(); !errors.Is(err, ErrRow) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v, want ErrRow in a line", name, err)
			}
		})
	}
}

func TestReadTSV(t *testing.T) {
	text := header()
	for i := range 9 {
		text += string(row(i).AppendTSV(nil))
	}
	got, err := readTSV(strings.NewReader(text + "9\t1"))
	if err != nil || len(got.Rows) != 9 || !got.torn || got.cohen || got.size != int64(len(text)) {
		t.Fatalf("%d rows, torn %t, %v", len(got.Rows), got.torn, err)
	}
	for i, r := range got.Rows {
		if string(r.AppendTSV(nil)) != string(row(i).AppendTSV(nil)) {
			t.Errorf("row %d read back differently: %+v", i, r)
		}
	}
	good := string(row(1).AppendTSV(nil))
	for body, want := range map[string]string{
		"x\ty\n":                             "line 1: not the header",
		header() + "1\t2\n":                  "line 2: 2 columns, want 16",
		header() + good + good:               "line 3: input 1 appears twice",
		header() + "\n":                      "line 2: 1 columns",
		header() + strings.Repeat("a", 5000): "longer than 4096",
		header() + strings.Replace(good, "1\t1\t1\t", "1\tx\t1\t", 1):      `column label is "x", want an integer`,
		header() + strings.Replace(good, "0.133766", "NaN", 1):             `column radius is "NaN"`,
		header() + strings.Replace(good, "0.133766", "-0.1", 1):            `column radius is "-0.1"`,
		header() + strings.Replace(good, "0.133766\t1", "0.133766\t2", 1):  "column correct is 2",
		header() + strings.Replace(good, "certified", "certain", 1):        `status "certain"`,
		header() + strings.Replace(good, "99\t100", "101\t100", 1):         "0 ≤ k ≤ n",
		header() + strings.Replace(good, "\tdeployed\t", "\tguessed\t", 1): `guarantee "guessed"`,
		header() + strings.Replace(good, "0.987654\t", "0x1p-1\t", 1):      `column p_lower is "0x1p-1"`,
		header() + strings.Replace(good, "0.133766\t1", "0.133766\t0", 1):  "correct is false",
		header() + strings.Replace(good, "0.133766\t1", "0.1.33766\t1", 1): `column radius`,
	} {
		if _, err := readTSV(strings.NewReader(body)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", body, err, want)
		}
	}
}

func TestReadCohensLogs(t *testing.T) {
	got, err := readTSV(strings.NewReader("idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t3\t-1\t0.0\t0\t0:00:13.736080\n20\t7\t7\t7.34e-02\t1\t15.5\n40\t7\t6\t0.8\t0\t1:02:03\n"))
	if err != nil || !got.cohen || len(got.Rows) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, want := range []Row{
		{Index: 0, Label: 3, Predict: -1, Seconds: 13.73608, Norm: "l2", Guarantee: "deployed", Status: Abstained},
		{Index: 20, Label: 7, Predict: 7, Radius: 0.0734, L2: 0.0734, Correct: true, Seconds: 15.5, Norm: "l2", Guarantee: "deployed", Status: Certified},
		{Index: 40, Label: 7, Predict: 6, Radius: 0.8, L2: 0.8, Seconds: 3723, Norm: "l2", Guarantee: "deployed", Status: Certified},
	} {
		if got.Rows[i] != want {
			t.Errorf("row %d: %+v, want %+v", i, got.Rows[i], want)
		}
	}
}

func TestReadJSONL(t *testing.T) {
	var text bytes.Buffer
	for i := range 9 {
		fmt.Fprintf(&text, "%s\n", lineOf(t, row(i)))
	}
	size := text.Len()
	text.WriteString(`{"schema":`)
	got, err := readJSONL(&text)
	if err != nil || len(got.Rows) != 9 || !got.torn || got.size != int64(size) {
		t.Fatalf("%d rows, torn %t, size %d, %v", len(got.Rows), got.torn, got.size, err)
	}
	for i, r := range got.Rows {
		if r != row(i) {
			t.Errorf("row %d: %+v, want %+v", i, r, row(i))
		}
	}
	good := string(lineOf(t, row(1)))
	for body, want := range map[string]string{
		"x":    "not a certificate",
		"null": `schema is ""`,
		strings.Replace(good, "certificate/1", "certificate/9", 1): `schema is "ucan.certificate/9"`,
		strings.Replace(good, `"index":1,`, "", 1):                 "no input.index",
		strings.Replace(good, `"l2":0.1`, `"l7":0.1`, 1):           `radii lack the norm "l2"`,
		strings.Replace(good, `"alm":0`, `"alm":-1`, 1):            "alm is -1",
		good + "\n" + good: "line 2: input 1 appears twice",
		strings.Replace(good, `"predict":1`, `"predict":-1`, 1):                  "status certified with predict -1",
		strings.Replace(good, `"status":"certified"`, `"status":"abstained"`, 1): "status abstained with predict 1",
	} {
		if _, err := readJSONL(strings.NewReader(body + "\n")); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", body, err, want)
		}
	}
	unknown := strings.NewReplacer(`"label":1`, `"label":null`, `"correct":true`, `"correct":null`, `"linf":0.0`, `"linf":"Infinity","x":0.0`).Replace(good)
	if got, err := readJSONL(strings.NewReader(unknown + "\n")); err != nil || got.Rows[0].Label != NoClass || got.Rows[0].Correct || !math.IsInf(got.Rows[0].LInf, 1) {
		t.Errorf("unknown label, infinite radius: %+v, %v", got, err)
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	for name, text := range subtest.Rows(map[string]string{"a.tsv": header() + string(row(1).AppendTSV(nil)), "a.jsonl": string(lineOf(t, row(1))) + "\n"}) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if got, err := ReadFile(path); err != nil || len(got.Rows) != 1 || got.Rows[0].Index != 1 {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		})
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(empty); !errors.Is(err, ErrFormat) {
		t.Errorf("empty file: %v", err)
	}
	if _, err := ReadFile(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// Whatever the bytes, reading ends in rows that are valid and read back the same, or in ErrFormat.
func FuzzReadTSV(f *testing.F) {
	f.Add([]byte(header() + string(row(1).AppendTSV(nil)) + string(row(3).AppendTSV(nil))))
	f.Add([]byte("idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t3\t-1\t0.0\t0\t0:00:13.7\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readTSV(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("%v is not ErrFormat", err)
			}
			return
		}
		text := header()
		for _, r := range got.Rows {
			if err = r.Validate(); err != nil {
				t.Error(err)
			}
			text += string(r.AppendTSV(nil))
		}
		again, err := readTSV(strings.NewReader(text))
		if err != nil || len(again.Rows) != len(got.Rows) {
			t.Errorf("%q is not read again: %v", text, err)
		}
	})
}

func FuzzReadJSONL(f *testing.F) {
	f.Add(lineOf(f, row(1)))
	f.Add(lineOf(f, row(3)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readJSONL(bytes.NewReader(b))
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%v is not ErrFormat", err)
		}
		for _, r := range got.Rows {
			if err := r.Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}
