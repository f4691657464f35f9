package awscloud_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"slipway.dev/slipway/config/iam"
	"slipway.dev/slipway/internal/cloud"
)

// The adapters need no more than the policy that is shipped, from a launch to the end of its servers.
func TestTheShippedPolicySuffices(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		classicRef, groupRef := w.makeClassic("web"), w.makeALB("api")
		_, err := w.elb().AddTags(ctx, &elb.AddTagsInput{LoadBalancerNames: []string{"web"},
			Tags: []elbtypes.Tag{{Key: aws.String(cloud.TagCluster), Value: aws.String(cluster)}}})
		w.must(err)
		_, err = w.elbv2().AddTags(ctx, &elbv2.AddTagsInput{ResourceArns: []string{groupRef.TargetGroupARN},
			Tags: []types.Tag{{Key: aws.String(cloud.TagCluster), Value: aws.String(cluster)}}})
		w.must(err)
		text, err := iam.Policy(iam.Installation{Account: home, Region: region, Cluster: cluster, ServerRoles: []string{"web"}})
		w.must(err)
		_, err = w.AttachPolicy("AKIATEST", string(text))
		w.must(err)

		servers := w.running("token-1", 2)
		for _, ref := range []cloud.PoolRef{classicRef, groupRef} {
			pool := w.resolve(ref)
			w.register(pool, servers...)
			w.healthy(pool, servers, time.Minute)
			w.deregister(pool, servers...)
		}
		w.must(w.Compute.Tag(ctx, servers, map[string]string{cloud.TagRole: "live"}))
		w.must(w.Compute.Terminate(ctx, servers))
		w.expectAlive(nil)
		for _, entry := range w.Ledger() {
			if entry.Call != nil && entry.Call.Status == 403 {
				t.Errorf("%s was refused: %s", entry.Call.Action, entry.Call.Message)
			}
		}
	})
}

// A class may take AWS's own images, which --image-parameters=/aws/service/* allows, and under it no parameter of the account.
func TestThePolicyAllowsAWSsOwnImageParameters(t *testing.T) {
	inWorld(t, nil, func(ctx context.Context, w *world) {
		const public = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
		text, err := iam.Policy(iam.Installation{Account: home, Region: region, Cluster: cluster, Parameters: []string{"/aws/service/*"}})
		w.must(err)
		w.SeedPublicParameter(public, w.site.V2)
		w.putParameter("/images/web", w.site.V1, ssmtypes.ParameterTypeString)
		_, err = w.AttachPolicy("AKIATEST", string(text))
		w.must(err)
		if image, err := w.Images.Image(ctx, cloud.ImageSource{SSMParameter: public}); err != nil || image.ID != w.site.V2 {
			t.Errorf("AWS's image is %+v, %v", image, err)
		}
		if _, err := w.Images.Image(ctx, cloud.ImageSource{SSMParameter: "/images/web"}); cloud.KindOf(err) != cloud.Denied {
			t.Errorf("the account's own: %v", err)
		}
	})
}
