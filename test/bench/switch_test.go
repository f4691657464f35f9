//go:build bench

package bench

import (
	"errors"
	"flag"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/internal/swap"
	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/kubestore"
)

// setting is a cell of the table: how many production pools of which kind, and how many servers in each fleet.
type setting struct {
	Kind    string `json:"kind"` // classic, alb, or mixed: they take turns
	Pools   int    `json:"pools"`
	Servers int32  `json:"servers"`
}

func (s setting) String() string {
	return fmt.Sprintf("%s, %d pools, %d servers", s.Kind, s.Pools, s.Servers)
}

// settings are all cells.
func settings() (all []setting) {
	for _, kind := range []string{"classic", "alb"} {
		for _, pools := range []int{1, 2, 5} {
			for _, servers := range []int32{3, 30, 300} {
				all = append(all, setting{kind, pools, servers})
			}
		}
	}
	return all
}

// latency is how long a call to AWS takes.
const latency = 50 * time.Millisecond

// distant is AWS by its documents: its limits, its own times of registration, and a way to it that takes latency.
func distant() e2e.Temper {
	return e2e.Temper{Name: "bench", Tune: func(k *localaws.Knobs) {
		byBook := localaws.DefaultKnobs()
		k.Latency, k.Throttle, k.Balancers = latency, byBook.Throttle, byBook.Balancers
	}}
}

// playing is a test under a name that gives both contenders the same AWS, with the same delays.
type playing struct {
	*testing.T
	name string
}

// Name implements e2e.T.
func (p playing) Name() string { return p.name }

// stage is a world with v1 in production and v2 on the test pool, and who may look at it.
type stage struct {
	*e2e.World
	setting
	production []balancer
	// calm is for how long nobody asks for anything after a step.
	calm time.Duration
}

