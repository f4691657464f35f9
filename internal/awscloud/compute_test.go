package awscloud_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/rollout"
)

func expectError(t *testing.T, err error, kind cloud.Kind, reason, thing string) {
	t.Helper()
	understood, ok := errors.AsType[*cloud.Error](err)
	if !ok {
		t.Fatalf("got %v, want an understood error of kind %q", err, kind)
	}
	if understood.Kind != kind || understood.Reason != reason {
		t.Errorf("got kind %q and reason %q, want %q and %q: %v", understood.Kind, understood.Reason, kind, reason, err)
	}
	if !strings.Contains(err.Error(), thing) {
		t.Errorf("%q does not name %q", err, thing)
	}
}

func TestLaunchTwiceIsLaunchOnce(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		first := w.launch(w.request("token-1", 3))
		second := w.launch(w.request("token-1", 3))
		if len(first) != 3 || !slices.Equal(first, second) {
			t.Errorf("launched %v, then %v", first, second)
		}
		w.expectAlive(first)
	})
}

func TestLaunchAcrossAProcessCrash(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		before := w.launch(w.request("token-1", 2))
		after, err := w.open(class()).Compute.Launch(ctx, w.request("token-1", 2))
		w.must(err)
		if !slices.Equal(before, after) {
			t.Errorf("launched %v, and after the crash %v", before, after)
		}
		w.expectAlive(before)
	})
}

func TestLaunchSaysAllThatAServerIsMadeOf(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		request := w.request("token-1", 1)
		id := w.launch(request)[0]
		w.pass(time.Minute)

		got := w.servers()[0]
		if got.ID != id || got.State != rollout.StateRunning || got.Zone != "us-east-1a" || got.Token != "token-1" ||
			got.Image != request.Image || got.Type != request.Type || got.Subnet != request.Subnet {
			t.Errorf("read %+v", got.Server)
		}
		if got.Cluster != cluster || got.Release != "shop/web" || got.Owner != "uid-1" || got.Revision != "web-6d4f" ||
			got.Version != "1.0" || got.Role != rollout.RoleCandidate || got.Tags["Name"] != "web" {
			t.Errorf("read %+v", got)
		}

		sent := w.calls("RunInstances")[0].Params
		for param, want := range map[string]string{
			"IamInstanceProfile.Name": "web", "KeyName": "ops", "SecurityGroupId.1": w.site.SecurityGroup,
			"MetadataOptions.HttpTokens": "required", "MetadataOptions.HttpPutResponseHopLimit": "1",
			"BlockDeviceMapping.1.Ebs.VolumeSize": "20", "MinCount": "1", "MaxCount": "1",
			"TagSpecification.2.ResourceType": "volume", "TagSpecification.3.ResourceType": "network-interface",
			"TagSpecification.3.Tag.2.Key": cloud.TagCluster,
		} {
			if got := sent.Get(param); got != want {
				t.Errorf("%s was sent as %q, want %q", param, got, want)
			}
		}

		w.must(w.ShutDown(id)) // terminates, and does not only stop
		w.pass(time.Minute)
		if got := w.servers()[0]; got.State != rollout.StateTerminated ||
			!strings.HasPrefix(got.Reason, "Client.InstanceInitiatedShutdown: ") {
			t.Errorf("after a shutdown from inside: %s, %q", got.State, got.Reason)
		}
	})
}

func TestLaunchTakesAProfileByARN(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		request := w.request("token-1", 1)
		request.InstanceProfile = "arn:aws:iam::" + home + ":instance-profile/web"
		w.launch(request)
		if got := w.calls("RunInstances")[0].Params.Get("IamInstanceProfile.Arn"); got != request.InstanceProfile {
			t.Errorf("sent %q", got)
		}
	})
}

func TestLaunchMayFillInPart(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		w.SetCapacity("m5.large", "us-east-1a", 2)
		ids := w.launch(w.request("token-1", 3))
		if len(ids) != 2 {
			t.Errorf("launched %v, want two", ids)
		}
		w.expectAlive(ids)
	})
}

