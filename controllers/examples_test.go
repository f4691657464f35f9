package controllers

import (
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"slipway.dev/slipway/internal/rollout"
)

// decided is what the core makes of a Release whose stable version is 2026.11.21-3 and whose candidate 2026.11.22-1 has
// two servers in the test pool; change makes it another Release.
func decided(change func(*rollout.Input)) rollout.Decision {
	server := func(id, revision, version string, role rollout.Role) rollout.Server {
		return rollout.Server{ID: id, Revision: revision, Version: version, Role: role, State: rollout.StateRunning, Launched: testNow.Add(-time.Hour)}
	}
	pool := func(name string, use rollout.PoolUse, members ...string) rollout.Pool {
		read := rollout.Pool{ID: "classic/eu/" + name, Name: name, Use: use, Kind: rollout.KindClassic}
		for _, id := range members {
			read.Members = append(read.Members, rollout.Member{Server: id, State: rollout.MemberHealthy})
		}
		return read
	}
	in := rollout.Input{
		Now: testNow,
		Spec: rollout.Spec{
			Release: "shop/web", UID: "u", Phase: rollout.PhasePreview, Version: "2026.11.22-1", Target: "web-2", Replicas: 2, MinHealthyPercent: 100,
			Health: rollout.Health{Consecutive: 2, Timeout: time.Hour, LaunchTimeout: time.Hour, RollbackTimeout: time.Minute},
		},
		Memory: rollout.Memory{Revisions: []rollout.Revision{
			{Name: "web-1", Version: "2026.11.21-3", Number: 1, StableSeq: 1, Completed: true, Pools: []string{"classic/eu/edge"}},
			{Name: "web-2", Version: "2026.11.22-1", Number: 2, Pools: []string{"classic/eu/test"}},
		}},
		World: rollout.World{
			Servers: []rollout.Server{
				server("i-11", "web-1", "2026.11.21-3", rollout.RoleStable), server("i-12", "web-1", "2026.11.21-3", rollout.RoleStable),
				server("i-21", "web-2", "2026.11.22-1", rollout.RoleCandidate), server("i-22", "web-2", "2026.11.22-1", rollout.RoleCandidate),
			},
			Pools: []rollout.Pool{pool("edge", rollout.UseProduction, "i-11", "i-12"), pool("test", rollout.UseTest, "i-21", "i-22")},
		},
	}
	if change != nil {
		change(&in)
	}
	return rollout.Decide(in)
}

// sickLive makes the candidate Live, with one of its two servers sick in production.
func sickLive(in *rollout.Input) {
	in.Spec.Phase, in.Spec.AutoRollback = rollout.PhaseLive, true
	live, edge := &in.Memory.Revisions[1], &in.World.Pools[0]
	live.GateAt, live.LiveAt = testNow.Add(-time.Hour), testNow.Add(-time.Hour)
	live.Promotion = rollout.Promotion{StartedAt: testNow.Add(-time.Hour), Cohort: []string{"i-21", "i-22"}, Pools: []string{edge.ID}}
	live.Pools = []string{edge.ID}
	edge.Members = []rollout.Member{{Server: "i-21", State: rollout.MemberHealthy}, {Server: "i-22", State: rollout.MemberUnhealthy, Reason: sick}}
	in.World.Pools[1].Members = nil
}

// Whoever writes a dashboard or a rule by the examples of the manual finds the messages that are really written.
func TestExamplesOfMessagesAreReal(t *testing.T) {
	override := rollout.Override{Revision: "web-2", Phase: rollout.PhaseRolledBack, By: "alice", Reason: "checkout answers 500",
		ExpiresAt: time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)}
	first := decided(sickLive)
	judged := decided(func(in *rollout.Input) {
		sickLive(in)
		in.Now, in.Memory, in.Soft = testNow.Add(31*time.Second), first.Memory, first.Soft
	})
	lost := passOf(func(p *pass) { p.decision.Memory.Revisions[0].Lost = true }).status()

	status := releaseSchema(t).Properties["status"].Properties
	history := status["history"].Items.Schema.Properties
	for name, example := range map[string]struct {
		field apiextensionsv1.JSONSchemaProps
		real  string
	}{
		"message":               {status["message"], decided(nil).Report.Message},
		"effectivePhaseMessage": {status["effectivePhaseMessage"], decided(func(in *rollout.Input) { in.Spec.Override = override }).Report.PhaseWhy},
		"history.message":       {history["message"], judged.Memory.Revisions[1].Verdict.Why},
		"note":                  {status["stable"].Properties["note"], lost.Stable.Note},
	} {
		_, shown, _ := strings.Cut(strings.Join(strings.Fields(example.field.Description), " "), "Example: ")
		if shown != example.real || shown == "" {
			t.Errorf("%s is shown as %q, and really is %q", name, shown, example.real)
		}
	}
}
