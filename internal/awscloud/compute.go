package awscloud

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"slipway.dev/slipway/internal/cloud"
)

const (
	// tagBatch is the most resources that one CreateTags takes.
	tagBatch = 1000
	// terminateBatch keeps one bad server from spoiling many: EC2 takes 1000, and advises fewer.
	terminateBatch = 100
	// youth is how long EC2 may not know a server that it launched: its advice is to go on asking for five minutes.
	// https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
	youth = 5 * time.Minute
)

// compute implements cloud.Compute.
type compute struct {
	api       launchAPI
	inventory *inventory
	cluster   string
	clock     Clock

	mu    sync.Mutex
	young map[string]time.Time // servers that this process launched, and when
	bound map[string]time.Time // tokens that EC2 holds for other parameters and shows no server of, and since when
}

func newCompute(api launchAPI, inventory *inventory, class cloud.Class, clock Clock) *compute {
	return &compute{api: api, inventory: inventory, cluster: class.Cluster, clock: clock,
		young: map[string]time.Time{}, bound: map[string]time.Time{}}
}

// Servers implements cloud.Compute. The answer is shared by its callers and must not be changed.
func (c *compute) Servers(ctx context.Context, query cloud.Query) ([]cloud.Server, error) {
	return c.inventory.servers(ctx, query)
}

// Known implements cloud.Compute.
func (c *compute) Known(id string) (cloud.Server, bool) { return c.inventory.known(c.cluster, id) }

// Launch implements cloud.Compute.
func (c *compute) Launch(ctx context.Context, request cloud.LaunchRequest) ([]string, error) {
	defer c.inventory.sweeps.overtake()
	answer, err := c.api.RunInstances(withServers(ctx, request.Count), c.runInput(request))
	if err != nil {
		return c.refused(ctx, request, err)
	}
	ids := make([]string, 0, len(answer.Instances))
	for _, instance := range answer.Instances {
		ids = append(ids, aws.ToString(instance.InstanceId))
	}
	slices.Sort(ids)
	c.remember(ids)
	return ids, nil
}

func (c *compute) runInput(r cloud.LaunchRequest) *ec2.RunInstancesInput {
	input := &ec2.RunInstancesInput{
		ClientToken:                       aws.String(r.Token),
		MinCount:                          aws.Int32(1),
		MaxCount:                          aws.Int32(int32(r.Count)),
		ImageId:                           aws.String(r.Image),
		InstanceType:                      types.InstanceType(r.Type),
		SubnetId:                          text(r.Subnet),
		SecurityGroupIds:                  r.SecurityGroups,
		KeyName:                           text(r.KeyName),
		IamInstanceProfile:                profileOf(r.InstanceProfile),
		MetadataOptions:                   metadataOf(r.Metadata),
		InstanceInitiatedShutdownBehavior: types.ShutdownBehaviorTerminate,
		TagSpecifications:                 c.tagsOf(r.Tags),
	}
	if len(r.UserData) > 0 {
		input.UserData = aws.String(base64.StdEncoding.EncodeToString(r.UserData))
	}
	for _, device := range r.BlockDevices {
		input.BlockDeviceMappings = append(input.BlockDeviceMappings, deviceOf(device))
	}
	return input
}

// tagsOf tags everything that a launch makes, and with the cluster, whatever the request says.
func (c *compute) tagsOf(tags map[string]string) []types.TagSpecification {
	all := maps.Clone(tags)
	if all == nil {
		all = map[string]string{}
	}
	if c.cluster != "" {
		all[cloud.TagCluster] = c.cluster
	}
	if len(all) == 0 {
		return nil
	}
	var specifications []types.TagSpecification
	for _, what := range []types.ResourceType{
		types.ResourceTypeInstance, types.ResourceTypeVolume, types.ResourceTypeNetworkInterface,
	} {
		specifications = append(specifications, types.TagSpecification{ResourceType: what, Tags: tagList(all)})
	}
	return specifications
}

func tagList(tags map[string]string) []types.Tag {
	list := make([]types.Tag, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) { // in order: an equal request must be equal on the wire
		list = append(list, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return list
}

func profileOf(profile string) *types.IamInstanceProfileSpecification {
	switch {
	case profile == "":
		return nil
	case strings.HasPrefix(profile, "arn:"):
		return &types.IamInstanceProfileSpecification{Arn: aws.String(profile)}
	default:
		return &types.IamInstanceProfileSpecification{Name: aws.String(profile)}
	}
}

func metadataOf(m cloud.Metadata) *types.InstanceMetadataOptionsRequest {
	if m == (cloud.Metadata{}) {
		return nil
	}
	return &types.InstanceMetadataOptionsRequest{
		HttpEndpoint:            types.InstanceMetadataEndpointStateEnabled, // tokens and hops need it
		HttpTokens:              types.HttpTokensState(m.HTTPTokens),
		HttpPutResponseHopLimit: number(m.HopLimit),
	}
}

func deviceOf(d cloud.BlockDevice) types.BlockDeviceMapping {
	return types.BlockDeviceMapping{
		DeviceName: aws.String(d.Device),
		Ebs: &types.EbsBlockDevice{
			VolumeSize:          number(d.SizeGiB),
			VolumeType:          types.VolumeType(d.VolumeType),
			Iops:                number(d.IOPS),
			Throughput:          number(d.Throughput),
			Encrypted:           d.Encrypted,
			KmsKeyId:            text(d.KMSKeyID),
			SnapshotId:          text(d.SnapshotID),
			DeleteOnTermination: d.DeleteOnTermination,
		},
	}
}

// text and number leave out what is empty: AWS takes an empty value for a bad one.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func number(n int) *int32 {
	if n == 0 {
		return nil
	}
	return aws.Int32(int32(n))
}

// Tag implements cloud.Compute.
func (c *compute) Tag(ctx context.Context, servers []string, tags map[string]string) error {
	defer c.inventory.sweeps.overtake()
	var failed []error
	for some := range slices.Chunk(servers, tagBatch) {
		_, err := c.api.CreateTags(ctx, &ec2.CreateTagsInput{Resources: some, Tags: tagList(tags)})
		if err != nil {
			failed = append(failed, explain(err, listed(some), serverMeanings))
		}
	}
	return errors.Join(failed...)
}

// remember notes servers that EC2 may not know for a while.
func (c *compute) remember(ids []string) {
	now := c.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.young, func(_ string, launched time.Time) bool { return now.Sub(launched) > youth })
	for _, id := range ids {
		c.young[id] = now
	}
}

func (c *compute) isYoung(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	launched, known := c.young[id]
	return known && c.clock.Now().Sub(launched) <= youth
}
