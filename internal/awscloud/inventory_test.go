package awscloud_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/rollout"
)

func idsOf(servers []cloud.Server) []string {
	var ids []string
	for _, server := range servers {
		ids = append(ids, server.ID)
	}
	return ids
}

func TestSweepFindsOursAlone(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		ours := w.launch(w.request("token-1", 2))
		other := class()
		other.Cluster = "another-cluster"
		_, err := w.open(other).Compute.Launch(ctx, w.request("token-2", 1))
		w.must(err)
		if got := idsOf(w.servers()); !slices.Equal(got, ours) {
			t.Errorf("swept %v, want %v", got, ours)
		}
	})
}

func TestSweepTurnsPages(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		var all []string
		for n, subnet := range w.site.Subnets {
			request := w.request(fmt.Sprint("token-", n), 334)
			request.Subnet = subnet
			all = append(all, w.launch(request)...)
		}
		slices.Sort(all)
		if got := idsOf(w.servers()); !slices.Equal(got, all) {
			t.Errorf("swept %d servers, want %d in order", len(got), len(all))
		}
		w.expectCalls("DescribeInstances", 2)
	})
}

func TestSweepIsSharedWithinItsAge(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		query := cloud.Query{Cluster: cluster, MaxAge: 10 * time.Second}
		ask := func() []string {
			servers, err := w.Compute.Servers(ctx, query)
			w.must(err)
			return idsOf(servers)
		}
		if got := ask(); len(got) != 0 {
			t.Fatalf("swept %v in an empty account", got)
		}
		ids, err := w.open(class()).Compute.Launch(ctx, w.request("token-1", 1)) // by another process
		w.must(err)
		w.pass(10 * time.Second)
		if got := ask(); len(got) != 0 {
			t.Errorf("swept %v before the age was over", got)
		}
		w.pass(time.Second)
		if got := ask(); !slices.Equal(got, ids) {
			t.Errorf("swept %v, want %v", got, ids)
		}
		query.MaxAge = 0
		ask()
		w.expectCalls("DescribeInstances", 3)
	})
}

func TestSweepShowsWhatWeDid(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		ask := func() []cloud.Server {
			servers, err := w.Compute.Servers(ctx, cloud.Query{Cluster: cluster, MaxAge: time.Hour})
			w.must(err)
			return servers
		}
		ask()
		ids := w.launch(w.request("token-1", 1))
		if got := idsOf(ask()); !slices.Equal(got, ids) {
			t.Errorf("after the launch: %v", got)
		}
		w.must(w.Compute.Tag(ctx, ids, map[string]string{cloud.TagRole: "stable"}))
		if got := ask()[0].Role; got != rollout.RoleStable {
			t.Errorf("after the tag: %s", got)
		}
		w.must(w.Compute.Terminate(ctx, ids))
		if got := ask()[0].State; got != rollout.StateShuttingDown {
			t.Errorf("after the end: %s", got)
		}
		ask()
		w.expectCalls("DescribeInstances", 5) // one of them by Terminate
	})
}

func TestSweepThatFailsIsAnErrorAndNotEmpty(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		w.launch(w.request("token-1", 1))
		undo := w.Deny("ec2:DescribeInstances")
		servers, err := w.Compute.Servers(ctx, cloud.Query{Cluster: cluster})
		w.expectError(err, cloud.Denied, rollout.ReasonAccessDenied, "servers")
		if servers != nil {
			t.Errorf("read %v", servers)
		}
		undo()
		if got := w.servers(); len(got) != 1 {
			t.Errorf("read %v", got)
		}
	})
}

func TestImpairedServers(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		ids := w.running("token-1", 2)
		w.must(w.Impair(ids[0]))
		w.pass(2 * time.Minute)
		if got := w.servers(); !got[0].Impaired || got[1].Impaired {
			t.Errorf("impaired: %t, %t", got[0].Impaired, got[1].Impaired)
		}
	})
	t.Run("not known", func(t *testing.T) {
		inWorld(t, nil, func(_ context.Context, w *world) {
			ids := w.running("token-1", 1)
			w.must(w.Impair(ids[0]))
			w.pass(2 * time.Minute)
			w.Inject(localaws.Fault{Action: "DescribeInstanceStatus", Hang: true})
			began := time.Now()
			if got := w.servers(); len(got) != 1 || got[0].Impaired {
				t.Errorf("read %+v", got)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("the sweep waited %s for the status checks", took)
			}
		})
	})
}

func TestServersByIDAndForAdoption(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		ids := w.launch(w.request("token-1", 3))
		w.must(w.Compute.Tag(ctx, ids[:1], map[string]string{cloud.TagAdopt: "shop/web"}))
		w.must(w.Compute.Tag(ctx, ids[1:2], map[string]string{cloud.TagAdopt: "shop/w*", cloud.TagHold: ""}))

		known, err := w.Compute.Servers(ctx, cloud.Query{IDs: []string{ids[2], "i-00000000000000bad", ids[1]}})
		w.must(err)
		if got := idsOf(known); !slices.Equal(got, ids[1:]) {
			t.Errorf("by ID: %v, want %v", got, ids[1:])
		}
		if !known[0].Hold || known[1].Hold {
			t.Errorf("held: %t, %t", known[0].Hold, known[1].Hold)
		}
		for value, want := range map[string][]string{"shop/web": ids[:1], "shop/w*": ids[1:2], "shop/api": nil} {
			adoptable, err := w.Compute.Servers(ctx, cloud.Query{Adopt: value})
			w.must(err)
			if got := idsOf(adoptable); !slices.Equal(got, want) {
				t.Errorf("for %s: %v, want %v", value, got, want)
			}
		}
	})
}
