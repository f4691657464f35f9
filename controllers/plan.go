package controllers

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/plan"
	"slipway.dev/slipway/internal/rollout"
)

// reading is what a pass went by and what it left behind: what a plan begins with. It is never changed.
type reading struct {
	obs        *observation
	soft       rollout.Soft
	sent       []rollout.Action // carried out since
	generation int64
	lack       *int          // what production lacks, for the metrics
	every      time.Duration // the next pass comes then at the latest
}

// noteReading keeps what a pass went by, without what only that pass needed: the tags of all servers of the name.
func (r *ReleaseReconciler) noteReading(rel *v1alpha1.Release, obs *observation, decision rollout.Decision, outcomes []outcome) {
	own := *obs
	own.release, own.named = rel.DeepCopy(), nil // the pass goes on to write the status into its own
	own.release.ManagedFields = nil              // more than all else that is kept, and nobody reads them here
	every := r.leftAlone(rel, r.soft.restNow(r.soft.of(rel)))
	kept := &reading{obs: &own, soft: decision.Soft, generation: rel.Generation, lack: decision.Report.Lack, every: every}
	for _, o := range outcomes {
		if o.done() || o.underway {
			kept.sent = append(kept.sent, o.action)
		}
	}
	r.soft.noteReading(types.NamespacedName{Namespace: rel.Namespace, Name: rel.Name}, kept)
}

// Plan says which AWS calls the controller would make if the phase were to, a phase or plan.Deleted; empty for the next one of a deploy. It
// goes by the last pass's reading and by the Release as it is now, asks Decide what would come, and rehearses the calls. It changes
// nothing, in Kubernetes or in AWS, and reads no Secret for servers to be launched. At most it looks up the declared image.
//
// The errors are *plan.Refusal, and trouble with Kubernetes.
func (r *ReleaseReconciler) Plan(ctx context.Context, name types.NamespacedName, to string) (*plan.Plan, error) {
	rel := &v1alpha1.Release{}
	if err := r.APIReader.Get(ctx, name, rel); apierrors.IsNotFound(err) {
		return nil, plan.Refuse(http.StatusNotFound, "there is no Release %s", name)
	} else if err != nil {
		return nil, err
	}
	if whose, err := r.assigned(ctx, rel); err != nil {
		return nil, err
	} else if whose.err != nil {
		return nil, plan.Refuse(http.StatusConflict, "Release %s: %v; name that one's namespace with --manager-namespace", name, whose.err)
	}
	last := r.soft.reading(name)
	if last == nil || last.obs.release.UID != rel.UID {
		return nil, plan.Refuse(http.StatusServiceUnavailable, "this process has not finished a pass over Release %s yet: its status and events say why", name)
	}
	obs, err := r.recollect(rel, last)
	if err != nil {
		return nil, err
	}
	ctx = cloud.WithLane(ctx, cloud.LaneBackground)
	obs.askZones(ctx)
	obs.input.Now = r.Clock()
	p := planning{r: r, rel: rel, last: last, obs: obs, plan: &plan.Plan{
		Release: name.String(), Version: string(rel.Spec.Version), Phase: string(rel.Spec.Phase),
		Source: plan.Source{ReadAt: last.obs.input.Now, Age: plan.Duration(obs.input.Now.Sub(last.obs.input.Now)), Generation: last.generation,
			Declared: rel.Generation},
	}}
	if err := p.wish(to); err != nil {
		return nil, err
	}
	seen := rollout.Foresee(obs.input, last.sent)
	if seen.Unrecorded {
		if seen, err = p.record(ctx); err != nil {
			return nil, err
		}
	}
	p.describe(seen)
	p.assume(seen)
	return p.plan, p.rehearse(ctx, seen)
}

// recollect is the observation of the last pass under the spec of now. What the spec says of pools is part of the reading.
func (r *ReleaseReconciler) recollect(rel *v1alpha1.Release, last *reading) (*observation, error) {
	obs := *last.obs
	obs.release, obs.decoded, obs.revisions = rel, decodedRevisions{}, slices.Clone(obs.revisions)
	if !slices.EqualFunc(declaredPools(rel.Spec.LoadBalancers), declaredPools(last.obs.release.Spec.LoadBalancers), samePool) ||
		rel.Spec.ClassName != last.obs.release.Spec.ClassName {
		return nil, plan.Refuse(http.StatusConflict, "spec.loadBalancers or spec.className was edited after the last reading (of %s), and nobody has "+
			"looked at what it names now: ask again in a moment", obs.input.Now.UTC().Format(time.RFC3339))
	}
	read := obs.input.Spec
	obs.input.Spec = specOf(rel)
	obs.input.Spec.Refused, obs.input.Spec.Contested, obs.input.Spec.MaxServers = read.Refused, read.Contested, read.MaxServers
	obs.input.Soft = last.soft
	obs.recall()
	target, err := obs.matchTarget()
	obs.input.Spec.Target = target
	return &obs, err
}

// askZones asks what the first glance of a process leaves open: whether classic load balancers balance across zones.
func (o *observation) askZones(ctx context.Context) {
	if !o.atRest || !o.unseen || o.account == nil {
		return
	}
	o.input.World.Pools = slices.Clone(o.input.World.Pools)
	for i := range o.input.World.Pools {
		pool := &o.input.World.Pools[i]
		if pool.Kind != rollout.KindClassic || !pool.Readable() {
			continue
		}
		if asked, err := o.account.Balancer.Resolve(ctx, cloud.PoolRef{ID: pool.ID}, restResolveAge); err == nil {
			pool.ZonalOnly = asked.ZonalOnly
		}
	}
}

