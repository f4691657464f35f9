package safety

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// end ends all that is wrong, and requires that every Release then comes to what its spec asks for, and to rest.
func (l *life) end() {
	l.heal()
	if why := caught(func() { l.w.UntilWithin("it is right once nothing is wrong any more", recovers, l.comesRight) }); why != nil {
		l.w.Fatalf("%s: %s", l.wrong(), why)
	}
	// Terminated servers leave pools late, pools are forgotten five minutes after somebody saw that they are gone, and the record of
	// a fleet whose own was lost ten minutes after the last of its servers.
	l.w.Pass(4 * quietly)
	l.w.Quiet(quietly)
	if why := l.wrong(); why != "" {
		l.w.Fatalf("it does not stay right: %s\n%s", why, l.w.Story())
	}
}

// recovers is how long it may take: a promotion that began when things were wrong may have to fail first.
const recovers = 30 * time.Minute

// heal ends all faults; people put right what they did by hand, and end what was for emergencies.
func (l *life) heal() {
	l.calm()
	for _, kind := range slices.Sorted(maps.Keys(l.faults)) {
		l.faults[kind].Remove()
	}
	l.mu.Lock()
	for _, f := range l.failures {
		f.handle.Remove()
	}
	l.failures = nil
	l.mu.Unlock()
	l.w.AWS.SetInstanceQuota(-1)
	if l.unlistened {
		l.w.MakeListener(l.fresh("again"), "api")
	}
	l.protect(false)
	for _, s := range l.w.AWS.Instances() {
		l.mend(s)
	}
	l.class([]string{"wide"})
	for _, name := range []string{"web", rivalName} {
		l.edit(name, func(rel *v1alpha1.Release) { rel.Spec.Paused, rel.Spec.Override = false, nil })
	}
}

// mend puts a server right; people give up those that they stopped or held, and those that are impaired. (To give one back in the
// moment in which its replacement is launched makes one too many, and nobody's fault.)
func (l *life) mend(s localaws.InstanceInfo) {
	_, held := s.Tags[cloud.TagHold]
	switch {
	case held || s.State == "stopping" || s.State == "stopped" || s.Impaired:
		l.must(l.w.AWS.Kill(s.ID))
	case s.Alive:
		l.must(l.w.AWS.SetAppStatus(s.ID, 200))
	}
}

// comesRight reports whether everything is right, and does what a condition asks a person for.
func (l *life) comesRight() bool {
	for _, name := range []string{"web", rivalName} {
		l.doAsTold(name)
	}
	return l.wrong() == ""
}

var formerOwner = regexp.MustCompile(`formerOwner: ([0-9a-f-]{36})`)

// doAsTold: to try again, once, and to say whose servers there are.
func (l *life) doAsTold(name string) {
	if l.w.Gone(name) || !l.w.Is(name, v1alpha1.ConditionStalled) {
		return
	}
	says := l.w.Condition(name, v1alpha1.ConditionStalled).Message
	if strings.Contains(says, v1alpha1.AnnotationRetry) && !l.retried[name] {
		l.retried[name] = true
		l.retry(name)
	}
	if owner := formerOwner.FindStringSubmatch(says); owner != nil {
		l.edit(name, func(rel *v1alpha1.Release) { rel.Spec.Adopt = &v1alpha1.AdoptSource{FormerOwner: owner[1]} })
	}
}

// wrong says what is not as the specs ask for; "" where all is.
func (l *life) wrong() string {
	for _, name := range []string{"web", rivalName} {
		rel := l.release(name)
		if rel == nil {
			continue
		}
		if why := l.view(rel).wrong(); why != "" {
			return name + " " + why
		}
	}
	return ""
}

// view is a Release and its world as they truly are.
type view struct {
	*v1alpha1.Release
	l       *life
	servers map[string][]localaws.InstanceInfo // that live, by version
	stable  string                             // the version of the fleet to fall back to; "" for none
}

