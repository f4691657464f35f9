package laws

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
)

// edge is the load balancer of these worlds.
const edge = "edge"

// small is a watched world with one server of ours in one classic load balancer.
type small struct {
	*Watch
	clock   *localaws.VirtualClock
	ec2     *ec2.Client
	classic *elb.Client
	server  string
}

// newSmall makes one. kube is asked at each call once the world is made.
func newSmall(t *testing.T, kube client.Reader) *small {
	t.Helper()
	s := &small{clock: localaws.NewVirtualClock(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))}
	world := localaws.New(localaws.Options{Clock: s.clock, Seed: 1})
	t.Cleanup(world.Close)
	site := world.DefaultWorld()
	config := aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", ""),
		HTTPClient: &http.Client{Transport: world.Transport()}, BaseEndpoint: aws.String("http://localaws"),
	}
	s.ec2 = ec2.NewFromConfig(config)
	s.classic = elb.NewFromConfig(config)
	_, err := s.classic.CreateLoadBalancer(t.Context(), &elb.CreateLoadBalancerInput{
		LoadBalancerName: aws.String(edge), Subnets: site.Subnets,
		Listeners: []elbtypes.Listener{{LoadBalancerPort: 80, InstancePort: aws.Int32(8080), Protocol: aws.String("HTTP")}},
	})
	must(t, err)
	launched, err := s.ec2.RunInstances(t.Context(), &ec2.RunInstancesInput{
		ImageId: &site.V1, InstanceType: ec2types.InstanceTypeT3Micro, SubnetId: &site.Subnets[0], MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
		UserData: aws.String(base64.StdEncoding.EncodeToString([]byte("#localaws version=v1 boot=1s configure=1s"))),
		TagSpecifications: []ec2types.TagSpecification{{
			ResourceType: ec2types.ResourceTypeInstance, Tags: []ec2types.Tag{{Key: aws.String(cloud.TagOwner), Value: aws.String("uid")}},
		}},
	})
	must(t, err)
	s.server = *launched.Instances[0].InstanceId
	s.clock.Advance(time.Minute)
	_, err = s.classic.RegisterInstancesWithLoadBalancer(t.Context(), &elb.RegisterInstancesWithLoadBalancerInput{
		LoadBalancerName: aws.String(edge), Instances: []elbtypes.Instance{{InstanceId: &s.server}},
	})
	must(t, err)
	s.clock.Advance(10 * time.Minute)
	s.Watch = New(Options{AWS: world, Kube: kube, Now: s.clock.Now, Judged: func(localaws.Caller) bool { return true }})
	t.Cleanup(s.Stop)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants holds the breaches to a list.
func (s *small) wants(t *testing.T, want ...string) {
	t.Helper()
	if broken := s.Broken(); !slices.Equal(broken, want) {
		t.Errorf("broken is %q, not %q", broken, want)
	}
}

// A pool that sends requests to nobody for a while, and is well again before anybody calls or asks, is seen all the same.
func TestSteadinessIsLookedAtWithEachEvent(t *testing.T) {
	s := newSmall(t, nil)
	s.SteadyIn([]string{edge}, "v1")
	s.wants(t) // and from now on the pool is known to have served
	must(t, s.AWS.SetAppStatus(s.server, localaws.AppRefuses))
	s.clock.Advance(5 * time.Minute)
	must(t, s.AWS.SetAppStatus(s.server, http.StatusOK))
	s.clock.Advance(10 * time.Minute)
	if pool, _ := s.AWS.Pool(edge); pool.Healthy != 1 {
		t.Fatalf("the server is not back: %+v", pool)
	}
	s.wants(t, edge+" sends requests to no server of ours")
}

// mute is a Kubernetes that never answers.
type mute struct{ client.Reader }

func (mute) List(ctx context.Context, _ client.ObjectList, _ ...client.ListOption) error {
	<-ctx.Done()
	return ctx.Err()
}

// The world of AWS is locked while Kubernetes is asked: it stands still for a while, and then goes on, with one breach that says why.
func TestKubernetesThatDoesNotAnswerIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSmall(t, mute{})
		for _, value := range []string{"a", "b"} {
			began := time.Now()
			_, err := s.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{
				Resources: []string{s.server}, Tags: []ec2types.Tag{{Key: aws.String("key"), Value: &value}},
			})
			must(t, err)
			if took := time.Since(began); took > 3*patience {
				t.Errorf("a call took %s", took)
			}
		}
		if server, _ := s.AWS.Instance(s.server); server.Tags["key"] != "b" {
			t.Errorf("the call had no effect: %v", server.Tags)
		}
		s.wants(t, "the laws cannot be checked: at CreateTags, list Releases: no answer from Kubernetes in 10s")
	})
}
