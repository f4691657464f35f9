package safety

import (
	"testing"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/test/e2e"
)

// openHall gives what worlds in real time are played on.
func openHall(t *testing.T) e2e.Machine {
	t.Helper()
	machine, err := realTime.open(buildFlags...)
	if err != nil {
		t.Fatal(err)
	}
	return machine
}

// TestRealHandover has two managers, of which one leads, and kills it in the middle of a promotion.
func TestRealHandover(t *testing.T) {
	o := &watcher{}
	w := e2e.NewReal(t, openHall(t), e2e.Plain(), o.tap)
	first := w.Process()
	w.Until("the first leads", func() bool { return o.leads(first) })
	second := w.Start()
	w.Settled()
	w.Deploy("web", "v2", v1alpha1.PhaseLive)
	w.Until("v2 is registered in production", func() bool { return w.Registered("api", "v2") == 2 })
	if w.Registered("api", "v1") != 2 || o.leads(second) {
		t.Fatalf("that was too late\n%s", w.Story())
	}
	first.Kill()
	w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") && w.Empty("test") })
	if !o.leads(second) || w.Launched() != 4 || len(w.Servers("v1")) != 2 {
		t.Errorf("nothing is launched twice, and v1 stands by\n%s", w.Story())
	}
	for _, s := range o.all() {
		if s.By == second && works(s) && s.at.Before(o.elected(second)) {
			t.Errorf("the second called %s before it led", s.What)
		}
	}
}
