package localaws

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

type filterCase struct {
	filter string
	values []string
	want   []string
}

// filterCases are questions about two instances and the answers.
func (s *sim) filterCases(a, b string) map[string]filterCase {
	first, _ := s.Instance(a)
	second, _ := s.Instance(b)
	return map[string]filterCase{
		"one id":                {"instance-id", []string{a}, []string{a}},
		"values are or":         {"instance-id", []string{a, b}, []string{a, b}},
		"state":                 {"instance-state-name", []string{"running"}, []string{a}},
		"states":                {"instance-state-name", []string{"running", "pending"}, []string{a, b}},
		"state code":            {"instance-state-code", []string{"0"}, []string{b}},
		"state reason":          {"state-reason-code", []string{"pending"}, []string{b}},
		"tag":                   {"tag:app", []string{"web-1"}, []string{a}},
		"tag by wildcard":       {"tag:app", []string{"*"}, []string{a, b}},
		"tag, one character":    {"tag:app", []string{"web-?"}, []string{a}},
		"tag, escaped star":     {"tag:app", []string{`api\*`}, []string{b}},
		"tag, case":             {"tag:app", []string{"WEB-1"}, nil},
		"another tag":           {"tag:role", []string{"*"}, nil},
		"tag key":               {"tag-key", []string{"app"}, []string{a, b}},
		"tag value":             {"tag-value", []string{"web*"}, []string{a}},
		"client token":          {"client-token", []string{"tok"}, []string{a}},
		"subnet":                {"subnet-id", []string{s.site.Subnets[1]}, []string{b}},
		"vpc":                   {"vpc-id", []string{s.site.VPC}, []string{a, b}},
		"image":                 {"image-id", []string{s.site.V2ARM}, []string{b}},
		"type":                  {"instance-type", []string{"c7g.*"}, []string{b}},
		"architecture":          {"architecture", []string{"arm64"}, []string{b}},
		"zone":                  {"availability-zone", []string{"us-east-1a"}, []string{a}},
		"address":               {"private-ip-address", []string{first.PrivateIP}, []string{a}},
		"dns name":              {"private-dns-name", []string{"ip-172-16-0-4.ec2.internal"}, []string{a}},
		"launch time":           {"launch-time", []string{"2026-11-22T09:01:*"}, []string{b}},
		"reservation":           {"reservation-id", []string{second.ReservationID}, []string{b}},
		"owner":                 {"owner-id", []string{"123456789012"}, []string{a, b}},
		"group":                 {"instance.group-id", []string{s.site.SecurityGroup}, []string{b}},
		"group name":            {"instance.group-name", []string{"default"}, []string{a}},
		"key":                   {"key-name", []string{"ops"}, []string{b}},
		"profile":               {"iam-instance-profile.arn", []string{"*/web"}, []string{b}},
		"tenancy":               {"tenancy", []string{"default"}, []string{a, b}},
		"first of its launch":   {"launch-index", []string{"0"}, []string{a, b}},
		"nothing of that value": {"launch-index", []string{"1"}, nil},
	}
}

func TestInstanceFilters(t *testing.T) {
	s := newSim(t)
	tag := func(key, value string) func(*ec2.RunInstancesInput) {
		return func(in *ec2.RunInstancesInput) {
			in.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: &key, Value: &value}}}}
		}
	}
	a := s.launch(1, tag("app", "web-1"), withToken("tok"), withUserData("#localaws boot=1s"))[0]
	s.clock.Advance(time.Minute)
	b := s.launch(1, tag("app", "api*"), func(in *ec2.RunInstancesInput) {
		in.SubnetId, in.InstanceType, in.ImageId = &s.site.Subnets[1], "c7g.large", &s.site.V2ARM
		in.SecurityGroupIds, in.KeyName = []string{s.site.SecurityGroup}, &s.site.KeyPair
		in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: &s.site.Profile}
	})[0]
	tests := s.filterCases(a, b)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s.t = t
			if got := sdkIDs(s.find(tc.filter, tc.values...)); !slices.Equal(got, tc.want) {
				t.Errorf("found %v, want %v", got, tc.want)
			}
		})
	}
	// Filters are and.
	list, err := instancesOf(s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{Filters: []types.Filter{
		{Name: aws.String("tag-key"), Values: []string{"app"}}, {Name: aws.String("image-id"), Values: []string{s.site.V1}}}}))
	if got := sdkIDs(list); err != nil || !slices.Equal(got, []string{a}) {
		t.Errorf("two filters found %v, %v", got, err)
	}
}

