package data_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/internal/dataset"
	"ucan/npg"
	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/smooth/family"
	"ucan/smooth/stream"
	"ucan/train"
	"ucan/train/data"
)

// source holds 2×4×4 images whose byte at j of image i is (7i + j) mod 256; image bad cannot be
// read, image bare has no label.
type source struct {
	bad, bare int
	floats    bool
}

func (s source) Info() dataset.Info {
	return dataset.Info{Name: "test", Shape: []int{2, 4, 4}, Classes: 3, Image: !s.floats}
}

func (s source) At(_ context.Context, i int) (dataset.Item, error) {
	if i == s.bad {
		return dataset.Item{Index: i, Label: -1}, &dataset.ItemError{Source: "test", Index: i, Err: errors.New("unreadable")}
	}
	x := make([]float32, 32)
	for j := range x {
		x[j] = float32((7*i+j)%256) / 255
		if s.floats {
			x[j] -= 0.3
		}
	}
	label := i % 3
	if i == s.bare {
		label = -1
	}
	return dataset.Item{Index: i, X: x, Shape: []int{2, 4, 4}, Label: label, SHA256: smooth.InputID(x)}, nil
}

func load(t *testing.T, s source, n int) *data.Set {
	t.Helper()
	indices := make([]int, n)
	for i := range indices {
		indices[i] = i + 100
	}
	set, err := data.Load(context.Background(), s, indices, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func none() source { return source{bad: -1, bare: -1} }

// TestSetKeepsValues: bytes and floats come out as they went in, in order.
func TestSetKeepsValues(t *testing.T) {
	for _, floats := range []bool{false, true} {
		s := none()
		s.floats = floats
		set := load(t, s, 41)
		x := make([]float32, set.Dim())
		for i := range set.Len() {
			item, _ := s.At(context.Background(), i+100)
			set.Read(i, x)
			if !slices.Equal(x, item.X) || set.Label(i) != item.Label || set.Index(i) != item.Index {
				t.Fatalf("floats %v: image %d is %v, label %d", floats, i, x, set.Label(i))
			}
		}
		rest, taken, err := set.Split(11, 4)
		if err != nil || rest.Len() != 30 || taken.Len() != 11 {
			t.Fatalf("split: %v, %d and %d images", err, rest.Len(), taken.Len())
		}
		seen := make(map[int]bool)
		for _, part := range []*data.Set{rest, taken, taken.Spread(3)} {
			for i := range part.Len() {
				item, _ := s.At(context.Background(), part.Index(i))
				part.Read(i, x)
				if !slices.Equal(x, item.X) || part.Label(i) != item.Label || i > 0 && part.Index(i) <= part.Index(i-1) {
					t.Fatalf("floats %v: part of %d: image %d is not input %d", floats, part.Len(), i, part.Index(i))
				}
				seen[part.Index(i)] = true
			}
		}
		if len(seen) != 41 || taken.Index(10) == 110 || taken.Spread(3).Len() != 3 {
			t.Errorf("%d inputs in the parts; the last taken is %d", len(seen), taken.Index(10))
		}
		again, _, _ := set.Split(11, 5)
		if again.Index(0) == rest.Index(0) && again.Index(15) == rest.Index(15) && again.Index(29) == rest.Index(29) {
			t.Error("the seed does not matter")
		}
		if _, _, err := set.Split(41, 4); !errors.Is(err, data.ErrData) {
			t.Errorf("holding out everything: %v", err)
		}
	}
}

func TestUnusableInputs(t *testing.T) {
	set := load(t, source{bad: 103, bare: 110}, 30)
	if set.Skipped() != 2 || set.Len() != 28 || set.Index(3) != 104 {
		t.Errorf("%d skipped, %d kept, the fourth is %d", set.Skipped(), set.Len(), set.Index(3))
	}
	if _, err := data.Load(context.Background(), source{bad: 0, bare: -1}, []int{0, 1, 2}, 3, nil); !errors.Is(err, data.ErrData) {
		t.Errorf("a third unusable: %v", err)
	}
	if _, err := data.Load(context.Background(), none(), []int{0, 1, 2}, 2, nil); !errors.Is(err, data.ErrData) {
		t.Errorf("labels beyond the classes: %v", err)
	}
}

func TestMoments(t *testing.T) {
	set := load(t, none(), 30)
	mean, std := set.Moments()
	x := make([]float32, 32)
	for c := range 2 {
		var sum, square, n float64
		for i := range set.Len() {
			set.Read(i, x)
			for _, v := range x[16*c : 16*c+16] {
				sum, square, n = sum+float64(v), square+float64(v)*float64(v), n+1
			}
		}
		m := sum / n
		if s := math.Sqrt(square/n - m*m); math.Abs(mean[c]-m) > 1e-9 || math.Abs(std[c]-s) > 1e-6 {
			t.Errorf("channel %d: %v and %v, want %v and %v", c, mean[c], std[c], m, s)
		}
	}
}

func feedConfig() data.Config {
	return data.Config{Batch: 4, Draws: 2, Seed: 9, Augment: data.Augment{Pad: 2, Flip: true}, Family: family.Gaussian{}, Lambda: 0.5, Shaper: data.Fixed(smooth.Fields{})}
}

func open(t *testing.T, set *data.Set, c data.Config) *data.Feed {
	t.Helper()
	f, err := data.NewFeed(set, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func take(t *testing.T, f *data.Feed, epoch, index int) train.Batch {
	t.Helper()
	b, err := f.Batch(context.Background(), epoch, index)
	if err != nil {
		t.Fatal(err)
	}
	c := *b
	c.Clean, c.Noise, c.Noisy = slices.Clone(b.Clean), slices.Clone(b.Noise), slices.Clone(b.Noisy)
	c.Labels, c.Indices = slices.Clone(b.Labels), slices.Clone(b.Indices)
	return c
}

func same(a, b train.Batch) bool {
	return slices.Equal(a.Clean, b.Clean) && slices.Equal(a.Noise, b.Noise) && slices.Equal(a.Noisy, b.Noisy) &&
		slices.Equal(a.Labels, b.Labels) && slices.Equal(a.Indices, b.Indices) && a.Step == b.Step
}

// TestBatchesDoNotDependOnHistory takes batches in order, prepared ahead, and each alone from a
// fresh feed.
func TestBatchesDoNotDependOnHistory(t *testing.T) {
	set := load(t, none(), 19)
	f := open(t, set, feedConfig())
	seen := make(map[int]int)
	for epoch := range 3 {
		for index := range f.Batches() {
			ahead := take(t, f, epoch, index)
			if alone := take(t, open(t, set, feedConfig()), epoch, index); !same(ahead, alone) {
				t.Fatalf("batch %d of epoch %d depends on what came before", index, epoch)
			}
			for r, i := range ahead.Indices {
				seen[i]++
				if ahead.Labels[r] != int64(i%3) {
					t.Errorf("image %d has label %d", i, ahead.Labels[r])
				}
			}
		}
	}
	if f.Batches() != 4 {
		t.Errorf("%d batches of 19 images", f.Batches())
	}
	for i, n := range seen {
		if n > 3 {
			t.Errorf("image %d came %d times in 3 epochs", i, n)
		}
	}
	// Out of order, backwards and the same again.
	want := take(t, open(t, set, feedConfig()), 1, 2)
	for _, at := range [][2]int{{2, 3}, {1, 2}, {1, 2}} {
		got := take(t, f, at[0], at[1])
		if at[0] == 1 && !same(got, want) {
			t.Error("a batch taken out of order differs")
		}
	}
	if same(take(t, f, 0, 0), take(t, f, 1, 0)) {
		t.Error("two epochs begin with the same batch")
	}
}

// TestBatchStaysValid until the next call.
func TestBatchStaysValid(t *testing.T) {
	set := load(t, none(), 19)
	f := open(t, set, feedConfig())
	for index := range f.Batches() {
		b, err := f.Batch(context.Background(), 0, index)
		if err != nil {
			t.Fatal(err)
		}
		copied := take(t, open(t, set, feedConfig()), 0, index) // meanwhile the next is prepared
		if !same(*b, copied) {
			t.Fatalf("batch %d changed under its user", index)
		}
	}
}

// TestNoise compares noise with the families' own samplers and shapes.
func TestNoise(t *testing.T) {
	set := load(t, none(), 8)
	dct, err := basis.DCT2([]int{2, 4, 4})
	if err != nil {
		t.Fatal(err)
	}
	mu, sigma := make([]float32, 32), make([]float32, 32)
	for i := range mu {
		mu[i], sigma[i] = float32(i)*0.01, 0.5+float32(i)*0.1
	}
	for _, name := range family.Names() {
		noise, err := family.New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		fixed, err := family.ForDim(noise, 32)
		if err != nil {
			t.Fatal(err)
		}
		sampler := fixed.(family.Sampler)
		c := feedConfig()
		c.Family, c.Augment, c.Shaper = sampler, data.Augment{}, nil
		raw := take(t, open(t, set, c), 1, 0)
		c.Shaper = data.Fixed(smooth.Fields{})
		plain := take(t, open(t, set, c), 1, 0)
		c.Shaper = data.Fixed(fieldsOf(t, mu, sigma, nil))
		shaped := take(t, open(t, set, c), 1, 0)
		c.Shaper = data.Fixed(fieldsOf(t, mu, sigma, dct))
		inBasis := take(t, open(t, set, c), 1, 0)
		if plain.Noise != nil || raw.Noisy != nil {
			t.Fatal("both kinds of noise are given")
		}
		for r := range raw.Rows {
			item, _ := none().At(context.Background(), raw.Indices[r])
			for j := range raw.Draws {
				want := make([]float32, 32)
				src := stream.New(9, item.SHA256, stream.Train).Source(uint64(1*2 + j))
				sampler.Sample(want, &src)
				at := (r*raw.Draws + j) * 32
				z, along := make([]float64, 32), make([]float64, 32)
				for i, v := range want {
					z[i] = 0.5 * float64(v) * float64(sigma[i])
				}
				dct.Values(along, z)
				for i, v := range want {
					x, e := float64(raw.Clean[r*32+i]), 0.5*float64(v)
					size := 1e-5 * (1 + math.Abs(e)*10)
					if math.Abs(float64(raw.Noise[at+i])-e) > size ||
						math.Abs(float64(plain.Noisy[at+i])-(x+e)) > size ||
						math.Abs(float64(shaped.Noisy[at+i])-(x+float64(mu[i])+z[i])) > size ||
						math.Abs(float64(inBasis.Noisy[at+i])-(x+float64(mu[i])+along[i])) > 1e-4*(1+math.Abs(along[i])+norm(z)) {
						t.Fatalf("%s: row %d, draw %d, value %d: %v %v %v %v, want %v", name, r, j, i,
							raw.Noise[at+i], plain.Noisy[at+i], shaped.Noisy[at+i], inBasis.Noisy[at+i], e)
					}
				}
			}
		}
	}
}

func norm(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x * x
	}
	return math.Sqrt(s)
}

// perImage is a generator that depends on the image.
type perImage struct{}

func (perImage) Parameters(_ context.Context, x []float32) (npg.Parameters, error) {
	sigma := make([]float32, len(x))
	for i, v := range x {
		sigma[i] = 0.1 + v
	}
	fields, err := smooth.NewFields(len(x), nil, sigma, nil)
	return npg.Parameters{Fields: fields}, err
}

func (perImage) Guarantee() smooth.Guarantee { return smooth.Pinned }

func TestGenerators(t *testing.T) {
	set := load(t, none(), 8)
	c := feedConfig()
	c.Shaper = data.FromGenerator(perImage{})
	b := take(t, open(t, set, c), 0, 1)
	c.Shaper = nil
	raw := take(t, open(t, set, c), 0, 1)
	for i := range raw.Noise {
		x := b.Clean[i/64*32+i%32]
		if want := float64(x) + float64(raw.Noise[i])*float64(0.1+x); math.Abs(float64(b.Noisy[i])-want) > 1e-6 {
			t.Fatalf("value %d: %v, want %v", i, b.Noisy[i], want)
		}
	}
}

func TestFeedFaults(t *testing.T) {
	set := load(t, none(), 8)
	for name, change := range subtest.Rows(map[string]func(*data.Config){
		"batch of 0":    func(c *data.Config) { c.Batch = 0 },
		"batch too big": func(c *data.Config) { c.Batch = 9 },
		"no draws":      func(c *data.Config) { c.Draws = 0 },
		"no family":     func(c *data.Config) { c.Family = nil },
		"lambda":        func(c *data.Config) { c.Lambda = math.NaN() },
	}) {
		t.Run(name, func(t *testing.T) {
			c := feedConfig()
			change(&c)
			if _, err := data.NewFeed(set, c); !errors.Is(err, data.ErrData) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	f := open(t, set, feedConfig())
	if _, err := f.Batch(context.Background(), 0, f.Batches()); !errors.Is(err, data.ErrData) {
		t.Errorf("a batch that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := f.Batch(ctx, 0, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
	if _, err := f.Batch(context.Background(), 0, 0); err != nil {
		t.Errorf("after a cancelled context: %v", err)
	}
}

func BenchmarkBatch(b *testing.B) {
	indices := make([]int, 256)
	set, err := data.Load(context.Background(), none(), indices, 3, nil)
	if err != nil {
		b.Fatal(err)
	}
	c := feedConfig()
	c.Batch = 128
	f, err := data.NewFeed(set, c)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	b.ReportAllocs()
	for i := range b.N {
		if _, err := f.Batch(context.Background(), i/2, i%2); err != nil {
			b.Fatal(err)
		}
	}
}

// fieldsOf returns the fields that tests shape noise by.
func fieldsOf(tb testing.TB, mu, sigma []float32, u *basis.Transform) smooth.Fields {
	tb.Helper()
	f, err := smooth.NewFields(len(mu), mu, sigma, u)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}
