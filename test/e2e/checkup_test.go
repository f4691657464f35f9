package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/checkup"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/test/kubestore"
)

// checkupWorld has one Release that needs every statement of the policy: an image by parameter, an instance profile, and a server that
// a person marked and that nobody has adopted. Its class names a queue of events.
func checkupWorld(t *testing.T) *World {
	t.Helper()
	clock := localaws.NewVirtualClock(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	kube, err := kubestore.New(operator.Scheme(), "../../config/crd/bases", clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	w := NewWorldUnder(t, kube, clock, Plain())
	w.must("write the parameter", w.PutImage(imageParameter, w.Site.V1))
	w.Settled(func(rel *v1alpha1.Release) {
		rel.Spec.Image = v1alpha1.ImageSource{SSMParameter: imageParameter}
		rel.Spec.Template.IAMInstanceProfile = "web"
		rel.Spec.Adopt = &v1alpha1.AdoptSource{Tags: map[string]v1alpha1.TagValue{roleKey: hotServer}}
	})
	w.marked()
	w.makeEventsQueue()
	return w
}

// makeEventsQueue makes a queue that gets the events of servers, and lets the class name it.
func (w *World) makeEventsQueue() {
	w.Helper()
	_, err := w.Person().SQS.CreateQueue(w.Context(), &sqs.CreateQueueInput{QueueName: aws.String(eventsQueue)})
	w.must("make the queue", err)
	w.must("send events", w.AWS.SendEvents(eventsQueue))
	w.EditClass(func(class *v1alpha1.ReleaseClass) { class.Spec.EventsQueue = eventsQueue })
}

// marked launches a server by hand, in no pool, and marks it for adoption.
func (w *World) marked() {
	w.Helper()
	tags := []ec2types.Tag{{Key: aws.String(cloud.TagAdopt), Value: aws.String(w.Namespace + "/web")}}
	_, err := w.Person().EC2.RunInstances(w.Context(), &ec2.RunInstancesInput{
		ImageId: &w.Site.V1, InstanceType: microType, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &w.Site.Subnets[0],
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeInstance, Tags: tags}},
	})
	w.must("launch a server by hand", err)
	w.Pass(10 * time.Second)
}

// checkup makes one, and sees that it changed nothing.
func (w *World) checkup() *checkup.Checkup {
	w.Helper()
	servers := w.AWS.Instances()
	w.Mark()
	c, err := w.Reconciler.Checkup(w.Context(), w.Class)
	w.must("examine", err)
	for _, e := range w.AWS.LedgerSince(w.mark) {
		if e.Call == nil {
			continue
		}
		reads := strings.HasPrefix(e.Call.Action, "Describe") || strings.HasPrefix(e.Call.Action, "Get")
		dry := e.Call.Params.Get("DryRun") == "true" && e.Call.Status != 0 && !e.Call.Mutates
		w.expect(reads || dry, "a checkup sends %s without DryRun, or it succeeds: %d", e.Call.Action, e.Call.Status)
		w.expect(len(e.Call.Effects) == 0, "%s has no effect: %v", e.Call.Action, e.Call.Effects)
	}
	w.expect(len(w.AWS.Instances()) == len(servers), "there are as many servers as before")
	return c
}

func failures(c *checkup.Checkup) (lines []string) {
	for _, check := range c.Checks {
		if check.State == checkup.Fail {
			lines = append(lines, fmt.Sprintf("%s | %s | %s | %s", check.Area, check.Subject, check.Message, check.Advice))
		}
	}
	return lines
}

// statement is one of an IAM policy, as it is written.
type statement map[string]any

// without gives the shipped policy without a statement, or without an action of it.
func (w *World) without(sid, action string) string {
	w.Helper()
	text, err := os.ReadFile("../../config/iam/policy.json")
	w.must("read the policy", err)
	text = []byte(strings.NewReplacer("REGION", w.AWS.Region(), "ACCOUNT_ID", w.account, "CLUSTER_NAME", clusterName, "SERVER_ROLE", "*",
		"EVENTS_QUEUE", eventsQueue).Replace(string(text)))
	var document struct {
		Version   string
		Statement []statement
	}
	w.must("read the policy", json.Unmarshal(text, &document))
	found := false
	document.Statement = slices.DeleteFunc(document.Statement, func(s statement) bool {
		if s["Sid"] != sid {
			return false
		}
		found = true
		if action == "" {
			return true
		}
		all := s["Action"].([]any)
		left := slices.DeleteFunc(slices.Clone(all), func(a any) bool { return a == action })
		found, s["Action"] = len(left) < len(all), left
		return false
	})
	w.expect(found || sid == "", "the policy has %s %s", sid, action)
	text, err = json.Marshal(document)
	w.must("write the policy", err)
	return string(text)
}

