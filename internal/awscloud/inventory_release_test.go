package awscloud_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// sweepingAtMost is a process of its own, to which a cluster with more servers is large.
func (w *world) sweepingAtMost(servers int) {
	w.t.Helper()
	account, err := awscloud.NewOpener(awscloud.Options{Config: w.config(), SweepMost: servers}).Open(class())
	w.must(err)
	w.Account = account
}

// fleets are the servers of shop/web and of two other Releases, by Release; each is launched by another process.
func (w *world) fleets() map[string][]string {
	ids := map[string][]string{}
	for n, release := range []string{"shop/web", "shop/web-2", "shop/*"} {
		request := w.request(fmt.Sprint("token-", n), 2)
		request.Tags[cloud.TagRelease] = release
		launched, err := w.open(class()).Compute.Launch(w.t.Context(), request)
		w.must(err)
		ids[release] = launched
	}
	w.pass(time.Minute)
	return ids
}

// A Release is told of its own servers alone, in a small cluster and in a large one, also by a name that EC2 could read as a pattern.
func TestServersOfOneRelease(t *testing.T) {
	for _, most := range []int{0, 1, -1} {
		inWorld(t, nil, func(ctx context.Context, w *world) {
			ids := w.fleets()
			w.sweepingAtMost(most)
			for release, want := range ids {
				for _, atRest := range []bool{false, true} {
					servers, err := w.Compute.Servers(ctx, cloud.Query{Cluster: cluster, Release: release, MaxAge: time.Second, AtRest: atRest})
					w.must(err)
					if got := idsOf(servers); !slices.Equal(got, want) {
						t.Errorf("sweeping at most %d, at rest %v: %s has %v, want %v", most, atRest, release, got, want)
					}
				}
			}
		})
	}
}

// In a large cluster a fresh look is one call, however many servers others have, and the sweep follows once in 50 seconds.
func TestFreshLooksInLargeClustersReadTheirOwn(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		ids := w.fleets()
		w.sweepingAtMost(1)
		look := func() []string {
			servers, err := w.Compute.Servers(ctx, cloud.Query{Cluster: cluster, Release: "shop/web", MaxAge: time.Second})
			w.must(err)
			w.pass(0)
			return idsOf(servers)
		}
		look()
		w.expectCalls("DescribeInstances", 2) // the first sweep, which shows how large the cluster is, and the Release's own
		w.must(w.Kill(ids["shop/web"][0]))
		w.pass(2 * time.Second)
		servers, err := w.Compute.Servers(ctx, cloud.Query{Cluster: cluster, Release: "shop/web", MaxAge: time.Second})
		w.must(err)
		if len(servers) != 2 || servers[0].State == servers[1].State {
			t.Errorf("one of two servers ended, and a fresh look shows %+v", servers)
		}
		w.expectCalls("DescribeInstances", 3)
		w.pass(time.Minute)
		look()
		w.expectCalls("DescribeInstances", 5)
	})
}

// A rollback that a new process goes on with reads its own servers at once: the first sweep of a large cluster takes as long as it has pages.
func TestRollbackDoesNotWaitForTheFirstSweep(t *testing.T) {
	second := func(k *localaws.Knobs) { k.Latency = time.Second }
	for lane, want := range map[cloud.Lane]time.Duration{cloud.LaneRollback: time.Second, cloud.LanePromote: 2 * time.Second} {
		inWorld(t, second, func(ctx context.Context, w *world) {
			ids := w.fleets()
			w.sweepingAtMost(1)
			began := time.Now()
			servers, err := w.Compute.Servers(cloud.WithLane(ctx, lane), cloud.Query{Cluster: cluster, Release: "shop/web", MaxAge: time.Second})
			w.must(err)
			if got, took := idsOf(servers), time.Since(began); !slices.Equal(got, ids["shop/web"]) || took != want {
				t.Errorf("lane %d read %v in %s, want %v in %s", lane, got, took, ids["shop/web"], want)
			}
			w.pass(time.Second)
			if _, known := w.Compute.Known(ids["shop/web-2"][0]); !known {
				t.Errorf("lane %d: nobody swept", lane)
			}
		})
	}
}

// Where some deploy all the time the sweep over a large cluster still serves those at rest; over a small one it costs a call to show the change.
func TestOurChangesOutdateNoSweepOverALargeCluster(t *testing.T) {
	for most, want := range map[int]int{1: 0, 100: 1} {
		inWorld(t, nil, func(ctx context.Context, w *world) {
			ids := w.fleets()
			w.sweepingAtMost(most)
			query := cloud.Query{Cluster: cluster, Release: "shop/web", MaxAge: time.Second, AtRest: true}
			glance := func() {
				_, err := w.Compute.Servers(ctx, query)
				w.must(err)
			}
			glance()
			before := len(w.calls("DescribeInstances"))
			w.must(w.Compute.Tag(ctx, ids["shop/web-2"], map[string]string{cloud.TagRole: "stable"}))
			glance()
			if calls := len(w.calls("DescribeInstances")) - before; calls != want {
				t.Errorf("sweeping at most %d: %d calls for a glance after a change, want %d", most, calls, want)
			}
		})
	}
}

// Whose another server is, is known from the last sweep, without a call.
func TestKnownFromTheLastSweep(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		ids := w.fleets()
		w.sweepingAtMost(1)
		stranger := ids["shop/web-2"][0]
		if _, known := w.Compute.Known(stranger); known {
			t.Error("known before anybody swept")
		}
		_, err := w.Compute.Servers(ctx, cloud.Query{Cluster: cluster, Release: "shop/web", MaxAge: time.Second})
		w.must(err)
		if server, known := w.Compute.Known(stranger); !known || server.Release != "shop/web-2" {
			t.Errorf("%s is known %v, of %q", stranger, known, server.Release)
		}
		if _, known := w.Compute.Known("i-00000000000000bad"); known {
			t.Error("a server is known that there is not")
		}
		w.expectCalls("DescribeInstances", 2)
	})
}
