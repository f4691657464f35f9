//go:build bench

package bench

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"

	"slipway.dev/slipway/internal/localaws"
)

// traffic is what came through one way.
type traffic struct {
	RequestsPerSecond float64 `json:"requests_per_second"`
	P50Milliseconds   float64 `json:"p50_ms"`
	P99Milliseconds   float64 `json:"p99_ms"`
	Failed            int     `json:"failed"`
}

// clients is how many requests are under way at a time. The ways take turns, so that what else the machine does is shared by them.
const (
	clients = 16
	rounds  = 10
	during  = 500 * time.Millisecond
)

// measureTraffic compares, in one run, a load balancer of the data plane with a bare reverse proxy in front of the same server.
func measureTraffic(t *testing.T) map[string]traffic {
	cloud, balancer, server := servingCloud(t)
	defer cloud.Close()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	bare := httputil.NewSingleHostReverseProxy(target)
	bare.Transport = &http.Transport{MaxIdleConnsPerHost: 256}
	proxy := httptest.NewServer(bare)
	defer proxy.Close()
	ways := map[string]*way{"load balancer": {to: balancer}, "bare reverse proxy": {to: proxy.URL}, "the server itself": {to: server}}
	for range rounds {
		for _, w := range ways {
			w.round()
		}
	}
	out := map[string]traffic{}
	for name, w := range ways {
		w.transport.CloseIdleConnections()
		out[name] = w.traffic()
	}
	return out
}

// servingCloud is a cloud on the wall clock with a classic load balancer in front of three servers that answer.
func servingCloud(t *testing.T) (cloud *localaws.Cloud, balancer, server string) {
	t.Helper()
	knobs := localaws.DefaultKnobs()
	knobs.PendingMin, knobs.PendingMax, knobs.Configure = time.Millisecond, time.Millisecond, time.Millisecond
	knobs.Balancers.ClassicRegistration = localaws.Span{}
	cloud = localaws.New(localaws.Options{Seed: 1, Knobs: knobs})
	if err := cloud.StartDataPlane(t.Context(), localaws.DataPlaneOptions{}); err != nil {
		t.Fatal(err)
	}
	a := &account{Cloud: cloud, site: cloud.DefaultWorld()}
	config := aws.Config{
		Region: cloud.Region(), Credentials: credentials.NewStaticCredentialsProvider("AKIABENCH", "secret", ""),
		HTTPClient: &http.Client{Transport: cloud.Transport()}, BaseEndpoint: aws.String("http://aws.local"),
	}
	a.connect(config)
	ids := a.launch(t, a.site.Subnets[0], 3)
	client, name := elb.NewFromConfig(config), "web"
	must := func(_ any, err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(client.CreateLoadBalancer(t.Context(), &elb.CreateLoadBalancerInput{LoadBalancerName: &name, Subnets: a.site.Subnets[:1],
		Listeners: []elbtypes.Listener{{Protocol: aws.String("HTTP"), LoadBalancerPort: 80, InstancePort: aws.Int32(80)}}}))
	must(client.ConfigureHealthCheck(t.Context(), &elb.ConfigureHealthCheckInput{LoadBalancerName: &name, HealthCheck: &elbtypes.HealthCheck{
		Target: aws.String("HTTP:80/"), Interval: aws.Int32(5), Timeout: aws.Int32(2), HealthyThreshold: aws.Int32(2), UnhealthyThreshold: aws.Int32(2)}}))
	members := make([]elbtypes.Instance, len(ids))
	for i := range ids {
		members[i].InstanceId = &ids[i]
	}
	within(t, "the servers run", func() bool {
		_, err := client.RegisterInstancesWithLoadBalancer(t.Context(), &elb.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: &name, Instances: members})
		return err == nil && cloud.ServerURL(ids[0]) != ""
	})
	within(t, "the load balancer answers", func() bool {
		answer, err := http.Get(cloud.Endpoints()["web"])
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return cloud, cloud.Endpoints()["web"], cloud.ServerURL(ids[0])
}

// within asks again and again until it is so, for a minute at most.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within a minute", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// way is how requests go, and what became of them.
type way struct {
	to        string
	transport http.Transport

	mu     sync.Mutex
	took   []time.Duration
	failed int
}

// round sends requests for a while, one after the other from each client, and takes their times.
func (w *way) round() {
	w.transport.MaxIdleConnsPerHost = 256
	began := time.Now()
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			var mine []time.Duration
			bad := 0
			for time.Since(began) < during {
				start := time.Now()
				if !answers(&w.transport, w.to) {
					bad++
				}
				mine = append(mine, time.Since(start))
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.took, w.failed = append(w.took, mine...), w.failed+bad
		})
	}
	running.Wait()
}

// traffic sums up.
func (w *way) traffic() traffic {
	slices.Sort(w.took)
	at := func(share float64) float64 { return w.took[int(share*float64(len(w.took)-1))].Seconds() * 1000 }
	return traffic{float64(len(w.took)) / (rounds * during).Seconds(), at(0.5), at(0.99), w.failed}
}

func answers(transport *http.Transport, to string) bool {
	r, err := http.NewRequest(http.MethodGet, to, nil)
	if err != nil {
		return false
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
}
