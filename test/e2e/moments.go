package e2e

import (
	"slipway.dev/slipway/api/v1alpha1"
)

// moment is a point in the life of "web" at which something may happen to it.
type moment struct {
	name  string
	enter func(w *World)
	// serves is the version that production has when the Release has come to rest again; beside is the version of the
	// other fleet and shown the one on the test pool, "" where there is none.
	serves, beside, shown string
}

var (
	preview   = moment{"in Preview", func(w *World) { w.InPreview() }, "v1", "v2", "v2"}
	promoting = moment{"in the middle of a promotion", func(w *World) { w.Promoting() }, "v2", "v1", ""}
	live      = moment{"in Live", func(w *World) { w.Live() }, "v2", "v1", ""}
	rejected  = moment{"in RolledBack", func(w *World) { w.RolledBack() }, "v1", "v2", "v2"}
	complete  = moment{"when Complete", func(w *World) { w.Settled() }, "v1", "", ""}

	// moments are one in each phase, and one in the middle of a promotion.
	moments = []moment{preview, promoting, live, rejected, complete}
)

// each makes a scenario for each moment.
func each(what string, play func(w *World, m moment)) []Scenario { return at(moments, what, play) }

// at makes a scenario for each of some moments.
func at(moments []moment, what string, play func(w *World, m moment)) []Scenario {
	all := make([]Scenario, 0, len(moments))
	for _, m := range moments {
		all = append(all, Scenario{what + ", " + m.name, func(w *World) {
			m.enter(w)
			play(w, m)
		}})
	}
	return all
}

// rests reports whether "web" is Ready, and every pool has exactly the servers that it is to have at that moment.
func (m moment) rests(w *World) bool {
	w.Helper()
	shown := w.Empty(testPool)
	if m.shown != "" {
		shown = w.Only(testPool, m.shown)
	}
	return shown && w.Ready("web") && w.Serves(m.serves)
}

// fleets are the versions whose servers exist at that moment.
func (m moment) fleets() []string {
	if m.beside == "" {
		return []string{m.serves}
	}
	return []string{m.serves, m.beside}
}

// steady are the versions that production may have from that moment on.
func (m moment) steady() []string {
	if m.name == promoting.name {
		return m.fleets()
	}
	return []string{m.serves}
}

// Promoting brings "web" to where v1 and v2 are both registered in production, and the gate is not passed.
func (w *World) Promoting(changes ...func(*v1alpha1.Release)) {
	w.Helper()
	w.InPreview(changes...)
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("v2 is registered in production", func() bool { return w.Registered("api", "v2") == 2 && w.Registered("edge", "v2") == 2 })
	w.expect(w.Registered("api", "v1") == 2 && w.Registered("edge", "v1") == 2, "v1 is there too")
}

// RolledBack brings "web" to where v1 serves again and v2, once Live, is on the test pool.
func (w *World) RolledBack(changes ...func(*v1alpha1.Release)) {
	w.Helper()
	w.Live(changes...)
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.Until("v1 serves again", func() bool { return w.Ready("web") && w.Serves("v1") && w.Only("test", "v2") })
}

// inProduction reports whether a pool answers from two servers of a version, and of no other of ours.
func (w *World) inProduction(pool, version string) bool {
	w.Helper()
	return w.From(pool, version, 2)
}
