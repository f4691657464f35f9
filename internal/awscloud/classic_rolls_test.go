package awscloud_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/rollout"
)

// classics are five classic pools with a healthy member each, of which the others know nothing.
func (w *world) classics() (pools []rollout.Pool, servers []string) {
	w.t.Helper()
	servers = w.running("token-1", 5)
	for i, server := range servers {
		pool := w.resolve(w.makeClassic(fmt.Sprintf("web-%d", i)))
		w.register(pool, server)
		pools = append(pools, pool)
	}
	for i, pool := range pools {
		w.healthy(pool, servers[i:i+1], time.Minute)
	}
	return pools, servers
}

// lookAt reads pools at once, in one look.
func (w *world) lookAt(ctx context.Context, pools []rollout.Pool, asked ...string) ([]rollout.Pool, []error) {
	ids := make([]string, len(pools))
	for i, pool := range pools {
		ids[i] = pool.ID
	}
	look := w.Balancer.Look(ctx, ids)
	read, errs := make([]rollout.Pool, len(pools)), make([]error, len(pools))
	var all sync.WaitGroup
	for i, pool := range pools {
		all.Go(func() { read[i], errs[i] = look.Read(ctx, pool, asked) })
	}
	all.Wait()
	return read, errs
}

// Classic pools that are looked at together cost one call for all their members, and one each for their health.
func TestClassicPoolsAreCalledTogether(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		pools, servers := w.classics()
		for range 2 {
			described, health := len(w.calls("DescribeLoadBalancers")), len(w.calls("DescribeInstanceHealth"))
			read, errs := w.lookAt(ctx, pools)
			for i := range pools {
				w.must(errs[i])
				w.expectMembers(read[i], rollout.MemberHealthy, servers[i:i+1])
			}
			described, health = len(w.calls("DescribeLoadBalancers"))-described, len(w.calls("DescribeInstanceHealth"))-health
			if described != 1 || health != len(pools) {
				t.Errorf("a look at %d pools: %d calls for members, %d for health", len(pools), described, health)
			}
		}
		// A look sees what was changed before it began.
		w.register(pools[0], servers[1])
		w.deregister(pools[1], servers[1])
		read, errs := w.lookAt(ctx, pools, servers...)
		w.must(errs[0])
		w.must(errs[1])
		if !slices.Equal(members(read[0], rollout.MemberRegistering), servers[1:2]) {
			t.Errorf("registered a moment ago: %+v", read[0].Members)
		}
		if !slices.Equal(members(read[1], rollout.MemberDraining), servers[1:2]) {
			t.Errorf("taken out a moment ago: %+v", read[1].Members)
		}
	})
}

// One load balancer that is not there has the call refused for all; it alone is missing.
func TestMissingClassicPoolSpoilsNoOther(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		pools, servers := w.classics()
		name := pools[2].Name
		_, err := w.elb().DeleteLoadBalancer(ctx, &elb.DeleteLoadBalancerInput{LoadBalancerName: &name})
		w.check(err)
		read, errs := w.lookAt(ctx, pools)
		for i := range pools {
			if i == 2 {
				if cloud.KindOf(errs[i]) != cloud.NotFound || !strings.Contains(errs[i].Error(), name) {
					t.Errorf("%s is gone: %v", name, errs[i])
				}
				continue
			}
			w.must(errs[i])
			w.expectMembers(read[i], rollout.MemberHealthy, servers[i:i+1])
		}
	})
}

// Where the call fails for any other reason, no pool is read, and each says which it is. It is not asked again for each.
func TestCallThatFailsIsReadByNobody(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		pools, _ := w.classics()
		fault, err := w.InjectText("elb:DescribeLoadBalancers before=403:AccessDenied")
		w.must(err)
		before := len(w.calls("DescribeLoadBalancers"))
		_, errs := w.lookAt(ctx, pools)
		for i, err := range errs {
			if cloud.KindOf(err) != cloud.Denied || !strings.Contains(err.Error(), pools[i].Name) {
				t.Errorf("%s: %v", pools[i].Name, err)
			}
		}
		if calls := len(w.calls("DescribeLoadBalancers")) - before; calls != 1 {
			t.Errorf("%d calls", calls)
		}
		fault.Remove()
		if _, errs := w.lookAt(ctx, pools); errors.Join(errs...) != nil {
			t.Error(errs)
		}
	})
}

// An answer that leaves one of the load balancers out says nothing of it: it is asked for by itself, and not taken for empty.
func TestClassicPoolThatTheAnswerLeavesOut(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		pools, _ := w.classics()
		w.Account = w.over(rewriting{w.Transport(), func(body []byte) []byte {
			return []byte(strings.ReplaceAll(string(body), "<LoadBalancerName>web-3<", "<LoadBalancerName>other<"))
		}})
		read, errs := w.lookAt(ctx, pools)
		if errs[3] == nil || len(read[3].Members) > 0 {
			t.Errorf("nothing is said of web-3: %+v, %v", read[3].Members, errs[3])
		}
		w.must(errs[4])
	})
}

// A reading may be told that a server is gone while its registration is under way. Were that believed for the next seconds, nobody would ask
// for it if somebody took it out in them, and it drained unseen.
func TestALookDuringARegistrationIsNoWordOfWhoIsGone(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		pool, server := w.resolve(w.makeClassic("web")), w.running("token-1", 1)
		w.register(pool, server...)
		w.healthy(pool, server, time.Minute)
		w.deregister(pool, server...)
		w.pass(time.Minute)
		w.Inject(localaws.Fault{Action: "RegisterInstancesWithLoadBalancer", Delay: 3 * time.Second})
		registered := make(chan error, 1)
		go func() { registered <- w.Balancer.Register(ctx, pool, server) }()
		w.pass(time.Second)
		w.expectMembers(w.read(pool, server...), "", nil)
		w.must(<-registered)
		w.deregister(pool, server...)
		asked := len(w.calls("DescribeInstanceHealth"))
		w.read(pool, server...)
		if now := w.calls("DescribeInstanceHealth"); !slices.ContainsFunc(now[asked:], func(c *localaws.CallEntry) bool {
			return c.Params.Get("Instances.member.1.InstanceId") == server[0]
		}) {
			t.Errorf("%s was registered and taken out, and is not asked for", server[0])
		}
	})
}
