package awscloud

import (
	"context"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

const (
	// pageSize is the most that Describe calls of EC2 give at once; unpaged ones are throttled sooner.
	pageSize = 1000
	// filterValues is the most values that one filter may have.
	filterValues = 200
	// sweepLimit ends a sweep that does not come to an end.
	sweepLimit = 2 * time.Minute
	// statusEvery is how often the list of impaired servers is read: EC2 runs its status checks once a minute.
	statusEvery = time.Minute
	// statusLimit ends a reading of that list that hangs.
	statusLimit = 30 * time.Second
	// statusLife is how long that list counts where it cannot be read again. It is less than the five minutes after which an
	// impaired server is replaced: one reading alone, grown old, must not launch anything.
	statusLife = 4 * time.Minute
)

// inventory reads servers for all Releases of an account and region.
type inventory struct {
	api      serversAPI
	clock    Clock
	most     int                         // servers of a cluster that a look at one Release sweeps; see Options.SweepMost
	changed  func(cloud.Server)          // is told of what a sweep shows otherwise than the one before
	sweeps   shared[[]cloud.Server]      // by value of the cluster tag
	impaired shared[map[string]struct{}] // of the whole account: this filter knows no tags
}

func newInventory(api serversAPI, clock Clock, most int, changed func(cloud.Server)) *inventory {
	i := &inventory{api: api, clock: clock, most: most, changed: changed}
	i.sweeps = shared[[]cloud.Server]{clock: clock, limit: sweepLimit, read: i.sweep}
	i.impaired = shared[map[string]struct{}]{clock: clock, limit: statusLimit, read: i.readImpaired}
	return i
}

// servers answers a query; see cloud.Compute.
func (i *inventory) servers(ctx context.Context, query cloud.Query) ([]cloud.Server, error) {
	switch {
	case query.Release != "":
		return i.ofRelease(ctx, query)
	case query.Cluster != "":
		return i.sweeps.get(ctx, query.Cluster, i.sweepAge(query))
	case query.Adopt != "":
		return i.describe(ctx, tagged(cloud.TagAdopt, query.Adopt))
	default:
		return i.byID(ctx, query.IDs)
	}
}

func (i *inventory) sweep(ctx context.Context, cluster string) ([]cloud.Server, error) {
	servers, err := i.describe(ctx, tagged(cloud.TagCluster, cluster))
	if before, swept := i.sweeps.held(cluster); swept && err == nil {
		for _, server := range differing(before, servers) {
			i.changed(server)
		}
	}
	return servers, err
}

// byID asks with a filter: asked by ID, one that EC2 does not know (yet) would fail the whole call.
func (i *inventory) byID(ctx context.Context, ids []string) ([]cloud.Server, error) {
	var all []cloud.Server
	for some := range slices.Chunk(ids, filterValues) {
		servers, err := i.describe(ctx, filter("instance-id", some...))
		if err != nil {
			return nil, err
		}
		all = append(all, servers...)
	}
	sortByID(all)
	return all, nil
}

// describe lists the servers that match all filters.
func (i *inventory) describe(ctx context.Context, by ...types.Filter) ([]cloud.Server, error) {
	pages := ec2.NewDescribeInstancesPaginator(i.api, &ec2.DescribeInstancesInput{
		Filters: by, MaxResults: aws.Int32(pageSize),
	})
	var servers []cloud.Server
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, explain(err, "the servers of the account", nil)
		}
		for _, reservation := range page.Reservations {
			for _, instance := range reservation.Instances {
				servers = append(servers, serverOf(instance))
			}
		}
	}
	i.markImpaired(ctx, servers)
	sortByID(servers)
	return servers, nil
}

// markImpaired goes by the last list of impaired servers and waits for nothing: every pass, every end and every launch that
// is looked up goes through here, and a rollback must not hang on a call that it has no use for. A reading that fails
// changes no verdict, or it would begin the time anew after which such a server is replaced. Where there is no list, or
// none that still counts, nobody is impaired: not to know is evidence of nothing.
func (i *inventory) markImpaired(ctx context.Context, servers []cloud.Server) {
	impaired, began, known := i.impaired.latest(ctx, "", statusEvery)
	if !known || i.clock.Now().Sub(began) > statusLife {
		return
	}
	for n := range servers {
		_, servers[n].Impaired = impaired[servers[n].ID]
	}
}

