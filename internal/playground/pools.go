package playground

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"slipway.dev/slipway/internal/localaws"
)

// The pools that config/samples names, and the load balancer that sends requests to the target group.
const (
	TestClassic       = "test-classic"
	ProductionClassic = "prod-classic"
	ProductionGroup   = "prod-tg"
	ProductionALB     = "prod-alb"
)

// The pools carry the tag that the IAM policy in config/iam asks for, though nobody's policy is enforced here.
const (
	clusterTag  = "slipway.dev/cluster"
	clusterName = "local"
)

// healthPath is what the load balancers ask for; the servers of the local AWS answer any path.
const healthPath = "/healthz"

// What all listeners and servers speak.
const (
	protocol = "HTTP"
	port     = "80"
)

// furnish makes the pools in the zones of config/samples.
func furnish(ctx context.Context, client *http.Client, endpoint, region string, site localaws.Site) error {
	subnets := site.Subnets[:2]
	classic := newCaller(client, endpoint, region, classicVersion)
	for _, name := range []string{TestClassic, ProductionClassic} {
		if err := makeClassic(ctx, classic, name, subnets, site.SecurityGroup); err != nil {
			return fmt.Errorf("making the classic load balancer %s: %w", name, err)
		}
	}
	second := newCaller(client, endpoint, region, secondVersion)
	group, err := makeGroup(ctx, second, site.VPC)
	if err != nil {
		return fmt.Errorf("making the target group %s: %w", ProductionGroup, err)
	}
	if err := makeALB(ctx, second, subnets, site.SecurityGroup, group); err != nil {
		return fmt.Errorf("making the application load balancer %s: %w", ProductionALB, err)
	}
	return nil
}

func makeClassic(ctx context.Context, elb caller, name string, subnets []string, securityGroup string) error {
	create := params{
		"LoadBalancerName":                    name,
		"Listeners.member.1.Protocol":         protocol,
		"Listeners.member.1.LoadBalancerPort": port,
		"Listeners.member.1.InstanceProtocol": protocol,
		"Listeners.member.1.InstancePort":     port,
		"SecurityGroups.member.1":             securityGroup,
		"Tags.member.1.Key":                   clusterTag,
		"Tags.member.1.Value":                 clusterName,
	}.list("Subnets", subnets)
	if err := elb.call(ctx, "CreateLoadBalancer", create, nil); err != nil {
		return err
	}
	check := params{
		"LoadBalancerName":               name,
		"HealthCheck.Target":             protocol + ":" + port + healthPath,
		"HealthCheck.Interval":           seconds(HealthInterval),
		"HealthCheck.Timeout":            seconds(HealthTimeout),
		"HealthCheck.HealthyThreshold":   strconv.Itoa(HealthyThreshold),
		"HealthCheck.UnhealthyThreshold": strconv.Itoa(UnhealthyThreshold),
	}
	if err := elb.call(ctx, "ConfigureHealthCheck", check, nil); err != nil {
		return err
	}
	return elb.call(ctx, "ModifyLoadBalancerAttributes", params{
		"LoadBalancerName": name,
		"LoadBalancerAttributes.ConnectionDraining.Enabled":     "true",
		"LoadBalancerAttributes.ConnectionDraining.Timeout":     seconds(Draining),
		"LoadBalancerAttributes.CrossZoneLoadBalancing.Enabled": "true",
	}, nil)
}

func makeGroup(ctx context.Context, elb caller, vpc string) (arn string, err error) {
	var made struct {
		ARN string `xml:"CreateTargetGroupResult>TargetGroups>member>TargetGroupArn"`
	}
	err = elb.call(ctx, "CreateTargetGroup", params{
		"Name": ProductionGroup, "Protocol": protocol, "Port": port, "VpcId": vpc, "TargetType": "instance",
		"HealthCheckPath":            healthPath,
		"HealthCheckIntervalSeconds": seconds(HealthInterval),
		"HealthCheckTimeoutSeconds":  seconds(HealthTimeout),
		"HealthyThresholdCount":      strconv.Itoa(HealthyThreshold),
		"UnhealthyThresholdCount":    strconv.Itoa(UnhealthyThreshold),
		"Tags.member.1.Key":          clusterTag,
		"Tags.member.1.Value":        clusterName,
	}, &made)
	if err != nil {
		return "", err
	}
	return made.ARN, elb.call(ctx, "ModifyTargetGroupAttributes", params{
		"TargetGroupArn":            made.ARN,
		"Attributes.member.1.Key":   "deregistration_delay.timeout_seconds",
		"Attributes.member.1.Value": seconds(Draining),
	}, nil)
}

func makeALB(ctx context.Context, elb caller, subnets []string, securityGroup, group string) error {
	var made struct {
		ARN string `xml:"CreateLoadBalancerResult>LoadBalancers>member>LoadBalancerArn"`
	}
	create := params{"Name": ProductionALB, "SecurityGroups.member.1": securityGroup}.list("Subnets", subnets)
	if err := elb.call(ctx, "CreateLoadBalancer", create, &made); err != nil {
		return err
	}
	return elb.call(ctx, "CreateListener", params{
		"LoadBalancerArn": made.ARN, "Protocol": protocol, "Port": port,
		"DefaultActions.member.1.Type":           "forward",
		"DefaultActions.member.1.TargetGroupArn": group,
	}, nil)
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }
