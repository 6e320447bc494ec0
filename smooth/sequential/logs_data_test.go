package sequential

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ucan/fixtures/shared"
	"ucan/smooth/stats"
)

// The published logs hold one certificate per image of Cohen et al. 2019 (n =
// 100,000) and of six newer 10,000-image runs. The count behind each radius is
// recovered, p_A set to (k + ½)/(n + 1), and new Bernoulli streams drawn from it.
//
// What the logs do not hold is modelled: an abstained image's p_A is uniform on
// [.3, .5], the label's probability of a wrong or abstained image uniform between
// 0 and min(p_A, 1 − p_A), and there is one rival, as strong as a runner-up can
// be: min(p_A, 1 − p_A). The images' uniforms come from a fixed seed.

const logN = 100_000

// published is one log, ready to be simulated.
type published struct {
	name   string
	sigma  float64
	radii  []float64
	levels []float64
	images []logImage
}

type logImage struct {
	p       float64 // probability of the leading class
	label   float64 // probability of the label
	correct bool    // the leading class is the label
	abstain bool    // the log has no p_A for it
}

// usualRadii are those of the field's tables, below the 3.81 sigma that n =
// 100,000 can reach at alpha .001.
func usualRadii(imagenet bool, sigma float64) []float64 {
	step, top := 0.25, 2.25
	if imagenet {
		step, top = 0.5, 3.5
	}
	var radii []float64
	for r := 0.0; r <= top && r < 3.81*sigma; r += step {
		radii = append(radii, r)
	}
	return radii
}

// readLog parses a log written at error probability alpha.
func readLog(tb testing.TB, name string, sigma, alpha float64, stride int) published {
	tb.Helper()
	f, err := os.Open(shared.Path(tb, "reference", name))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	base := strings.TrimSuffix(filepath.Base(name), ".tsv")
	l := published{name: base, sigma: sigma, radii: usualRadii(strings.HasPrefix(base, "imagenet"), sigma)}
	for _, r := range l.radii {
		l.levels = append(l.levels, stats.NormalCDFUpper(r/sigma))
	}
	rng := rand.New(rand.NewPCG(2019, uint64(len(base))))
	sc := bufio.NewScanner(f)
	sc.Scan() // header
	for row := 0; sc.Scan(); row++ {
		c := strings.Split(sc.Text(), "\t")
		u, v := rng.Float64(), rng.Float64()
		if row%stride != 0 {
			continue
		}
		r, err := strconv.ParseFloat(c[3], 64)
		if err != nil {
			tb.Fatal(err)
		}
		im := logImage{correct: c[4] == "1"}
		if c[2] == "-1" {
			im.p, im.abstain = round3(0.3+0.2*u), true
		} else {
			im.p = (recoverCount(tb, r/sigma, alpha) + 0.5) / (logN + 1)
		}
		if im.label = im.p; !im.correct {
			im.label = round3(v * rival(im.p))
		}
		l.images = append(l.images, im)
	}
	if err := sc.Err(); err != nil {
		tb.Fatal(err)
	}
	return l
}

// round3 rounds what is modelled to three digits, so that expectations are shared.
func round3(p float64) float64 { return math.Round(p*1000) / 1000 }

// recoverCount inverts the published radius: the smallest k whose Clopper–Pearson
// radius reaches it.
func recoverCount(tb testing.TB, z, alpha float64) float64 {
	tb.Helper()
	p := stats.NormalCDF(z)
	lo, hi := int64(logN/2), int64(logN)
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		l, err := stats.ClopperPearsonLower(mid, logN, alpha)
		if err != nil {
			tb.Fatal(err)
		}
		if l < p {
			lo = mid
		} else {
			hi = mid
		}
	}
	return float64(hi)
}

// cohenLogs are the 13 published logs, the seven matched ones (noise of training
// equal to noise of certification, test split) first. All but one were written at
// an effective alpha of .01 (their largest radius is 3.911 sigma).
func cohenLogs(tb testing.TB, stride int) []published {
	var logs []published
	for _, f := range []struct {
		file         string
		sigma, alpha float64
	}{
		{"cifar10__resnet110__noise_0.12__test__sigma_0.12", 0.12, 0.001},
		{"cifar10__resnet110__noise_0.25__test__sigma_0.25", 0.25, 0.01},
		{"cifar10__resnet110__noise_0.50__test__sigma_0.50", 0.50, 0.01},
		{"cifar10__resnet110__noise_1.00__test__sigma_1.00", 1, 0.01},
		{"imagenet__resnet50__noise_0.25__test__sigma_0.25", 0.25, 0.01},
		{"imagenet__resnet50__noise_0.50__test__sigma_0.50", 0.50, 0.01},
		{"imagenet__resnet50__noise_1.00__test__sigma_1.00", 1, 0.01},
		{"cifar10__resnet110__noise_0.12__test__sigma_0.50", 0.50, 0.01},
		{"cifar10__resnet110__noise_0.25__test__sigma_0.50", 0.50, 0.01},
		{"cifar10__resnet110__noise_1.00__test__sigma_0.50", 0.50, 0.01},
		{"imagenet__resnet50__noise_0.25__test__sigma_0.50", 0.50, 0.01},
		{"imagenet__resnet50__noise_0.50__train__sigma_0.50", 0.50, 0.01},
		{"imagenet__resnet50__noise_1.00__test__sigma_0.50", 0.50, 0.01},
	} {
		logs = append(logs, readLog(tb, "cohen_logs/"+f.file+".tsv", f.sigma, f.alpha, stride))
	}
	return logs
}

// matchedLogs is the number of matched logs, at the head of cohenLogs.
const matchedLogs = 7

// acrLogs are the six newer 10,000-image logs, alpha .001.
func acrLogs(tb testing.TB, stride int) []published {
	var logs []published
	for _, kind := range []string{"gaussian", "acrtrained"} {
		for _, sigma := range []float64{0.25, 0.5, 1} {
			name := fmt.Sprintf("acr_logs/cifar10_%s_%s.tsv", kind, map[float64]string{0.25: "0.25", 0.5: "0.5", 1: "1.0"}[sigma])
			logs = append(logs, readLog(tb, name, sigma, 0.001, stride))
		}
	}
	return logs
}
