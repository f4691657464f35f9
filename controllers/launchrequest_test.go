package controllers

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// launchOf is a launch of two servers of the revision.
func launchOf(revision string) rollout.Launch {
	return rollout.Launch{Revision: revision, Attempt: rollout.Attempt{
		Number: 1, Token: "token-1", Subnet: "subnet-b", Type: "c6g.large", Role: rollout.RoleCandidate, Places: []int{0, 2},
	}}
}

func TestLaunchRequest(t *testing.T) {
	rel := testRelease()
	rel.Spec.Template = fullTemplate()
	rel.Spec.Template.UserData = &v1alpha1.UserData{Inline: "start ${SLIPWAY_VERSION} of ${SLIPWAY_RELEASE}"}
	rel.Spec.Template.Tags = map[string]v1alpha1.TagValue{"team": "shop", "Name": "the web"}
	h := newHarness(t, testClass(), rel)
	revision := h.declare(t, rel, 1)
	recorded := rel.DeepCopy()
	rel.Spec.Version, rel.Spec.Template = "v2", testRelease().Spec.Template // the next version is declared meanwhile
	got, err := h.launchRequest(t.Context(), rel, h.look(t, rel), launchOf(revision))
	if err != nil {
		t.Fatal(err)
	}
	want := cloud.LaunchRequest{
		Token: "token-1", Count: 2, Image: "ami-0123456789abcdef0", Type: "c6g.large", Subnet: "subnet-b",
		SecurityGroups: []string{"sg-1"}, InstanceProfile: "web", KeyName: "ops", UserData: []byte("start v1 of shop/web"),
		Metadata: cloud.Metadata{HTTPTokens: "optional", HopLimit: 2},
		BlockDevices: []cloud.BlockDevice{{
			Device: "/dev/xvda", SizeGiB: 20, VolumeType: "gp3", IOPS: 3000, Throughput: 125, Encrypted: new(false), KMSKeyID: "alias/web",
			SnapshotID: "snap-0123456789abcdef0", DeleteOnTermination: new(true),
		}},
		Tags: map[string]string{
			"slipway.dev/cluster": "cluster-1", "slipway.dev/release": "shop/web", "slipway.dev/owner": "uid-web", "slipway.dev/revision": revision,
			"slipway.dev/version": "v1", "slipway.dev/role": "candidate", "Name": "the web", "team": "shop",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again, err := h.launchRequest(t.Context(), recorded, h.look(t, recorded), launchOf(revision))
	if diff := cmp.Diff(got, again); err != nil || diff != "" {
		t.Errorf("a replay is another request, which EC2 refuses (%v):\n%s", err, diff)
	}
}

func TestLaunchDefaults(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	revision := h.declare(t, rel, 1)
	got, err := h.launchRequest(t.Context(), rel, h.look(t, rel), launchOf(revision))
	if err != nil {
		t.Fatal(err)
	}
	if want := (cloud.Metadata{HTTPTokens: "required", HopLimit: 1}); got.Metadata != want {
		t.Errorf("metadata options %+v, want %+v", got.Metadata, want)
	}
	if len(got.UserData) > 0 || got.Tags["Name"] != revision {
		t.Errorf("user data %q, Name %q", got.UserData, got.Tags["Name"])
	}
}

// Our tags cannot be set by a template, whatever the CRD lets through.
func TestOurTagsAreOurs(t *testing.T) {
	rel := testRelease()
	rel.Spec.Template.Tags = map[string]v1alpha1.TagValue{}
	h := newHarness(t, testClass(), rel)
	ours := h.serverTags(rel, "web-1", "v1", rollout.RoleStable)
	for _, key := range slices.Collect(maps.Keys(ours)) {
		if key != cloud.TagName {
			rel.Spec.Template.Tags[key] = "forged"
		}
	}
	revision := h.declare(t, rel, 1)
	got, err := h.launchRequest(t.Context(), rel, h.look(t, rel), launchOf(revision))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range got.Tags {
		if value == "forged" {
			t.Errorf("the template set %s", key)
		}
	}
}

// A class that was narrowed lets nothing be launched that it does not allow any more, also for a fleet that runs.
func TestANarrowedClassRefusesLaunches(t *testing.T) {
	for named, narrow := range map[string]func(*v1alpha1.ReleaseClassSpec){
		"subnet-a":  func(c *v1alpha1.ReleaseClassSpec) { c.Subnets = []v1alpha1.Pattern{"subnet-z"} },
		testAccount: func(c *v1alpha1.ReleaseClassSpec) { c.ImageOwners = nil },
	} {
		rel, class := testRelease(), testClass()
		h := newHarness(t, class, rel)
		revision := h.declare(t, rel, 1)
		obs := h.look(t, rel)
		narrow(&obs.class.Spec)
		_, err := h.launchRequest(t.Context(), rel, obs, launchOf(revision))
		if err == nil || cloud.KindOf(err) != cloud.Denied || !tells(problemOf(err, ""), rollout.ReasonNotAllowedByClass, named) {
			t.Errorf("got %v, want a refusal that names %s", err, named)
		}
	}
}

func TestALostRevisionIsNotLaunched(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	h.run(rel, "i-1", "web-gone", rollout.RoleStable)
	_, err := h.launchRequest(t.Context(), rel, h.look(t, rel), launchOf("web-gone"))
	if err == nil || !strings.Contains(err.Error(), "web-gone") {
		t.Errorf("got %v", err)
	}
}
