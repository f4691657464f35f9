package awscloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway.dev/slipway/internal/awscloud"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// noNetwork fails a test that sends anything, or asks for credentials.
type noNetwork struct{ t *testing.T }

func (n noNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("a rehearsal sent %s %s", r.Method, r.URL)
	return nil, errors.New("no network")
}

func (n noNetwork) Retrieve(context.Context) (aws.Credentials, error) {
	n.t.Error("a rehearsal asked for credentials")
	return aws.Credentials{}, errors.New("no credentials")
}

// A rehearsal has the batches, zones and parameters of the calls that would be sent, and sends nothing.
func TestRehearsal(t *testing.T) {
	account, err := awscloud.NewOpener(awscloud.Options{Config: aws.Config{
		Region: region, HTTPClient: &http.Client{Transport: noNetwork{t}}, Credentials: noNetwork{t},
	}}).Open(class())
	if err != nil {
		t.Fatal(err)
	}
	servers := make([]rollout.Server, 1200)
	ids := make([]string, len(servers))
	for i := range servers {
		ids[i] = fmt.Sprintf("i-%04d", i)
		servers[i] = rollout.Server{ID: ids[i], Zone: "zone-a", State: rollout.StateRunning}
	}
	servers[3].Zone, servers[4].State = "zone-b", rollout.StateTerminated
	group := rollout.Pool{ID: "arn:aws:elasticloadbalancing:" + region + ":" + home + ":targetgroup/api/1"}
	classic := rollout.Pool{ID: "classic/" + region + "/edge"}
	for name, row := range map[string]struct {
		do   func(context.Context, *cloud.Account) error
		want []string
	}{
		"register in a classic load balancer": {
			func(ctx context.Context, a *cloud.Account) error { return a.Balancer.Register(ctx, classic, ids[:450]) },
			[]string{"elb RegisterInstancesWithLoadBalancer 200", "elb RegisterInstancesWithLoadBalancer 200", "elb RegisterInstancesWithLoadBalancer 50"},
		},
		"deregister from one": {
			func(ctx context.Context, a *cloud.Account) error { return a.Balancer.Deregister(ctx, classic, ids[:1]) },
			[]string{"elb DeregisterInstancesFromLoadBalancer 1"},
		},
		"register in a target group": {
			func(ctx context.Context, a *cloud.Account) error { return a.Balancer.Register(ctx, group, ids[:2]) },
			[]string{"elbv2 RegisterTargets 2"},
		},
		"deregister from one ": {
			func(ctx context.Context, a *cloud.Account) error { return a.Balancer.Deregister(ctx, group, ids[:201]) },
			[]string{"elbv2 DeregisterTargets 200", "elbv2 DeregisterTargets 1"},
		},
		"tag": {
			func(ctx context.Context, a *cloud.Account) error {
				return a.Compute.Tag(ctx, ids, map[string]string{cloud.TagRole: "stable"})
			},
			[]string{"ec2 CreateTags 1000", "ec2 CreateTags 200"},
		},
		"terminate, zone by zone, those that are left": {
			func(ctx context.Context, a *cloud.Account) error { return a.Compute.Terminate(ctx, ids[:152]) },
			[]string{"ec2 TerminateInstances 100", "ec2 TerminateInstances 50", "ec2 TerminateInstances 1"},
		},
		"launch": {
			func(ctx context.Context, a *cloud.Account) error {
				_, err := a.Compute.Launch(ctx, cloud.LaunchRequest{Token: "token", Count: 3, Image: "ami-1", UserData: []byte("a secret")})
				return err
			},
			[]string{"ec2 RunInstances 3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			calls, err := account.Rehearse().Note(t.Context(), servers, row.do)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, call := range calls {
				got = append(got, fmt.Sprint(call.Service, " ", call.Operation, " ", subjects(call)))
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("noted %q, want %q", got, row.want)
			}
			text, err := json.Marshal(calls)
			if secret := "YSBzZWNyZXQ="; err != nil || strings.Contains(string(text), secret) || strings.Contains(string(text), "null") {
				t.Errorf("secrets, and what is empty, are left out (%v): %s", err, text)
			}
		})
	}
}

// subjects counts the servers of a call.
func subjects(call cloud.Call) any {
	for _, name := range []string{"Instances", "Targets", "Resources", "InstanceIds"} {
		if list, is := call.Parameters[name].([]any); is {
			return len(list)
		}
	}
	if call.Parameters["UserData"] != cloud.NotShown {
		return "user data is shown, or not even mentioned"
	}
	return call.Parameters["MaxCount"]
}
