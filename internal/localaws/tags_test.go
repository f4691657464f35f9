package localaws

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
)

func sdkTags(tags map[string]string) []types.Tag {
	var out []types.Tag
	for k, v := range tags {
		out = append(out, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	return out
}

func (s *sim) tag(tags map[string]string, ids ...string) error {
	_, err := s.ec2.CreateTags(s.ctx, &ec2.CreateTagsInput{Resources: ids, Tags: sdkTags(tags)})
	return err
}

// readTagsOf reads the tags of one resource by a second call.
func (s *sim) readTagsOf(id string) map[string]string {
	s.t.Helper()
	out, err := s.ec2.DescribeTags(s.ctx, &ec2.DescribeTagsInput{Filters: []types.Filter{{Name: aws.String("resource-id"), Values: []string{id}}}})
	if err != nil {
		s.t.Fatal(err)
	}
	tags := map[string]string{}
	for _, t := range out.Tags {
		tags[*t.Key] = *t.Value
	}
	return tags
}

func TestTags(t *testing.T) {
	s := newSim(t)
	id := s.launch(1)[0]
	steps := []struct {
		name string
		do   func() error
		want map[string]string
	}{
		{"create", func() error { return s.tag(map[string]string{"a": "1", "b": "", "A": "3"}, id, s.site.VPC) }, map[string]string{"a": "1", "b": "", "A": "3"}},
		{"overwrite", func() error { return s.tag(map[string]string{"a": "2"}, id) }, map[string]string{"a": "2", "b": "", "A": "3"}},
		{"delete with another value", func() error { return s.untag(id, types.Tag{Key: aws.String("a"), Value: aws.String("1")}) }, map[string]string{"a": "2", "b": "", "A": "3"}},
		{"delete with its value", func() error { return s.untag(id, types.Tag{Key: aws.String("a"), Value: aws.String("2")}) }, map[string]string{"b": "", "A": "3"}},
		{"delete by key", func() error { return s.untag(id, types.Tag{Key: aws.String("A")}) }, map[string]string{"b": ""}},
		{"delete what is not there", func() error { return s.untag(id, types.Tag{Key: aws.String("z")}) }, map[string]string{"b": ""}},
		{"delete all", func() error { return s.untag(id) }, map[string]string{}},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, s.readTagsOf(id)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	if got := s.readTagsOf(s.site.VPC); len(got) != 3 {
		t.Errorf("the VPC has %v", got)
	}
}

func (s *sim) untag(id string, tags ...types.Tag) error {
	_, err := s.ec2.DeleteTags(s.ctx, &ec2.DeleteTagsInput{Resources: []string{id}, Tags: tags})
	return err
}

func TestTagsThatAreRefused(t *testing.T) {
	s := newSim(t)
	id := s.launch(1)[0]
	many := map[string]string{}
	for i := range 50 {
		many[fmt.Sprint(i)] = ""
	}
	if err := s.tag(many, id); err != nil {
		t.Fatal(err)
	}
	one := map[string]string{"k": "v"}
	tests := map[string]struct {
		ids           []string
		tags          map[string]string
		code, message string
	}{
		"unknown instance":  {[]string{id, "i-00000000"}, map[string]string{"0": "x"}, "InvalidInstanceID.NotFound", "The instance ID 'i-00000000' does not exist"},
		"unknown image":     {[]string{"ami-00000000"}, one, "InvalidAMIID.NotFound", "The image id '[ami-00000000]' does not exist"},
		"no id at all":      {[]string{"web"}, one, "InvalidID", "The ID 'web' is not valid"},
		"one tag too many":  {[]string{id}, one, "TagLimitExceeded", "The maximum number of Tags for a resource has been reached."},
		"reserved":          {[]string{id}, map[string]string{"AWS:x": ""}, "InvalidParameterValue", "Value ( AWS:x ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use"},
		"long value":        {[]string{id}, map[string]string{"0": strings.Repeat("ä", 257)}, "InvalidParameterValue", "Tag value exceeds the maximum length of 256 characters"},
		"too many resource": {make([]string, 1001), one, "InvalidRequest", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { wantError(t, s.tag(tc.tags, tc.ids...), 400, tc.code, tc.message) })
	}
	if diff := cmp.Diff(many, s.readTagsOf(id)); diff != "" {
		t.Errorf("refused calls changed tags:\n%s", diff)
	}
	if err := s.tag(map[string]string{"0": strings.Repeat("ä", 256)}, id); err != nil {
		t.Errorf("a value of 256 characters: %v", err)
	}
	if got := s.readTagsOf(id); len(got) != 50 || got["0"] != strings.Repeat("ä", 256) {
		t.Errorf("%d tags, one of them %q", len(got), got["0"])
	}
}

func TestTagsMayBeSeenLate(t *testing.T) {
	s := newSim(t, func(k *Knobs) { k.TagLag = 4 * time.Second })
	id := s.launch(1, func(in *ec2.RunInstancesInput) {
		in.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: sdkTags(map[string]string{"role": "a"})}}
	})[0]
	seen := func(want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, s.readTagsOf(id)); diff != "" {
			t.Errorf("readers see (-want +got):\n%s", diff)
		}
		if found := s.find("tag:role", want["role"]); len(found) != 1 || *found[0].Tags[0].Value != want["role"] {
			t.Errorf("the filter tag:role=%s finds %v", want["role"], found)
		}
	}
	seen(map[string]string{"role": "a"}) // tags of the launch itself come with the instance
	for _, role := range []string{"b", "c"} {
		if err := s.tag(map[string]string{"role": role}, id); err != nil {
			t.Fatal(err)
		}
		s.clock.Advance(3 * time.Second)
	}
	seen(map[string]string{"role": "a"})
	if in, _ := s.Instance(id); !maps.Equal(in.Tags, map[string]string{"role": "c"}) {
		t.Errorf("the truth is %v", in.Tags)
	}
	s.clock.Advance(time.Second)
	seen(map[string]string{"role": "c"})
}

func TestTagsArePaged(t *testing.T) {
	s := newSim(t)
	if err := s.tag(map[string]string{"a": "", "b": "", "c": "", "d": ""}, s.site.VPC, s.site.V1); err != nil {
		t.Fatal(err)
	}
	pages, tags := 0, 0
	p := ec2.NewDescribeTagsPaginator(s.ec2, &ec2.DescribeTagsInput{MaxResults: aws.Int32(5)})
	for p.HasMorePages() {
		out, err := p.NextPage(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		pages, tags = pages+1, tags+len(out.Tags)
	}
	if pages != 2 || tags != 8 {
		t.Errorf("%d tags on %d pages, want 8 on 2", tags, pages)
	}
}

func TestTagsOfATerminatedInstanceMayVanish(t *testing.T) {
	s := newSim(t, func(k *Knobs) { k.TerminatedTags = time.Minute })
	id := s.launch(1)[0]
	if err := s.tag(map[string]string{"a": "b"}, id); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(id); err != nil {
		t.Fatal(err)
	}
	s.clock.Advance(time.Minute - 1)
	if n := len(s.find("tag:a", "b")); n != 1 {
		t.Errorf("%d found before the tags vanish", n)
	}
	s.clock.Advance(1)
	if n := len(s.find("tag:a", "b")); n != 0 {
		t.Errorf("%d found after the tags vanished", n)
	}
	if _, err := s.describe(id); err != nil {
		t.Errorf("the instance itself: %v", err)
	}
}
