package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/internal/plan"
	"slipway.dev/slipway/test/kubestore"
)

// planRow is a row of the phase table: where a Release is, and what a person wants next. first is done before the plan is made and not
// looked at by the controller yet: another version that is declared.
type planRow struct {
	name  string
	begin func(*World)
	first func(*World)
	to    string
	empty bool // nothing is to be done
}

func paused(rel *v1alpha1.Release) { rel.Spec.Paused, rel.Spec.Phase = true, "" }

func (w *World) pausedRelease(changes ...func(*v1alpha1.Release)) {
	w.Helper()
	w.Create(w.NewRelease(append(changes, paused, terminating)...))
	w.Until("it is paused", func() bool { return w.Release("web").Status.Stage == "Paused" })
}

func (w *World) firstTo(phase v1alpha1.Phase) {
	w.Helper()
	w.Create(w.NewRelease(terminating, func(rel *v1alpha1.Release) { rel.Spec.Phase, rel.Spec.PhaseFor = phase, "v1" }))
	w.Until("v1 is ready", func() bool { return w.Ready("web") })
}

func (w *World) rolledBack() {
	w.Helper()
	w.Live(terminating)
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.Until("v1 serves, and v2 is on the test pool", func() bool { return w.Ready("web") && w.Serves("v1") && w.Only("test", "v2") })
}

func (w *World) halfway() {
	w.Helper()
	w.InPreview(terminating)
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("v2 is registered in production", func() bool { return w.inBoth("v2") })
}

// threeFleets: v1 stands by, v2 is Live, and v3 is ready in Preview.
func (w *World) threeFleets() {
	w.Helper()
	w.Live(terminating)
	w.Deploy("web", "v3", v1alpha1.PhasePreview)
	w.Until("v3 is ready in Preview beside v2", func() bool {
		return w.Ready("web") && w.Only("test", "v3") && w.Serves("v2") && len(w.Servers("v1")) == 2
	})
}

// beside has another production pool, which somebody made before.
func beside(pool v1alpha1.Pool) func(*v1alpha1.Release) {
	return func(rel *v1alpha1.Release) {
		rel.Spec.LoadBalancers.Production = append(rel.Spec.LoadBalancers.Production, pool)
	}
}

// withNetwork begins with one more production pool, behind a Network Load Balancer; withZonal, with one that does not balance across zones.
func withNetwork(begin func(*World, ...func(*v1alpha1.Release))) func(*World) {
	return func(w *World) { w.MakeNetwork(frontPool); begin(w, terminating, beside(Group(frontPool, frontPool))) }
}

func withZonal(begin func(*World, ...func(*v1alpha1.Release))) func(*World) {
	return func(w *World) {
		w.MakeClassic(zonalPool, false)
		begin(w, terminating, beside(Classic(zonalPool, zonalPool)), func(rel *v1alpha1.Release) { rel.Spec.Replicas = 4 }) // two for a zone
	}
}

const zonalPool = "zonal"

func declares(version string, phase v1alpha1.Phase) func(*World) {
	return func(w *World) { w.Deploy("web", version, phase) }
}

