package localaws

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/google/go-cmp/cmp"
)

const (
	classicVersion = "2012-06-01"
	v2Version      = "2015-12-01"
)

// elbXML is an answer of either version of Elastic Load Balancing.
func elbXML(action, version, result string) string {
	return xmlHead + "<" + action + `Response xmlns="http://elasticloadbalancing.amazonaws.com/doc/` + version + `/"><` + action + "Result>" + result +
		"</" + action + "Result><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></" + action + "Response>"
}

func elbErrorXML(version, code, message string) string {
	return xmlHead + `<ErrorResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/` + version + `/"><Error><Type>Sender</Type><Code>` + code +
		"</Code><Message>" + message + "</Message></Error><RequestId>ID</RequestId></ErrorResponse>"
}

// body sends a request without an SDK, and wants that status.
func (s *sim) body(status int, pairs ...string) string {
	s.t.Helper()
	got, _, body := send(s.t.(*testing.T), s.Cloud, form(pairs...))
	if got != status {
		s.t.Errorf("%v answers %d, want %d: %s", pairs, got, status, body)
	}
	return body
}

// A launch as EC2 writes it: flat lists in the request; item elements, lowerCamel names, and times with milliseconds in the answer.
func TestTheBodyOfALaunch(t *testing.T) {
	s := newSim(t)
	got := s.body(200, "Action", "RunInstances", "Version", ec2Version, "ImageId", s.site.V1, "InstanceType", "t3.micro", "MinCount", "1", "MaxCount", "1",
		"SubnetId", s.site.Subnets[0], "SecurityGroupId.1", s.site.SecurityGroup, "ClientToken", "t", "MetadataOptions.HttpTokens", "optional",
		"TagSpecification.1.ResourceType", "instance", "TagSpecification.1.Tag.1.Key", "k", "TagSpecification.1.Tag.1.Value", "v")
	for _, want := range []string{
		`^<\?xml version="1.0" encoding="UTF-8"\?>\n<RunInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>ID</requestId>` +
			`<reservationId>r-[0-9a-f]{17}</reservationId><ownerId>123456789012</ownerId><groupSet></groupSet><instancesSet><item><instanceId>i-[0-9a-f]{17}</instanceId>`,
		`<imageId>` + s.site.V1 + `</imageId><instanceState><code>0</code><name>pending</name></instanceState>`,
		`<launchTime>2026-11-22T09:00:00\.000Z</launchTime><placement><availabilityZone>us-east-1a</availabilityZone>`,
		`<stateReason><code>pending</code><message>pending</message></stateReason>`,
		`<groupSet><item><groupId>` + s.site.SecurityGroup + `</groupId><groupName>web</groupName></item></groupSet>`,
		`<clientToken>t</clientToken><tagSet><item><key>k</key><value>v</value></item></tagSet>`,
		`<metadataOptions><state>[a-z]+</state><httpTokens>optional</httpTokens>`,
		`</item></instancesSet></RunInstancesResponse>$`,
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	want := ec2ErrorXML("InvalidInstanceID.NotFound", "The instance ID &#39;i-1a2b3c4d&#39; does not exist")
	if diff := cmp.Diff(want, s.body(400, "Action", "DescribeInstances", "Version", ec2Version, "InstanceId.1", "i-1a2b3c4d")); diff != "" {
		t.Errorf("an unknown id (-want +got):\n%s", diff)
	}
}

// An instance's protection by its own structure, and the answer of a call that has nothing to say.
func TestTheBodyOfAnAttribute(t *testing.T) {
	s := newSim(t)
	id := s.launch(1)[0]
	want := xmlHead + `<ModifyInstanceAttributeResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>ID</requestId><return>true</return>` +
		`</ModifyInstanceAttributeResponse>`
	if got := s.body(200, "Action", "ModifyInstanceAttribute", "Version", ec2Version, "InstanceId", id, "DisableApiTermination.Value", "true"); got != want {
		t.Errorf("%s", got)
	}
	out := must(s.ec2.DescribeInstanceAttribute(s.ctx, &ec2.DescribeInstanceAttributeInput{InstanceId: &id, Attribute: "disableApiTermination"}))
	if !*out.DisableApiTermination.Value {
		t.Error("it is not protected")
	}
}

// The version of a request tells the two load balancing APIs apart, on one URL.
func TestBodiesOfBothLoadBalancingAPIs(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	group := s.behind("web", alb)
	id := s.servers(1, "", 0)[0]
	s.register("web", id)
	state := `<InstanceStates><member><InstanceId>` + id + `</InstanceId><State>OutOfService</State><ReasonCode>ELB</ReasonCode>` +
		`<Description>Instance registration is still in progress.</Description></member></InstanceStates>`
	health := `<TargetHealthDescriptions><member><Target><Id>` + id + `</Id><Port>80</Port></Target><HealthCheckPort>80</HealthCheckPort><TargetHealth>` +
		`<State>initial</State><Reason>Elb.RegistrationInProgress</Reason><Description>Target registration is in progress</Description></TargetHealth>` +
		`</member></TargetHealthDescriptions>`
	for _, tc := range []struct {
		name   string
		status int
		want   string
		pairs  []string
	}{
		{"instance health", 200, elbXML("DescribeInstanceHealth", classicVersion, state),
			[]string{"Action", "DescribeInstanceHealth", "Version", classicVersion, "LoadBalancerName", "web", "Instances.member.1.InstanceId", id}},
		{"an empty list is no list", 200, elbXML("DescribeInstanceHealth", classicVersion, state),
			[]string{"Action", "DescribeInstanceHealth", "Version", classicVersion, "LoadBalancerName", "web", "Instances", ""}},
		{"an unknown instance", 400, elbErrorXML(classicVersion, "InvalidInstance", "Could not find EC2 instance i-00000000."),
			[]string{"Action", "RegisterInstancesWithLoadBalancer", "Version", classicVersion, "LoadBalancerName", "web",
				"Instances.member.1.InstanceId", "i-00000000"}},
		{"an answer without output", 200, elbXML("RegisterTargets", v2Version, ""),
			[]string{"Action", "RegisterTargets", "Version", v2Version, "TargetGroupArn", group, "Targets.member.1.Id", id}},
		{"target health", 200, elbXML("DescribeTargetHealth", v2Version, health),
			[]string{"Action", "DescribeTargetHealth", "Version", v2Version, "TargetGroupArn", group, "Targets.member.1.Id", id}},
	} {
		if diff := cmp.Diff(tc.want, s.body(tc.status, tc.pairs...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
	s.Tune(func(k *Knobs) { k.Throttle = true })
	var bodies []string
	for range 41 {
		_, _, body := send(t, s.Cloud, form("Action", "DescribeTargetHealth", "Version", v2Version, "TargetGroupArn", group))
		bodies = append(bodies, body)
	}
	if i := slices.Index(bodies, elbErrorXML(v2Version, "Throttling", "Rate exceeded")); i != 40 {
		t.Errorf("call %d was the first to be throttled; the last answer is %s", i, bodies[40])
	}
}

func TestNamesOfLoadBalancingResources(t *testing.T) {
	s := newBalancerSim(t)
	group := s.group("web", "HTTP")
	listener := s.listener(s.balancer("web", alb), 80, group)
	rule := must(s.rule(listener, 1, path("/x"), forward(group)))
	flows := s.balancer("flows", nlb)
	prefix := "^arn:aws:elasticloadbalancing:us-east-1:123456789012:"
	hex := "[0-9a-f]{16}"
	for arn, want := range map[string]string{group: "targetgroup/web/" + hex, flows: "loadbalancer/net/flows/" + hex, listener: "listener/app/web/" + hex + "/" + hex,
		*rule.RuleArn: "listener-rule/app/web/" + hex + "/" + hex + "/" + hex} {
		if !regexp.MustCompile(prefix + want + "$").MatchString(arn) {
			t.Errorf("%s does not match %s", arn, want)
		}
	}
	if got := *s.balancerNamed("flows").LoadBalancerArn; got != flows {
		t.Errorf("the load balancer reads as %s, not %s", got, flows)
	}
	shown := must(s.v2.DescribeListeners(s.ctx, &elbv2.DescribeListenersInput{ListenerArns: []string{listener}})).Listeners[0]
	if want := strings.Replace(*shown.LoadBalancerArn, ":loadbalancer/", ":listener/", 1); !strings.HasPrefix(listener, want) {
		t.Errorf("%s does not begin with %s", listener, want)
	}
	if got := aws.ToString(shown.DefaultActions[0].TargetGroupArn); got != group {
		t.Errorf("an action with one group names it as %q", got)
	}
}

// Both calls answer with all that is registered afterwards, and not with what is leaving.
func TestClassicRegistrationsAnswerWithWhoIsRegistered(t *testing.T) {
	s := newBalancerSim(t)
	s.classic("web")
	s.drain("web", 300)
	ids := s.servers(2, "", 0)
	slices.Sort(ids)
	named := func(list []elbtypes.Instance) (out []string) {
		for _, in := range list {
			out = append(out, *in.InstanceId)
		}
		return out
	}
	s.register("web", ids[0])
	in := must(s.elb.RegisterInstancesWithLoadBalancer(s.ctx, &elb.RegisterInstancesWithLoadBalancerInput{LoadBalancerName: aws.String("web"), Instances: instances(ids[1:])}))
	if got := named(in.Instances); !slices.Equal(got, ids) {
		t.Errorf("after the second registration: %v", got)
	}
	s.until("in service", 20*time.Second, func() bool { return s.pool("web").Healthy == 2 })
	out := must(s.elb.DeregisterInstancesFromLoadBalancer(s.ctx, &elb.DeregisterInstancesFromLoadBalancerInput{LoadBalancerName: aws.String("web"), Instances: instances(ids[:1])}))
	if got := named(out.Instances); !slices.Equal(got, ids[1:]) || !s.member("web", ids[0]).Draining {
		t.Errorf("after the deregistration: %v", got)
	}
}
