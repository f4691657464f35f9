package awscloud

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"slipway.dev/slipway/internal/cloud"
)

// Terminate implements cloud.Compute, in calls of one zone each: a server that cannot be terminated keeps those of its
// zone alive with it. Those are looked at again and ended one by one, so that one protected server costs nobody else.
func (c *compute) Terminate(ctx context.Context, servers []string) error {
	defer c.inventory.sweeps.overtake()
	known, err := c.inventory.byID(ctx, servers)
	if err != nil {
		return err
	}
	var failed []error
	for _, zone := range byZone(servers, known) {
		for some := range slices.Chunk(zone, terminateBatch) {
			failed = append(failed, c.terminate(ctx, some))
		}
	}
	return errors.Join(failed...)
}

// byZone groups the servers that are not gone yet; those that EC2 does not show are a group of their own.
func byZone(servers []string, known []cloud.Server) [][]string {
	zones := map[string]string{}
	done := map[string]bool{}
	for _, server := range known {
		zones[server.ID] = server.Zone
		done[server.ID] = gone(server)
	}
	left := slices.DeleteFunc(slices.Clone(servers), func(id string) bool { return done[id] })
	slices.SortFunc(left, func(a, b string) int {
		return strings.Compare(zones[a]+"/"+a, zones[b]+"/"+b)
	})
	var groups [][]string
	for n, id := range left {
		if n == 0 || zones[id] != zones[left[n-1]] {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], id)
	}
	return groups
}

func (c *compute) terminate(ctx context.Context, servers []string) error {
	err := c.terminateAll(ctx, servers)
	if err == nil || !mayBeOne(err) {
		return err
	}
	known, err := c.inventory.byID(ctx, servers)
	if err != nil {
		return err
	}
	shown := map[string]bool{}
	for _, server := range known {
		shown[server.ID] = true
	}
	var failed []error
	for _, group := range byZone(servers, known) {
		for _, id := range group {
			err := c.terminateAll(ctx, []string{id})
			if codeOf(err) == unknownServer && !shown[id] && !c.isYoung(id) {
				continue // neither shown nor known, and not just launched: gone for an hour or more
			}
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// mayBeOne reports whether one server of a batch may be the reason of a refusal.
func mayBeOne(err error) bool {
	return codeOf(err) == unknownServer || cloud.KindOf(err) == cloud.Invalid
}

func (c *compute) terminateAll(ctx context.Context, servers []string) error {
	ctx = withServers(ctx, len(servers))
	_, err := c.api.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: servers})
	return explain(err, listed(servers), serverMeanings)
}
