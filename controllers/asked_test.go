package controllers

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

func writes(manager, fields string, minute int) metav1.ManagedFieldsEntry {
	at := metav1.NewTime(testNow.Add(time.Duration(minute) * time.Minute))
	return metav1.ManagedFieldsEntry{Manager: manager, Time: &at, FieldsV1: metav1.NewFieldsV1(fields)}
}

func TestAskedBy(t *testing.T) {
	const phase, replicas = `{"f:spec":{"f:phase":{}}}`, `{"f:spec":{"f:replicas":{}}}`
	fields := []metav1.ManagedFieldsEntry{
		writes("argocd-controller", `{"f:spec":{"f:version":{},"f:template":{}}}`, 1),
		writes("kubectl-edit", phase, 3),
		writes("kubectl-create", phase, 2),
		writes("keda", replicas, 4),
		writes("broken", `{`, 5),
	}
	status := writes("status", phase, 6)
	status.Subresource = "status"
	fields = append(fields, status)
	alice := &v1alpha1.PhaseOverride{By: "alice"}
	until := func(minute int, revision string) *v1alpha1.PhaseOverride {
		return &v1alpha1.PhaseOverride{By: "alice", Revision: revision, ExpiresAt: metav1.NewTime(testNow.Add(time.Duration(minute) * time.Minute))}
	}
	for name, row := range map[string]struct {
		rule     v1alpha1.EffectiveReason
		fields   []metav1.ManagedFieldsEntry
		user     string
		override *v1alpha1.PhaseOverride
		want     v1alpha1.StatusName
	}{
		"who wrote the phase last":             {v1alpha1.EffectiveBySpec, fields, "", nil, "field manager kubectl-edit"},
		"who wrote the version, without phase": {v1alpha1.EffectiveByNoPhase, fields[:1], "", nil, "field manager argocd-controller"},
		"nothing is known":                     {v1alpha1.EffectiveBySpec, nil, "", nil, ""},
		"the user is written down":             {v1alpha1.EffectiveBySpec, fields, "bob@example.com", nil, "bob@example.com"},
		"an override is signed":                {v1alpha1.EffectiveByOverride, fields, "", alice, "alice"},
		"an override counts no more":           {v1alpha1.EffectiveBySpec, fields, "", alice, "field manager kubectl-edit"},
		"the user of a signed override":        {v1alpha1.EffectiveByOverride, fields, "bob@example.com", alice, "bob@example.com"},
		"an override is over":                  {v1alpha1.EffectiveBySpec, fields, "alice", until(4, "web-2"), "slipway"},
		"over, and nothing is known":           {v1alpha1.EffectiveBySpec, nil, "", until(4, "web-2"), "slipway"},
		"somebody asked since it is over":      {v1alpha1.EffectiveBySpec, fields, "bob", until(3, "web-2"), "bob"},
		"what is over was for another":         {v1alpha1.EffectiveBySpec, fields, "bob", until(4, "web-1"), "bob"},
		"an override is not over":              {v1alpha1.EffectiveByOverride, fields, "", until(60, "web-2"), "alice"},
		"a verdict":                            {v1alpha1.EffectiveByVerdict, fields, "bob@example.com", nil, "slipway"},
		"a time that is over":                  {v1alpha1.EffectiveByCompleteAfter, fields, "bob@example.com", nil, "slipway"},
	} {
		p := passOf(func(p *pass) {
			p.decision.Report.PhaseRule = rollout.PhaseRule(row.rule)
			p.rel.ManagedFields, p.rel.Spec.Override = row.fields, row.override
			p.obs.user, p.obs.input.Now = row.user, testNow.Add(10*time.Minute)
		})
		if got := p.askedBy(); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

// Who asked stays with what was asked for, whoever writes next.
func TestHistoryKeepsWhoAsked(t *testing.T) {
	by := func(user string, stage rollout.Stage) func(p *pass) {
		return func(p *pass) { p.decision.Report.Stage, p.obs.user = stage, user }
	}
	candidate := func(p *pass) *rollout.Revision {
		return &p.decision.Memory.Revisions[len(p.decision.Memory.Revisions)-1]
	}
	p := passOf(by("alice", rollout.StagePromoting))
	p = p.after(time.Minute, by("bob", rollout.StagePromoting))
	if by := p.status().LastTransition.AskedBy; by != "alice" {
		t.Errorf("the promotion was asked for by %q", by)
	}
	p = p.after(time.Minute, func(p *pass) {
		by("bob", rollout.StageLive)(p)
		candidate(p).LiveAt = p.obs.input.Now
	})
	p = p.after(time.Minute, func(p *pass) {
		by("carol", rollout.StageRolledBack)(p)
		p.decision.Report.Phase = rollout.PhaseRolledBack
	})
	p = p.after(time.Minute, by("dora", rollout.StageRolledBack))
	if entry := p.status().History[0]; entry.LiveBy != "alice" || entry.EndedBy != "carol" || entry.Verdict != v1alpha1.VerdictRolledBack {
		t.Errorf("history has %+v", entry)
	}

	p = p.after(time.Minute, func(p *pass) {
		by("erin", rollout.StageCompleting)(p)
		p.decision.Report.Phase = rollout.PhaseComplete
	})
	p = p.after(time.Minute, func(p *pass) {
		by("bob", rollout.StageCompleting)(p)
		candidate(p).Completed, candidate(p).StableSeq = true, 2
	})
	if entry := p.status().History[0]; entry.LiveBy != "alice" || entry.EndedBy != "erin" || entry.Verdict != v1alpha1.VerdictCompleted {
		t.Errorf("history has %+v", entry)
	}
}

// A verdict of Slipway's own is nobody's, also under an override.
func TestNobodyAskedForAVerdict(t *testing.T) {
	p := passOf(func(p *pass) { p.obs.user = "alice" })
	p = p.after(time.Minute, func(p *pass) {
		p.decision.Report.PhaseRule = rollout.RuleOverride
		p.decision.Memory.Revisions[1].Verdict = rollout.Verdict{Reason: rollout.ReasonPromotionFailed, At: p.obs.input.Now}
	})
	if entry := p.status().History[0]; entry.EndedBy != "slipway" {
		t.Errorf("history has %+v", entry)
	}
}

// Status was wiped: who asked last need not have asked for what was there before.
func TestHistoryGuessesNobody(t *testing.T) {
	p := passOf(func(p *pass) {
		p.decision.Report.Stage, p.obs.user = rollout.StageLive, "bob"
		p.decision.Memory.Revisions[1].LiveAt = testNow.Add(-time.Hour)
	})
	for _, entry := range p.status().History {
		if entry.LiveBy != "" || entry.EndedBy != "" {
			t.Errorf("history has %+v", entry)
		}
	}
}

var _ = Describe("Who asked", func() {
	forge := func(ctx context.Context, s *site) {
		before := s.fetch(ctx).DeepCopy()
		s.rel.Annotations = map[string]string{v1alpha1.AnnotationAskedBy: "ceo"}
		Expect(cached.Patch(ctx, s.rel, client.MergeFrom(before))).To(Succeed())
	}
	promoted := func(ctx context.Context, s *site) *v1alpha1.Release {
		s.until(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPreviewReady)
		s.edit(ctx, func(spec *v1alpha1.ReleaseSpec) { spec.Phase = v1alpha1.PhaseLive })
		forge(ctx, s)
		s.until(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonLive)
		return s.rel
	}

	It("is not what an annotation says that anybody can write", func(ctx SpecContext) {
		rel := promoted(ctx, newSite(ctx))
		Expect(string(rel.Status.LastTransition.AskedBy)).To(HavePrefix("field manager "))
		Expect(string(rel.Status.History[0].LiveBy)).To(HavePrefix("field manager "))
	})
	It("is nobody where an override ends, and not who wrote it", func(ctx SpecContext) {
		s := newSite(ctx)
		s.TrustAskedBy = true
		s.until(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPreviewReady)
		s.edit(ctx, func(spec *v1alpha1.ReleaseSpec) {
			spec.Phase, spec.Override = v1alpha1.PhaseLive, &v1alpha1.PhaseOverride{Revision: string(s.rel.Status.Candidate.Revision),
				Phase: v1alpha1.PhasePreview, By: "alice", ExpiresAt: metav1.NewTime(s.clock.Now().Add(time.Hour))}
		})
		forge(ctx, s)
		s.pass(ctx)
		Expect(s.fetch(ctx).Status.EffectivePhaseReason).To(Equal(v1alpha1.EffectiveByOverride))
		s.clock.Advance(2 * time.Hour)
		s.until(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonLive)
		Expect(s.rel.Status.History[0].LiveBy).To(Equal(slipway))
	})
	It("is what the annotation says where nobody else can write it", func(ctx SpecContext) {
		s := newSite(ctx)
		s.TrustAskedBy = true
		rel := promoted(ctx, s)
		Expect(rel.Status.LastTransition.AskedBy).To(Equal(v1alpha1.StatusName("ceo")))
		Expect(rel.Status.History[0].LiveBy).To(Equal(v1alpha1.StatusName("ceo")))
	})
})

// Who wrote what is kept with no reading: in a thousand Releases it is a tenth of all memory.
func TestAReadingIsKeptWithoutWhoWrote(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, rel)
	rel.ManagedFields = []metav1.ManagedFieldsEntry{writes("kubectl", "{}", 1)}
	h.noteReading(rel, &observation{}, rollout.Decision{}, nil)
	if kept := h.soft.reading(client.ObjectKeyFromObject(rel)).obs.release; len(kept.ManagedFields) > 0 || len(rel.ManagedFields) == 0 {
		t.Errorf("the reading has %d entries, and the pass's own Release %d", len(kept.ManagedFields), len(rel.ManagedFields))
	}
}
