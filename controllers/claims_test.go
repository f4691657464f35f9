package controllers

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/rollout"
)

func TestWhoHoldsAPool(t *testing.T) {
	const production, test = rollout.UseProduction, rollout.UseTest
	early, late := testNow, testNow.Add(time.Hour)
	for name, c := range map[string]struct {
		ours   stake
		others []stake
		want   string // the release that keeps us out
	}{
		"nobody else":                {stake{use: production}, nil, ""},
		"a newcomer":                 {stake{uid: "b", use: production}, []stake{{release: "x", uid: "a", use: production, since: late}}, "x"},
		"a newcomer for a test pool": {stake{uid: "b", use: test}, []stake{{release: "x", uid: "a", use: production, since: late}}, "x"},
		"production of a test pool":  {stake{uid: "b", use: production}, []stake{{release: "x", uid: "a", use: test, since: late}}, "x"},
		"a shared test pool":         {stake{uid: "b", use: test}, []stake{{release: "x", uid: "a", use: test, since: early, registered: true}}, ""},
		"our claim is older":         {stake{uid: "b", use: production, since: early}, []stake{{release: "x", uid: "a", use: production, since: late}}, ""},
		"our claim is younger":       {stake{uid: "a", use: production, since: late}, []stake{{release: "x", uid: "b", use: production, since: early}}, "x"},
		"equal claims, higher uid": {
			stake{uid: "b", use: production, since: early}, []stake{{release: "x", uid: "a", use: production, since: early}}, "x",
		},
		"equal claims, lower uid": {stake{uid: "a", use: production, since: early}, []stake{{release: "x", uid: "b", use: production, since: early}}, ""},
		"their servers are there": {
			stake{uid: "a", use: production, since: early}, []stake{{release: "x", uid: "b", use: production, since: late, registered: true}}, "x",
		},
		"servers without a claim": {
			stake{uid: "a", use: production, since: early}, []stake{{release: "x", uid: "b", use: production, registered: true}}, "x",
		},
		"our servers are there": {
			stake{uid: "b", use: production, since: late, registered: true}, []stake{{release: "x", uid: "a", use: production, since: early}}, "",
		},
		"both are there, nobody yields": {
			stake{uid: "b", use: production, since: late, registered: true},
			[]stake{{release: "x", uid: "a", use: production, since: early, registered: true}}, "",
		},
		"the strongest is named": {stake{uid: "z", use: production}, []stake{
			{release: "x", uid: "a", use: production, since: early}, {release: "y", uid: "b", use: production, since: late, registered: true}}, "y"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if by := holder(c.ours, c.others); by != nil {
				got = by.release
			}
			if got != c.want {
				t.Errorf("held by %q, want %q", got, c.want)
			}
		})
	}
}

// Of two Releases that see each other's claims never both go on and never both give way, unless servers of both are in
// the pool already.
func TestExactlyOneHolds(t *testing.T) {
	anyStake := func(uid string) *rapid.Generator[stake] {
		return rapid.Custom(func(t *rapid.T) stake {
			return stake{
				release: uid, uid: uid, use: rapid.SampledFrom([]rollout.PoolUse{rollout.UseProduction, rollout.UseTest}).Draw(t, "use"),
				since: testNow.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "since")) * time.Second), registered: rapid.Bool().Draw(t, "registered"),
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyStake("a").Draw(t, "a"), anyStake("b").Draw(t, "b")
		aOut, bOut := holder(a, []stake{b}) != nil, holder(b, []stake{a}) != nil
		contested := a.use == rollout.UseProduction || b.use == rollout.UseProduction
		switch {
		case aOut && bOut:
			t.Fatal("both give way")
		case contested && !aOut && !bOut && (!a.registered || !b.registered):
			t.Fatal("both go on")
		case !contested && (aOut || bOut):
			t.Fatal("a shared test pool keeps somebody out")
		}
	})
}

