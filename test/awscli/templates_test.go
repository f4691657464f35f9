//go:build awscli

package awscli

import "strings"

func templates(s *shell) {
	id := s.text("ec2 create-launch-template --launch-template-name web --query LaunchTemplate.LaunchTemplateId "+
		`--launch-template-data {"ImageId":"%s","InstanceType":"t3.micro","TagSpecifications":[{"ResourceType":"instance","Tags":[{"Key":"app","Value":"web"}]}]}`,
		s.site.V1)
	s.want("2 t3.micro", "ec2 create-launch-template-version --launch-template-id %s --source-version 1 --version-description next "+
		`--launch-template-data {"ImageId":"%s"} --query LaunchTemplateVersion.[VersionNumber,LaunchTemplateData.InstanceType]`, id, s.site.V2)
	s.want("2 1", "ec2 describe-launch-templates --launch-template-names web --query LaunchTemplates[].[LatestVersionNumber,DefaultVersionNumber]")
	s.want("2 1", "ec2 describe-launch-template-versions --launch-template-id %s --query LaunchTemplateVersions[].VersionNumber", id)
	const launch = "ec2 run-instances --launch-template LaunchTemplateName=web,Version=%s --subnet-id %s --query Instances[].[ImageId,Tags[?Key==`app`]|[0].Value]"
	s.want(s.site.V1+" web", launch, "$Default", s.site.Subnets[0])
	s.want(s.site.V2+" web", launch, "$Latest", s.site.Subnets[0])
	s.want("2", "ec2 modify-launch-template --launch-template-id %s --default-version 2 --query LaunchTemplate.DefaultVersionNumber", id)
	s.want("2", "ec2 describe-launch-template-versions --launch-template-id %s --versions $Default --query LaunchTemplateVersions[].VersionNumber", id)
	s.want("1", "ec2 delete-launch-template-versions --launch-template-id %s --versions 1 --query SuccessfullyDeletedLaunchTemplateVersions[].VersionNumber", id)
	s.want("2 True", "ec2 describe-launch-template-versions --launch-template-id %s --query LaunchTemplateVersions[].[VersionNumber,DefaultVersion]", id)
	s.want("2 2", "ec2 describe-launch-templates --launch-template-names web --query LaunchTemplates[].[LatestVersionNumber,DefaultVersionNumber]")
	s.want("web", "ec2 delete-launch-template --launch-template-id %s --query LaunchTemplate.LaunchTemplateName", id)
	s.fails("InvalidLaunchTemplateName.NotFoundException", "DescribeLaunchTemplates", "The specified launch template, with template name web, does not exist.",
		"ec2 describe-launch-templates --launch-template-names web")
}

func fleets(s *shell) {
	s.want("us-east-1a us-east-1b us-east-1c", "ec2 describe-instance-type-offerings --location-type availability-zone "+
		"--filters Name=instance-type,Values=t3.micro --query InstanceTypeOfferings[].Location")
	s.text(`ec2 create-launch-template --launch-template-name web --launch-template-data {"ImageId":"%s","InstanceType":"t3.micro"}`, s.site.V1)
	fleet := s.text("ec2 create-fleet --type instant --target-capacity-specification TotalTargetCapacity=2,DefaultTargetCapacityType=on-demand "+
		`--launch-template-configs [{"LaunchTemplateSpecification":{"LaunchTemplateName":"web","Version":"$Latest"},"Overrides":[{"SubnetId":"%s"}]}] `+
		"--query FleetId", s.site.Subnets[1])
	ids := s.text("ec2 describe-instances --filters Name=tag:aws:ec2:fleet-id,Values=%s --query Reservations[].Instances[].InstanceId", fleet)
	if n := len(strings.Fields(ids)); n != 2 {
		s.t.Fatalf("the fleet has %d instances", n)
	}
	s.want("deleted_terminating", "ec2 delete-fleets --fleet-ids %s --terminate-instances --query SuccessfulFleetDeletions[].CurrentFleetState", fleet)
	s.want("", "ec2 wait instance-terminated --instance-ids %s", ids)
	s.want("terminated terminated", "ec2 describe-instances --instance-ids %s --query Reservations[].Instances[].State.Name", ids)
}
