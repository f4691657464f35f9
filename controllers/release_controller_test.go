package controllers

import (
	"errors"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

var _ = Describe("A pass", func() {
	It("holds the Release and writes the token down before EC2 is asked for servers", func(ctx SpecContext) {
		s := newSite(ctx)
		var launches, held, written int
		DeferCleanup(s.aws.Hook(func(phase localaws.Phase, call localaws.Call, _ localaws.World) {
			if phase != localaws.BeforeCall || call.Action != "RunInstances" {
				return
			}
			launches++
			rel, revisions := &v1alpha1.Release{}, &appsv1.ControllerRevisionList{}
			if errors.Join(s.APIReader.Get(ctx, client.ObjectKeyFromObject(s.rel), rel),
				s.APIReader.List(ctx, revisions, client.InNamespace(s.rel.Namespace))) != nil {
				return
			}
			if controllerutil.ContainsFinalizer(rel, v1alpha1.FinalizerRelease) {
				held++
			}
			for _, stored := range revisions.Items {
				written += strings.Count(stored.Annotations[annotationMemory], call.Params.Get("ClientToken"))
			}
		}))
		s.until(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPreviewReady)
		Expect(launches).To(Equal(2), "one launch a subnet")
		Expect(held).To(Equal(launches), "launches that found the finalizer in place")
		Expect(written).To(Equal(launches), "launches whose token was in etcd")
	})

	It("leaves the spec alone, and once converged writes nothing and calls nothing", func(ctx SpecContext) {
		s := newSite(ctx)
		s.until(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPreviewReady)
		Expect(s.rel.Generation).To(Equal(int64(1)), "nobody but people write the spec")
		for range 10 { // what goes on behind the first Ready ends in these
			s.clock.Advance(max(s.pass(ctx).RequeueAfter, time.Second))
		}
		s.said.take()
		status, other, calls := s.statusWrites.Load(), s.otherWrites.Load(), len(s.calls(""))
		for range 10 {
			s.clock.Advance(s.pass(ctx).RequeueAfter)
		}
		Expect(s.statusWrites.Load()).To(Equal(status), "status writes")
		Expect(s.otherWrites.Load()).To(Equal(other), "other writes to the API server")
		Expect(s.calls("")).To(HaveLen(calls), "calls that change something in AWS")
		Expect(s.said.take()).To(BeEmpty(), "events")
	})

	It("says at once of a new spec that it is not there yet", func(ctx SpecContext) {
		s := newSite(ctx)
		s.until(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPreviewReady)
		s.edit(ctx, func(spec *v1alpha1.ReleaseSpec) {
			spec.Version, spec.Image.ID = "v2", v1alpha1.ImageID(s.world.V2)
		})
		s.pass(ctx)
		Expect(s.fetch(ctx).Status.ObservedGeneration).To(Equal(s.rel.Generation))
		Expect(s.rel.Status.Conditions).To(ContainElements(
			SatisfyAll(HaveField("Type", "Ready"), HaveField("Status", metav1.ConditionFalse), HaveField("ObservedGeneration", s.rel.Generation)),
			SatisfyAll(HaveField("Type", "Reconciling"), HaveField("Status", metav1.ConditionTrue), HaveField("ObservedGeneration", s.rel.Generation))))
	})

	It("describes the first deploy from launch to Live", func(ctx SpecContext) {
		s := newSite(ctx)
		s.pass(ctx)
		Expect(s.said.take()).To(ConsistOf(HavePrefix("Normal Launched Launch: "), HavePrefix("Normal Launched Launch: ")))
		s.until(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPreviewReady)
		Expect(s.said.take()).To(ContainElements(HavePrefix("Normal Registered Register: "), HavePrefix("Normal Ready Observe: PreviewReady: ")))
		Expect(s.rel.Status.LastTransition).To(And(
			HaveField("What", BeEquivalentTo("Launch")), HaveField("Ended", Not(BeNil())), HaveField("Seconds", Not(BeEmpty()))))

		s.edit(ctx, func(spec *v1alpha1.ReleaseSpec) { spec.Phase = v1alpha1.PhaseLive })
		s.until(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonLive)
		status := s.rel.Status
		Expect(status.LiveVersion).To(Equal("v1"))
		Expect(status.Replicas).To(Equal(int32(2)))
		Expect(status.Candidate).To(And(HaveField("Version", BeEquivalentTo("v1")), HaveField("Healthy", int32(2)), HaveField("ServerIDs", HaveLen(2))))
		Expect(status.Pools).To(ContainElement(And(HaveField("Name", "edge"), HaveField("Registered", int32(2)), HaveField("Healthy", int32(2)),
			HaveField("Reference", "prod-"+s.rel.Namespace), HaveField("State", v1alpha1.PoolClaimed))))
		Expect(status.LastTransition).To(And(HaveField("What", BeEquivalentTo("Promotion")), HaveField("Ended", Not(BeNil()))))
		Expect(status.History).To(ConsistOf(And(
			HaveField("Version", BeEquivalentTo("v1")), HaveField("PreviewReady", Not(BeNil())), HaveField("Live", Not(BeNil())))))
		Expect(status.Class).To(HaveField("Region", BeEquivalentTo("us-east-1")))
	})

	It("is made again in silence when somebody else wrote meanwhile, and then says what it did", func(ctx SpecContext) {
		s := newSite(ctx)
		releases := v1alpha1.GroupVersion.WithResource("releases").GroupResource()
		s.refuseStatus = apierrors.NewConflict(releases, "web", errors.New("the object has been modified"))
		result := s.pass(ctx)
		Expect(result.RequeueAfter).To(BeNumerically(">", 0))
		Expect(s.said.take()).To(BeEmpty(), "events of a pass whose status was not written")
		Expect(s.calls("RunInstances")).To(HaveLen(2))
		s.clock.Advance(result.RequeueAfter)
		s.pass(ctx)
		Expect(s.said.take()).To(ContainElement(HavePrefix("Normal Launched Launch: ")))
		Expect(s.fetch(ctx).Status.Conditions).NotTo(BeEmpty())
	})

	It("returns what else goes wrong with the API server", func(ctx SpecContext) {
		s := newSite(ctx)
		s.refuseStatus = apierrors.NewInternalError(errors.New("etcd is away"))
		_, err := s.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(s.rel)})
		Expect(err).To(MatchError(ContainSubstring("etcd is away")))
		Expect(s.said.take()).To(BeEmpty())
	})

	It("tells of a refusal in condition, message and event, and heals once the cause is mended", func(ctx SpecContext) {
		s := newSite(ctx)
		allow := s.aws.Deny("elasticloadbalancing:RegisterInstancesWithLoadBalancer")
		s.until(ctx, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonAccessDenied)
		Expect(s.rel.Status.Message).To(ContainSubstring("AccessDenied"))
		Expect(s.rel.Status.Conditions).To(ContainElement(And(HaveField("Type", v1alpha1.ConditionReconciling), HaveField("Status", metav1.ConditionFalse))))
		for range 20 {
			s.clock.Advance(s.pass(ctx).RequeueAfter)
		}
		var failures []string
		for _, line := range s.said.take() {
			if strings.HasPrefix(line, "Warning RegisterFailed Register: ") {
				failures = append(failures, line)
			}
		}
		slices.Sort(failures)
		Expect(failures).To(HaveLen(len(slices.Compact(slices.Clone(failures)))), "nothing is said twice")
		Expect(len(failures)).To(BeNumerically("~", 1.5, 0.5), "once for each list of servers: they come to run one by one, or at once")
		allow()
		s.until(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPreviewReady)
	})
})