func sdkIDs(list []types.Instance) []string {
	var ids []string
	for _, in := range list {
		ids = append(ids, *in.InstanceId)
	}
	return ids
}

// Seen as FilterLimitExceeded: gossm pull request 35.
func TestTooManyFilterValues(t *testing.T) {
	s := newSim(t)
	_, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{Filters: []types.Filter{
		{Name: aws.String("tag:a"), Values: slices.Repeat([]string{"x"}, 201)}}})
	wantError(t, err, 400, "FilterLimitExceeded", "The maximum number of filter values specified on a single call is 200")
}

func TestPaging(t *testing.T) {
	s := newSim(t)
	var want []string
	for range 4 {
		want = append(want, s.launch(3)...)
	}
	var got []string
	pages := ec2.NewDescribeInstancesPaginator(s.ec2, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5)})
	for sizes := []int{5, 5, 2}; pages.HasMorePages(); sizes = sizes[1:] {
		list, err := instancesOf(pages.NextPage(s.ctx))
		if err != nil || len(list) != sizes[0] {
			t.Fatalf("page of %d, %v; want %d", len(list), err, sizes[0])
		}
		got = append(got, sdkIDs(list)...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the pages have %v, want %v", got, want)
	}
}

// A page begins after the last element of the one before, whatever was launched or forgotten in between.
func TestPagingWhileTheWorldChanges(t *testing.T) {
	s := newSim(t)
	ids := s.launch(7)
	out, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5)})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids[:5] {
		if err := s.Kill(id); err != nil {
			t.Fatal(err)
		}
	}
	s.clock.Advance(2 * time.Hour)
	later := s.launch(1)
	list, err := instancesOf(s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5), NextToken: out.NextToken}))
	if want := append(slices.Clone(ids[5:]), later...); err != nil || !slices.Equal(sdkIDs(list), want) {
		t.Errorf("the second page has %v, %v; want %v", sdkIDs(list), err, want)
	}
}

func TestPagingThatIsRefused(t *testing.T) {
	s := newSim(t)
	id := s.launch(1)[0]
	tests := map[string]struct {
		input         ec2.DescribeInstancesInput
		code, message string
	}{
		"with ids":  {ec2.DescribeInstancesInput{InstanceIds: []string{id}, MaxResults: aws.Int32(5)}, "InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults"},
		"too small": {ec2.DescribeInstancesInput{MaxResults: aws.Int32(4)}, "InvalidParameterValue", "Value ( 4 ) for parameter maxResults is invalid. Expecting a value greater than 5."},
		"too large": {ec2.DescribeInstancesInput{MaxResults: aws.Int32(1001)}, "InvalidParameterValue", "Value ( 1001 ) for parameter maxResults is invalid. Expecting a value smaller than 1000."},
		"bad token": {ec2.DescribeInstancesInput{MaxResults: aws.Int32(5), NextToken: aws.String("eA==")}, "InvalidPaginationToken", "The pagination token 'eA==' is not valid."},
		"many ids":  {ec2.DescribeInstancesInput{InstanceIds: slices.Repeat([]string{id}, 1001)}, "InvalidRequest", "1001 exceeds the maximum number of instance IDs that can be specificied (1000). Please specify fewer than 1000 instance IDs."},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := s.ec2.DescribeInstances(s.ctx, &tc.input)
			wantError(t, err, 400, tc.code, tc.message)
		})
	}
	// The token of another call is none of this one, though it has the same parameters.
	s.launch(9)
	out, err := s.ec2.DescribeVolumes(s.ctx, &ec2.DescribeVolumesInput{MaxResults: aws.Int32(5)})
	if err != nil || out.NextToken == nil {
		t.Fatal(err)
	}
	_, err = s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5), NextToken: out.NextToken})
	wantError(t, err, 400, "InvalidPaginationToken", "")
}

func TestOneUnknownIDFailsTheCall(t *testing.T) {
	s := newSim(t)
	id := s.launch(1)[0]
	_, err := s.describe(id, "i-00000000")
	wantError(t, err, 400, "InvalidInstanceID.NotFound", "The instance ID 'i-00000000' does not exist")
	_, err = s.describe("i-00000000", "i-00000001")
	wantError(t, err, 400, "InvalidInstanceID.NotFound", "The instance IDs 'i-00000000, i-00000001' do not exist")
	if found := s.find("instance-id", id, "i-00000000"); len(found) != 1 {
		t.Errorf("the filter instance-id finds %d; unlike ids it never fails", len(found))
	}
}

