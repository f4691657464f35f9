package e2e

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

// defects is what becomes of Releases when Slipway itself is broken.
var defects = []Scenario{
	{"every pass over one Release panics: it is left as it is, and the other is deployed", putAside},
	{"what panics while a rollback is asked for is tried again soon, and without an end", rollsBackLate},
	{"a panic that is over is forgotten", fellOnce},
	{"what is declared while a pass panics is not said to have been tried", fellBefore},
	{"what a pass panics with is told nobody", fellWithSecret},
}

// defect is what is wrong with the controller.
type defect struct {
	class atomic.Pointer[string] // passes over Releases of this class panic
	left  atomic.Int32           // so many of them
	seen  atomic.Int32           // how many did
	as    atomic.Pointer[func()] // what they do, which panics; nil for an index out of range
}

// raised counts the panics of all worlds that their scenarios asked for. It is ahead of cloud.Defects, where each is counted once it is caught.
var raised atomic.Int64

// Unprovoked is how many panics were caught in this process that no scenario asked for, or a few less while one is under way. Each is a
// bug: a pass that panics is made again, so that a scenario may well come to its end all the same.
func Unprovoked() int64 { return max(0, cloud.Defects()-raised.Load()) }

// fell fails a world in which Slipway panicked, or beside which it did: a process has one count for all of its worlds.
func (w *World) fell() {
	w.Helper()
	if n := Unprovoked() - w.fallen; n > 0 {
		w.Fatalf("Slipway panicked (%d), here or in a world that was played meanwhile; its log has the line with the stack\n%s", n, w.Story())
	}
}

// defective opens accounts, and has the defect.
type defective struct {
	world *World
	cloud.Opener
}

// Open implements cloud.Opener.
func (d defective) Open(class cloud.Class) (*cloud.Account, error) {
	is := &d.world.defect
	if name := is.class.Load(); name != nil && *name == class.Name && is.left.Add(-1) >= 0 {
		is.seen.Add(1)
		raised.Add(1)
		if as := is.as.Load(); as != nil {
			(*as)()
		}
		_ = strings.Fields(class.Name)[1]
	}
	return d.Opener.Open(class)
}

const forEver = 1 << 30

// breaks makes the next n passes over Releases of the world's class panic.
func (w *World) breaks(n int32) {
	w.defect.seen.Store(0)
	w.defect.left.Store(n)
	w.defect.class.Store(&w.Class)
}

// mended takes the defect away.
func (w *World) mended() { w.defect.class.Store(nil) }

var saysDefect = told(v1alpha1.ReasonDefect, "index out of range [1] with length 1, at test/e2e.defective.Open (defects.go:",
	"the manager's log", "a defect in Slipway", "what was not done before that line is not done")

func putAside(w *World) {
	w.Live()
	other := w.NewClass()
	other.Name += "-of-others"
	w.Create(other)
	w.Create(w.rival(func(rel *v1alpha1.Release) { rel.Spec.ClassName, rel.Spec.Version = other.Name, "r1" }))
	w.Until("the other is in Preview", func() bool { return w.Ready("rival") })

	w.breaks(forEver)
	w.Mark()
	w.Deploy("web", "v3", v1alpha1.PhasePreview)
	w.Edit("rival", func(rel *v1alpha1.Release) { rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, "r1" })
	w.UntilWithin("it is told", 20*time.Second, func() bool { return w.tells(saysDefect) })
	rel := w.Release("web")
	w.expect(rel.Status.ObservedGeneration == rel.Generation && !w.Is("web", v1alpha1.ConditionReconciling), "nobody waits for it")
	w.UntilWithin("the other is deployed", time.Minute, func() bool { return w.Ready("rival") && w.From("theirs", "r1", 2) })
	w.wipe()
	w.UntilWithin("it is told again", time.Minute, func() bool { return w.tells(saysDefect) })

	tried, began := w.defect.seen.Load(), w.Clock.Now()
	w.while(25*time.Minute, saysDefect, func() bool {
		return w.serving("v2") && len(w.Servers("v1")) == 2 && len(w.Servers("v3")) == 0 && w.Ready("rival")
	})
	n := int(w.defect.seen.Load() - tried)
	w.expect(n <= 51 || w.crashed.Load(), "it is looked at twice a minute, not %d times in %s", n, w.Clock.Now().Sub(began))

	w.mended()
	w.Edit("web", func(rel *v1alpha1.Release) {
		metav1.SetMetaDataAnnotation(&rel.ObjectMeta, v1alpha1.AnnotationRetry, "1")
	})
	w.UntilWithin("v3 is ready in Preview", time.Minute, func() bool { return w.Ready("web") && len(w.Servers("v3")) == 2 })
	w.Converged("web")
}

func rollsBackLate(w *World) {
	w.Live()
	w.breaks(forEver)
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.UntilWithin("it is told", 20*time.Second, func() bool { return w.tells(saysDefect) })
	w.while(20*time.Minute, saysDefect, func() bool { return w.serving("v2") })
	w.mended()
	// 30 s until the next try, 10 s of health checks, and what the calls take, and the registration where AWS is slow.
	late := 50*time.Second + w.temper.knobs().Balancers.ClassicRegistration.Max + w.temper.Slack
	w.UntilWithin("v1 serves", late, func() bool { return w.Ready("web") && w.serving("v1") })
	w.Converged("web")
}

func fellOnce(w *World) {
	w.InPreview()
	w.breaks(2)
	w.Phase("web", v1alpha1.PhaseLive)
	w.UntilWithin("v2 serves", time.Minute, func() bool {
		w.expect(!w.Stalled("web", v1alpha1.ReasonDefect), "nobody is bothered")
		return w.Ready("web") && w.serving("v2")
	})
	w.expect(w.defect.seen.Load() == 2, "two passes panicked, not %d", w.defect.seen.Load())
	w.breaks(2) // they are counted anew
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.UntilWithin("v1 serves", time.Minute, func() bool {
		w.expect(!w.Stalled("web", v1alpha1.ReasonDefect), "nobody is bothered")
		return w.Ready("web") && w.serving("v1")
	})
	w.Converged("web")
}

func fellBefore(w *World) {
	w.InPreview()
	edit := func() {
		if w.defect.seen.Load() == 3 { // the one by which it is put aside
			w.mended()
			w.Phase("web", v1alpha1.PhaseLive)
		}
	}
	w.defect.as.Store(&edit)
	w.breaks(forEver)
	w.Edit("web", func(rel *v1alpha1.Release) {
		metav1.SetMetaDataAnnotation(&rel.ObjectMeta, v1alpha1.AnnotationRetry, "1")
	})
	w.UntilWithin("v2 serves", time.Minute, func() bool {
		w.expect(!w.Stalled("web", v1alpha1.ReasonDefect), "no pass over the promotion panicked")
		return w.Ready("web") && w.serving("v2")
	})
	w.Converged("web")
}

func fellWithSecret(w *World) {
	w.InPreview()
	quote := func() { panic(errors.New("cannot parse " + panicCanary)) }
	w.defect.as.Store(&quote)
	w.breaks(forEver)
	w.Phase("web", v1alpha1.PhaseLive)
	w.UntilWithin("it is told", 20*time.Second, func() bool {
		return w.tells(told(v1alpha1.ReasonDefect, "panic with a *errors.errorString", "the manager's log", "a defect in Slipway"))
	})
	w.expect(!w.leaks(panicCanary), "what the pass panicked with is nowhere")
	w.mended()
	w.Converged("web")
}
