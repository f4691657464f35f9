package awscloud_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/rollout"
)

func (w *world) putParameter(name, value string, kind types.ParameterType) {
	w.t.Helper()
	_, err := ssm.NewFromConfig(w.config()).PutParameter(w.t.Context(), &ssm.PutParameterInput{
		Name: aws.String(name), Value: aws.String(value), Type: kind,
	})
	w.must(err)
}

func TestImage(t *testing.T) {
	const golden = "web-golden-*"
	selector := func(name string, owners ...string) cloud.ImageSource {
		return cloud.ImageSource{Selector: &cloud.ImageSelector{Owners: owners, Name: name}}
	}
	seed := func(id, name, owner, state string) func(*world) {
		return func(w *world) {
			w.SeedImage(localaws.Image{ID: id, Name: name, Owner: owner, State: state, Public: true})
			w.pass(time.Minute)
		}
	}
	tests := map[string]struct {
		world  []func(*world)
		source cloud.ImageSource
		want   cloud.Image
		kind   cloud.Kind
		reason string
		thing  string
	}{
		"by id": {
			source: cloud.ImageSource{ID: "ami-0a11ce00000000003"},
			want:   cloud.Image{ID: "ami-0a11ce00000000003", Owner: home, Architecture: "arm64"},
		},
		"by id, malformed": {
			source: cloud.ImageSource{ID: "web-latest"},
			kind:   cloud.Invalid, reason: rollout.ReasonImageMalformed, thing: "image web-latest",
		},
		"by id, unknown": {
			source: cloud.ImageSource{ID: "ami-00000000000000bad"},
			kind:   cloud.NotFound, reason: rollout.ReasonImageNotFound, thing: "image ami-00000000000000bad",
		},
		"by id, not yet available": {
			world:  []func(*world){seed("ami-00000000000000aaa", "web", "", "pending")},
			source: cloud.ImageSource{ID: "ami-00000000000000aaa"},
			kind:   cloud.Invalid, reason: rollout.ReasonImageNotAvailable, thing: "the image is pending",
		},
		"by id, deregistered": {
			world:  []func(*world){seed("ami-00000000000000aaa", "web", "", "deregistered")},
			source: cloud.ImageSource{ID: "ami-00000000000000aaa"},
			kind:   cloud.NotFound, reason: rollout.ReasonImageNotFound, thing: "image ami-00000000000000aaa",
		},
		"by id, not allowed": {
			world:  []func(*world){func(w *world) { w.Deny("ec2:DescribeImages") }},
			source: cloud.ImageSource{ID: "ami-0a11ce00000000001"},
			kind:   cloud.Denied, reason: rollout.ReasonAccessDenied, thing: "ec2:DescribeImages",
		},
		"by parameter": {
			world:  []func(*world){func(w *world) { w.putParameter("/images/web", w.site.V2, types.ParameterTypeString) }},
			source: cloud.ImageSource{SSMParameter: "/images/web"},
			want:   cloud.Image{ID: "ami-0a11ce00000000002", Owner: home, Architecture: "x86_64"},
		},
		"by parameter, missing": {
			source: cloud.ImageSource{SSMParameter: "/images/web"},
			kind:   cloud.NotFound, reason: rollout.ReasonImageParameterNotFound, thing: "SSM parameter /images/web",
		},
		"by parameter, version missing": {
			world:  []func(*world){func(w *world) { w.putParameter("/images/web", w.site.V2, types.ParameterTypeString) }},
			source: cloud.ImageSource{SSMParameter: "/images/web:7"},
			kind:   cloud.NotFound, reason: rollout.ReasonImageParameterNotFound, thing: "SSM parameter /images/web:7",
		},
		"by parameter that holds no image": {
			world:  []func(*world){func(w *world) { w.putParameter("/images/web", "v2", types.ParameterTypeString) }},
			source: cloud.ImageSource{SSMParameter: "/images/web"},
			kind:   cloud.Invalid, reason: rollout.ReasonImageMalformed, thing: `image "v2" of SSM parameter /images/web`,
		},
		"by parameter that is a secret": {
			world:  []func(*world){func(w *world) { w.putParameter("/images/web", w.site.V2, types.ParameterTypeSecureString) }},
			source: cloud.ImageSource{SSMParameter: "/images/web"},
			kind:   cloud.Invalid, reason: rollout.ReasonImageMalformed, thing: "SSM parameter /images/web",
		},
		"by selector, the newest that is available": {
			world: []func(*world){
				seed("ami-00000000000000aaa", "web-golden-1", "", ""), seed("ami-00000000000000ccc", "web-golden-2", "", ""),
				seed("ami-00000000000000bbb", "web-golden-3", "", ""), seed("ami-00000000000000ddd", "web-golden-4", "", "pending"),
			},
			source: selector(golden, "self"),
			want:   cloud.Image{ID: "ami-00000000000000bbb", Owner: home, Architecture: "x86_64"},
		},
		"by selector, not a stranger's": {
			world: []func(*world){
				seed("ami-00000000000000aaa", "web-golden-1", "", ""), seed("ami-00000000000000bbb", "web-golden-2", "999999999999", ""),
			},
			source: selector(golden, "self"),
			want:   cloud.Image{ID: "ami-00000000000000aaa", Owner: home, Architecture: "x86_64"},
		},
		"by selector, amazon's": {
			world:  []func(*world){seed("ami-00000000000000aaa", "al2023-1", "amazon", "")},
			source: selector("al2023-*", "amazon"),
			want:   cloud.Image{ID: "ami-00000000000000aaa", Owner: "amazon", OwnerAlias: "amazon", Architecture: "x86_64"},
		},
		"by selector, by tags": {
			world: []func(*world){func(w *world) {
				w.SeedImage(localaws.Image{ID: "ami-00000000000000aaa", Tags: map[string]string{"team": "w*b"}})
				w.SeedImage(localaws.Image{ID: "ami-00000000000000bbb", Tags: map[string]string{"team": "web"}})
			}},
			source: cloud.ImageSource{Selector: &cloud.ImageSelector{Owners: []string{"self"}, Tags: map[string]string{"team": "w*b"}}},
			want:   cloud.Image{ID: "ami-00000000000000aaa", Owner: home, Architecture: "x86_64"},
		},
		"by selector, of two made at once the higher id": {
			world: []func(*world){func(w *world) {
				w.SeedImage(localaws.Image{ID: "ami-00000000000000bbb", Name: "web-golden-1"})
				w.SeedImage(localaws.Image{ID: "ami-00000000000000aaa", Name: "web-golden-2"})
			}},
			source: selector(golden, "self"),
			want:   cloud.Image{ID: "ami-00000000000000bbb", Owner: home, Architecture: "x86_64"},
		},
		"by selector, none": {
			source: selector(golden, "self"),
			kind:   cloud.NotFound, reason: rollout.ReasonImageNotFound, thing: "images of self named web-golden-*",
		},
		"by selector without owners": {
			source: selector(golden),
			kind:   cloud.Invalid, reason: rollout.ReasonInvalidParameter, thing: "owners",
		},
		"none at all": {kind: cloud.Invalid, reason: rollout.ReasonInvalidParameter, thing: "spec.image"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(ctx context.Context, w *world) {
				for _, change := range test.world {
					change(w)
				}
				got, err := w.Images.Image(ctx, test.source)
				if test.kind != cloud.Unknown {
					w.expectError(err, test.kind, test.reason, test.thing)
					return
				}
				w.must(err)
				if got != test.want {
					t.Errorf("got %+v, want %+v", got, test.want)
				}
			})
		})
	}
}

func TestSelectorTurnsPages(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		for n := range 1001 {
			w.SeedImage(localaws.Image{ID: fmt.Sprintf("ami-%017x", 1001-n), Name: fmt.Sprint("many-", n)})
			w.pass(time.Second)
		}
		got, err := w.Images.Image(ctx, cloud.ImageSource{Selector: &cloud.ImageSelector{Owners: []string{"self"}, Name: "many-*"}})
		w.must(err)
		if want := fmt.Sprintf("ami-%017x", 1); got.ID != want {
			t.Errorf("took %s, want %s", got.ID, want)
		}
		w.expectCalls("DescribeImages", 2)
	})
}
