package e2e

import (
	"context"
	"strings"
	"time"

	"slipway.dev/slipway/internal/laws"
	"slipway.dev/slipway/internal/localaws"
)

// watchLaws holds this world to the laws.
func watchLaws(w *World) *laws.Watch {
	var lately time.Duration
	if _, wall := w.Clock.(Wall); wall {
		lately = 3 * time.Second // on a busy machine a pass reads, waits for a processor, and calls
	}
	return laws.New(laws.Options{
		AWS: w.AWS, Kube: w.Kube, Namespace: w.Namespace, Now: w.Clock.Now, Lately: lately,
		Judged: func(who localaws.Caller) bool { return who.AccessKey != personKey },
	})
}

// checkLaws fails the scenario if a law was broken.
func (w *World) checkLaws() {
	w.Helper()
	if broken := w.Broken(); len(broken) > 0 {
		w.Fatalf("broken law: %s\n%s", strings.Join(broken, "\n"), w.Story())
	}
}

// Broken are the breaches of the laws so far, for a run that goes on all the same.
func (w *World) Broken() []string { return w.laws.Broken() }

// Unjudged ends the watch over the laws, for a benchmark whose worlds are too large to be looked at after each event. The scenarios
// judge the same deploys.
func (w *World) Unjudged() {
	w.unjudged.Store(true)
	w.laws.Stop()
}

// Steady says that from now on, at every event, both production pools of NewRelease send requests to a server of ours once they
// did, and to no other version than these.
func (w *World) Steady(versions ...string) { w.SteadyIn([]string{edgePool, apiPool}, versions...) }

// SteadyIn is Steady for other pools.
func (w *World) SteadyIn(pools []string, versions ...string) { w.laws.SteadyIn(pools, versions...) }

// leftBehind looks at what a deletion was to take along.
func (w *World) leftBehind() {
	w.Helper()
	if err := w.laws.LeftBehind(context.Background()); err != nil {
		w.Fatalf("list Releases: %v", err)
	}
	w.checkLaws()
}

// toldSecrets is law 11 on the credentials of the controller: they are in nothing that it wrote.
func (w *World) toldSecrets() {
	w.Helper()
	if w.leaks(awsSecret) {
		w.Fatalf("broken law: law 11: the controller's credentials are where everybody can read them\n%s", w.Story())
	}
}
