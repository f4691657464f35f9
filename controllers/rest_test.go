package controllers

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// resting is a site whose Release has come to rest in Preview, with a sweep over EC2 that was made just now.
func resting(ctx context.Context) *site {
	GinkgoHelper()
	s := newSite(ctx)
	s.until(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPreviewReady)
	for range 10 {
		s.clock.Advance(s.pass(ctx).RequeueAfter)
	}
	s.pass(ctx)
	Expect(s.soft.atRest(client.ObjectKeyFromObject(s.rel))).To(BeTrue(), "at rest")
	return s
}

// asked counts the calls of an operation, readings too.
func (s *site) asked(action string) (n int) {
	for _, entry := range s.aws.Ledger() {
		if entry.Call != nil && entry.Call.Action == action {
			n++
		}
	}
	return n
}

var _ = Describe("A Release at rest", func() {
	It("is glanced at: its pools are read, and what EC2 said within the last minute will do", func(ctx SpecContext) {
		s := resting(ctx)
		sweeps, health, resolved := s.asked("DescribeInstances"), s.asked("DescribeInstanceHealth"), s.asked("DescribeLoadBalancerAttributes")
		for range 4 {
			s.clock.Advance(10 * time.Second)
			s.pass(ctx)
		}
		Expect(s.asked("DescribeInstances")).To(Equal(sweeps), "sweeps over EC2")
		Expect(s.asked("DescribeInstanceHealth")).To(Equal(health+4*2), "readings of two pools")
		for range 10 {
			s.clock.Advance(s.pass(ctx).RequeueAfter)
		}
		Expect(s.asked("DescribeInstances")).To(BeNumerically("~", sweeps+10, 1), "sweeps over EC2")
		Expect(s.asked("DescribeLoadBalancerAttributes")).To(Equal(resolved), "look-ups of what the pools are")
	})

	It("is looked at anew where somebody asks for something", func(ctx SpecContext) {
		s := resting(ctx)
		sweeps := s.asked("DescribeInstances")
		s.clock.Advance(2 * time.Second)
		s.edit(ctx, func(spec *v1alpha1.ReleaseSpec) { spec.Replicas = 3 })
		s.pass(ctx)
		Expect(s.asked("DescribeInstances")).To(Equal(sweeps+1), "sweeps over EC2")
		Expect(s.soft.atRest(client.ObjectKeyFromObject(s.rel))).To(BeFalse(), "at rest")
	})

	It("loses a server, which a pool tells of, and replaces it in the same pass, by a fresh look", func(ctx SpecContext) {
		s := resting(ctx)
		launched, sweeps := len(s.calls("RunInstances")), s.asked("DescribeInstances")
		Expect(s.aws.Kill(s.aws.Instances()[0].ID)).To(Succeed())
		s.clock.Advance(10 * time.Second)
		s.pass(ctx)
		Expect(s.asked("DescribeInstances")).To(Equal(sweeps+1), "sweeps over EC2")
		Expect(s.calls("RunInstances")).To(HaveLen(launched+1), "launches")
	})
})

// However many rest, looks at them cost restCalls a second, and those in the middle of a deploy come first.
func TestRestEvery(t *testing.T) {
	for _, test := range []struct {
		watched, settled int
		isSettled        bool
		want             time.Duration
	}{
		{0, 0, true, time.Minute},
		{0, 180, true, time.Minute},
		{0, 600, true, 200 * time.Second},
		{0, 2000, true, 666 * time.Second},
		{144, 0, false, time.Minute},
		{600, 0, false, 250 * time.Second},
		{144, 36, true, time.Minute},
		{600, 2000, true, 3333 * time.Second},
		{600, 2000, false, 250 * time.Second},
	} {
		if got := restEvery(test.watched, test.settled, test.isSettled).Truncate(time.Second); got != test.want {
			t.Errorf("watched %d, settled %d: each %s, want %s", test.watched, test.settled, got, test.want)
		}
	}
	for watched := 0; watched < 3000; watched += 100 {
		for settled := 0; settled < 3000; settled += 100 {
			calls := float64(watched)/restEvery(watched, settled, false).Seconds() + float64(settled)/restEvery(watched, settled, true).Seconds()
			if calls > restCalls+0.001 {
				t.Errorf("watched %d, settled %d: %.2f calls a second", watched, settled, calls)
			}
		}
	}
}

// Of the two generations of load balancers the dearer one counts; what rests in another account or region does not.
func TestResting(t *testing.T) {
	m := &softMemory{}
	for name, at := range map[string]rest{
		"a": {generation: 1, account: "1", region: "r", classic: 3}, "b": {generation: 1, account: "1", region: "r", groups: 2},
		"c": {generation: 1, account: "1", region: "r", settled: true, groups: 5}, "d": {generation: 1, account: "1", region: "s", groups: 50},
		"e": {generation: 1, account: "2", region: "r", classic: 50},
	} {
		rel := testRelease()
		rel.Name = name
		m.rests(m.of(rel), at)
	}
	if watched, settled := m.resting("1", "r"); watched != 3 || settled != 5 {
		t.Errorf("watched %d, settled %d", watched, settled)
	}
}

// A server that a sweep shows otherwise wakes its Release if that is at rest: others look anyway.
func TestServersWakeTheirRelease(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	queue := workqueue.NewTypedRateLimitingQueue(afterFailures())
	defer queue.ShutDown()
	if err := h.wakeByServers(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	changed := cloud.Server{Server: rollout.Server{ID: "i-1"}, Release: rel.Namespace + "/" + rel.Name}
	h.ports.changed(changed)
	h.ports.changed(cloud.Server{Server: rollout.Server{ID: "i-2"}, Release: "nobody's"})
	if queue.Len() != 0 {
		t.Fatalf("%d wake up, and none rests", queue.Len())
	}
	h.soft.rests(h.soft.of(rel), rest{generation: 1})
	h.ports.changed(changed)
	h.ports.changed(changed)
	h.ports.changed(cloud.Server{Server: rollout.Server{ID: "i-3"}, Release: "shop/other"})
	if queue.Len() != 1 {
		t.Fatalf("%d wake up, want one", queue.Len())
	}
	if got, _ := queue.Get(); got != (reconcile.Request{NamespacedName: client.ObjectKeyFromObject(rel)}) {
		t.Errorf("%v wakes up", got)
	}
}
