package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// classNamed is a class with another name, changed.
func classNamed(name string, change func(*v1alpha1.ReleaseClass)) *v1alpha1.ReleaseClass {
	class := testClass()
	class.Name = name
	change(class)
	return class
}

func asDefault(class *v1alpha1.ReleaseClass) {
	class.Annotations = map[string]string{v1alpha1.AnnotationDefaultClass: "true"}
}

func TestWhatAClassRefuses(t *testing.T) {
	unnamed := testRelease()
	unnamed.Spec.ClassName = ""
	long := testRelease()
	long.Name = strings.Repeat("x", 253)
	narrow := func(selector *v1alpha1.NamespaceSelector) client.Object {
		return classNamed("default", func(c *v1alpha1.ReleaseClass) { c.Spec.AllowedNamespaces = selector })
	}
	teamPay := map[string]v1alpha1.LabelValue{"team": "pay"}
	for name, test := range map[string]struct {
		rel     *v1alpha1.Release
		classes []client.Object
		reason  string
		words   []string
	}{
		"no such class": {testRelease(), nil, rollout.ReasonClassNotFound, []string{"ReleaseClass default"}},
		"no default":    {unnamed, []client.Object{testClass()}, v1alpha1.ReasonNoDefaultClass, []string{v1alpha1.AnnotationDefaultClass}},
		"two defaults": {
			unnamed, []client.Object{classNamed("b", asDefault), classNamed("a", asDefault)}, v1alpha1.ReasonManyDefaultClasses, []string{"a, b"},
		},
		"no namespace": {testRelease(), []client.Object{narrow(nil)}, rollout.ReasonNotAllowedByClass, []string{"namespace shop"}},
		"another namespace": {
			testRelease(), []client.Object{narrow(&v1alpha1.NamespaceSelector{MatchLabels: teamPay})}, rollout.ReasonNotAllowedByClass,
			[]string{"namespace shop"},
		},
		"a broken selector": {
			testRelease(),
			[]client.Object{narrow(&v1alpha1.NamespaceSelector{MatchExpressions: []v1alpha1.NamespaceRequirement{{Key: "a", Operator: "?"}}})},
			rollout.ReasonNotAllowedByClass, []string{"allowedNamespaces"},
		},
		"a class on its way": {
			testRelease(),
			[]client.Object{classNamed("default", func(c *v1alpha1.ReleaseClass) { c.DeletionTimestamp = &metav1.Time{Time: testNow} })},
			rollout.ReasonClassNotFound, []string{"deleted"},
		},
		"a pool": {
			testRelease(), []client.Object{classNamed("default", func(c *v1alpha1.ReleaseClass) { c.Spec.Pools = []v1alpha1.Pattern{"test"} })},
			rollout.ReasonNotAllowedByClass, []string{"edge", "prod"},
		},
		"namespace and name": {long, []client.Object{testClass()}, v1alpha1.ReasonNameTooLong, []string{"258", "256"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, append(test.classes, test.rel)...)
			obs := h.look(t, test.rel)
			problem := obs.input.Spec.Refused
			if problem.Reason != test.reason {
				t.Errorf("got %+v, want reason %s", problem, test.reason)
			}
			for _, word := range test.words {
				if !strings.Contains(problem.Message, word) {
					t.Errorf("%q does not say %q", problem.Message, word)
				}
			}
			if obs.account != nil || len(h.ports.calls) > 0 || len(h.ports.opened) > 0 {
				t.Errorf("calls were made or can be: %v, %v", h.ports.calls, h.ports.opened)
			}
			if world := obs.input.World; world.ServersErr == "" || len(world.Pools) != 2 || world.Pools[0].Readable() || world.Pools[1].Readable() {
				t.Errorf("what was not read passes for empty: %+v", world)
			}
		})
	}
}

