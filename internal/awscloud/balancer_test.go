package awscloud_test

import (
	"bytes"
	stdcmp "cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/rollout"
)

// kinds are the three kinds of pool, with how long AWS may take until a registered server is in service, and until one
// that was taken out is gone.
var kinds = map[string]struct {
	make             func(*world, string) cloud.PoolRef
	want             rollout.Pool
	inService, drain time.Duration
	register, remove string // the mutations
}{
	"classic": {
		make:      (*world).makeClassic,
		want:      rollout.Pool{ID: "classic/us-east-1/web", Name: "web", Kind: rollout.KindClassic, ZonalOnly: true},
		inService: 36 * time.Second, drain: 30 * time.Second,
		register: "RegisterInstancesWithLoadBalancer", remove: "DeregisterInstancesFromLoadBalancer",
	},
	"alb": {
		make:      (*world).makeALB,
		want:      rollout.Pool{Name: "web", Kind: rollout.KindALB},
		inService: 15 * time.Second, drain: 30 * time.Second, register: "RegisterTargets", remove: "DeregisterTargets",
	},
	"nlb": {
		make:      (*world).makeNLB,
		want:      rollout.Pool{Name: "web", Kind: rollout.KindNLB, ZonalOnly: true},
		inService: 310 * time.Second, drain: 310 * time.Second, register: "RegisterTargets", remove: "DeregisterTargets",
	},
}

func TestLifeOfAMember(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(_ context.Context, w *world) {
				servers := w.running("token-1", 3)
				ref := kind.make(w, "web")
				pool := w.resolve(ref)
				kind.want.ID = stdcmp.Or(kind.want.ID, ref.TargetGroupARN)
				if diff := cmp.Diff(kind.want, pool); diff != "" {
					t.Errorf("resolved (-want +got):\n%s", diff)
				}
				w.expectMembers(w.read(pool, servers...), rollout.MemberHealthy, nil)

				w.register(pool, servers...)
				registering := w.read(pool)
				w.expectMembers(registering, rollout.MemberRegistering, servers)
				if reason := registering.Members[0].Reason; !strings.Contains(reason, "registration is") {
					t.Errorf("AWS's words are %q", reason)
				}
				t.Logf("in service after %s", w.healthy(pool, servers, kind.inService))

				w.must(w.SetAppStatus(servers[0], 500))
				w.healthy(pool, w.passing(kind.want.Kind, servers), time.Minute)
				w.must(w.SetAppStatus(servers[0], 200))
				w.healthy(pool, servers, time.Minute)

				w.deregister(pool, servers[:2]...)
				leaving := w.read(pool, servers...)
				if got := members(leaving, rollout.MemberDraining); !slices.Equal(got, servers[:2]) {
					t.Errorf("draining are %v, want %v", got, servers[:2])
				}
				w.pass(kind.drain + 10*time.Second)
				w.expectMembers(w.read(pool, servers...), rollout.MemberHealthy, servers[2:])
				w.deregister(pool, servers[:2]...) // again: no error

				w.expectCalls(kind.register, 1)
				w.expectCalls(kind.remove, 2)
			})
		})
	}
}

// passing are the servers whose checks pass while the first answers 500: all of them where only the connection counts.
func (w *world) passing(kind rollout.PoolKind, servers []string) []string {
	if kind == rollout.KindNLB {
		return servers
	}
	return servers[1:]
}

func TestReturnOfADrainingMember(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(_ context.Context, w *world) {
				servers := w.running("token-1", 2)
				pool := w.resolve(kind.make(w, "web"))
				w.register(pool, servers...)
				w.healthy(pool, servers, kind.inService)
				w.deregister(pool, servers...)
				w.register(pool, servers...)
				w.healthy(pool, servers, kind.inService)
				w.pass(10 * time.Minute)
				w.expectMembers(w.read(pool), rollout.MemberHealthy, servers)
			})
		})
	}
}

