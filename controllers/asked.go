package controllers

import (
	"encoding/json"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// slipway is who asked where no person did.
const slipway v1alpha1.StatusName = "slipway"

// user is who asked last, as the API server wrote it down; empty where it is not told to, and so anybody could have written that.
func (r *ReleaseReconciler) user(rel *v1alpha1.Release) string {
	if !r.TrustAskedBy {
		return ""
	}
	return rel.Annotations[v1alpha1.AnnotationAskedBy]
}

// askedBy is who asked for what the Release does now, as far as the API server tells: the user, where config/asked-by has the API
// server write them down; whoever signed the override; else the field manager that wrote the phase last. A verdict, a time that is
// over and the end of an override are nobody's wish.
func (p pass) askedBy() v1alpha1.StatusName {
	rule, override := v1alpha1.EffectiveReason(p.decision.Report.PhaseRule), p.rel.Spec.Override
	last := lastAsked(p.rel.ManagedFields)
	switch {
	case rule == v1alpha1.EffectiveByVerdict, rule == v1alpha1.EffectiveByCompleteAfter, p.overrideEnded(last.Time):
		return slipway
	case p.obs.user != "":
		return name(p.obs.user)
	case override != nil && override.By != "" && rule == v1alpha1.EffectiveByOverride:
		return name(override.By)
	case last.Manager != "":
		return name("field manager " + last.Manager)
	}
	return ""
}

// overrideEnded: an override of what is being deployed is over, and nobody asked for anything since. Who wrote it did not ask for what
// counts again, and who had asked for that before did not ask for it now.
func (p pass) overrideEnded(lastAsked *metav1.Time) bool {
	o := p.rel.Spec.Override
	return o != nil && o.Revision == p.newest() && !p.now.Before(o.ExpiresAt.Time) && (lastAsked == nil || lastAsked.Before(&o.ExpiresAt))
}

// liveBy is who asked for the promotion that made a revision Live; empty before that. Where status does not know the promotion any more, it is known in the
// pass that ended it alone: later somebody else may have asked for something else.
func (p pass) liveBy(r rollout.Revision) v1alpha1.StatusName {
	by, known := p.askedFor(transitionPromotion, r.Name)
	switch {
	case r.LiveAt.IsZero():
		return ""
	case !known && r.LiveAt.Equal(p.now):
		return p.askedBy()
	}
	return by
}

// endedBy is who asked for what the verdict on a revision says. Two verdicts are not asked for; Complete is carried out some time later,
// and the other ones at once.
func (p pass) endedBy(r rollout.Revision, verdict v1alpha1.Verdict) v1alpha1.StatusName {
	switch {
	case r.Verdict.Reason != "":
		return slipway
	case verdict == v1alpha1.VerdictCompleted:
		by, _ := p.askedFor(transitionCompletion, r.Name)
		return by
	}
	return p.askedBy()
}

// askedFor is who asked for the transition that goes on or came last, if it is this one.
func (p pass) askedFor(what, revision string) (by v1alpha1.StatusName, known bool) {
	last := p.transition()
	if last == nil || string(last.What) != what || string(last.Revision) != revision {
		return "", false
	}
	return last.AskedBy, true
}

// lastAsked is the last write of what decides the phase, or the revision that it is for; empty if none is known.
func lastAsked(fields []metav1.ManagedFieldsEntry) metav1.ManagedFieldsEntry {
	deciding := []string{"f:phase", "f:phaseFor", "f:override", "f:version", "f:image", "f:template"}
	var last metav1.ManagedFieldsEntry
	for _, entry := range fields {
		var owned struct {
			Spec map[string]any `json:"f:spec"`
		}
		if entry.Subresource != "" || entry.FieldsV1 == nil || json.Unmarshal(entry.FieldsV1.GetRawBytes(), &owned) != nil {
			continue
		}
		decides := slices.ContainsFunc(deciding, func(field string) bool { _, is := owned.Spec[field]; return is })
		if decides && !entry.Time.Before(last.Time) {
			last = entry
		}
	}
	return last
}