func TestNoCapacityIsTriedOnce(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		w.SetCapacity("m5.large", "us-east-1a", 0)
		began := time.Now()
		_, err := w.Compute.Launch(ctx, w.request("token-1", 1))
		w.expectError(err, cloud.NoCapacity, rollout.ReasonNoCapacity, "m5.large in "+w.site.Subnets[0])
		w.expectCalls("RunInstances", 1)
		if took := time.Since(began); took > 0 {
			t.Errorf("hid the refusal for %s", took)
		}
		other := w.request("token-2", 1)
		other.Type = "m6i.large"
		w.expectAlive(w.launch(other))
	})
}

func TestLostReplyOfALaunch(t *testing.T) {
	inWorld(t, nil, func(_ context.Context, w *world) {
		w.Inject(localaws.Fault{Action: "RunInstances", LoseReply: true, Count: 1})
		ids := w.launch(w.request("token-1", 2))
		w.expectAlive(ids)
		sent := w.calls("RunInstances")
		if len(sent) != 2 || sent[0].Params.Get("ClientToken") != "token-1" || sent[1].Params.Get("ClientToken") != "token-1" {
			t.Errorf("sent %v", sent)
		}
	})
}

func TestAllRepliesOfALaunchLost(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		fault := w.Inject(localaws.Fault{Action: "RunInstances", LoseReply: true})
		_, err := w.Compute.Launch(ctx, w.request("token-1", 2))
		if err == nil || cloud.KindOf(err) != cloud.Unknown {
			t.Fatalf("got %v, want an error that claims nothing", err)
		}
		fault.Remove()
		w.expectAlive(w.launch(w.request("token-1", 2)))
	})
}

func TestLaunchThatHangsEnds(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		w.Inject(localaws.Fault{Action: "RunInstances", Hang: true})
		began := time.Now()
		_, err := w.Compute.Launch(ctx, w.request("token-1", 1))
		if !errors.Is(err, context.DeadlineExceeded) || cloud.KindOf(err) != cloud.Unknown {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestTokenBoundToOtherParameters(t *testing.T) {
	t.Run("its servers are the answer", func(t *testing.T) {
		inWorld(t, nil, func(_ context.Context, w *world) {
			first := w.launch(w.request("token-1", 2))
			changed := w.request("token-1", 2)
			changed.Tags[cloud.TagVersion] = "1.1"
			if second := w.launch(changed); !slices.Equal(first, second) {
				t.Errorf("got %v, want %v", second, first)
			}
			w.expectAlive(first)
		})
	})
	t.Run("without servers nothing is known, for ten minutes", func(t *testing.T) {
		inWorld(t, nil, func(ctx context.Context, w *world) {
			w.SetCapacity("m5.large", "us-east-1a", 0)
			_, err := w.Compute.Launch(ctx, w.request("token-1", 1))
			w.expectError(err, cloud.NoCapacity, rollout.ReasonNoCapacity, "m5.large")
			changed := w.request("token-1", 1)
			changed.Type = "m6i.large"
			for range 20 {
				_, err = w.Compute.Launch(ctx, changed)
				if err == nil || cloud.KindOf(err) != cloud.Unknown || !strings.Contains(err.Error(), "IdempotentParameterMismatch") {
					t.Errorf("got %v", err)
				}
				w.pass(30 * time.Second)
			}
			undo := w.Deny("ec2:DescribeInstances")
			if _, err = w.Compute.Launch(ctx, changed); cloud.KindOf(err) != cloud.Unknown {
				t.Errorf("gave up without a look: %v", err)
			}
			undo()
			_, err = w.Compute.Launch(ctx, changed)
			w.expectError(err, cloud.Invalid, rollout.ReasonLaunchFailed, "IdempotentParameterMismatch")
			w.expectAlive(nil)
		})
	})
}

func TestRefusalThatHidesAnEarlierLaunch(t *testing.T) {
	gone := &localaws.APIFault{Code: "InvalidAMIID.NotFound", Message: "The image id '[ami-1]' does not exist"}
	unlisted := &localaws.APIFault{Code: "InvalidHostConfiguration", Message: "The host has another family."}
	t.Run("is found by its token", func(t *testing.T) {
		inWorld(t, nil, func(_ context.Context, w *world) {
			first := w.launch(w.request("token-1", 2))
			w.Inject(localaws.Fault{Action: "RunInstances", Before: gone, Count: 1})
			w.Inject(localaws.Fault{Action: "RunInstances", Before: unlisted, Count: 1})
			if second := w.launch(w.request("token-1", 2)); !slices.Equal(first, second) {
				t.Errorf("got %v, want %v", second, first)
			}
			if second := w.launch(w.request("token-1", 2)); !slices.Equal(first, second) {
				t.Errorf("got %v, want %v", second, first)
			}
		})
	})
	t.Run("claims nothing if that cannot be read", func(t *testing.T) {
		inWorld(t, nil, func(ctx context.Context, w *world) {
			w.launch(w.request("token-1", 2))
			w.Inject(localaws.Fault{Action: "RunInstances", Before: gone})
			w.Deny("ec2:DescribeInstances")
			_, err := w.Compute.Launch(ctx, w.request("token-1", 2))
			if err == nil || cloud.KindOf(err) != cloud.Unknown || !strings.Contains(err.Error(), "image ami-") {
				t.Errorf("got %v", err)
			}
		})
	})
}

func TestTokenWhoseServersAreGone(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		ids := w.launch(w.request("token-1", 2))
		w.must(w.Kill(ids[0]))
		if left := w.launch(w.request("token-1", 2)); !slices.Equal(left, ids[1:]) {
			t.Errorf("got %v, want %v", left, ids[1:])
		}
		w.must(w.Kill(ids[1]))
		_, err := w.Compute.Launch(ctx, w.request("token-1", 2))
		w.expectError(err, cloud.Terminated, "", "terminated instance")
		w.expectAlive(nil)
	})
}

