package safety

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/test/e2e"
)

// path is a walk through the model of internal/rollout's exploration; explore_paths_test.go there writes it, and says what the
// fields mean.
type path struct {
	World         string     `json:"world"`
	Seed          uint64     `json:"seed"`
	Replicas      int32      `json:"replicas"`
	Zones         int        `json:"zones"`
	CompleteAfter int        `json:"completeAfter"`
	Begin         []pathSpec `json:"begin"`
	Steps         []pathStep `json:"steps"`
	End           []pathEnd  `json:"end"`
}

type pathSpec struct {
	Phase    string            `json:"phase"`
	PhaseFor string            `json:"phaseFor"`
	Version  string            `json:"version"`
	Replicas int32             `json:"replicas"`
	Paused   bool              `json:"paused"`
	Retry    string            `json:"retry"`
	Deleted  bool              `json:"deleted"`
	Override *pathOverride     `json:"override"`
	Pools    map[string]string `json:"pools"`
}

type pathOverride struct {
	Version string `json:"version"`
	Phase   string `json:"phase"`
	Seconds int    `json:"seconds"`
}

type pathStep struct {
	Do      string            `json:"do"`
	Release int               `json:"release"`
	Spec    *pathSpec         `json:"spec"`
	Server  string            `json:"server"`
	Pool    string            `json:"pool"`
	Seconds int               `json:"seconds"`
	Crash   bool              `json:"crash"`
	Writes  int               `json:"writes"`
	Calls   map[string]string `json:"calls"`
	Before  []pathEnd         `json:"before"`
}

type pathEnd struct {
	Gone    bool           `json:"gone"`
	Stable  string         `json:"stable"`
	Stage   string         `json:"stage"`
	Phase   string         `json:"phase"`
	Servers map[string]int `json:"servers"`
	Pools   map[string]int `json:"pools"`
}

// unlike is why a path cannot be walked on the local AWS.
type unlike struct{ why string }

func (u unlike) Error() string { return u.why }

// trip is a path that is walked: passes when the path has them, and AWS's time stands still but for what the path waits for.
type trip struct {
	w     *e2e.World
	path  path
	ids   map[string][]string // of servers, by RELEASE/VERSION, in the order of their launches
	stale time.Duration       // how long a reading may tell of before
}

// walkPath walks the path and gives the end of the world; the error is an unlike where the path cannot be walked.
func walkPath(w *e2e.World, p path) (end []pathEnd, err error) {
	t := &trip{w: w, path: p, ids: map[string][]string{}}
	for _, pool := range []string{previewName, "front", "back"} {
		w.MakeClassic(pool, p.Zones < 2)
	}
	for r, spec := range p.Begin {
		rel := w.NewRelease(func(rel *v1alpha1.Release) {
			rel.Name = releaseName(r)
			t.fixed(rel)
		})
		if err := t.declare(rel, spec); err != nil {
			return nil, err
		}
		w.Create(rel)
	}
	for n, step := range p.Steps {
		if err := t.step(step); err != nil {
			return nil, fmt.Errorf("step %d, %s: %w", n, step.Do, err)
		}
	}
	return t.now(), nil
}

func releaseName(r int) string { return fmt.Sprintf("web%d", r) }

// balancers are the load balancers of the model's pools. All of them are classic: made again they have the same ID.
var balancers = map[string]string{"api": "back", edgePool: "front", previewName: previewName}

// fixed is what no edit changes: as in the model's spec.
func (t *trip) fixed(rel *v1alpha1.Release) {
	rel.Spec.Template.InstanceTypes = rel.Spec.Template.InstanceTypes[:1]
	rel.Spec.Template.SubnetIDs = rel.Spec.Template.SubnetIDs[:t.path.Zones]
	rel.Spec.Health.Consecutive = 2
	rel.Spec.Health.Timeout.Duration, rel.Spec.Health.LaunchTimeout.Duration = 5*time.Minute, 5*time.Minute
	rel.Spec.Health.RollbackTimeout.Duration = 30 * time.Second
	rel.Spec.Retention.CompleteAfter.Duration = time.Duration(t.path.CompleteAfter) * time.Second
	rel.Spec.DeletionPolicy = v1alpha1.DeletionTerminate
}

// declare puts what people declare into a Release.
func (t *trip) declare(rel *v1alpha1.Release, spec pathSpec) error {
	rel.Spec.Phase, rel.Spec.Version = v1alpha1.Phase(spec.Phase), v1alpha1.Version(versionName(spec.Version))
	rel.Spec.PhaseFor, rel.Spec.Replicas, rel.Spec.Paused = versionName(spec.PhaseFor), spec.Replicas, spec.Paused
	if spec.Retry != "" {
		metav1.SetMetaDataAnnotation(&rel.ObjectMeta, v1alpha1.AnnotationRetry, spec.Retry)
	}
	rel.Spec.LoadBalancers = v1alpha1.LoadBalancers{}
	for _, pool := range slices.Sorted(maps.Keys(spec.Pools)) {
		lists := map[string]*[]v1alpha1.Pool{testPool: &rel.Spec.LoadBalancers.Test, "production": &rel.Spec.LoadBalancers.Production}
		list := lists[spec.Pools[pool]]
		*list = append(*list, e2e.Classic(pool, balancers[pool]))
	}
	was := rel.Spec.Override
	rel.Spec.Override = nil
	if o := spec.Override; o != nil {
		if was == nil {
			revision, err := t.revision(rel.Name, o.Version)
			if err != nil {
				return err
			}
			was = &v1alpha1.PhaseOverride{
				Revision: revision, Phase: v1alpha1.Phase(o.Phase), Reason: "so", By: "ops",
				ExpiresAt: metav1.NewTime(t.w.Clock.Now().Add(time.Duration(o.Seconds) * time.Second)),
			}
		}
		rel.Spec.Override = was
	}
	return nil
}

