package controllers

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/checkup"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// maxExaminedPools bounds how many pools are read: AWS allows ten calls a second to all that read load balancers.
const maxExaminedPools = 25

// actionTags is not needed for any deploy: a role that may not do it deploys all the same.
const actionTags = "elasticloadbalancing:DescribeTags"

// pools reads every pool of the class's Releases.
func (e *examining) pools(ctx context.Context) {
	all := poolsToExamine(e.releases)
	if len(all) == 0 {
		e.note(checkup.AreaPools, "pools", checkup.Untried, "Make a first Release, with phase Preview, and ask again",
			"no Release of class %s names a load balancer", e.class.Name)
		return
	}
	for n, pool := range all {
		if n == maxExaminedPools || ctx.Err() != nil {
			e.note(checkup.AreaPools, "more pools", checkup.Untried, "", "%d of %d pools were looked at, from %s on none", n, len(all), pool.label())
			break
		}
		pool.facts = e.exam.Facts.Pool(ctx, pool.ref)
		pool.others = e.others(pool)
		e.seen = append(e.seen, pool)
		e.pool(ctx, pool)
	}
	e.note(checkup.AreaPools, "registering and deregistering", checkup.Untried, "",
		"AWS has no DryRun for either; config/iam/policy.json permits both in what is tagged %s=%s, which was looked at", cloud.TagCluster, e.Cluster)
}

// pool says what is wrong with one; where nothing is, that it was read.
func (e *examining) pool(ctx context.Context, p examinedPool) {
	before := len(e.Checks)
	missing := false
	for _, trial := range p.facts.Trials {
		switch {
		case trial.Err == nil:
		case trial.Action == actionTags:
			e.note(checkup.AreaPools, p.label(), checkup.Warn, "Add "+actionTags+" to the IAM policy, as config/iam/policy.json has it",
				"whether it is tagged as the policy asks for is not known: %v", trial.Err)
		case cloud.KindOf(trial.Err) == cloud.NotFound && missing: // it is not there for any call
		default:
			missing = missing || cloud.KindOf(trial.Err) == cloud.NotFound
			e.refused(ctx, checkup.AreaPools, trial.Action+" of "+p.label(), trial.Err)
		}
	}
	if p.facts.Err != nil {
		if len(e.Checks) == before {
			e.refused(ctx, checkup.AreaPools, p.label(), p.facts.Err)
		}
		return
	}
	e.settings(p)
	if len(e.Checks) == before {
		e.note(checkup.AreaPools, p.label(), checkup.OK, "", "%s with %s, %d of them healthy",
			p.facts.Pool.Kind, members(len(p.facts.Pool.Members)), healthy(p.facts.Pool))
	}
}

func members(n int) string {
	if n == 1 {
		return "1 member"
	}
	return fmt.Sprintf("%d members", n)
}

func healthy(pool rollout.Pool) int {
	n := 0
	for _, member := range pool.Members {
		if member.State == rollout.MemberHealthy {
			n++
		}
	}
	return n
}

// settings are those that would hold up a deploy, or slow it.
func (e *examining) settings(p examinedPool) {
	if p.facts.Pool.NotInUse {
		e.note(checkup.AreaPools, p.label(), checkup.Fail, "Add a listener or rule that forwards to it: aws elbv2 create-rule --listener-arn ARN …",
			"no load balancer forwards to it: AWS checks no health, and nothing in it gets healthy")
	}
	if why := e.deniedIn(p); why != "" {
		e.note(checkup.AreaPools, p.label(), checkup.Fail, e.tagCommand(p), "AWS refused to register servers: %s", why)
	}
	if p.facts.Tags != nil && p.facts.Tags[cloud.TagCluster] != e.Cluster {
		e.untagged(p)
	}
	if p.facts.Pool.ZonalOnly {
		e.note(checkup.AreaPools, p.label(), checkup.Warn,
			"Switch cross-zone balancing on (docs/user-guide.md, load-balancer settings), or have enough servers in each zone",
			"it does not balance across zones: each zone needs healthy servers of its own before others may leave")
	}
}

// deniedIn is why AWS did not permit a Release to register servers there, as far as this process was told.
func (e *examining) deniedIn(p examinedPool) string {
	for _, rel := range e.releases {
		last := e.r.soft.reading(types.NamespacedName{Namespace: rel.Namespace, Name: rel.Name})
		if last == nil || !p.owned[rel.UID] {
			continue
		}
		for _, pool := range last.obs.input.World.Pools {
			if pool.ID == p.facts.Pool.ID && pool.Denied != "" {
				return pool.Denied
			}
		}
	}
	return ""
}

