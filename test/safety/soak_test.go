package safety

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"slipway.dev/slipway/test/e2e"
)

var (
	soakFor      = flag.Duration("soak.for", 0, "how long things go wrong; 0: there is no soak")
	soakKill     = flag.Duration("soak.kill", 10*time.Second, "from one kill of the leader to the next")
	soakPace     = flag.Duration("soak.pace", time.Second, "from one edit to the next")
	soakSample   = flag.Duration("soak.sample", time.Second, "from one measurement to the next")
	soakWarmUp   = flag.Duration("soak.warmup", 2*time.Minute, "of each manager in each role, which is not judged")
	soakReleases = flag.Int("soak.releases", 4, "how many there are")
	soakSeed     = flag.Uint64("soak.seed", 0, "of the edits and of what happens to servers; 0: another one each time")
	soakFile     = flag.String("soak.report", "", "file that the figures are written to")
)

// TestRealSoak is the soak of `make soak`.
func TestRealSoak(t *testing.T) {
	if *soakFor == 0 {
		return // what is to be shown takes an hour
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	seed := *soakSeed
	for seed == 0 {
		seed = rand.Uint64N(1 << 32)
	}
	tell := func(format string, args ...any) {
		fmt.Fprintf(os.Stdout, time.Now().UTC().Format("15:04:05 ")+format+"\n", args...)
	}
	tell("soak: SEED=%d", seed)
	s := newSoak(t, openHall(t), soakOptions{
		Seed: seed, Lasts: *soakFor, Kill: *soakKill, Pace: *soakPace, Sample: *soakSample, WarmUp: *soakWarmUp,
		Releases: *soakReleases, Patience: 20 * time.Minute,
	}, tell)
	defer func() {
		s.report.Interrupted = ctx.Err() != nil
		if err := s.write(*soakFile); err != nil {
			t.Errorf("the report cannot be written: %v", err)
		}
		for _, v := range s.report.Violations {
			t.Errorf("%s: %s", v.At.Format(time.TimeOnly), v.What)
		}
		for _, what := range s.report.grown() {
			t.Errorf("it is not flat: %s", what)
		}
	}()
	s.run(ctx)
	s.report.Hours = time.Since(s.report.began).Hours()
	s.say()
	if ctx.Err() == nil {
		s.end(ctx)
	}
}

// TestSaidSince: events that are forgotten meanwhile hide no new one, and are none.
func TestSaidSince(t *testing.T) {
	old, kept, fresh := e2e.Event{Note: "old"}, e2e.Event{Note: "kept"}, e2e.Event{Note: "new"}
	for want, now := range map[string][]e2e.Event{
		"[]":         {kept, kept},
		"[new]":      {kept, fresh},
		"[kept]":     {kept, kept, kept},
		"[new new]":  {fresh, kept, fresh, old},
		"[kept new]": {kept, kept, kept, fresh},
	} {
		var notes []string
		for _, event := range saidSince([]e2e.Event{old, old, kept, kept}, now) {
			notes = append(notes, event.Note)
		}
		if got := fmt.Sprint(notes); got != want {
			t.Errorf("of %v new are %s, want %s", now, got, want)
		}
	}
}

// TestFlat: what leaks is found, and what is steady or grows in a warm-up is not.
func TestFlat(t *testing.T) {
	began := time.Now()
	for name, row := range map[string]struct {
		rss, goroutines func(minute float64) float64
		grown           string
	}{
		"steady":               {func(float64) float64 { return 80 * mebi }, func(float64) float64 { return 200 }, ""},
		"grows in the warm-up": {func(m float64) float64 { return min(m, 2) * 40 * mebi }, func(m float64) float64 { return min(m, 2) * 100 }, ""},
		"leaks memory":         {func(m float64) float64 { return (60 + 5*m) * mebi }, func(float64) float64 { return 200 }, "rss_bytes"},
		"leaks goroutines":     {func(float64) float64 { return 80 * mebi }, func(m float64) float64 { return 200 + 10*m }, "goroutines"},
	} {
		t.Run(name, func(t *testing.T) {
			d := stint{key: "x", leads: true, began: began}
			for i := range 40 {
				m := float64(i) / 4
				d.samples = append(d.samples, sample{
					at: began.Add(time.Duration(i) * 15 * time.Second), rss: row.rss(m), goroutines: row.goroutines(m), descriptors: 20,
				})
			}
			life := d.judged(2 * time.Minute)
			if life.Medians == nil || strings.Join(life.Grown, "") == "" != (row.grown == "") || !strings.HasPrefix(strings.Join(life.Grown, ""), row.grown) {
				t.Errorf("medians %v, grown %q", life.Medians, life.Grown)
			}
		})
	}
}