func TestWhatALaunchIsRefusedFor(t *testing.T) {
	tests := map[string]struct {
		spoil  func(*world, *cloud.LaunchRequest)
		kind   cloud.Kind
		reason string
		thing  string
	}{
		"image malformed": {
			spoil: func(_ *world, r *cloud.LaunchRequest) { r.Image = "web-latest" },
			kind:  cloud.Invalid, reason: rollout.ReasonImageMalformed, thing: "image web-latest",
		},
		"image unknown": {
			spoil: func(_ *world, r *cloud.LaunchRequest) { r.Image = "ami-00000000000000bad" },
			kind:  cloud.Invalid, reason: rollout.ReasonImageNotFound, thing: "image ami-00000000000000bad",
		},
		"image not available": {
			spoil: func(w *world, r *cloud.LaunchRequest) { w.must(w.SetImageState(r.Image, "failed")) },
			kind:  cloud.Invalid, reason: rollout.ReasonImageNotAvailable, thing: "image ami-",
		},
		"subnet unknown": {
			spoil: func(_ *world, r *cloud.LaunchRequest) { r.Subnet = "subnet-00000000000000bad" },
			kind:  cloud.Invalid, reason: rollout.ReasonSubnetNotFound, thing: "subnet subnet-00000000000000bad",
		},
		"subnet full": {
			spoil: func(w *world, r *cloud.LaunchRequest) { w.must(w.SetFreeAddresses(r.Subnet, 0)) },
			kind:  cloud.NoCapacity, reason: rollout.ReasonNoCapacity, thing: "m5.large in subnet-",
		},
		"type not offered there": {
			spoil: func(w *world, r *cloud.LaunchRequest) { w.SetOffered(r.Type, "us-east-1a", false) },
			kind:  cloud.NoCapacity, reason: rollout.ReasonNoCapacity, thing: "m5.large in subnet-",
		},
		"security group unknown": {
			spoil: func(_ *world, r *cloud.LaunchRequest) { r.SecurityGroups = []string{"sg-00000000000000bad"} },
			kind:  cloud.Invalid, reason: rollout.ReasonSecurityGroupNotFound, thing: "sg-00000000000000bad",
		},
		"key pair unknown": {
			spoil: func(_ *world, r *cloud.LaunchRequest) { r.KeyName = "opps" },
			kind:  cloud.Invalid, reason: rollout.ReasonKeyPairNotFound, thing: "key pair opps",
		},
		"profile unknown": {
			spoil: func(_ *world, r *cloud.LaunchRequest) { r.InstanceProfile = "wed" },
			kind:  cloud.Invalid, reason: rollout.ReasonInstanceProfileNotFound, thing: "instance profile wed",
		},
		"profile unknown by ARN": {
			spoil: func(_ *world, r *cloud.LaunchRequest) {
				r.InstanceProfile = "arn:aws:iam::123456789012:instance-profile/wed"
			},
			kind: cloud.Invalid, reason: rollout.ReasonInstanceProfileNotFound, thing: "instance-profile/wed",
		},
		"user data too large": {
			spoil: func(_ *world, r *cloud.LaunchRequest) { r.UserData = make([]byte, 16*1024+1) },
			kind:  cloud.Invalid, reason: rollout.ReasonUserDataTooLarge, thing: "user data",
		},
		"type unknown": {
			spoil: func(_ *world, r *cloud.LaunchRequest) { r.Type = "m5.huge" },
			kind:  cloud.Invalid, reason: rollout.ReasonInvalidParameter, thing: "m5.huge",
		},
		"quota of servers": {
			spoil: func(w *world, _ *cloud.LaunchRequest) { w.SetInstanceQuota(0) },
			kind:  cloud.Quota, reason: rollout.ReasonQuotaExceeded, thing: "m5.large in",
		},
		"quota of vCPUs": {
			spoil: func(w *world, _ *cloud.LaunchRequest) { w.SetVCPUQuota(0) },
			kind:  cloud.NoCapacity, reason: rollout.ReasonQuotaExceeded, thing: "m5.large in",
		},
		"something that no table lists": {
			spoil: func(w *world, _ *cloud.LaunchRequest) {
				w.Inject(localaws.Fault{Action: "RunInstances", Before: &localaws.APIFault{Status: 400,
					Code: "InvalidHostConfiguration", Message: "The host has another family."}})
			},
			kind: cloud.Invalid, reason: rollout.ReasonLaunchFailed, thing: "m5.large in",
		},
		"not allowed": {
			spoil: func(w *world, _ *cloud.LaunchRequest) { w.Deny("ec2:RunInstances") },
			kind:  cloud.Denied, reason: rollout.ReasonAccessDenied, thing: "ec2:RunInstances",
		},
		"not allowed to pass the role": {
			spoil: func(w *world, _ *cloud.LaunchRequest) { w.Deny("iam:PassRole") },
			kind:  cloud.Denied, reason: rollout.ReasonAccessDenied, thing: "iam:PassRole",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(ctx context.Context, w *world) {
				request := w.request("token-1", 1)
				test.spoil(w, &request)
				_, err := w.Compute.Launch(ctx, request)
				w.expectError(err, test.kind, test.reason, test.thing)
				w.expectCalls("RunInstances", 1)
				w.expectAlive(nil)
				if strings.Contains(err.Error(), "Encoded authorization") {
					t.Errorf("cipher text in %q", err)
				}
			})
		})
	}
}

