package e2e

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

// mistake is something that people get wrong, or that AWS refuses. A second version is declared with it. It must be told as
// the refusal says, production must be untouched, nothing may be left behind, and mending the cause must heal the Release
// without a restart.
type mistake struct {
	name   string
	before func(w *World)                        // changes the world first; may be nil
	edit   func(w *World, rel *v1alpha1.Release) // the mistake in the spec; may be nil
	refusal
	launched int                                   // servers of the new version that run all the same
	turns    []turn                                // what is wrong instead, one thing after the other; may be nil
	mend     func(w *World)                        // mends the world; nil where edited does it
	edited   func(w *World, rel *v1alpha1.Release) // mends the spec, in a third version; may be nil
}

// refusal is how a mistake is told: Stalled and Ready=False give the reason, and the message names the things, gives AWS's own
// words (or what Slipway found, where AWS was not asked) and says what to do.
type refusal struct {
	reason, aws, advice string
	things              []string
}

func told(reason, aws, advice string, things ...string) refusal {
	return refusal{reason, aws, advice, things}
}

// turn is another mistake in the place of the one before.
type turn struct {
	happens func(w *World)
	refusal
}

const (
	// stuck is how long a mistake is left alone: longer than the timeouts of a hasty Release, than the longest pause between
	// two tries, and than AWS has to say that a pool does not exist. A clock that should stand still is found out.
	stuck = 6 * time.Minute
	// brief is enough where the controller looks every second and only the timeouts matter.
	brief = 2 * time.Minute
	// patched is how soon a mended mistake shows: the guide says two minutes, and a server has to boot.
	patched = 3 * time.Minute
)

// replaced is how soon a server is whole again that ended long ago: where AWS forgets whose it was, only its absence tells, which
// has to last for five minutes.
func (w *World) replaced() time.Duration {
	if w.temper.Lags {
		return patched + 5*time.Minute
	}
	return patched
}

// hasty shortens health.timeout and health.launchTimeout, so that a scenario need not wait for ten and fifteen minutes.
func hasty(rel *v1alpha1.Release) {
	rel.Spec.Health.Timeout.Duration, rel.Spec.Health.LaunchTimeout.Duration = time.Minute, 90*time.Second
}

// badInput makes a scenario of every mistake, and has those that are no table.
func badInput() []Scenario {
	list := slices.Concat(imageMistakes(), launchMistakes(), limits(), classMistakes(), userDataMistakes())
	all := make([]Scenario, 0, len(list))
	for _, m := range list {
		all = append(all, Scenario{m.name, m.play})
	}
	return slices.Concat(all, badPools(), denied, reasons)
}

func (m mistake) play(w *World) {
	w.Settled(hasty)
	if m.before != nil {
		m.before(w)
		w.informed()
	}
	w.Mark()
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Version, rel.Spec.Phase = "v2", v1alpha1.PhaseLive
		if m.edit != nil {
			m.edit(w, rel)
		}
		rel.Spec.PhaseFor = string(rel.Spec.Version)
	})
	w.refused(m.refusal, "v1", m.launched)
	for _, t := range m.turns {
		t.happens(w)
		w.refused(t.refusal, "v1", m.launched)
	}
	if m.mend != nil {
		m.mend(w)
	}
	if m.edited != nil {
		w.Edit("web", func(rel *v1alpha1.Release) {
			m.edited(w, rel)
			rel.Spec.Version, rel.Spec.PhaseFor = "v3", "v3"
		})
	}
	w.healed(string(w.Release("web").Spec.Version), "v1")
	w.Converged("web")
}

// refused: it is told, production is as it was and stays so, however long nobody mends anything, and no server runs but those of
// the stable version and as many as the mistake lets through.
func (w *World) refused(r refusal, stable string, launched int) {
	w.Helper()
	w.UntilWithin("it is stalled for "+r.reason+", and says what it is", patched, func() bool {
		return w.tells(r) && len(w.Servers("")) == 2+launched
	})
	w.while(stuck, r, func() bool {
		return w.serving(stable) && w.moves() == 0 && len(w.Servers("")) == 2+launched
	})
}

