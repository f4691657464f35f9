package controllers

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

func TestRenderUserData(t *testing.T) {
	for source, want := range map[string]string{
		"": "",
		"v=${SLIPWAY_VERSION} r=${SLIPWAY_RELEASE} n=${SLIPWAY_REVISION}": "v=v1 r=shop/web n=web-1",
		"${SLIPWAY_VERSION}${SLIPWAY_VERSION}":                            "v1v1",
		"$SLIPWAY_VERSION ${SLIPWAY} ${HOME} $${SLIPWAY_VERSION}":         "$SLIPWAY_VERSION ${SLIPWAY} ${HOME} $v1",
		"${SLIPWAY_${SLIPWAY_VERSION}}":                                   "${SLIPWAY_v1}",
		"\x00\xff${SLIPWAY_VERSION}":                                      "\x00\xffv1",
	} {
		if got := string(renderUserData([]byte(source), "v1", "shop/web", "web-1")); got != want {
			t.Errorf("%q: got %q, want %q", source, got, want)
		}
	}
	if got := string(renderUserData([]byte("${SLIPWAY_VERSION}"), "${SLIPWAY_RELEASE}", "shop/web", "")); got != "${SLIPWAY_RELEASE}" {
		t.Errorf("what was put in is replaced again: %q", got)
	}
}

// bootSecret is a Secret with user data.
func bootSecret(source string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "boot"}, Data: map[string][]byte{"userdata": []byte(source)}}
}

// releaseWith is a Release with user data from somewhere.
func releaseWith(from v1alpha1.UserData) *v1alpha1.Release {
	rel := testRelease()
	rel.Spec.Template.UserData = &from
	return rel
}

var fromSecret = v1alpha1.UserData{SecretRef: &v1alpha1.KeyReference{Name: "boot", Key: "userdata"}}

func TestUserDataThatCannotBeHad(t *testing.T) {
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "boot"}, Data: map[string]string{"other": "x"}}
	for name, test := range map[string]struct {
		from    v1alpha1.UserData
		objects []client.Object
		reason  string
		words   string
	}{
		"no Secret": {fromSecret, nil, rollout.ReasonSecretNotFound, "Secret shop/boot"},
		"no key": {
			v1alpha1.UserData{SecretRef: &v1alpha1.KeyReference{Name: "boot", Key: "nothing"}}, []client.Object{bootSecret("s3cret")},
			rollout.ReasonSecretKeyNotFound, "nothing",
		},
		"no ConfigMap": {
			v1alpha1.UserData{ConfigMapRef: &v1alpha1.KeyReference{Name: "boot", Key: "x"}}, nil, v1alpha1.ReasonConfigMapNotFound,
			"ConfigMap shop/boot",
		},
		"no key in it": {
			v1alpha1.UserData{ConfigMapRef: &v1alpha1.KeyReference{Name: "boot", Key: "x"}}, []client.Object{config},
			v1alpha1.ReasonConfigMapKeyNotFound, "ConfigMap shop/boot",
		},
		"too large": {fromSecret, []client.Object{bootSecret("s3cret" + strings.Repeat("x", 20000))}, rollout.ReasonUserDataTooLarge, "20006 bytes"},
		"grows too big": {
			fromSecret, []client.Object{bootSecret("s3cret" + strings.Repeat("x", 16370) + "${SLIPWAY_REVISION}")}, rollout.ReasonUserDataTooLarge,
			"16390 bytes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			rel := releaseWith(test.from)
			h := newHarness(t, append(test.objects, testClass(), rel)...)
			obs := h.look(t, rel)
			if err := h.recordTarget(t.Context(), rel, obs); err != nil {
				t.Fatal(err)
			}
			problem := obs.input.Spec.Unresolved
			if problem.Reason != test.reason || !strings.Contains(problem.Message, test.words) || strings.Contains(problem.Message, "s3cret") {
				t.Errorf("got %+v, want reason %s and %q in the message, and nothing of the user data", problem, test.reason, test.words)
			}
			if len(h.writes) > 0 || obs.input.Spec.Target != "" {
				t.Errorf("something was recorded: %q, writes %v", obs.input.Spec.Target, h.writes)
			}
		})
	}
}