func samePool(a, b declaredPool) bool { return a.name == b.name && a.use == b.use && a.text == b.text }

// planning is a plan in the making.
type planning struct {
	r    *ReleaseReconciler
	rel  *v1alpha1.Release
	last *reading
	obs  *observation
	plan *plan.Plan
}

// wish puts the phase that is asked about into the input.
func (p *planning) wish(to string) error {
	spec := &p.obs.input.Spec
	now := rollout.Decide(p.obs.input).Report
	for _, phase := range now.Allowed {
		p.plan.Allowed = append(p.plan.Allowed, string(phase))
	}
	if to == "" {
		to = string(nextPhase(spec.Phase, now))
	}
	p.plan.To = to
	switch rollout.Phase(to) {
	case rollout.PhasePreview, rollout.PhaseLive, rollout.PhaseRolledBack, rollout.PhaseComplete:
		spec.Phase, spec.PhaseFor = rollout.Phase(to), spec.Version
	case plan.Deleted:
		spec.Deleting = true
		return nil
	default:
		return plan.Refuse(http.StatusBadRequest, "there is no phase %q: a Release can be Preview, Live, RolledBack or Complete, or be %s", to, plan.Deleted)
	}
	if len(now.Allowed) > 0 && !slices.Contains(now.Allowed, spec.Phase) {
		p.note("spec.phase cannot be set to %s now; to %v it can", to, now.Allowed)
	}
	if spec.Paused {
		spec.Paused = false
		p.note("spec.paused is set: until it is taken out, nothing of this happens but a rollback")
	}
	if after := spec.CompleteAfter; after > 0 && spec.Phase != rollout.PhaseComplete {
		spec.CompleteAfter = 0
		p.note("spec.retention.completeAfter is %s: after so long Live, Complete follows by itself", after)
	}
	return nil
}

// nextPhase is the next one of a deploy: the first that comes after what is reached, and is allowed.
func nextPhase(declared rollout.Phase, now rollout.Report) rollout.Phase {
	order := []rollout.Phase{rollout.PhasePreview, rollout.PhaseLive, rollout.PhaseComplete}
	reached := -1
	switch {
	case now.Live:
		reached = slices.Index(order, rollout.PhaseLive)
	case now.PreviewReady:
		reached = slices.Index(order, rollout.PhasePreview)
	}
	for _, phase := range order[reached+1:] {
		if slices.Contains(now.Allowed, phase) {
			return phase
		}
	}
	if declared == rollout.PhaseNone {
		return rollout.PhasePreview
	}
	return declared
}

// record looks up what the spec declares, as the next pass would, and goes on as if it were recorded.
func (p *planning) record(ctx context.Context) (rollout.Foresight, error) {
	found, err := p.r.resolveTarget(ctx, p.rel, p.obs)
	if err != nil {
		return rollout.Foresight{}, err
	}
	if found.problem.Some() {
		p.obs.input.Spec.Unresolved = found.problem
		return rollout.Foresee(p.obs.input, p.last.sent), nil
	}
	name, err := revisionName(p.rel.Name, found.data)
	if err != nil {
		return rollout.Foresight{}, err
	}
	if _, known := p.obs.record(name); !known {
		stored, err := p.r.newRecord(p.rel, p.obs, name, found.data)
		if err != nil {
			return rollout.Foresight{}, err
		}
		p.obs.revisions = append(p.obs.revisions, *stored)
		p.obs.recall()
	}
	p.obs.input.Spec.Target = name
	return rollout.Foresee(p.obs.input, p.last.sent), nil
}

// rehearse turns the actions of all steps into calls, by the way that they take when they are carried out.
func (p *planning) rehearse(ctx context.Context, seen rollout.Foresight) error {
	if len(seen.Steps) == 0 {
		return nil
	}
	if p.obs.account == nil || p.obs.account.Rehearse == nil {
		return plan.Refuse(http.StatusServiceUnavailable, "the account of the ReleaseClass could not be opened, so nobody knows how its calls look")
	}
	stage := p.obs.account.Rehearse()
	for _, step := range seen.Steps {
		said := plan.Step{Stage: string(step.Stage), NotBefore: plan.Duration(step.At), AfterWaiting: step.Before}
		for _, action := range step.Actions {
			calls, err := stage.Note(ctx, step.World.Servers, func(ctx context.Context, account *cloud.Account) error {
				return contained(ctx, func() error { return p.carryOut(ctx, account, action) })
			})
			if err != nil {
				p.note("%s (%s) would fail before anything is sent: %v", verb(action), action.Reason(), err)
			}
			for _, call := range calls {
				said.Calls = append(said.Calls, plan.Call{Service: call.Service, Operation: call.Operation, Parameters: call.Parameters,
					Reason: action.Reason()})
			}
		}
		p.plan.Steps = append(p.plan.Steps, said)
	}
	return nil
}

// carryOut is what act does with an action, on another account.
func (p *planning) carryOut(ctx context.Context, account *cloud.Account, action rollout.Action) error {
	obs := *p.obs
	obs.account = account
	launch, launches := action.(rollout.Launch)
	if !launches {
		return p.r.callOf(p.rel, &obs, action)(ctx)
	}
	request, err := p.r.bareRequest(p.rel, &obs, launch)
	if err != nil {
		return err
	}
	if data, _ := obs.record(launch.Revision); data.AsWritten.Template.UserData != nil {
		request.UserData = []byte(cloud.NotShown)
	}
	_, err = account.Compute.Launch(ctx, request)
	return err
}

func (p *planning) note(format string, args ...any) {
	p.plan.Unforeseen = append(p.plan.Unforeseen, fmt.Sprintf(format, args...))
}
