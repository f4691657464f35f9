package iam_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/config/iam"
)

func prod() iam.Installation {
	return iam.Installation{Account: "123456789012", Region: "us-east-1", Cluster: "prod", ServerRoles: []string{"web"}, Parameters: []string{"/images/*"},
		EventsQueue: "slipway-events"}
}

// decoded is a policy by the names of its statements.
func decoded(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var policy struct{ Statement []map[string]any }
	if err := json.Unmarshal(text, &policy); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	statements := map[string]any{}
	for _, s := range policy.Statement {
		statements[s["Sid"].(string)] = s
	}
	return statements
}

func policy(t *testing.T, of iam.Installation) map[string]any {
	t.Helper()
	text, err := iam.Policy(of)
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, text)
}

// What the command prints is the file that is shipped, with its words replaced.
func TestPolicyIsTheShippedOne(t *testing.T) {
	text, err := os.ReadFile("policy.json")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("REGION", "us-east-1", "ACCOUNT_ID", "123456789012", "CLUSTER_NAME", "prod", "SERVER_ROLE", "web",
		"EVENTS_QUEUE", "slipway-events").Replace(string(text))
	if diff := cmp.Diff(decoded(t, []byte(want)), policy(t, prod())); diff != "" {
		t.Errorf("-shipped +made:\n%s", diff)
	}
}

// Every region that a ReleaseClass takes has a policy, with the ARNs of the partition that it is in.
func TestPolicyOfEveryPartition(t *testing.T) {
	for region, want := range map[string]struct {
		partition string
		ec2       any
	}{
		"us-east-1":      {"aws", "ec2.amazonaws.com"},
		"us-isolde-1":    {"aws", "ec2.amazonaws.com"}, // only begins like one
		"ap-southeast-7": {"aws", "ec2.amazonaws.com"},
		"mx-central-1":   {"aws", "ec2.amazonaws.com"},
		"eu-west-12":     {"aws", "ec2.amazonaws.com"},
		"cn-northwest-1": {"aws-cn", []any{"ec2.amazonaws.com", "ec2.amazonaws.com.cn"}},
		"us-gov-east-1":  {"aws-us-gov", "ec2.amazonaws.com"},
		"eusc-de-east-1": {"aws-eusc", []any{"ec2.amazonaws.com", "ec2.amazonaws.eu"}},
		"us-iso-east-1":  {"aws-iso", []any{"ec2.amazonaws.com", "ec2.c2s.ic.gov"}},
		"us-isob-east-1": {"aws-iso-b", []any{"ec2.amazonaws.com", "ec2.sc2s.sgov.gov"}},
		"eu-isoe-west-1": {"aws-iso-e", []any{"ec2.amazonaws.com", "ec2.cloud.adc-e.uk"}},
		"us-isof-east-1": {"aws-iso-f", []any{"ec2.amazonaws.com", "ec2.csp.hci.ic.gov"}},
		"eu-isof-west-1": {"aws-iso-f", []any{"ec2.amazonaws.com", "ec2.csp.hci.ic.gov"}},
	} {
		t.Run(region, func(t *testing.T) {
			of := prod()
			of.Region = region
			text, err := iam.Policy(of)
			if err != nil {
				t.Fatal(err)
			}
			ours, all := strings.Count(string(text), `"arn:`+want.partition+`:`), strings.Count(string(text), `"arn:`)
			if ours != all || all == 0 {
				t.Errorf("%d of %d ARNs are of partition %s:\n%s", ours, all, want.partition, text)
			}
			pass := decoded(t, text)["GiveServersTheirRole"].(map[string]any)["Condition"]
			if diff := cmp.Diff(map[string]any{"StringEquals": map[string]any{"iam:PassedToService": want.ec2}}, pass); diff != "" {
				t.Errorf("-wanted +made:\n%s", diff)
			}
		})
	}
}