func TestManyServersTakeFewCalls(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(_ context.Context, w *world) {
				servers := w.running("token-1", 201)
				pool := w.resolve(kind.make(w, "web"))
				w.register(pool, servers[:200]...)
				w.expectCalls(kind.register, 1)
				w.register(pool, servers...)
				w.expectCalls(kind.register, 3)
				w.healthy(pool, servers, kind.inService)
				w.deregister(pool, servers...)
				w.expectCalls(kind.remove, 2)
				if got := w.read(pool, servers...); len(members(got, rollout.MemberHealthy)) > 0 {
					t.Errorf("healthy after all left: %v", members(got, rollout.MemberHealthy))
				}
			})
		})
	}
}

func TestOneDeadServerKeepsNobodyOut(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(ctx context.Context, w *world) {
				servers := w.running("token-1", 5)
				dead, rest := servers[3], slices.Concat(servers[:3], servers[4:])
				pool := w.resolve(kind.make(w, "web"))
				w.must(w.Kill(dead))
				err := w.Balancer.Register(ctx, pool, servers)
				w.expectError(err, cloud.Invalid, rollout.ReasonPoolRefusesServers, "server "+dead)
				w.healthy(pool, rest, kind.inService)
			})
		})
	}
}

func TestOneStrangeServerKeepsNobodyIn(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(ctx context.Context, w *world) {
				servers := w.running("token-1", 4)
				pool := w.resolve(kind.make(w, "web"))
				w.register(pool, servers[:3]...)
				w.healthy(pool, servers[:3], kind.inService)
				w.must(w.Balancer.Deregister(ctx, pool, []string{servers[3], servers[0], "i-00000000000000bad", servers[1]}))
				got := w.read(pool, servers...)
				if len(got.Members) != 3 || !slices.Equal(members(got, rollout.MemberHealthy), servers[2:3]) ||
					!slices.Equal(members(got, rollout.MemberDraining), servers[:2]) {
					t.Errorf("read %+v", got.Members)
				}
			})
		})
	}
}

// hiding is an AWS that shows a draining classic member only to whoever asks for it by name, as its documentation allows.
type hiding struct{ next http.RoundTripper }

var drainingMember = regexp.MustCompile(`<member>(?:[^m]|m[^e])*?Instance deregistration currently in progress.*?</member>`)

func (h hiding) RoundTrip(request *http.Request) (*http.Response, error) {
	form, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	request.Body = io.NopCloser(bytes.NewReader(form))
	next := h.next
	if bytes.Contains(form, []byte("Action=DescribeInstanceHealth")) && !bytes.Contains(form, []byte("InstanceId")) {
		next = rewriting{h.next, func(body []byte) []byte { return drainingMember.ReplaceAll(body, nil) }}
	}
	return next.RoundTrip(request)
}

func TestDrainingClassicMemberIsFoundByName(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		servers := w.running("token-1", 3)
		pool := w.resolve(w.makeClassic("web"))
		w.register(pool, servers[:2]...)
		w.healthy(pool, servers[:2], time.Minute)
		w.deregister(pool, servers[0])

		account := w.over(hiding{w.Transport()})
		got, err := account.Balancer.Look(ctx, []string{pool.ID}).Read(ctx, pool, nil)
		w.must(err)
		w.expectMembers(got, rollout.MemberHealthy, servers[1:2])
		// The load balancer refuses to speak of servers that it never saw; those are asked for in vain.
		got, err = account.Balancer.Look(ctx, []string{pool.ID}).Read(ctx, pool, []string{servers[2], "i-00000000000000bad", servers[0]})
		w.must(err)
		want := []rollout.Member{
			{Server: servers[0], State: rollout.MemberDraining, Reason: "Instance deregistration currently in progress"},
			{Server: servers[1], State: rollout.MemberHealthy},
		}
		if diff := cmp.Diff(want, got.Members); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A load balancer that leaves a member out of every answer, those by name included, does not say that it left.
func TestClassicMemberThatEveryAnswerLeavesOut(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		servers := w.running("token-1", 2)
		pool := w.resolve(w.makeClassic("web"))
		w.register(pool, servers...)
		w.healthy(pool, servers, time.Minute)
		fault, err := w.InjectText("elb:Describe* missing=" + servers[0])
		w.check(err)
		got, err := w.Balancer.Look(ctx, []string{pool.ID}).Read(ctx, pool, servers)
		w.must(err)
		w.expectMembers(got, rollout.MemberHealthy, servers[1:])
		if !slices.Equal(got.Unasked, servers[:1]) {
			t.Errorf("not known are %v, not %v", got.Unasked, servers[:1])
		}
		fault.Remove()
		w.deregister(pool, servers[0])
		w.pass(10 * time.Minute) // longer than it drains
		if got, err := w.Balancer.Look(ctx, []string{pool.ID}).Read(ctx, pool, servers); err != nil || len(got.Unasked) > 0 {
			t.Errorf("told that it left: not known are %v, %v", got.Unasked, err)
		}
	})
}