// ready is the world of a setting and a seed, in which v2 is ready to be promoted.
func ready(t *testing.T, s setting, seed, consecutive int) *stage {
	clock := e2e.NewBubble()
	store, err := kubestore.New(operator.Scheme(), root+"/config/crd/bases", clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	w := e2e.NewManned(playing{t, fmt.Sprintf("%s, seed %d", s, seed)}, store, clock, distant(), nil)
	w.Unjudged()
	st := &stage{World: w, setting: s, calm: time.Minute}
	st.prepare(consecutive)
	return st
}

// prepare brings v1 into production, and v2 to where it can be promoted.
func (st *stage) prepare(consecutive int) {
	st.EditClass(func(class *v1alpha1.ReleaseClass) { class.Spec.MaxServersPerRelease = 3 * st.setting.Servers })
	pools := st.pools()
	st.Create(st.NewRelease(func(rel *v1alpha1.Release) {
		rel.Spec.Replicas, rel.Spec.LoadBalancers.Production = st.setting.Servers, pools
		rel.Spec.Health.Consecutive = int32(consecutive)
		rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, string(rel.Spec.Version)
	}))
	st.Until("v1 is complete", func() bool { return st.Ready("web") && st.serves("v1") })
	st.Deploy("web", "v2", v1alpha1.PhasePreview)
	st.Until("v2 is ready in Preview", func() bool { return st.Is("web", v1alpha1.ConditionPreviewReady) && st.Ready("web") })
	st.Pass(st.calm)
}

// pools makes those of production.
func (st *stage) pools() (pools []v1alpha1.Pool) {
	for i := range st.Pools {
		name := fmt.Sprintf("pool-%d", i)
		if st.Kind == "classic" || st.Kind == "mixed" && i%2 == 0 {
			st.MakeClassic(name, true)
			pools, st.production = append(pools, e2e.Classic(name, name)), append(st.production, balancer{name: name})
			continue
		}
		arn := st.MakeTargetGroup(name)
		st.MakeListener(name, name)
		pools, st.production = append(pools, e2e.Group(name, name)), append(st.production, balancer{name, arn})
	}
	return pools
}

// serves reports whether production has a version and nothing else.
func (st *stage) serves(version string) bool {
	for _, pool := range st.production {
		if !st.From(pool.name, version, int(st.setting.Servers)) || !st.Only(pool.name, version) {
			return false
		}
	}
	return true
}

// measure lets somebody swap, and reads from the ledger how long that took.
func (st *stage) measure(version string, swaps func() error) outcome {
	edited, before := st.Clock.Now(), st.AWS.LastSeq()
	if err := swaps(); errors.Is(err, errGaveUp) {
		return outcome{gaveUp: true}
	} else if err != nil {
		st.Fatalf("%s: %v", st.setting, err)
	}
	view := swap.View{Production: func(pool string) bool {
		return slices.ContainsFunc(st.production, func(b balancer) bool { return b.name == pool })
	}}
	looked := before
	st.Until(version+" serves alone", func() bool { // a look at all members is dear: only when somebody left
		entries := st.AWS.LedgerSince(looked)
		looked += uint64(len(entries))
		return slices.ContainsFunc(entries, leaves) && st.serves(version)
	})
	entries := st.AWS.LedgerSince(before)
	got, err := view.Measure(entries, edited)
	if err != nil {
		st.Fatalf("%s: %v", st.setting, err)
	}
	st.Pass(st.calm)
	calls := 0
	for _, n := range view.Calls(entries) {
		calls += n
	}
	return outcome{took: got.Took, bound: got.Bound, calls: calls}
}

// leaves is a call by which servers leave a pool.
func leaves(e localaws.Entry) bool {
	return e.Call != nil && strings.HasPrefix(e.Call.Action, "Deregister")
}

// outcome is one promotion or rollback.
type outcome struct {
	took, bound time.Duration
	calls       int
	gaveUp      bool
}

// slipway promotes and rolls back by an edit of the phase.
func (st *stage) slipway() (promotion, rollback outcome) {
	promotion = st.measure("v2", func() error { st.Phase("web", v1alpha1.PhaseLive); return nil })
	rollback = st.measure("v1", func() error { st.Phase("web", v1alpha1.PhaseRolledBack); return nil })
	return promotion, rollback
}

// rake does the same by the Rakefile, while nobody else is there.
func (st *stage) rake() (promotion, rollback outcome) {
	st.Process().Kill()
	r := rakefile{st.Person(), st.production, balancer{name: "test"}}
	v1, v2 := st.ids("v1"), st.ids("v2")
	if promotion = st.measure("v2", func() error { return r.deploy(st.Context(), v2, v1, false) }); promotion.gaveUp {
		return promotion, promotion // there is nothing to go back from
	}
	rollback = st.measure("v1", func() error { return r.deploy(st.Context(), v1, v2, true) })
	return promotion, rollback
}

func (st *stage) ids(version string) (ids []string) {
	for _, s := range st.World.Servers(version) {
		ids = append(ids, s.ID)
	}
	return ids
}

// contender swaps both ways in a world of its own.
type contender struct {
	name        string
	consecutive int
	swaps       func(*stage) (promotion, rollback outcome)
}

const theRakefile = "rakefile"

// contenders are those that are compared. The Rakefile's world is set up by Slipway, which is gone when it begins.
var contenders = []contender{
	{"slipway, consecutive 1", 1, (*stage).slipway},
	{"slipway, consecutive 2", 2, (*stage).slipway},
	{theRakefile, 1, (*stage).rake},
}

var seeds = flag.Int("bench.seeds", 10, "play each cell so often, each time with other delays of AWS")

// TestSwitch compares promotions and rollbacks: out/bench-switch.json.
func TestSwitch(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(garbage))
	report := newSwitches(measured(t))
	t.Run("cells", func(t *testing.T) {
		for _, s := range settings() {
			for seed := range *seeds {
				t.Run(fmt.Sprintf("%s, seed %d", s, seed), func(t *testing.T) {
					t.Parallel()
					promotions, rollbacks := map[string]outcome{}, map[string]outcome{}
					for _, c := range contenders {
						synctest.Test(t, func(t *testing.T) {
							promotion, rollback := c.swaps(ready(t, s, seed, c.consecutive))
							report.add(c.name, s, promotion, rollback)
							promotions[c.name], rollbacks[c.name] = promotion, rollback
						})
					}
					report.race(s, promotions, rollbacks)
				})
			}
		}
	})
	write(t, "bench-switch.json", report.sum())
}
