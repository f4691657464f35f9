package controllers

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

func TestRecordingARevision(t *testing.T) {
	rel := testRelease()
	rel.Spec.Image = v1alpha1.ImageSource{SSMParameter: "/images/web"}
	h := newHarness(t, testClass(), rel)
	h.ports.images[cloud.ImageSource{SSMParameter: "/images/web"}] = cloud.Image{ID: "ami-1", Owner: testAccount}
	obs := h.look(t, rel)
	if obs.input.Spec.Target != "" {
		t.Fatalf("there is a target before anything was recorded: %s", obs.input.Spec.Target)
	}
	if err := h.recordTarget(t.Context(), rel, obs); err != nil {
		t.Fatal(err)
	}
	stored := fetch(t, h, &appsv1.ControllerRevision{}, "shop", obs.input.Spec.Target)
	if !metav1.IsControlledBy(stored, rel) || stored.Labels[labelRelease] != "web" || stored.Revision != 0 {
		t.Errorf("owners %v, labels %v, number %d", stored.OwnerReferences, stored.Labels, stored.Revision)
	}
	data, err := decodeRevision(stored)
	if err != nil || data.Image != "ami-1" || data.Owner != testAccount || data.AsWritten.Image.SSMParameter != "/images/web" {
		t.Errorf("data %+v (%v)", data, err)
	}
	if kept, ok := readPlace(stored); !ok || kept != (place{"default", testAccount, testRegion}) {
		t.Errorf("place %+v", kept)
	}
	if r, ok := obs.remembered(obs.input.Spec.Target); !ok || r.Image != "ami-1" || r.Lost {
		t.Errorf("the core does not get to know it: %+v", r)
	}
	if again := h.look(t, rel); again.input.Spec.Target != obs.input.Spec.Target {
		t.Errorf("the next pass finds target %q", again.input.Spec.Target)
	}
}

// What a person has to mend is told, nothing is recorded, and it heals as soon as it is mended.
func TestRevisionsThatCannotBeResolved(t *testing.T) {
	notFound := &cloud.Error{
		Kind: cloud.NotFound, Reason: rollout.ReasonImageNotFound, Thing: "image ami-1", Code: "InvalidAMIID.NotFound", Message: "The image id does not exist",
	}
	for name, test := range map[string]struct {
		spoil  func(*ports, *v1alpha1.ReleaseClass)
		reason string
		words  string
		looked bool
	}{
		"no image":      {func(p *ports, _ *v1alpha1.ReleaseClass) { p.imageErr = notFound }, rollout.ReasonImageNotFound, "does not exist", true},
		"SSM is down":   {func(p *ports, _ *v1alpha1.ReleaseClass) { p.imageErr = errUnanswered }, rollout.ReasonResolving, "connection reset", true},
		"image's owner": {func(_ *ports, c *v1alpha1.ReleaseClass) { c.Spec.ImageOwners = nil }, rollout.ReasonNotAllowedByClass, testAccount, true},
		"subnet":        {func(_ *ports, c *v1alpha1.ReleaseClass) { c.Spec.Subnets = nil }, rollout.ReasonNotAllowedByClass, "subnet-a", false},
		"EC2 not read":  {func(p *ports, _ *v1alpha1.ReleaseClass) { p.sweep = errUnanswered }, rollout.ReasonServersUnreadable, "connection reset", false},
	} {
		t.Run(name, func(t *testing.T) {
			rel := testRelease()
			h := newHarness(t, testClass(), rel)
			obs := h.look(t, rel)
			test.spoil(h.ports, obs.class)
			if h.ports.sweep != nil {
				obs.input.World.ServersErr = h.ports.sweep.Error()
			}
			if err := h.recordTarget(t.Context(), rel, obs); err != nil {
				t.Fatal(err)
			}
			spec := obs.input.Spec
			if spec.Unresolved.Reason != test.reason || !strings.Contains(spec.Unresolved.Message, test.words) || spec.Target != "" || len(h.writes) > 0 {
				t.Errorf("got %+v, target %q, writes %v", spec.Unresolved, spec.Target, h.writes)
			}
			if looked := slices.Contains(h.ports.calls, "Image"); looked != test.looked {
				t.Errorf("image looked up: %v", looked)
			}
			h.ports.imageErr, h.ports.sweep = nil, nil
			h.declare(t, rel, 1)
		})
	}
}