var planRows = []planRow{
	{name: "new, to Preview", begin: func(w *World) { w.pausedRelease() }, to: "Preview"},
	{name: "new, to Live", begin: func(w *World) { w.pausedRelease() }, to: "Live"},
	{name: "new, to Complete", begin: func(w *World) { w.pausedRelease() }, to: "Complete"},
	{name: "the first version in Preview, to Live", begin: func(w *World) { w.firstTo("Preview") }, to: "Live"},
	{name: "the first version in Preview, to Complete", begin: func(w *World) { w.firstTo("Preview") }, to: "Complete"},
	{name: "the first version Live, to Complete", begin: func(w *World) { w.firstTo("Live") }, to: "Complete"},
	{name: "settled, and the next version to Preview", begin: func(w *World) { w.Settled(terminating) }, first: declares("v2", "Preview"), to: "Preview"},
	{name: "settled, and the next version straight to Live", begin: func(w *World) { w.Settled(terminating) }, first: declares("v2", "Preview"), to: "Live"},
	{name: "settled, to Complete", begin: func(w *World) { w.Settled(terminating) }, to: "Complete", empty: true},
	{name: "Preview, to Live", begin: func(w *World) { w.InPreview(terminating) }, to: "Live"},
	{name: "Preview, to RolledBack", begin: func(w *World) { w.InPreview(terminating) }, to: "RolledBack", empty: true},
	{name: "Preview, to Complete", begin: func(w *World) { w.InPreview(terminating) }, to: "Complete"},
	{name: "Preview, and another version to Preview", begin: func(w *World) { w.InPreview(terminating) }, first: declares("v3", "Preview"), to: "Preview"},
	{name: "Preview, and the version before to Live", begin: func(w *World) { w.InPreview(terminating) }, first: declares("v1", "Preview"), to: "Complete"},
	{name: "a promotion on its way, to RolledBack", begin: (*World).halfway, to: "RolledBack"},
	{name: "a promotion on its way, to Preview", begin: (*World).halfway, to: "Preview"},
	{name: "Live, to RolledBack", begin: func(w *World) { w.Live(terminating) }, to: "RolledBack"},
	{name: "Live, to Preview", begin: func(w *World) { w.Live(terminating) }, to: "Preview"},
	{name: "Live, to Complete", begin: func(w *World) { w.Live(terminating) }, to: "Complete"},
	{name: "Live, and the next version to Preview", begin: func(w *World) { w.Live(terminating) }, first: declares("v3", "Preview"), to: "Preview"},
	{name: "Live, and the next version straight to Live", begin: func(w *World) { w.Live(terminating) }, first: declares("v3", "Preview"), to: "Live"},
	{name: "Live, and the version before declared again", begin: func(w *World) { w.Live(terminating) }, first: declares("v1", "Preview"), to: "Preview"},
	{name: "three fleets, to Live", begin: (*World).threeFleets, to: "Live"},
	{name: "three fleets, to Complete", begin: (*World).threeFleets, to: "Complete"},
	{name: "three fleets, to RolledBack", begin: (*World).threeFleets, to: "RolledBack", empty: true},
	{name: "three fleets, and the Live version declared again", begin: (*World).threeFleets, first: declares("v2", "Preview"), to: "Live"},
	{name: "three fleets, and the one that stands by to Live", begin: (*World).threeFleets, first: declares("v1", "Preview"), to: "Live"},
	{name: "three fleets, and a fourth version to Preview", begin: (*World).threeFleets, first: declares("v4", "Preview"), to: "Preview"},
	{name: "three fleets, and deleted", begin: (*World).threeFleets, to: plan.Deleted},
	{name: "RolledBack, to Live", begin: (*World).rolledBack, to: "Live"},
	{name: "RolledBack, to Preview", begin: (*World).rolledBack, to: "Preview", empty: true},
	{name: "RolledBack, and the next version to Preview", begin: (*World).rolledBack, first: declares("v3", "Preview"), to: "Preview"},
	{name: "RolledBack, and the next version straight to Live", begin: (*World).rolledBack, first: declares("v3", "Preview"), to: "Live"},
	{name: "RolledBack, and deleted", begin: (*World).rolledBack, to: plan.Deleted},
	{name: "with a Network Load Balancer, new to Live", begin: withNetwork((*World).pausedRelease), to: "Live"},
	{name: "with a Network Load Balancer, to Live", begin: withNetwork((*World).InPreview), to: "Live"},
	{name: "with a Network Load Balancer, to Complete", begin: withNetwork((*World).InPreview), to: "Complete"},
	{name: "with a Network Load Balancer, to RolledBack", begin: withNetwork((*World).Live), to: "RolledBack"},
	{name: "with a Network Load Balancer, and deleted", begin: withNetwork((*World).Live), to: plan.Deleted},
	{name: "with a zonal pool, new to Complete", begin: withZonal((*World).pausedRelease), to: "Complete"},
	{name: "with a zonal pool, settled and the next version straight to Live", begin: withZonal((*World).Settled), first: declares("v2", "Preview"), to: "Live"},
	{name: "with a zonal pool, to Live", begin: withZonal((*World).InPreview), to: "Live"},
	{name: "with a zonal pool, to Complete", begin: withZonal((*World).InPreview), to: "Complete"},
	{name: "with a zonal pool, to RolledBack", begin: withZonal((*World).Live), to: "RolledBack"},
	{name: "with a zonal pool, and deleted", begin: withZonal((*World).Live), to: plan.Deleted},
	{name: "Preview, and deleted", begin: func(w *World) { w.InPreview(terminating) }, to: plan.Deleted},
	{name: "Live, and deleted", begin: func(w *World) { w.Live(terminating) }, to: plan.Deleted},
}

