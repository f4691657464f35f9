package e2e

import (
	"strings"
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

// takenOut makes scenarios of each phase: somebody takes servers out of pools, and they are put back, with nothing launched,
// while production never stops answering with the versions that it is to have.
func takenOut() []Scenario {
	production := []string{edgePool, apiPool}
	rows := []struct {
		moment
		victims string
		pools   []string // another server is taken out of each
	}{
		{preview, "v1", production}, {preview, "v2", []string{testPool}},
		{promoting, "v1", production}, {promoting, "v2", production}, {promoting, "v2", []string{testPool}},
		{live, "v2", production},
		{rejected, "v1", production}, {rejected, "v2", []string{testPool}},
		{complete, "v1", production},
	}
	all := make([]Scenario, 0, len(rows))
	for _, row := range rows {
		where := strings.Join(row.pools, " and another out of ")
		all = append(all, Scenario{"a server of " + row.victims + " is taken out of " + where + " by hand, " + row.name, func(w *World) {
			row.enter(w)
			w.Steady(row.steady()...)
			launched := w.Launched()
			for i, pool := range row.pools {
				w.TakeOut(pool, w.Servers(row.victims)[i].ID)
				w.expect(w.Registered(pool, row.victims) == 1, "it is out of %s", pool)
			}
			for _, pool := range row.pools {
				w.Until("it is back in "+pool, func() bool { return w.Registered(pool, row.victims) == 2 })
			}
			w.Until("everything is as it should be", func() bool { return row.rests(w) })
			w.Converged("web")
			w.expect(row.rests(w) && w.Launched() == launched, "nothing was replaced")
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
			w.expect(w.From(testPool, "v2", 1), "the other one can be looked at")
			w.Converged("web")
		}})
	}
	return all
}