// hasOnly gives the controller another policy in place of the one that it has.
func (w *World) hasOnly(document string) (back func()) {
	w.Helper()
	w.detach()
	detach, err := w.AWS.AttachPolicy(controllerKey, document)
	w.must("attach the policy", err)
	return func() {
		detach()
		w.employ(controllerKey)
	}
}

// With the shipped policy and tagged pools nothing is wrong, and nothing is changed.
func TestCheckupFindsNothing(t *testing.T) {
	w := checkupWorld(t)
	c := w.checkup()
	if got := failures(c); len(got) > 0 || c.Count(checkup.Warn) > 0 {
		t.Errorf("%d warnings, and these failures:\n%s", c.Count(checkup.Warn), strings.Join(got, "\n"))
	}
	for _, want := range []string{
		"credentials who we are ok", "permissions ec2:DescribeInstances ok", "permissions ec2:DescribeInstanceStatus ok", "permissions ec2:DescribeImages ok",
		"permissions ec2:RunInstances for " + w.Namespace + "/web ok", "permissions ec2:CreateTags ok", "permissions ec2:TerminateInstances ok",
		"permissions ec2:CreateTags for " + w.Namespace + "/web ok", "permissions events queue " + eventsQueue + " ok",
		"load balancers edge (edge of " + w.Namespace + "/web) ok", "load balancers api (api of " + w.Namespace + "/web) ok",
		"load balancers test (test of " + w.Namespace + "/web) ok", "load balancers registering and deregistering untried",
		"quotas maxServersPerRelease ok", "quotas classic-registered-instances ok", "quotas targets-per-target-group ok",
		"quotas targets-per-application-load-balancer ok", "quotas vCPUs untried",
	} {
		if !slices.ContainsFunc(c.Checks, func(c checkup.Check) bool { return c.Area+" "+c.Subject+" "+string(c.State) == want }) {
			t.Errorf("no check %q", want)
		}
	}
	if t.Failed() {
		for _, check := range c.Checks {
			t.Logf("%+v", check)
		}
	}
}