// TestPlanIsWhatIsSent plans, acts, and compares the ledger with the plan, call for call.
func TestPlanIsWhatIsSent(t *testing.T) {
	for _, row := range planRows {
		t.Run(row.name, func(t *testing.T) {
			clock := localaws.NewVirtualClock(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
			kube, err := kubestore.New(operator.Scheme(), "../../config/crd/bases", clock.Now)
			if err != nil {
				t.Fatal(err)
			}
			w := NewWorldUnder(t, kube, clock, Plain())
			row.begin(w)
			if row.first != nil {
				row.first(w)
			}
			p := w.plan("web", row.to)
			if row.empty != (len(p.Steps) == 0) {
				t.Errorf("%d steps", len(p.Steps))
			}
			w.Mark()
			w.act("web", row.to)
			if want, got := neighbors(w.planned(p)), neighbors(w.sent()); !slices.Equal(want, got) {
				t.Errorf("planned:\n%s\nsent:\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
			}
			if !p.Reached {
				t.Errorf("the plan does not get there: %s", p.Outcome)
			}
		})
	}
}

// TestPlanKeepsSecrets: law 11, for user data from a Secret, inline, and credentials.
func TestPlanKeepsSecrets(t *testing.T) {
	clock := localaws.NewVirtualClock(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	kube, err := kubestore.New(operator.Scheme(), "../../config/crd/bases", clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]*v1alpha1.UserData{
		"a Secret": {SecretRef: &v1alpha1.KeyReference{Name: "boot", Key: scriptKey}}, "inline": {Inline: "#!/bin/sh\ntoken=" + hidden + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := NewWorldUnder(t, kube, clock, Plain())
			w.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "boot"}, Data: map[string][]byte{scriptKey: []byte(hidden)}})
			w.Create(w.NewRelease(paused, func(rel *v1alpha1.Release) { rel.Spec.Template.UserData = from }))
			w.Until("it is paused", func() bool { return w.Release("web").Status.Stage == "Paused" })
			p := w.plan("web", "Live")
			text, err := json.Marshal(p)
			w.must("write the plan", err)
			sum := sha256.Sum256([]byte(hidden))
			for _, secret := range []string{hidden, base64.StdEncoding.EncodeToString([]byte(hidden)), hex.EncodeToString(sum[:]), awsSecret} {
				w.expect(!strings.Contains(string(text), secret), "the plan does not tell %q: %s", secret, text)
			}
			w.expect(strings.Contains(string(text), `"UserData":"(not shown)"`), "it says that there is user data: %s", text)
		})
	}
}

const hidden = "hunter2-4711"

// What there is no plan of is said.
func TestNoPlan(t *testing.T) {
	clock := localaws.NewVirtualClock(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	kube, err := kubestore.New(operator.Scheme(), "../../config/crd/bases", clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	w := NewWorldUnder(t, kube, clock, Plain())
	refused := func(name, to string, status int, says string) {
		t.Helper()
		p, err := w.Reconciler.Plan(t.Context(), types.NamespacedName{Namespace: w.Namespace, Name: name}, to)
		refusal, is := errors.AsType[*plan.Refusal](err)
		if !is || refusal.Status != status || !strings.Contains(refusal.Message, says) {
			t.Errorf("%s to %q: %v, %+v; want %d and %q", name, to, err, p, status, says)
		}
	}
	refused("web", "Live", 404, "no Release")
	w.InPreview(terminating)
	refused("web", "live", 400, `no phase "live"`)
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.LoadBalancers.Production[0].Name = "front" })
	refused("web", "Live", 409, "ask again")
	w.Until("it was looked at", func() bool { return w.Ready("web") })
	w.Restart()
	refused("web", "Live", 503, "not finished a pass")
	w.Pass(time.Second)
	w.Pass(time.Minute / 2)
	p := w.plan("web", "")
	if p.To != "Live" || time.Duration(p.Source.Age) < time.Second || p.Source.Generation != p.Source.Declared {
		t.Errorf("the next phase is %s, of a reading %s old: %+v", p.To, time.Duration(p.Source.Age), p.Source)
	}
}

