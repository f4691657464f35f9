package api_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

var _ = Describe("Status", func() {
	It("is a subresource: a write of it changes nothing else, and a write of the rest does not change it", func(ctx context.Context) {
		obj := stored(ctx, minimalRelease)
		release := typed(obj)
		release.Spec.Replicas = 9
		release.Status.Stage = "Promoting"
		Expect(api.Status().Update(ctx, release)).To(Succeed())
		Expect(release.Spec.Replicas).To(Equal(int32(1)))
		Expect(release.Generation).To(Equal(int64(1)))

		release.Spec.Replicas = 2
		release.Status.Stage = "Live"
		Expect(api.Update(ctx, release)).To(Succeed())
		Expect(release.Status.Stage).To(Equal(v1alpha1.Stage("Promoting")))
		Expect(release.Generation).To(Equal(int64(2)))
	})

	It("takes as much as its limits allow, and gives it back", func(ctx context.Context) {
		release := typed(stored(ctx, minimalRelease))
		release.Status = largestStatus()
		Expect(api.Status().Update(ctx, release)).To(Succeed())
		Expect(api.Get(ctx, client.ObjectKeyFromObject(release), release)).To(Succeed())
		Expect(release.Status).To(Equal(largestStatus()))
	})

	It("is never refused for a spec that an older version took", func(ctx context.Context) {
		By("installing the Release of a version without any rule")
		crd := former(definition("slipway.dev_releases.yaml"))
		today := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.DeepCopy()
		crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"] = lax(today.Properties["spec"])
		Expect(api.Create(ctx, crd)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(api.Delete(ctx, crd)).To(Succeed()) })

		By("storing what today's rules refuse: by CEL, pattern, maximum and enum")
		obj := object(minimalRelease, set("image", "{id: web, ssmParameter: '!'}"), set("replicas", "0"), set("phase", "Promote"),
			set("health", "{timeout: 0s}"), set("adopt", "{}"), set("template.tags", manyTags(41)))
		obj.SetAPIVersion(crd.Spec.Group + "/v1alpha1")
		Eventually(ctx, func() error { return api.Create(ctx, obj) }).WithTimeout(time.Minute).Should(Succeed())

		By("installing the Release of today")
		before := crd.DeepCopy()
		crd.Spec.Versions[0].Schema.OpenAPIV3Schema = today
		Expect(api.Patch(ctx, crd, client.MergeFrom(before))).To(Succeed())
		another := object(minimalRelease, set("image", "{}"))
		another.SetAPIVersion(obj.GetAPIVersion())
		Eventually(ctx, func() error { return api.Create(ctx, another, client.DryRunAll) }).WithTimeout(time.Minute).
			Should(Satisfy(apierrors.IsInvalid))

		By("writing status")
		Expect(unstructured.SetNestedField(obj.Object, "Stalled", "status", "stage")).To(Succeed())
		Expect(api.Status().Update(ctx, obj)).To(Succeed())
		Expect(api.Get(ctx, client.ObjectKeyFromObject(obj), obj)).To(Succeed())
		stage, _, _ := unstructured.NestedString(obj.Object, "status", "stage")
		Expect(stage).To(Equal("Stalled"))
	})
})

// former is the definition under another group, so that the real one is left alone.
func former(crd *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.CustomResourceDefinition {
	crd.Spec.Group = "former.slipway.test"
	crd.Name = crd.Spec.Names.Plural + "." + crd.Spec.Group
	crd.Spec.Names.ShortNames, crd.Spec.Names.Categories = nil, nil
	return crd
}

// lax is a schema without any rule: types and names alone.
func lax(props apiextensionsv1.JSONSchemaProps) apiextensionsv1.JSONSchemaProps {
	out := apiextensionsv1.JSONSchemaProps{Type: props.Type}
	for name, property := range props.Properties {
		if out.Properties == nil {
			out.Properties = map[string]apiextensionsv1.JSONSchemaProps{}
		}
		out.Properties[name] = lax(property)
	}
	if props.Items != nil {
		item := lax(*props.Items.Schema)
		out.Items = &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &item}
	}
	if props.AdditionalProperties != nil {
		value := lax(*props.AdditionalProperties.Schema)
		out.AdditionalProperties = &apiextensionsv1.JSONSchemaPropsOrBool{Allows: true, Schema: &value}
	}
	return out
}

