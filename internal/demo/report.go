package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/playground"
	"slipway.dev/slipway/internal/swap"
)

const (
	// goal is what a promotion or a rollback may take above its bound.
	goal = 1600 * time.Millisecond
	// patience is what all of it may take, from the start of the world to its end, once the control plane's binaries exist.
	patience = 150 * time.Second
	// maxProblems bounds the problems that are listed; all are counted.
	maxProblems = 20
)

// Report is what the demo saw, and what it writes as JSON. Seconds run from when the edit was sent, which is just before the
// API server accepted it, to the effect of the last Deregister in production. Where there are several of a kind, the one with
// the most above its bound counts.
type Report struct {
	Provenance

	PromoteSeconds       float64 `json:"promote_seconds"`
	PromoteBoundSeconds  float64 `json:"promote_bound_seconds"`
	RollbackSeconds      float64 `json:"rollback_seconds"`
	RollbackBoundSeconds float64 `json:"rollback_bound_seconds"`

	// Requests are all that were sent to the production load balancers. One that got no good answer, or an answer from a
	// version that must not serve at that moment, failed.
	Requests       int `json:"requests"`
	FailedRequests int `json:"failed_requests"`
	// Answers are the good answers by load balancer and version.
	Answers map[string]tally `json:"answers"`

	// MutationsPerPromote and MutationsPerRollback are calls that change something in AWS.
	MutationsPerPromote  int `json:"mutations_per_promote"`
	MutationsPerRollback int `json:"mutations_per_rollback"`
	// AWSCalls are all calls of the manager, as "elb:DescribeInstanceHealth".
	AWSCalls map[string]int `json:"aws_calls"`

	Swaps    []Swap         `json:"swaps"`
	Settings map[string]any `json:"settings"`
	// Seconds is how long the demo took, TotalSeconds the same with the start and the end of the world.
	Seconds      float64  `json:"seconds"`
	TotalSeconds float64  `json:"total_seconds"`
	Problems     []string `json:"problems,omitempty"`
	// OK is false until Finish has found nothing wrong.
	OK bool `json:"ok"`

	hidden int // problems that are not listed
}

// Swap is one change of what production serves.
type Swap struct {
	What         string  `json:"what"`
	Seconds      float64 `json:"seconds"`
	BoundSeconds float64 `json:"bound_seconds"`
	OverSeconds  float64 `json:"over_seconds"`
	Mutations    int     `json:"mutations"`

	kind kind
}

func newReport() *Report {
	settings := map[string]any{"requests_per_second_and_load_balancer": Rate, "production_load_balancers": 2}
	for _, s := range playground.Settings() {
		settings[s.Name] = s.Value
	}
	return &Report{Provenance: here(), Answers: map[string]tally{}, Settings: settings}
}

