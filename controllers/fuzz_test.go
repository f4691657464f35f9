package controllers

import (
	"encoding/json"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

// What people, other programs and other versions of Slipway wrote is read here, whatever it is. `make fuzz` looks for what does not
// hold; what it found is in testdata/fuzz, and played by `go test`.

// FuzzUserDataVariables: the three variables are replaced, and not one byte else; nothing in what they are replaced with is one.
func FuzzUserDataVariables(f *testing.F) {
	f.Add("#!/bin/sh\necho ${SLIPWAY_VERSION} ${SLIPWAY_RELEASE} ${SLIPWAY_REVISION} ${HOME}", "v1", "shop/web", "web-5f")
	f.Add("${SLIPWAY_${SLIPWAY_VERSION}}", "${SLIPWAY_RELEASE}", "$", "\x00")
	variables := regexp.MustCompile(`\$\{SLIPWAY_(?:VERSION|RELEASE|REVISION)\}`)
	f.Fuzz(func(t *testing.T, source, version, release, revision string) {
		want := variables.ReplaceAllStringFunc(source, func(variable string) string {
			return map[string]string{"${SLIPWAY_VERSION}": version, "${SLIPWAY_RELEASE}": release, "${SLIPWAY_REVISION}": revision}[variable]
		})
		got := renderUserData([]byte(source), version, release, revision)
		if utf8.ValidString(source) && string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
		problem := sizeProblem(got)
		if problem.Some() != (len(got) > maxUserData) || len(problem.Message) > 200 {
			t.Errorf("%d bytes: %+v", len(got), problem)
		}
	})
}

// FuzzMemory: a memory that can be read is kept as it is, what this version does not know included, and the core decides on it
// without falling; one that cannot be read is an error that names the annotation.
func FuzzMemory(f *testing.F) {
	f.Add(`{"stableSeq":1,"pools":["classic/us-east-1/prod"],"launches":[{"number":1,"token":"t","places":[0,1],"at":"2026-11-22T10:00:00Z","open":true}]}`)
	f.Add(`{"verdict":{"reason":"PromotionFailed"},"gateAt":"2026-11-22T10:00:00+23:59","launches":[{"number":-1,"new":{"number":[]}}],"new":[{"number":{}}]}`)
	f.Add(`{"promotion":{"startedAt":"0001-01-01T00:00:00Z","cohort":[""]},"ready":{"spentNanoseconds":-9223372036854775808},"Pools":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		first := rollout.Revision{Name: "web-1", Version: "v1", Number: 1, Image: "ami-1", Subnets: []string{"a"}, InstanceTypes: []string{"large"}}
		second := first
		if err := decodeMemory(text, &first); err != nil {
			if !strings.Contains(err.Error(), annotationMemory) {
				t.Errorf("%v does not name the annotation", err)
			}
			return
		}
		encoded, err := encodeMemory(first, text)
		if err != nil {
			return // a year that JSON does not hold, or a tree of another form: there is nothing to compare
		}
		if err := decodeMemory(encoded, &second); err != nil {
			t.Fatalf("%q, which we wrote, cannot be read: %v", encoded, err)
		}
		if a, b := mustJSON(t, noteOf(first)), mustJSON(t, noteOf(second)); a != b {
			t.Errorf("%q was read as\n%s, and written as %q is\n%s", text, a, encoded, b)
		}
		if again, err := encodeMemory(second, encoded); err != nil || again != encoded {
			t.Errorf("written again, %q is %q (%v)", encoded, again, err)
		}
		decidesAlike(t, first)
	})
}

// decidesAlike: the core has an answer to whatever is remembered, and always the same.
func decidesAlike(t *testing.T, revision rollout.Revision) {
	pool := rollout.Pool{ID: "classic/us-east-1/prod", Name: "edge", Use: rollout.UseProduction, Kind: rollout.KindClassic,
		Members: []rollout.Member{{Server: "i-1", State: rollout.MemberHealthy}}}
	for _, phase := range []rollout.Phase{rollout.PhaseNone, rollout.PhaseLive, rollout.PhaseRolledBack, rollout.PhaseComplete} {
		in := rollout.Input{
			Spec: rollout.Spec{Release: "shop/web", UID: "uid", Phase: phase, Version: "v1", Target: revision.Name, Replicas: 2, MinHealthyPercent: 100,
				Health: rollout.Health{Consecutive: 2, Timeout: time.Minute, LaunchTimeout: time.Minute, RollbackTimeout: time.Minute}},
			Memory: rollout.Memory{Revisions: []rollout.Revision{revision}}, Now: testNow,
			World: rollout.World{Pools: []rollout.Pool{pool}, Servers: []rollout.Server{
				{ID: "i-1", Revision: revision.Name, Version: "v1", Role: rollout.RoleStable, State: rollout.StateRunning},
			}},
		}
		if a, b := rollout.Decide(in), rollout.Decide(in); !reflect.DeepEqual(a.Actions, b.Actions) {
			t.Errorf("phase %s: %v and then %v", phase, a.Actions, b.Actions)
		}
	}
}

func mustJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// FuzzRevisionData: what is read of a ControllerRevision is the same after it was written again, under the same name.
func FuzzRevisionData(f *testing.F) {
	f.Add([]byte(`{"asWritten":{"version":"v1","image":{"id":"ami-0123456789abcdef0"},"template":{"instanceTypes":["c7g.large"],"subnetIDs":["subnet-a"]}},"image":"ami-1"}`), "web")
	f.Add([]byte(`{"asWritten":{"template":{"blockDeviceMappings":[{"deviceName":"/dev/sda1","ebs":{}}],"tags":{"a":""},"userData":{}}}}`), strings.Repeat("w", 300))
	f.Fuzz(func(t *testing.T, raw []byte, release string) {
		data, err := decodeRevision(&appsv1.ControllerRevision{Data: runtime.RawExtension{Raw: raw}})
		if err != nil || release == "" {
			return
		}
		name, err := revisionName(release, data)
		if err != nil {
			t.Fatal(err)
		}
		if len(name) > maxNameLength {
			t.Errorf("the name has %d bytes", len(name))
		}
		text, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeRevision(&appsv1.ControllerRevision{Data: runtime.RawExtension{Raw: text}})
		if err != nil {
			t.Fatalf("%q, which we wrote, cannot be read: %v", text, err)
		}
		if same, err := sameAsWritten(data.AsWritten, again.AsWritten); err != nil || !same {
			t.Errorf("%q is not %q (%v)", raw, text, err)
		}
		if other, err := revisionName(release, again); err != nil || other != name {
			t.Errorf("%q is called %s, and %q %s (%v)", raw, name, text, other, err)
		}
	})
}

// FuzzClaims: claims that can be read are the same after they were written again, each has one key, and what cannot be read claims
// nothing.
func FuzzClaims(f *testing.F) {
	f.Add(`{"classic/us-east-1/prod":{"since":"2026-11-22T10:00:00Z","use":"production","ref":"classic/prod"}}`, `{"class":"default","accountID":"123456789012","region":"us-east-1"}`)
	f.Add(`null`, `{}`)
	f.Add(`{"":{"since":"9999-12-31T23:59:59.999999999Z"}}`, `null`)
	f.Fuzz(func(t *testing.T, claims, place string) {
		stored := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{annotationClaims: claims, annotationPlace: place}}}
		read := readClaims(stored)
		text, err := claimsText(read)
		if err != nil {
			return // a year that JSON does not hold: there is nothing to compare
		}
		stored.Annotations[annotationClaims] = text
		again := readClaims(stored)
		if a, b := mustJSON(t, read), mustJSON(t, again); len(read) > 0 && a != b {
			t.Errorf("%q was read as %s, and written again as %s", claims, a, b)
		}
		joined := map[string]poolClaim{}
		addClaims(joined, read)
		keys := claimKeys(stored)
		if _, is := readPlace(stored); len(joined) != len(read) || is && len(keys) != len(again) || !slices.IsSorted(keys) {
			t.Errorf("%d claims, %d joined, keys %q", len(read), len(joined), keys)
		}
	})
}

// FuzzPatterns: an allow list takes what a glob takes, and the whole name only.
func FuzzPatterns(f *testing.F) {
	f.Add("prod-*", "prod-edge")
	f.Add("arn:aws:elasticloadbalancing:*:123456789012:targetgroup/web?/*", "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/web1/0123")
	f.Add("(?i)A|.*", "a")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(name) {
			return // neither comes from a JSON object
		}
		got := matches([]v1alpha1.Pattern{v1alpha1.Pattern(pattern)}, name)
		// path.Match keeps slashes apart, and knows classes and escapes.
		plain := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `/`, "\x00").Replace(pattern)
		want, err := path.Match(plain, strings.ReplaceAll(name, "/", "\x00"))
		if strings.Contains(pattern+name, "\x00") {
			return
		}
		if err != nil || got != want {
			t.Errorf("%q takes %q: %t, and should: %t (%v)", pattern, name, got, want, err)
		}
		if names := []string{name}; (notAllowed("spec.pools", []v1alpha1.Pattern{v1alpha1.Pattern(pattern)}, names) == "") != got {
			t.Errorf("what is not allowed differs from what is")
		}
	})
}

// FuzzTexts: whatever AWS and people say fits where it is shown.
func FuzzTexts(f *testing.F) {
	f.Add("arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef", 10)
	f.Add("classic/eu-central-1/web", 3)
	f.Add("ü\xff\xfe€", 4)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 3 + limit&1023
		if got := cut(text, limit); utf8.RuneCountInString(got) > limit {
			t.Errorf("%q has %d characters of %d", got, utf8.RuneCountInString(got), limit)
		}
		if got := cutBytes(text, limit); len(got) > limit || utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("%q has %d bytes of %d", got, len(got), limit)
		}
		if got := releaseLabel(text); len(got) > maxNameLength {
			t.Errorf("the label %q has %d bytes", got, len(got))
		}
		if last := lastPart(text); !strings.Contains(text, last) {
			t.Errorf("%q is no part of %q", last, text)
		}
		if namespace, name, ok := splitRelease(text); ok && namespace+"/"+name != text {
			t.Errorf("%q is %q and %q", text, namespace, name)
		}
		h := event{note: text}
		if key := h.key(); key.note != text {
			t.Errorf("an event's key says %q", key.note)
		}
	})
}
