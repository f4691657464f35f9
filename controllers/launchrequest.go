package controllers

import (
	"cmp"
	"context"
	"fmt"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// Defaults of the instance metadata service. They are set here and not in the CRD, where they would change revisions.
const (
	defaultHTTPTokens = string(v1alpha1.HTTPTokensRequired)
	defaultHopLimit   = 1
)

// launchRequest puts together what a launch is made of: the revision's frozen parameters and the attempt's own. It reads
// nothing that may change, so that the request of a replay is the same, as EC2 demands of one token.
//
// The errors are trouble with Kubernetes, and *cloud.Error where the class does not allow the revision any more or the
// copy of its user data is gone: nothing may be launched then.
func (r *ReleaseReconciler) launchRequest(ctx context.Context, rel *v1alpha1.Release, obs *observation, launch rollout.Launch) (cloud.LaunchRequest, error) {
	request, err := r.bareRequest(rel, obs, launch)
	if err != nil {
		return cloud.LaunchRequest{}, err
	}
	data, _ := obs.record(launch.Revision)
	source, err := r.frozenUserData(ctx, rel, data)
	if err != nil {
		return cloud.LaunchRequest{}, err
	}
	request.UserData = renderUserData(source, string(data.AsWritten.Version), obs.input.Spec.Release, launch.Revision)
	return request, nil
}

// bareRequest is everything but the user data, which may hold secrets.
func (r *ReleaseReconciler) bareRequest(rel *v1alpha1.Release, obs *observation, launch rollout.Launch) (cloud.LaunchRequest, error) {
	data, ok := obs.record(launch.Revision)
	if !ok {
		return cloud.LaunchRequest{}, fmt.Errorf("revision %s has no ControllerRevision, so nobody knows what its servers are made of", launch.Revision)
	}
	template := data.AsWritten.Template
	for _, problem := range []rollout.Problem{
		templateProblem(template, obs.class),
		ownerProblem(cloud.Image{ID: data.Image, Owner: data.Owner, OwnerAlias: data.OwnerAlias}, obs.class),
	} {
		if problem.Some() {
			return cloud.LaunchRequest{}, &cloud.Error{
				Kind: cloud.Denied, Reason: problem.Reason, Thing: "launch of version " + string(data.AsWritten.Version),
				Code: rollout.ReasonNotAllowedByClass, Message: problem.Message,
			}
		}
	}
	request := requestOf(template, r.serverTags(rel, launch.Revision, string(data.AsWritten.Version), launch.Attempt.Role))
	request.Token, request.Count, request.Image = launch.Attempt.Token, len(launch.Attempt.Places), data.Image
	request.Type, request.Subnet = launch.Attempt.Type, launch.Attempt.Subnet
	return request, nil
}

// requestOf is what all launches of a template have in common. The tags are those that say whose the servers are.
func requestOf(template v1alpha1.ServerTemplate, tags map[string]string) cloud.LaunchRequest {
	for key, value := range template.Tags {
		if _, ours := tags[key]; !ours || key == cloud.TagName {
			tags[key] = string(value)
		}
	}
	return cloud.LaunchRequest{
		SecurityGroups:  texts(template.SecurityGroupIDs),
		InstanceProfile: template.IAMInstanceProfile,
		KeyName:         template.KeyName,
		Metadata: cloud.Metadata{
			HTTPTokens: cmp.Or(string(template.MetadataOptions.HTTPTokens), defaultHTTPTokens),
			HopLimit:   cmp.Or(int(template.MetadataOptions.HopLimit), defaultHopLimit),
		},
		BlockDevices: blockDevices(template.BlockDeviceMappings),
		Tags:         tags,
	}
}

// serverTags say whose a server is, and what. Name is for people who look at a list of servers in AWS.
func (r *ReleaseReconciler) serverTags(rel *v1alpha1.Release, revision, version string, role rollout.Role) map[string]string {
	return map[string]string{
		cloud.TagCluster:  r.Cluster,
		cloud.TagRelease:  rel.Namespace + "/" + rel.Name,
		cloud.TagOwner:    string(rel.UID),
		cloud.TagRevision: revision,
		cloud.TagVersion:  version,
		cloud.TagRole:     string(role),
		cloud.TagName:     revision,
	}
}

// blockDevices puts the block device mappings into the words of the port.
func blockDevices(mappings []v1alpha1.BlockDeviceMapping) []cloud.BlockDevice {
	devices := make([]cloud.BlockDevice, 0, len(mappings))
	for _, m := range mappings {
		devices = append(devices, cloud.BlockDevice{
			Device: m.DeviceName, SizeGiB: int(m.EBS.VolumeSizeGiB), VolumeType: string(m.EBS.VolumeType),
			IOPS: int(m.EBS.IOPS), Throughput: int(m.EBS.Throughput), Encrypted: m.EBS.Encrypted, KMSKeyID: m.EBS.KMSKeyID,
			SnapshotID: m.EBS.SnapshotID, DeleteOnTermination: m.EBS.DeleteOnTermination,
		})
	}
	return devices
}
