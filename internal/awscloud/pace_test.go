package awscloud_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"

	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// AWS's documented buckets, seen from the other side: whatever we are asked to do at once, it never has to refuse us.
func TestNeverThrottledByDocumentedLimits(t *testing.T) {
	throttle := func(k *localaws.Knobs) { k.Throttle = true }
	inWorld(t, throttle, func(ctx context.Context, w *world) {
		began := time.Now()
		var all sync.WaitGroup
		for n := range 60 {
			all.Go(func() {
				_, err := w.Compute.Launch(cloud.WithLane(ctx, cloud.LaneLaunch), w.request(fmt.Sprint("token-", n), 1))
				w.check(err)
			})
		}
		for range 200 {
			all.Go(func() {
				_, err := w.Compute.Servers(ctx, cloud.Query{IDs: []string{"i-00000000000000bad"}})
				w.check(err)
			})
		}
		all.Wait()
		for _, call := range append(w.calls("RunInstances"), w.calls("DescribeInstances")...) {
			if call.Code != "" {
				t.Fatalf("%s was refused: %s", call.Action, call.Code)
			}
		}
		// 0.7 of 5 at once and of 2 a second: the sixtieth launch after (60 - 3) / 1.4 = 40.7 s.
		if took := time.Since(began); took > 41*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// Two classes in one account share its limits, also with different roles.
func TestLimitsAreOfTheAccount(t *testing.T) {
	throttle := func(k *localaws.Knobs) { k.Throttle = true }
	inWorld(t, throttle, func(ctx context.Context, w *world) {
		w.SeedRole(localaws.Role{ARN: "arn:aws:iam::" + home + ":role/slipway"})
		withRole := class()
		withRole.RoleARN = "arn:aws:iam::" + home + ":role/slipway"
		opener := w.opener()
		var all sync.WaitGroup
		for n, class := range []cloud.Class{class(), withRole} {
			account, err := opener.Open(class)
			w.must(err)
			for m := range 10 {
				all.Go(func() {
					_, err := account.Compute.Launch(ctx, w.request(fmt.Sprintf("token-%d-%d", n, m), 1))
					w.check(err)
				})
			}
		}
		all.Wait()
		if calls := w.calls("RunInstances"); len(calls) != 20 {
			t.Errorf("%d launches reached AWS, want 20: some were refused", len(calls))
		}
	})
}

// Others of the account spend tokens too: once AWS refuses us, we wait until there is one again.
func TestThrottledCallEmptiesTheBucket(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		w.Inject(localaws.Fault{Action: "RunInstances", Count: 1,
			Before: &localaws.APIFault{Status: 503, Code: "RequestLimitExceeded", Message: "Request limit exceeded."}})
		began := time.Now()
		w.launch(w.request("token-1", 1))
		if took := time.Since(began); took < 700*time.Millisecond || took > 800*time.Millisecond {
			t.Errorf("took %s, want the 1 / 1.4 s until the next token", took)
		}
	})
}

// Load balancing has a bucket for all calls beside those for each kind, and "Rate exceeded" does not say which is empty.
func TestThrottledCallEmptiesAllItsBuckets(t *testing.T) {
	throttle := func(k *localaws.Knobs) { k.Throttle = true }
	inWorld(t, throttle, func(ctx context.Context, w *world) {
		servers := w.running("token-1", 1)
		account, err := awscloud.NewOpener(awscloud.Options{Config: w.config(), MaxBackoff: time.Millisecond}).Open(class())
		w.must(err)
		w.Account = account
		born := time.Now() // of AWS's buckets, which are filled at whole seconds of their life
		pool := w.resolve(w.makeClassic("web"))
		w.register(pool, servers...)
		w.healthy(pool, servers, time.Minute)
		w.pass(time.Minute - time.Since(born)%time.Second)
		for range 40 { // somebody else takes all that there is
			_, err := w.elb().DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{})
			w.must(err)
		}
		w.resolve(cloud.PoolRef{ClassicName: "other"})
		for _, call := range w.calls("DescribeLoadBalancerAttributes")[1:] {
			if call.Code != "Throttling" {
				t.Fatalf("AWS had a token: %+v", call)
			}
		}
		const register = "RegisterInstancesWithLoadBalancer"
		before := len(w.calls(register))
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				_ = w.Balancer.Register(ctx, pool, servers) // AWS may have no token either for some of them
			})
		}
		w.pass(0)
		w.expectCalls(register, before)
		all.Wait()
	})
}

func TestCallWhoseTurnDoesNotCome(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		for n := range 3 {
			w.launch(w.request(fmt.Sprint("token-", n), 1))
		}
		hasty, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		_, err := w.Compute.Launch(hasty, w.request("token-3", 1))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "m5.large in subnet-") ||
			!strings.Contains(err.Error(), "not sent, its turn") {
			t.Errorf("got %v", err)
		}
		w.expectCalls("RunInstances", 3)
	})
}

func TestRollbackOvertakes(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		var all sync.WaitGroup
		send := func(lane cloud.Lane, token string) {
			all.Go(func() {
				_, err := w.Compute.Launch(cloud.WithLane(ctx, lane), w.request(token, 1))
				w.check(err)
			})
			w.pass(0)
		}
		for n := range 8 {
			send(cloud.LaneBackground, fmt.Sprint("token-", n))
		}
		send(cloud.LaneRollback, "urgent")
		all.Wait()
		var order []string
		for _, call := range w.calls("RunInstances") {
			order = append(order, call.Params.Get("ClientToken"))
		}
		if len(order) != 9 || order[3] != "urgent" { // three go at once
			t.Errorf("launched in the order %v", order)
		}
	})
}

// However many background readings stand in the queue, of the same pool too: a rollback goes with the next token.
func TestRollbackDoesNotWaitWithABackgroundReading(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		ref := w.makeClassic("web")
		for n := range 28 + 100 { // 0.7 of 40 go at once
			other := cloud.PoolRef{ClassicName: fmt.Sprint("pool-", n)}
			if n == 28+50 {
				other = ref
			}
			go func() {
				_, _ = w.Balancer.Resolve(ctx, other, time.Minute) // most of them are not there
			}()
			w.pass(0)
		}
		began := time.Now()
		_, err := w.Balancer.Resolve(cloud.WithLane(ctx, cloud.LaneRollback), ref, time.Minute)
		w.must(err)
		if took := time.Since(began); took > 150*time.Millisecond {
			t.Errorf("took %s, want the 1 / 7 s until the next token", took)
		}
	})
}
