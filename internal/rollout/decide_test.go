package rollout

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Decide is total: there is no input that it has no answer for. And it is pure: it changes nothing that it was given,
// and answers the same to the same.
func TestDecideIsTotalAndPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.Custom(anyInput).Draw(t, "input")
		kept := deepCopy(in)
		first := Decide(in)
		if diff := cmp.Diff(kept, in); diff != "" {
			t.Fatalf("the input was changed:\n%s", diff)
		}
		if diff := cmp.Diff(first, Decide(in)); diff != "" {
			t.Fatalf("the same input, another decision:\n%s", diff)
		}
		(&world{t: t, declared: nil}).checkReport(first)
		for _, a := range first.Actions {
			if a.Reason() == "" {
				t.Fatalf("%T without a reason", a)
			}
		}
	})
}

// deepCopy copies through reflection, so that it does not rely on the copying that is being tested.
func deepCopy(in Input) Input {
	return copyOf(reflect.ValueOf(in)).Interface().(Input)
}

func copyOf(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return v
		}
		for i := range v.NumField() {
			out.Field(i).Set(copyOf(v.Field(i)))
		}
		return out
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out = reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(copyOf(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out = reflect.MakeMap(v.Type())
		for _, key := range v.MapKeys() {
			out.SetMapIndex(key, copyOf(v.MapIndex(key)))
		}
		return out
	}
	return v
}

// anyInput draws an input that may make no sense at all. Few names are used, so that the parts meet.
func anyInput(t *rapid.T) Input {
	in := Input{
		Now:  anyTime.Draw(t, "now"),
		Spec: anySpec(t),
		World: World{
			Servers:      rapid.SliceOfN(rapid.Custom(anyServer), 0, 6).Draw(t, "servers"),
			ServersErr:   rapid.SampledFrom([]string{"", "", "", "RequestLimitExceeded"}).Draw(t, "servers error"),
			Pools:        rapid.SliceOfN(rapid.Custom(anyPool), 0, 4).Draw(t, "pools"),
			Former:       rapid.SliceOfN(rapid.Custom(anyServer), 0, 1).Draw(t, "former"),
			FormerOwners: rapid.SliceOfN(rapid.SampledFrom([]string{"uid-0"}), 0, 1).Draw(t, "former owners"),
			Adoptable:    rapid.SliceOfN(rapid.Custom(anyServer), 0, 2).Draw(t, "adoptable"),
		},
		Memory: Memory{Revisions: rapid.SliceOfNDistinct(rapid.Custom(anyRevision), 0, 3, func(r Revision) string { return r.Name }).Draw(t, "memory")},
		Soft:   Soft{GoodPasses: rapid.IntRange(-1, 3).Draw(t, "good passes"), Untouched: rapid.Bool().Draw(t, "untouched")},
	}
	if rapid.Bool().Draw(t, "soft") {
		keys := rapid.SampledFrom([]string{"away/i-1", "out/i-2", "absent/i-3", "rollback/r1", "short/p1", "vanished/p2"})
		in.Soft.Since = rapid.MapOfN(keys, anyTime, 0, 4).Draw(t, "since")
	}
	return in
}

var (
	anyTime  = rapid.Map(rapid.SampledFrom([]int{0, 1, 10, 60, 300, 3600, 90000}), func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) })
	someTime = rapid.OneOf(rapid.Just(time.Time{}), anyTime)
	anyName  = rapid.SampledFrom([]string{"", "r1", "r2", "r3"})
	anyID    = rapid.SampledFrom([]string{"i-1", "i-2", "i-3", "i-4"})
	anyPlace = rapid.SampledFrom([]string{"", "p1", "p2", "p3"})
	anyPhase = rapid.SampledFrom([]Phase{PhaseNone, PhasePreview, PhaseLive, PhaseRolledBack, PhaseComplete, "Nonsense"})
	anyRole  = rapid.SampledFrom([]Role{RoleCandidate, RoleStable, RoleRetired, ""})
	problem  = rapid.SampledFrom([]Problem{{}, {}, {}, {Reason: ReasonClassNotFound, Message: "no class"}})
)

