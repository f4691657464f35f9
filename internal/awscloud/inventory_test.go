package awscloud_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
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
			t.Fatalf("after the launch: %v", got)
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

// impaired says of each server whether a fresh reading shows it as impaired, and that the reading waited for nothing.
func (w *world) impaired() []bool {
	w.t.Helper()
	began := time.Now()
	var all []bool
	for _, server := range w.servers() {
		all = append(all, server.Impaired)
	}
	if took := time.Since(began); took > 0 {
		w.t.Errorf("the reading waited %s for the status checks", took)
	}
	return all
}

func (w *world) expectImpaired(want ...bool) {
	w.t.Helper()
	if got := w.impaired(); !slices.Equal(got, want) {
		w.t.Errorf("impaired: %v, want %v", got, want)
	}
}

// withImpaired runs a test with two servers, the first of which EC2 calls impaired, and a process that knows it.
func withImpaired(t *testing.T, test func(ctx context.Context, w *world)) {
	t.Helper()
	inWorld(t, nil, func(ctx context.Context, w *world) {
		w.must(w.Impair(w.running("token-1", 2)[0]))
		w.pass(2 * time.Minute)
		w.expectImpaired(false, false) // nobody has looked yet
		w.pass(0)
		w.expectImpaired(true, false)
		test(ctx, w)
	})
}

func TestImpairedServers(t *testing.T) {
	t.Run("one that recovers", func(t *testing.T) {
		withImpaired(t, func(_ context.Context, w *world) {
			recovered := false
			w.Account = w.over(asking{w.Transport(), func(form string) string {
				if recovered {
					form = strings.ReplaceAll(form, "=impaired", "=insufficient-data")
				}
				return form
			}})
			w.impaired()
			w.pass(0)
			w.expectImpaired(true, false)
			recovered = true
			w.pass(2 * time.Minute)
			w.impaired()
			w.pass(0)
			w.expectImpaired(false, false)
		})
	})
	t.Run("a failed reading changes no verdict", func(t *testing.T) {
		withImpaired(t, func(_ context.Context, w *world) {
			fault := w.Inject(localaws.Fault{Action: "DescribeInstanceStatus", Count: 3, // all attempts of one call
				Before: &localaws.APIFault{Status: 503, Code: "Unavailable", Message: "The server is overloaded."}})
			for range 20 {
				w.pass(10 * time.Second)
				w.expectImpaired(true, false)
			}
			if fault.Hits() != 3 {
				t.Errorf("%d readings failed, want 3", fault.Hits())
			}
		})
	})
	t.Run("a reading that hangs delays nobody, and a verdict does not hold for ever", func(t *testing.T) {
		withImpaired(t, func(ctx context.Context, w *world) {
			w.Inject(localaws.Fault{Action: "DescribeInstanceStatus", Hang: true})
			for range 22 {
				w.pass(10 * time.Second)
				w.expectImpaired(true, false)
			}
			w.pass(time.Minute)
			w.expectImpaired(false, false)
			began := time.Now()
			w.must(w.Compute.Terminate(ctx, w.alive()))
			if took := time.Since(began); took > 0 {
				t.Errorf("an end waited %s for the status checks", took)
			}
		})
	})
	t.Run("not known", func(t *testing.T) {
		inWorld(t, nil, func(_ context.Context, w *world) {
			w.must(w.Impair(w.running("token-1", 1)[0]))
			w.Deny("ec2:DescribeInstanceStatus")
			for range 5 {
				w.pass(time.Minute)
				w.expectImpaired(false)
			}
		})
	})
	t.Run("asked for once a minute", func(t *testing.T) {
		withImpaired(t, func(_ context.Context, w *world) {
			before := len(w.calls("DescribeInstanceStatus"))
			for range 120 {
				w.pass(time.Second)
				w.expectImpaired(true, false)
			}
			w.pass(0)
			w.expectCalls("DescribeInstanceStatus", before+2*2) // for each of the two checks
		})
	})
	t.Run("the machine below", func(t *testing.T) {
		withImpaired(t, func(_ context.Context, w *world) {
			w.Account = w.over(asking{w.Transport(), strings.NewReplacer( // an AWS where the other check fails
				"=instance-status.", "=system-status.", "=system-status.", "=instance-status.").Replace})
			w.impaired()
			w.pass(0)
			w.expectImpaired(true, false)
		})
	})
}

// asking changes what is asked of AWS about status checks, for answers that the local AWS has not.
type asking struct {
	next   http.RoundTripper
	change func(form string) string
}

func (a asking) RoundTrip(request *http.Request) (*http.Response, error) {
	form, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(form, []byte("Action=DescribeInstanceStatus")) {
		form = []byte(a.change(string(form)))
	}
	request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(form)), int64(len(form))
	return a.next.RoundTrip(request)
}

// An outage must not read differently at each look: every change of words is a write for every Release.
func TestOutageReadsTheSameAtEachLook(t *testing.T) {
	for want, fault := range map[string]localaws.Fault{
		"the servers of the account: We are sorry (InternalError, HTTP 500)": {
			Before: &localaws.APIFault{Status: 500, Code: "InternalError", Message: "We are sorry."}},
		"the servers of the account: HTTP 503, without a word from AWS": {Before: &localaws.APIFault{Status: 503}},
		"the servers of the account: AWS did not answer in time":        {Hang: true},
		"the servers of the account: connection reset by peer":          {LoseReply: true},
	} {
		t.Run(want, func(t *testing.T) {
			inWorld(t, nil, func(ctx context.Context, w *world) {
				fault.Action = "DescribeInstances"
				w.Inject(fault)
				look := func() error { return second(w.Compute.Servers(ctx, cloud.Query{Cluster: cluster})) }
				one, other := look(), look()
				if one.Error() != other.Error() || !strings.Contains(one.Error(), want) || cloud.KindOf(one) != cloud.Unknown {
					t.Errorf("got %q, then %q", one, other)
				}
			})
		})
	}
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
