package localaws

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// crowd is a world with n instances.
func crowd(b *testing.B, n int32) *sim {
	s := newSim(b)
	big := s.SeedSubnet(Subnet{CIDR: "10.0.0.0/8"})
	for range n / 1000 {
		s.launch(1000, func(in *ec2.RunInstancesInput) { in.SubnetId = &big })
	}
	return s
}

func BenchmarkDescribeAPageOf10000(b *testing.B) {
	s := crowd(b, 10000)
	for b.Loop() {
		out, err := s.ec2.DescribeInstances(s.ctx, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(1000)})
		if err != nil || out.NextToken == nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDescribeThreeByTagAmong10000(b *testing.B) {
	s := crowd(b, 10000)
	if err := s.tag(map[string]string{"a": "b"}, s.launch(3)...); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if n := len(s.find("tag:a", "b")); n != 3 {
			b.Fatal(n)
		}
	}
}

// A deploy's share: three servers launched, described once a second until they run, and ended.
func BenchmarkThreeServersLives(b *testing.B) {
	s := newSim(b)
	for b.Loop() {
		ids := s.launch(3)
		for range 20 {
			if _, err := s.describe(ids...); err != nil {
				b.Fatal(err)
			}
			s.clock.Advance(1e9)
		}
		if err := s.terminate(ids...); err != nil {
			b.Fatal(err)
		}
	}
}
