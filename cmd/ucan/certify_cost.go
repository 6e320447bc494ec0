package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"ucan/internal/certify"
	"ucan/internal/progress"
)

// longRun is the length of a run from which on it is said how it can be shortened.
const longRun = 2 * time.Minute

// noteCost says before a run how many samples it takes, how fast they are drawn here, and when it
// will be done.
func (c *certification) noteCost(ctx context.Context, inputs int) error {
	if c.a.global.quiet || inputs == 0 {
		return nil
	}
	rate, err := c.setup.Pace(ctx, c.certifier)
	if err != nil || rate == 0 {
		return err
	}
	more := int64(0)
	if chooser := c.certifier.Chooser; chooser != nil {
		more = c.statistics.N0 + chooser.Samples()
	}
	for _, line := range costLines(c.statistics, more, inputs, rate, time.Now()) {
		c.a.note("%s", line)
	}
	return nil
}

// costLines says what inputs cost at a rate of samples a second; more are those that a selector
// takes.
func costLines(s certify.Statistics, more int64, inputs int, rate float64, now time.Time) []string {
	each := s.N0 + s.N + more
	took := func(samples int64) time.Duration {
		return progress.Seconds(float64(inputs) * float64(samples) / rate)
	}
	all := took(each)
	most, about := "", "about"
	if s.Stops() {
		most, about = "at most ", "at most"
	}
	text := fmt.Sprintf("%d inputs × %s%d samples, %.0f samples a second here: %s %s", inputs, most, each, rate, about, progress.Duration(all))
	if all < longRun {
		return []string{text}
	}
	lines := []string{fmt.Sprintf("%s, until %s", text, now.Add(all).Format("2 Jan 15:04"))}
	if !s.Stops() {
		lines = append(lines, "shorter: --adaptive default stops as soon as an input is clear, often after a small part of the samples")
	}
	if fewer := s.N / 10; fewer >= 1000 {
		lines = append(lines, fmt.Sprintf("shorter: --n %d takes %s %s, and its radii end at lower values", fewer, about, progress.Duration(took(s.N0+fewer))))
	}
	return lines
}

// follower moves a bar by the samples of the input under way.
type follower struct {
	drawn  func() int64
	before atomic.Int64 // samples drawn when the input under way began
	quit   chan struct{}
	ended  sync.WaitGroup
}

// follow begins to move the bar; stop it before the bar is closed.
func (c *certification) follow(bar *progress.Bar) *follower {
	f := &follower{drawn: c.certifier.Drawn, quit: make(chan struct{})}
	f.before.Store(f.drawn())
	each := float64(c.statistics.N0 + c.statistics.N)
	f.ended.Go(func() {
		ticker := time.NewTicker(250 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-f.quit:
				return
			case <-ticker.C:
				bar.Within(float64(f.drawn()-f.before.Load()) / each)
			}
		}
	})
	return f
}

// finished notes that an input is done.
func (f *follower) finished() { f.before.Store(f.drawn()) }

func (f *follower) stop() {
	close(f.quit)
	f.ended.Wait()
}
