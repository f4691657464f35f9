package awscloud

import (
	"cmp"
	"context"
	"slices"

	"slipway.dev/slipway/internal/cloud"
)

// ofRelease answers a query for the servers of one Release. A sweep over a small cluster is one call, and serves whoever else looks in
// that second. One over a large cluster takes as many as it has pages, one after the other: by the time it ends it is too old for most
// who wait for it.
//
//	servers of the cluster      up to 1,000        10,000
//	a fresh look                a sweep: 1 call    the Release's own: 1 call
//	one at rest                 a sweep that is up to 50 s old, or 75
//
// The sweep goes on meanwhile behind everybody's back: it tells of changes, and whose a stranger's server is. In a large cluster a change
// of ours does not outdate it for those at rest, or it would never end where some deploy: what a glance shows to be done is read anew.
func (i *inventory) ofRelease(ctx context.Context, query cloud.Query) ([]cloud.Server, error) {
	if !query.AtRest {
		large, err := i.large(ctx, query.Cluster)
		if err != nil {
			return nil, err
		}
		if large {
			return i.describe(ctx, tagged(cloud.TagCluster, query.Cluster), tagged(cloud.TagRelease, query.Release))
		}
	}
	sweep := i.sweeps.get
	if last, _ := i.sweeps.held(query.Cluster); query.AtRest && len(last) > i.most {
		sweep = i.sweeps.getOvertaken
	}
	all, err := sweep(ctx, query.Cluster, i.sweepAge(query))
	if err != nil {
		return nil, err
	}
	var own []cloud.Server
	for _, server := range all {
		if server.Release == query.Release {
			own = append(own, server)
		}
	}
	return own, nil
}

// large reports whether a cluster has more servers than one look may read, by the last sweep, and sees to it that there is a next one.
// The first is waited for, by everybody together but a rollback, which a process may have to go on with that has just begun.
func (i *inventory) large(ctx context.Context, cluster string) (bool, error) {
	last, swept := i.sweeps.held(cluster)
	switch {
	case !swept && cloud.LaneOf(ctx) == cloud.LaneRollback:
		i.sweeps.latest(ctx, cluster, restAge)
		return true, nil
	case !swept:
		first, err := i.sweeps.get(ctx, cluster, sweepLimit)
		return len(first) > i.most, err
	case len(last) <= i.most:
		return false, nil
	}
	i.sweeps.latest(ctx, cluster, ageAtRest(len(last)))
	return true, nil
}

// known is a server as the last sweep showed it.
func (i *inventory) known(cluster, id string) (cloud.Server, bool) {
	last, _ := i.sweeps.held(cluster)
	at, found := slices.BinarySearchFunc(last, id, func(s cloud.Server, id string) int { return cmp.Compare(s.ID, id) })
	if !found {
		return cloud.Server{}, false
	}
	return last[at], true
}
