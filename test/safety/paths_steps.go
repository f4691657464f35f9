package safety

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

func (t *trip) step(step pathStep) error {
	switch step.Do {
	case "edit":
		return t.edit(step)
	case "pass":
		return t.pass(step)
	case "settle":
		t.w.Pass(10 * time.Minute)
		return nil
	case "wait":
		t.w.Let(time.Duration(step.Seconds) * time.Second)
		return nil
	}
	return t.happen(step)
}

// edit is a person's. The model has a path cross it at one moment, and so has the trip.
func (t *trip) edit(step pathStep) error {
	if err := t.align(step.Before); err != nil {
		return err
	}
	name := releaseName(step.Release)
	if step.Spec.Deleted {
		t.w.Delete(name)
		return nil
	}
	var wrong error
	err := t.w.TryEdit(name, func(rel *v1alpha1.Release) { wrong = t.declare(rel, *step.Spec) })
	if err != nil {
		return unlike{"the API server refuses the edit: " + err.Error()}
	}
	return wrong
}

// align lets the world catch up with the model where it is a pass behind.
func (t *trip) align(want []pathEnd) error {
	diff := ""
	for range 6 {
		if diff = differ(want, t.now(), false); diff == "" {
			return nil
		}
		for r := range want {
			if !t.w.Gone(releaseName(r)) {
				t.w.Look(releaseName(r))
			}
		}
		t.w.Let(300 * time.Millisecond)
	}
	return unlike{"the worlds went apart on the way: " + diff}
}

// verbs are the AWS operations behind the calls of the core.
var verbs = map[string]string{
	"Launch": "RunInstances", "Register": "RegisterInstancesWithLoadBalancer", "Deregister": "DeregisterInstancesFromLoadBalancer",
	"Tag": "CreateTags", "Terminate": "TerminateInstances",
}

// fates are what becomes of a call, but for done.
var fates = map[string]localaws.Fault{
	notDone:    {Before: &localaws.APIFault{Status: 503, Code: "ServiceUnavailable", Message: "no"}},
	"rejected": {Before: &localaws.APIFault{Status: 400, Code: "InvalidParameterValue", Message: "no"}},
	"lost":     {LoseReply: true},
}

// pass is a pass of the controller, in which what the path says goes wrong.
func (t *trip) pass(step pathStep) error {
	if t.w.Gone(releaseName(step.Release)) {
		return unlike{"the Release is gone already"}
	}
	t.w.Let(t.stale)
	t.stale = 0
	end, err := t.goWrong(step)
	if err != nil {
		return err
	}
	defer end()
	if step.Crash {
		t.crash(step)
		return nil
	}
	t.w.Look(releaseName(step.Release))
	return nil
}

// goWrong makes the calls of a pass go wrong, until end is called.
func (t *trip) goWrong(step pathStep) (end func(), err error) {
	calls := step.Calls
	if step.Crash && calls == nil {
		calls = map[string]string{"Launch": notDone, "Register *": notDone, "Deregister *": notDone, "Tag": notDone, "Terminate": notDone}
	}
	var faults []*localaws.FaultHandle
	end = func() {
		for _, fault := range faults {
			fault.Remove()
		}
	}
	for call, fate := range calls {
		verb, pool, _ := strings.Cut(call, " ")
		fault, wrong := fates[fate]
		if fate == "mixed" {
			end()
			return nil, unlike{"of two launches in one pass one fails"}
		}
		if !wrong {
			continue
		}
		if fault.Action = verbs[verb]; pool != "*" {
			fault.Resource = balancers[pool]
		}
		faults = append(faults, t.w.AWS.Inject(fault))
		t.stale = 3 * time.Second // the controller waits before it tries again
	}
	return end, nil
}

// notDone is the fate of a call that AWS does not carry out.
const notDone = "refused"

// crash makes a pass that the process does not survive.
func (t *trip) crash(step pathStep) {
	doomed := &doomed{Client: t.w.Reconciler.Client, left: step.Writes, called: step.Writes < 0}
	remove := func() {}
	if doomed.called {
		doomed.left = 1 << 30
		remove = t.w.AWS.Hook(func(phase localaws.Phase, call localaws.Call, _ localaws.World) {
			if phase == localaws.BeforeCall && call.Mutates {
				doomed.left = 0
			}
		})
	}
	t.w.Reconciler.Client = doomed
	t.w.Look(releaseName(step.Release))
	remove()
	t.w.Restart()
	t.w.Let(time.Second)
}

