//go:build awscli

package awscli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/localaws"
)

// paging: the command line asks for page after page by itself, and gives a token of its own where it was told to stop.
func paging(s *shell) {
	for range 4 {
		s.launch("3", "")
	}
	for i := range 3 {
		s.text("elb create-load-balancer --load-balancer-name web-%d --subnets %s --listeners %s", i, s.site.Subnets[0], classicListener)
	}
	for _, list := range []struct {
		command, action, query string
		size, want, calls      int
	}{
		{"ec2 describe-instances", "DescribeInstances", "Reservations[].Instances[].InstanceId", 5, 12, 3},
		{"ec2 describe-instance-status --include-all-instances", "DescribeInstanceStatus", "InstanceStatuses[].InstanceId", 5, 12, 3},
		{"ec2 describe-volumes", "DescribeVolumes", "Volumes[].VolumeId", 5, 12, 3},
	} {
		before := s.now()
		got := strings.Fields(s.text("%s --page-size %d --query %s", list.command, list.size, list.query))
		slices.Sort(got)
		if len(slices.Compact(got)) != list.want {
			s.t.Errorf("%s in pages of %d shows %v, want %d", list.command, list.size, got, list.want)
		}
		if calls := s.calls(before, list.action); calls != list.calls {
			s.t.Errorf("%s in pages of %d made %d calls, want %d", list.command, list.size, calls, list.calls)
		}
	}

	// --page-size of the ELB commands is the API's own parameter, with which the command line asks for one page only.
	s.want("web-0 web-1", "elb describe-load-balancers --page-size 2 --query LoadBalancerDescriptions[].LoadBalancerName")
	var seen []string
	token := ""
	for range 3 {
		var page struct {
			LoadBalancerDescriptions []struct{ LoadBalancerName string }
			NextToken                string
		}
		s.json(&page, "elb describe-load-balancers --max-items 1 %s", token)
		for _, lb := range page.LoadBalancerDescriptions {
			seen = append(seen, lb.LoadBalancerName)
		}
		token = "--starting-token " + page.NextToken
	}
	if want := []string{"web-0", "web-1", "web-2"}; !slices.Equal(seen, want) || token != "--starting-token " {
		s.t.Errorf("one item at a time: %v, and then %q", seen, token)
	}
	s.fails("InvalidParameterValue", "DescribeInstances", "Value ( 4 ) for parameter maxResults is invalid.", "ec2 describe-instances --page-size 4")
}

// pagedList is a list that the command line pages.
type pagedList struct {
	command    string
	make       func(*shell) (more string) // makes it long, and returns the rest of the command
	list, key  string                     // its name in the answer, and what tells its items apart
	size, want int                        // of a page, and of the whole
}

// In this order: a row may use what the rows before it made.
var lists = []pagedList{
	{"ec2 describe-images", func(s *shell) string {
		for i := range 4 {
			s.cloud.SeedImage(localaws.Image{ID: fmt.Sprintf("ami-000000%02x", i)})
		}
		return ""
	}, "Images", "ImageId", 5, 8},
	{"ec2 describe-tags", func(s *shell) string {
		id := s.launch("1", "--tag-specifications ResourceType=instance,Tags=[{Key=a,Value=1},{Key=b,Value=1},{Key=c,Value=1},{Key=d,Value=1}]")
		s.text("ec2 create-tags --resources %s --tags Key=e,Value=1 Key=f,Value=1 Key=g,Value=1 Key=h,Value=1", id)
		return "--filters Name=resource-id,Values=" + id
	}, "Tags", "Key", 5, 8},
	{"ec2 describe-launch-templates", func(s *shell) string {
		for i := range 3 {
			s.text(`ec2 create-launch-template --launch-template-name web-%d --launch-template-data {"ImageId":"%s"}`, i, s.site.V1)
		}
		return ""
	}, "LaunchTemplates", "LaunchTemplateId", 2, 3},
	{"ec2 describe-launch-template-versions", func(s *shell) string {
		for range 2 {
			s.text(`ec2 create-launch-template-version --launch-template-name web-0 --source-version 1 --launch-template-data {"InstanceType":"t3.micro"}`)
		}
		return "--launch-template-name web-0"
	}, "LaunchTemplateVersions", "VersionNumber", 2, 3},
	{"cloudwatch describe-alarms", func(s *shell) string {
		for i := range 3 {
			s.text("cloudwatch put-metric-alarm --alarm-name alarm-%d --namespace AWS/ApplicationELB --metric-name HTTPCode_Target_5XX_Count "+
				"--statistic Sum --period 60 --evaluation-periods 1 --threshold 1 --comparison-operator GreaterThanThreshold", i)
		}
		return ""
	}, "MetricAlarms", "AlarmName", 2, 3},
	{"elbv2 describe-load-balancers", func(s *shell) string {
		for i := range 3 {
			s.balancer(fmt.Sprintf("web-%d", i))
		}
		return ""
	}, "LoadBalancers", "LoadBalancerArn", 2, 3},
	{"elbv2 describe-target-groups", func(s *shell) string {
		for i := range 3 {
			s.group(fmt.Sprintf("web-%d", i))
		}
		return ""
	}, "TargetGroups", "TargetGroupArn", 2, 3},
	{"elbv2 describe-listeners", func(s *shell) string {
		balancer := s.text("elbv2 describe-load-balancers --names web-0 --query LoadBalancers[].LoadBalancerArn")
		group := s.text("elbv2 describe-target-groups --names web-0 --query TargetGroups[].TargetGroupArn")
		for port := range 3 {
			s.text("elbv2 create-listener --load-balancer-arn %s --protocol HTTP --port %d --default-actions Type=forward,TargetGroupArn=%s",
				balancer, 80+port, group)
		}
		return "--load-balancer-arn " + balancer
	}, "Listeners", "ListenerArn", 2, 3},
	{"elbv2 describe-rules", func(s *shell) string {
		balancer := s.text("elbv2 describe-load-balancers --names web-0 --query LoadBalancers[].LoadBalancerArn")
		listener := s.text("elbv2 describe-listeners --load-balancer-arn %s --query Listeners[0].ListenerArn", balancer)
		for priority := 1; priority <= 2; priority++ { // and the default rule
			s.text("elbv2 create-rule --listener-arn %s --priority %d --conditions Field=path-pattern,Values=/%d "+
				"--actions Type=fixed-response,FixedResponseConfig={StatusCode=200}", listener, priority, priority)
		}
		return "--listener-arn " + listener
	}, "Rules", "Priority", 2, 3},
}