// A spec that was deployed before is that revision again as long as servers of it may exist, with no look-up of anything.
func TestWhichRevisionIsIt(t *testing.T) {
	for name, test := range map[string]struct {
		remains func(*harness, *v1alpha1.Release, string) // what is left of v1 when v2 was declared
		memory  func(*rollout.Revision)
		same    bool
	}{
		"servers run": {remains: func(h *harness, rel *v1alpha1.Release, v1 string) { h.run(rel, "i-1", v1, rollout.RoleStable) }, same: true},
		"a launch is open": {memory: func(r *rollout.Revision) {
			r.Launches = []rollout.Attempt{{Number: 1, Token: "t", Places: []int{0}, Open: true}}
		}, same: true},
		"nothing is left": {same: false},
		"servers ended": {remains: func(h *harness, rel *v1alpha1.Release, v1 string) {
			h.run(rel, "i-1", v1, rollout.RoleStable)
			h.ports.servers[0].State = rollout.StateTerminated
		}, same: false},
		"stable, EC2 not read": {remains: func(h *harness, _ *v1alpha1.Release, _ string) { h.ports.sweep = errUnanswered },
			memory: func(r *rollout.Revision) { r.StableSeq = 1 }, same: true},
		"nothing, EC2 not read": {remains: func(h *harness, _ *v1alpha1.Release, _ string) { h.ports.sweep = errUnanswered }, same: false},
	} {
		t.Run(name, func(t *testing.T) {
			rel := releaseWith(fromSecret)
			rel.Spec.Image = v1alpha1.ImageSource{SSMParameter: "/images/web"}
			h := newHarness(t, testClass(), rel, bootSecret("one"))
			h.ports.images[cloud.ImageSource{SSMParameter: "/images/web"}] = cloud.Image{ID: "ami-1", Owner: testAccount}
			v1 := h.declare(t, rel, 1)
			rel.Spec.Version = "v2"
			v2 := h.declare(t, rel, 2)
			if v1 == v2 {
				t.Fatal("two versions are one revision")
			}
			if obs := h.look(t, rel); test.memory != nil {
				if err := h.remember(t.Context(), obs, edited(obs.input.Memory, v1, test.memory)); err != nil {
					t.Fatal(err)
				}
			}
			if test.remains != nil {
				test.remains(h, rel, v1)
			}
			if err := h.Delete(t.Context(), bootSecret("")); err != nil {
				t.Fatal(err)
			}
			h.ports.imageErr, h.ports.calls = errUnanswered, nil
			rel.Spec.Version = "v1"
			obs := h.look(t, rel)
			want := ""
			if test.same {
				want = v1
			}
			if obs.input.Spec.Target != want {
				t.Errorf("target %q, want %q", obs.input.Spec.Target, want)
			}
			if slices.Contains(h.ports.calls, "Image") && obs.sourceDiffers == "" && !test.same {
				t.Error("an image was looked up to find that out")
			}
			rel.Spec.Version = "v2"
			if got := h.look(t, rel).input.Spec.Target; got != v2 {
				t.Errorf("the revision that was declared last is not found: %q", got)
			}
		})
	}
}

// Two revisions may be written alike, because a parameter moved between them. The later one counts, whatever their names.
func TestTheLaterOfTwoThatAreWrittenAlike(t *testing.T) {
	for _, images := range [][2]string{{"ami-1", "ami-2"}, {"ami-2", "ami-1"}} {
		rel := testRelease()
		rel.Spec.Image = v1alpha1.ImageSource{SSMParameter: "/images/web"}
		source := cloud.ImageSource{SSMParameter: "/images/web"}
		h := newHarness(t, testClass(), rel)
		h.ports.images[source] = cloud.Image{ID: images[0], Owner: testAccount}
		first := h.declare(t, rel, 1)
		rel.Spec.Version = "v2"
		h.declare(t, rel, 2)
		rel.Spec.Version = "v1"
		h.ports.images[source] = cloud.Image{ID: images[1], Owner: testAccount}
		again := h.declare(t, rel, 3)
		h.run(rel, "i-1", first, rollout.RoleStable)
		h.run(rel, "i-2", again, rollout.RoleCandidate)
		if first == again {
			t.Fatal("another image is the same revision")
		}
		if got := h.look(t, rel).input.Spec.Target; got != again {
			t.Errorf("target %q, want %q and not %q", got, again, first)
		}
	}
}

