package controllers

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/rollout"
)

func TestRememberingIsReadBack(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	name := h.declare(t, rel, 1)
	obs := h.look(t, rel)
	next := edited(obs.input.Memory, name, func(r *rollout.Revision) {
		kept := *r
		*r = fullRevision()
		r.Name, r.Version, r.Image, r.Number, r.Subnets, r.InstanceTypes = kept.Name, kept.Version, kept.Image, 7, kept.Subnets, kept.InstanceTypes
		r.Pools = []string{prodID}
	})
	if err := h.remember(t.Context(), obs, next); err != nil {
		t.Fatal(err)
	}
	want := next.Revisions[0]
	if diff := cmp.Diff(want, obs.input.Memory.Revisions[0]); diff != "" {
		t.Errorf("the observation does not go on from what was written (-want +got):\n%s", diff)
	}
	later := h.look(t, rel)
	if diff := cmp.Diff(want, later.input.Memory.Revisions[0]); diff != "" {
		t.Errorf("a later pass reads something else (-want +got):\n%s", diff)
	}
	if want.Version != "v1" || want.Image != "ami-0123456789abcdef0" || !slices.Equal(want.Subnets, []string{"subnet-a", "subnet-b"}) {
		t.Errorf("what the ControllerRevision itself says is missing: %+v", want)
	}
	h.writes = map[string]int{}
	for range 2 {
		if err := h.remember(t.Context(), later, later.input.Memory); err != nil || len(h.writes) > 0 {
			t.Errorf("to remember the same again writes %v (%v)", h.writes, err)
		}
	}
}

// Nothing that was decided on an old reading is written over what somebody else wrote since.
func TestAConflictStopsThePass(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	name := h.declare(t, rel, 1)
	stale, fresh := h.look(t, rel), h.look(t, rel)
	if err := h.remember(t.Context(), fresh, edited(fresh.input.Memory, name, func(r *rollout.Revision) { r.StableSeq = 1 })); err != nil {
		t.Fatal(err)
	}
	err := h.remember(t.Context(), stale, edited(stale.input.Memory, name, func(r *rollout.Revision) { r.Retry = "x" }))
	if !apierrors.IsConflict(err) {
		t.Fatalf("got %v, want a conflict", err)
	}
	if r, _ := h.look(t, rel).remembered(name); r.StableSeq != 1 || r.Retry != "" {
		t.Errorf("the newer memory was written over: %+v", r)
	}
}

// The fleet that becomes stable is written first: a crash between two writes must not leave a newer candidate without it.
func TestStableIsWrittenFirst(t *testing.T) {
	before := rollout.Memory{Revisions: []rollout.Revision{{Name: "a", StableSeq: 1}, {Name: "b", Number: 1}, {Name: "c"}}}
	next := rollout.Memory{Revisions: []rollout.Revision{
		{Name: "a", StableSeq: 1, Retired: true}, {Name: "b", Number: 1, StableSeq: 2}, {Name: "c", Number: 2},
	}}
	var order []string
	for _, revision := range inWriteOrder(before, next) {
		order = append(order, revision.Name)
	}
	if !slices.Equal(order, []string{"b", "a", "c"}) {
		t.Errorf("written in the order %v", order)
	}
}

func TestMemoryThatCannotBeReadStopsEverything(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	name := h.declare(t, rel, 1)
	stored := fetch(t, h, &appsv1.ControllerRevision{}, "shop", name)
	annotate(stored, annotationMemory, `{"stableSeq":"one"}`)
	if err := h.Update(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	h.ports.calls = nil
	obs := h.look(t, rel)
	if problem := obs.input.Spec.Refused; problem.Reason != rollout.ReasonRevisionLost || !strings.Contains(problem.Message, name) {
		t.Errorf("got %+v", problem)
	}
	if obs.account != nil || len(h.ports.calls) > 0 {
		t.Errorf("calls were made: %v", h.ports.calls)
	}
}

// Revisions of an object that was made again under the same name are not ours.
func TestOnlyOurOwnRevisions(t *testing.T) {
	former, rel := testRelease(), testRelease()
	former.UID = "uid-former"
	former.Spec.Version = "v0"
	h := newHarness(t, testClass(), rel)
	h.declare(t, former, 5)
	obs := h.look(t, rel)
	if len(obs.revisions) > 0 || len(obs.input.Memory.Revisions) > 0 {
		t.Errorf("another object's memory is read: %+v", obs.input.Memory)
	}
	if name := h.declare(t, rel, 1); name == "" || len(h.look(t, rel).revisions) != 1 {
		t.Error("our own is not")
	}
}

// A revision of an object that was made again has the name that it had in the former object. What that one left behind
// gives way, and nothing of its memory is taken over; what is somebody else's stays.
func TestWhatAFormerObjectLeftBehind(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(client.Object)
		kept  bool
	}{
		"the former object's": {func(client.Object) {}, false},
		"orphaned":            {func(o client.Object) { o.SetOwnerReferences(nil) }, false},
		"not labelled":        {func(o client.Object) { o.SetLabels(nil) }, true},
		"another's": {func(o client.Object) {
			o.SetOwnerReferences([]metav1.OwnerReference{{Kind: "Release", Name: "other", UID: "uid-other", Controller: new(true)}})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			former, rel := releaseWith(fromSecret), releaseWith(fromSecret)
			former.UID = "uid-former"
			h := newHarness(t, testClass(), rel, bootSecret("one"))
			revision := h.declare(t, former, 5)
			for _, object := range []client.Object{&appsv1.ControllerRevision{}, &corev1.Secret{}} {
				fetch(t, h, object, "shop", revision)
				test.spoil(object)
				annotate(object, annotationMemory, `{"stableSeq":9}`)
				if err := h.Update(t.Context(), object); err != nil {
					t.Fatal(err)
				}
			}
			obs := h.look(t, rel)
			err := h.recordTarget(t.Context(), rel, obs)
			if test.kept {
				if err == nil || !strings.Contains(err.Error(), revision) || obs.input.Spec.Target != "" || h.writes["delete"] > 0 {
					t.Errorf("got %v, target %q, writes %v", err, obs.input.Spec.Target, h.writes)
				}
				return
			}
			if err != nil || obs.input.Spec.Target != revision {
				t.Fatalf("got %v and target %q", err, obs.input.Spec.Target)
			}
			if r, _ := h.look(t, rel).remembered(revision); r.Name == "" || r.StableSeq != 0 {
				t.Errorf("memory %+v", r)
			}
			if !metav1.IsControlledBy(fetch(t, h, &corev1.Secret{}, "shop", revision), rel) {
				t.Error("the copy of the user data is still the former object's")
			}
		})
	}
}

