package safety

import (
	"flag"
	"testing"

	"slipway.dev/slipway/test/e2e"
)

var former = flag.String("safety.former", "", "path of a manager's binary, of the version to come from: make test-upgrade")

// TestRealUpgrade replaces the manager of a former version by this one, and takes that back, at rest and in the midst of deploys.
func TestRealUpgrade(t *testing.T) {
	if *former == "" {
		return
	}
	on := openHall(t)
	for _, v := range []way{{"up", *former, on.Manager, true}, {"back", on.Manager, *former, false}} {
		for _, d := range decisions {
			v.plays(t, "at rest, "+d.name, func(t *testing.T, on e2e.Machine) { v.atRest(t, on, d) })
		}
		for _, s := range stages() {
			v.plays(t, s.name, func(t *testing.T, on e2e.Machine) { v.underway(t, on, s) })
		}
	}
}

func (v way) plays(t *testing.T, name string, world func(t *testing.T, on e2e.Machine)) {
	t.Run(v.name+", "+name, func(t *testing.T) {
		t.Parallel()
		places() <- struct{}{}
		defer func() { <-places() }()
		world(t, openHall(t))
	})
}