// Whoever goes back to an older version of Slipway finds the same revisions, though a newer one recorded them with a field
// that is not known any more. The way there is in upgrade_test.go.
func TestGoingBackToAVersionWithoutAField(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	name := h.declare(t, rel, 1)
	stored := fetch(t, h, &appsv1.ControllerRevision{}, "shop", name)
	older := strings.Replace(string(stored.Data.Raw), `"version":"v1"`, `"version":"v1","removedSince":{"a":1}`, 1)
	if older == string(stored.Data.Raw) {
		t.Fatalf("the data is not what this test takes it for: %s", older)
	}
	stored.Data.Raw = []byte(older)
	if err := h.Update(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	if got := h.look(t, rel).input.Spec.Target; got != name {
		t.Errorf("target %q, want %q", got, name)
	}
}

func TestPruning(t *testing.T) {
	rel := releaseWith(fromSecret)
	h := newHarness(t, testClass(), rel, bootSecret("one"))
	names := map[string]string{}
	for i, version := range []v1alpha1.Version{"stable", "running", "launching", "old-1", "old-2", "old-3", "newest"} {
		rel.Spec.Version = version
		names[string(version)] = h.declare(t, rel, int64(i+1))
	}
	h.run(rel, "i-1", names["running"], rollout.RoleRetired)
	obs := h.look(t, rel)
	next := edited(obs.input.Memory, names["stable"], func(r *rollout.Revision) { r.StableSeq = 2 })
	next = edited(next, names["old-3"], func(r *rollout.Revision) { r.StableSeq = 1 }) // was stable once
	next = edited(next, names["launching"], func(r *rollout.Revision) {
		r.Launches = []rollout.Attempt{{Number: 1, Token: "t", At: testNow.Add(hiddenFor), Places: []int{0}, Servers: []string{"i-not-seen-yet"}}}
	})
	if err := h.remember(t.Context(), obs, next); err != nil {
		t.Fatal(err)
	}
	left := func() []string {
		var list appsv1.ControllerRevisionList
		if err := h.List(t.Context(), &list, client.InNamespace("shop")); err != nil {
			t.Fatal(err)
		}
		var versions []string
		for version, name := range names {
			if slices.ContainsFunc(list.Items, func(s appsv1.ControllerRevision) bool { return s.Name == name }) {
				versions = append(versions, version)
			}
			err := h.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, &corev1.Secret{})
			if kept := slices.Contains(versions, version); kept != (err == nil) {
				t.Errorf("%s: revision kept %v, its user data: %v", version, kept, err)
			}
		}
		slices.Sort(versions)
		return versions
	}
	prune := func() {
		t.Helper()
		if err := h.prune(t.Context(), rel, h.look(t, rel)); err != nil {
			t.Fatal(err)
		}
	}
	h.ports.sweep = errUnanswered
	prune()
	if got := left(); len(got) != len(names) {
		t.Errorf("EC2 cannot be read, and only %v are left", got)
	}
	h.ports.sweep = nil
	prune()
	if got := left(); len(got) != len(names) {
		t.Errorf("one reading shows nobody, and only %v are left", got)
	}
	h.Clock = func() time.Time { return testNow.Add(hiddenFor - time.Second) }
	prune()
	if got := left(); len(got) != len(names) {
		t.Errorf("EC2 may hide servers for longer, and only %v are left", got)
	}
	h.Clock = func() time.Time { return testNow.Add(hiddenFor) }
	prune()
	if got, want := left(), []string{"launching", "newest", "old-2", "old-3", "running", "stable"}; !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
	h.ports.servers = nil
	h.Clock = func() time.Time { return testNow.Add(time.Hour) }
	prune()
	if got, want := left(), []string{"newest", "old-2", "old-3", "running", "stable"}; !slices.Equal(got, want) {
		t.Errorf("one reading does not show what runs, and left are %v, want %v", got, want)
	}
	h.Clock = func() time.Time { return testNow.Add(time.Hour + hiddenFor) }
	prune()
	if got, want := left(), []string{"newest", "old-2", "old-3", "stable"}; !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
	h.writes = map[string]int{}
	prune()
	rel.Spec.Version = "not recorded yet" // the one that was declared last is nobody's target now, and is kept beside the limit
	prune()
	if len(h.writes) > 0 {
		t.Errorf("there is nothing left to prune, and it writes %v", h.writes)
	}
}