var _ = Describe("A Release that is deleted", func() {
	It("keeps its servers with Retain, lists them, and goes", func(ctx SpecContext) {
		s := newSite(ctx)
		s.edit(ctx, func(spec *v1alpha1.ReleaseSpec) { spec.Phase = v1alpha1.PhaseLive })
		s.until(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonLive)
		s.said.take()
		calls := len(s.calls(""))
		Expect(cached.Delete(ctx, s.rel)).To(Succeed())
		s.pass(ctx)
		Expect(apierrors.IsNotFound(s.APIReader.Get(ctx, client.ObjectKeyFromObject(s.rel), &v1alpha1.Release{}))).To(BeTrue(), "the Release is gone")
		Expect(s.calls("")).To(HaveLen(calls), "calls that change something in AWS")
		said := strings.Join(s.said.take(), "\n")
		for _, server := range s.aws.Instances() {
			Expect(server.Alive).To(BeTrue())
			Expect(said).To(ContainSubstring(server.ID))
		}
		Expect(said).To(And(ContainSubstring("Normal Retained Retain: "), ContainSubstring("prod-"+s.rel.Namespace)))
		Expect(s.soft.releases).To(BeEmpty(), "what is remembered of a Release that is gone")
		Expect(s.pass(ctx)).To(BeZero(), "a pass over nothing")
	})

	It("loses its servers with Terminate before it goes", func(ctx SpecContext) {
		s := newSite(ctx)
		s.edit(ctx, func(spec *v1alpha1.ReleaseSpec) {
			spec.Phase, spec.DeletionPolicy = v1alpha1.PhaseLive, v1alpha1.DeletionTerminate
		})
		s.until(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonLive)
		Expect(cached.Delete(ctx, s.rel)).To(Succeed())
		for range 200 {
			result := s.pass(ctx)
			if apierrors.IsNotFound(s.APIReader.Get(ctx, client.ObjectKeyFromObject(s.rel), &v1alpha1.Release{})) {
				break
			}
			s.clock.Advance(result.RequeueAfter)
		}
		Expect(apierrors.IsNotFound(s.APIReader.Get(ctx, client.ObjectKeyFromObject(s.rel), &v1alpha1.Release{}))).To(BeTrue(), "the Release is gone")
		for _, server := range s.aws.Instances() {
			Expect(server.Alive).To(BeFalse(), server.ID)
		}
	})

	It("is nobody's business any more once our finalizer is off", func(ctx SpecContext) {
		s := newSite(ctx)
		before := s.fetch(ctx).DeepCopy()
		controllerutil.AddFinalizer(s.rel, "example.com/other")
		Expect(cached.Patch(ctx, s.rel, client.MergeFrom(before))).To(Succeed())
		Expect(cached.Delete(ctx, s.rel)).To(Succeed())
		Expect(s.pass(ctx)).To(BeZero())
		Expect(s.statusWrites.Load() + s.otherWrites.Load()).To(BeZero())
		for _, entry := range s.aws.Ledger() {
			Expect(entry.Call == nil || entry.Call.Service != "ec2").To(BeTrue(), "%s", entry)
		}
	})
})

var _ = DescribeTable("Passes are asked for by", func(change func(*v1alpha1.Release), want bool) {
	before := testRelease()
	before.Generation, before.Status.Conditions = 1, []metav1.Condition{{Type: v1alpha1.ConditionReady}}
	after := before.DeepCopy()
	change(after)
	Expect(worthALook.Update(ctrlevent.UpdateEvent{ObjectOld: before, ObjectNew: after})).To(Equal(want))
},
	Entry("a new spec", func(r *v1alpha1.Release) { r.Generation++ }, true),
	Entry("slipway.dev/retry", func(r *v1alpha1.Release) { r.Annotations = map[string]string{v1alpha1.AnnotationRetry: "1"} }, true),
	Entry("a status that was wiped", func(r *v1alpha1.Release) { r.Status = v1alpha1.ReleaseStatus{} }, true),
	Entry("our own status, not", func(r *v1alpha1.Release) { r.Status.Message = "new" }, false),
	Entry("our own finalizer, not", func(r *v1alpha1.Release) { r.Finalizers = []string{v1alpha1.FinalizerRelease} }, false),
	Entry("labels, not", func(r *v1alpha1.Release) { r.Labels = map[string]string{"a": "b"} }, false),
)