// readImpaired asks twice, because filters narrow each other down: one check is of the server, the other of the machine
// that it runs on. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-system-instance-status-check.html
func (i *inventory) readImpaired(ctx context.Context, _ string) (map[string]struct{}, error) {
	impaired := map[string]struct{}{}
	for _, check := range []string{"instance-status.status", "system-status.status"} {
		pages := ec2.NewDescribeInstanceStatusPaginator(i.api, &ec2.DescribeInstanceStatusInput{
			Filters:    []types.Filter{filter(check, string(types.SummaryStatusImpaired))},
			MaxResults: aws.Int32(pageSize),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, status := range page.InstanceStatuses {
				impaired[aws.ToString(status.InstanceId)] = struct{}{}
			}
		}
	}
	return impaired, nil
}

// withToken lists the IDs of the servers that a launch token brought and that were not terminated since.
func (i *inventory) withToken(ctx context.Context, token string) ([]string, error) {
	servers, err := i.describe(ctx, filter("client-token", literal(token)))
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, server := range servers {
		if !gone(server) {
			ids = append(ids, server.ID)
		}
	}
	return ids, nil
}

// gone reports whether a server is terminated, or about to be.
func gone(server cloud.Server) bool {
	return server.State == rollout.StateTerminated || server.State == rollout.StateShuttingDown
}

func serverOf(instance types.Instance) cloud.Server {
	tags := make(map[string]string, len(instance.Tags))
	for _, tag := range instance.Tags {
		tags[common(tag.Key)] = common(tag.Value)
	}
	_, hold := tags[cloud.TagHold]
	server := cloud.Server{
		Server: rollout.Server{
			ID:       aws.ToString(instance.InstanceId),
			Revision: tags[cloud.TagRevision],
			Version:  tags[cloud.TagVersion],
			Role:     rollout.Role(tags[cloud.TagRole]),
			Image:    common(instance.ImageId),
			Type:     common((*string)(&instance.InstanceType)),
			Subnet:   common(instance.SubnetId),
			Reason:   stateReason(instance),
			Token:    common(instance.ClientToken),
			Launched: aws.ToTime(instance.LaunchTime),
			Hold:     hold,
		},
		Cluster: tags[cloud.TagCluster],
		Release: tags[cloud.TagRelease],
		Owner:   tags[cloud.TagOwner],
		Tags:    tags,
	}
	if instance.Placement != nil {
		server.Zone = common(instance.Placement.AvailabilityZone)
	}
	if instance.State != nil {
		server.State = rollout.ServerState(instance.State.Name) // equal words
	}
	return server
}

// common is a text of AWS's that many servers share: ten thousand of them have the same few images, subnets and tags. It is one for all that
// is read until the next collection of garbage, of which there are a few in a sweep.
func common(text *string) string { return unique.Make(aws.ToString(text)).Value() }

// stateReason is why a server is in its state: "Client.InstanceInitiatedShutdown: Instance initiated shutdown". EC2
// repeats the code in most messages, but not in all; a pending server's reason is "pending" and says nothing.
func stateReason(instance types.Instance) string {
	if instance.StateReason == nil {
		return aws.ToString(instance.StateTransitionReason)
	}
	code, words := aws.ToString(instance.StateReason.Code), aws.ToString(instance.StateReason.Message)
	switch {
	case code == string(types.InstanceStateNamePending):
		return ""
	case words == "":
		return code
	case strings.HasPrefix(words, code):
		return words
	default:
		return code + ": " + words
	}
}

func sortByID(servers []cloud.Server) {
	slices.SortFunc(servers, func(a, b cloud.Server) int { return strings.Compare(a.ID, b.ID) })
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

// tagged matches what has the tag with exactly this value.
func tagged(tag, value string) types.Filter { return filter("tag:"+tag, literal(value)) }

// literal keeps EC2 from reading wildcards into a value.
func literal(value string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(value)
}