func TestClaimsText(t *testing.T) {
	claims := map[string]poolClaim{"classic/eu/prod": {Since: testNow, Use: rollout.UseProduction, Ref: "classic/prod"}}
	text, err := claimsText(claims)
	if want := `{"classic/eu/prod":{"since":"2026-11-22T10:00:00Z","use":"production","ref":"classic/prod"}}`; err != nil || text != want {
		t.Errorf("got %s (%v), want %s", text, err, want)
	}
	if text, err := claimsText(nil); text != "" || err != nil {
		t.Errorf("no claims are written as %q (%v)", text, err)
	}
}

const (
	prodID = "classic/eu-central-1/prod"
	testID = "classic/eu-central-1/test"
)

// rival is another Release with the same pools.
func rival() *v1alpha1.Release {
	other := testRelease()
	other.Namespace, other.Name, other.UID = "pay", "checkout", "uid-checkout"
	return other
}

func TestANewcomerIsRefused(t *testing.T) {
	holding, newcomer := testRelease(), rival()
	h := newHarness(t, testClass(), holding, newcomer)
	h.declare(t, holding, 1)
	obs := h.look(t, newcomer)
	problem := obs.input.Spec.Refused
	if !tells(problem, rollout.ReasonPoolHeldByAnother, "shop/web", "classic/prod") {
		t.Fatalf("got %+v, want the pool and its holder named", problem)
	}
	if obs.account != nil {
		t.Error("calls can be made although the pool is another's")
	}
	if got := obs.pools[prodID].heldBy; got != "shop/web" {
		t.Errorf("held by %q", got)
	}
	if problem := h.look(t, holding).input.Spec.Refused; problem.Some() {
		t.Errorf("the holder is refused too: %+v", problem)
	}
}

func TestAClaimEndsWithItsReason(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *harness, *v1alpha1.Release){
		"the pool left the spec": func(t *testing.T, h *harness, holding *v1alpha1.Release) {
			h.ports.addClassic("elsewhere")
			holding.Spec.LoadBalancers.Production[0].Classic.Name = "elsewhere"
			if err := h.Update(t.Context(), holding); err != nil {
				t.Fatal(err)
			}
		},
		"the Release is gone": func(t *testing.T, h *harness, holding *v1alpha1.Release) {
			if err := h.Delete(t.Context(), holding); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			holding, newcomer := testRelease(), rival()
			h := newHarness(t, testClass(), holding, newcomer)
			h.declare(t, holding, 1)
			if problem := h.look(t, newcomer).input.Spec.Refused; !problem.Some() {
				t.Fatal("the newcomer is not refused to begin with")
			}
			end(t, h, fetch(t, h, &v1alpha1.Release{}, "shop", "web"))
			if problem := h.look(t, newcomer).input.Spec.Refused; problem.Some() {
				t.Errorf("the newcomer is still refused: %+v", problem)
			}
		})
	}
}

// A pool that was let go is held as long as servers are in it; so is one whose holder lost every claim.
func TestServersHoldAPool(t *testing.T) {
	holding, newcomer := testRelease(), rival()
	h := newHarness(t, testClass(), holding, newcomer)
	h.run(holding, "i-1", "web-1", rollout.RoleStable)
	h.ports.addClassic("prod", rollout.Member{Server: "i-1", State: rollout.MemberHealthy})
	if problem := h.look(t, newcomer).input.Spec.Refused; problem.Reason != rollout.ReasonPoolHeldByAnother {
		t.Errorf("servers of another Release are in the pool, and we get %+v", problem)
	}
	if problem := h.look(t, holding).input.Spec.Refused; problem.Some() {
		t.Errorf("the holder is refused: %+v", problem)
	}
}

// Who watches some namespaces reads no Releases of others, and cannot ask whether one is gone: its servers in the pool hold it.
func TestServersOfANamespaceThatIsNotWatchedHoldAPool(t *testing.T) {
	newcomer := rival()
	h := newHarness(t, testClass(), newcomer)
	h.run(testRelease(), "i-1", "web-1", rollout.RoleStable)
	h.ports.addClassic("prod", rollout.Member{Server: "i-1", State: rollout.MemberHealthy})
	for _, watched := range []struct {
		namespaces []string
		holds      bool
	}{{nil, false}, {[]string{"pay", "shop"}, false}, {[]string{"pay"}, true}} {
		h.Namespaces = watched.namespaces
		if problem := h.look(t, newcomer).input.Spec.Refused; tells(problem, rollout.ReasonPoolHeldByAnother, "shop/web") != watched.holds {
			t.Errorf("watching %v: %+v", watched.namespaces, problem)
		}
	}
}

