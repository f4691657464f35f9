package awscloud_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/rollout"
)

// A process that may not lead any more looks, and changes nothing.
func TestWithoutPermitNothingIsChanged(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		servers := w.running("token-1", 1)
		var pools []rollout.Pool
		for _, ref := range []cloud.PoolRef{w.makeClassic("web"), w.makeALB("api")} {
			pools = append(pools, w.resolve(ref))
		}
		refusal := errors.New("somebody else leads")
		lost := cloud.WithPermit(ctx, func() (time.Duration, error) { return time.Minute, refusal })
		before := w.LastSeq()
		changes := map[string]error{
			"Tag":       w.Compute.Tag(lost, servers, map[string]string{cloud.TagRole: "live"}),
			"Terminate": w.Compute.Terminate(lost, servers),
		}
		_, changes["Launch"] = w.Compute.Launch(lost, w.request("token-2", 1))
		for _, pool := range pools {
			changes["Register "+pool.ID] = w.Balancer.Register(lost, pool, servers)
			changes["Deregister "+pool.ID] = w.Balancer.Deregister(lost, pool, servers)
		}
		for what, err := range changes {
			if !errors.Is(err, refusal) {
				t.Errorf("%s: %v, and should tell why it was not sent", what, err)
			}
		}
		for _, entry := range w.LedgerSince(before) {
			if entry.Call != nil && entry.Call.Mutates {
				t.Errorf("%s was called", entry.Call.Action)
			}
		}
		_, err := w.Compute.Servers(lost, cloud.Query{IDs: servers})
		w.must(err)
		w.must(w.Compute.Tag(cloud.WithPermit(ctx, func() (time.Duration, error) { return time.Minute, nil }), servers, map[string]string{cloud.TagRole: "live"}))
	})
}

// The permit is asked when a call has waited for its turn, not before.
func TestPermitIsAskedLast(t *testing.T) {
	throttle := func(k *localaws.Knobs) { k.Throttle = true }
	inWorld(t, throttle, func(ctx context.Context, w *world) {
		end := time.Now().Add(time.Second)
		ctx = cloud.WithPermit(cloud.WithLane(ctx, cloud.LaneLaunch), func() (time.Duration, error) {
			if time.Now().After(end) {
				return 0, errors.New("the term is over")
			}
			return time.Hour, nil
		})
		var all sync.WaitGroup
		for n := range 20 { // 0.7 of two a second
			all.Go(func() { _, _ = w.Compute.Launch(ctx, w.request(fmt.Sprint("token-", n), 1)) })
		}
		all.Wait()
		launches := len(w.calls("RunInstances"))
		if launches == 0 || launches == 20 {
			t.Errorf("%d of 20 launches were called; some before the term was over, and none after it", launches)
		}
		for _, entry := range w.Ledger() {
			if entry.Call != nil && entry.Call.Action == "RunInstances" && entry.Time.After(end) {
				t.Errorf("a launch was called %s after the term was over", entry.Time.Sub(end))
			}
		}
	})
}

// A call that waits for its answer is given up when the permit is withdrawn.
func TestWithoutPermitACallIsGivenUp(t *testing.T) {
	slow := func(k *localaws.Knobs) { k.Latency = 8 * time.Second }
	inWorld(t, slow, func(ctx context.Context, w *world) {
		over, began := errors.New("the term is over"), time.Now()
		_, err := w.Compute.Launch(cloud.WithPermit(ctx, func() (time.Duration, error) {
			if left := 3*time.Second - time.Since(began); left > 0 {
				return left, nil
			}
			return 0, over
		}), w.request("token", 1))
		if took := time.Since(began); err == nil || took != 3*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
	})
}