func TestTheClassThatAReleaseMeans(t *testing.T) {
	rel := testRelease()
	rel.Spec.ClassName = ""
	first := classNamed("first", asDefault)
	first.Spec.RoleARN, first.Spec.ExternalID, first.Spec.MaxServersPerRelease, first.Spec.EventsQueue = "arn:role", "x", 7, "events"
	h := newHarness(t, first, classNamed("other", func(*v1alpha1.ReleaseClass) {}), rel)
	obs := h.look(t, rel)
	if obs.class == nil || obs.class.Name != "first" || obs.input.Spec.MaxServers != 7 || obs.input.Spec.Refused.Some() {
		t.Fatalf("class %v, %+v", obs.class, obs.input.Spec)
	}
	want := cloud.Class{Name: "first", Region: testRegion, AccountID: testAccount, RoleARN: "arn:role", ExternalID: "x", Cluster: testCluster}
	if got := h.ports.opened[0]; got != want {
		t.Errorf("opened %+v, want %+v", got, want)
	}
	h.declare(t, rel, 1)
	other := fetch(t, h, &v1alpha1.ReleaseClass{}, "", "other")
	asDefault(other)
	if err := h.Update(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if obs := h.look(t, rel); obs.class == nil || obs.class.Name != "first" || obs.input.Spec.Refused.Some() {
		t.Errorf("another default moved a Release that runs: %v, %+v", obs.class, obs.input.Spec.Refused)
	}
}

func TestAClassThatIsAnother(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.ReleaseClass){
		"account": func(c *v1alpha1.ReleaseClass) { c.Spec.AccountID = "210987654321" },
		"region":  func(c *v1alpha1.ReleaseClass) { c.Spec.Region = "us-east-1" },
	} {
		t.Run(name, func(t *testing.T) {
			rel := testRelease()
			h := newHarness(t, testClass(), rel)
			h.declare(t, rel, 1)
			class := fetch(t, h, &v1alpha1.ReleaseClass{}, "", "default")
			change(class)
			if err := h.Update(t.Context(), class); err != nil {
				t.Fatal(err)
			}
			h.ports.calls, h.ports.opened, h.ports.account = nil, nil, class.Spec.AccountID
			obs := h.look(t, rel)
			problem := obs.input.Spec.Refused
			if !tells(problem, rollout.ReasonClassChanged, testAccount, class.Spec.AccountID) {
				t.Errorf("got %+v", problem)
			}
			if obs.account != nil || len(h.ports.calls) > 0 || len(h.ports.opened) > 0 {
				t.Errorf("calls were made in another place: %v", h.ports.calls)
			}
		})
	}
}