func TestARecordThatWasWrittenByAPassThatDied(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	first, second := h.look(t, rel), h.look(t, rel)
	for _, obs := range []*observation{first, second} {
		if err := h.recordTarget(t.Context(), rel, obs); err != nil {
			t.Fatal(err)
		}
	}
	if first.input.Spec.Target == "" || first.input.Spec.Target != second.input.Spec.Target || len(second.revisions) != 1 {
		t.Errorf("targets %q and %q", first.input.Spec.Target, second.input.Spec.Target)
	}
}

// A fleet without a record is known by its servers. What must be known of it longer than one pass gets a place of its own.
func TestLostRevisions(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	h.run(rel, "i-1", "web-lost", rollout.RoleStable)
	obs := h.look(t, rel)
	want := rollout.Memory{Revisions: []rollout.Revision{{Name: "web-lost", Version: "v1", Image: "ami-0123456789abcdef0", Lost: true}}}
	if diff := cmp.Diff(want, obs.input.Memory); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := h.remember(t.Context(), obs, obs.input.Memory); err != nil || len(h.writes) > 0 {
		t.Errorf("there is nothing to remember, and it writes %v (%v)", h.writes, err)
	}
	remember := func(pools ...string) {
		t.Helper()
		obs := h.look(t, rel)
		if err := h.remember(t.Context(), obs, edited(obs.input.Memory, "web-lost", func(r *rollout.Revision) { r.Pools = pools })); err != nil {
			t.Fatal(err)
		}
	}
	remember(prodID)
	remember(prodID, testID)
	want.Revisions[0].Pools = []string{prodID, testID}
	obs = h.look(t, rel)
	if diff := cmp.Diff(want, obs.input.Memory); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, recorded := obs.record("web-lost"); recorded || obs.input.Spec.Target != "" {
		t.Errorf("it passes for recorded; target %q", obs.input.Spec.Target)
	}
	if h.writes["create"] != 1 || h.writes["update"] != 1 {
		t.Errorf("writes %v", h.writes)
	}
	h.ports.servers[0].State = rollout.StateTerminated
	for _, ago := range []time.Duration{0, hiddenFor} {
		h.Clock = func() time.Time { return testNow.Add(ago) }
		if err := h.prune(t.Context(), rel, h.look(t, rel)); err != nil {
			t.Fatal(err)
		}
		if left := len(h.look(t, rel).revisions); (left > 0) != (ago == 0) {
			t.Errorf("after %s: %d records of a fleet that is gone", ago, left)
		}
	}
}

// The spec still describes the fleet whose record was lost: recording it again makes it whole, with what was remembered.
func TestALostRevisionIsRecordedAgain(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	name := h.declare(t, rel, 1)
	h.run(rel, "i-1", name, rollout.RoleStable)
	if err := h.Delete(t.Context(), fetch(t, h, &appsv1.ControllerRevision{}, "shop", name)); err != nil {
		t.Fatal(err)
	}
	obs := h.look(t, rel)
	if r, _ := obs.remembered(name); !r.Lost || obs.input.Spec.Target != "" {
		t.Fatalf("the record is gone, and we have %+v", obs.input)
	}
	next := edited(obs.input.Memory, name, func(r *rollout.Revision) { r.StableSeq, r.Pools = 4, []string{prodID} })
	if err := h.remember(t.Context(), obs, next); err != nil {
		t.Fatal(err)
	}
	h.declare(t, rel, 2)
	obs = h.look(t, rel)
	r, _ := obs.remembered(name)
	if r.Lost || r.StableSeq != 4 || !slices.Equal(r.Pools, []string{prodID}) || r.Number != 2 || obs.input.Spec.Target != name {
		t.Errorf("got %+v, target %q", r, obs.input.Spec.Target)
	}
	if err := h.prune(t.Context(), rel, obs); err != nil {
		t.Fatal(err)
	}
	if left := h.look(t, rel).revisions; len(left) != 1 || left[0].Name != name {
		t.Errorf("the stopgap is still there: %d records", len(left))
	}
}
