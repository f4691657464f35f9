package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/laws"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/playground"
	"slipway.dev/slipway/internal/swap"
)

const (
	// Rate is how many requests each production load balancer gets in a second.
	Rate = 200
	// stepTimeout is what a step may take. The longest, Complete, takes about 35 s: a fleet is terminated when it was in no
	// pool for 30 s.
	stepTimeout = 2 * time.Minute
	// lookAround is how long things stay as they are after each step, so that the traffic shows that they do.
	lookAround = time.Second
)

// errBroken stops the demo at a step in which a law was broken. Which one it was, the report says, once.
var errBroken = errors.New("a law was broken")

// demo is one run.
type demo struct {
	*narrator
	world *playground.World
	kube  client.Client

	traffic *traffic // from the moment that version 1 is Live
	told    int      // how many answers the timeline has told of
	times   timetable
	exits   exits
	laws    *laws.Watch // on the manager's calls
	report  *Report
}

// Run plays the script on a world in which nothing was deployed yet, and tells the timeline to out. The report says what
// was held and what was not, once it is finished (Report.Finish); an error is for what kept the demo from running at all,
// such as the end of the context.
func Run(ctx context.Context, world *playground.World, out io.Writer) (*Report, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), appsv1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	kube, err := client.New(world.Plane.Config(), client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d := &demo{narrator: &narrator{began: time.Now(), out: out}, world: world, kube: kube, report: newReport()}
	go func() {
		select {
		case <-world.ManagerEnded():
			cancel(world.ManagerError())
		case <-ctx.Done():
		}
	}()
	defer world.AWS.Hook(d.exits.watch)()
	d.laws = laws.New(laws.Options{
		AWS: world.AWS, Kube: kube, Now: time.Now, Judged: func(who localaws.Caller) bool { return who.AccessKey == playground.ManagerKey },
	})
	defer d.laws.Stop()
	following, endFollowing := context.WithCancel(ctx)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		world.Follow(following, d.write)
	}()

	err = d.play(ctx)
	endFollowing()
	<-followed
	if d.traffic != nil {
		answers, sent := d.traffic.stop()
		d.report.judge(answers, sent, d.times)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	d.report.ended(err, d.laws.Broken())
	d.report.close(d.began, d.world.AWS.Ledger())
	return d.report, nil
}

// play goes through the steps. It stops at one that did not get where it should: what follows builds on it.
func (d *demo) play(ctx context.Context) error {
	for _, s := range d.script() {
		if err := d.step(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
	}
	return checkEnd(d.world.AWS.Instances())
}

// step asks for something, waits until it is so, and checks that it is.
func (d *demo) step(ctx context.Context, s step) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stepTimeout, fmt.Errorf("not after %s", stepTimeout))
	defer cancel()
	d.headline(s.title)
	mark := d.world.AWS.LastSeq()
	if s.kind != other {
		d.times.from(time.Now(), v1, v2)
	}
	d.say(byYou, "%s", s.command)
	edited, err := s.edit(ctx)
	if err != nil {
		return err
	}
	if err := d.untilReady(ctx, s); err != nil {
		return err
	}
	if s.kind != other {
		d.times.from(d.exits.last(), s.production)
	}
	if err := d.probe(ctx, s); err != nil {
		return err
	}
	if d.traffic == nil && s.production != "" {
		d.startTraffic(s.production)
	}
	if err := pause(ctx, max(lookAround, s.looks)); err != nil {
		return err
	}
	d.tellTraffic()
	if len(d.laws.Broken()) > 0 {
		return errBroken
	}
	return d.count(s, d.world.AWS.LedgerSince(mark), edited)
}

// startTraffic begins the requests to the production load balancers, which a version serves from now on.
func (d *demo) startTraffic(version string) {
	listeners := d.listeners()
	delete(listeners, playground.TestClassic)
	d.times.from(time.Now(), version)
	d.traffic = startTraffic(listeners, Rate)
	d.say(byTraffic, "from now on %d requests a second to each of %s and %s", Rate, playground.ProductionClassic, playground.ProductionALB)
}

