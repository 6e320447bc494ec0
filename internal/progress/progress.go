// Package progress shows how far a run has come: a bar with rate and remaining
// time that redraws itself on a terminal, and a plain line now and then anywhere
// else, so that logs stay readable.
package progress

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"ucan/internal/plain"
)

// Options configures a [Bar]. Start from [DefaultOptions].
type Options struct {
	// Total is how many units the whole run has; 0 when unknown.
	Total int64
	// Done is how many of them an earlier run did; they count as progress but
	// not in the rate.
	Done int64
	// Unit names a unit in the plural, for example "inputs".
	Unit string
	// Terminal says whether the writer is a terminal that understands "\r".
	Terminal bool
	// Width is the width of the terminal in columns.
	Width int
	// Every is the least time between two redraws or lines.
	Every time.Duration
	// Now is the clock.
	Now func() time.Time
}

// DefaultOptions finds out whether w is a terminal and how wide it is. A
// terminal is redrawn up to ten times a second; elsewhere a line appears every
// ten seconds.
func DefaultOptions(w io.Writer, total int64, unit string) Options {
	o := Options{Total: total, Unit: unit, Width: 80, Every: 10 * time.Second, Now: time.Now}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		o.Terminal, o.Every = true, 100*time.Millisecond
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			o.Width = width
		}
	}
	return o
}

// Bar shows the progress of one run. It is safe for concurrent use. Errors of
// the writer are ignored: progress must not stop a run.
type Bar struct {
	mu     sync.Mutex
	w      io.Writer
	opt    Options
	done   int64
	within float64 // of the unit under way, 0 to 1
	start  time.Time
	last   time.Time
	drawn  bool
	closed bool
}

// New starts the clock and, on a terminal, draws the bar.
func New(w io.Writer, opt Options) *Bar {
	b := &Bar{w: w, opt: opt, done: opt.Done, start: opt.Now()}
	b.last = b.start
	if opt.Terminal {
		b.draw(b.start)
	}
	return b
}

// Add reports n more units done.
func (b *Bar) Add(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done, b.within = b.done+n, 0
	b.show()
}

// Within says how much of the unit under way is done, from 0 to 1, so that a long one is seen to
// move.
func (b *Bar) Within(share float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.within = math.Min(math.Max(share, 0), 1)
	b.show()
}

// show redraws the bar, or writes a line, where the last time is long enough ago.
func (b *Bar) show() {
	now := b.opt.Now()
	if b.closed || now.Sub(b.last) < b.opt.Every {
		return
	}
	b.last = now
	if b.opt.Terminal {
		b.draw(now)
		return
	}
	fmt.Fprintln(b.w, b.text(now))
}

// Message writes a line of its own, above the bar on a terminal. What is not text in it
// is escaped.
func (b *Bar) Message(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
	fmt.Fprintln(b.w, plain.Line(fmt.Sprintf(format, args...)))
	if b.opt.Terminal && !b.closed {
		b.draw(b.opt.Now())
	}
}

// Close ends the display with a last line on what was done. Closing twice is
// harmless.
func (b *Bar) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	b.erase()
	now := b.opt.Now()
	fmt.Fprintf(b.w, "%s in %s%s\n", b.count(), Duration(now.Sub(b.start)), b.rateText(now))
}

func (b *Bar) erase() {
	if b.drawn {
		fmt.Fprint(b.w, "\r"+strings.Repeat(" ", max(b.opt.Width-1, 0))+"\r")
		b.drawn = false
	}
}

func (b *Bar) draw(now time.Time) {
	text := b.text(now)
	line := text
	if free := b.opt.Width - 1 - utf8.RuneCountInString(text) - 3; b.opt.Total > 0 && free >= 10 {
		width := min(free, 40)
		full := int(math.Round(float64(width) * b.fraction()))
		line = "[" + strings.Repeat("#", full) + strings.Repeat("-", width-full) + "] " + text
	}
	if limit := b.opt.Width - 1; utf8.RuneCountInString(line) > limit {
		line = string([]rune(line)[:max(limit, 0)])
	}
	pad := max(b.opt.Width-1-utf8.RuneCountInString(line), 0)
	fmt.Fprint(b.w, "\r"+line+strings.Repeat(" ", pad))
	b.drawn = true
}

func (b *Bar) fraction() float64 {
	return math.Min(math.Max((float64(b.done)+b.within)/float64(b.opt.Total), 0), 1)
}

func (b *Bar) count() string {
	if b.opt.Total > 0 {
		return fmt.Sprintf("%d/%d %s", b.done, b.opt.Total, b.opt.Unit)
	}
	return fmt.Sprintf("%d %s", b.done, b.opt.Unit)
}

// text is "12/100 inputs (12 %), 3.4 inputs/s, 26s left".
func (b *Bar) text(now time.Time) string {
	var s strings.Builder
	s.WriteString(b.count())
	if b.opt.Total > 0 {
		fmt.Fprintf(&s, " (%d %%)", int(100*b.fraction()))
	}
	if b.within > 0 {
		fmt.Fprintf(&s, ", %d %% of the next", int(100*b.within))
	}
	s.WriteString(b.rateText(now))
	if rate := b.rate(now); b.opt.Total > 0 && rate > 0 {
		left := (float64(b.opt.Total-b.done) - b.within) / rate
		fmt.Fprintf(&s, ", %s left", Duration(Seconds(left)))
	}
	return s.String()
}

// rate is units a second in this run; 0 while it is unknown.
func (b *Bar) rate(now time.Time) float64 {
	elapsed := now.Sub(b.start).Seconds()
	done := float64(b.done-b.opt.Done) + b.within
	if elapsed <= 0 || done <= 0 {
		return 0
	}
	return done / elapsed
}

func (b *Bar) rateText(now time.Time) string {
	rate := b.rate(now)
	switch {
	case rate == 0:
		return ""
	case rate < 0.1:
		return fmt.Sprintf(", %s each", Duration(Seconds(1/rate)))
	case rate < 10:
		return fmt.Sprintf(", %.2g %s/s", rate, b.opt.Unit)
	}
	return fmt.Sprintf(", %.0f %s/s", rate, b.opt.Unit)
}

// Seconds is a time that may be too long for the clock, cut at a hundred years.
func Seconds(s float64) time.Duration {
	const longest = 100 * 365 * 24 * 3600
	return time.Duration(math.Min(math.Max(s, 0), longest) * float64(time.Second))
}

// Duration writes a time the way one says it: 0.42s, 26s, 3m05s, 2h14m, 5d03h.
func Duration(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.2fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", math.Min(d.Seconds(), 59))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}
