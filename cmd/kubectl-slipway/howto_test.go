package main

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbv2types "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"slipway.dev/slipway/internal/playground"
)

// here says what the local AWS has for what the pages take as examples. The longer names come first.
var here = strings.NewReplacer(
	"test-web", playground.TestClassic, "prod-web-api", playground.ProductionGroup, "prod-web", playground.ProductionClassic,
	"ami-0123456789abcdef0", "ami-0a11ce00000000003",
	"subnet-0123456789abcdef0", "subnet-0a11ce000000000a1", "subnet-0123456789abcdef1", "subnet-0a11ce000000000a2",
	"sg-0123456789abcdef0", "sg-0a11ce0000000000b",
)

// bootScript is what the pages' servers do at their first boot.
const bootScript = `#!/bin/sh
#localaws version=${SLIPWAY_VERSION} boot=1s configure=2s
`

// reader is a person who follows the pages at the world of `local up`.
type reader struct {
	t    *testing.T
	env  []string // what they pasted
	aws  aws.Config
	site string // the folder with release.yaml
}

func newReader(t *testing.T) *reader {
	up := start(t, "up")
	t.Cleanup(func() {
		up.interrupt()
		if status := up.status(); status != 0 {
			t.Errorf("Ctrl-C ended it with %d:\n%s", status, up.text())
		}
	})
	up.await(ready)
	r := &reader{t: t, env: append(pasted(t, up.text(), "Paste this", "The load balancers"), pathLine(asPlugin(t))), site: t.TempDir()}
	values := strings.Fields(r.does(`echo "$AWS_ENDPOINT_URL $AWS_REGION $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY"`))
	r.aws = aws.Config{BaseEndpoint: &values[0], Region: values[1], Credentials: credentials.NewStaticCredentialsProvider(values[2], values[3], "")}
	r.does("kubectl create namespace shop",
		"kubectl create secret generic web-boot -n shop --from-literal=script="+quote(bootScript))
	return r
}

// does types lines into a shell of its own, in the folder with release.yaml, and gives what they print.
func (r *reader) does(lines ...string) string {
	r.t.Helper()
	return shell(r.t, append(append(r.env, "cd "+quote(r.site)), lines...))
}

// sees fails where what was printed does not have all of it.
func (r *reader) sees(printed string, all ...string) {
	r.t.Helper()
	for _, want := range all {
		if !strings.Contains(printed, want) {
			r.t.Errorf("nothing said %q:\n%s", want, printed)
		}
	}
}

// declares writes release.yaml: that of the page about the first Release, with other lines.
func (r *reader) declares(version string, more ...string) {
	r.t.Helper()
	text := here.Replace(fenced(r.t, "how-to/first-release.md", "yaml")[0])
	text = strings.Replace(text, `"2026.11.22-1"`, `"`+version+`"`, 1)
	for _, line := range more {
		text += "\n  " + line
	}
	r.does("cat > release.yaml <<'END'\n" + text + "\nEND")
}

// inline are the commands in sentences of a page that match, for somebody who says yes and waits.
func (r *reader) inline(page, pattern string) (commands []string) {
	r.t.Helper()
	for _, found := range regexp.MustCompile("`("+pattern+")`").FindAllStringSubmatch(document(r.t, page), -1) {
		commands = append(commands, found[1]+" -y --wait")
	}
	if len(commands) == 0 {
		r.t.Fatalf("%s has no command %s", page, pattern)
	}
	return commands
}

// serving is the version that production answers with.
func (r *reader) serving(version string) {
	r.t.Helper()
	r.sees(r.does("curl -s $EDGE", "curl -s $API"), fmt.Sprintf(`"version":%q`, version))
}

// servers launches three by hand, as they were before there was Slipway, and puts them into production.
func (r *reader) servers() (ids []string) {
	r.t.Helper()
	ctx := r.t.Context()
	data := base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(bootScript, "${SLIPWAY_VERSION}", "hand")))
	out, err := ec2.NewFromConfig(r.aws).RunInstances(ctx, &ec2.RunInstancesInput{
		MinCount: aws.Int32(3), MaxCount: aws.Int32(3), ImageId: aws.String(here.Replace("ami-0123456789abcdef0")), InstanceType: "c7g.large",
		SubnetId: aws.String(here.Replace("subnet-0123456789abcdef0")), UserData: &data,
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: "instance", Tags: []ec2types.Tag{
			{Key: aws.String("role"), Value: aws.String("hot-app-server")}}}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	var members []elbtypes.Instance
	var targets []elbv2types.TargetDescription
	for _, in := range out.Instances {
		ids = append(ids, *in.InstanceId)
		members = append(members, elbtypes.Instance{InstanceId: in.InstanceId})
		targets = append(targets, elbv2types.TargetDescription{Id: in.InstanceId})
	}
	running := &ec2.DescribeInstanceStatusInput{InstanceIds: ids}
	eventually(r.t, "servers made by hand run", func() bool {
		status, err := ec2.NewFromConfig(r.aws).DescribeInstanceStatus(ctx, running)
		return err == nil && len(status.InstanceStatuses) == 3
	})
	_, err = elb.NewFromConfig(r.aws).RegisterInstancesWithLoadBalancer(ctx, &elb.RegisterInstancesWithLoadBalancerInput{
		LoadBalancerName: aws.String(playground.ProductionClassic), Instances: members})
	if err != nil {
		r.t.Fatal(err)
	}
	v2 := elbv2.NewFromConfig(r.aws)
	groups, err := v2.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{playground.ProductionGroup}})
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = v2.RegisterTargets(ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: groups.TargetGroups[0].TargetGroupArn, Targets: targets})
	if err != nil {
		r.t.Fatal(err)
	}
	return ids
}

