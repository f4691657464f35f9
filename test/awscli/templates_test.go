//go:build awscli

package awscli

import "strings"

func templates(s *shell) {
	s.want("web 1 1", "ec2 create-launch-template --launch-template-name web --query LaunchTemplate.[LaunchTemplateName,DefaultVersionNumber,LatestVersionNumber] "+
		`--launch-template-data {"ImageId":"%s","InstanceType":"t3.micro"}`, s.site.V1)
	s.want("2", "ec2 create-launch-template-version --launch-template-name web --source-version 1 --query LaunchTemplateVersion.VersionNumber "+
		`--launch-template-data {"ImageId":"%s"}`, s.site.V2)
	s.want("1 2", "ec2 describe-launch-template-versions --launch-template-name web --query sort(LaunchTemplateVersions[].VersionNumber)")
	s.text("ec2 modify-launch-template --launch-template-name web --default-version 2")
	s.want("web 2", "ec2 describe-launch-templates --query LaunchTemplates[].[LaunchTemplateName,DefaultVersionNumber]")
	s.want("t3.micro "+s.site.V2, "ec2 run-instances --launch-template LaunchTemplateName=web --subnet-id %s --query Instances[].[InstanceType,ImageId]", s.site.Subnets[0])
	s.want("1", "ec2 delete-launch-template-versions --launch-template-name web --versions 1 --query SuccessfullyDeletedLaunchTemplateVersions[].VersionNumber")
	s.want("2", "ec2 describe-launch-template-versions --launch-template-name web --query LaunchTemplateVersions[].VersionNumber")
	s.text("ec2 delete-launch-template --launch-template-name web")
	s.want("", "ec2 describe-launch-templates --query LaunchTemplates[].LaunchTemplateName")
	s.want("us-east-1a us-east-1b us-east-1c", "ec2 describe-instance-type-offerings --location-type availability-zone "+
		"--filters Name=instance-type,Values=t3.micro --query sort(InstanceTypeOfferings[].Location)")
}

func fleets(s *shell) {
	s.text(`ec2 create-launch-template --launch-template-name web --launch-template-data {"ImageId":"%s","InstanceType":"t3.micro"}`, s.site.V1)
	made := strings.Fields(s.text("ec2 create-fleet --type instant --query [FleetId,Instances[0].InstanceIds[0]] "+
		`--target-capacity-specification TotalTargetCapacity=1,DefaultTargetCapacityType=on-demand --launch-template-configs `+
		`[{"LaunchTemplateSpecification":{"LaunchTemplateName":"web","Version":"$Latest"},"Overrides":[{"SubnetId":"%s"}]}]`, s.site.Subnets[1]))
	if len(made) != 2 {
		s.t.Fatalf("the fleet is %v", made)
	}
	s.want("", "ec2 wait instance-running --instance-ids %s", made[1])
	s.want(made[0], "ec2 delete-fleets --fleet-ids %s --terminate-instances --query SuccessfulFleetDeletions[].FleetId", made[0])
	s.want("", "ec2 wait instance-terminated --instance-ids %s", made[1])
}
