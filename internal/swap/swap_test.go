package swap

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/localaws"
)

const (
	manager, classic, group = "MANAGER", "prod-classic", "prod-tg"

	registerClassic, deregisterClassic = "RegisterInstancesWithLoadBalancer", "DeregisterInstancesFromLoadBalancer"
	registerTargets, deregisterTargets = "RegisterTargets", "DeregisterTargets"
)

var view = View{Caller: manager, Production: func(pool string) bool { return pool == classic || pool == group }}

func second(s float64) time.Time { return time.Unix(0, int64(s*1e9)) }

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
		Service: "elb", Action: action, Params: params, Who: localaws.Caller{AccessKey: manager}, Mutates: true, Effects: []string{action},
	}}
}

func found(at float64, pool, server, state string) localaws.Entry {
	return localaws.Entry{Time: second(at), Change: &localaws.ChangeEntry{Kind: "member", Resource: pool + "/" + server, To: state}}
}

// promotionLedger is a promotion from the edit at 10: a bound of 6 s and 1 s of ours, among things that do not count.
func promotionLedger() []localaws.Entry {
	refused := called(10.2, registerClassic, classic, "i-2")
	refused.Call.Effects = nil
	stranger := called(30, deregisterClassic, classic, "i-9")
	stranger.Call.Who.AccessKey = "PERSON"
	return []localaws.Entry{
		refused,
		called(10.3, registerClassic, "test", "i-2"),
		called(10.5, registerClassic, classic, "i-2", "i-3"),
		called(10.6, registerTargets, group, "i-2", "i-3"),
		found(12, group, "i-2", "healthy"),
		found(15, classic, "i-3", "unhealthy"),
		found(16.5, classic, "i-3", "healthy"),
		found(16.7, classic, "i-1", "healthy"), // of the former version
		found(16.8, "test", "i-2", "healthy"),
		called(16.9, deregisterClassic, classic, "i-1"),
		called(17.0, deregisterTargets, group, "i-1"),
		found(17.1, group, "i-1", "draining"),
		called(19, deregisterClassic, "test", "i-2", "i-3"),
		stranger,
	}
}

func TestMeasure(t *testing.T) {
	s, err := view.Measure(promotionLedger(), second(10))
	if err != nil {
		t.Fatal(err)
	}
	if s.Took != 7*time.Second || s.Bound != 6*time.Second || s.Over() != time.Second {
		t.Errorf("took %s, bound %s, over %s; want 7s, 6s and 1s", s.Took, s.Bound, s.Over())
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
			return e.Call != nil && strings.HasPrefix(e.Call.Action, prefix) && view.Production(PoolOf(e.Call.Params))
		}
	}
	for want, drop := range map[string]func(localaws.Entry) bool{
		"nothing was registered":   action("Register"),
		"nothing was deregistered": action("Deregister"),
		"became healthy":           func(e localaws.Entry) bool { return e.Change != nil && e.Change.To == "healthy" },
	} {
		if _, err := view.Measure(without(drop), second(10)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestCounts(t *testing.T) {
	read := called(11, "DescribeInstanceHealth", classic)
	read.Call.Mutates, read.Call.Effects = false, nil
	ledger := append(promotionLedger(), read, read)
	// A refused call counts: it was made.
	if diff := cmp.Diff(map[string]int{registerClassic: 3, registerTargets: 1, deregisterClassic: 2, deregisterTargets: 1}, view.Mutations(ledger)); diff != "" {
		t.Errorf("mutations (-want +got):\n%s", diff)
	}
	if got := view.Calls(ledger); got["elb:DescribeInstanceHealth"] != 2 || got["elb:"+registerClassic] != 3 {
		t.Errorf("calls: %v", got)
	}
	if got := serversOf(promotionLedger()[3].Call); !cmp.Equal(got, []string{"i-2", "i-3"}) {
		t.Errorf("servers of %v: %v", promotionLedger()[3].Call.Params, got)
	}
}
