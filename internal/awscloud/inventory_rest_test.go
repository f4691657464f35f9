package awscloud_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// watched are the servers that an Opener told of.
type watched struct {
	mu  sync.Mutex
	all []cloud.Server
}

func (s *watched) tell(server cloud.Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, server)
}

// since forgets what it gives.
func (s *watched) since() (told []cloud.Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	told, s.all = s.all, nil
	return told
}

// watching is a process of its own that tells what it sees change.
func (w *world) watching() *watched {
	w.t.Helper()
	opener, seen := awscloud.NewOpener(awscloud.Options{Config: w.config()}), &watched{}
	opener.Watch(w.t.Context(), cloud.ServerWatch{Changed: seen.tell})
	account, err := opener.Open(class())
	w.must(err)
	w.Account = account
	return seen
}

// What changes by itself or by another hand is told of once, with whose it is: a state, a tag of ours, an end.
func TestChangesBetweenSweepsAreTold(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		seen := w.watching()
		ids := w.running("token-1", 3)
		w.servers()
		if told := seen.since(); len(told) > 0 {
			t.Errorf("the first sweep has nothing to compare with, and told of %v", idsOf(told))
		}
		w.pass(time.Minute)
		w.servers()
		if told := seen.since(); len(told) > 0 {
			t.Errorf("nothing changed, and it told of %v", idsOf(told))
		}
		w.must(w.Kill(ids[1]))
		w.servers()
		told := seen.since()
		if len(told) != 1 || told[0].ID != ids[1] || told[0].Release != "shop/web" || told[0].State == rollout.StateRunning {
			t.Errorf("%s ended, and it told of %+v", ids[1], told)
		}
		w.must(w.Compute.Tag(ctx, ids[:1], map[string]string{cloud.TagHold: ""}))
		w.pass(time.Second)
		w.servers()
		if told := seen.since(); len(told) == 0 || told[0].ID != ids[0] || !told[0].Hold {
			t.Errorf("somebody holds %s, and it told of %+v", ids[0], told)
		}
		w.pass(2 * time.Hour) // EC2 forgets what has ended
		w.servers()
		if told := seen.since(); !slices.Contains(idsOf(told), ids[1]) {
			t.Errorf("%s is not shown any more, and it told of %v", ids[1], idsOf(told))
		}
		more := w.launch(w.request("token-2", 1))
		w.servers()
		if told := seen.since(); !slices.Equal(idsOf(told), more) {
			t.Errorf("%v is new, and it told of %v", more, idsOf(told))
		}
	})
}

// A sweep that fails shows nothing, and tells of nothing.
func TestFailedSweepTellsOfNothing(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		seen := w.watching()
		w.running("token-1", 2)
		w.servers()
		fault, err := w.InjectText("ec2:DescribeInstances before=403:UnauthorizedOperation")
		w.must(err)
		if _, err := w.Compute.Servers(ctx, cloud.Query{Cluster: cluster}); err == nil {
			t.Error("the sweep did not fail")
		}
		fault.Remove()
		w.servers()
		if told := seen.since(); len(told) > 0 {
			t.Errorf("it told of %v", idsOf(told))
		}
	})
}

// Releases at rest share a sweep that is up to 50 seconds old; whoever asks for a fresh one gets it.
func TestSweepsAtRest(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		ids := w.running("token-1", 3)
		w.servers()
		query := cloud.Query{Cluster: cluster, MaxAge: time.Second, AtRest: true}
		sweeps := func() int {
			before := len(w.calls("DescribeInstances"))
			servers, err := w.Compute.Servers(ctx, query)
			w.must(err)
			if !slices.Equal(idsOf(servers), ids) {
				t.Fatalf("swept %v", idsOf(servers))
			}
			return len(w.calls("DescribeInstances")) - before
		}
		w.pass(49 * time.Second)
		if calls := sweeps(); calls != 0 {
			t.Errorf("%d calls for what was swept 49 seconds ago", calls)
		}
		w.pass(2 * time.Second)
		if calls := sweeps(); calls != 1 {
			t.Errorf("%d calls for what was swept 51 seconds ago", calls)
		}
		w.pass(2 * time.Second)
		query.AtRest = false
		if calls := sweeps(); calls != 1 {
			t.Errorf("%d calls for a fresh reading", calls)
		}
	})
}