// While a fleet boots, nearly all of its servers are unknown to the load balancer, which refuses every call that names one of
// them: what a reading may spend on them is bounded, or no pool of more than forty servers could be read at AWS's rate limits.
func TestReadingWhileALargeFleetBoots(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		fleet := w.running("token-1", 60)
		pool := w.resolve(w.makeClassic("web"))
		w.register(pool, fleet[:2]...)
		w.healthy(pool, fleet[:2], time.Minute)
		w.deregister(pool, fleet[0])

		account := w.over(hiding{w.Transport()}) // a process that has seen none of it
		readings := 0
		for unasked := fleet; len(unasked) > 0; readings++ {
			before := len(w.calls("DescribeInstanceHealth"))
			got, err := account.Balancer.Look(ctx, []string{pool.ID}).Read(ctx, pool, fleet)
			w.must(err)
			if calls := len(w.calls("DescribeInstanceHealth")) - before; calls > 9 {
				t.Fatalf("a reading makes %d calls", calls)
			}
			w.expectMembers(got, rollout.MemberHealthy, fleet[1:2])
			drains := slices.Equal(members(got, rollout.MemberDraining), fleet[:1])
			truth, _ := w.Pool("web")
			still := slices.ContainsFunc(truth.Members, func(m localaws.MemberInfo) bool { return m.InstanceID == fleet[0] })
			if still && !drains && !slices.Contains(got.Unasked, fleet[0]) {
				t.Fatalf("%s drains, and a reading that does not say so does not say that it was not asked either", fleet[0])
			}
			if slices.Contains(got.Unasked, fleet[1]) || readings > 20 {
				t.Fatalf("reading %d did not ask for %v", readings, got.Unasked)
			}
			unasked = got.Unasked
		}
		if readings < 2 {
			t.Errorf("%d readings", readings)
		}
		// All that are registered since are asked for again: they are known.
		w.check(account.Balancer.Register(ctx, pool, fleet))
		w.healthy(pool, fleet, time.Minute)
		w.check(account.Balancer.Deregister(ctx, pool, fleet))
		got, err := account.Balancer.Look(ctx, []string{pool.ID}).Read(ctx, pool, fleet)
		w.must(err)
		w.expectMembers(got, rollout.MemberDraining, fleet)
	})
}

// AWS says "try again later" of a server: it is asked again, three times at most, and its answer counts. Where it goes on so, it is
// said.
func TestUnknownClassicHealthIsAskedForAgain(t *testing.T) {
	for _, share := range []float64{0.3, 1} {
		inWorld(t, func(k *localaws.Knobs) { k.Balancers.ClassicUnknown = share }, func(ctx context.Context, w *world) {
			servers := w.running("token-1", 2)
			pool := w.resolve(w.makeClassic("web"))
			w.register(pool, servers...)
			w.pass(time.Minute)
			helped := false
			for range 20 {
				before := len(w.calls("DescribeInstanceHealth"))
				got, err := w.Balancer.Look(ctx, []string{pool.ID}).Read(ctx, pool, nil)
				w.must(err)
				calls, unknown := len(w.calls("DescribeInstanceHealth"))-before, len(members(got, rollout.MemberUnknown)) > 0
				if calls > 4 || unknown && calls < 4 {
					t.Errorf("share %v: %d calls, and then unknown %t", share, calls, unknown)
				}
				helped = helped || calls > 1 && !unknown
			}
			if helped == (share == 1) {
				t.Errorf("share %v: that it is asked again helped %t", share, helped)
			}
		})
	}
}

