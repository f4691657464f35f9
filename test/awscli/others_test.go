//go:build awscli

package awscli

import (
	"strings"

	"slipway.dev/slipway/internal/localaws"
)

func parameters(s *shell) {
	s.want("1", "ssm put-parameter --name /web/image --value ami-1 --type String --query Version")
	s.want("2", "ssm put-parameter --name /web/image --value ami-2 --type String --overwrite --query Version")
	s.fails("ParameterAlreadyExists", "PutParameter", "The parameter already exists.", "ssm put-parameter --name /web/image --value ami-3 --type String")
	s.want("ami-2 2", "ssm get-parameter --name /web/image --query Parameter.[Value,Version]")
	s.want("1", "ssm label-parameter-version --name /web/image --parameter-version 1 --labels stable --query ParameterVersion")
	s.want("ami-1 :stable", "ssm get-parameter --name /web/image:stable --query Parameter.[Value,Selector]")
	s.want("", "ssm delete-parameter --name /web/image")
	s.fails("ParameterNotFound", "GetParameter", "Parameter /web/image not found.", "ssm get-parameter --name /web/image")
}

func identity(s *shell) {
	s.want(account, "sts get-caller-identity --query Account")
	role := "arn:aws:iam::" + account + ":role/deployer"
	s.cloud.SeedRole(localaws.Role{ARN: role, ExternalID: "secret-id"})
	s.fails("AccessDenied", "AssumeRole", "User: arn:aws:iam::"+account+":root is not authorized to perform: sts:AssumeRole on resource: "+role,
		"sts assume-role --role-arn %s --role-session-name me", role)
	keys := strings.Fields(s.text("sts assume-role --role-arn %s --role-session-name me --external-id secret-id "+
		"--query Credentials.[AccessKeyId,SecretAccessKey,SessionToken]", role))
	s.env = append(s.env, "AWS_ACCESS_KEY_ID="+keys[0], "AWS_SECRET_ACCESS_KEY="+keys[1], "AWS_SESSION_TOKEN="+keys[2])
	s.want("arn:aws:sts::"+account+":assumed-role/deployer/me", "sts get-caller-identity --query Arn")
}
