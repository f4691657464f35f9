package localaws

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// changed are the changes of some kinds that a call makes, as "kind resource: from → to".
func (s *sim) changed(call func(), kinds ...string) (out []string) {
	s.t.Helper()
	before := s.LastSeq()
	call()
	for _, e := range s.LedgerSince(before) {
		if e.Change != nil && slices.Contains(kinds, e.Change.Kind) {
			out = append(out, fmt.Sprintf("%s %s: %s → %s", e.Change.Kind, e.Change.Resource, e.Change.From, e.Change.To))
		}
	}
	return out
}

func wantChanges(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s changed\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Every change that a call of EC2 makes is in the ledger, by what it was and what it is.
func TestTheLedgerHasChangesOfEC2(t *testing.T) {
	s := newSim(t)
	id := s.launch(1, withUserData("#localaws boot=1s"))[0]
	s.clock.Advance(time.Second)
	kinds := []string{"tag", "attribute", "image", "snapshot", "volume"}
	wantChanges(t, "a new tag", s.changed(func() { succeed(t, s.tag(map[string]string{"a": "1"}, id, s.site.VPC)) }, kinds...),
		"tag "+id+"/a:  → 1", "tag "+s.site.VPC+"/a:  → 1")
	wantChanges(t, "another value", s.changed(func() { succeed(t, s.tag(map[string]string{"a": "2"}, id)) }, kinds...), "tag "+id+"/a: 1 → 2")
	wantChanges(t, "the same value", s.changed(func() { succeed(t, s.tag(map[string]string{"a": "2"}, id)) }, kinds...))
	wantChanges(t, "no tag", s.changed(func() {
		must(s.ec2.DeleteTags(s.ctx, &ec2.DeleteTagsInput{Resources: []string{id}, Tags: []types.Tag{{Key: aws.String("a")}}}))
	}, kinds...), "tag "+id+"/a: 2 → deleted")
	wantChanges(t, "an attribute", s.changed(func() {
		must(s.ec2.ModifyInstanceAttribute(s.ctx, &ec2.ModifyInstanceAttributeInput{InstanceId: &id, DisableApiStop: &types.AttributeBooleanValue{Value: aws.Bool(true)}}))
	}, kinds...), "attribute "+id+"/disableApiStop: false → true")
	var image string
	made := s.changed(func() {
		image = *must(s.ec2.CreateImage(s.ctx, &ec2.CreateImageInput{InstanceId: &id, Name: aws.String("web"), NoReboot: aws.Bool(true)})).ImageId
	}, "image")
	wantChanges(t, "an image", made, "image "+image+":  → pending")
	wantChanges(t, "its end", s.changed(func() { s.clock.Advance(time.Hour) }, "image"), "image "+image+": pending → available")
	wantChanges(t, "deregistering", s.changed(func() {
		must(s.ec2.DeregisterImage(s.ctx, &ec2.DeregisterImageInput{ImageId: &image}))
	}, "image"), "image "+image+": available → deregistered")
	volume := s.volumesOf(id)[0]
	wantChanges(t, "an instance that is lost", s.changed(func() { succeed(t, s.Kill(id)) }, "instance", "volume"),
		"instance "+id+": running → terminated", "volume "+volume+": in-use → deleted")
	wantChanges(t, "an hour", s.changed(func() { s.clock.Advance(time.Hour) }, "instance"), "instance "+id+": terminated → forgotten")
}

// volumesOf are the ids of an instance's volumes.
func (s *sim) volumesOf(id string) (ids []string) {
	in, _ := s.Instance(id)
	for _, v := range in.Volumes {
		ids = append(ids, v.ID)
	}
	return ids
}

func TestTheLedgerHasChangesOfClassicLoadBalancers(t *testing.T) {
	s := newBalancerSim(t)
	kinds := []string{"balancer", "listener", "attribute", "healthCheck", "zone", "tag"}
	made := s.changed(func() { s.classic("web") }, "balancer", "listener", "zone")
	wantChanges(t, "making one", made, "balancer web:  → active", "listener web:80:  → HTTP to HTTP 8080",
		"zone web/us-east-1a:  → enabled", "zone web/us-east-1b:  → enabled")
	wantChanges(t, "draining", s.changed(func() { s.drain("web", 30) }, kinds...),
		"attribute web/connectionDraining: false → true", "attribute web/connectionDrainingTimeout: 300 → 30")
	check := s.changed(func() {
		must(s.elb.ConfigureHealthCheck(s.ctx, &elb.ConfigureHealthCheckInput{LoadBalancerName: aws.String("web"), HealthCheck: &elbtypes.HealthCheck{
			Target: aws.String("TCP:8080"), Interval: aws.Int32(6), Timeout: aws.Int32(5), HealthyThreshold: aws.Int32(2), UnhealthyThreshold: aws.Int32(2)}}))
	}, kinds...)
	if len(check) != 1 || !strings.HasPrefix(check[0], "healthCheck web: {protocol:HTTP") || !strings.Contains(check[0], "→ {protocol:TCP") {
		t.Errorf("the health check changed %v", check)
	}
	wantChanges(t, "a zone", s.changed(func() {
		must(s.elb.DetachLoadBalancerFromSubnets(s.ctx, &elb.DetachLoadBalancerFromSubnetsInput{LoadBalancerName: aws.String("web"), Subnets: s.site.Subnets[:1]}))
	}, kinds...), "zone web/us-east-1a: enabled → deleted")
	wantChanges(t, "a tag", s.changed(func() {
		must(s.elb.AddTags(s.ctx, &elb.AddTagsInput{LoadBalancerNames: []string{"web"}, Tags: []elbtypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}))
	}, kinds...), "tag web/a:  → b")
	gone := s.changed(func() {
		must(s.elb.DeleteLoadBalancer(s.ctx, &elb.DeleteLoadBalancerInput{LoadBalancerName: aws.String("web")}))
	}, "balancer", "listener", "tag")
	wantChanges(t, "deleting it", gone, "balancer web: active → deleted", "listener web:80: HTTP to HTTP 8080 → deleted", "tag web/a: b → deleted")
}

func TestTheLedgerHasChangesOfRules(t *testing.T) {
	s := newBalancerSim(t)
	kinds := []string{"balancer", "targetGroup", "listener", "rule", "attribute", "tag"}
	blue, green := s.group("blue", "HTTP"), s.group("green", "HTTP")
	arn := s.balancer("front", alb)
	var listener string
	made := s.changed(func() { listener = s.listener(arn, 80, blue) }, kinds...)
	if len(made) != 2 || made[0] != "listener "+listener+":  → HTTP 80" || !strings.HasSuffix(made[1], ":  → 0 []: 1 to blue") {
		t.Errorf("a listener made %v", made)
	}
	moved := s.changed(func() {
		must(s.v2.ModifyListener(s.ctx, &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(green)}))
	}, kinds...)
	if len(moved) != 1 || !strings.HasPrefix(moved[0], "rule ") || !strings.HasSuffix(moved[0], ": 0 []: 1 to blue → 0 []: 1 to green") {
		t.Errorf("a listener's action changed %v", moved)
	}
	wantChanges(t, "an attribute", s.changed(func() { s.delay(green, "7") }, kinds...),
		"attribute "+green+"/deregistration_delay.timeout_seconds: 300 → 7")
	wantChanges(t, "a tag", s.changed(func() {
		must(s.v2.AddTags(s.ctx, &elbv2.AddTagsInput{ResourceArns: []string{green}, Tags: []elbv2types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}))
	}, kinds...), "tag "+green+"/a:  → b")
	wantChanges(t, "a group", s.changed(func() { must(s.v2.DeleteTargetGroup(s.ctx, &elbv2.DeleteTargetGroupInput{TargetGroupArn: &blue})) }, "targetGroup"),
		"targetGroup "+blue+": active → deleted")
}