// over is our account seen through another wire.
func (w *world) over(wire http.RoundTripper) *cloud.Account {
	w.t.Helper()
	config := w.config()
	config.HTTPClient = &http.Client{Transport: wire}
	account, err := awscloud.NewOpener(awscloud.Options{Config: config}).Open(class())
	return answered(w, account, err)
}

func TestTargetGroupThatNobodyUses(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		servers := w.running("token-1", 1)
		ref := w.makeGroup("web", types.ProtocolEnumHttp)
		pool := w.resolve(ref)
		if !pool.NotInUse || pool.Kind != rollout.KindALB {
			t.Errorf("resolved %+v", pool)
		}
		w.register(pool, servers...)
		w.pass(time.Minute)
		got := w.read(pool)
		w.expectMembers(got, rollout.MemberUnhealthy, servers)
		if !got.NotInUse || !strings.HasPrefix(got.Members[0].Reason, "Target.NotInUse: ") {
			t.Errorf("read %+v", got)
		}
		w.use(ref, "web", types.LoadBalancerTypeEnumApplication, types.ProtocolEnumHttp)
		w.healthy(pool, servers, time.Minute)
		if w.read(pool).NotInUse || w.resolve(ref).NotInUse {
			t.Error("still not in use")
		}
	})
}

func TestBalanceAcrossZones(t *testing.T) {
	crossZone := func(on bool) *elbtypes.LoadBalancerAttributes {
		return &elbtypes.LoadBalancerAttributes{CrossZoneLoadBalancing: &elbtypes.CrossZoneLoadBalancing{Enabled: on}}
	}
	tests := map[string]struct {
		make func(*world) cloud.PoolRef
		want bool // zonal only
	}{
		"classic, as created by API": {(func(w *world) cloud.PoolRef { return w.makeClassic("web") }), true},
		"classic, switched on": {func(w *world) cloud.PoolRef {
			defer w.setClassic("web", crossZone(true))
			return w.makeClassic("web")
		}, false},
		"application": {func(w *world) cloud.PoolRef { return w.makeALB("web") }, false},
		"application, switched off for the group": {func(w *world) cloud.PoolRef {
			ref := w.makeALB("web")
			w.setGroup(ref, "load_balancing.cross_zone.enabled", "false")
			return ref
		}, true},
		"network": {func(w *world) cloud.PoolRef { return w.makeNLB("web") }, true},
		"network, switched on for the group": {func(w *world) cloud.PoolRef {
			ref := w.makeNLB("web")
			w.setGroup(ref, "load_balancing.cross_zone.enabled", "true")
			return ref
		}, false},
		"network, switched on for the load balancer": {func(w *world) cloud.PoolRef {
			ref := w.makeGroup("web", types.ProtocolEnumTcp)
			arn := w.use(ref, "web", types.LoadBalancerTypeEnumNetwork, types.ProtocolEnumTcp)
			_, err := w.elbv2().ModifyLoadBalancerAttributes(w.t.Context(), &elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &arn,
				Attributes: []types.LoadBalancerAttribute{{Key: aws.String("load_balancing.cross_zone.enabled"), Value: aws.String("true")}}})
			w.must(err)
			return ref
		}, false},
		"not in use, of a network load balancer's protocol": {func(w *world) cloud.PoolRef {
			return w.makeGroup("web", types.ProtocolEnumTcp)
		}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(_ context.Context, w *world) {
				if got := w.resolve(test.make(w)).ZonalOnly; got != test.want {
					t.Errorf("zonal only: %t", got)
				}
			})
		})
	}
}

func TestOnePoolByManyNames(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		byARN := w.resolve(w.makeALB("web"))
		byName := w.resolve(cloud.PoolRef{TargetGroupName: "web"})
		byID := w.resolve(cloud.PoolRef{ID: byARN.ID})
		classic := w.resolve(w.makeClassic("web"))
		classicByID := w.resolve(cloud.PoolRef{ID: classic.ID})
		if byName.ID != byARN.ID || byID.ID != byARN.ID || classicByID.ID != classic.ID || classic.ID == byARN.ID {
			t.Errorf("resolved %v", []rollout.Pool{byARN, byName, byID, classic, classicByID})
		}
	})
}