// EC2 developer guide, eventual consistency: what was launched is there, and not yet seen.
func TestAYoungInstanceMayNotBeSeen(t *testing.T) {
	s := newSim(t, func(k *Knobs) { k.LaunchVisible, k.LaunchMutable = 5*time.Second, 8*time.Second })
	id := s.launch(1)[0]
	notFound := "The instance ID '" + id + "' does not exist"
	tag := func() error {
		_, err := s.ec2.CreateTags(s.ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
		return err
	}
	s.clock.Advance(5*time.Second - 1)
	_, err := s.describe(id)
	wantError(t, err, 400, "InvalidInstanceID.NotFound", notFound)
	if found := s.find("instance-id", id); len(found) != 0 {
		t.Errorf("the filter finds %v", found)
	}
	if _, exists := s.Instance(id); !exists {
		t.Error("the instance does not exist either")
	}
	s.clock.Advance(1)
	if _, err := s.describe(id); err != nil {
		t.Errorf("after the lag: %v", err)
	}
	wantError(t, tag(), 400, "InvalidInstanceID.NotFound", notFound)
	wantError(t, s.terminate(id), 400, "InvalidInstanceID.NotFound", notFound)
	s.clock.Advance(3 * time.Second)
	if err := tag(); err != nil {
		t.Error(err)
	}
	if got := s.readTagsOf(id)["a"]; got != "b" {
		t.Errorf("the tag reads %q", got)
	}
}

func TestStatesMayBeShownLate(t *testing.T) {
	s := newSim(t, func(k *Knobs) { k.StateLag = 10 * time.Second })
	id := s.launch(1, withUserData("#localaws boot=3s"))[0]
	s.clock.Advance(12 * time.Second)
	if got := s.state(id); got != "running" {
		t.Fatalf("it is %s", got)
	}
	if list, _ := s.describe(id); list[0].State.Name != "pending" {
		t.Errorf("it shows %s at once", list[0].State.Name)
	}
	if found := s.find("instance-state-name", "running"); len(found) != 0 {
		t.Error("the filter knows better than the answer")
	}
	s.clock.Advance(time.Second)
	if list, _ := s.describe(id); list[0].State.Name != "running" {
		t.Errorf("it shows %s after the lag", list[0].State.Name)
	}
}

func TestInstanceStatus(t *testing.T) {
	s := newSim(t)
	id := s.launch(1, withUserData("#localaws boot=10s"))[0]
	status := func(all bool) string {
		out, err := s.ec2.DescribeInstanceStatus(s.ctx, &ec2.DescribeInstanceStatusInput{InstanceIds: []string{id}, IncludeAllInstances: &all})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.InstanceStatuses) == 0 {
			return "absent"
		}
		x := out.InstanceStatuses[0]
		return string(x.InstanceState.Name) + "/" + string(x.InstanceStatus.Status) + "/" + string(x.SystemStatus.Status)
	}
	want := func(all bool, want string) {
		t.Helper()
		if got := status(all); got != want {
			t.Errorf("status %s, want %s", got, want)
		}
	}
	want(false, "absent") // running instances only, unless all are asked for
	want(true, "pending/not-applicable/not-applicable")
	s.clock.Advance(10 * time.Second)
	want(false, "running/initializing/initializing")
	s.clock.Advance(2 * time.Minute)
	want(false, "running/ok/ok")
	s.clock.Advance(30 * time.Second)
	if err := s.Impair(id); err != nil {
		t.Fatal(err)
	}
	want(false, "running/ok/ok") // until the next check, which runs once a minute
	s.clock.Advance(30 * time.Second)
	want(false, "running/impaired/ok")
	out, err := s.ec2.DescribeInstanceStatus(s.ctx, &ec2.DescribeInstanceStatusInput{Filters: []types.Filter{
		{Name: aws.String("instance-status.reachability"), Values: []string{"failed"}}}})
	if err != nil || len(out.InstanceStatuses) != 1 || out.InstanceStatuses[0].InstanceStatus.Details[0].ImpairedSince == nil {
		t.Errorf("by filter: %+v, %v", out, err)
	}
	if volumes := out.InstanceStatuses[0].AttachedEbsStatus; volumes == nil || volumes.Status != "ok" {
		t.Errorf("the status of its volumes is %+v", volumes)
	}
	if err := s.Repair(id); err != nil {
		t.Fatal(err)
	}
	want(false, "running/ok/ok")
	_, err = s.ec2.DescribeInstanceStatus(s.ctx, &ec2.DescribeInstanceStatusInput{InstanceIds: slices.Repeat([]string{id}, 101)})
	wantError(t, err, 400, "InvalidRequest", "")
}