// while drives the world for some time in which nobody mends the mistake: the world stays as it should be, and Stalled and
// Ready go on giving the reason, or give it again after trouble. Status is read after a pass; nobody else writes it.
func (w *World) while(d time.Duration, r refusal, holds func() bool) {
	w.Helper()
	seen := w.passes.Load()
	w.For(d, "Stalled and Ready=False say "+r.reason+", and the world is as it was", func() bool {
		if now := w.passes.Load(); now != seen {
			seen = now
			if !w.tells(r) && !(w.Recovers() && !w.Ready("web")) {
				return false
			}
		}
		return holds()
	})
	w.UntilWithin("it is told (again): "+r.reason, patched, func() bool {
		w.expect(holds(), "the world is as it was")
		return w.tells(r)
	})
}

// tells reports whether Stalled and Ready=False have the reason, for the generation that is declared now, and the message
// has all that a person needs.
func (w *World) tells(r refusal) bool {
	w.Helper()
	ready := w.Condition("web", v1alpha1.ConditionReady)
	return w.Stalled("web", r.reason) && ready.Status == metav1.ConditionFalse && ready.Reason == r.reason &&
		w.Says("web", v1alpha1.ConditionStalled, append(slices.Clone(r.things), r.aws, r.advice)...)
}

// serving reports whether both production pools have the two servers of the version, healthy, and nothing else.
func (w *World) serving(version string) bool {
	w.Helper()
	return w.exactly(edgePool, version) && w.exactly(apiPool, version)
}

// answers reports whether both production pools answer with this version alone, from however many servers.
func (w *World) answers(version string) bool {
	w.Helper()
	for _, pool := range []string{edgePool, apiPool} {
		if versions := w.Versions(pool); len(versions) != 1 || versions[version] == 0 {
			return false
		}
	}
	return true
}

// exactly reports whether a pool has two members in all, but for those that drain: servers of the version, healthy.
func (w *World) exactly(pool, version string) bool {
	w.Helper()
	members := slices.DeleteFunc(w.Members(pool), func(m localaws.MemberInfo) bool { return m.Draining })
	return len(members) == 2 && !slices.ContainsFunc(members, func(m localaws.MemberInfo) bool {
		s, ok := w.AWS.Instance(m.InstanceID)
		return !ok || s.Tags["slipway.dev/version"] != version || !sound(m)
	})
}

// sound reports whether the pool may go on sending requests to a member.
func sound(m localaws.MemberInfo) bool { return m.State == healthy && !m.Draining }

// moves counts the controller's calls since Mark that put servers into the two production pools of every world or take
// them out, refused ones too.
func (w *World) moves() int {
	group, n := w.GroupARN(apiPool), 0
	for _, e := range w.AWS.LedgerSince(w.mark) {
		if e.Call == nil || !strings.Contains(e.Call.Action, "egister") || e.Call.Who.AccessKey == personKey {
			continue
		}
		if e.Call.Params.Get("LoadBalancerName") == edgePool || e.Call.Params.Get("TargetGroupArn") == group {
			n++
		}
	}
	return n
}

// healed: without anybody's doing the version gets Live, with exactly its two servers in production and none in Preview, and
// the two of the stable version stand by.
func (w *World) healed(version, stable string) {
	w.Helper()
	w.UntilWithin("mended, it goes on by itself", patched, func() bool {
		return !w.Is("web", v1alpha1.ConditionStalled) && len(w.Servers(version)) == 2
	})
	w.UntilWithin(version+" is Live", patched, func() bool {
		return w.Ready("web") && w.serving(version) && w.Empty(testPool)
	})
	w.Until("nothing is left over", func() bool { return len(w.Servers("")) == 4 })
	w.expect(len(w.Servers(version)) == 2 && len(w.Servers(stable)) == 2, "two of %s serve and two of %s stand by", version, stable)
}