func TestResolveAsksOnceAMinute(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		ref := w.makeALB("web")
		for range 5 {
			w.resolve(ref)
		}
		w.expectCalls("DescribeTargetGroups", 1)
		w.pass(61 * time.Second)
		w.resolve(ref)
		w.expectCalls("DescribeTargetGroups", 2)
	})
}

// descriptions are the calls that Resolve may make.
var descriptions = []string{"DescribeTargetGroups", "DescribeTargetGroupAttributes", "DescribeLoadBalancerAttributes"}

func TestDescriptionOutlivesTheCallsThatGiveIt(t *testing.T) {
	troubles := map[string]func(w *world, action string) (mend func()){
		"hangs": func(w *world, action string) func() {
			return w.Inject(localaws.Fault{Action: action, Hang: true}).Remove
		},
		"fails": func(w *world, action string) func() {
			return w.Inject(localaws.Fault{Action: action, Before: &localaws.APIFault{Status: 503}}).Remove
		},
		"is throttled": func(w *world, action string) func() {
			return w.Inject(localaws.Fault{Action: action,
				Before: &localaws.APIFault{Status: 400, Code: "Throttling", Message: "Rate exceeded"}}).Remove
		},
		"is denied": func(w *world, action string) func() { return w.Deny("elasticloadbalancing:" + action) },
	}
	for name, kind := range kinds {
		for what, trouble := range troubles {
			t.Run(name+" "+what, func(t *testing.T) {
				inWorld(t, nil, func(ctx context.Context, w *world) {
					servers := w.running("token-1", 1)
					ref := kind.make(w, "web")
					want := w.resolve(ref)
					for _, action := range descriptions {
						mend := trouble(w, action)
						for range 10 {
							w.pass(time.Minute)
							began := time.Now()
							if diff := cmp.Diff(want, w.resolve(ref)); diff != "" {
								t.Errorf("without %s (-want +got):\n%s", action, diff)
							}
							if took := time.Since(began); took > time.Second {
								t.Errorf("without %s it took %s", action, took)
							}
						}
						mend()
						w.pass(time.Minute)
					}
					w.register(want, servers...)
					w.healthy(want, servers, kind.inService)

					w.remove(want)
					w.pass(2 * time.Minute)
					_, err := w.Balancer.Resolve(ctx, ref, time.Minute)
					w.expectError(err, cloud.NotFound, rollout.ReasonPoolNotFound, "web")
				})
			})
		}
	}
}

// Of a classic load balancer that nobody asked for yet, a glance wants to know nothing, and a rollback waits for a second.
func TestAReferenceWillDo(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		ref := w.makeClassic("web")
		w.setClassic("web", &elbtypes.LoadBalancerAttributes{CrossZoneLoadBalancing: &elbtypes.CrossZoneLoadBalancing{Enabled: true}})
		resolve := func(ctx context.Context, maxAge, took time.Duration) {
			t.Helper()
			began := time.Now()
			pool, err := w.Balancer.Resolve(ctx, ref, maxAge)
			if w.check(err); pool.ID == "" || pool.Kind != rollout.KindClassic || !pool.ZonalOnly || time.Since(began) != took {
				t.Errorf("after %s: %+v", time.Since(began), pool)
			}
		}
		resolve(ctx, cloud.ReferenceWillDo, 0)
		w.expectCalls("DescribeLoadBalancerAttributes", 0)
		hangs := w.Inject(localaws.Fault{Action: "DescribeLoadBalancerAttributes", Hang: true})
		resolve(cloud.WithLane(ctx, cloud.LaneRollback), time.Minute, time.Second)
		hangs.Remove()
		w.pass(time.Minute)
		if pool := w.resolve(ref); pool.ZonalOnly {
			t.Errorf("%+v, which balances across zones", pool)
		}
	})
}