func TestTheLedgerHasChangesOfParameters(t *testing.T) {
	s := newSim(t)
	put := func(overwrite bool) func() {
		return func() {
			must(s.ssm.PutParameter(s.ctx, &ssm.PutParameterInput{Name: aws.String("/p"), Value: aws.String("secret"), Type: "String", Overwrite: &overwrite}))
		}
	}
	kinds := []string{"parameter", "label"}
	wantChanges(t, "a parameter", s.changed(put(false), kinds...), "parameter /p:  → version 1")
	wantChanges(t, "its value", s.changed(put(true), kinds...), "parameter /p: version 1 → version 2")
	wantChanges(t, "a label", s.changed(func() {
		must(s.ssm.LabelParameterVersion(s.ctx, &ssm.LabelParameterVersionInput{Name: aws.String("/p"), Labels: []string{"live"}}))
	}, kinds...), "label /p:live:  → version 2")
	wantChanges(t, "deleting it", s.changed(func() { must(s.ssm.DeleteParameter(s.ctx, &ssm.DeleteParameterInput{Name: aws.String("/p")})) }, kinds...),
		"label /p:live: version 2 → deleted", "parameter /p: version 2 → deleted")
}

// Hooks see the world before and after whatever happens, also where no call made it happen.
func TestHooksSeeWhatNoCallMakesHappen(t *testing.T) {
	s := newSim(t)
	id := s.launch(1, withUserData("#localaws boot=1s configure=1h"))[0]
	var seen []string
	state := func(w World) string { in, _ := w.Instance(id); return in.State }
	noEvents := s.OnEvent(func(phase Phase, w World) {
		seen = append(seen, map[Phase]string{BeforeEvent: "before ", AfterEvent: "after "}[phase]+state(w))
	})
	noChanges := s.OnChange(func(change ChangeEntry, w World) {
		seen = append(seen, change.Kind+" "+change.From+" to "+change.To+" in a world where it is "+state(w))
	})
	s.clock.Advance(time.Second)
	succeed(t, s.ShutDown(id))
	s.inject("server i-* kill")
	noEvents()
	noChanges()
	s.clock.Advance(3 * time.Hour)
	want := []string{
		"before pending", "instance pending to running in a world where it is running", "after running",
		"before running", "instance running to stopping in a world where it is stopping", "after stopping",
		"before stopping", "instance stopping to terminated in a world where it is terminated",
		"volume in-use to deleted in a world where it is terminated", "after terminated",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("seen\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
	}
	s.wantAlive(0)
}

func TestTheLedgerHasChangesOfTemplatesAndAlarms(t *testing.T) {
	s := newSim(t)
	var id string
	made := s.changed(func() { id = *s.template("web", s.webTemplate()).LaunchTemplateId }, "launch-template", "attribute")
	wantChanges(t, "a template", made, "attribute "+id+"/defaultVersion:  → 1", "attribute "+id+"/versions:  → 1", "launch-template "+id+":  → available")
	made = s.changed(func() { must(s.watch().PutMetricAlarm(s.ctx, errorsAlarm("errors"))) }, "alarm")
	wantChanges(t, "an alarm", made, "alarm errors:  → INSUFFICIENT_DATA")
}

// A policy can name a launch template that a launch may use.
func TestALaunchByTemplateNeedsTheTemplate(t *testing.T) {
	s := newSim(t)
	id := *s.template("web", s.webTemplate()).LaunchTemplateId
	s.attach(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:RunInstances","ec2:CreateTags","iam:PassRole"],
		"NotResource":"arn:aws:ec2:us-east-1:123456789012:launch-template/*"}]}`)
	_, err := s.ec2.RunInstances(s.ctx, &ec2.RunInstancesInput{MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &s.site.Subnets[0],
		LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: &id}})
	wantError(t, err, 403, "UnauthorizedOperation", "")
	if !strings.Contains(err.Error(), "launch-template/"+id) || len(s.Instances()) != 0 {
		t.Errorf("%v, and %d instances", err, len(s.Instances()))
	}
	s.attach(allow(`"Action":"ec2:RunInstances","Resource":"arn:aws:ec2:us-east-1:123456789012:launch-template/` + id + `"`))
	must(s.ec2.RunInstances(s.ctx, &ec2.RunInstancesInput{MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &s.site.Subnets[0],
		LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: &id}}))
	s.wantAlive(1)
}
