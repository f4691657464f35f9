//go:build awscli

package awscli

// classicListener is a listener as commands write it.
const classicListener = "Protocol=HTTP,LoadBalancerPort=80,InstanceProtocol=HTTP,InstancePort=8080"

func classic(s *shell) {
	dns := s.text("elb create-load-balancer --load-balancer-name web --listeners %s --subnets %s --security-groups %s --tags Key=app,Value=shop",
		classicListener, s.site.Subnets[0], s.site.SecurityGroup)
	s.want(dns+" HTTP", "elb describe-load-balancers --load-balancer-names web --query LoadBalancerDescriptions[].[DNSName,ListenerDescriptions[0].Listener.Protocol]")
	s.want("HTTP:8080/healthz 2", "elb configure-health-check --load-balancer-name web --query HealthCheck.[Target,HealthyThreshold] "+
		"--health-check Target=HTTP:8080/healthz,Interval=5,Timeout=4,HealthyThreshold=2,UnhealthyThreshold=2")
	s.want("HTTP:8080/healthz", "elb describe-load-balancers --query LoadBalancerDescriptions[].HealthCheck.Target")

	s.text("elb create-load-balancer-listeners --load-balancer-name web --listeners Protocol=TCP,LoadBalancerPort=81,InstancePort=8080")
	s.want("80 81", "elb describe-load-balancers --query LoadBalancerDescriptions[].ListenerDescriptions[].Listener.LoadBalancerPort")
	s.want("", "elb delete-load-balancer-listeners --load-balancer-name web --load-balancer-ports 81")
	s.want("80", "elb describe-load-balancers --query LoadBalancerDescriptions[].ListenerDescriptions[].Listener.LoadBalancerPort")

	s.want("20", "elb modify-load-balancer-attributes --load-balancer-name web --query LoadBalancerAttributes.ConnectionDraining.Timeout "+
		`--load-balancer-attributes {"ConnectionDraining":{"Enabled":true,"Timeout":20}}`)
	s.want("True 20", "elb describe-load-balancer-attributes --load-balancer-name web --query LoadBalancerAttributes.ConnectionDraining.[Enabled,Timeout]")

	s.want("", "elb add-tags --load-balancer-names web --tags Key=slot,Value=1")
	s.want("app slot", "elb describe-tags --load-balancer-names web --query sort(TagDescriptions[].Tags[].Key)")
	s.want("", "elb remove-tags --load-balancer-names web --tags slot")
	s.want("app", "elb describe-tags --load-balancer-names web --query sort(TagDescriptions[].Tags[].Key)")
	s.want("100 20 1000", "elb describe-account-limits --query Limits[].Max")

	id := s.launch("1", "")
	s.want("", "ec2 wait instance-running --instance-ids %s", id)
	s.want(id, "elb register-instances-with-load-balancer --load-balancer-name web --instances %s --query Instances[].InstanceId", id)
	s.want("", "elb wait any-instance-in-service --load-balancer-name web")
	s.want("", "elb wait instance-in-service --load-balancer-name web --instances %s", id)
	s.want(id+" InService N/A", "elb describe-instance-health --load-balancer-name web --query InstanceStates[].[InstanceId,State,ReasonCode]")
	s.want("", "elb deregister-instances-from-load-balancer --load-balancer-name web --instances %s --query Instances[].InstanceId", id)
	s.want("", "elb wait instance-deregistered --load-balancer-name web --instances %s", id)
	s.want("", "elb describe-instance-health --load-balancer-name web --query InstanceStates[].InstanceId")

	s.want("", "elb delete-load-balancer --load-balancer-name web")
	s.want("", "elb describe-load-balancers --query LoadBalancerDescriptions[].LoadBalancerName")
}

func classicZones(s *shell) {
	const zones = "elb describe-load-balancers --query sort(LoadBalancerDescriptions[].AvailabilityZones[])"
	s.text("elb create-load-balancer --load-balancer-name web --listeners %s --subnets %s", classicListener, s.site.Subnets[0])
	s.text("elb attach-load-balancer-to-subnets --load-balancer-name web --subnets %s", s.site.Subnets[1])
	s.want("us-east-1a us-east-1b", zones)
	s.text("elb detach-load-balancer-from-subnets --load-balancer-name web --subnets %s", s.site.Subnets[0])
	s.want("us-east-1b", zones)
	s.want("", "elb delete-load-balancer --load-balancer-name web")

	s.text("elb create-load-balancer --load-balancer-name old --listeners %s --availability-zones us-east-1a", classicListener)
	s.text("elb enable-availability-zones-for-load-balancer --load-balancer-name old --availability-zones us-east-1c")
	s.want("us-east-1a us-east-1c", zones)
	s.text("elb disable-availability-zones-for-load-balancer --load-balancer-name old --availability-zones us-east-1a")
	s.want("us-east-1c", zones)
	s.fails("InvalidConfigurationRequest", "DisableAvailabilityZonesForLoadBalancer", "",
		"elb disable-availability-zones-for-load-balancer --load-balancer-name old --availability-zones us-east-1c")
}
