package localaws

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Each operation that changes something is asked for by the ARN of what it changes: a policy that names resources would be
// worth nothing otherwise.
func TestEveryChangeIsAskedForByItsResource(t *testing.T) {
	c := New(Options{})
	values := map[string]string{"InstanceId": "i-1", "ImageId": "ami-1", "ResourceId": "vol-1", "LaunchTemplateId": "lt-1", "SubnetId": "subnet-1",
		"GroupId": "sg-1", "VolumeId": "vol-1", "FleetId": "fleet-1", "RoleArn": "arn:aws:iam::123456789012:role/r"}
	for _, service := range allServices() {
		for name, op := range service.operations {
			if !op.mutates || service.name+":"+name == "ec2:RunInstances" {
				continue
			}
			form := url.Values{}
			for param := range op.allowed {
				param = strings.TrimSuffix(strings.ReplaceAll(param+".", ".N.", ".1."), ".")
				last := param[strings.LastIndex(strings.TrimSuffix(param, ".1"), ".")+1:]
				last = strings.TrimSuffix(last, ".1")
				value := values[last]
				if value == "" && strings.HasSuffix(strings.TrimSuffix(param, ".member.1"), "Arns") || strings.HasSuffix(last, "Arn") && value == "" {
					value = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/x/1"
				}
				if value == "" {
					value = "x"
				}
				form.Set(param, value)
			}
			q := &call{service: service, action: name, form: form, params: parseParams(form), realm: c.realm(c.Realm.key)}
			requests := c.iamRequests(q, &op)
			if len(requests) == 0 || slices.ContainsFunc(requests, func(r iamRequest) bool { return !strings.HasPrefix(r.resource, "arn:aws:") }) {
				t.Errorf("%s:%s is asked for as %v", service.name, name, requests)
			}
		}
	}
}