func TestThrottledLaunch(t *testing.T) {
	throttle := &localaws.APIFault{Status: 503, Code: "RequestLimitExceeded", Message: "Request limit exceeded."}
	t.Run("once", func(t *testing.T) {
		inWorld(t, nil, func(_ context.Context, w *world) {
			w.Inject(localaws.Fault{Action: "RunInstances", Before: throttle, Count: 1})
			w.expectAlive(w.launch(w.request("token-1", 1)))
			w.expectCalls("RunInstances", 2)
		})
	})
	t.Run("for good", func(t *testing.T) {
		inWorld(t, nil, func(ctx context.Context, w *world) {
			w.Inject(localaws.Fault{Action: "RunInstances", Before: throttle})
			_, err := w.Compute.Launch(ctx, w.request("token-1", 1))
			w.expectError(err, cloud.Throttled, rollout.ReasonThrottled, "Request limit exceeded")
			w.expectCalls("RunInstances", 3)
		})
	})
}

func TestTagSetsARoleInOneCall(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		ids := w.launch(w.request("token-1", 3))
		w.must(w.Compute.Tag(ctx, ids, map[string]string{cloud.TagRole: "stable"}))
		for _, server := range w.servers() {
			if server.Role != rollout.RoleStable || server.Release != "shop/web" {
				t.Errorf("%s is tagged %v", server.ID, server.Tags)
			}
		}
		w.expectCalls("CreateTags", 1)
	})
}

