package demo

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/playground"
)

// called is a ledger's entry of a call by the manager about a pool and servers; refused ones have no effect.
func called(at float64, action, pool string, servers ...string) localaws.Entry {
	params := url.Values{}
	if strings.HasSuffix(action, "Targets") {
		params.Set("TargetGroupArn", "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/"+pool+"/0123456789abcdef")
	} else {
		params.Set("LoadBalancerName", pool)
	}
	for i, id := range servers {
		member := string(rune('1' + i))
		if strings.HasSuffix(action, "Targets") {
			params.Set("Targets.member."+member+".Id", id)
		} else {
			params.Set("Instances.member."+member+".InstanceId", id)
		}
	}
	return localaws.Entry{Time: second(at), Call: &localaws.CallEntry{
		Service: "elb", Action: action, Params: params, Who: localaws.Caller{AccessKey: playground.ManagerKey}, Mutates: true, Effects: []string{action},
	}}
}

func found(at float64, pool, server, state string) localaws.Entry {
	return localaws.Entry{Time: second(at), Change: &localaws.ChangeEntry{Kind: "member", Resource: pool + "/" + server, To: state}}
}

// promotionLedger is a promotion from the edit at 10: a bound of 6 s and 1 s of ours, among things that do not count.
func promotionLedger() []localaws.Entry {
	refused := called(10.2, registerClassic, playground.ProductionClassic, "i-2")
	refused.Call.Effects = nil
	stranger := called(30, deregisterClassic, playground.ProductionClassic, "i-9")
	stranger.Call.Who.AccessKey = "PERSON"
	return []localaws.Entry{
		refused,
		called(10.3, registerClassic, playground.TestClassic, "i-2"),
		called(10.5, registerClassic, playground.ProductionClassic, "i-2", "i-3"),
		called(10.6, registerTargets, playground.ProductionGroup, "i-2", "i-3"),
		found(12, playground.ProductionGroup, "i-2", "healthy"),
		found(15, playground.ProductionClassic, "i-3", "unhealthy"),
		found(16.5, playground.ProductionClassic, "i-3", "healthy"),
		found(16.7, playground.ProductionClassic, "i-1", "healthy"), // of the former version
		found(16.8, playground.TestClassic, "i-2", "healthy"),
		called(16.9, deregisterClassic, playground.ProductionClassic, "i-1"),
		called(17.0, deregisterTargets, playground.ProductionGroup, "i-1"),
		found(17.1, playground.ProductionGroup, "i-1", "draining"),
		called(19, deregisterClassic, playground.TestClassic, "i-2", "i-3"),
		stranger,
	}
}

func TestMeasure(t *testing.T) {
	s, err := measure(promotionLedger(), second(10))
	if err != nil {
		t.Fatal(err)
	}
	if s.took != 7*time.Second || s.bound != 6*time.Second || s.over() != time.Second {
		t.Errorf("took %s, bound %s, over %s; want 7s, 6s and 1s", s.took, s.bound, s.over())
	}
}

func TestMeasureWhatDidNotHappen(t *testing.T) {
	without := func(drop func(localaws.Entry) bool) []localaws.Entry {
		var kept []localaws.Entry
		for _, e := range promotionLedger() {
			if !drop(e) {
				kept = append(kept, e)
			}
		}
		return kept
	}
	action := func(prefix string) func(localaws.Entry) bool {
		return func(e localaws.Entry) bool {
			return e.Call != nil && strings.HasPrefix(e.Call.Action, prefix) && production(poolOf(e.Call))
		}
	}
	for want, drop := range map[string]func(localaws.Entry) bool{
		"nothing was registered":   action("Register"),
		"nothing was deregistered": action("Deregister"),
		"became healthy":           func(e localaws.Entry) bool { return e.Change != nil && e.Change.To == "healthy" },
	} {
		if _, err := measure(without(drop), second(10)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestCounts(t *testing.T) {
	read := called(11, "DescribeInstanceHealth", playground.ProductionClassic)
	read.Call.Mutates, read.Call.Effects = false, nil
	ledger := append(promotionLedger(), read, read)
	// A refused call counts: it was made.
	if diff := cmp.Diff(map[string]int{registerClassic: 3, registerTargets: 1, deregisterClassic: 2, deregisterTargets: 1}, mutations(ledger)); diff != "" {
		t.Errorf("mutations (-want +got):\n%s", diff)
	}
	if got := calls(ledger); got["elb:DescribeInstanceHealth"] != 2 || got["elb:"+registerClassic] != 3 {
		t.Errorf("calls: %v", got)
	}
	if got := serversOf(promotionLedger()[3].Call); !cmp.Equal(got, []string{"i-2", "i-3"}) {
		t.Errorf("servers of %v: %v", promotionLedger()[3].Call.Params, got)
	}
}