// Each statement of the policy that is taken away is found, with the action that is refused. That pools may be registered in cannot be tried.
func TestCheckupFindsWhatThePolicyLacks(t *testing.T) {
	w := checkupWorld(t)
	for _, row := range []struct {
		sid, action string
		subjects    []string // of the checks that fail, exactly
		says        string
	}{
		{sid: "ReadImageParameters", subjects: []string{"image of"}, says: "ssm:GetParameter"},
		{sid: "HearOfServers", subjects: []string{"events queue " + eventsQueue}, says: "sqs:GetQueueUrl"},
		{sid: "LaunchServersThatCarryOurTags", subjects: []string{"ec2:RunInstances for"}, says: "ec2:RunInstances"},
		{sid: "LaunchServersFromWhatIsThere", subjects: []string{"ec2:RunInstances for"}, says: "ec2:RunInstances"},
		{sid: "TagInTheLaunchCall", subjects: []string{"ec2:RunInstances for"}, says: "ec2:CreateTags"},
		{sid: "RetagOurServers", subjects: []string{"ec2:CreateTags"}, says: "ec2:CreateTags"},
		{sid: "AdoptServersThatAPersonMarked", subjects: []string{"ec2:CreateTags for"}, says: "ec2:CreateTags"},
		{sid: "TerminateOurServers", subjects: []string{"ec2:TerminateInstances"}, says: "ec2:TerminateInstances"},
		{sid: "GiveServersTheirRole", subjects: []string{"ec2:RunInstances for"}, says: "iam:PassRole"},
		{sid: "Read", action: "ec2:DescribeInstances", subjects: []string{"ec2:DescribeInstances"}, says: "ec2:DescribeInstances"},
		{sid: "Read", action: "ec2:DescribeInstanceStatus", subjects: []string{"ec2:DescribeInstanceStatus"}, says: "ec2:DescribeInstanceStatus"},
		{sid: "Read", action: "ec2:DescribeImages", subjects: []string{"ec2:DescribeImages", "image of"}, says: "ec2:DescribeImages"},
		{sid: "Read", action: "elasticloadbalancing:DescribeInstanceHealth",
			subjects: []string{"elasticloadbalancing:DescribeInstanceHealth of edge", "elasticloadbalancing:DescribeInstanceHealth of test"},
			says:     "elasticloadbalancing:DescribeInstanceHealth"},
		{sid: "Read", action: "elasticloadbalancing:DescribeLoadBalancerAttributes",
			subjects: []string{"elasticloadbalancing:DescribeLoadBalancerAttributes of edge", "elasticloadbalancing:DescribeLoadBalancerAttributes of test"},
			says:     "elasticloadbalancing:DescribeLoadBalancerAttributes"},
		{sid: "Read", action: "elasticloadbalancing:DescribeLoadBalancers",
			subjects: []string{"elasticloadbalancing:DescribeLoadBalancers of edge", "elasticloadbalancing:DescribeLoadBalancers of test"},
			says:     "elasticloadbalancing:DescribeLoadBalancers"},
		{sid: "Read", action: "elasticloadbalancing:DescribeTargetGroupAttributes",
			subjects: []string{"elasticloadbalancing:DescribeTargetGroupAttributes of api"}, says: "elasticloadbalancing:DescribeTargetGroupAttributes"},
		{sid: "Read", action: "elasticloadbalancing:DescribeTargetGroups",
			subjects: []string{"elasticloadbalancing:DescribeTargetGroups of api"}, says: "elasticloadbalancing:DescribeTargetGroups"},
		{sid: "Read", action: "elasticloadbalancing:DescribeTargetHealth",
			subjects: []string{"elasticloadbalancing:DescribeTargetHealth of api"}, says: "elasticloadbalancing:DescribeTargetHealth"},
	} {
		t.Run(row.sid+" "+row.action, func(t *testing.T) {
			defer w.hasOnly(w.without(row.sid, row.action))()
			c := w.checkup()
			var got []string
			for _, check := range c.Checks {
				if check.State != checkup.Fail {
					continue
				}
				got = append(got, check.Subject)
				if !strings.Contains(check.Message, row.says) || !strings.Contains(check.Message, "not authorized to perform") {
					t.Errorf("%s does not say that %s is refused: %s", check.Subject, row.says, check.Message)
				}
				if !strings.Contains(check.Advice, "config/iam/policy.json") {
					t.Errorf("%s advises: %s", check.Subject, check.Advice)
				}
			}
			slices.Sort(got)
			if len(got) != len(row.subjects) {
				t.Fatalf("these failed: %q, want %q\n%s", got, row.subjects, strings.Join(failures(c), "\n"))
			}
			for i, subject := range got {
				if !strings.HasPrefix(subject, row.subjects[i]) {
					t.Errorf("these failed: %q, want %q", got, row.subjects)
				}
			}
		})
	}
}

// What only the checkup asks for is no failure: a deploy does not need it.
func TestCheckupUnderAnOlderPolicy(t *testing.T) {
	w := checkupWorld(t)
	for action, subject := range map[string]string{"elasticloadbalancing:DescribeTags": "edge (", "elasticloadbalancing:DescribeAccountLimits": "targets"} {
		t.Run(action, func(t *testing.T) {
			defer w.hasOnly(w.without("Read", action))()
			c := w.checkup()
			if got := failures(c); len(got) > 0 {
				t.Errorf("failed:\n%s", strings.Join(got, "\n"))
			}
			if !slices.ContainsFunc(c.Checks, func(check checkup.Check) bool {
				return check.State == checkup.Warn && strings.HasPrefix(check.Subject, subject) && strings.Contains(check.Advice, action)
			}) {
				t.Errorf("nothing warns of %s: %+v", action, c.Checks)
			}
		})
	}
}

