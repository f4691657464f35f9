package safety

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/test/figures"
)

// soakReport is out/soak.json.
type soakReport struct {
	figures.Provenance

	Seed     uint64 `json:"seed"`
	Releases int    `json:"releases"`
	// Hours are those with faults and edits.
	Hours float64 `json:"hours"`
	// Interrupted says that somebody ended it, before it could be seen whether every Release gets where it was to go.
	Interrupted bool `json:"interrupted"`

	// Edits are what people did, by kind; Made are the Releases that were created, each for the first time or again.
	Edits map[string]int `json:"edits"`
	Made  int            `json:"made"`
	// Deploys are edits that declared a version. The others are what the managers carried out to the end.
	Deploys     int `json:"deploys"`
	Launches    int `json:"launches"`
	Promotions  int `json:"promotions"`
	Rollbacks   int `json:"rollbacks"`
	Undos       int `json:"undos"`
	Completions int `json:"completions"`
	Deletions   int `json:"deletions"`

	// Faults are what went wrong, by kind.
	Faults map[string]int `json:"faults"`
	// LeaderKills are by SIGKILL; LeasesLost are managers that ended because they could not renew the lease.
	LeaderKills int `json:"leader_kills"`
	LeasesLost  int `json:"leases_lost"`
	// CallsAWS and CallsKube are those of the managers, CallsFailed those of CallsAWS that got an error or no answer.
	CallsAWS    int64 `json:"calls_aws"`
	CallsKube   int64 `json:"calls_kube"`
	CallsFailed int64 `json:"calls_failed"`

	// Violations are breaches of laws, managers that ended by themselves, and Releases that did not get where they were to go.
	Violations []soakViolation `json:"violations"`
	// Stalled are the Releases that waited for a person when everything had ceased to go wrong, and why.
	Stalled map[string]string `json:"stalled"`

	// Lives are the managers' times in one role.
	Lives []soakLife `json:"lives"`
	// Unmeasured are samples that could not be taken.
	Unmeasured int `json:"unmeasured"`
	// Here is what this process uses, which plays AWS and looks after the laws; nothing is judged by it.
	Here soakLife `json:"here"`
	// CPU is the processor time of this process, in seconds.
	CPU float64 `json:"cpu_seconds"`

	Transitions map[string]int `json:"-"`
	own         stint
	began       time.Time
}

// soakViolation is what must not be.
type soakViolation struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

func newSoakReport(o soakOptions) *soakReport {
	now := time.Now()
	return &soakReport{
		Seed: o.Seed, Releases: o.Releases, Edits: map[string]int{}, Faults: map[string]int{}, Stalled: map[string]string{},
		Transitions: map[string]int{}, Violations: []soakViolation{}, own: stint{key: "the test", began: now}, began: now,
	}
}

// sum fills in what is counted elsewhere.
func (s *soak) sum() {
	r := s.report
	r.Deploys = r.Edits["deploy Preview"] + r.Edits["deploy Live"] + r.Edits["deploy Complete"]
	r.Launches, r.Promotions, r.Rollbacks = r.Transitions["Launch"], r.Transitions["Promotion"], r.Transitions["Rollback"]
	r.Undos, r.Completions = r.Transitions["Undo"], r.Transitions["Completion"]
	r.CallsAWS, r.CallsKube, r.CallsFailed = s.calls.aws.Load(), s.calls.kube.Load(), s.calls.failed.Load()
	for _, fault := range s.faults {
		r.Faults[fault.String()] = fault.Hits()
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err == nil {
		r.CPU = (time.Duration(used.Utime.Nano()) + time.Duration(used.Stime.Nano())).Seconds()
	}
}

// write keeps the report, of what there is so far.
func (s *soak) write(file string) error {
	for _, p := range slices.Clone(s.staff) {
		s.dismiss(p)
	}
	s.sum()
	r := s.report
	r.Here = r.own.judged(s.o.WarmUp)
	r.Here.Role, r.Here.Grown = "plays AWS and watches the laws", nil
	if file == "" {
		return nil
	}
	_, err := figures.Write(file, r)
	return err
}

// grown are the figures of managers that grew more than they may.
func (r *soakReport) grown() []string {
	var all []string
	for _, life := range r.Lives {
		for _, what := range life.Grown {
			all = append(all, fmt.Sprintf("%s, while it %s: %s", life.Process, life.Role, what))
		}
	}
	return all
}

// say puts the soak so far into one line.
func (s *soak) say() {
	s.sum()
	r, states := s.report, map[string]int{}
	for _, u := range s.tenants {
		states[s.state(u)]++
	}
	now := make([]string, 0, len(states))
	for _, state := range slices.Sorted(maps.Keys(states)) {
		now = append(now, fmt.Sprintf("%d %s", states[state], state))
	}
	edits := 0
	for _, n := range r.Edits {
		edits += n
	}
	s.tell("%s: %d edits: %d deploys, %d promoted, %d rolled back, %d undone, %d completed, %d deleted; now %s; %d AWS calls, %.1f %% failed; "+
		"%d kills; %s; here %.0f s of processor, %d violations", time.Since(r.began).Round(time.Second), edits, r.Deploys, r.Promotions, r.Rollbacks,
		r.Undos, r.Completions, r.Deletions, strings.Join(now, ", "), r.CallsAWS, 100*float64(r.CallsFailed)/float64(max(1, r.CallsAWS)),
		r.LeaderKills, s.using(), r.CPU, len(r.Violations))
}

// state is a word for how far a Release is.
func (s *soak) state(u *tenant) string {
	if u.deleted {
		return "being deleted"
	}
	switch rel := s.w.Release(u.name); {
	case rel.Spec.Paused:
		return "paused"
	case current(rel, v1alpha1.ConditionReady):
		return "ready"
	case current(rel, v1alpha1.ConditionStalled):
		return "stalled"
	}
	return "on its way"
}

// using is what the managers use, by their last samples.
func (s *soak) using() string {
	all := make([]string, 0, len(s.staff))
	for _, p := range s.staff {
		if n := len(p.stint.samples); n > 0 {
			last := p.stint.samples[n-1]
			role := "waiting"
			if p.stint.leads {
				role = "leading"
			}
			all = append(all, fmt.Sprintf("%s %.0f MiB %.0f goroutines %.0f descriptors", role, last.rss/mebi, last.goroutines, last.descriptors))
		}
	}
	return strings.Join(all, ", ")
}
