package api_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// masters may do everything.
const masters = "system:masters"

var _ = Describe("The optional policy on who asked", Ordered, func() {
	var obj *unstructured.Unstructured
	asked := func() string { return obj.GetAnnotations()[v1alpha1.AnnotationAskedBy] }
	annotate := func(key, value string) {
		annotations := obj.GetAnnotations()
		annotations[key] = value
		obj.SetAnnotations(annotations)
	}

	BeforeAll(func(ctx context.Context) {
		installsFile(ctx, "asked-by/policy.yaml", &admissionv1.MutatingAdmissionPolicy{})
		installsFile(ctx, "asked-by/binding.yaml", &admissionv1.MutatingAdmissionPolicyBinding{})
		Eventually(ctx, func(g Gomega, ctx context.Context) { // a policy counts some time after it was written, and knows the kind some time later
			obj = object(minimalRelease)
			g.Expect(as("alice", masters).Create(ctx, obj, client.DryRunAll)).To(Succeed())
			g.Expect(asked()).To(Equal("alice"))
		}).WithTimeout(time.Minute).Should(Succeed())
		obj = object(minimalRelease)
		Expect(as("alice", masters).Create(ctx, obj)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(api.Delete(ctx, obj)).To(Succeed()) })
	})

	It("writes down who changed the spec", func(ctx context.Context) {
		apply(obj, phase("Live"))
		Expect(as("bob", masters).Update(ctx, obj)).To(Succeed())
		Expect(asked()).To(Equal("bob"))
	})
	DescribeTable("writes down who changed", func(ctx context.Context, who string, change edit) {
		apply(obj, change)
		Expect(as(who, masters).Update(ctx, obj)).To(Succeed())
		Expect(asked()).To(Equal(who))
	},
		Entry("phaseFor", "erin", phaseFor("v7")),
		Entry("the version", "frank", newVersion),
		Entry("the image", "grace", all(newImage, text("version", "v3"))),
		Entry("the template", "heidi", all(newTemplate, text("version", "v4"))),
		Entry("the override", "ivan", override("RolledBack", "12")),
		Entry("the override to none", "judy", without("override")),
	)
	It("writes down who asked for a retry", func(ctx context.Context) {
		annotate(v1alpha1.AnnotationRetry, "1")
		Expect(as("carol", masters).Update(ctx, obj)).To(Succeed())
		Expect(asked()).To(Equal("carol"))
	})
	It("leaves it with whoever asked when something else is changed", func(ctx context.Context) {
		apply(obj, set("health.timeout", "20m"), set("replicas", "5"))
		Expect(as("bob", masters).Update(ctx, obj)).To(Succeed())
		Expect(asked()).To(Equal("carol"))
	})
	It("lets nobody else write there", func(ctx context.Context) {
		annotate(v1alpha1.AnnotationAskedBy, "alice")
		annotate("team", "shop")
		Expect(as("dora", masters).Update(ctx, obj)).To(Succeed())
		Expect(asked()).To(Equal("carol"))
		Expect(obj.GetAnnotations()).To(HaveKeyWithValue("team", "shop"))
		apply(obj, phase("Preview"))
		annotate(v1alpha1.AnnotationAskedBy, "alice")
		Expect(as("dora", masters).Update(ctx, obj)).To(Succeed())
		Expect(asked()).To(Equal("dora"))
	})
})