// pagingOf reads every list of a service.
func pagingOf(service string) func(*shell) {
	return func(s *shell) {
		for _, l := range lists {
			if strings.HasPrefix(l.command, service+" ") {
				s.pagesOf(l)
			}
		}
	}
}

// pagesOf reads a list whole and in pages, which show each item once, in the same order: by the command line's own paging, which stops
// where it is told to and goes on from its token, and by pages of the service.
func (s *shell) pagesOf(l pagedList) {
	command := l.command + " " + l.make(s)
	whole := s.keys(l.list, l.key, command)
	if len(whole.keys) != l.want || whole.next != "" {
		s.t.Errorf("%s shows %v and then %q, want %d items", command, whole.keys, whole.next, l.want)
	}
	size, most := fmt.Sprintf(" --page-size %d", l.size), fmt.Sprintf(" --max-items %d", l.want-1)
	if strings.HasPrefix(command, "elb") {
		// --page-size of the ELB commands is the API's own parameter, with which the command line asks for one page only: the next one
		// is asked for by --marker.
		s.sameKeys(whole.keys, s.inPages(l.list, l.key, command+size, " --marker "), command+size)
		s.sameKeys(whole.keys, s.inPages(l.list, l.key, command+most, " --starting-token "), command+most)
		return
	}
	before := s.now()
	s.sameKeys(whole.keys, s.keys(l.list, l.key, command+size).keys, command+size)
	if calls := s.calls(before, ""); calls != 2 {
		s.t.Errorf("%s made %d calls, want 2", command+size, calls)
	}
	s.sameKeys(whole.keys, s.inPages(l.list, l.key, command+size+most, " --starting-token "), command+size+most)
}

// onePage is what one command shows: the keys of the items, and where to go on.
type onePage struct {
	keys []string
	next string
}

func (s *shell) keys(list, key, command string) (page onePage) {
	s.t.Helper()
	var answer map[string]json.RawMessage
	s.json(&answer, "%s", command)
	var items []map[string]any
	if err := json.Unmarshal(answer[list], &items); err != nil {
		s.t.Fatalf("aws %s: %s of %v: %v", command, list, answer, err)
	}
	for _, item := range items {
		page.keys = append(page.keys, fmt.Sprint(item[key]))
	}
	for _, token := range []string{"NextToken", "NextMarker"} {
		if text := answer[token]; text != nil {
			if err := json.Unmarshal(text, &page.next); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	return page
}

// inPages asks for page after page until none is left.
func (s *shell) inPages(list, key, command, token string) (keys []string) {
	s.t.Helper()
	more, pages := "", 0
	for {
		page := s.keys(list, key, command+more)
		if keys, pages = append(keys, page.keys...), pages+1; page.next == "" || pages > 3 {
			break
		}
		more = token + page.next
	}
	if pages != 2 {
		s.t.Errorf("aws %s: %d pages, want 2", command, pages)
	}
	return keys
}

func (s *shell) sameKeys(want, got []string, command string) {
	s.t.Helper()
	if !slices.Equal(got, want) {
		s.t.Errorf("aws %s: in pages %v, whole %v", command, got, want)
	}
}

// json reads the whole answer of a command that has to succeed.
func (s *shell) json(into any, format string, args ...any) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.text("--output json "+format, args...)), into); err != nil {
		s.t.Fatalf("aws %s: %v", fmt.Sprintf(format, args...), err)
	}
}