func versionName(version string) string {
	if version == "" {
		return ""
	}
	return "v" + version
}

// revision is the revision of a version that a Release has a fleet of.
func (t *trip) revision(release, version string) (string, error) {
	status := t.w.Release(release).Status
	for _, f := range []*v1alpha1.FleetStatus{status.Candidate, status.Stable} {
		if f != nil && string(f.Version) == versionName(version) {
			return string(f.Revision), nil
		}
	}
	return "", unlike{"an override of a version that no server has"}
}

func (t *trip) member(id, pool string) string {
	for _, m := range t.w.Members(pool) {
		if m.InstanceID == id {
			return m.State
		}
	}
	return ""
}

func (t *trip) memberships(id string) map[string]int {
	all := map[string]int{}
	for _, pool := range balancers {
		all[t.member(id, pool)]++
	}
	return all
}

// server finds a server of the path.
func (t *trip) server(name string) (string, error) {
	for _, s := range t.servers() {
		of := t.releaseOf(s) + "/" + strings.TrimPrefix(s.Version, "v")
		if !slices.Contains(t.ids[of], s.ID) {
			t.ids[of] = append(t.ids[of], s.ID)
		}
	}
	at := strings.LastIndex(name, "/")
	if at < 0 {
		return "", unlike{"it is about " + name}
	}
	var n int
	if _, err := fmt.Sscan(name[at+1:], &n); err != nil || n >= len(t.ids[name[:at]]) {
		return "", unlike{"there is no server " + name}
	}
	return t.ids[name[:at]][n], nil
}

// servers are all that EC2 still shows, in the order of their launches.
func (t *trip) servers() []localaws.InstanceInfo {
	return slices.SortedStableFunc(slices.Values(t.w.AWS.Instances()), func(a, b localaws.InstanceInfo) int { return a.Launched.Compare(b.Launched) })
}

func (t *trip) releaseOf(s localaws.InstanceInfo) string {
	return strings.TrimPrefix(s.Tags[cloud.TagRelease], t.w.Namespace+"/web")
}

// now is the world as the model has it.
func (t *trip) now() []pathEnd {
	all := make([]pathEnd, len(t.path.Begin))
	for r := range all {
		end := &all[r]
		*end = pathEnd{Servers: map[string]int{}, Pools: map[string]int{}}
		for _, s := range t.servers() {
			if t.releaseOf(s) != fmt.Sprint(r) || s.State == "terminated" || s.State == "shutting-down" {
				continue
			}
			version := strings.TrimPrefix(s.Version, "v")
			end.Servers[version+" "+s.Tags[cloud.TagRole]]++
			for pool, balancer := range balancers {
				if state := t.member(s.ID, balancer); state != "" && state != "draining" {
					end.Pools[pool+" "+version]++
				}
			}
		}
		if end.Gone = t.w.Gone(releaseName(r)); end.Gone {
			continue
		}
		status := t.w.Release(releaseName(r)).Status
		end.Stage, end.Phase = string(status.Stage), string(status.EffectivePhase)
		if status.Stable != nil {
			end.Stable = strings.TrimPrefix(string(status.Stable.Version), "v")
		}
	}
	return all
}

// differ says in what two worlds differ; empty where they do not. On the way neither roles nor what is said of it counts.
func differ(want, got []pathEnd, settled bool) string {
	for r := range want {
		a, b := want[r], got[r]
		if !settled {
			a, b = a.rough(), b.rough()
		}
		if a.Phase == "" {
			b.Phase = ""
		}
		if x, y := fmt.Sprint(a), fmt.Sprint(b); x != y {
			return fmt.Sprintf("Release %d is %s in the model and %s on the local AWS", r, x, y)
		}
	}
	return ""
}

func (e pathEnd) rough() pathEnd {
	servers := map[string]int{}
	for what, n := range e.Servers {
		version, _, _ := strings.Cut(what, " ")
		servers[version] += n
	}
	return pathEnd{Gone: e.Gone, Servers: servers, Pools: e.Pools, Stable: e.Stable}
}

func (e pathEnd) String() string {
	return fmt.Sprintf("{gone=%t stable=%s %s/%s servers=%v pools=%v}", e.Gone, e.Stable, e.Stage, e.Phase, e.Servers, e.Pools)
}