func (l *life) view(rel *v1alpha1.Release) *view {
	v := &view{Release: rel, l: l, servers: map[string][]localaws.InstanceInfo{}}
	stable := l.w.Stable(rel)
	for _, s := range l.w.AWS.Instances() {
		version, ours := l.versionOf(s), s.Tags[cloud.TagOwner] == string(rel.UID)
		if ours && s.Tags[cloud.TagRevision] == stable {
			v.stable = version
		}
		if ours && s.State != "terminated" && s.State != "shutting-down" {
			v.servers[version] = append(v.servers[version], s)
		}
	}
	return v
}

// adopted stands for the version of servers that were made by hand. Of them there may be more or fewer than replicas.
const adopted = "adopted"

func (l *life) versionOf(s localaws.InstanceInfo) string {
	if version := s.Tags[cloud.TagVersion]; version != "" && !strings.HasSuffix(version, "-adopted") {
		return l.withImage(version, s.ImageID)
	}
	return adopted
}

// withImage is what a version is called here that is made of an image: one with the second is another.
func (l *life) withImage(version, image string) string {
	if image == l.w.Site.V2 {
		return version + " of the second image"
	}
	return version
}

// target is the version that is asked for.
func (v *view) target() string { return v.l.withImage(string(v.Spec.Version), string(v.Spec.Image.ID)) }

// size is how many servers of a version there should be.
func (v *view) size(version string) int {
	if version == adopted {
		return len(v.servers[version])
	}
	return int(v.Spec.Replicas)
}

func (v *view) is(condition string) bool { return v.l.w.Is(v.Name, condition) }

func (v *view) wrong() string {
	switch {
	case v.DeletionTimestamp != nil:
		return "is still being deleted"
	case v.is(v1alpha1.ConditionStalled):
		if reason := v.l.w.Condition(v.Name, v1alpha1.ConditionStalled).Reason; !v.caused(reason) {
			return "is Stalled, and nothing is wrong any more: " + reason
		}
		return ""
	case !v.is(v1alpha1.ConditionReady):
		return "is neither Ready nor Stalled"
	case slices.Contains(v.may(), ""):
		return "" // nothing takes servers out where there is nothing to fall back to, whoever put them in
	}
	for _, p := range v.Spec.LoadBalancers.Production {
		if why := v.production(p); why != "" {
			return why
		}
	}
	for _, p := range v.Spec.LoadBalancers.Test {
		if why := v.shown(p); why != "" {
			return why
		}
	}
	return v.fleets()
}

// caused reports whether what a Release is stalled for is so.
func (v *view) caused(reason string) bool {
	switch reason {
	case v1alpha1.ReasonNothingToRollBackTo:
		return v.phase() == v1alpha1.PhaseRolledBack && (v.stable == "" || v.stable == v.target())
	case v1alpha1.ReasonRevisionLost: // nothing can be launched for it
		return len(v.servers[v.stable]) < int(v.Spec.Replicas) && (v.stable == adopted || v.lost())
	case v1alpha1.ReasonPoolHeldByAnother:
		return !v.l.w.Gone(rivalName) && !v.l.w.Gone("web")
	case v1alpha1.ReasonFormerServersFound:
		return len(v.servers) == 0 && v.adoptsNobody()
	}
	return false
}

// adoptsNobody: those that spec.adopt means have ended, adopted or not, and a person says what then.
func (v *view) adoptsNobody() bool {
	adopt := v.Spec.Adopt
	return adopt != nil && adopt.FormerOwner != "" && !slices.ContainsFunc(v.l.w.AWS.Instances(), func(s localaws.InstanceInfo) bool {
		return s.Tags[cloud.TagOwner] == adopt.FormerOwner && s.State != "terminated" && s.State != "shutting-down"
	})
}