func TestAClassThatWasEditedOrComesBack(t *testing.T) {
	rel, class := testRelease(), testClass()
	class.Finalizers = nil
	h := newHarness(t, class, rel)
	h.declare(t, rel, 1)
	held := fetch(t, h, &v1alpha1.ReleaseClass{}, "", "default")
	if len(held.Finalizers) == 0 {
		t.Error("a class that servers are launched in can be removed")
	}
	held.Finalizers, held.Spec.RoleARN = nil, "arn:another"
	if err := h.Update(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	if obs := h.look(t, rel); obs.input.Spec.Refused.Some() || h.ports.opened[len(h.ports.opened)-1].RoleARN != "arn:another" {
		t.Errorf("another role is no other place: %+v", obs.input.Spec.Refused)
	}
	if err := h.Delete(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	problem := h.look(t, rel).input.Spec.Refused
	if problem.Reason != rollout.ReasonClassNotFound || !strings.Contains(problem.Message, testAccount) || !strings.Contains(problem.Message, testRegion) {
		t.Errorf("the message does not say what to make again: %+v", problem)
	}
	if err := h.Create(t.Context(), testClass()); err != nil {
		t.Fatal(err)
	}
	if obs := h.look(t, rel); obs.input.Spec.Refused.Some() || obs.input.Spec.Target == "" {
		t.Errorf("the class is back, and still: %+v", obs.input.Spec.Refused)
	}
}

func TestWhoseCredentials(t *testing.T) {
	denied := &cloud.Error{Kind: cloud.Denied, Thing: "role", Code: "AccessDenied", Message: "not authorized to perform sts:AssumeRole"}
	throttled := &cloud.Error{Kind: cloud.Throttled, Thing: "sts", Code: "Throttling", Message: "Rate exceeded"}
	for name, test := range map[string]struct {
		account string
		err     error
		reason  string
		words   string
		passing bool
	}{
		"ours":       {account: testAccount},
		"another":    {account: "210987654321", reason: rollout.ReasonWrongAccount, words: "210987654321"},
		"denied":     {err: denied, reason: rollout.ReasonAccessDenied, words: "sts:AssumeRole"},
		"throttled":  {err: throttled, reason: rollout.ReasonThrottled, words: "Rate exceeded", passing: true},
		"unanswered": {err: errUnanswered, reason: v1alpha1.ReasonRetrying, words: errUnanswered.Error(), passing: true},
	} {
		t.Run(name, func(t *testing.T) {
			rel := testRelease()
			h := newHarness(t, testClass(), rel)
			h.ports.account, h.ports.identity = test.account, test.err
			obs := h.look(t, rel)
			if got := obs.input.Spec.Refused; got.Reason != test.reason || !strings.Contains(got.Message, test.words) || got.Passing != test.passing {
				t.Errorf("got %+v", got)
			}
			if refused := test.reason != ""; refused != (obs.account == nil) || refused != (len(h.ports.calls) == 0) {
				t.Errorf("account %v, calls %v", obs.account, h.ports.calls)
			}
		})
	}
}

// An outage of STS does not hold up a rollback; that somebody took our permission away does.
func TestAnAccountIsTrustedForAWhile(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	now := testNow
	h.Clock = func() time.Time { return now }
	h.look(t, rel)
	h.ports.identity = errUnanswered
	now = testNow.Add(59 * time.Minute)
	if problem := h.look(t, rel).input.Spec.Refused; problem.Some() {
		t.Errorf("an outage of STS stops everything: %+v", problem)
	}
	h.ports.identity = fmt.Errorf("asking: %w", &cloud.Error{Kind: cloud.Denied, Code: "AccessDenied"})
	if problem := h.look(t, rel).input.Spec.Refused; problem.Reason != rollout.ReasonAccessDenied {
		t.Errorf("got %+v", problem)
	}
	h.ports.identity = errUnanswered
	now = testNow.Add(2 * time.Hour)
	if problem := h.look(t, rel).input.Spec.Refused; !problem.Some() {
		t.Error("the account is trusted for ever")
	}
}

// What was allowed once can be taken away again: a Release can be deleted in a namespace, and from pools, that the class
// does not allow any more.
func TestDeletionNeedsNoAllowance(t *testing.T) {
	rel := testRelease()
	rel.Spec.DeletionPolicy = v1alpha1.DeletionTerminate
	h := newHarness(t, testClass(), rel)
	name := h.declare(t, rel, 1)
	h.run(rel, "i-1", name, rollout.RoleStable)
	obs := h.look(t, rel)
	if err := h.remember(t.Context(), obs, edited(obs.input.Memory, name, func(r *rollout.Revision) { r.Pools = []string{prodID} })); err != nil {
		t.Fatal(err)
	}
	class := fetch(t, h, &v1alpha1.ReleaseClass{}, "", "default")
	class.Spec.Pools, class.Spec.AllowedNamespaces = nil, nil
	if err := h.Update(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	if problem := h.look(t, rel).input.Spec.Refused; problem.Reason != rollout.ReasonNotAllowedByClass {
		t.Fatalf("the narrowed class refuses nothing: %+v", problem)
	}
	rel.DeletionTimestamp = &metav1.Time{Time: testNow}
	obs = h.look(t, rel)
	if obs.input.Spec.Refused.Some() || obs.account == nil {
		t.Errorf("deletion is refused: %+v", obs.input.Spec.Refused)
	}
	if pools := obs.input.World.Pools; len(pools) != 1 || pools[0].ID != prodID {
		t.Errorf("pools %+v, want only the one that servers were in", pools)
	}
}