// Regions are written as a ReleaseClass takes them, and in no other way.
func TestRegionsAreThoseOfTheClass(t *testing.T) {
	text, err := os.ReadFile("../crd/bases/slipway.dev_releaseclasses.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var class struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema struct {
						Properties struct {
							Spec struct {
								Properties struct{ Region struct{ Pattern string } }
							}
						}
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &class); err != nil {
		t.Fatal(err)
	}
	pattern := class.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties.Spec.Properties.Region.Pattern
	if pattern != iam.RegionPattern {
		t.Errorf("a class takes %s, and a policy is made for %s", pattern, iam.RegionPattern)
	}
}

// Nothing that a key allows is without a condition: whoever takes the role cannot use the key but by way of an AWS service.
func TestKeysAreForServicesAlone(t *testing.T) {
	of := prod()
	of.Keys = []string{"arn:aws:kms:us-east-1:123456789012:key/k-1"}
	granted := 0
	for sid, s := range policy(t, of) {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), `"kms:`) {
			continue
		}
		granted++
		if s.(map[string]any)["Condition"] == nil {
			t.Errorf("%s has no condition:\n%s", sid, text)
		}
	}
	if granted == 0 {
		t.Error("no statement is about the key")
	}
}

// What an installation does not use is not allowed, and what only it uses is.
func TestPolicyFitsTheInstallation(t *testing.T) {
	shipped := policy(t, prod())
	for name, row := range map[string]struct {
		edit      func(*iam.Installation)
		statement string
		has       []string // in the statement; nil: it is not there
		hasNot    []string
	}{
		"no profile":     {func(i *iam.Installation) { i.ServerRoles = nil }, "GiveServersTheirRole", nil, nil},
		"two roles":      {func(i *iam.Installation) { i.ServerRoles = []string{"web", "teams/batch"} }, "GiveServersTheirRole", []string{`["arn:aws:iam::123456789012:role/web","arn:aws:iam::123456789012:role/teams/batch"]`}, nil},
		"no queue":       {func(i *iam.Installation) { i.EventsQueue = "" }, "HearOfServers", nil, nil},
		"a queue":        {func(*iam.Installation) {}, "HearOfServers", []string{`"Resource":"arn:aws:sqs:us-east-1:123456789012:slipway-events"`}, []string{"*"}},
		"no parameter":   {func(i *iam.Installation) { i.Parameters = nil }, "ReadImageParameters", nil, nil},
		"own parameters": {func(i *iam.Installation) { i.Parameters = []string{"/golden/web"} }, "ReadImageParameters", []string{"parameter/golden/web"}, []string{"/images/"}},
		"AWS's parameters": {func(i *iam.Installation) { i.Parameters = []string{"/aws/service/eks/*", "/golden/*"} }, "ReadImageParameters",
			[]string{`["arn:aws:ssm:us-east-1::parameter/aws/service/eks/*","arn:aws:ssm:us-east-1:123456789012:parameter/golden/*"]`}, nil},
		"former cluster":   {func(i *iam.Installation) { i.FormerCluster = "old" }, "RetagOurServers", []string{`"aws:ResourceTag/slipway.dev/cluster":["prod","old"]`}, nil},
		"no former one":    {func(*iam.Installation) {}, "RetagOurServers", []string{`"aws:ResourceTag/slipway.dev/cluster":"prod"`}, []string{"old"}},
		"not to terminate": {func(i *iam.Installation) { i.FormerCluster = "old" }, "TerminateOurServers", []string{`"aws:ResourceTag/slipway.dev/cluster":"prod"`}, []string{"old"}},
		"a key": {func(i *iam.Installation) { i.Keys = []string{"arn:aws:kms:us-east-1:123456789012:key/k-1"} }, "UseKeysOfVolumesByEC2",
			[]string{`"Resource":["arn:aws:kms:us-east-1:123456789012:key/k-1"]`, `"Condition":{"StringEquals":{"kms:ViaService":"ec2.us-east-1.amazonaws.com"}}`, "kms:Decrypt"},
			[]string{`"*"`, "kms:CreateGrant"}},
		"a grant": {func(i *iam.Installation) { i.Keys = []string{"arn:aws:kms:us-east-1:123456789012:key/k-1"} }, "GrantKeysToServices",
			[]string{`"Resource":["arn:aws:kms:us-east-1:123456789012:key/k-1"]`, `"Condition":{"Bool":{"kms:GrantIsForAWSResource":"true"}}`, `"Action":"kms:CreateGrant"`},
			[]string{`"*"`}},
		"a key in China": {func(i *iam.Installation) {
			i.Region, i.Keys = "cn-north-1", []string{"arn:aws-cn:kms:cn-north-1:123456789012:key/k-1"}
		}, "UseKeysOfVolumesByEC2", []string{`"kms:ViaService":["ec2.cn-north-1.amazonaws.com","ec2.cn-north-1.amazonaws.com.cn"]`}, nil},
		"no key":   {func(*iam.Installation) {}, "UseKeysOfVolumesByEC2", nil, nil},
		"no grant": {func(*iam.Installation) {}, "GrantKeysToServices", nil, nil},
		"China": {func(i *iam.Installation) { i.Region = "cn-north-1" }, "GiveServersTheirRole",
			[]string{"arn:aws-cn:iam::123456789012:role/web", `"ec2.amazonaws.com.cn"`}, []string{"arn:aws:"}},
		"GovCloud": {func(i *iam.Installation) { i.Region = "us-gov-west-1" }, "WorkOnPoolsThatAreGranted", []string{"arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:"},
			[]string{"arn:aws:"}},
	} {
		t.Run(name, func(t *testing.T) {
			of := prod()
			row.edit(&of)
			made := policy(t, of)
			statement, there := made[row.statement]
			if there != (row.has != nil) {
				t.Fatalf("%s is there: %v", row.statement, there)
			}
			text, err := json.Marshal(statement)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range row.has {
				if !strings.Contains(string(text), want) {
					t.Errorf("lacks %s:\n%s", want, text)
				}
			}
			for _, never := range row.hasNot {
				if strings.Contains(string(text), never) {
					t.Errorf("has %s:\n%s", never, text)
				}
			}
			if of.Region != prod().Region {
				return
			}
			for sid, other := range shipped { // all the rest is as it was
				if sid != row.statement && !cmp.Equal(other, made[sid]) {
					if !(name == "not to terminate" && sid == "RetagOurServers") {
						t.Errorf("%s has changed: %s", sid, cmp.Diff(other, made[sid]))
					}
				}
			}
		})
	}
}

