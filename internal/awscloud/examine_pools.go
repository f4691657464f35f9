package awscloud

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// facts implements cloud.Facts.
type facts struct {
	me       *identity
	pools    *balancer
	classics classicFactsAPI
	groups   groupFactsAPI
}

// Caller implements cloud.Facts.
func (f *facts) Caller(ctx context.Context) (cloud.Caller, error) {
	answer, err := f.me.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return cloud.Caller{}, explain(err, f.me.who, nil)
	}
	return cloud.Caller{Account: aws.ToString(answer.Account), Name: aws.ToString(answer.Arn)}, nil
}

// Pool implements cloud.Facts: by the very calls that a pass makes, without what they keep in between.
func (f *facts) Pool(ctx context.Context, ref cloud.PoolRef) cloud.PoolFacts {
	target, err := f.pools.target(ref)
	if err != nil {
		return cloud.PoolFacts{Err: err}
	}
	kept := &notes{}
	ctx = context.WithValue(ctx, notesKey{}, kept)
	kind := f.pools.kind(target)
	pool, err := kind.resolve(ctx, target)
	found := cloud.PoolFacts{Pool: pool, Err: err}
	if pool.ID != "" {
		read, readErr := f.pools.look(ctx, pool.ID).members(ctx, pool, nil)
		found.Pool, found.Err = read, errors.Join(err, readErr)
		found.Tags = f.tags(ctx, pool)
	}
	if found.Err != nil {
		found.Err = f.me.believe(ctx, found.Err)
	}
	thing := groupThing(target)
	if kind == pools(f.pools.classic) {
		thing = classicThing(target)
	}
	found.Trials = kept.about(thing, poolMeanings)
	return found
}

// tags are those of a pool, nil where they could not be read: why is noted.
func (f *facts) tags(ctx context.Context, pool rollout.Pool) map[string]string {
	tags := map[string]string{}
	if pool.Kind == rollout.KindClassic {
		answer, err := f.classics.DescribeTags(ctx, &elb.DescribeTagsInput{LoadBalancerNames: []string{classicName(pool.ID)}})
		if err != nil || len(answer.TagDescriptions) != 1 {
			return nil
		}
		for _, tag := range answer.TagDescriptions[0].Tags {
			tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
		return tags
	}
	answer, err := f.groups.DescribeTags(ctx, &elbv2.DescribeTagsInput{ResourceArns: []string{pool.ID}})
	if err != nil || len(answer.TagDescriptions) != 1 {
		return nil
	}
	for _, tag := range answer.TagDescriptions[0].Tags {
		tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return tags
}

// memberLimits are the limits that may keep a server out of a pool, by the kind of pool.
var memberLimits = map[rollout.PoolKind][]cloud.Limit{
	rollout.KindClassic: {{Name: "classic-registered-instances"}},
	rollout.KindALB:     {{Name: "targets-per-target-group"}, {Name: "targets-per-application-load-balancer"}},
	rollout.KindNLB: {{Name: "targets-per-target-group"}, {Name: "targets-per-network-load-balancer"},
		{Name: "targets-per-availability-zone-per-network-load-balancer", PerZone: true}},
}

// Limits implements cloud.Facts. A limit that AWS does not tell is left out.
func (f *facts) Limits(ctx context.Context, kind rollout.PoolKind) ([]cloud.Limit, cloud.Trial) {
	trial := cloud.Trial{Action: "elasticloadbalancing:DescribeAccountLimits"}
	read := f.groupLimits
	if kind == rollout.KindClassic {
		read = f.classicLimits
	}
	told, err := read(ctx)
	trial.Err = explain(err, "the account's limits", nil)
	var limits []cloud.Limit
	for _, limit := range memberLimits[kind] {
		if most, err := strconv.Atoi(told[limit.Name]); err == nil {
			limit.Max = most
			limits = append(limits, limit)
		}
	}
	return slices.Clip(limits), trial
}

// classicLimits takes one page: there are three limits.
func (f *facts) classicLimits(ctx context.Context) (map[string]string, error) {
	answer, err := f.classics.DescribeAccountLimits(ctx, &elb.DescribeAccountLimitsInput{})
	if err != nil {
		return nil, err
	}
	told := map[string]string{}
	for _, limit := range answer.Limits {
		told[aws.ToString(limit.Name)] = aws.ToString(limit.Max)
	}
	return told, nil
}

func (f *facts) groupLimits(ctx context.Context) (map[string]string, error) {
	told := map[string]string{}
	pages := elbv2.NewDescribeAccountLimitsPaginator(f.groups, &elbv2.DescribeAccountLimitsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, limit := range page.Limits {
			told[aws.ToString(limit.Name)] = aws.ToString(limit.Max)
		}
	}
	return told, nil
}
