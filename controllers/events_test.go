package controllers

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/rollout"
)

// recorder keeps what is recorded.
type recorder struct {
	mu      sync.Mutex
	said    []string
	related []corev1.ObjectReference
}

func (r *recorder) Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	about, _ := regarding.(*corev1.ObjectReference)
	if about == nil || about.Kind != "Release" || about.UID == "" || about.ResourceVersion != "" {
		panic(fmt.Sprintf("event regarding %+v", regarding))
	}
	r.said = append(r.said, fmt.Sprintf("%s %s %s: %s", kind, reason, action, fmt.Sprintf(note, args...)))
	r.related = append(r.related, *related.(*corev1.ObjectReference))
}

// take gives what was said since it was asked last.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	said := r.said
	r.said = nil
	return said
}

func TestFacts(t *testing.T) {
	p := passOf(func(p *pass) {
		p.outcomes = []outcome{
			{action: rollout.Register{Pool: edge, Servers: []string{"i-21"}, Why: "promote v2"}},
			{action: rollout.Deregister{Pool: edge, Servers: []string{"i-11"}, Why: "v2 passed the gate"}, err: errors.New("no route to host")},
			{action: rollout.Launch{Why: "fill"}, underway: true},
			{action: rollout.Tag{Servers: []string{"i-21"}, Why: "v2 is stable now"}},
			{action: rollout.Terminate{Servers: []string{"i-9"}, Why: "v0 is retired"}, err: errors.New("protected"), postponed: true},
		}
		p.decision.Report.Held = []rollout.Note{{About: "edge", Text: "i-11 is the last healthy server"}}
		p.obs.sourceDiffers = "Secret boot, key script, is not what revision web-2 was recorded with"
	})
	var got []string
	for _, e := range p.facts() {
		got = append(got, fmt.Sprintf("%s %s %s: %s", e.kind, e.reason, e.action, e.note))
	}
	want := []string{
		"Normal Registered Register: promote v2",
		"Warning DeregisterFailed Deregister: v2 passed the gate: no route to host",
		"Normal Tagged Tag: v2 is stable now",
		"Warning TerminateFailed Terminate: v0 is retired: protected",
		"Warning HeldBack Guard: edge: i-11 is the last healthy server",
		"Normal SourceDiffers Compare: Secret boot, key script, is not what revision web-2 was recorded with",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

// What goes on from pass to pass is said once; what comes again after a pass without it is said again.
func TestNews(t *testing.T) {
	known := &recollection{}
	failure := func(words string) event {
		return warning(EventRegisterFailed, "Register", "edge i-1", "promote: "+words)
	}
	done := normal(EventRegistered, "Register", "shop i-1", "promote")
	for i, pass := range []struct{ all, want []event }{
		{[]event{failure("request 1"), done}, []event{failure("request 1"), done}},
		{[]event{failure("request 2"), failure("request 2")}, nil}, // another request ID tells nothing new
		{nil, nil},
		{[]event{failure("request 3")}, []event{failure("request 3")}},
		{[]event{done}, []event{done}},
	} {
		if diff := cmp.Diff(pass.want, known.news(pass.all), cmp.AllowUnexported(event{})); diff != "" {
			t.Errorf("pass %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestTurns(t *testing.T) {
	conditions := func(pairs ...string) []metav1.Condition {
		var all []metav1.Condition
		for _, pair := range pairs {
			f := strings.Fields(pair)
			all = append(all, metav1.Condition{Type: f[0], Status: metav1.ConditionStatus(f[1]), Reason: f[2], Message: "words"})
		}
		return all
	}
	for name, test := range map[string]struct {
		before, after []metav1.Condition
		want          []string
	}{
		"first sight": {nil, conditions("Ready False Launching", "Stalled False Launching"), nil},
		"ready": {conditions("Ready False Launching"), conditions("Ready True PreviewReady"),
			[]string{"Normal Ready Observe: PreviewReady: words"}},
		"ready as before":     {conditions("Ready True Live"), conditions("Ready True Live"), nil},
		"ready, and for more": {conditions("Ready True PreviewReady"), conditions("Ready True Live"), []string{"Normal Ready Observe: Live: words"}},
		"stalled": {conditions("Stalled False Live"), conditions("Stalled True NoCapacity"),
			[]string{"Warning Stalled Observe: NoCapacity: words"}},
		"blind":  {nil, conditions("Blind True PoolUnreadable"), []string{"Warning Blind Observe: PoolUnreadable: words"}},
		"healed": {conditions("Stalled True NoCapacity"), conditions("Stalled False Launching"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range turns(test.before, test.after) {
				got = append(got, fmt.Sprintf("%s %s %s: %s", e.kind, e.reason, e.action, e.note))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("turns (-want +got):\n%s", diff)
			}
		})
	}
}

// A Release that is deleted with Retain leaves its servers where they are, and says which and where.
func TestRetainedServersAreListed(t *testing.T) {
	p := passOf(func(p *pass) {
		p.decision.Gone = true
		p.decision.Memory.Revisions[0].Pools = []string{"classic/eu/prod"}
		p.obs.input.World.Servers = append(p.obs.input.World.Servers, rollout.Server{ID: "i-0", Revision: "web-1", State: rollout.StateTerminated})
	})
	var got []string
	for _, e := range p.facts() {
		got = append(got, e.note)
	}
	want := []string{
		"kept servers of version v1 (web-1): i-11, i-12",
		"servers of version v1 stay wherever they are registered; Slipway had them in: classic/eu/prod",
		"kept servers of version v2 (web-2): i-21, i-22",
		"kept in production pool edge (classic/eu/prod): i-11, i-12",
		"kept in test pool test (classic/eu/test): i-21, i-22",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("retained (-want +got):\n%s", diff)
	}
	p.obs.input.Spec.TerminateOnDelete = true
	p.obs.input.World.Servers = []rollout.Server{{ID: "i-11", Revision: "web-1", State: rollout.StateRunning, Hold: true}}
	want = []string{"a person holds servers of version v1 (web-1) with the tag slipway.dev/hold; they are in no pool, and yours to terminate: i-11"}
	got = nil
	for _, e := range p.facts() {
		got = append(got, e.note)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("with Terminate (-want +got):\n%s", diff)
	}
}

func TestLongListsAreSpreadOverEvents(t *testing.T) {
	var servers []string
	for i := range 1000 {
		servers = append(servers, fmt.Sprintf("i-%017d", i))
	}
	said, listed := listing("web-1", "kept servers of version v1 (web-1)", servers), map[string]bool{}
	for _, e := range said {
		if len(e.note) > maxNote {
			t.Errorf("an event of %d bytes, the API server takes %d", len(e.note), maxNote)
		}
		_, list, _ := strings.Cut(e.note, ": ")
		for id := range strings.SplitSeq(list, ", ") {
			listed[id] = true
		}
	}
	if len(listed) != 1000 || len(said) > 25 {
		t.Errorf("%d events list %d servers of 1000", len(said), len(listed))
	}
}

// client-go counts events as one where all but their text is equal. What must be read apart differs in what it is related to.
func TestEventsAreKeptApart(t *testing.T) {
	h := newHarness(t)
	r := &recorder{}
	h.Recorder = r
	rel := testRelease()
	h.emit(rel, []event{
		normal(EventRegistered, "Register", "edge i-1", "promote v2"), normal(EventRegistered, "Register", "shop i-1", "promote v2"),
		normal(EventRegistered, "Register", "edge i-1", "roll back"), normal(EventRegistered, "Register", "edge i-1", strings.Repeat("ä", 2000)),
		normal(EventRegistered, "Register", "100%d", "100%d"),
	})
	seen := map[string]bool{}
	for _, related := range r.related {
		seen[related.FieldPath] = true
	}
	if len(seen) != 5 {
		t.Errorf("5 events are related to %d things: %v", len(seen), seen)
	}
	if last := r.said[4]; last != "Normal Registered Register: 100%d" {
		t.Errorf("a text with a percent sign was said as %q", last)
	}
	if long := r.said[3]; len(long) > maxNote+len("Normal Registered Register: ") || !strings.HasSuffix(long, "ä…") {
		t.Errorf("a long text ends with %q after %d bytes", long[len(long)-10:], len(long))
	}
}

// AWS may have been slow: readings are remembered for as long as the pool is looked at.
func TestLastReadings(t *testing.T) {
	known := &recollection{}
	good, bad := rollout.Pool{ID: "a"}, rollout.Pool{ID: "a", Err: "timeout"}
	known.noteReadings([]rollout.Pool{good}, testNow)
	known.noteReadings([]rollout.Pool{bad}, testNow.Add(time.Minute))
	if got := known.lastRead["a"]; !got.Equal(testNow) {
		t.Errorf("last read at %s", got)
	}
	known.noteReadings(nil, testNow)
	if len(known.lastRead) > 0 {
		t.Errorf("remembered after the pool went: %v", known.lastRead)
	}
}

// Two objects of one name are two Releases.
func TestSoftMemoryIsPerObject(t *testing.T) {
	var m softMemory
	rel := testRelease()
	m.of(rel).conflicts = 3
	if m.of(rel).conflicts != 3 {
		t.Error("forgot from pass to pass")
	}
	again := testRelease()
	again.UID = "another"
	if m.of(again).conflicts != 0 {
		t.Error("an object that was made again took over the old one's memory")
	}
	m.of(again).conflicts = 1
	m.forget(client.ObjectKeyFromObject(rel))
	if m.of(again).conflicts != 0 {
		t.Error("remembered after forget")
	}
}
