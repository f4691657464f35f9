package api_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

var _ = Describe("What is stored", func() {
	DescribeTable("of image and template is what was sent", func(ctx context.Context, edits ...edit) {
		sent := object(minimalRelease, edits...)
		got := stored(ctx, minimalRelease, edits...)
		Expect(api.Get(ctx, client.ObjectKeyFromObject(got), got)).To(Succeed())
		for _, part := range []string{"image", "template", "version"} {
			Expect(spec(got)[part]).To(Equal(spec(sent)[part]), part)
		}
	},
		Entry("the least"),
		Entry("everything", set("template", fullTemplate)),
		Entry("what is empty", set("template.metadataOptions", "{}"), set("template.tags", "{}"),
			set("template.securityGroupIDs", "[]"), set("template.blockDeviceMappings", "[]")),
		Entry("a selector", set("image", "{selector: {owners: [self]}}")),
	)

	It("has the defaults of the manual, and no phase", func(ctx context.Context) {
		got := stored(ctx, minimalRelease)
		rest := spec(got)
		for _, part := range []string{"image", "template", "version", "loadBalancers"} {
			delete(rest, part)
		}
		Expect(rest).To(Equal(map[string]any{
			"replicas":             int64(1),
			"revisionHistoryLimit": int64(10),
			"deletionPolicy":       "Retain",
			"promotion":            map[string]any{"autoRollback": false, "minHealthyPercent": int64(100)},
			"health": map[string]any{
				"consecutive": int64(2), "minReadySeconds": int64(0),
				"timeout": "10m0s", "launchTimeout": "15m0s", "rollbackTimeout": "1m0s", // as Go writes them: see below
			},
		}))
	})

	It("of a policy that is given in part has the other defaults", func(ctx context.Context) {
		got := stored(ctx, minimalRelease, set("health", "{consecutive: 5}"), set("promotion", "{autoRollback: true}"))
		release := typed(got)
		Expect(release.Spec.Health.Consecutive).To(Equal(int32(5)))
		Expect(release.Spec.Health.Timeout.Duration).To(Equal(10 * time.Minute))
		Expect(release.Spec.Promotion).To(Equal(v1alpha1.PromotionPolicy{AutoRollback: true, MinHealthyPercent: 100}))
	})

	It("of an update in Go types that changes nothing is as it was, and so is the generation", func(ctx context.Context) {
		got := stored(ctx, minimalRelease)
		release := typed(got)
		Expect(api.Update(ctx, release)).To(Succeed())
		Expect(release.Generation).To(Equal(got.GetGeneration()), "%v became %v", spec(got), release.Spec)
		Expect(release.ResourceVersion).To(Equal(got.GetResourceVersion()))
	})

	It("survives the Go types: nothing is lost and nothing is added", func(ctx context.Context) {
		got := stored(ctx, minimalRelease, set("template", fullTemplate), set("phase", "Live"), set("phaseFor", "v1"),
			set("adopt", "{formerOwner: "+uid+"}"), set("retention", "{completeAfter: 24h}"),
			set("override", "{revision: web-1, phase: RolledBack, expiresAt: '2026-11-22T18:00:00Z'}"))
		want := got.DeepCopy()
		// Durations that somebody wrote are written anew: 24h becomes 24h0m0s.
		for _, name := range []string{"timeout", "launchTimeout", "rollbackTimeout"} {
			text("health."+name, "60s")(spec(got))
			text("health."+name, "1m0s")(spec(want))
		}
		text("retention.completeAfter", "24h0m0s")(spec(want))
		back, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed(got))
		Expect(err).NotTo(HaveOccurred())
		wantSpec := spec(want)
		// A zero that is also the default is left out; the API server puts it back.
		delete(wantSpec["promotion"].(map[string]any), "autoRollback")
		delete(wantSpec["health"].(map[string]any), "minReadySeconds")
		Expect(back["spec"]).To(Equal(any(wantSpec)))
	})
})

// typed is a stored Release in Go types.
func typed(obj interface{ UnstructuredContent() map[string]any }) *v1alpha1.Release {
	GinkgoHelper()
	release := &v1alpha1.Release{}
	Expect(runtime.DefaultUnstructuredConverter.FromUnstructured(obj.UnstructuredContent(), release)).To(Succeed())
	return release
}

// spec is the spec of an object, not a copy.
func spec(obj interface{ UnstructuredContent() map[string]any }) map[string]any {
	return obj.UnstructuredContent()["spec"].(map[string]any)
}
