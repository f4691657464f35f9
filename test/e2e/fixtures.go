package e2e

import (
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/config/iam"
	"slipway.dev/slipway/internal/cloud"
)

// personKey is the access key of the person who sets up and breaks things. The laws are about the controller's calls only.
const personKey = "AKIAPERSON"

const (
	microType = "t3.micro" // the first instance type of NewRelease
	smallType = "t3.small" // the second
	scriptKey = "script"   // where the Secret of a scenario holds its user data

	edgePool, apiPool, testPool = "edge", "api", "test" // as NewWorld makes them

	imageParameter = "/images/web"
	hotServer      = "hot-app-server" // the role tag of servers that somebody made by hand
	roleKey        = "role"
	running        = "running"
	healthy        = "healthy" // the state of a member of a pool
	stableRole     = "stable"  // the role tag of the fleet to fall back to
)

// The calls that change something.
const (
	runInstances, createTags, terminateInstances = "RunInstances", "CreateTags", "TerminateInstances"
	registerClassic, deregisterClassic           = "RegisterInstancesWithLoadBalancer", "DeregisterInstancesFromLoadBalancer"
	registerTargets, deregisterTargets           = "RegisterTargets", "DeregisterTargets"
)

// Person is a person with the aws command line.
type Person struct {
	EC2   *ec2.Client
	ELB   *elb.Client
	ELBv2 *elbv2.Client
	SQS   *sqs.Client
	SSM   *ssm.Client
}

// Person gives the hands of a person in this world's account.
func (w *World) Person() Person {
	cfg := aws.Config{
		Region:       w.AWS.Region(),
		Credentials:  credentials.NewStaticCredentialsProvider(personKey, "secret", ""),
		HTTPClient:   &http.Client{Transport: w.AWS.Transport()},
		BaseEndpoint: aws.String("http://aws.local"),
	}
	return Person{EC2: ec2.NewFromConfig(cfg), ELB: elb.NewFromConfig(cfg), ELBv2: elbv2.NewFromConfig(cfg),
		SQS: sqs.NewFromConfig(cfg), SSM: ssm.NewFromConfig(cfg)}
}

// furnish makes the pools that NewRelease names.
func (w *World) furnish() {
	w.Helper()
	w.MakeClassic("test", true)
	w.MakeClassic("edge", true)
	w.MakeTargetGroup("api")
	w.MakeListener("api", "api")
}

// clusterName is the value of the tag slipway.dev/cluster.
const clusterName = "e2e"

// eventsQueue is the queue that a class may name.
const eventsQueue = "slipway-events"

// employ lets a manager's credentials do what the policy of config/iam allows, and nothing else: the pools have their tags, and servers
// may have any role.
func (w *World) employ(principal string) {
	w.Helper()
	document, err := iam.Policy(iam.Installation{
		Account: w.account, Region: w.AWS.Region(), Cluster: clusterName, ServerRoles: []string{"*"}, Parameters: []string{"/images/*"},
		EventsQueue: eventsQueue,
	})
	w.must("make the policy", err)
	w.detach, err = w.AWS.AttachPolicy(principal, string(document))
	w.must("attach the policy to "+principal, err)
}

// must fails the scenario on an error of the person's own calls.
func (w *World) must(what string, err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("%s: %v", what, err)
	}
}

