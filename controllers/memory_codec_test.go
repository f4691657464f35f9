package controllers

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"slipway.dev/slipway/internal/rollout"
)

// fullRevision has every field set that an annotation keeps.
func fullRevision() rollout.Revision {
	at := func(minute int) time.Time { return testNow.Add(time.Duration(minute) * time.Minute) }
	return rollout.Revision{
		Name: "web-1", StableSeq: 3, Completed: true, Retired: true,
		Verdict:   rollout.Verdict{Reason: "PromotionFailed", Why: "it was late", At: at(1)},
		Promotion: rollout.Promotion{StartedAt: at(2), Cohort: []string{"i-1", "i-2"}, Pools: []string{"classic/eu/prod"}},
		GateAt:    at(3), LiveAt: at(4), Ready: rollout.Stopwatch{Spent: 90*time.Minute + 1, Since: at(5)}, Retry: "now", Stopped: at(6),
		Pools:   []string{"classic/eu/prod", "classic/eu/test"},
		Left:    []rollout.Leave{{Pools: []string{"classic/eu/prod"}, Servers: []string{"i-1", "i-2"}, Until: at(9)}},
		Adopted: []string{"i-8", "i-9"}, AdoptedAt: at(10),
		Launches: []rollout.Attempt{{
			Number: 1, Token: "t1", Subnet: "subnet-a", Type: "c7g.large", Role: rollout.RoleCandidate, Places: []int{0, 1}, At: at(7),
			Servers: []string{"i-1"},
		}, {
			Number: 2, Token: "t2", Subnet: "subnet-b", Type: "c6g.large", Role: rollout.RoleStable, Places: []int{1}, At: at(8), Open: true,
			Failure: rollout.Failure{Kind: rollout.FailureCapacity, Reason: "NoCapacity", Message: "no room"},
		}},
	}
}

// What is written here is read by the next version, and by the one before after a rollback of Slipway itself: never change
// a name in it.
const goldenMemory = `{"adopted":["i-8","i-9"],"adoptedAt":"2026-11-22T10:10:00Z","completed":true,"gateAt":"2026-11-22T10:03:00Z",` +
	`"launches":[{"at":"2026-11-22T10:07:00Z","number":1,"places":[0,1],"role":"candidate","servers":["i-1"],` +
	`"subnet":"subnet-a","token":"t1","type":"c7g.large"},` +
	`{"at":"2026-11-22T10:08:00Z","failure":{"kind":"capacity","message":"no room","reason":"NoCapacity"},"number":2,` +
	`"open":true,"places":[1],"role":"stable",` +
	`"subnet":"subnet-b","token":"t2","type":"c6g.large"}],` +
	`"left":[{"pools":["classic/eu/prod"],"servers":["i-1","i-2"],"until":"2026-11-22T10:09:00Z"}],"liveAt":"2026-11-22T10:04:00Z","pools":["classic/eu/prod","classic/eu/test"],` +
	`"promotion":{"cohort":["i-1","i-2"],"pools":["classic/eu/prod"],"startedAt":"2026-11-22T10:02:00Z"},` +
	`"ready":{"since":"2026-11-22T10:05:00Z","spentNanoseconds":5400000000001},"retired":true,"retry":"now","stableSeq":3,"stopped":"2026-11-22T10:06:00Z",` +
	`"verdict":{"at":"2026-11-22T10:01:00Z","reason":"PromotionFailed","why":"it was late"}}`

func TestMemoryTextNeverChanges(t *testing.T) {
	text, err := encodeMemory(fullRevision(), "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(goldenMemory, text); diff != "" {
		t.Errorf("the text of a memory changed (-want +got):\n%s", diff)
	}
	read := rollout.Revision{Name: "web-1"}
	if err := decodeMemory(goldenMemory, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullRevision(), read); diff != "" {
		t.Errorf("the text reads as another memory (-want +got):\n%s", diff)
	}
}

func TestNothingToRemember(t *testing.T) {
	text, err := encodeMemory(rollout.Revision{Name: "web-1", Version: "v1", Number: 4, Lost: true, Subnets: []string{"subnet-a"}}, "")
	if err != nil || text != "" {
		t.Errorf("got %q (%v), want no text", text, err)
	}
}

// anyRevision draws every field of the core's type by reflection, so that a field which the text does not keep is found.
func anyRevision() *rapid.Generator[rollout.Revision] {
	instant := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "never") {
			return time.Time{}
		}
		return testNow.Add(time.Duration(rapid.Int64Range(-1e18, 1e18).Draw(t, "at")))
	})
	return rapid.MakeCustom[rollout.Revision](rapid.MakeConfig{Types: map[reflect.Type]*rapid.Generator[any]{
		reflect.TypeFor[time.Time](): instant.AsAny(),
	}})
}

// notKept are the fields that the ControllerRevision itself says.
var notKept = cmpopts.IgnoreFields(rollout.Revision{}, "Name", "Version", "Image", "Number", "Lost", "Subnets", "InstanceTypes")

func TestMemoryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		revision, before := anyRevision().Draw(t, "revision"), anyRevision().Draw(t, "the one before")
		stored, err := encodeMemory(before, "")
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := encodeMemory(revision, "")
		if err != nil {
			t.Fatal(err)
		}
		over, err := encodeMemory(revision, stored)
		if err != nil {
			t.Fatal(err)
		}
		if fresh != over {
			t.Fatalf("what was stored before shines through:\nfresh %s\nover  %s", fresh, over)
		}
		var read rollout.Revision
		if err := decodeMemory(fresh, &read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(revision, read, notKept, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("a round trip loses something (-before +after):\n%s\n%s", diff, fresh)
		}
	})
}

func TestUnknownFieldsAreKept(t *testing.T) {
	stored := `{"future":{"a":1},"stableSeq":2,"liveAt":"2026-11-22T10:00:00Z","retired":false,
		"promotion":{"startedAt":"2026-11-22T10:00:00Z","wave":7},
		"verdict":{"reason":"PromotionFailed","ticket":"X-1"},
		"launches":[{"number":1,"token":"t1","zone":"eu-1a"},{"number":2,"token":"t2","zone":"eu-1b"}]}`
	var revision rollout.Revision
	if err := decodeMemory(stored, &revision); err != nil {
		t.Fatal(err)
	}
	revision.LiveAt = time.Time{}
	revision.StableSeq = 5
	revision.Verdict = rollout.Verdict{}
	revision.Promotion.Cohort = []string{"i-1"}
	revision.Launches = append(revision.Launches[1:], rollout.Attempt{Number: 3, Token: "t3"})
	got, err := encodeMemory(revision, stored)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"future":{"a":1},` +
		`"launches":[{"number":2,"token":"t2","zone":"eu-1b"},{"number":3,"token":"t3"}],` +
		`"promotion":{"cohort":["i-1"],"startedAt":"2026-11-22T10:00:00Z","wave":7},"retired":false,"stableSeq":5}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	again, err := encodeMemory(revision, got)
	if err != nil || again != got {
		t.Errorf("writing the same again changes the text (%v):\n%s\n%s", err, got, again)
	}
}

func TestBrokenMemory(t *testing.T) {
	for _, text := range []string{"{", "[]", `{"stableSeq":"three"}`, `{"liveAt":"yesterday"}`} {
		if err := decodeMemory(text, &rollout.Revision{}); err == nil || !strings.Contains(err.Error(), annotationMemory) {
			t.Errorf("%s: got %v, want an error that names the annotation", text, err)
		}
		if _, err := encodeMemory(fullRevision(), text); err == nil {
			t.Errorf("%s: it is written over although nobody knows what it says", text)
		}
	}
}

// What was decoded is kept from pass to pass; another text, another object and an object that is gone are not taken for it.
func TestDecodedRevisions(t *testing.T) {
	stored := appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Name: "web-1", UID: "one"}}
	stored.Data.Raw = []byte(`{"image":"ami-1"}`)
	decoded := decodedRevisions{}
	remembers := func(text string, want int64) {
		t.Helper()
		annotate(&stored, annotationMemory, text)
		kept := decoded.of(&stored)
		if kept.err != nil || kept.memory.StableSeq != want || kept.data.Image != "ami-1" {
			t.Errorf("%q: got %+v, want stableSeq %d of ami-1", text, kept, want)
		}
	}
	remembers("", 0)
	remembers(`{"stableSeq":3}`, 3)
	remembers(`{"stableSeq":4}`, 4)
	remembers(`{}`, 0)
	annotate(&stored, annotationMemory, "{")
	if kept := decoded.of(&stored); kept.err == nil || kept.memory.StableSeq != 0 {
		t.Errorf("got %+v of a text that cannot be read", kept)
	}
	again := *stored.DeepCopy()
	again.UID, again.Data.Raw = "two", []byte(`{"image":"ami-2"}`)
	if kept := decoded.of(&again); kept.data.Image != "ami-2" {
		t.Errorf("an object that was made again is taken for the former one: %+v", kept)
	}
	decoded.keep([]appsv1.ControllerRevision{again})
	if len(decoded) != 1 || decoded["two"] == nil {
		t.Errorf("kept %v, want the one that is there", decoded)
	}
}

// The API server takes 256 KiB of annotations for each object. The largest Release has 1000 servers.
func TestMemoryOfTheLargestFleetFits(t *testing.T) {
	revision := fullRevision()
	revision.Promotion.Cohort, revision.Launches = nil, nil
	id := func(i int) string { return fmt.Sprintf("i-%017x", i) }
	for i := range 1000 {
		revision.Promotion.Cohort = append(revision.Promotion.Cohort, id(i))
	}
	const perAttempt = 2 // a capacity famine: EC2 gives two servers a call
	for i := range 1000 / perAttempt {
		revision.Launches = append(revision.Launches, rollout.Attempt{
			Number: i, Token: strings.Repeat("f", 64), Subnet: "subnet-0123456789abcdef0", Type: "c7gn.16xlarge", Role: rollout.RoleCandidate,
			Places: []int{2 * i, 2*i + 1}, At: testNow, Servers: []string{id(2 * i), id(2*i + 1)},
		})
	}
	text, err := encodeMemory(revision, "")
	if err != nil {
		t.Fatal(err)
	}
	if limit := 200 * 1024; len(text) > limit {
		t.Errorf("%d bytes, of which at most %d should be used", len(text), limit)
	}
	t.Logf("%d bytes", len(text))
}
