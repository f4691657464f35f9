//go:build awscli

package awscli

import (
	"strings"

	"slipway.dev/slipway/internal/localaws"
)

// launch launches servers of version v1 that answer as soon as they run, and returns their ids.
func (s *shell) launch(count, more string) string {
	s.t.Helper()
	return s.text("ec2 run-instances --image-id %s --instance-type t3.micro --count %s --subnet-id %s --query Instances[].InstanceId %s",
		s.site.V1, count, s.site.Subnets[0], more)
}

func servers(s *shell) {
	ids := s.launch("2", "--key-name ops --client-token once --security-group-ids "+s.site.SecurityGroup)
	if again := s.launch("2", "--key-name ops --client-token once --security-group-ids "+s.site.SecurityGroup); again != ids {
		s.t.Errorf("the same token launched %s after %s", again, ids)
	}
	s.want("", "ec2 wait instance-exists --instance-ids %s", ids)
	s.want("", "ec2 wait instance-running --instance-ids %s", ids)
	s.want("running running", "ec2 describe-instances --instance-ids %s --query Reservations[].Instances[].State.Name", ids)
	s.want("", "ec2 wait instance-status-ok --instance-ids %s", ids)
	s.want("", "ec2 wait system-status-ok --instance-ids %s", ids)
	s.want("ok ok", "ec2 describe-instance-status --instance-ids %s --query InstanceStatuses[].InstanceStatus.Status", ids)

	one := strings.Fields(ids)[0]
	s.want("", "ec2 modify-instance-attribute --instance-id %s --disable-api-termination", one)
	s.want("True", "ec2 describe-instance-attribute --instance-id %s --attribute disableApiTermination --query DisableApiTermination.Value", one)
	s.fails("OperationNotPermitted", "TerminateInstances", "The instance '"+one+"' may not be terminated.", "ec2 terminate-instances --instance-ids %s", one)
	s.want("", "ec2 modify-instance-attribute --instance-id %s --no-disable-api-termination", one)

	s.want("stopping", "ec2 stop-instances --instance-ids %s --query StoppingInstances[].CurrentState.Name", one)
	s.want("", "ec2 wait instance-stopped --instance-ids %s", one)
	s.want("pending", "ec2 start-instances --instance-ids %s --query StartingInstances[].CurrentState.Name", one)
	s.want("", "ec2 wait instance-running --instance-ids %s", one)

	volume := s.text("ec2 describe-volumes --filters Name=attachment.instance-id,Values=%s --query Volumes[].VolumeId", one)
	s.want("", "ec2 wait volume-in-use --volume-ids %s", volume)
	s.want("in-use "+one, "ec2 describe-volumes --volume-ids %s --query Volumes[].[State,Attachments[0].InstanceId]", volume)

	s.want("shutting-down shutting-down", "ec2 terminate-instances --instance-ids %s --query TerminatingInstances[].CurrentState.Name", ids)
	s.want("", "ec2 wait instance-terminated --instance-ids %s", ids)
	s.want("", "ec2 describe-instances --filters Name=instance-state-name,Values=running,pending,stopped --query Reservations[].Instances[].InstanceId")
}

// A disk that is to outlive its server becomes available with the server's end, and the other one is deleted.
func volumes(s *shell) {
	id := s.launch("1", `--block-device-mappings [{"DeviceName":"/dev/sdf","Ebs":{"VolumeSize":2,"DeleteOnTermination":false}}]`)
	const disk = "ec2 describe-volumes --filters Name=attachment.instance-id,Values=%s --query Volumes[?Attachments[0].DeleteOnTermination==`%t`].VolumeId"
	kept, root := s.text(disk, id, false), s.text(disk, id, true)
	s.want("", "ec2 wait instance-running --instance-ids %s", id)
	s.text("ec2 terminate-instances --instance-ids %s", id)
	s.want("", "ec2 wait volume-available --volume-ids %s", kept)
	s.want("", "ec2 wait volume-deleted --volume-ids %s", root)
	s.want(kept+" 2 available 0", "ec2 describe-volumes --query Volumes[].[VolumeId,Size,State,length(Attachments)]")
	s.fails("InvalidVolume.NotFound", "DescribeVolumes", "The volume '"+root+"' does not exist", "ec2 describe-volumes --volume-ids %s", root)
}

func images(s *shell) {
	id := s.launch("1", "")
	s.want("", "ec2 wait instance-running --instance-ids %s", id)
	image := s.text("ec2 create-image --instance-id %s --name mine --no-reboot --query ImageId", id)
	s.want("", "ec2 wait image-exists --image-ids %s", image)
	s.want("", "ec2 wait image-available --image-ids %s", image)
	s.want("mine available", "ec2 describe-images --owners self --image-ids %s --query Images[].[Name,State]", image)
	s.text("ec2 deregister-image --image-id %s", image)
	s.want("", "ec2 describe-images --owners self --filters Name=name,Values=mine --query Images[].ImageId")
}