func TestPolicyRefusesWrongWords(t *testing.T) {
	for want, edit := range map[string]func(*iam.Installation){
		`account "": an AWS account is 12 digits`:                     func(i *iam.Installation) { i.Account = "" },
		`account "12345678901x"`:                                      func(i *iam.Installation) { i.Account = "12345678901x" },
		`region "virginia": a region is written like us-east-1`:       func(i *iam.Installation) { i.Region = "virginia" },
		`cluster name "": the value of the tag`:                       func(i *iam.Installation) { i.Cluster = "" },
		`cluster name "*": *, ?, $ and braces mean something`:         func(i *iam.Installation) { i.Cluster = "*" },
		`mean something in a policy`:                                  func(i *iam.Installation) { i.FormerCluster = "${aws:username}" },
		`events queue "https://sqs/1/events": the name of a queue`:    func(i *iam.Installation) { i.EventsQueue = "https://sqs/1/events" },
		`server role "arn:aws:iam::123456789012:role/web": the name`:  func(i *iam.Installation) { i.ServerRoles = []string{"arn:aws:iam::123456789012:role/web"} },
		`parameter "images/web": the name of an SSM parameter begins`: func(i *iam.Installation) { i.Parameters = []string{"images/web"} },
		`key "alias/web": the ARN of a KMS key is meant`:              func(i *iam.Installation) { i.Keys = []string{"alias/web"} },
		`name fewer roles, parameters or keys`:                        func(i *iam.Installation) { i.ServerRoles = slices.Repeat([]string{"a-role-with-a-long-name"}, 100) },
	} {
		of := prod()
		edit(&of)
		if text, err := iam.Policy(of); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v and should say %s; policy: %s", err, want, text)
		}
	}
}