func TestGoneIsHeardOfALookUpThatNobodyWaitedFor(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(ctx context.Context, w *world) {
				ref := kind.make(w, "web")
				w.remove(w.resolve(ref))
				for _, action := range descriptions {
					w.Inject(localaws.Fault{Action: action, Delay: 3 * time.Second})
				}
				w.pass(2 * time.Minute)
				w.resolve(ref) // not known yet
				w.pass(3 * time.Second)
				_, err := w.Balancer.Resolve(ctx, ref, time.Minute)
				w.expectError(err, cloud.NotFound, rollout.ReasonPoolNotFound, "web")
			})
		})
	}
}

func TestBalanceAcrossZonesThatIsNotKnown(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(_ context.Context, w *world) {
				ref := kind.make(w, "web")
				outage := w.Inject(localaws.Fault{Action: "*Attributes", Before: &localaws.APIFault{Status: 503}})
				strict := kind.want
				strict.ID, strict.ZonalOnly = stdcmp.Or(strict.ID, ref.TargetGroupARN), true
				if diff := cmp.Diff(strict, w.resolve(ref)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				outage.Remove()
				w.pass(61 * time.Second)
				if got := w.resolve(ref).ZonalOnly; got != kind.want.ZonalOnly {
					t.Errorf("zonal only once it is known: %t", got)
				}
			})
		})
	}
}

func TestPoolsThatCannotBeMeant(t *testing.T) {
	tests := map[string]struct {
		ref    func(*world) cloud.PoolRef
		kind   cloud.Kind
		reason string
		thing  string
	}{
		"classic load balancer missing": {
			ref:  func(*world) cloud.PoolRef { return cloud.PoolRef{ClassicName: "web"} },
			kind: cloud.NotFound, reason: rollout.ReasonPoolNotFound, thing: "classic load balancer web",
		},
		"target group missing": {
			ref:  func(*world) cloud.PoolRef { return cloud.PoolRef{TargetGroupName: "web"} },
			kind: cloud.NotFound, reason: rollout.ReasonPoolNotFound, thing: "target group web",
		},
		"target group missing, by ARN": {
			ref: func(*world) cloud.PoolRef {
				return cloud.PoolRef{TargetGroupARN: "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef"}
			},
			kind: cloud.NotFound, reason: rollout.ReasonPoolNotFound, thing: "target group web",
		},
		"target group of another region": {
			ref: func(*world) cloud.PoolRef {
				return cloud.PoolRef{TargetGroupARN: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"}
			},
			kind: cloud.Invalid, reason: rollout.ReasonInvalidParameter, thing: "eu-west-1",
		},
		"ARN of a load balancer": {
			ref: func(*world) cloud.PoolRef {
				return cloud.PoolRef{TargetGroupARN: "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"}
			},
			kind: cloud.Invalid, reason: rollout.ReasonInvalidParameter, thing: "not the ARN of a target group",
		},
		"no ARN at all": {
			ref:  func(*world) cloud.PoolRef { return cloud.PoolRef{TargetGroupARN: "web"} },
			kind: cloud.Invalid, reason: rollout.ReasonInvalidParameter, thing: "pool web",
		},
		"not allowed": {
			ref: func(w *world) cloud.PoolRef {
				w.Deny("elasticloadbalancing:Describe*")
				return cloud.PoolRef{ClassicName: "web"}
			},
			kind: cloud.Denied, reason: rollout.ReasonAccessDenied, thing: "elasticloadbalancing:Describe",
		},
		"not allowed to ask for its zones": {
			ref: func(w *world) cloud.PoolRef {
				w.Deny("elasticloadbalancing:DescribeTargetGroupAttributes")
				return w.makeALB("web")
			},
			kind: cloud.Denied, reason: rollout.ReasonAccessDenied, thing: "elasticloadbalancing:Describe",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(ctx context.Context, w *world) {
				_, err := w.Balancer.Resolve(ctx, test.ref(w), time.Minute)
				w.expectError(err, test.kind, test.reason, test.thing)
			})
		})
	}
}

// rewriting changes the answers of AWS on the wire, for what the local AWS has not.
type rewriting struct {
	next   http.RoundTripper
	change func([]byte) []byte
}

// replaced is a change of words.
func replaced(from, to string) func([]byte) []byte {
	return func(body []byte) []byte { return bytes.ReplaceAll(body, []byte(from), []byte(to)) }
}