func tags(s *shell) {
	id := s.launch("1", "--tag-specifications ResourceType=instance,Tags=[{Key=app,Value=web},{Key=slot,Value=1}]")
	s.want("app slot", "ec2 describe-instances --filters Name=tag:app,Values=w* --query sort_by(Reservations[0].Instances[0].Tags,&Key)[].Key")
	s.want("", "ec2 create-tags --resources %s --tags Key=app,Value=shop Key=size,Value=3", id)
	s.want("app=shop size=3 slot=1", "ec2 describe-tags --filters Name=resource-id,Values=%s --query sort(Tags[].join(`=`,[Key,Value]))", id)
	s.want("", "ec2 delete-tags --resources %s --tags Key=size Key=slot,Value=2", id)
	s.want("app slot", "ec2 describe-tags --filters Name=resource-id,Values=%s --query sort(Tags[].Key)", id)
}

func network(s *shell) {
	s.want("", "ec2 wait vpc-exists --vpc-ids %s", s.site.VPC)
	s.want("", "ec2 wait vpc-available --vpc-ids %s", s.site.VPC)
	s.want(s.site.VPC+" available", "ec2 describe-vpcs --query Vpcs[].[VpcId,State]")
	s.want("", "ec2 wait subnet-available --subnet-ids %s", s.site.Subnets[1])
	s.want("us-east-1b", "ec2 describe-subnets --subnet-ids %s --query Subnets[].AvailabilityZone", s.site.Subnets[1])
	s.want("", "ec2 wait security-group-exists --group-ids %s", s.site.SecurityGroup)
	s.want("web", "ec2 describe-security-groups --group-ids %s --query SecurityGroups[].GroupName", s.site.SecurityGroup)
	s.want("", "ec2 wait key-pair-exists --key-names ops")
	s.want("ops", "ec2 describe-key-pairs --query KeyPairs[].KeyName")
	s.want("us-east-1a available", "ec2 describe-availability-zones --zone-names us-east-1a --query AvailabilityZones[].[ZoneName,State]")
	s.want("2 1024", "ec2 describe-instance-types --instance-types t3.micro --query InstanceTypes[].[VCpuInfo.DefaultVCpus,MemoryInfo.SizeInMiB]")
}

func dryRuns(s *shell) {
	const text = "Request would have succeeded, but DryRun flag is set."
	s.fails("DryRunOperation", "RunInstances", text, "ec2 run-instances --dry-run --image-id %s --instance-type t3.micro --subnet-id %s",
		s.site.V1, s.site.Subnets[0])
	s.fails("DryRunOperation", "DescribeInstances", text, "ec2 describe-instances --dry-run")
	s.fails("InvalidAMIID.NotFound", "RunInstances", "The image id '[ami-00000000]' does not exist",
		"ec2 run-instances --dry-run --image-id ami-00000000 --instance-type t3.micro --subnet-id %s", s.site.Subnets[0])
	if n := len(s.cloud.Instances()); n != 0 {
		s.t.Errorf("dry runs launched %d servers", n)
	}
}

// Errors as the command line prints them, one of each protocol and of each kind.
func refusals(s *shell) {
	s.fails("InvalidInstanceID.NotFound", "DescribeInstances", "The instance ID 'i-00000000000000000' does not exist",
		"ec2 describe-instances --instance-ids i-00000000000000000")
	s.fails("InvalidInstanceID.Malformed", "TerminateInstances", `Invalid id: "web"`, "ec2 terminate-instances --instance-ids web")
	s.fails("InvalidParameterValue", "DescribeSubnets", "The filter 'colour' is invalid", "ec2 describe-subnets --filters Name=colour,Values=red")
	s.fails("UnknownParameter", "RunInstances", "The parameter EnclaveOptions.Enabled is not recognized",
		"ec2 run-instances --image-id %s --enclave-options Enabled=true", s.site.V1)
	s.fails("InvalidAction", "DescribeSnapshots", "The action DescribeSnapshots is not valid for this web service.", "ec2 describe-snapshots --owner-ids self")
	s.fails("LoadBalancerNotFound", "DescribeLoadBalancers", "There is no ACTIVE Load Balancer named 'none'",
		"elb describe-load-balancers --load-balancer-names none")
	s.fails("InvalidAction", "DescribeLoadBalancerPolicyTypes", "Could not find operation DescribeLoadBalancerPolicyTypes for version 2012-06-01",
		"elb describe-load-balancer-policy-types")
	s.fails("TargetGroupNotFound", "DescribeTargetHealth", "One or more target groups not found",
		"elbv2 describe-target-health --target-group-arn arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/none/0123456789abcdef")
	s.fails("ParameterNotFound", "GetParameter", "Parameter /none not found.", "ssm get-parameter --name /none")

	undo := s.cloud.Deny("ec2:StopInstances")
	s.fails("UnauthorizedOperation", "StopInstances", "You are not authorized to perform this operation.", "ec2 stop-instances --instance-ids i-00000000000000000")
	undo()

	// A throttled call is tried again, and once that was in vain the command line says so.
	s.cloud.Inject(localaws.Fault{Action: "DescribeKeyPairs", Before: &localaws.APIFault{Status: 503, Code: "RequestLimitExceeded", Message: "Request limit exceeded."}})
	s.env = append(s.env, "AWS_RETRY_MODE=standard", "AWS_MAX_ATTEMPTS=2")
	before := s.now()
	s.fails("RequestLimitExceeded", "DescribeKeyPairs", "(reached max retries: 1): Request limit exceeded.", "ec2 describe-key-pairs")
	if n := s.calls(before, "DescribeKeyPairs"); n != 2 {
		s.t.Errorf("a throttled command made %d calls", n)
	}
}