// problem notes what was not as it should be.
func (r *Report) problem(format string, args ...any) {
	if len(r.Problems) == maxProblems {
		r.hidden++
		return
	}
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// ended notes why the script ended early, if it did, and which laws were broken. A breach that ended it is told once, in its own words.
func (r *Report) ended(err error, broken []string) {
	if err != nil && !errors.Is(err, errBroken) {
		r.problem("the demo stopped: %v", err)
	}
	for _, breach := range broken {
		r.problem("broken %s", breach)
	}
}

// judge holds all answers to what was sent against the versions that might serve.
func (r *Report) judge(answers []answer, sent stream, times timetable) {
	r.Requests = len(answers)
	for _, lack := range shortfalls(answers, sent) {
		r.problem("%s", lack)
	}
	wrong := map[string][]answer{}
	for _, a := range answers {
		if text := times.judge(a); text != "" {
			r.FailedRequests++
			text = a.listener + ": " + text
			wrong[text] = append(wrong[text], a)
			continue
		}
		if r.Answers[a.listener] == nil {
			r.Answers[a.listener] = tally{}
		}
		r.Answers[a.listener][a.version]++
	}
	const clock = "15:04:05.000"
	for _, text := range slices.Sorted(maps.Keys(wrong)) {
		first, last := slices.MinFunc(wrong[text], byBeginning), slices.MaxFunc(wrong[text], byBeginning)
		r.problem("%d of the requests that began from %s to %s, to %s", len(wrong[text]), first.began.Format(clock), last.began.Format(clock), text)
	}
}

func byBeginning(a, b answer) int { return a.began.Compare(b.began) }

// shortfalls say where the traffic was thinner than it should have been: then few failures prove little. Each listener is
// held against the time in which all of them were sent requests, so that one that fell silent is found.
func shortfalls(answers []answer, sent stream) []string {
	got := map[string]int{}
	for _, a := range answers {
		got[a.listener]++
	}
	var lacks []string
	seconds := sent.ended.Sub(sent.began).Seconds()
	for _, listener := range sent.listeners {
		if due := Rate * seconds; float64(got[listener]) < 0.95*due {
			lacks = append(lacks, fmt.Sprintf("%s got %d requests in %.0f s instead of %.0f: this machine is too busy for the traffic",
				listener, got[listener], seconds, due))
		}
	}
	return lacks
}

// add notes a promotion or a rollback.
func (r *Report) add(s step, w swap.Swap, made map[string]int) {
	what := "promote " + s.version
	if s.kind == rollback {
		what = "roll back " + s.version
	}
	total := 0
	for _, n := range made {
		total += n
	}
	r.Swaps = append(r.Swaps, Swap{
		What: what, Seconds: round(w.Took), BoundSeconds: round(w.Bound), OverSeconds: round(w.Over()), Mutations: total, kind: s.kind,
	})
	if w.Over() > goal {
		r.problem("%s took %.2f s, %.2f s above the %.2f s that AWS took; the goal is at most %.1f s above",
			what, w.Took.Seconds(), w.Over().Seconds(), w.Bound.Seconds(), goal.Seconds())
	}
}

// round gives seconds with three decimals.
func round(d time.Duration) float64 { return float64(d.Round(time.Millisecond).Milliseconds()) / 1000 }

// close makes the sums.
func (r *Report) close(began time.Time, ledger []localaws.Entry) {
	r.Seconds = round(time.Since(began))
	r.AWSCalls = byManager.Calls(ledger)
	if worst, ok := r.worst(promotion); ok {
		r.PromoteSeconds, r.PromoteBoundSeconds, r.MutationsPerPromote = worst.Seconds, worst.BoundSeconds, worst.Mutations
	}
	if worst, ok := r.worst(rollback); ok {
		r.RollbackSeconds, r.RollbackBoundSeconds, r.MutationsPerRollback = worst.Seconds, worst.BoundSeconds, worst.Mutations
	}
}

// Finish judges what is known only at the very end: how long all of it took, and how the world was put away. Without it a
// report is not a good one.
func (r *Report) Finish(took time.Duration, stopped error) {
	r.TotalSeconds = round(took)
	if took > patience {
		r.problem("all of it took %.0f s, from the start of the world to its end; the goal is at most %.0f s", took.Seconds(), patience.Seconds())
	}
	if stopped != nil {
		r.problem("the world was not put away in order: %v", stopped)
	}
	if r.hidden > 0 {
		r.Problems = append(r.Problems, fmt.Sprintf("and %d more", r.hidden))
	}
	r.OK = len(r.Problems) == 0
}

// worst is the swap of a kind with the most above its bound; its mutations are the most that one of the kind made.
func (r *Report) worst(k kind) (Swap, bool) {
	var worst Swap
	found, most := false, 0
	for _, s := range r.Swaps {
		if s.kind != k {
			continue
		}
		if !found || s.OverSeconds > worst.OverSeconds {
			worst = s
		}
		found, most = true, max(most, s.Mutations)
	}
	worst.Mutations = most
	return worst, found
}

// WriteFile writes the report as JSON, and makes the folder if there is none.
func (r *Report) WriteFile(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, append(text, '\n'), 0o644))
}

// WriteTable writes the report for people.
func (r *Report) WriteTable(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\n\tfrom edit to effect\tAWS's own time\tabove it\tcalls that change AWS")
	for _, s := range r.Swaps {
		fmt.Fprintf(table, "%s\t%.2f s\t%.2f s\t%.2f s (at most %.1f s)\t%d\n", s.What, s.Seconds, s.BoundSeconds, s.OverSeconds, goal.Seconds(), s.Mutations)
	}
	fmt.Fprintln(table)
	fmt.Fprintf(table, "requests\t%d\n", r.Requests)
	for _, listener := range slices.Sorted(maps.Keys(r.Answers)) {
		fmt.Fprintf(table, "  %s\t%s\n", listener, r.Answers[listener])
	}
	fmt.Fprintf(table, "failed requests\t%d\n", r.FailedRequests)
	total := 0
	for _, n := range r.AWSCalls {
		total += n
	}
	fmt.Fprintf(table, "calls to AWS\t%d in %.0f s\n", total, r.Seconds)
	fmt.Fprintf(table, "all of it\t%.0f s (at most %.0f s)\n", r.TotalSeconds, patience.Seconds())
	_ = table.Flush() // where that fails, there is nobody left to tell
	for _, problem := range r.Problems {
		fmt.Fprintln(out, "FAILED:", problem)
	}
	if r.OK {
		fmt.Fprintln(out, "\nok: no request failed, and every figure is within its goal")
	}
}