// tags does what the command of the page does, whether the aws command line is there or not.
func (r *reader) tags(line string, ids []string) {
	r.t.Helper()
	found := regexp.MustCompile(`^aws ec2 create-tags --resources i-\S+ i-\S+ --tags Key=(\S+),Value=(\S+)$`).FindStringSubmatch(line)
	if found == nil {
		r.t.Fatalf("the page has the command %q", line)
	}
	_, err := ec2.NewFromConfig(r.aws).CreateTags(r.t.Context(), &ec2.CreateTagsInput{Resources: ids,
		Tags: []ec2types.Tag{{Key: &found[1], Value: &found[2]}}})
	if err != nil {
		r.t.Fatal(err)
	}
}

// Whoever follows the pages gets what they say: servers are taken over, a deploy goes live, back, forth and back against Git, and
// the Release goes; then a first one is made where nothing is.
func TestHowTo(t *testing.T) {
	t.Parallel() // most of it is waiting
	r := newReader(t)
	ids := r.servers()
	r.tags(strings.Join(strings.Fields(fenced(t, "how-to/adopt.md", "sh")[0]), " "), ids)
	r.declares("2026.11.22-2", "phase: Preview", fenced(t, "how-to/adopt.md", "yaml")[0])
	r.sees(r.does("kubectl apply -f release.yaml", "kubectl slipway status web -n shop --for=preview --timeout=2m",
		"kubectl slipway get web -n shop"), ids[0], ids[1], "adopted")
	r.serving("hand")

	r.does("kubectl slipway promote web -n shop -y --wait")
	r.serving("2026.11.22-2")
	back := fenced(t, "how-to/roll-back.md", "bash")
	r.does(back[0] + " -y --wait")
	r.serving("hand")
	r.does(r.inline("how-to/roll-back.md", "kubectl slipway promote web -n shop")...)
	r.serving("2026.11.22-2")
	patch := regexp.MustCompile("`(kubectl patch rel/web [^`]*)`").FindStringSubmatch(document(t, "how-to/roll-back.md"))
	r.does(patch[1], "kubectl slipway status web -n shop --for=rolledback --timeout=2m")
	r.serving("hand")
	r.does("kubectl slipway promote web -n shop -y --wait", back[1]+" -y --wait")
	r.serving("hand")
	r.sees(r.does(r.inlineAsIs("how-to/roll-back.md", "kubectl slipway history web -n shop")...), "2026.11.22-2")

	r.sees(r.does("kubectl slipway uninstall"), "web")
	r.does(`kubectl patch rel/web -n shop --type merge -p '{"spec":{"deletionPolicy":"Terminate"}}'`,
		"kubectl delete rel/web -n shop --timeout=3m")
	r.firstRelease()
	r.rebuild("2026.11.22-1")
	r.chef("2026.11.22-3")
	r.upgrade()
}

// Who adds a page has to follow it, too.
func TestEveryHowToIsFollowed(t *testing.T) {
	pages, err := filepath.Glob("../../docs/how-to/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for i := range pages {
		pages[i] = strings.TrimSuffix(filepath.Base(pages[i]), ".md")
	}
	followed := []string{"adopt", "chef", "first-release", "rebuild-a-cluster", "roll-back", "several-load-balancers", "uninstall", "upgrade"}
	if !slices.Equal(pages, followed) {
		t.Errorf("docs/how-to has %q, and TestHowTo follows %q", pages, followed)
	}
}

// inlineAsIs is inline for commands that only show something.
func (r *reader) inlineAsIs(page, pattern string) (commands []string) {
	for _, command := range r.inline(page, pattern) {
		commands = append(commands, strings.TrimSuffix(command, " -y --wait"))
	}
	return commands
}

// firstRelease follows the page about it to its end, and adds what the page about several load balancers writes.
func (r *reader) firstRelease() {
	t := r.t
	t.Helper()
	r.declares("2026.11.22-1")
	for line := range strings.SplitSeq(fenced(t, "how-to/first-release.md", "sh")[0], "\n") {
		r.does(strings.TrimSuffix(line, " -w")) // which goes on for as long as somebody looks
	}
	r.does("kubectl slipway status web -n shop --for=preview --timeout=2m")
	r.sees(r.does("curl -s $TEST"), `"version":"2026.11.22-1"`)
	r.does(r.inline("how-to/first-release.md", "kubectl slipway (?:promote|complete) web -n shop")...)
	r.serving("2026.11.22-1")

	pools := strings.ReplaceAll(here.Replace(fenced(t, "how-to/several-load-balancers.md", "yaml")[0]), "\n", "\n  ")
	r.does("{ sed '/loadBalancers:/,$d' release.yaml; cat <<'END'\n  "+pools+"\nEND\n} > several.yaml",
		"kubectl apply --dry-run=server -f several.yaml")
	r.does("kubectl delete rel/web -n shop --timeout=2m")
	r.sees(r.does("kubectl get events -n shop --field-selector reason=Retained"), "i-")
	r.serving("2026.11.22-1")
}