// lost reports whether the fleet to fall back to has no record: it was adopted from a Release that is gone.
func (v *view) lost() bool {
	record := &appsv1.ControllerRevision{}
	name := types.NamespacedName{Namespace: v.Namespace, Name: v.l.w.Stable(v.Release)}
	err := v.l.w.Kube.Get(v.l.w.Context(), name, record)
	return apierrors.IsNotFound(err) || err == nil && !metav1.IsControlledBy(record, v.Release)
}

// phase is the one that counts: "" for none.
func (v *view) phase() v1alpha1.Phase {
	switch p := v.Spec.Phase; p {
	case v1alpha1.PhaseLive, v1alpha1.PhaseComplete:
		if v.Spec.PhaseFor != "" && v.Spec.PhaseFor != string(v.Spec.Version) {
			return ""
		}
		return p
	default:
		return p
	}
}

// may are the versions that production may have; "" for none of ours.
func (v *view) may() []string {
	target := v.target()
	switch p := v.phase(); {
	case v.stable == target, p == v1alpha1.PhaseLive, p == v1alpha1.PhaseComplete:
		return []string{target}
	case v.stable == "": // a first version, which nothing takes out of production
		return []string{"", target}
	case p == "":
		return []string{v.stable, target}
	}
	return []string{v.stable}
}

// serving is the version that the first production pool has.
func (v *view) serving() string {
	for version := range v.members(v.Spec.LoadBalancers.Production[0]) {
		return version
	}
	return ""
}

// members are the servers of ours in a pool that do not drain, by version; one that gets no requests counts as "sick".
func (v *view) members(declared v1alpha1.Pool) map[string]int {
	name := declared.Name // as the pools of a life are called
	info, ok := v.l.w.AWS.Pool(name)
	if !ok {
		return map[string]int{"gone": 1}
	}
	count := map[string]int{}
	for _, m := range info.Members {
		s, _ := v.l.w.AWS.Instance(m.InstanceID)
		switch {
		case m.Draining || s.Tags[cloud.TagOwner] != string(v.UID):
		case m.State != "healthy":
			count["sick"]++
		default:
			count[v.l.versionOf(s)]++
		}
	}
	return count
}

// production: each of these pools has the servers of one version, the same, all of them healthy.
func (v *view) production(p v1alpha1.Pool) string {
	got, serves, may := v.members(p), v.serving(), v.may()
	want := map[string]int{serves: v.size(serves)}
	if serves == "" {
		want = map[string]int{}
	}
	if !slices.Contains(may, serves) || fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Sprintf("has %v in %s, of which one of %q should be %d", got, p.Name, may, v.size(serves))
	}
	return ""
}

// shown: a candidate that is not in production is on the test pools, and nothing else of ours is.
func (v *view) shown(p v1alpha1.Pool) string {
	got, target := v.members(p), v.target()
	want := map[string]int{}
	switch {
	case v.serving() == target:
	case v.phase() == v1alpha1.PhaseRolledBack: // the rejected one, as far as it runs: nothing is looked up or launched for it
		for version := range got {
			if version != v.serving() {
				want[version] = len(v.servers[version])
			}
		}
	default:
		want[target] = v.size(target)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Sprintf("has %v in %s, which should be %v", got, p.Name, want)
	}
	return ""
}

// fleets: stable is whole while it may be gone back to, and a fleet that nobody needs is gone.
func (v *view) fleets() string {
	target := v.target()
	if v.phase() == v1alpha1.PhaseComplete && v.stable != target {
		return fmt.Sprintf("has %q as stable, and Complete was asked for", v.stable)
	}
	if n := len(v.servers[v.stable]); v.stable != "" && n != v.size(v.stable) {
		return fmt.Sprintf("has %d servers of the stable %s", n, v.stable)
	}
	for version, servers := range v.servers {
		if version != target && version != v.stable && (v.serving() == target || v.stable == target) {
			return fmt.Sprintf("has %d servers of %s, which nobody needs", len(servers), version)
		}
	}
	return ""
}