func anySpec(t *rapid.T) Spec {
	return Spec{
		Release: "shop/web", UID: uid,
		Phase: anyPhase.Draw(t, "phase"), PhaseFor: anyName.Draw(t, "phaseFor"), Version: anyName.Draw(t, "version"),
		Replicas: rapid.IntRange(0, 5).Draw(t, "replicas"), Target: anyName.Draw(t, "target"),
		Unresolved: problem.Draw(t, "unresolved"), Refused: problem.Draw(t, "refused"),
		Health: Health{
			Consecutive: rapid.IntRange(0, 2).Draw(t, "consecutive"),
			Timeout:     time.Duration(rapid.IntRange(0, 600).Draw(t, "timeout")) * time.Second,
			MinReady:    time.Duration(rapid.IntRange(0, 20).Draw(t, "minReady")) * time.Second,
		},
		MinHealthyPercent: rapid.IntRange(0, 100).Draw(t, "percent"), AutoRollback: rapid.Bool().Draw(t, "autoRollback"),
		CompleteAfter: time.Duration(rapid.IntRange(0, 2).Draw(t, "completeAfter")) * time.Minute,
		Override:      Override{Revision: anyName.Draw(t, "override"), Phase: anyPhase.Draw(t, "override phase"), ExpiresAt: someTime.Draw(t, "expires")},
		Retry:         anyName.Draw(t, "retry"), Paused: rapid.Bool().Draw(t, "paused"), Deleting: rapid.Bool().Draw(t, "deleting"),
		TerminateOnDelete: rapid.Bool().Draw(t, "terminate"), Adopt: rapid.Bool().Draw(t, "adopt"), MaxServers: rapid.IntRange(0, 4).Draw(t, "max"),
	}
}

func anyServer(t *rapid.T) Server {
	states := []ServerState{StatePending, StateRunning, StateRunning, StateStopping, StateStopped, StateShuttingDown, StateTerminated, "nonsense"}
	return Server{
		ID: anyID.Draw(t, "id"), Revision: anyName.Draw(t, "revision"), Version: anyName.Draw(t, "version"), Role: anyRole.Draw(t, "role"),
		Subnet: anyPlace.Draw(t, "subnet"), Zone: anyPlace.Draw(t, "zone"), State: rapid.SampledFrom(states).Draw(t, "state"),
		Reason: anyPlace.Draw(t, "reason"), Token: anyName.Draw(t, "token"), Launched: someTime.Draw(t, "launched"),
		Impaired: rapid.Bool().Draw(t, "impaired"), Hold: rapid.IntRange(0, 4).Draw(t, "hold") == 0,
	}
}

func anyPool(t *rapid.T) Pool {
	member := rapid.Custom(func(t *rapid.T) Member {
		states := []MemberState{MemberHealthy, MemberHealthy, MemberUnhealthy, MemberRegistering, MemberDraining, "nonsense"}
		return Member{Server: anyID.Draw(t, "server"), State: rapid.SampledFrom(states).Draw(t, "member state")}
	})
	return Pool{
		ID: anyPlace.Draw(t, "pool"), Name: anyPlace.Draw(t, "pool name"),
		Use:     rapid.SampledFrom([]PoolUse{UseTest, UseProduction, UseReleased, "x"}).Draw(t, "use"),
		Kind:    rapid.SampledFrom([]PoolKind{KindALB, KindNLB, KindClassic}).Draw(t, "kind"),
		Err:     rapid.SampledFrom([]string{"", "", "", "x"}).Draw(t, "error"),
		Missing: rapid.Bool().Draw(t, "missing"), NotInUse: rapid.Bool().Draw(t, "not in use"), ZonalOnly: rapid.Bool().Draw(t, "zonal"),
		Members: rapid.SliceOfN(member, 0, 4).Draw(t, "members"),
	}
}