// MakeClassic makes a classic load balancer that checks /healthz every 5 s and drains as the temper says.
func (w *World) MakeClassic(name string, crossZone bool) {
	w.Helper()
	p, ctx := w.Person(), w.Context()
	_, err := p.ELB.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{
		LoadBalancerName: &name, Subnets: w.Site.Subnets, SecurityGroups: []string{w.Site.SecurityGroup},
		Listeners: []elbtypes.Listener{{
			Protocol: aws.String("HTTP"), LoadBalancerPort: 80, InstanceProtocol: aws.String("HTTP"), InstancePort: aws.Int32(80),
		}},
		Tags: []elbtypes.Tag{{Key: aws.String(cloud.TagCluster), Value: aws.String(clusterName)}},
	})
	w.must("make load balancer "+name, err)
	_, err = p.ELB.ConfigureHealthCheck(ctx, &elb.ConfigureHealthCheckInput{LoadBalancerName: &name, HealthCheck: &elbtypes.HealthCheck{
		Target: aws.String("HTTP:80/healthz"), Interval: aws.Int32(5), Timeout: aws.Int32(2),
		HealthyThreshold: aws.Int32(2), UnhealthyThreshold: aws.Int32(2),
	}})
	w.must("configure health check of "+name, err)
	_, err = p.ELB.ModifyLoadBalancerAttributes(ctx, &elb.ModifyLoadBalancerAttributesInput{
		LoadBalancerName: &name,
		LoadBalancerAttributes: &elbtypes.LoadBalancerAttributes{
			ConnectionDraining:     &elbtypes.ConnectionDraining{Enabled: true, Timeout: aws.Int32(w.temper.drains())},
			CrossZoneLoadBalancing: &elbtypes.CrossZoneLoadBalancing{Enabled: crossZone},
		},
	})
	w.must("configure "+name, err)
}

// MakeTargetGroup makes a target group that nothing forwards to yet, and returns its ARN. Changes are to what is asked for: of HTTP.
func (w *World) MakeTargetGroup(name string, changes ...func(*elbv2.CreateTargetGroupInput)) string {
	w.Helper()
	p, ctx := w.Person(), w.Context()
	in := &elbv2.CreateTargetGroupInput{
		Name: &name, Protocol: elbv2types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: &w.Site.VPC, TargetType: elbv2types.TargetTypeEnumInstance,
		HealthCheckPath: aws.String("/healthz"), HealthCheckIntervalSeconds: aws.Int32(5), HealthCheckTimeoutSeconds: aws.Int32(2),
		HealthyThresholdCount: aws.Int32(2), UnhealthyThresholdCount: aws.Int32(2),
		Tags: []elbv2types.Tag{{Key: aws.String(cloud.TagCluster), Value: aws.String(clusterName)}},
	}
	for _, change := range changes {
		change(in)
	}
	made, err := p.ELBv2.CreateTargetGroup(ctx, in)
	w.must("make target group "+name, err)
	arn := *made.TargetGroups[0].TargetGroupArn
	_, err = p.ELBv2.ModifyTargetGroupAttributes(ctx, &elbv2.ModifyTargetGroupAttributesInput{
		TargetGroupArn: &arn,
		Attributes: []elbv2types.TargetGroupAttribute{{
			Key: aws.String("deregistration_delay.timeout_seconds"), Value: aws.String(fmt.Sprint(w.temper.drains())),
		}},
	})
	w.must("configure target group "+name, err)
	return arn
}

// MakeListener makes an application load balancer with one listener that forwards to the target group.
func (w *World) MakeListener(balancer, group string) {
	w.Helper()
	w.listen(balancer, group, elbv2types.LoadBalancerTypeEnumApplication, elbv2types.ProtocolEnumHttp)
}

// listen makes a load balancer of either kind, with one listener on port 80.
func (w *World) listen(balancer, group string, kind elbv2types.LoadBalancerTypeEnum, protocol elbv2types.ProtocolEnum) {
	w.Helper()
	p, ctx := w.Person(), w.Context()
	lb, err := p.ELBv2.CreateLoadBalancer(ctx, &elbv2.CreateLoadBalancerInput{
		Name: &balancer, Type: kind, Subnets: w.Site.Subnets, SecurityGroups: []string{w.Site.SecurityGroup},
	})
	w.must("make load balancer "+balancer, err)
	arn := w.GroupARN(group)
	_, err = p.ELBv2.CreateListener(ctx, &elbv2.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Port: aws.Int32(80), Protocol: protocol,
		DefaultActions: []elbv2types.Action{{Type: elbv2types.ActionTypeEnumForward, TargetGroupArn: &arn}},
	})
	w.must("make listener of "+balancer, err)
}

// GroupARN finds a target group.
func (w *World) GroupARN(name string) string {
	w.Helper()
	pool, ok := w.AWS.Pool(name)
	if !ok || pool.ARN == "" {
		w.Fatalf("there is no target group %s", name)
	}
	return pool.ARN
}