func TestUserDataIsFrozen(t *testing.T) {
	config := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "boot"},
		Data:       map[string]string{"userdata": "start ${SLIPWAY_VERSION}"}, BinaryData: map[string][]byte{"zipped": {0x1f, 0x8b}},
	}
	for name, test := range map[string]struct {
		from v1alpha1.UserData
		want string
	}{
		"inline":      {v1alpha1.UserData{Inline: "start ${SLIPWAY_VERSION}"}, "start v1"},
		"Secret":      {fromSecret, "start v1"},
		"ConfigMap":   {v1alpha1.UserData{ConfigMapRef: &v1alpha1.KeyReference{Name: "boot", Key: "userdata"}}, "start v1"},
		"binary data": {v1alpha1.UserData{ConfigMapRef: &v1alpha1.KeyReference{Name: "boot", Key: "zipped"}}, "\x1f\x8b"},
	} {
		t.Run(name, func(t *testing.T) {
			rel := releaseWith(test.from)
			secret := bootSecret("start ${SLIPWAY_VERSION}")
			h := newHarness(t, testClass(), rel, secret, config.DeepCopy())
			revision := h.declare(t, rel, 1)
			for _, source := range []client.Object{secret, config} { // what happens to the source later does not matter
				if err := client.IgnoreNotFound(h.Delete(t.Context(), source)); err != nil {
					t.Fatal(err)
				}
			}
			obs := h.look(t, rel)
			if obs.input.Spec.Target != revision {
				t.Errorf("without the source the target is %q", obs.input.Spec.Target)
			}
			request, err := h.launchRequest(t.Context(), rel, obs, launchOf(revision))
			if err != nil || string(request.UserData) != test.want {
				t.Errorf("got %q (%v), want %q", request.UserData, err, test.want)
			}
		})
	}
}

func TestTheCopyIsImmutableAndOwned(t *testing.T) {
	rel := releaseWith(fromSecret)
	h := newHarness(t, testClass(), rel, bootSecret("one"))
	revision := h.declare(t, rel, 1)
	copied := fetch(t, h, &corev1.Secret{}, "shop", revision)
	if copied.Immutable == nil || !*copied.Immutable || !metav1.IsControlledBy(copied, rel) || copied.Labels[labelRelease] != "web" {
		t.Errorf("the copy is immutable %v, owned by %v, labelled %v", copied.Immutable, copied.OwnerReferences, copied.Labels)
	}
	if err := h.copyUserData(t.Context(), rel, revision, []byte("one")); err != nil {
		t.Errorf("copying the same again: %v", err)
	}
	if err := h.copyUserData(t.Context(), rel, revision, []byte("two")); err == nil || strings.Contains(err.Error(), "two") {
		t.Errorf("a copy of something else is written over, or shown: %v", err)
	}
}

// A copy that is gone is made again from its source as long as that still says the same; else nothing is launched.
func TestALostCopy(t *testing.T) {
	for name, test := range map[string]struct {
		source string
		copy   string // empty: deleted
		healed bool
	}{
		"source as it was":       {source: "one", healed: true},
		"source edited":          {source: "two"},
		"copy exchanged":         {source: "one", copy: "evil"},
		"copy put back":          {source: "two", copy: "one", healed: true},
		"copy and source edited": {source: "two", copy: "two"},
	} {
		t.Run(name, func(t *testing.T) {
			rel := releaseWith(fromSecret)
			h := newHarness(t, testClass(), rel, bootSecret("one"))
			revision := h.declare(t, rel, 1)
			replace := func(name, text string) {
				secret := fetch(t, h, &corev1.Secret{}, "shop", name)
				if err := h.Delete(t.Context(), secret); err != nil {
					t.Fatal(err)
				}
				secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Data: map[string][]byte{"userdata": []byte(text)}}
				if text == "" {
					return
				}
				if err := h.Create(t.Context(), secret); err != nil {
					t.Fatal(err)
				}
			}
			replace("boot", test.source)
			replace(revision, test.copy)
			request, err := h.launchRequest(t.Context(), rel, h.look(t, rel), launchOf(revision))
			if test.healed {
				if err != nil || string(request.UserData) != "one" {
					t.Errorf("got %q (%v)", request.UserData, err)
				}
				return
			}
			var refused *cloud.Error
			if !errors.As(err, &refused) || refused.Reason != rollout.ReasonSecretNotFound || len(request.UserData) > 0 {
				t.Errorf("got %v and %q, want a refusal", err, request.UserData)
			}
		})
	}
}

// User data may hold secrets: whatever is printed of it must be printed nowhere.
func TestNobodyPrintsUserData(t *testing.T) {
	rel := releaseWith(fromSecret)
	h := newHarness(t, testClass(), rel, bootSecret("s3cret"))
	revision := h.declare(t, rel, 1)
	request, err := h.launchRequest(t.Context(), rel, h.look(t, rel), launchOf(revision))
	if err != nil || !bytes.Contains(request.UserData, []byte("s3cret")) {
		t.Fatalf("no user data in the request: %v", err)
	}
	if text := fmt.Sprint(request); strings.Contains(text, "s3cret") {
		t.Errorf("the request prints as %s", text)
	}
	stored := h.look(t, rel).stored(revision)
	if text := string(stored.Data.Raw) + fmt.Sprint(stored.Annotations); strings.Contains(text, "s3cret") {
		t.Errorf("the ControllerRevision holds it: %s", text)
	}
}