// What is wrong with pools, limits, the account and what the Release asks for.
func TestCheckupFindsWhatIsWrong(t *testing.T) {
	for _, row := range []struct {
		name   string
		spoil  func(*World)
		area   string
		state  checkup.State
		says   string
		advice string // what to type
	}{
		{"a pool without the tag", func(w *World) {
			_, err := w.Person().ELB.RemoveTags(w.Context(), &elb.RemoveTagsInput{LoadBalancerNames: []string{"test"},
				Tags: []elbtypes.TagKeyOnly{{Key: aws.String(cloud.TagCluster)}}})
			w.must("untag", err)
		}, checkup.AreaPools, checkup.Fail, "it has no tag slipway.dev/cluster",
			"aws elb add-tags --load-balancer-names test --tags Key=slipway.dev/cluster,Value=e2e"},
		{"a serving pool without the tag", func(w *World) {
			_, err := w.Person().ELBv2.RemoveTags(w.Context(), &elbv2.RemoveTagsInput{ResourceArns: []string{w.GroupARN("api")}, TagKeys: []string{cloud.TagCluster}})
			w.must("untag", err)
		}, checkup.AreaPools, checkup.Warn, "servers of ours are in it", "aws elbv2 add-tags --resource-arns arn:"},
		{"a target group that nothing forwards to", func(w *World) {
			w.MakeTargetGroup("late")
			w.Edit("web", func(rel *v1alpha1.Release) {
				rel.Spec.LoadBalancers.Test = append(rel.Spec.LoadBalancers.Test, Group("late", "late"))
			})
		}, checkup.AreaPools, checkup.Fail, "no load balancer forwards to it", "aws elbv2 create-rule"},
		{"a pool that balances in each zone", func(w *World) {
			w.MakeClassic("zonal", false)
			w.Edit("web", func(rel *v1alpha1.Release) {
				rel.Spec.LoadBalancers.Test = append(rel.Spec.LoadBalancers.Test, Classic("zonal", "zonal"))
			})
		}, checkup.AreaPools, checkup.Warn, "it does not balance across zones", "cross-zone"},
		{"a pool that is gone", func(w *World) {
			_, err := w.Person().ELB.DeleteLoadBalancer(w.Context(), &elb.DeleteLoadBalancerInput{LoadBalancerName: aws.String("test")})
			w.must("delete", err)
		}, checkup.AreaPools, checkup.Fail, "LoadBalancerNotFound", "Correct spec.loadBalancers"},
		{"a pool that may not be registered in", func(w *World) {
			w.AWS.Deny("elasticloadbalancing:RegisterTargets")
			w.Deploy("web", "v2", v1alpha1.PhaseLive)
			w.Pass(3 * time.Minute)
		}, checkup.AreaPools, checkup.Fail, "AWS refused to register servers", "aws elbv2 add-tags"},
		{"a subnet that is not there", func(w *World) {
			w.Edit("web", func(rel *v1alpha1.Release) {
				rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = "v2", v1alpha1.PhasePreview, ""
				rel.Spec.Template.SubnetIDs = []v1alpha1.SubnetID{"subnet-00000000"}
			})
		}, checkup.AreaPermissions, checkup.Fail, "InvalidSubnetID.NotFound", "Correct spec.template.subnetIDs"},
		{"an image that is not there", func(w *World) { w.must("write the parameter", w.PutImage(imageParameter, "ami-00000000")) },
			checkup.AreaPermissions, checkup.Fail, "ami-00000000", "Check the region"},
		{"a class that does not allow a pool", func(w *World) {
			w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.Pools = []v1alpha1.Pattern{"prod-*"} })
		}, checkup.AreaPermissions, checkup.Fail, "does not allow pool test", "kubectl slipway explain web"},
		{"a queue that is not there", func(w *World) { w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.EventsQueue = "another" }) },
			checkup.AreaPermissions, checkup.Fail, "another", "config/iam/policy.json"},
		{"a class with too few servers", func(w *World) { w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.MaxServersPerRelease = 3 }) },
			checkup.AreaQuotas, checkup.Fail, "allows 3 servers", "kubectl edit releaseclass"},
		{"a limit of targets", func(w *World) {
			w.AWS.Tune(func(k *localaws.Knobs) { k.Balancers.Quotas.TargetsPerGroup = 3 })
		}, checkup.AreaQuotas, checkup.Fail, "3; api (api of", "aws service-quotas list-service-quotas"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := checkupWorld(t)
			row.spoil(w)
			c := w.checkup()
			at := slices.IndexFunc(c.Checks, func(c checkup.Check) bool {
				return c.Area == row.area && c.State == row.state && strings.Contains(c.Message, row.says)
			})
			if at < 0 {
				t.Fatalf("nothing says so: %+v", c.Checks)
			}
			if !strings.Contains(c.Checks[at].Advice, row.advice) {
				t.Errorf("it advises %q", c.Checks[at].Advice)
			}
			if n := c.Count(checkup.Fail); row.state == checkup.Warn && n > 0 || n > 2 {
				t.Errorf("more failed than that:\n%s", strings.Join(failures(c), "\n"))
			}
		})
	}
}

