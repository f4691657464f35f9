package safety

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/figures"
)

// soakOptions say how long a soak lasts, and how dense it is.
type soakOptions struct {
	Seed     uint64
	Lasts    time.Duration // with faults and edits; the ending comes after it
	Kill     time.Duration // from one kill of the leader to the next
	Pace     time.Duration // from one edit to the next, over all Releases
	Sample   time.Duration // from one measurement to the next
	WarmUp   time.Duration // of a process, as leader or in waiting, which is not judged
	Releases int
	Patience time.Duration // that a Release may take once nothing goes wrong any more
}

// soak is one world with two managers, a leader and one in waiting, in which Releases are edited at random while AWS, servers,
// networks and managers fail.
type soak struct {
	o       soakOptions
	w       *e2e.World
	random  *rand.Rand
	report  *soakReport
	tell    func(format string, args ...any) // a line for people
	tenants []*tenant
	staff   []*worker
	leader  atomic.Pointer[e2e.Process] // who wrote the lease last
	calls   soakCalls
	faults  []*localaws.FaultHandle
	sick    map[string]time.Time // servers whose application fails, and until when
	heal    func()               // ends the partition that there is, or was
	told    int                  // breaches of laws that were told of
}

// soakCalls count calls of the managers.
type soakCalls struct{ aws, kube, failed atomic.Int64 }

// soakKept is how much of AWS's ledger is kept, and soakTold how much of it a story tells.
const soakKept, soakTold = 3000, 400

// newSoak makes the world, with Releases that nobody has deployed yet.
func newSoak(t e2e.T, on e2e.Machine, o soakOptions, tell func(string, ...any)) *soak {
	s := &soak{
		o: o, tell: tell, report: newSoakReport(o), sick: map[string]time.Time{}, heal: func() {},
		random: rand.New(rand.NewPCG(o.Seed, 0)),
	}
	var err error
	if s.report.Provenance, err = figures.Here(); err != nil { // of now: the tree may be another before a soak ends
		t.Fatalf("%v", err)
	}
	on.Metrics = true
	temper := e2e.Plain()
	temper.Tune = func(k *localaws.Knobs) { k.TerminatedVisible = 10 * time.Minute } // after that, the world is as large as it gets
	s.w = e2e.NewReal(t, on, temper, s.tap)
	s.employ(s.w.Process())
	s.employ(s.w.Start())
	for i := range o.Releases {
		s.tenants = append(s.tenants, s.settle(i))
	}
	return s
}

// tap counts calls, and sees who leads.
func (s *soak) tap(call e2e.Wire, send func() (*http.Response, error)) (*http.Response, error) {
	count := &s.calls.kube
	if call.To == e2e.ToAWS {
		count = &s.calls.aws
	}
	count.Add(1)
	response, err := send()
	good := err == nil && response.StatusCode/100 == 2
	if call.To == e2e.ToAWS && !good {
		s.calls.failed.Add(1)
	}
	if call.Lease && call.Writes && good {
		s.leader.Store(call.By)
	}
	return response, err
}

// chore is something that is done again and again.
type chore struct {
	every time.Duration
	do    func()
	due   time.Time
}

// run lets everything happen until the time is over or the context ends.
func (s *soak) run(ctx context.Context) {
	s.inject()
	chores := []*chore{
		{every: s.o.Pace, do: s.edit},
		{every: time.Second, do: s.watch},
		{every: 20 * time.Second, do: s.hurtServer},
		{every: 45 * time.Second, do: s.cutNetwork},
		{every: s.o.Kill, do: s.killLeader},
		{every: s.o.Sample, do: s.measure},
		{every: 30 * time.Second, do: s.tidy},
		{every: time.Minute, do: s.say},
	}
	began := time.Now()
	for _, c := range chores {
		c.due = began.Add(c.every)
	}
	for {
		next := slices.MinFunc(chores, func(a, b *chore) int { return a.due.Compare(b.due) })
		if next.due.Sub(began) > s.o.Lasts || !waitUntil(ctx, next.due) {
			return
		}
		next.do()
		next.due = next.due.Add(next.every)
		if now := time.Now(); next.due.Before(now) { // a busy machine is not made busier
			next.due = now
		}
	}
}

// waitUntil reports whether the time has come before the context ended.
func waitUntil(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// watch looks whether the laws hold, what became of edits, and whether processes and servers are to be replaced or healed.
func (s *soak) watch() {
	s.judge()
	for _, u := range s.tenants {
		s.follow(u)
	}
	s.replaceEnded()
	for id, until := range s.sick {
		if time.Now().After(until) {
			delete(s.sick, id)
			_ = s.w.AWS.SetAppStatus(id, http.StatusOK) // an error: it is gone
		}
	}
}

// judge tells of breaches of laws that are new.
func (s *soak) judge() {
	broken := s.w.Broken()
	for _, law := range broken[s.told:] {
		s.violation("%s", law)
	}
	s.told = len(broken)
}

// violation is told with everything that there is to see at that moment.
func (s *soak) violation(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	s.report.Violations = append(s.report.Violations, soakViolation{At: time.Now().UTC(), What: what})
	s.tell("VIOLATION: %s\n%s", what, s.story())
}

// story is the world's, with all that AWS did lately.
func (s *soak) story() string {
	var text strings.Builder
	text.WriteString(s.w.Story())
	for _, entry := range s.w.AWS.LedgerSince(max(s.w.AWS.LastSeq(), soakTold) - soakTold) {
		fmt.Fprintln(&text, entry)
	}
	return text.String()
}

// tidy forgets what is over, so that a soak can last.
func (s *soak) tidy() {
	s.judge()
	s.w.Forget(soakKept)
	s.w.CollectGarbage()
}
