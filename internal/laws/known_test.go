package laws

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

// etcd has one Release, and perhaps what it remembers.
type etcd struct {
	client.Reader
	release   v1alpha1.Release
	revisions []appsv1.ControllerRevision
}

func (e *etcd) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch list := list.(type) {
	case *v1alpha1.ReleaseList:
		list.Items = []v1alpha1.Release{e.release}
	case *appsv1.ControllerRevisionList:
		list.Items = e.revisions
	}
	return nil
}

// remembers gives the Release a memory of its fleet.
func (e *etcd) remembers(text string) {
	e.revisions = []appsv1.ControllerRevision{{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-1", Annotations: map[string]string{memoryAnnotation: text},
			OwnerReferences: []metav1.OwnerReference{{UID: e.release.UID, Controller: aws.Bool(true)}},
		},
		Data: runtime.RawExtension{Raw: []byte("{}")},
	}}
}

// A server may be ended in a pool that a person put it into and nobody told its Release of; in every other it may not.
func TestPoolsThatAReleaseKnowsOf(t *testing.T) {
	type world struct {
		*small
		*etcd
		t *testing.T
	}
	names := func(w world, pools ...v1alpha1.Pool) {
		w.release.Spec.LoadBalancers.Production = pools
		w.Asks(&w.release)
	}
	tag := func(w world) {
		var tags []ec2types.Tag
		for key, value := range map[string]string{cloud.TagRelease: "shop/web", cloud.TagOwner: "uid", cloud.TagRevision: "web-1"} {
			tags = append(tags, ec2types.Tag{Key: &key, Value: &value})
		}
		_, err := w.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{w.server}, Tags: tags})
		must(w.t, err)
	}
	looks := func(w world) {
		_, err := w.classic.DescribeInstanceHealth(t.Context(), &elb.DescribeInstanceHealthInput{LoadBalancerName: aws.String(edge)})
		must(w.t, err)
	}
	here := v1alpha1.Pool{Name: edge, Classic: &v1alpha1.ClassicLoadBalancer{Name: edge}}
	for _, c := range []struct {
		name   string
		before func(world)
		broken bool
	}{
		{"the spec never named it", func(w world) { tag(w); looks(w) }, false},
		{"the spec names it", func(w world) { tag(w); names(w, here) }, true},
		{"the spec named it, and nobody looked", func(w world) { tag(w); names(w, here); names(w) }, false},
		{"it was seen there while the spec named it", func(w world) { tag(w); names(w, here); looks(w); names(w) }, true},
		{"it was adopted there", func(w world) { names(w, here); tag(w); names(w) }, true},
		{"the spec named it before the adoption", func(w world) { names(w, here); names(w); tag(w) }, false},
		{"it was registered there", func(w world) {
			tag(w)
			_, err := w.classic.RegisterInstancesWithLoadBalancer(t.Context(), &elb.RegisterInstancesWithLoadBalancerInput{
				LoadBalancerName: aws.String(edge), Instances: []elbtypes.Instance{{InstanceId: &w.server}},
			})
			must(w.t, err)
		}, true},
		{"memory has it", func(w world) { tag(w); w.remembers(`{"pools":["classic/us-east-1/edge"]}`) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			etcd := &etcd{release: web()}
			etcd.release.Spec.Adopt = &v1alpha1.AdoptSource{FormerOwner: "uid"} // whoever tags it takes it over
			w := world{newSmall(t, etcd), etcd, t}
			_, err := w.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{w.server}, Tags: []ec2types.Tag{
				{Key: aws.String(cloud.TagRelease), Value: aws.String("shop/web")},
			}})
			must(t, err)
			w.mu.Lock()
			w.broken = nil // whose it was before is not the question here
			w.mu.Unlock()
			c.before(w)
			_, err = w.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{w.server}})
			must(t, err)
			var want []string
			if c.broken {
				want = []string{"law 4: " + w.server + " is terminated while it is healthy in edge"}
			}
			w.wants(t, want...)
		})
	}
}