// plan makes a plan, and sees that nothing is changed by it.
func (w *World) plan(name, to string) *plan.Plan {
	w.Helper()
	w.Mark()
	p, err := w.Reconciler.Plan(w.Context(), types.NamespacedName{Namespace: w.Namespace, Name: name}, to)
	if err != nil {
		w.Fatalf("plan: %v", err)
	}
	w.expect(len(w.Mutations()) == 0, "a plan changes nothing: %v", w.Mutations())
	return p
}

// act does what the plan was about, and lets the world come to rest.
func (w *World) act(name, to string) {
	w.Helper()
	if to == plan.Deleted {
		w.Delete(name)
		w.Until("it is gone", func() bool { return w.Gone(name) })
		return
	}
	w.Edit(name, func(rel *v1alpha1.Release) {
		rel.Spec.Phase, rel.Spec.PhaseFor, rel.Spec.Paused = v1alpha1.Phase(to), string(rel.Spec.Version), false
	})
	w.Until("it is "+to, func() bool { return w.Ready(name) })
	w.Pass(10 * time.Minute)
}

// planned are the calls of a plan, a line for each step. Servers that were launched since have the names that they got.
func (w *World) planned(p *plan.Plan) []string {
	w.Helper()
	names, next := map[string]string{}, 1
	launched := w.launchedBy()
	var steps []string
	for _, step := range p.Steps {
		var calls []string
		for _, call := range step.Calls {
			params := w.onTheWire(call)
			for _, id := range launched[params.Get("ClientToken")] {
				names[fmt.Sprintf("i-new-%d", next)] = id
				next++
			}
			for key, values := range params {
				if id := names[values[0]]; id != "" {
					params[key] = []string{id}
				}
			}
			calls = append(calls, call.Service+" "+call.Operation+" "+canonical(params))
		}
		slices.Sort(calls)
		steps = append(steps, calls...)
	}
	return steps
}

// neighbors sorts calls that follow one another and are of one action: which of two servers has drained first is AWS's to say, and no
// plan knows it.
func neighbors(calls []string) []string {
	action := func(call string) string { return strings.Join(strings.SplitN(call, " ", 3)[:2], " ") }
	for first := 0; first < len(calls); {
		next := first
		for next < len(calls) && action(calls[next]) == action(calls[first]) {
			next++
		}
		slices.Sort(calls[first:next])
		first = next
	}
	return calls
}

// sent are the controller's calls since Mark that change something, sorted where they were sent at the same moment.
func (w *World) sent() []string {
	var all, moment []string
	var at time.Time
	flush := func() {
		slices.Sort(moment)
		all, moment = append(all, moment...), nil
	}
	for _, e := range w.AWS.LedgerSince(w.mark) {
		if e.Call == nil || !e.Call.Mutates || e.Call.Who.AccessKey == personKey {
			continue
		}
		if !e.Time.Equal(at) {
			flush()
		}
		at, moment = e.Time, append(moment, e.Call.Service+" "+e.Call.Action+" "+canonical(e.Call.Params))
	}
	flush()
	return all
}

// launchedBy are the servers that each token brought since Mark.
func (w *World) launchedBy() map[string][]string {
	launched := map[string][]string{}
	for _, e := range w.AWS.LedgerSince(w.mark) {
		if e.Call == nil || e.Call.Action != runInstances {
			continue
		}
		for _, s := range w.AWS.Instances() {
			if token := e.Call.Params.Get("ClientToken"); s.ClientToken == token && !slices.Contains(launched[token], s.ID) {
				launched[token] = append(launched[token], s.ID)
			}
		}
	}
	return launched
}
