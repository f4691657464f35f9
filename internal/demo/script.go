package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// kind tells what a step does to production.
type kind int

const (
	other     kind = iota // production serves what it served before
	promotion             // another version takes the place of the one that serves
	rollback              // the former version takes its place again
)

// step is one thing that a person asks for, and what has to come of it.
type step struct {
	title string
	// command is what a person would type; ask does it.
	command string
	ask     func(context.Context) error
	// ready is the reason that the condition Ready gets when it is so.
	ready string
	kind  kind
	// version is what the step is about.
	version string
	// test and production are the versions that the load balancers have to answer with then; empty: they have nobody.
	test, production string
	// mutations are how many calls of these actions there have to be. There must be no others that change something.
	mutations map[string]due
	// looks is how long a person looks at it before the next step; zero: lookAround.
	looks time.Duration
}

// due is how many calls there have to be.
type due struct{ least, most int }

func exactly(n int) due { return due{n, n} }

// upTo is for servers that may come one after the other: at least one call, and at most one for each.
func upTo(n int) due { return due{1, n} }

func (d due) String() string {
	if d.least == d.most {
		return strconv.Itoa(d.least)
	}
	return fmt.Sprintf("%d to %d", d.least, d.most)
}

// wrongCalls says what is wrong with the calls that were made; empty if nothing is.
func (s step) wrongCalls(made map[string]int) string {
	for _, action := range slices.Sorted(maps.Keys(s.mutations)) {
		if want := s.mutations[action]; made[action] < want.least || made[action] > want.most {
			return fmt.Sprintf("%d calls of %s, where %s are due", made[action], action, want)
		}
	}
	for _, action := range slices.Sorted(maps.Keys(made)) {
		if _, expected := s.mutations[action]; !expected {
			return fmt.Sprintf("%d calls of %s, where none is due", made[action], action)
		}
	}
	return ""
}

// edit asks for what the step is about. Its clock starts before it asks: the API server accepts the edit before it says so,
// and what happens in between is not to be a present.
func (s step) edit(ctx context.Context) (from time.Time, err error) {
	from = time.Now()
	return from, s.ask(ctx)
}

// The actions of the two generations of load balancers.
const (
	registerClassic   = "RegisterInstancesWithLoadBalancer"
	deregisterClassic = "DeregisterInstancesFromLoadBalancer"
	registerTargets   = "RegisterTargets"
	deregisterTargets = "DeregisterTargets"
)

// The two versions of config/samples, and how many servers each has.
const (
	v1      = "v1"
	v2      = "v2"
	servers = 3
)

// believed is how long after a version is Live what is said of the one before it is no evidence. A rollback in that time puts the old one back at
// once, and takes the new one out when it is over: no measure of how long a rollback takes.
const believed = 11 * time.Second

// script is the demo. Each promotion makes one Register and one Deregister per production pool and one Deregister per test
// pool; each rollback one Register and one Deregister per production pool and one Register per test pool; each fleet is
// launched with one RunInstances per subnet and shown on the test pool as its servers come up, tagged once when it changes
// its role, and terminated zone by zone.
func (d *demo) script() []step {
	once := exactly(1)
	launch := map[string]due{"RunInstances": exactly(2), registerClassic: upTo(servers)}
	promote := map[string]due{registerClassic: once, registerTargets: once, deregisterClassic: exactly(2), deregisterTargets: once}
	return []step{
		{
			title: "Version 1: servers are launched and shown on the test load balancer", version: v1,
			command: "kubectl apply -f config/samples/release-v1.yaml", ask: d.apply("release-v1.yaml"),
			ready: v1alpha1.ReasonPreviewReady, test: v1, mutations: launch,
		}, {
			title: "Version 1 goes live; nobody served before it", version: v1,
			command: patchCommand(v1alpha1.PhaseLive), ask: d.patch(v1alpha1.PhaseLive),
			ready: v1alpha1.ReasonLive, production: v1,
			mutations: map[string]due{registerClassic: once, registerTargets: once, deregisterClassic: once},
		}, {
			title: "Version 1 is complete: from now on it is what production falls back to", version: v1,
			command: patchCommand(v1alpha1.PhaseComplete), ask: d.patch(v1alpha1.PhaseComplete),
			ready: v1alpha1.ReasonComplete, production: v1, mutations: map[string]due{"CreateTags": once},
		}, {
			title: "Version 2 on the test load balancer; version 1 goes on serving", version: v2,
			command: "kubectl apply -f config/samples/release-v2.yaml", ask: d.apply("release-v2.yaml"),
			ready: v1alpha1.ReasonPreviewReady, test: v2, production: v1, mutations: launch,
		}, {
			title: "Version 2 goes live", version: v2, kind: promotion, looks: believed,
			command: patchCommand(v1alpha1.PhaseLive), ask: d.patch(v1alpha1.PhaseLive),
			ready: v1alpha1.ReasonLive, production: v2, mutations: promote,
		}, {
			title: "Something is wrong with it: back to version 1", version: v2, kind: rollback,
			command: patchCommand(v1alpha1.PhaseRolledBack), ask: d.patch(v1alpha1.PhaseRolledBack),
			ready: v1alpha1.ReasonRolledBack, test: v2, production: v1,
			mutations: map[string]due{registerClassic: exactly(2), registerTargets: once, deregisterClassic: once, deregisterTargets: once},
		}, {
			title: "It was not: version 2 goes live again", version: v2, kind: promotion,
			command: patchCommand(v1alpha1.PhaseLive), ask: d.patch(v1alpha1.PhaseLive),
			ready: v1alpha1.ReasonLive, production: v2, mutations: promote,
		}, {
			title: "Version 2 is complete; the servers of version 1 are terminated", version: v2,
			command: patchCommand(v1alpha1.PhaseComplete), ask: d.patch(v1alpha1.PhaseComplete),
			ready: v1alpha1.ReasonComplete, production: v2,
			mutations: map[string]due{"CreateTags": exactly(2), "TerminateInstances": {2, servers}},
		},
	}
}

// release is the name of the samples' Release.
var release = types.NamespacedName{Namespace: "default", Name: "web"}

func phasePatch(phase v1alpha1.Phase) string { return fmt.Sprintf(`{"spec":{"phase":%q}}`, phase) }

func patchCommand(phase v1alpha1.Phase) string {
	return fmt.Sprintf("kubectl patch rel/%s --type merge -p '%s'", release.Name, phasePatch(phase))
}

// apply has kubectl apply one of the samples.
func (d *demo) apply(file string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := d.world.Kubectl(ctx, "apply", "-f", d.world.Sample(file))
		return err
	}
}

// patch sets the phase. It does without kubectl, whose own start would count as Slipway's time.
func (d *demo) patch(phase v1alpha1.Phase) func(context.Context) error {
	return func(ctx context.Context) error {
		rel := &v1alpha1.Release{}
		rel.Namespace, rel.Name = release.Namespace, release.Name
		if err := d.kube.Patch(ctx, rel, client.RawPatch(types.MergePatchType, []byte(phasePatch(phase)))); err != nil {
			return fmt.Errorf("setting phase %s: %w", phase, err)
		}
		return nil
	}
}