// Script is user data whose servers answer with the release's version; settings are those of the local AWS
// ("configure=30s status=500").
func Script(settings string) *v1alpha1.UserData {
	return &v1alpha1.UserData{Inline: "#!/bin/sh\n#localaws version=${SLIPWAY_VERSION} " + settings + "\n"}
}

// NewRelease gives a Release "web" in two zones, with one test and two production pools, version v1 and phase Preview. It
// is not created yet.
func (w *World) NewRelease(changes ...func(*v1alpha1.Release)) *v1alpha1.Release {
	rel := &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: w.Namespace},
		Spec: v1alpha1.ReleaseSpec{
			ClassName: w.Class, Phase: v1alpha1.PhasePreview, Version: "v1", Replicas: 2,
			Image: v1alpha1.ImageSource{ID: v1alpha1.ImageID(w.Site.V1)},
			Template: v1alpha1.ServerTemplate{
				InstanceTypes:    []v1alpha1.InstanceType{microType, smallType},
				SubnetIDs:        []v1alpha1.SubnetID{v1alpha1.SubnetID(w.Site.Subnets[0]), v1alpha1.SubnetID(w.Site.Subnets[1])},
				SecurityGroupIDs: []v1alpha1.SecurityGroupID{v1alpha1.SecurityGroupID(w.Site.SecurityGroup)},
				UserData:         Script(""),
			},
			LoadBalancers: v1alpha1.LoadBalancers{
				Test:       []v1alpha1.Pool{Classic("test", "test")},
				Production: []v1alpha1.Pool{Classic("edge", "edge"), Group("api", "api")},
			},
		},
	}
	for _, change := range changes {
		change(rel)
	}
	return rel
}

// Classic names a classic load balancer as a pool.
func Classic(name, balancer string) v1alpha1.Pool {
	return v1alpha1.Pool{Name: name, Classic: &v1alpha1.ClassicLoadBalancer{Name: balancer}}
}

// Group names a target group as a pool.
func Group(name, group string) v1alpha1.Pool {
	return v1alpha1.Pool{Name: name, TargetGroup: &v1alpha1.TargetGroup{Name: group}}
}

// Settled brings "web" to v1, Complete.
func (w *World) Settled(changes ...func(*v1alpha1.Release)) {
	w.Helper()
	w.Create(w.NewRelease(append(changes, func(rel *v1alpha1.Release) {
		rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseComplete, string(rel.Spec.Version)
	})...))
	w.Until("v1 is complete", func() bool { return w.Ready("web") && w.Serves("v1") })
}

// InPreview brings "web" to v1 complete and v2 ready in Preview.
func (w *World) InPreview(changes ...func(*v1alpha1.Release)) {
	w.Helper()
	w.Settled(changes...)
	w.Deploy("web", "v2", v1alpha1.PhasePreview)
	w.Until("v2 is ready in Preview", func() bool {
		return w.Is("web", v1alpha1.ConditionPreviewReady) && w.Ready("web")
	})
}

// Live brings "web" to v1 standing by and v2 Live.
func (w *World) Live(changes ...func(*v1alpha1.Release)) {
	w.Helper()
	w.InPreview(changes...)
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("v2 is Live", func() bool { return w.Ready("web") && w.Serves("v2") })
}

// PutImage writes an SSM parameter with an image id.
func (w *World) PutImage(name, image string) error {
	_, err := w.Person().SSM.PutParameter(w.Context(), &ssm.PutParameterInput{
		Name: &name, Value: &image, Type: ssmtypes.ParameterTypeString, DataType: aws.String("aws:ec2:image"), Overwrite: aws.Bool(true),
	})
	return err
}

// putParameter writes an SSM parameter that AWS does not look into.
func (w *World) putParameter(name, value string) error {
	_, err := w.Person().SSM.PutParameter(w.Context(), &ssm.PutParameterInput{
		Name: &name, Value: &value, Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(true),
	})
	return err
}

// Answer makes the application on all servers of a version answer with an HTTP status from now on.
func (w *World) Answer(version string, status int) {
	w.Helper()
	for _, s := range w.Servers(version) {
		w.must("change the application", w.AWS.SetAppStatus(s.ID, status))
	}
}
