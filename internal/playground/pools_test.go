package playground

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/localaws"
)

// bare is a local AWS without pools.
func bare(t *testing.T) (*localaws.Cloud, localaws.Site, string) {
	t.Helper()
	cloud := localaws.New(localaws.Options{Seed: 1, Knobs: knobs()})
	t.Cleanup(cloud.Close)
	server := httptest.NewServer(cloud.Handler())
	t.Cleanup(server.Close)
	return cloud, cloud.DefaultWorld(), server.URL
}

// What is printed as the settings is what AWS says of the pools.
func TestPoolsAreAsPrinted(t *testing.T) {
	cloud, site, url := bare(t)
	if err := furnish(t.Context(), http.DefaultClient, url, cloud.Region(), site); err != nil {
		t.Fatal(err)
	}
	printed := map[string]string{}
	for _, s := range Settings() {
		printed[s.Name] = s.Value
	}

	type check struct {
		Target                                                  string
		Interval, Timeout, HealthyThreshold, UnhealthyThreshold string
	}
	var classic struct {
		Balancers []struct {
			LoadBalancerName string
			Subnets          struct {
				Members []string `xml:"member"`
			}
			HealthCheck check
		} `xml:"DescribeLoadBalancersResult>LoadBalancerDescriptions>member"`
	}
	elb := newCaller(http.DefaultClient, url, cloud.Region(), classicVersion)
	if err := elb.call(t.Context(), "DescribeLoadBalancers", nil, &classic); err != nil {
		t.Fatal(err)
	}
	if len(classic.Balancers) != 2 {
		t.Fatalf("classic load balancers: %+v", classic.Balancers)
	}
	want := check{Target: "HTTP:80/healthz", Interval: seconds(HealthInterval), Timeout: seconds(HealthTimeout),
		HealthyThreshold: printed["healthy_threshold"], UnhealthyThreshold: printed["unhealthy_threshold"]}
	for _, b := range classic.Balancers {
		if diff := cmp.Diff(want, b.HealthCheck); diff != "" || len(b.Subnets.Members) != 2 {
			t.Errorf("%s in %v (-want +got):\n%s", b.LoadBalancerName, b.Subnets.Members, diff)
		}
		var attributes struct {
			Draining  string `xml:"DescribeLoadBalancerAttributesResult>LoadBalancerAttributes>ConnectionDraining>Timeout"`
			CrossZone string `xml:"DescribeLoadBalancerAttributesResult>LoadBalancerAttributes>CrossZoneLoadBalancing>Enabled"`
		}
		if err := elb.call(t.Context(), "DescribeLoadBalancerAttributes", params{"LoadBalancerName": b.LoadBalancerName}, &attributes); err != nil {
			t.Fatal(err)
		}
		if attributes.Draining+"s" != printed["classic_connection_draining"] || attributes.CrossZone != "true" {
			t.Errorf("attributes of %s: %+v", b.LoadBalancerName, attributes)
		}
	}
	testGroup(t, newCaller(http.DefaultClient, url, cloud.Region(), secondVersion), printed)
	for _, name := range []string{TestClassic, ProductionClassic, ProductionGroup} {
		if pool, ok := cloud.Pool(name); !ok || pool.Balancer == "" || !pool.CrossZone {
			t.Errorf("pool %s: %+v; no load balancer, or one that keeps to its zone", name, pool)
		}
	}
}

func testGroup(t *testing.T, elb caller, printed map[string]string) {
	var groups struct {
		Groups []struct {
			TargetGroupArn, TargetGroupName, HealthCheckPath                                                      string
			HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds, HealthyThresholdCount, UnhealthyThresholdCount string
		} `xml:"DescribeTargetGroupsResult>TargetGroups>member"`
	}
	if err := elb.call(t.Context(), "DescribeTargetGroups", nil, &groups); err != nil {
		t.Fatal(err)
	}
	if len(groups.Groups) != 1 {
		t.Fatalf("target groups: %+v", groups.Groups)
	}
	g := groups.Groups[0]
	if g.TargetGroupName != ProductionGroup || g.HealthCheckIntervalSeconds+"s" != printed["health_check_interval"] ||
		g.HealthCheckTimeoutSeconds+"s" != printed["health_check_timeout"] || g.HealthyThresholdCount != printed["healthy_threshold"] ||
		g.UnhealthyThresholdCount != printed["unhealthy_threshold"] || g.HealthCheckPath != healthPath {
		t.Errorf("target group: %+v", g)
	}
	var attributes struct {
		All []struct{ Key, Value string } `xml:"DescribeTargetGroupAttributesResult>Attributes>member"`
	}
	if err := elb.call(t.Context(), "DescribeTargetGroupAttributes", params{"TargetGroupArn": g.TargetGroupArn}, &attributes); err != nil {
		t.Fatal(err)
	}
	for _, a := range attributes.All {
		if a.Key == "deregistration_delay.timeout_seconds" && a.Value+"s" != printed["target_group_deregistration_delay"] {
			t.Errorf("%s is %s", a.Key, a.Value)
		}
	}
}

// Whoever is in the way is told in AWS's own words.
func TestRefusals(t *testing.T) {
	cloud, site, url := bare(t)
	if err := furnish(t.Context(), http.DefaultClient, url, cloud.Region(), site); err != nil {
		t.Fatal(err)
	}
	err := furnish(t.Context(), http.DefaultClient, url, cloud.Region(), site)
	if err == nil || !strings.Contains(err.Error(), TestClassic) || !strings.Contains(err.Error(), "DuplicateLoadBalancerName") {
		t.Errorf("making the pools twice: %v", err)
	}
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the front end is down", http.StatusBadGateway)
	}))
	defer broken.Close()
	err = newCaller(http.DefaultClient, broken.URL, "us-east-1", classicVersion).call(t.Context(), "DescribeLoadBalancers", nil, nil)
	if err == nil || !strings.Contains(err.Error(), "502") || !strings.Contains(err.Error(), "front end") {
		t.Errorf("an answer that is not AWS's: %v", err)
	}
}

// The ledger tells who made the world from the manager.
func TestSetupIsNotTheManager(t *testing.T) {
	cloud, site, url := bare(t)
	if err := furnish(t.Context(), http.DefaultClient, url, cloud.Region(), site); err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, e := range cloud.Ledger() {
		if e.Call == nil {
			continue
		}
		calls++
		if e.Call.Who.AccessKey != SetupKey || e.Region != cloud.Region() {
			t.Errorf("%s by %q in %s", e.Call.Action, e.Call.Who.AccessKey, e.Region)
		}
	}
	if calls == 0 {
		t.Error("no calls in the ledger")
	}
}