// Claims are read where they may be read, and all of them.
func TestClaimsAreReadInTheNamespacesThatAreWatched(t *testing.T) {
	holding, newcomer := testRelease(), rival()
	h := newHarness(t, testClass(), holding, newcomer)
	h.declare(t, holding, 1)
	for _, watched := range []struct {
		namespaces []string
		claims     int
	}{{nil, 1}, {[]string{"shop"}, 1}, {[]string{"pay", "shop"}, 1}, {[]string{"pay"}, 0}} {
		h.Namespaces = watched.namespaces
		for _, look := range []string{"first", "second"} {
			if found, err := h.liveClaimants()(t.Context(), testAccount, prodID); err != nil || len(found) != watched.claims {
				t.Errorf("watching %v, %s look: %d claims, error %v", watched.namespaces, look, len(found), err)
			}
		}
	}
}

// A holder is never refused, not even while its pool cannot be read and somebody has an older claim.
func TestAHolderThatCannotSeeIsNotRefused(t *testing.T) {
	holding, earlier := testRelease(), rival()
	h := newHarness(t, testClass(), holding, earlier)
	name := h.declare(t, holding, 1)
	h.run(holding, "i-1", name, rollout.RoleStable)
	h.ports.addClassic("prod", rollout.Member{Server: "i-1", State: rollout.MemberHealthy})
	obs := h.look(t, holding)
	if err := h.remember(t.Context(), obs, edited(obs.input.Memory, name, func(r *rollout.Revision) { r.Pools = []string{prodID} })); err != nil {
		t.Fatal(err)
	}
	h.Clock = func() time.Time { return testNow.Add(-time.Hour) }
	obs = h.look(t, earlier)
	obs.input.Spec.Refused, obs.account = rollout.Problem{}, mustOpen(t, h) // as if it had claimed before the other came
	if err := h.recordTarget(t.Context(), earlier, obs); err != nil || obs.input.Spec.Target == "" {
		t.Fatalf("recording: %v", err)
	}
	h.ports.poolErr[prodID] = errUnanswered
	if problem := h.look(t, holding).input.Spec.Refused; problem.Some() {
		t.Errorf("the holder is refused while it cannot see: %+v", problem)
	}
}

// Two Releases that claim a pool in the same moment: the second look, after the claim is written and before the first
// Register, keeps one of them out.
func TestAPoolContestedInTheSameMoment(t *testing.T) {
	first, second := testRelease(), rival()
	h := newHarness(t, testClass(), first, second)
	views := map[*v1alpha1.Release]*observation{first: h.look(t, first), second: h.look(t, second)}
	entered := 0
	for _, rel := range []*v1alpha1.Release{second, first} {
		obs := views[rel]
		if err := h.recordTarget(t.Context(), rel, obs); err != nil {
			t.Fatal(err)
		}
	}
	for _, obs := range views {
		next := edited(obs.input.Memory, obs.input.Spec.Target, func(r *rollout.Revision) { r.Pools = []string{prodID} })
		err := h.remember(t.Context(), obs, next)
		if err == nil {
			entered++
			continue
		}
		if r, _ := obs.remembered(obs.input.Spec.Target); !errors.Is(err, errPoolContested) || len(r.Pools) > 0 {
			t.Errorf("got %v, and memory says the pool was entered: %v", err, r.Pools)
		}
	}
	if entered != 1 {
		t.Errorf("%d Releases may register servers in one pool", entered)
	}
}

