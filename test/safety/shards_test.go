package safety

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/test/e2e"
)

const (
	shardLabel = "shard"
	east       = "east"
	eastPool   = "east-edge"
)

// shardShare is what each of the two managers has of AWS's request limits.
const shardShare = 0.35

var shareFlag = fmt.Sprintf("--aws-limits-share=%g", shardShare)

const (
	// slack is how much longer one call may be on its way than the next.
	slack = 700 * time.Millisecond
	// heard is when a manager has heard of a class's labels at the latest, also on a busy machine.
	heard = 4 * time.Second
	// leftAlone is for how long nobody changes anything for a class that was given away: the new one leaves it alone for 15 s from when it
	// hears of it.
	leftAlone = 10 * time.Second
)

// Two managers look after a class each, side by side. In the middle of a promotion, when the next thing is to take the old version out
// of production, the class of the one is given to the other, which carries the promotion to its end. The one that had it
// is in the middle of a pass, and changes nothing any more once it has heard of that; the other one waits.
func TestRealShards(t *testing.T) {
	t.Parallel()
	playReal(t, "played", "handover/shards", playShards)
}

func playShards(t *testing.T, on e2e.Machine) {
	o := &watcher{}
	on.Flags = []string{"--class-selector=" + shardLabel + "!=" + east, shareFlag}
	w := e2e.NewReal(t, on, e2e.Plain(), o.tap)
	first, second := w.Process(), startEast(w)
	w.Create(w.NewRelease(func(rel *v1alpha1.Release) {
		rel.Name, rel.Spec.ClassName = east, w.Class+"-"+east
		rel.Spec.LoadBalancers = v1alpha1.LoadBalancers{Production: []v1alpha1.Pool{e2e.Classic("edge", eastPool)}}
		rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, string(rel.Spec.Version)
	}))
	w.Settled()
	w.Until("the other one's is complete, too", func() bool { return w.Ready(east) })
	sharesWork(t, w, first, second)

	w.Steady("v1", "v2")
	w.Deploy("web", "v2", v1alpha1.PhaseLive)
	var given atomic.Bool
	began := o.strikes(func(call e2e.Wire) bool { return call.By == first && switching.at(w, call) }, func() {
		w.EditClass(func(class *v1alpha1.ReleaseClass) { class.Labels[shardLabel] = east })
		given.Store(true)
		<-time.After(heard)
	})
	w.Until("the class is given away", given.Load)
	w.Until("it is Live", func() bool { return promoted(w) })
	changes := func(by *e2e.Process) func(sighting) bool {
		return func(s sighting) bool { return s.By == by && s.Writes && s.To == e2e.ToAWS }
	}
	if late := o.first(began(), changes(first)); late.By != nil {
		t.Errorf("the first calls %s %s after it had heard that the class is given away", late.What, late.at.Sub(began()))
	}
	if next := o.first(began(), changes(second)); next.at.Sub(began().Add(-heard)) < leftAlone {
		t.Errorf("the second calls %s %s after the class was given away", next.What, next.at.Sub(began().Add(-heard)))
	}
	keepsToShare(t, w, first)
	keepsToShare(t, w, second)
	if t.Failed() {
		t.Log(w.Story())
	}
}

// startEast starts the manager of the class "east", with a lease of its own, and makes class and load balancer.
func startEast(w *e2e.World) *e2e.Process {
	w.Create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace + "-" + east}})
	class := w.NewClass()
	class.Name += "-" + east
	class.Labels[shardLabel] = east
	w.Create(class)
	w.MakeClassic(eastPool, true)
	return w.Start("--class-selector="+shardLabel+"="+east, "--leader-election-namespace="+w.Namespace+"-"+east, shareFlag)
}

// sharesWork: each changed the pools of its own Release and no others, and launched its servers.
func sharesWork(t *testing.T, w *e2e.World, first, second *e2e.Process) {
	t.Helper()
	launches := map[string]int{}
	for _, entry := range w.AWS.Ledger() {
		call := entry.Call
		if call == nil || !call.Mutates || call.Who.AccessKey != first.Key && call.Who.AccessKey != second.Key {
			continue
		}
		pool := call.Params.Get("LoadBalancerName") + call.Params.Get("TargetGroupArn")
		switch {
		case call.Action == "RunInstances":
			launches[call.Who.AccessKey]++
		case pool != "" && (pool == eastPool) != (call.Who.AccessKey == second.Key):
			t.Errorf("%s of %s is by %s", call.Action, pool, call.Who.AccessKey)
		}
	}
	if launches[first.Key] == 0 || launches[second.Key] == 0 {
		t.Errorf("launches by who made them: %v", launches)
	}
}

// documented are limits of AWS for an account and region: so many calls at once, and so many a second.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
var documented = map[string]struct{ atOnce, perSecond float64 }{
	"ec2 RunInstances": {5, 2}, "ec2 TerminateInstances": {100, 5}, "ec2 CreateTags": {100, 10}, "ec2 DescribeInstances": {100, 20},
	"elb": {40, 10}, "elb registration": {20, 4}, "elbv2": {40, 10}, "elbv2 registration": {20, 4},
}

// keepsToShare: at no time has it sent more calls than its share of a limit allows, from the first to the last.
func keepsToShare(t *testing.T, w *e2e.World, p *e2e.Process) {
	t.Helper()
	spent := map[string]*rate.Limiter{}
	for name, l := range documented {
		spent[name] = rate.NewLimiter(rate.Limit(l.perSecond*shardShare), max(1, int(l.atOnce*shardShare)))
	}
	launches := 0
	for _, entry := range w.AWS.Ledger() {
		call := entry.Call
		if call == nil || call.Who.AccessKey != p.Key {
			continue
		}
		limits := []string{call.Service, call.Service + " " + call.Action}
		if strings.Contains(call.Action, "egister") {
			limits = append(limits, call.Service+" registration")
		}
		for _, name := range limits {
			if spent[name] == nil {
				continue
			}
			if early := spent[name].ReserveN(entry.Time, 1).DelayFrom(entry.Time); early > slack {
				t.Errorf("%s of %s at %s is %s too early for %g of the limit of %s", call.Action, p.Key, entry.Time.Format(time.StampMilli), early, shardShare, name)
				delete(spent, name) // once is enough
			}
		}
		if call.Action == "RunInstances" {
			launches++
		}
	}
	if launches < 2 {
		t.Errorf("%s launched %d times: nothing hangs on its share", p.Key, launches)
	}
}
