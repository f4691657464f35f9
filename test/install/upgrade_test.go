package install

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

// TestUpgrade applies the manifests over those of an older version, and once more, while a Release is Live and has its former fleet beside
// it. testdata/former.yaml is config/default as it was before the status told who had asked, and before people's roles had the verb promote: never
// write it anew.
func TestUpgrade(t *testing.T) {
	t.Parallel() // it waits, mostly
	c := newCluster(t)
	former, err := os.ReadFile("testdata/former.yaml")
	c.Expect(err).NotTo(HaveOccurred())
	c.apply(string(former))
	c.namespace("shop")
	account, bearer := c.newAWS(), c.token(account)
	manager := c.manage(c.bearing(bearer), account, nil)
	class := sampleOf[v1alpha1.ReleaseClass](c, "releaseclass.yaml")
	c.Expect(c.admin.Create(t.Context(), class)).To(Succeed())
	rel := c.inShop("shop")
	c.Expect(c.admin.Create(t.Context(), rel)).To(Succeed())
	c.settled(rel, "v1")
	before := rel.DeepCopy()
	rel.Spec.Version, rel.Spec.Phase, rel.Spec.Image.ID = "v2", v1alpha1.PhaseLive, sampleOf[v1alpha1.Release](c, "release-v2.yaml").Spec.Image.ID
	rel.Spec.PhaseFor = "v2"
	c.Expect(c.admin.Patch(t.Context(), rel, client.MergeFrom(before))).To(Succeed())
	c.settled(rel, "v2")
	manager.stop()
	was, servers, uids := rel.DeepCopy(), ids(account), c.uids()

	manifest := build(t, "../../config/default")
	c.apply(manifest)
	mark := account.LastSeq()
	applied := c.versions(manifest)
	manager = c.manage(c.bearing(bearer), account, nil)
	c.Eventually(func() int { return len(calls(account, mark, "DescribeInstanceHealth")) }, time.Minute, 100*time.Millisecond).
		Should(BeNumerically(">=", 2), "the new manager looks at the pools")
	c.Expect(calls(account, mark, "RunInstances", "CreateTags", "TerminateInstances", "RegisterInstancesWithLoadBalancer",
		"DeregisterInstancesFromLoadBalancer")).To(BeEmpty())
	now := &v1alpha1.Release{}
	c.Expect(c.admin.Get(t.Context(), client.ObjectKeyFromObject(rel), now)).To(Succeed())
	c.Expect(now.Generation).To(Equal(was.Generation))
	if diff := cmp.Diff(was.Spec, now.Spec); diff != "" {
		t.Errorf("the spec (-before +after the upgrade):\n%s", diff)
	}
	c.Expect(ids(account)).To(Equal(servers))
	c.Expect(c.uids()).To(Equal(uids), "ControllerRevisions")
	c.Expect(now.Status.Candidate.Revision).To(Equal(was.Status.Candidate.Revision))

	c.apply(manifest)
	if diff := cmp.Diff(applied, c.versions(manifest)); diff != "" {
		t.Errorf("applied again (-before +after):\n%s", diff)
	}
	manager.stop()
}

// uids are those of the revisions.
func (c *cluster) uids() map[string]types.UID {
	c.t.Helper()
	var list appsv1.ControllerRevisionList
	c.Expect(c.admin.List(c.t.Context(), &list, client.InNamespace("shop"))).To(Succeed())
	all := map[string]types.UID{}
	for _, revision := range list.Items {
		all[revision.Name] = revision.UID
	}
	return all
}

// ids are the servers that run.
func ids(account *localaws.Cloud) []string {
	var all []string
	for _, server := range account.Instances() {
		if server.State == "running" {
			all = append(all, server.ID)
		}
	}
	return all
}

// calls are those to AWS since then with one of these names.
func calls(account *localaws.Cloud, since uint64, actions ...string) []string {
	var all []string
	for _, entry := range account.LedgerSince(since) {
		if entry.Call != nil && slices.Contains(actions, entry.Call.Action) {
			all = append(all, entry.Call.Action)
		}
	}
	return all
}