// Without a Release, or without credentials for the account, it says what it could not try.
func TestCheckupOfWhatIsNotThere(t *testing.T) {
	clock := localaws.NewVirtualClock(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	kube, err := kubestore.New(operator.Scheme(), "../../config/crd/bases", clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	w := NewWorldUnder(t, kube, clock, Plain())
	c := w.checkup()
	if len(failures(c)) > 0 || c.Count(checkup.Untried) < 5 || c.Count(checkup.OK) < 4 {
		t.Errorf("without a Release: %+v", c.Checks)
	}
	c, err = w.Reconciler.Checkup(t.Context(), "nothing")
	if err != nil || len(c.Checks) != 1 || c.Checks[0].Message != "there is no ReleaseClass nothing" || c.Checks[0].State != checkup.Fail {
		t.Errorf("without a class: %+v, %v", c, err)
	}
	c, err = w.Reconciler.Checkup(t.Context(), checkup.Default)
	if err != nil || c.Class != "" || !strings.Contains(c.Checks[0].Message, "no ReleaseClass is annotated") {
		t.Errorf("without a default class: %+v, %v", c, err)
	}
	other := w.NewClass()
	other.Name, other.Spec.AccountID = "other", "999999999999"
	w.Create(other)
	c, err = w.Reconciler.Checkup(t.Context(), "other")
	if err != nil || len(failures(c)) != 1 || !strings.Contains(failures(c)[0], "is for account 999999999999") || c.Count(checkup.Untried) != 1 {
		t.Errorf("in another account: %+v, %v", c, err)
	}
	assumed := w.NewClass()
	assumed.Name, assumed.Spec.RoleARN = "assumed", "arn:aws:iam::"+w.account+":role/deploys"
	w.Create(assumed)
	c, err = w.Reconciler.Checkup(t.Context(), "assumed")
	if err != nil || len(failures(c)) != 1 || !strings.Contains(failures(c)[0], "not authorized to perform: sts:AssumeRole") ||
		!strings.Contains(failures(c)[0], "let them assume it") || c.Count(checkup.Untried) != 1 {
		t.Errorf("with a role that may not be assumed: %+v, %v", c, err)
	}
}

// A manager that does not reach AWS is a broken installation, and not a check that should be made later: of the network nobody but the
// advice speaks. Once it is known who we are, what the checkup's own time did not suffice for says nothing.
func TestCheckupWithoutAWayToAWS(t *testing.T) {
	for name, row := range map[string]struct {
		fault localaws.Fault
		want  string
		state checkup.State
		tell  string
		time  time.Duration // for all of it
	}{
		"nothing answers": {localaws.Fault{Service: "*", Action: "*", Hang: true}, "who we are", checkup.Fail, "they reach STS in", 200 * time.Millisecond},
		"STS does not":    {localaws.Fault{Service: "sts", Hang: true}, "who we are", checkup.Fail, "HTTPS_PROXY", 200 * time.Millisecond},
		"only STS does":   {localaws.Fault{Service: "ec2", Hang: true}, "ec2:DescribeInstances", checkup.Untried, "Ask again in a minute", 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := checkupWorld(t)
			w.AWS.Inject(row.fault)
			ctx, cancel := context.WithTimeout(w.Context(), row.time)
			defer cancel()
			c, err := w.Reconciler.Checkup(ctx, w.Class)
			w.must("examine", err)
			at := slices.IndexFunc(c.Checks, func(check checkup.Check) bool { return check.Subject == row.want })
			if at < 0 || c.Checks[at].State != row.state || !strings.Contains(c.Checks[at].Advice, row.tell) {
				t.Errorf("%s does not fail so: %+v", row.want, c.Checks)
			}
			if reached := row.want != "who we are"; c.ReachedAWS() != reached {
				t.Errorf("it says that AWS was reached: %t", !reached)
			}
		})
	}
}
