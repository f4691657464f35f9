package e2e

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// TakeOut deregisters a server from a pool, as a person does who suspects it.
func (w *World) TakeOut(pool, id string) {
	w.Helper()
	if info, _ := w.AWS.Pool(pool); info.ARN != "" {
		_, err := w.Person().ELBv2.DeregisterTargets(w.Context(), &elbv2.DeregisterTargetsInput{
			TargetGroupArn: &info.ARN, Targets: []elbv2types.TargetDescription{{Id: &id}},
		})
		w.must("take "+id+" out of "+pool, err)
		return
	}
	_, err := w.Person().ELB.DeregisterInstancesFromLoadBalancer(w.Context(), &elb.DeregisterInstancesFromLoadBalancerInput{
		LoadBalancerName: &pool, Instances: []elbtypes.Instance{{InstanceId: &id}},
	})
	w.must("take "+id+" out of "+pool, err)
}

// takenOut makes a scenario of each phase: somebody takes a server out of a pool, and it is put back, with nothing launched
// and nothing taken out elsewhere.
func takenOut() []Scenario {
	rows := []struct {
		moment
		victim, pool string
	}{
		{preview, "v1", edgePool}, {preview, "v2", testPool},
		{promoting, "v2", apiPool},
		{live, "v2", edgePool},
		{rejected, "v1", apiPool}, {rejected, "v2", testPool},
		{complete, "v1", edgePool},
	}
	all := make([]Scenario, 0, len(rows))
	for _, row := range rows {
		all = append(all, Scenario{"a server of " + row.victim + " is taken out of " + row.pool + " by hand, " + row.name, func(w *World) {
			row.enter(w)
			w.TakeOut(row.pool, w.Servers(row.victim)[0].ID)
			w.expect(w.Registered(row.pool, row.victim) == 1, "it is out")
			w.Until("it is back", func() bool { return w.Registered(row.pool, row.victim) == 2 })
			w.Until("everything is as it should be", func() bool {
				right := w.Ready("web") && w.inProduction("edge", row.serves) && w.inProduction("api", row.serves)
				return right && (row.pool != testPool || w.inProduction("test", row.victim))
			})
			launched := 4
			if row.beside == "" {
				launched = 2
			}
			w.expect(w.Launched() == launched, "nothing was replaced")
			w.Converged("web")
		}})
	}
	return all
}

// rejectedServers makes scenarios of what happens to a candidate that was rolled back: it is there for a look, and nothing
// is launched for it.
func rejectedServers() []Scenario {
	rows := []struct {
		name   string
		happen func(w *World, id string)
		left   int // living servers of the candidate
	}{
		{"dies", func(w *World, id string) { w.must("kill", w.AWS.Kill(id)) }, 1},
		{"is stopped by hand", func(w *World, id string) {
			_, err := w.Person().EC2.StopInstances(w.Context(), &ec2.StopInstancesInput{InstanceIds: []string{id}})
			w.must("stop", err)
		}, 2},
		{"is tagged slipway.dev/hold", func(w *World, id string) { w.Hold(id) }, 2},
	}
	all := make([]Scenario, 0, len(rows))
	for _, row := range rows {
		all = append(all, Scenario{"a server of the candidate " + row.name + " in RolledBack: nothing is launched for it", func(w *World) {
			w.RolledBack()
			victim := w.Servers("v2")[0].ID
			row.happen(w, victim)
			w.For(15*time.Minute, "v1 serves", func() bool { return w.inProduction("edge", "v1") && w.inProduction("api", "v1") })
			w.expect(w.Launched() == 4 && len(w.Servers("v2")) == row.left, "nothing was launched or ended")
			w.expect(w.Ready("web"), "the candidate's health is no part of Ready")
			w.expect(w.From("test", "v2", 1), "the other one can be looked at")
			w.Converged("web")
		}})
	}
	return all
}