func TestTagTooSoon(t *testing.T) {
	lag := func(k *localaws.Knobs) { k.LaunchMutable = 20 * time.Second }
	inWorld(t, lag, func(ctx context.Context, w *world) {
		ids := w.launch(w.request("token-1", 1))
		role := map[string]string{cloud.TagRole: "stable"}
		w.expectError(w.Compute.Tag(ctx, ids, role), cloud.Unknown, "", ids[0])
		w.pass(30 * time.Second)
		w.must(w.Compute.Tag(ctx, ids, role))
	})
}

func TestTerminate(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		ids := w.running("token-1", 3)
		w.must(w.Compute.Terminate(ctx, ids[:2]))
		w.expectAlive(ids[2:])
		w.pass(time.Minute)
		w.must(w.Compute.Terminate(ctx, ids[:2]))
		w.expectCalls("TerminateInstances", 1)
		w.pass(2 * time.Hour)
		w.must(w.Compute.Terminate(ctx, ids[:2])) // EC2 has forgotten them
		w.expectAlive(ids[2:])
	})
}

func TestTerminateSparesNobodyForAProtectedServer(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		ids := w.running("token-1", 3)
		elsewhere := w.request("token-2", 1)
		elsewhere.Subnet = w.site.Subnets[1]
		ids = append(ids, w.launch(elsewhere)...)
		protected := ids[1]
		w.protect(protected)

		err := w.Compute.Terminate(ctx, ids)
		w.expectError(err, cloud.Invalid, rollout.ReasonInvalidParameter, "server "+protected)
		w.expectAlive([]string{protected})
	})
}

// protect switches termination protection on, as a person would.
func (w *world) protect(id string) {
	w.t.Helper()
	_, err := ec2.NewFromConfig(w.config()).ModifyInstanceAttribute(w.t.Context(), &ec2.ModifyInstanceAttributeInput{
		InstanceId: aws.String(id), DisableApiTermination: &types.AttributeBooleanValue{Value: aws.Bool(true)},
	})
	w.must(err)
}

func TestTerminateOfAServerThatEC2DoesNotKnowYet(t *testing.T) {
	lag := func(k *localaws.Knobs) { k.LaunchVisible, k.LaunchMutable = 20*time.Second, 20*time.Second }
	inWorld(t, lag, func(ctx context.Context, w *world) {
		old := w.running("token-1", 1)
		young := w.launch(w.request("token-2", 1))
		err := w.Compute.Terminate(ctx, slices.Concat(old, young))
		w.expectError(err, cloud.Unknown, "", young[0])
		w.expectAlive(young)
		w.pass(30 * time.Second)
		w.must(w.Compute.Terminate(ctx, young))
		w.expectAlive(nil)
	})
}

// One process launches, is restarted, and the next one ends: what EC2 shows is not gone because TerminateInstances does not
// know it yet, also where nobody remembers that it is young.
func TestTerminateOfAYoungServerAfterARestart(t *testing.T) {
	lag := func(k *localaws.Knobs) { k.LaunchVisible, k.LaunchMutable = 0, 20*time.Second }
	inWorld(t, lag, func(ctx context.Context, w *world) {
		young := w.launch(w.request("token-1", 2))
		w.Account = w.open(class())
		w.expectError(w.Compute.Terminate(ctx, young), cloud.Unknown, "", young[0])
		w.expectAlive(young)
		w.pass(30 * time.Second)
		w.must(w.Compute.Terminate(ctx, young))
		w.expectAlive(nil)
	})
}
