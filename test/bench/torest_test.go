//go:build bench

package bench

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/test/e2e"
)

// unlimited is AWS with short waits, no request limits and no quotas, for what is set up.
func unlimited() e2e.Temper {
	return e2e.Temper{Name: "unlimited", Tune: func(k *localaws.Knobs) { k.Balancers.Quotas.ClassicBalancers = 0 }}
}

// byTheBook is AWS by its documents from now on, with a way to it that takes latency.
func byTheBook(k *localaws.Knobs) { distant().Tune(k) }

// toRest brings Releases to rest, each with a classic load balancer, and leaves them without a manager. The first is deployed by the
// manager that there is, the others are copies of it: a thousand deploys would take half an hour at the seven calls a second that we
// allow ourselves, and most of that time two processors to decode what EC2 tells of ten thousand servers.
func toRest(t *testing.T, w *e2e.World, count *counting, r resting) {
	t.Helper()
	first, name, subnets := w.Process(), "web-0", largeSubnets(w)
	w.MakeClassic(name, true)
	w.EditClass(func(class *v1alpha1.ReleaseClass) { class.Spec.MaxServersPerRelease = int32(3 * r.each) }) // the CRD's limit is 3,000
	w.Create(w.NewRelease(func(rel *v1alpha1.Release) {
		rel.Name, rel.Spec.Replicas, rel.Spec.Template.SubnetIDs = name, int32(r.each), subnets
		rel.Spec.LoadBalancers = v1alpha1.LoadBalancers{Production: []v1alpha1.Pool{e2e.Classic("edge", name)}}
		rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, string(rel.Spec.Version)
	}))
	await(t, name+" is complete", 10*time.Minute, func() bool { return w.Ready(name) })
	awaitRest(t, w, count, first, 1)
	first.Stop()
	<-first.Ended

	from, servers := read(w, name), map[string][]string{}
	for i := 1; i < r.releases; i++ {
		name := fmt.Sprintf("web-%d", i)
		servers[name] = from.copyAs(w, name)
	}
	for name, ids := range servers {
		await(t, "the servers of "+name+" run", time.Minute, func() bool { return allRun(w, ids) })
		enlist(w, name, ids)
	}
	for name := range servers {
		await(t, "the servers of "+name+" are in service", time.Minute, func() bool { return inService(w, name) == r.each })
	}
}

func allRun(w *e2e.World, ids []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool {
		server, _ := w.AWS.Instance(id)
		return server.State != "running"
	})
}

// largeSubnets makes two that have addresses for more servers than those of the site, which have four thousand each.
func largeSubnets(w *e2e.World) (ids []v1alpha1.SubnetID) {
	for i, zone := range []string{"a", "b"} {
		ids = append(ids, v1alpha1.SubnetID(w.AWS.SeedSubnet(localaws.Subnet{
			AZ: w.AWS.Region() + zone, VPC: w.Site.VPC, CIDR: fmt.Sprintf("10.%d.0.0/16", i),
		})))
	}
	return ids
}

// awaitRest waits until the manager finds n Releases well, and only glances at them.
func awaitRest(t *testing.T, w *e2e.World, count *counting, p *e2e.Process, n int) {
	t.Helper()
	await(t, "nothing but glances", 40*time.Minute, func() bool {
		swept := count.of(p).swept
		return !swept.IsZero() && time.Since(swept) > restsAfter && readyNow(t, w) == n
	})
}

// readyNow counts the Releases that are Ready.
func readyNow(t *testing.T, w *e2e.World) (n int) {
	t.Helper()
	var list v1alpha1.ReleaseList
	if err := w.Kube.List(t.Context(), &list, client.InNamespace(w.Namespace)); err != nil {
		t.Fatal(err)
	}
	for _, rel := range list.Items {
		if meta.IsStatusConditionTrue(rel.Status.Conditions, v1alpha1.ConditionReady) {
			n++
		}
	}
	return n
}

// inService counts the members of a pool that are.
func inService(w *e2e.World, pool string) (n int) {
	for _, member := range w.Members(pool) {
		if member.State == "healthy" {
			n++
		}
	}
	return n
}