var errDoomed = errors.New("the process was killed")

// doomed is the client of a process that dies after so many writes of memory.
type doomed struct {
	client.Client
	left   int
	called bool
}

func (d *doomed) writes(object client.Object) error {
	stored, is := object.(*appsv1.ControllerRevision)
	if d.left <= 0 {
		return errDoomed
	}
	if is {
		var before appsv1.ControllerRevision
		_ = d.Get(context.Background(), client.ObjectKeyFromObject(stored), &before)
		if before.Name == "" || before.Annotations["slipway.dev/memory"] != stored.Annotations["slipway.dev/memory"] {
			d.left--
		}
	}
	return nil
}

// Create implements client.Client.
func (d *doomed) Create(ctx context.Context, object client.Object, opts ...client.CreateOption) error {
	if err := d.writes(object); err != nil {
		return err
	}
	return d.Client.Create(ctx, object, opts...)
}

// Update implements client.Client.
func (d *doomed) Update(ctx context.Context, object client.Object, opts ...client.UpdateOption) error {
	if err := d.writes(object); err != nil {
		return err
	}
	return d.Client.Update(ctx, object, opts...)
}

// happen is what AWS does, or what is done to it. Where a person's call is refused the world went another way before.
func (t *trip) happen(step pathStep) error {
	id, err := t.server(step.Server)
	if err != nil {
		return err
	}
	t.stale = max(t.stale, 1100*time.Millisecond) // readings of EC2 are shared for a second
	do, known := happenings[step.Do]
	switch {
	case strings.HasPrefix(step.Do, "%s passes its first"):
		return t.until(func() bool { return t.member(id, balancers[step.Pool]) == healthy })
	case step.Do == "%s is drained":
		return t.until(func() bool { return t.member(id, balancers[step.Pool]) == "" })
	case !known:
		return unlike{"nobody knows how"}
	}
	if err := do(t, id); err != nil {
		return unlike{err.Error()}
	}
	return nil
}

const healthy = "healthy"

// happenings are those that are about a server alone, by the model's words.
var happenings = map[string]func(t *trip, id string) error{
	"%s runs": func(t *trip, id string) error { return t.comesTo(id, "running") },
	"%s dies": func(t *trip, id string) error { return t.w.AWS.Kill(id) },
	"%s gets sick": func(t *trip, id string) error {
		return errors.Join(t.w.AWS.SetAppStatus(id, 500), t.until(func() bool { return t.memberships(id)[healthy] == 0 }))
	},
	"%s is healthy again": func(t *trip, id string) error {
		return errors.Join(t.w.AWS.SetAppStatus(id, 200), t.until(func() bool {
			in := t.memberships(id)
			return in["unhealthy"]+in["registered"] == 0
		}))
	},
	"%s stops": func(t *trip, id string) error {
		_, err := t.w.Person().EC2.StopInstances(t.w.Context(), &ec2.StopInstancesInput{InstanceIds: []string{id}})
		return errors.Join(err, t.comesTo(id, "stopped"))
	},
	"%s is started": func(t *trip, id string) error {
		_, err := t.w.Person().EC2.StartInstances(t.w.Context(), &ec2.StartInstancesInput{InstanceIds: []string{id}})
		return errors.Join(err, t.comesTo(id, "running"))
	},
	"%s is held by a person": func(t *trip, id string) error {
		t.w.Hold(id)
		return nil
	},
	"%s is let go by the person who held it": func(t *trip, id string) error {
		_, err := t.w.Person().EC2.DeleteTags(t.w.Context(), &ec2.DeleteTagsInput{
			Resources: []string{id}, Tags: []ec2types.Tag{{Key: aws.String(cloud.TagHold)}},
		})
		return err
	},
}

func (t *trip) comesTo(id, state string) error {
	return t.until(func() bool {
		s, _ := t.w.AWS.Instance(id)
		return s.State == state
	})
}

// until waits for what AWS owes.
func (t *trip) until(holds func() bool) error {
	for range 60 {
		if holds() {
			return nil
		}
		t.w.Let(time.Second)
	}
	return unlike{"it does not come to it"}
}
