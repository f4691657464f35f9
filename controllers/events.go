package controllers

import (
	"fmt"
	"hash/fnv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// Reasons of events. Each action that was carried out gives one, whose text is the action's own reason; one that failed
// gives a Warning with AWS's words.
const (
	// EventLaunched surfaces when EC2 launched servers.
	EventLaunched = "Launched"
	// EventLaunchFailed surfaces when EC2 refused a launch, or its outcome is not known.
	EventLaunchFailed = "LaunchFailed"
	// EventRegistered surfaces when servers were put into a pool.
	EventRegistered = "Registered"
	// EventRegisterFailed surfaces when they could not be.
	EventRegisterFailed = "RegisterFailed"
	// EventDeregistered surfaces when servers were taken out of a pool.
	EventDeregistered = "Deregistered"
	// EventDeregisterFailed surfaces when they could not be.
	EventDeregisterFailed = "DeregisterFailed"
	// EventTagged surfaces when the role of servers was changed, or servers were adopted.
	EventTagged = "Tagged"
	// EventTagFailed surfaces when it could not be.
	EventTagFailed = "TagFailed"
	// EventTerminated surfaces when servers were ended.
	EventTerminated = "Terminated"
	// EventTerminateFailed surfaces when they could not be; termination protection is the usual cause.
	EventTerminateFailed = "TerminateFailed"
	// EventHeldBack surfaces when a law of safety took an action out of the plan.
	EventHeldBack = "HeldBack"
	// EventReady surfaces when what was asked for became so; the text is that of the condition.
	EventReady = "Ready"
	// EventStalled surfaces when Slipway cannot go on unless a person changes something.
	EventStalled = "Stalled"
	// EventBlind surfaces when AWS cannot be read, so that nothing is removed.
	EventBlind = "Blind"
	// EventSourceDiffers surfaces when the Secret or ConfigMap of the user data no longer says what the revision was
	// recorded with. Nothing is deployed for it.
	EventSourceDiffers = "SourceDiffers"
	// EventRetained surfaces when a Release is deleted and its servers stay; the texts list servers and memberships.
	EventRetained = "Retained"
)

// carriedOut and failed are the event reasons of actions, by verb.
var (
	carriedOut = map[string]string{
		"Launch": EventLaunched, "Register": EventRegistered, "Deregister": EventDeregistered,
		"Tag": EventTagged, "Terminate": EventTerminated,
	}
	failed = map[string]string{
		"Launch": EventLaunchFailed, "Register": EventRegisterFailed, "Deregister": EventDeregisterFailed,
		"Tag": EventTagFailed, "Terminate": EventTerminateFailed,
	}
)

// Limits that the API server puts on an event, in bytes, and our own on what waits to be said.
const (
	maxNote   = 1024
	maxUnsaid = 200
)

// event is one thing to say about a Release.
type event struct {
	kind   string // corev1.EventTypeNormal or EventTypeWarning
	reason string
	action string // what was done or tried, a verb
	about  string // the pool, fleet or servers; with reason and action it tells events apart
	note   string
}

// key is equal for events that need saying once while they go on. The text of a Warning may vary with every try (AWS
// puts request ids into it) and tells nothing new.
func (e event) key() event {
	if e.kind == corev1.EventTypeWarning {
		e.note = ""
	}
	return e
}

// facts are the events of what one pass did and saw.
func (p pass) facts() []event {
	var all []event
	for _, o := range p.outcomes {
		about := strings.Join(subject(o.action), " ")
		switch {
		case o.underway:
		case o.err != nil:
			all = append(all, warning(failed[verb(o.action)], verb(o.action), about, o.action.Reason()+": "+o.err.Error()))
		default:
			all = append(all, normal(carriedOut[verb(o.action)], verb(o.action), about, o.note()))
		}
	}
	for _, note := range p.decision.Report.Held {
		all = append(all, warning(EventHeldBack, "Guard", note.About, note.About+": "+note.Text))
	}
	if p.obs.sourceDiffers != "" {
		all = append(all, normal(EventSourceDiffers, "Compare", "spec.template.userData", p.obs.sourceDiffers))
	}
	if p.decision.Gone {
		all = append(all, p.retained()...)
	}
	return all
}

// note is what an action that was carried out did: its reason, and which servers a launch brought.
func (o outcome) note() string {
	if o.result == nil || len(o.result.Servers) == 0 {
		return o.action.Reason()
	}
	return o.action.Reason() + ": " + strings.Join(o.result.Servers, ", ")
}

// turns are the events of conditions that turned True, or are True for another reason than before.
func turns(before, after []metav1.Condition) []event {
	var all []event
	for _, watched := range []struct{ condition, kind, reason string }{
		{v1alpha1.ConditionReady, corev1.EventTypeNormal, EventReady},
		{v1alpha1.ConditionStalled, corev1.EventTypeWarning, EventStalled},
		{v1alpha1.ConditionBlind, corev1.EventTypeWarning, EventBlind},
	} {
		now := meta.FindStatusCondition(after, watched.condition)
		if now == nil || now.Status != metav1.ConditionTrue {
			continue
		}
		old := meta.FindStatusCondition(before, watched.condition)
		if old != nil && old.Status == now.Status && old.Reason == now.Reason {
			continue
		}
		all = append(all, event{watched.kind, watched.reason, "Observe", now.Reason, now.Reason + ": " + now.Message})
	}
	return all
}

// retained lists the servers that stay, fleet by fleet, and the pools that they stay in. Under deletionPolicy Terminate these
// are the servers that a person holds.
func (p pass) retained() []event {
	var all []event
	world := p.obs.input.World
	if world.ServersErr != "" {
		all = append(all, warning(EventRetained, "Retain", "servers", "the servers stay; EC2 could not be read to list all of them: "+world.ServersErr))
	}
	fleets := map[string][]string{}
	for _, s := range world.Servers {
		if s.State != rollout.StateTerminated && s.State != rollout.StateShuttingDown {
			fleets[s.Revision] = append(fleets[s.Revision], s.ID)
		}
	}
	terminate := p.obs.input.Spec.TerminateOnDelete
	for _, revision := range sortedKeys(fleets) {
		version := p.version(revision)
		if terminate {
			all = append(all, listing(revision, fmt.Sprintf("a person holds servers of version %s (%s) with the tag %s; they are in no pool, and yours to terminate",
				version, revision, cloud.TagHold), fleets[revision])...)
			continue
		}
		all = append(all, listing(revision, fmt.Sprintf("kept servers of version %s (%s)", version, revision), fleets[revision])...)
		if r := p.revision(revision); r != nil {
			all = append(all, listing(revision+" pools", "servers of version "+version+" stay wherever they are registered; Slipway had them in", r.Pools)...)
		}
	}
	for _, pool := range world.Pools {
		if members := p.registered(pool); len(members) > 0 && !terminate {
			all = append(all, listing(pool.ID, fmt.Sprintf("kept in %s pool %s (%s)", pool.Use, pool.Name, pool.ID), members)...)
		}
	}
	return all
}

// listing spreads a long list over as many events as it needs.
func listing(about, head string, things []string) []event {
	var all []event
	for from := 0; from < len(things); {
		text, to := head+": "+things[from], from+1
		for to < len(things) && len(text)+len(things[to])+2 <= maxNote {
			text += ", " + things[to]
			to++
		}
		all = append(all, normal(EventRetained, "Retain", fmt.Sprintf("%s %d", about, from), text))
		from = to
	}
	return all
}

func normal(reason, action, about, note string) event {
	return event{corev1.EventTypeNormal, reason, action, about, note}
}

func warning(reason, action, about, note string) event {
	return event{corev1.EventTypeWarning, reason, action, about, note}
}

// news filters out what the pass before said already, and remembers what this one says.
func (c *recollection) news(all []event) []event {
	said := map[event]bool{}
	var fresh []event
	for _, e := range all {
		if !c.said[e.key()] && !said[e.key()] {
			fresh = append(fresh, e)
		}
		said[e.key()] = true
	}
	c.said = said
	return fresh
}

// emit hands events to the recorder. client-go counts events that are alike in all but their text as one and keeps the
// first text; a part of the text's hash in the related field keeps different texts apart.
func (r *ReleaseReconciler) emit(rel *v1alpha1.Release, all []event) {
	regarding := corev1.ObjectReference{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "Release", Namespace: rel.Namespace, Name: rel.Name, UID: rel.UID,
	}
	for _, e := range all {
		related := regarding
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(e.about + e.note))
		related.FieldPath = fmt.Sprintf("status#%08x", hash.Sum32())
		r.Recorder.Eventf(&regarding, &related, e.kind, e.reason, e.action, "%s", cutBytes(e.note, maxNote))
	}
}

// cutBytes shortens a text to a number of bytes, at the end of a character.
func cutBytes(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const more = "…"
	text = text[:limit-len(more)]
	return strings.ToValidUTF8(text, "") + more
}