// untagged: a pool without the tag is closed to the shipped policy. Where servers of ours are in it, another policy lets them in.
func (e *examining) untagged(p examinedPool) {
	has := "it has no tag " + cloud.TagCluster
	if value, other := p.facts.Tags[cloud.TagCluster]; other {
		has = fmt.Sprintf("its tag %s is %q and not %q", cloud.TagCluster, value, e.Cluster)
	}
	state, then := checkup.Fail, "AWS refuses to register servers in it"
	if len(p.facts.Pool.Members) > p.others {
		state, then = checkup.Warn, "servers of ours are in it, so either the policy is another one, or the tag was changed since"
	}
	e.note(checkup.AreaPools, p.label(), state, e.tagCommand(p), "%s: under config/iam/policy.json %s", has, then)
}

// others is how many members are not of its Releases.
func (e *examining) others(p examinedPool) int {
	var ours []*observation
	for _, rel := range e.releases {
		last := e.r.soft.reading(types.NamespacedName{Namespace: rel.Namespace, Name: rel.Name})
		if last != nil && p.owned[rel.UID] {
			ours = append(ours, last.obs)
		}
	}
	n := 0
	for _, member := range p.facts.Pool.Members {
		if !slices.ContainsFunc(ours, func(obs *observation) bool { return obs.owns(member.Server) }) {
			n++
		}
	}
	return n
}

func (e *examining) tagCommand(p examinedPool) string {
	tag := fmt.Sprintf("--tags Key=%s,Value=%s --region %s", cloud.TagCluster, e.Cluster, e.Region)
	if p.facts.Pool.Kind == rollout.KindClassic {
		return "aws elb add-tags --load-balancer-names " + p.names[0] + " " + tag
	}
	return "aws elbv2 add-tags --resource-arns " + p.facts.Pool.ID + " " + tag
}

// quotas compares limits with what a deploy needs at its peak, when candidate and stable fleet are in a pool together.
func (e *examining) quotas(ctx context.Context) {
	e.maxServers()
	kinds := map[rollout.PoolKind][]examinedPool{}
	for _, pool := range e.seen {
		if pool.facts.Err == nil {
			kinds[pool.facts.Pool.Kind] = append(kinds[pool.facts.Pool.Kind], pool)
		}
	}
	for _, kind := range []rollout.PoolKind{rollout.KindClassic, rollout.KindALB, rollout.KindNLB} {
		if len(kinds[kind]) > 0 {
			e.limits(ctx, kind, kinds[kind])
		}
	}
	e.note(checkup.AreaQuotas, "vCPUs", checkup.Untried,
		"aws service-quotas get-service-quota --service-code ec2 --quota-code L-1216C47A --region "+e.Region,
		"EC2 tells of this quota only by refusing a launch (VcpuLimitExceeded): compare it with twice the servers of your largest Release")
}

// maxServers: a deploy needs twice the replicas.
func (e *examining) maxServers() {
	const subject = "maxServersPerRelease"
	limit := int(e.class.Spec.MaxServersPerRelease)
	if limit == 0 || len(e.releases) == 0 {
		return
	}
	largest := slices.MaxFunc(e.releases, func(a, b *v1alpha1.Release) int { return int(a.Spec.Replicas) - int(b.Spec.Replicas) })
	need := 2 * int(largest.Spec.Replicas)
	state, advice := checkup.OK, ""
	if need > limit {
		state, advice = checkup.Fail, "kubectl edit releaseclass "+e.class.Name
	}
	e.note(checkup.AreaQuotas, subject, state, advice, "ReleaseClass %s allows %d servers; a deploy of %s needs %d, candidate and stable fleet together",
		e.class.Name, limit, nameOf(largest), need)
}

// limits compares each limit of a kind with the pool that needs most of it.
func (e *examining) limits(ctx context.Context, kind rollout.PoolKind, pools []examinedPool) {
	limits, trial := e.exam.Facts.Limits(ctx, kind)
	if trial.Err != nil {
		e.note(checkup.AreaQuotas, "targets", checkup.Warn, "Add "+trial.Action+" to the IAM policy, as config/iam/policy.json has it",
			"the limits of pools of kind %s are not known: %v", kind, trial.Err)
	}
	for _, limit := range limits {
		most := slices.MaxFunc(pools, func(a, b examinedPool) int { return a.need(limit) - b.need(limit) })
		need, state, advice := most.need(limit), checkup.OK, ""
		if need > limit.Max {
			state, advice = checkup.Fail, "Ask AWS for more: aws service-quotas list-service-quotas --service-code elasticloadbalancing --region "+e.Region
		}
		e.note(checkup.AreaQuotas, limit.Name, state, advice, "%d; %s needs %d at a deploy's peak", limit.Max, most.label(), need)
	}
}

// need is how many members the pool has at a deploy's peak: the others that are there, the candidate and the stable fleet.
func (p examinedPool) need(limit cloud.Limit) int {
	peak := p.peak
	if limit.PerZone && p.facts.Pool.ZonalOnly {
		peak = (peak + p.zones - 1) / p.zones
	}
	return p.others + peak
}