func TestClaimsFollowTheSpec(t *testing.T) {
	rel := testRelease()
	h := newHarness(t, testClass(), rel)
	old := h.declare(t, rel, 1)
	rel.Spec.Version = "v2"
	newest := h.declare(t, rel, 2)
	h.ports.addClassic("second")
	rel.Spec.LoadBalancers.Production[0] = v1alpha1.Pool{Name: "second", Classic: &v1alpha1.ClassicLoadBalancer{Name: "second"}}
	h.Clock = func() time.Time { return testNow.Add(time.Hour) }
	obs := h.look(t, rel)
	if err := h.remember(t.Context(), obs, obs.input.Memory); err != nil {
		t.Fatal(err)
	}
	obs = h.look(t, rel)
	want := map[string]poolClaim{
		testID:                        {Since: testNow, Use: rollout.UseTest, Ref: "classic/test"},
		"classic/eu-central-1/second": {Since: testNow.Add(time.Hour), Use: rollout.UseProduction, Ref: "classic/second"},
	}
	if diff := cmp.Diff(want, readClaims(obs.stored(newest))); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if claims := readClaims(obs.stored(old)); len(claims) > 0 {
		t.Errorf("the older revision still claims %v", claims)
	}
	h.writes = map[string]int{}
	if err := h.remember(t.Context(), obs, obs.input.Memory); err != nil || len(h.writes) > 0 {
		t.Errorf("remembering the same again writes %v (%v)", h.writes, err)
	}
}

// Claims stay as they are while nobody looks at the pools.
func TestClaimsOutliveARefusal(t *testing.T) {
	for name, upset := range map[string]func(*testing.T, *harness, *v1alpha1.Release){
		"no class": func(t *testing.T, h *harness, _ *v1alpha1.Release) {
			class := fetch(t, h, &v1alpha1.ReleaseClass{}, "", "default")
			class.Finalizers = nil
			if err := h.Update(t.Context(), class); err != nil {
				t.Fatal(err)
			}
			if err := h.Delete(t.Context(), class); err != nil {
				t.Fatal(err)
			}
		},
		"no pool answers": func(_ *testing.T, h *harness, _ *v1alpha1.Release) {
			h.ports.poolErr["resolve "+prodID], h.ports.poolErr["resolve "+testID] = errUnanswered, errUnanswered
		},
		"deletion": func(_ *testing.T, _ *harness, rel *v1alpha1.Release) {
			rel.DeletionTimestamp = &metav1.Time{Time: testNow}
		},
	} {
		t.Run(name, func(t *testing.T) {
			rel := testRelease()
			h := newHarness(t, testClass(), rel)
			revision := h.declare(t, rel, 1)
			want := readClaims(h.look(t, rel).stored(revision))
			if len(want) != 2 {
				t.Fatalf("claims %v", want)
			}
			upset(t, h, rel)
			obs := h.look(t, rel)
			h.writes = map[string]int{}
			if err := h.remember(t.Context(), obs, obs.input.Memory); err != nil || len(h.writes) > 0 {
				t.Errorf("writes %v (%v)", h.writes, err)
			}
			if diff := cmp.Diff(want, readClaims(obs.stored(revision))); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnePoolUnderTwoNames(t *testing.T) {
	for name, declare := range map[string]func(*v1alpha1.LoadBalancers){
		"production twice": func(l *v1alpha1.LoadBalancers) {
			l.Production = append(l.Production, v1alpha1.Pool{Name: "api", TargetGroup: &v1alpha1.TargetGroup{Name: "alias"}})
		},
		"test and production": func(l *v1alpha1.LoadBalancers) {
			l.Test[0] = v1alpha1.Pool{Name: "try", TargetGroup: &v1alpha1.TargetGroup{Name: "alias"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			rel := testRelease()
			declare(&rel.Spec.LoadBalancers)
			h := newHarness(t, testClass(), rel)
			h.ports.pools[refOf(v1alpha1.Pool{TargetGroup: &v1alpha1.TargetGroup{Name: "alias"}})] = rollout.Pool{ID: prodID, Kind: rollout.KindALB}
			obs := h.look(t, rel)
			if problem := obs.input.Spec.Refused; problem.Reason != rollout.ReasonPoolClaimedTwice || !strings.Contains(problem.Message, "edge") {
				t.Errorf("got %+v", problem)
			}
			for _, pool := range obs.input.World.Pools {
				if pool.Readable() {
					t.Errorf("pool %s was not read and passes for empty", pool.Name)
				}
			}
			if slices.ContainsFunc(h.ports.calls, func(call string) bool { return strings.HasPrefix(call, "Read") }) {
				t.Errorf("members were read: %v", h.ports.calls)
			}
		})
	}
}
