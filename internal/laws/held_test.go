package laws

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

// web is the Release that the server of a small world says it is of.
func web() v1alpha1.Release {
	return v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web", UID: "uid", Generation: 3, ResourceVersion: "10", Finalizers: []string{v1alpha1.FinalizerRelease},
	}}
}

// What is changed for a Release is changed while our finalizer is there.
func TestNothingIsChangedWithoutTheFinalizer(t *testing.T) {
	kube := &etcd{release: web()}
	s := newSmall(t, kube)
	tag := func(key string) {
		_, err := s.ec2.CreateTags(t.Context(), &ec2.CreateTagsInput{
			Resources: []string{s.server}, Tags: []ec2types.Tag{{Key: &key, Value: aws.String("shop/web")}},
		})
		must(t, err)
	}
	s.Stop() // a person makes it what a Release would have made
	tag(cloud.TagRelease)
	s.Watch = New(s.Options)
	t.Cleanup(s.Stop)
	tag("a")
	s.wants(t)
	kube.release.Finalizers = []string{"of.somebody/else"}
	tag("b")
	s.wants(t, "finalizer: CreateTags is called for shop/web, which could be gone with the next request")
}

// A status is about the generation of the one before it, or a later one that there is.
func TestObservedGenerationNeverGoesBack(t *testing.T) {
	const back, ahead = "status: it is about generation 2 of shop/web, and was about 3 before", "status: it is about generation 4 of shop/web, which has 3"
	for name, c := range map[string]struct {
		versions    []string
		generations []int64
		want        []string
	}{
		"on":                {[]string{"10", "11", "12"}, []int64{2, 3, 3}, nil},
		"back":              {[]string{"10", "11"}, []int64{3, 2}, []string{back}},
		"told late":         {[]string{"11", "10"}, []int64{3, 2}, nil},
		"told late of back": {[]string{"11", "10"}, []int64{2, 3}, []string{back}},
		"ahead":             {[]string{"10"}, []int64{4}, []string{ahead}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSmall(t, nil)
			for i, version := range c.versions {
				rel := web()
				rel.ResourceVersion, rel.Status.ObservedGeneration = version, c.generations[i]
				s.Told(&rel)
			}
			s.wants(t, c.want...)
		})
	}
}