func anyRevision(t *rapid.T) Revision {
	return Revision{
		Name: anyName.Draw(t, "name"), Version: anyName.Draw(t, "version"), Number: rapid.Int64Range(0, 3).Draw(t, "number"),
		Subnets:       rapid.SliceOfN(anyPlace, 0, 2).Draw(t, "subnets"),
		InstanceTypes: rapid.SliceOfN(anyName, 0, 2).Draw(t, "types"),
		Lost:          rapid.Bool().Draw(t, "lost"), StableSeq: rapid.Int64Range(0, 3).Draw(t, "stable"), Completed: rapid.Bool().Draw(t, "completed"),
		Retired: rapid.Bool().Draw(t, "retired"), Verdict: Verdict{Reason: rapid.SampledFrom([]string{"", ReasonAutoRolledBack}).Draw(t, "verdict")},
		Promotion: Promotion{
			StartedAt: someTime.Draw(t, "started"), Cohort: rapid.SliceOfN(anyID, 0, 2).Draw(t, "cohort"),
			Pools: rapid.SliceOfN(anyPlace, 0, 2).Draw(t, "gate pools"),
		},
		GateAt: someTime.Draw(t, "gate"), LiveAt: someTime.Draw(t, "live"), Ready: Stopwatch{Spent: time.Hour, Since: someTime.Draw(t, "since")},
		Retry: anyName.Draw(t, "retry"), Stopped: someTime.Draw(t, "stopped"), Pools: rapid.SliceOfN(anyPlace, 0, 3).Draw(t, "pools"),
		Left: []Leave{{
			Pools: rapid.SliceOfN(anyPlace, 0, 2).Draw(t, "left pools"), Servers: rapid.SliceOfN(anyID, 0, 3).Draw(t, "left"), Until: someTime.Draw(t, "left until"),
		}},
		Launches: rapid.SliceOfN(rapid.Custom(anyAttempt), 0, 3).Draw(t, "launches"),
		Adopted:  rapid.SliceOfN(anyID, 0, 2).Draw(t, "adopting"), AdoptedAt: someTime.Draw(t, "adopted"),
	}
}

func anyAttempt(t *rapid.T) Attempt {
	kinds := []FailureKind{FailureNone, FailureNone, FailureCapacity, FailureRejected, FailureDied}
	return Attempt{
		Number: rapid.IntRange(0, 3).Draw(t, "number"), Token: anyName.Draw(t, "token"),
		Subnet: anyPlace.Draw(t, "subnet"), Type: anyName.Draw(t, "type"),
		Places: rapid.SliceOfN(rapid.IntRange(-1, 4), 0, 3).Draw(t, "places"), At: someTime.Draw(t, "at"), Open: rapid.Bool().Draw(t, "open"),
		Servers: rapid.SliceOfN(anyID, 0, 4).Draw(t, "servers"),
		Failure: Failure{Kind: rapid.SampledFrom(kinds).Draw(t, "failure"), Reason: ReasonQuotaExceeded},
	}
}

// A rollback asks for no look-up: neither the image nor the Secret of a version that nobody recorded may hold it up.
func TestRollbackNeedsNoLookUp(t *testing.T) {
	unrecorded := func(phase Phase) Input {
		return newCase(live, spec(func(s *Spec) { s.Target, s.Version, s.Phase = "", "3", phase }))
	}
	if d := Decide(unrecorded(PhaseRolledBack)); d.NeedTarget || !hasAction[Register](d, "put the stable version back") {
		t.Errorf("RolledBack: NeedTarget %t, actions %v", d.NeedTarget, d.Actions)
	}
	if d := Decide(unrecorded(PhasePreview)); !d.NeedTarget {
		t.Error("Preview does not ask for the version that it is about")
	}
}

func hasAction[A Action](d Decision, why string) bool {
	return slices.ContainsFunc(d.Actions, func(a Action) bool {
		_, is := a.(A)
		return is && strings.Contains(a.Reason(), why)
	})
}