// listeners are the URLs of the three load balancers, by name.
func (d *demo) listeners() map[string]string {
	all := d.world.AWS.Endpoints()
	maps.DeleteFunc(all, func(name, _ string) bool { return strings.Contains(name, ":") })
	return all
}

// tellTraffic says who answered since the last time.
func (d *demo) tellTraffic() {
	if d.traffic == nil {
		return
	}
	var answers []answer
	answers, d.told = d.traffic.since(d.told)
	d.say(byTraffic, "answers since then: %s", tallyOf(answers))
}

// untilReady waits until the Release is Ready for the step's reason, and tells of each stage on the way.
func (d *demo) untilReady(ctx context.Context, s step) error {
	rel, stage := &v1alpha1.Release{}, v1alpha1.Stage("")
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if err := d.kube.Get(ctx, release, rel); err != nil {
			return false, err
		}
		if rel.Status.ObservedGeneration != rel.Generation {
			return false, nil
		}
		if rel.Status.Stage != stage {
			stage = rel.Status.Stage
			d.say(bySlipway, "stage %s. %s", stage, rel.Status.Message)
		}
		ready := meta.FindStatusCondition(rel.Status.Conditions, v1alpha1.ConditionReady)
		return ready != nil && ready.Status == metav1.ConditionTrue && ready.Reason == s.ready, nil
	})
	if ctx.Err() != nil {
		return fmt.Errorf("waiting for Ready, %s: %w; the Release says %s: %s", s.ready, context.Cause(ctx), rel.Status.Stage, rel.Status.Message)
	}
	if err != nil {
		return err
	}
	d.report.Settings["servers_per_version"] = rel.Spec.Replicas
	d.report.Settings["health_consecutive"] = rel.Spec.Health.Consecutive
	d.say(bySlipway, "Ready, %s: %s", s.ready, rel.Status.Message)
	return nil
}

// byManager are the manager's calls, about the pools that serve users.
var byManager = swap.View{Caller: playground.ManagerKey, Production: func(pool string) bool {
	return pool == playground.ProductionClassic || pool == playground.ProductionGroup
}}

// count holds the step's calls against what they should be and, where production changed, how long that took.
func (d *demo) count(s step, entries []localaws.Entry, edited time.Time) error {
	made := byManager.Mutations(entries)
	d.say(byDemo, "calls that changed something in AWS: %s", tally(made))
	if wrong := s.wrongCalls(made); wrong != "" {
		d.report.problem("%s: %s", s.title, wrong)
	}
	if s.kind == other {
		return nil
	}
	w, err := byManager.Measure(entries, edited)
	if err != nil {
		return err
	}
	d.report.add(s, w, made)
	d.say(byDemo, "%.2f s from the edit to the last Deregister's effect; %.2f s of it were AWS's own, from the first Register to the last healthy server",
		w.Took.Seconds(), w.Bound.Seconds())
	return nil
}

// checkEnd looks at what is left: version 2 alone, with all of its servers, known as the stable fleet.
func checkEnd(all []localaws.InstanceInfo) error {
	var wrong []error
	running := 0
	for _, server := range all {
		if server.Version != v2 {
			if server.State != "terminated" {
				wrong = append(wrong, fmt.Errorf("server %s of version %s is %s, not terminated", server.ID, server.Version, server.State))
			}
			continue
		}
		if !server.Alive {
			continue
		}
		running++
		if role := server.Tags["slipway.dev/role"]; role != "stable" {
			wrong = append(wrong, fmt.Errorf("server %s of version 2 has the role %q, not stable", server.ID, role))
		}
	}
	if running != servers {
		wrong = append(wrong, fmt.Errorf("%d servers of version 2 run, not %d", running, servers))
	}
	return errors.Join(wrong...)
}

// pause waits, unless the context ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