func (r rewriting) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := r.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	body = r.change(body)
	answer.Header.Del("Content-Length")
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return answer, nil
}

func TestTargetsThatAreNoServers(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		ref := w.makeALB("web")
		account := w.over(rewriting{w.Transport(), replaced("<TargetType>instance<", "<TargetType>ip<")})
		_, err := account.Balancer.Resolve(ctx, ref, time.Minute)
		w.expectError(err, cloud.Invalid, rollout.ReasonPoolUnsupported, "type ip, not instance")
	})
}

func TestZonalShift(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		servers := w.running("token-1", 1)
		pool := w.resolve(w.makeALB("web"))
		w.register(pool, servers...)
		w.healthy(pool, servers, time.Minute)
		account := w.over(rewriting{w.Transport(), replaced("</TargetHealth>",
			"</TargetHealth><AdministrativeOverride><State>zonal_shift_active</State></AdministrativeOverride>")})
		got, err := account.Balancer.Look(ctx, []string{pool.ID}).Read(ctx, pool, nil)
		w.must(err)
		w.expectMembers(got, rollout.MemberUnknown, servers)
	})
}

func TestPoolThatIsGone(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(ctx context.Context, w *world) {
				servers := w.running("token-1", 1)
				pool := w.resolve(kind.make(w, "web"))
				w.remove(pool)

				got, err := w.Balancer.Look(ctx, []string{pool.ID}).Read(ctx, pool, servers)
				w.expectError(err, cloud.NotFound, rollout.ReasonPoolNotFound, "web")
				if len(got.Members) > 0 {
					t.Errorf("read %+v", got)
				}
				w.expectCalls("GetCallerIdentity", 1)
				w.expectError(w.Balancer.Register(ctx, pool, servers), cloud.NotFound, rollout.ReasonPoolNotFound, "web")
				w.expectError(w.Balancer.Deregister(ctx, pool, servers), cloud.NotFound, rollout.ReasonPoolNotFound, "web")

				// Where the account cannot be confirmed, or is another, the pool may exist.
				w.pass(2 * time.Minute)
				elsewhere := class()
				elsewhere.AccountID = abroad
				_, err = w.open(elsewhere).Balancer.Look(ctx, []string{pool.ID}).Read(ctx, pool, servers)
				w.expectError(err, cloud.Denied, rollout.ReasonWrongAccount, "this is account "+home+", not "+abroad)
				w.Inject(localaws.Fault{Service: "sts", LoseReply: true})
				_, err = w.open(class()).Balancer.Look(ctx, []string{pool.ID}).Read(ctx, pool, servers)
				if err == nil || cloud.KindOf(err) != cloud.Unknown {
					t.Errorf("without STS: %v", err)
				}
			})
		})
	}
}

// remove deletes the load balancer or the target group of a pool by hand.
func (w *world) remove(pool rollout.Pool) {
	w.t.Helper()
	if pool.Kind == rollout.KindClassic {
		_, err := w.elb().DeleteLoadBalancer(w.t.Context(), &elb.DeleteLoadBalancerInput{LoadBalancerName: &pool.Name})
		w.must(err)
		return
	}
	answer, err := w.elbv2().DescribeLoadBalancers(w.t.Context(), &elbv2.DescribeLoadBalancersInput{Names: []string{pool.Name}})
	arn := answered(w, answer, err).LoadBalancers[0].LoadBalancerArn
	_, err = w.elbv2().DeleteLoadBalancer(w.t.Context(), &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: arn})
	w.must(err)
	_, err = w.elbv2().DeleteTargetGroup(w.t.Context(), &elbv2.DeleteTargetGroupInput{TargetGroupArn: &pool.ID})
	w.must(err)
}

