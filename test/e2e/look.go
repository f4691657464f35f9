package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/laws"
	"slipway.dev/slipway/internal/localaws"
)

// Condition gives a condition of a Release; the zero condition where it has none.
func (w *World) Condition(name, kind string) metav1.Condition {
	w.Helper()
	if c := meta.FindStatusCondition(w.Release(name).Status.Conditions, kind); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// Is reports whether a condition is True for the generation that is declared now.
func (w *World) Is(name, kind string) bool {
	w.Helper()
	rel := w.Release(name)
	c := meta.FindStatusCondition(rel.Status.Conditions, kind)
	return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == rel.Generation
}

// Ready reports whether a Release is Ready for the generation that is declared now.
func (w *World) Ready(name string) bool {
	w.Helper()
	return w.Is(name, v1alpha1.ConditionReady)
}

// Stalled reports whether a Release is stalled for this reason.
func (w *World) Stalled(name, reason string) bool {
	w.Helper()
	return w.Is(name, v1alpha1.ConditionStalled) && w.Condition(name, v1alpha1.ConditionStalled).Reason == reason
}

// Says reports whether the condition's message has all the words.
func (w *World) Says(name, kind string, words ...string) bool {
	w.Helper()
	message := w.Condition(name, kind).Message
	for _, word := range words {
		if !strings.Contains(message, word) {
			w.Logf("%s does not say %q: %s", kind, word, message)
			return false
		}
	}
	return true
}

// Versions are the versions of ours that a pool sends new requests to, with the number of servers: {"v1": 2}.
func (w *World) Versions(pool string) map[string]int {
	w.Helper()
	info, ok := w.AWS.Pool(pool)
	if !ok {
		w.Fatalf("there is no pool %s", pool)
	}
	return laws.VersionsIn(info, w.AWS.Instance)
}

// Serves reports whether both production pools answer with this version alone, each from as many servers as "web" asks for.
func (w *World) Serves(version string) bool {
	w.Helper()
	return w.Only(edgePool, version) && w.Only(apiPool, version)
}

// Only reports whether a pool answers with this version alone, from as many servers as "web" asks for.
func (w *World) Only(pool, version string) bool {
	w.Helper()
	return w.From(pool, version, w.replicas())
}

// From reports whether a pool answers with this version alone, from exactly n servers.
func (w *World) From(pool, version string, n int) bool {
	w.Helper()
	versions := w.Versions(pool)
	return len(versions) == 1 && versions[version] == n
}

// replicas are those of "web", as a person last set them.
func (w *World) replicas() int {
	return int(w.sizes[types.NamespacedName{Namespace: w.Namespace, Name: "web"}])
}

// Empty reports whether a pool has no member at all, draining ones included.
func (w *World) Empty(pool string) bool {
	w.Helper()
	info, ok := w.AWS.Pool(pool)
	return ok && len(info.Members) == 0
}

// Servers are the living servers of a version, sorted; of all versions where it is empty. Only those that the controller
// launched or adopted count.
func (w *World) Servers(version string) []localaws.InstanceInfo {
	return slices.DeleteFunc(w.AWS.Instances(), func(s localaws.InstanceInfo) bool {
		dead := s.State == "terminated" || s.State == "shutting-down"
		return dead || s.Tags[cloud.TagOwner] == "" || (version != "" && s.Tags[cloud.TagVersion] != version)
	})
}

// IDs are the ids of servers.
func IDs(servers []localaws.InstanceInfo) []string {
	list := make([]string, 0, len(servers))
	for _, s := range servers {
		list = append(list, s.ID)
	}
	return list
}

// Launched counts the servers that the controller ever launched, those that EC2 has forgotten meanwhile included.
func (w *World) Launched() int {
	n := 0
	for _, e := range w.AWS.Ledger() {
		if e.Call == nil || e.Call.Action != runInstances || e.Call.Who.AccessKey == personKey {
			continue
		}
		for _, effect := range e.Call.Effects {
			if list, found := strings.CutPrefix(effect, "launched "); found {
				n += strings.Count(list, "i-")
			}
		}
	}
	return n
}

// Mark begins a count of mutations.
func (w *World) Mark() {
	w.mark = 0
	if all := w.AWS.Ledger(); len(all) > 0 {
		w.mark = all[len(all)-1].Seq
	}
}

// Mutations counts the controller's calls that change something since Mark, by action.
func (w *World) Mutations() map[string]int {
	counts := map[string]int{}
	for _, e := range w.AWS.LedgerSince(w.mark) {
		if e.Call != nil && e.Call.Mutates && e.Call.Who.AccessKey != personKey && e.Call.Service != "sqs" { // its own queue is no part of the world
			counts[e.Call.Action]++
		}
	}
	return counts
}

// describeReleases puts the status of this world's Releases into lines.
func (w *World) describeReleases(text *strings.Builder) {
	var list v1alpha1.ReleaseList
	if err := w.Kube.List(context.Background(), &list, client.InNamespace(w.Namespace)); err != nil {
		fmt.Fprintln(text, err)
	}
	for _, rel := range list.Items {
		status := rel.Status
		fmt.Fprintf(text, "%s phase=%s effective=%s stage=%s: %s\n", rel.Name, rel.Spec.Phase, status.EffectivePhase, status.Stage, status.Message)
		for _, c := range status.Conditions {
			fmt.Fprintf(text, "   %s=%s %s %s\n", c.Type, c.Status, c.Reason, c.Message)
		}
	}
}

// describeAWS puts pools, servers and the controller's last calls into lines.
func (w *World) describeAWS(text *strings.Builder) {
	for _, p := range w.AWS.Pools() {
		fmt.Fprintf(text, "pool %s:", p.Name)
		for _, m := range p.Members {
			server, _ := w.AWS.Instance(m.InstanceID)
			fmt.Fprintf(text, " %s(%s %s)", m.InstanceID[len(m.InstanceID)-4:], server.Version, m.State)
		}
		fmt.Fprintln(text)
	}
	for _, s := range w.AWS.Instances() {
		fmt.Fprintf(text, "server %s %s %s %s role=%s\n", s.ID[len(s.ID)-4:], s.State, s.Version, s.AZ, s.Tags[cloud.TagRole])
	}
	var calls []localaws.Entry
	for _, e := range w.AWS.Ledger() {
		if e.Call != nil && (e.Call.Mutates || e.Call.Code != "") {
			calls = append(calls, e)
		}
	}
	for _, e := range last(calls, 30) {
		fmt.Fprintf(text, "%s %s %s %s\n", e.Time.Format(time.TimeOnly), e.Call.Action, strings.Join(e.Call.Effects, ", "), e.Call.Message)
	}
}

// Members are all members of a pool, draining ones included.
func (w *World) Members(pool string) []localaws.MemberInfo {
	w.Helper()
	info, ok := w.AWS.Pool(pool)
	if !ok {
		w.Fatalf("there is no pool %s", pool)
	}
	return info.Members
}

// Registered counts the servers of ours of a version that are registered in a pool and not draining.
func (w *World) Registered(pool, version string) int {
	n := 0
	for _, m := range w.Members(pool) {
		if s, ok := w.AWS.Instance(m.InstanceID); ok && s.Tags[cloud.TagOwner] != "" && s.Version == version && !m.Draining {
			n++
		}
	}
	return n
}

// Stable is the revision of the fleet that production falls back to, as etcd has it; "" where there is none.
func (w *World) Stable(rel *v1alpha1.Release) (revision string) {
	w.Helper()
	all := w.revisions()
	w.AWS.Look(func(world localaws.World) { revision = laws.Stable(world, rel, all) })
	return revision
}

// revisions are the ControllerRevisions of the namespace.
func (w *World) revisions() []appsv1.ControllerRevision {
	w.Helper()
	var list appsv1.ControllerRevisionList
	w.must("list revisions", w.Kube.List(w.Context(), &list, client.InNamespace(w.Namespace)))
	return list.Items
}

// leaks looks for a text wherever it should not be: in what the controller wrote to Kubernetes and AWS, and in the logs of real processes.
// Logs and metrics of this one are looked at when all worlds are over (Lapses).
func (w *World) leaks(text string) bool {
	w.Helper()
	ctx, here := context.Background(), client.InNamespace(w.Namespace) // it is called when the test has ended, too
	var releases v1alpha1.ReleaseList
	w.must("list Releases", w.Kube.List(ctx, &releases, here))
	var revisions appsv1.ControllerRevisionList
	w.must("list revisions", w.Kube.List(ctx, &revisions, here))
	var seen strings.Builder
	fmt.Fprint(&seen, releases.Items, w.Events())
	for _, r := range revisions.Items {
		fmt.Fprint(&seen, r.Annotations, string(r.Data.Raw))
	}
	for _, s := range w.AWS.Instances() {
		fmt.Fprint(&seen, s.Tags)
	}
	fmt.Fprint(&seen, w.logs())
	return strings.Contains(seen.String(), text)
}

// Summary is the world as far as it does not depend on who was launched when: Releases, pools and servers, without their ids, and
// without members that drain.
func (w *World) Summary() string {
	var text strings.Builder
	var list v1alpha1.ReleaseList
	w.must("list Releases", w.Kube.List(w.Context(), &list, client.InNamespace(w.Namespace)))
	for _, rel := range list.Items {
		fmt.Fprintf(&text, "%s phase=%s effective=%s stage=%s", rel.Name, rel.Spec.Phase, rel.Status.EffectivePhase, rel.Status.Stage)
		for _, c := range rel.Status.Conditions {
			fmt.Fprintf(&text, " %s=%s/%s", c.Type, c.Status, c.Reason)
		}
		fmt.Fprintln(&text)
	}
	counts := map[string]int{}
	for _, p := range w.AWS.Pools() {
		for _, m := range p.Members {
			if m.Draining {
				continue
			}
			server, _ := w.AWS.Instance(m.InstanceID)
			counts[fmt.Sprintf("pool %s: %s %s", p.Name, server.Version, m.State)]++
		}
	}
	for _, s := range w.AWS.Instances() {
		if s.Alive {
			counts[fmt.Sprintf("server %s %s role=%s", s.Version, s.State, s.Tags[cloud.TagRole])]++
		}
	}
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&text, "%s: %d\n", what, counts[what])
	}
	return text.String()
}
