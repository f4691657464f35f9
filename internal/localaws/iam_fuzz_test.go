package localaws

import (
	"os"
	"testing"
)

// FuzzParsePolicy: a policy is read or refused in words, and what is read can be asked.
func FuzzParsePolicy(f *testing.F) {
	text, err := os.ReadFile("../../config/iam/policy.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(allow(`"Action":["ec2:*"],"NotResource":"arn:aws:ec2:*:*:instance/${aws:PrincipalTag/x, 'y'}"`))
	f.Add(allow(`"NotAction":"ec2:?","Resource":"*","Condition":{"ForAnyValue:NumericLessThanIfExists":{"aws:EpochTime":[1,"2"]},"Null":{"aws:TagKeys":true}}`))
	f.Add(allow(`"Action":"*","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:*:*:*:*:${*}\\?"},"DateEquals":{"aws:CurrentTime":"2026-11-22"}}`))
	f.Add(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":["*","123456789012"]},"Action":"sts:AssumeRole"}}`)
	f.Fuzz(func(t *testing.T, document string) {
		for _, kind := range []policyKind{identityPolicy, trustPolicy} {
			p, err := parsePolicy(document, kind)
			if err != nil {
				if err.Error() == "" {
					t.Error("an error without words")
				}
				continue
			}
			keys := map[string][]string{"aws:tagkeys": {"a", "b"}, "aws:epochtime": {"1"}, "aws:principalarn": {"arn:aws:iam::1:role/x"}}
			r := &iamRequest{action: "ec2:RunInstances", resource: "arn:aws:ec2:us-east-1:1:instance/*", keys: keys}
			if first, again := evaluate([]*policy{p}, r), evaluate([]*policy{p}, r); first != again {
				t.Errorf("%s is %d, and then %d", document, first, again)
			}
		}
	})
}