func TestMemberOnAPortOfItsOwn(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		servers := w.running("token-1", 2)
		pool := w.resolve(w.makeALB("web"))
		w.register(pool, servers...)
		_, err := w.elbv2().RegisterTargets(ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: &pool.ID,
			Targets: []types.TargetDescription{{Id: &servers[0], Port: aws.Int32(80)}, {Id: &servers[0], Port: aws.Int32(8081)}}})
		w.must(err)
		got := w.read(pool)
		if len(got.Members) != 2 {
			t.Fatalf("read %+v", got.Members)
		}
		for _, m := range got.Members {
			if m.OtherPort != (m.Server == servers[0]) {
				t.Errorf("on another port is %t of %s, which alone %s is", m.OtherPort, m.Server, servers[0])
			}
		}
		w.deregister(pool, servers[0])
		w.pass(time.Minute)
		w.expectMembers(w.read(pool), rollout.MemberHealthy, servers[1:])
	})
}

func TestTroubleOnTheHotPath(t *testing.T) {
	throttle := &localaws.APIFault{Status: 400, Code: "Throttling", Message: "Rate exceeded"}
	tests := map[string]localaws.Fault{
		"throttled twice":         {Before: throttle, Count: 2},
		"reply lost twice":        {LoseReply: true, Count: 2},
		"error after the effect":  {After: &localaws.APIFault{Status: 500, Code: "InternalFailure", Message: "We are sorry."}, Count: 2},
		"error before the effect": {Before: &localaws.APIFault{Status: 503}, Count: 2},
	}
	for name, fault := range tests {
		for kindName, kind := range kinds {
			t.Run(name+", "+kindName, func(t *testing.T) {
				inWorld(t, nil, func(ctx context.Context, w *world) {
					servers := w.running("token-1", 2)
					pool := w.resolve(kind.make(w, "web"))
					fault.Action = "*egister*"
					w.Inject(fault)
					began := time.Now()
					w.must(w.Balancer.Register(cloud.WithLane(ctx, cloud.LanePromote), pool, servers))
					if took := time.Since(began); took > 2*time.Second {
						t.Errorf("the call took %s", took)
					}
					w.healthy(pool, servers, kind.inService)
				})
			})
		}
	}
	t.Run("for good", func(t *testing.T) {
		inWorld(t, nil, func(ctx context.Context, w *world) {
			servers := w.running("token-1", 1)
			pool := w.resolve(w.makeALB("web"))
			w.Inject(localaws.Fault{Action: "RegisterTargets", Before: throttle})
			err := w.Balancer.Register(ctx, pool, servers)
			w.expectError(err, cloud.Throttled, rollout.ReasonThrottled, "target group web")
			w.Inject(localaws.Fault{Action: "DescribeTargetHealth", Hang: true})
			w.pass(time.Second) // until there is a token again
			began := time.Now()
			_, err = w.Balancer.Look(ctx, []string{pool.ID}).Read(ctx, pool, nil)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Second {
				t.Errorf("after %s: %v", time.Since(began), err)
			}
		})
	})
}

// What a promotion and a rollback cost, on every kind of pool at once.
func TestMutationsOfAPromotion(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		stable, candidate := w.running("token-1", 3), w.running("token-2", 3)
		var production []rollout.Pool
		for name, kind := range kinds {
			production = append(production, w.resolve(kind.make(w, name)))
		}
		test := w.resolve(w.makeClassic("test"))
		for _, pool := range production {
			w.register(pool, stable...)
		}
		w.register(test, candidate...)
		w.healthy(test, candidate, time.Minute)
		for _, pool := range production {
			w.healthy(pool, stable, 10*time.Minute)
		}

		before := w.mutations()
		for _, pool := range production {
			w.register(pool, candidate...)
		}
		for _, pool := range production {
			w.healthy(pool, slices.Sorted(slices.Values(slices.Concat(stable, candidate))), 10*time.Minute)
		}
		for _, pool := range production {
			w.deregister(pool, stable...)
		}
		w.deregister(test, candidate...)
		for _, pool := range production {
			w.healthy(pool, candidate, time.Second)
		}
		if got, want := w.mutations()-before, 2*len(production)+1; got != want {
			t.Errorf("%d mutations, want a Register and a Deregister for each of %d pools and a Deregister for the test pool",
				got, len(production))
		}
	})
}

func (w *world) mutations() int {
	count := 0
	for _, entry := range w.Ledger() {
		if entry.Call != nil && entry.Call.Mutates {
			count++
		}
	}
	return count
}