// largestStatus fills every list and text to its limit.
func largestStatus() v1alpha1.ReleaseStatus {
	at := metav1.NewTime(time.Date(2026, 11, 22, 18, 0, 0, 0, time.Local))
	precise := metav1.NewMicroTime(time.Date(2026, 11, 22, 18, 0, 0, 204_000_000, time.Local))
	words := strings.Repeat("é", v1alpha1.MaxTextLength)
	name := v1alpha1.StatusName(strings.Repeat("n", v1alpha1.MaxNameLength))
	servers := repeat(v1alpha1.MaxShownServers, func(i int) v1alpha1.StatusName { return v1alpha1.StatusName(fmt.Sprintf("i-%017x", i)) })
	fleet := v1alpha1.FleetStatus{
		Revision: name, Version: name, ImageID: name, Desired: 1000, Running: 1000, Healthy: 999, Note: words, ServerIDs: servers,
	}
	pool := func(i int) v1alpha1.PoolStatus {
		return v1alpha1.PoolStatus{
			Name: fmt.Sprintf("pool-%d", i), Kind: v1alpha1.PoolKindTargetGroup, Role: v1alpha1.PoolRoleProduction,
			Reference: string(name), State: v1alpha1.PoolClaimed, Registered: 2000, Healthy: 1990, Strangers: 3,
			LastRead: &at, Message: words,
			Fleets: repeat(v1alpha1.MaxShownFleets, func(int) v1alpha1.PoolFleetStatus {
				return v1alpha1.PoolFleetStatus{Revision: name, Version: name, Registered: 1, Healthy: 1, ServerIDs: servers, Draining: 1}
			}),
			Unhealthy: repeat(v1alpha1.MaxShownUnhealthy, func(int) v1alpha1.UnhealthyServer {
				return v1alpha1.UnhealthyServer{
					ServerID: name, Revision: name, State: name, Reason: strings.Repeat("r", v1alpha1.MaxReasonLength),
				}
			}),
		}
	}
	return v1alpha1.ReleaseStatus{
		ObservedGeneration: 1, Stage: v1alpha1.Stage(name), Message: words, EffectivePhase: v1alpha1.PhaseRolledBack,
		EffectivePhaseReason: v1alpha1.EffectiveByOverride, EffectivePhaseMessage: words, LiveVersion: string(name), Replicas: 1000,
		AllowedPhases: []v1alpha1.Phase{v1alpha1.PhasePreview, v1alpha1.PhaseLive, v1alpha1.PhaseRolledBack, v1alpha1.PhaseComplete},
		Conditions: []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, ObservedGeneration: 1,
			LastTransitionTime: at, Reason: v1alpha1.ReasonUnhealthy, Message: words,
		}},
		Stable: &fleet, Candidate: &fleet,
		Retired: repeat(v1alpha1.MaxShownFleets, func(int) v1alpha1.FleetStatus { return fleet }),
		Pools:   repeat(v1alpha1.MaxShownPools, pool),
		LastTransition: &v1alpha1.Transition{
			What: "Promotion", Revision: name, Started: &precise, Deadline: &at, Ended: &precise, Seconds: "3.204",
		},
		History: repeat(v1alpha1.MaxShownHistory, func(int) v1alpha1.HistoryEntry {
			return v1alpha1.HistoryEntry{
				Revision: name, Version: name, ImageID: name, Verdict: v1alpha1.VerdictAutoRolledBack, Message: words,
				Created: &at, PreviewReady: &at, Live: &at, Ended: &at,
			}
		}),
		Class: &v1alpha1.ClassStatus{Name: name, AccountID: name, Region: name},
	}
}

// repeat makes a list of n.
func repeat[T any](n int, item func(int) T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = item(i)
	}
	return out
}
