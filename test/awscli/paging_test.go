//go:build awscli

package awscli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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

// json reads the whole answer of a command that has to succeed.
func (s *shell) json(into any, format string, args ...any) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.text("--output json "+format, args...)), into); err != nil {
		s.t.Fatalf("aws %s: %v", fmt.Sprintf(format, args...), err)
	}
}
