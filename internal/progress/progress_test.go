package progress

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newClock() *clock { return &clock{t: time.Unix(1000, 0)} }

func TestPlainLines(t *testing.T) {
	c, w := newClock(), &bytes.Buffer{}
	b := New(w, Options{Total: 100, Done: 20, Unit: "inputs", Every: 10 * time.Second, Now: c.now})
	for range 40 { // one input a second
		c.move(time.Second)
		b.Add(1)
	}
	b.Message("input 7 %s", "failed")
	b.Close()
	b.Close()
	// 20 inputs of an earlier run count as done, but not in the rate of 1 a second.
	want := `30/100 inputs (30 %), 1 inputs/s, 1m10s left
40/100 inputs (40 %), 1 inputs/s, 1m00s left
50/100 inputs (50 %), 1 inputs/s, 50s left
60/100 inputs (60 %), 1 inputs/s, 40s left
input 7 failed
60/100 inputs in 40s, 1 inputs/s
`
	if got := w.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTerminal(t *testing.T) {
	c, w := newClock(), &bytes.Buffer{}
	b := New(w, Options{Total: 8, Unit: "inputs", Terminal: true, Width: 60, Every: 100 * time.Millisecond, Now: c.now})
	c.move(50 * time.Millisecond)
	b.Add(1) // too soon after the first drawing
	c.move(950 * time.Millisecond)
	b.Add(3)
	b.Message("a warning")
	b.Close()
	out := w.String()
	frames := strings.Split(out, "\r")
	for _, f := range frames {
		f, _, _ = strings.Cut(f, "\n")
		if n := utf8.RuneCountInString(f); n > 59 {
			t.Errorf("frame of %d columns would wrap: %q", n, f)
		}
	}
	bar := "[###########-----------] 4/8 inputs (50 %), 4 inputs/s, 1.00s left"
	if strings.Contains(out, "1/8") || !strings.Contains(out, "4/8 inputs (50 %), 4 inputs/s, 1.00s left") {
		t.Errorf("frames %q lack something like %q", frames, bar)
	}
	if !strings.Contains(out, "\ra warning\n\r") || !strings.HasSuffix(out, "\r4/8 inputs in 1.00s, 4 inputs/s\n") {
		t.Errorf("message or last line is missing in %q", out)
	}
}

func TestBarIsProportional(t *testing.T) {
	c, w := newClock(), &bytes.Buffer{}
	b := New(w, Options{Total: 4, Done: 3, Unit: "x", Terminal: true, Width: 80, Every: 1, Now: c.now})
	if want := "[" + strings.Repeat("#", 30) + strings.Repeat("-", 10) + "] 3/4 x (75 %)"; !strings.Contains(w.String(), want) {
		t.Errorf("first frame %q lacks %q", w.String(), want)
	}
	b.Close()
}

func TestUnknownTotalAndOvershoot(t *testing.T) {
	c, w := newClock(), &bytes.Buffer{}
	b := New(w, Options{Unit: "samples", Every: time.Second, Now: c.now})
	c.move(2 * time.Second)
	b.Add(500)
	if got := w.String(); got != "500 samples, 250 samples/s\n" {
		t.Errorf("unknown total: %q", got)
	}
	w.Reset()
	b = New(w, Options{Total: 2, Unit: "x", Terminal: true, Width: 5, Every: 1, Now: c.now})
	c.move(time.Second)
	b.Add(5)
	for f := range strings.SplitSeq(w.String(), "\r") {
		if len(f) > 4 {
			t.Errorf("frame %q is wider than the terminal", f)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.00s", 420 * time.Millisecond: "0.42s", 26 * time.Second: "26s", 59900 * time.Millisecond: "59s",
		185 * time.Second: "3m05s", 134 * time.Minute: "2h14m", 123 * time.Hour: "5d03h",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestRate(t *testing.T) {
	for n, want := range map[int64]string{1: ", 20s each", 30: ", 1.5 x/s", 200: ", 10 x/s", 1992: ", 100 x/s", 200000: ", 10000 x/s"} {
		c, w := newClock(), &bytes.Buffer{}
		b := New(w, Options{Unit: "x", Every: time.Second, Now: c.now})
		c.move(20 * time.Second)
		b.Add(n)
		if got := w.String(); !strings.HasSuffix(got, want+"\n") {
			t.Errorf("%d in 20 s: %q, want it to end in %q", n, got, want)
		}
	}
}

func TestNotATerminal(t *testing.T) {
	if o := DefaultOptions(&bytes.Buffer{}, 5, "inputs"); o.Terminal || o.Total != 5 || o.Every < time.Second {
		t.Errorf("a buffer got %+v", o)
	}
}

func TestConcurrentUse(t *testing.T) {
	w := &bytes.Buffer{}
	c := newClock()
	b := New(w, Options{Total: 400, Unit: "x", Terminal: true, Width: 80, Every: 1, Now: c.now})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				c.move(time.Millisecond)
				b.Add(1)
			}
		})
	}
	wg.Wait()
	b.Close()
	if !strings.Contains(w.String(), "400/400 x in 0.40s") {
		t.Errorf("last line is wrong: %q", w.String()[w.Len()-60:])
	}
}

// While one long unit is under way the bar moves, and the time left counts it.
func TestWithinAUnit(t *testing.T) {
	var b bytes.Buffer
	now := time.Unix(0, 0)
	bar := New(&b, Options{Total: 4, Unit: "inputs", Every: time.Second, Now: func() time.Time { return now }})
	now = now.Add(10 * time.Second)
	bar.Within(0.5)
	bar.Within(0.6) // too soon to be shown
	now = now.Add(10 * time.Second)
	bar.Add(1)
	if got, want := b.String(), "0/4 inputs (12 %), 50 % of the next, 20s each, 1m10s left\n1/4 inputs (25 %), 20s each, 1m00s left\n"; got != want {
		t.Errorf("%q\nwant\n%q", got, want)
	}
}
