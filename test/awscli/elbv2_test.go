//go:build awscli

package awscli

// balancer makes an Application Load Balancer in two zones and returns its ARN.
func (s *shell) balancer(name string) string {
	s.t.Helper()
	return s.text("elbv2 create-load-balancer --name %s --subnets %s %s --query LoadBalancers[].LoadBalancerArn", name, s.site.Subnets[0], s.site.Subnets[1])
}

// group makes a target group that is checked every 5 s, and returns its ARN.
func (s *shell) group(name string) string {
	s.t.Helper()
	return s.text("elbv2 create-target-group --name %s --protocol HTTP --port 8080 --vpc-id %s --health-check-interval-seconds 5 "+
		"--health-check-timeout-seconds 4 --healthy-threshold-count 2 --unhealthy-threshold-count 2 --query TargetGroups[].TargetGroupArn", name, s.site.VPC)
}

func loadBalancers(s *shell) {
	arn := s.balancer("web")
	s.want("", "elbv2 wait load-balancer-exists --names web")
	s.want("", "elbv2 wait load-balancer-available --load-balancer-arns %s", arn)
	s.want("web application active", "elbv2 describe-load-balancers --names web --query LoadBalancers[].[LoadBalancerName,Type,State.Code]")
	s.text("elbv2 set-subnets --load-balancer-arn %s --subnets %s %s", arn, s.site.Subnets[1], s.site.Subnets[2])
	s.want("us-east-1b us-east-1c", "elbv2 describe-load-balancers --query sort(LoadBalancers[].AvailabilityZones[].ZoneName)")

	s.text("elbv2 modify-load-balancer-attributes --load-balancer-arn %s --attributes Key=idle_timeout.timeout_seconds,Value=90", arn)
	s.want("90", "elbv2 describe-load-balancer-attributes --load-balancer-arn %s --query Attributes[?Key==`idle_timeout.timeout_seconds`].Value", arn)
	s.want("", "elbv2 add-tags --resource-arns %s --tags Key=app,Value=shop Key=slot,Value=1", arn)
	s.want("app slot", "elbv2 describe-tags --resource-arns %s --query sort(TagDescriptions[].Tags[].Key)", arn)
	s.want("", "elbv2 remove-tags --resource-arns %s --tag-keys slot", arn)
	s.want("app", "elbv2 describe-tags --resource-arns %s --query sort(TagDescriptions[].Tags[].Key)", arn)
	s.want("1000", "elbv2 describe-account-limits --query Limits[?Name==`targets-per-target-group`].Max")

	s.want("", "elbv2 delete-load-balancer --load-balancer-arn %s", arn)
	s.want("", "elbv2 wait load-balancers-deleted --load-balancer-arns %s", arn)
	s.want("", "elbv2 describe-load-balancers --query LoadBalancers[].LoadBalancerName")
}

func targetGroups(s *shell) {
	balancer, group := s.balancer("web"), s.group("web")
	s.text("elbv2 create-listener --load-balancer-arn %s --protocol HTTP --port 80 --default-actions Type=forward,TargetGroupArn=%s", balancer, group)
	s.want("web 5", "elbv2 describe-target-groups --load-balancer-arn %s --query TargetGroups[].[TargetGroupName,HealthCheckIntervalSeconds]", balancer)
	s.want("/healthz", "elbv2 modify-target-group --target-group-arn %s --health-check-path /healthz --query TargetGroups[].HealthCheckPath", group)
	s.want("/healthz", "elbv2 describe-target-groups --names web --query TargetGroups[].HealthCheckPath")
	s.text("elbv2 modify-target-group-attributes --target-group-arn %s --attributes Key=deregistration_delay.timeout_seconds,Value=20", group)
	s.want("20", "elbv2 describe-target-group-attributes --target-group-arn %s --query Attributes[?Key==`deregistration_delay.timeout_seconds`].Value", group)

	id := s.launch("1", "")
	s.want("", "ec2 wait instance-running --instance-ids %s", id)
	s.want("", "elbv2 register-targets --target-group-arn %s --targets Id=%s", group, id)
	s.want("", "elbv2 wait target-in-service --target-group-arn %s --targets Id=%s", group, id)
	s.want(id+" 8080 healthy", "elbv2 describe-target-health --target-group-arn %s --query TargetHealthDescriptions[].[Target.Id,Target.Port,TargetHealth.State]", group)
	s.want("", "elbv2 deregister-targets --target-group-arn %s --targets Id=%s", group, id)
	s.want("", "elbv2 wait target-deregistered --target-group-arn %s --targets Id=%s", group, id)
	s.want("", "elbv2 describe-target-health --target-group-arn %s --query TargetHealthDescriptions[].Target.Id", group)

	s.fails("ResourceInUse", "DeleteTargetGroup", "Target group '"+group+"' is currently in use by a listener or a rule",
		"elbv2 delete-target-group --target-group-arn %s", group)
	s.want("", "elbv2 delete-load-balancer --load-balancer-arn %s", balancer)
	s.want("", "elbv2 delete-target-group --target-group-arn %s", group)
	s.want("", "elbv2 describe-target-groups --query TargetGroups[].TargetGroupName")
}

func rules(s *shell) {
	balancer, blue, green := s.balancer("web"), s.group("blue"), s.group("green")
	listener := s.text("elbv2 create-listener --load-balancer-arn %s --protocol HTTP --port 80 --default-actions Type=forward,TargetGroupArn=%s "+
		"--query Listeners[].ListenerArn", balancer, blue)
	s.text("elbv2 modify-listener --listener-arn %s --default-actions Type=forward,TargetGroupArn=%s", listener, green)
	s.want("80 "+green, "elbv2 describe-listeners --load-balancer-arn %s --query Listeners[].[Port,DefaultActions[0].TargetGroupArn]", balancer)

	rule := s.text("elbv2 create-rule --listener-arn %s --priority 10 --conditions Field=path-pattern,Values=/shop/* "+
		"--actions Type=forward,TargetGroupArn=%s --query Rules[].RuleArn", listener, blue)
	s.text(`elbv2 modify-rule --rule-arn %s --actions [{"Type":"forward","ForwardConfig":{"TargetGroups":[`+
		`{"TargetGroupArn":"%s","Weight":1},{"TargetGroupArn":"%s","Weight":3}]}}]`, rule, blue, green)
	s.want("1 3", "elbv2 describe-rules --rule-arns %s --query Rules[].Actions[].ForwardConfig.TargetGroups[].Weight", rule)
	s.want("7", "elbv2 set-rule-priorities --rule-priorities RuleArn=%s,Priority=7 --query Rules[].Priority", rule)
	s.want("7 default", "elbv2 describe-rules --listener-arn %s --query Rules[].Priority", listener)
	s.want("", "elbv2 delete-rule --rule-arn %s", rule)
	s.want("default", "elbv2 describe-rules --listener-arn %s --query Rules[].Priority", listener)
	s.want("", "elbv2 delete-listener --listener-arn %s", listener)
	s.want("", "elbv2 describe-listeners --load-balancer-arn %s --query Listeners[].ListenerArn", balancer)
}
