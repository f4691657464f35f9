// Package iam is the IAM policy that Slipway needs in one AWS account and region: policy.json as it is shipped, and as it is for one
// installation, with the words in capitals filled in (README.md says what they are). A test holds its actions equal to the calls that
// the code makes, and every end-to-end scenario runs under what [Policy] gives.
package iam

import (
	"bytes"
	_ "embed" // policy.json
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

//go:embed policy.json
var shipped []byte

// limit is how many characters AWS takes in a managed policy, white space left out.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const limit = 6144

// RegionPattern is how a region is written: that of a ReleaseClass's spec.region.
const RegionPattern = `^[a-z]{2,}(-[a-z]+)+-[0-9]+$`

// Installation is what a policy is made for.
type Installation struct {
	// Account is the 12-digit account, Region the region of the ReleaseClass. Both are required.
	Account, Region string
	// Cluster is the value of the tag slipway.dev/cluster: the manager's --cluster-name, 1 to 256 characters. Required.
	Cluster string
	// FormerCluster is the cluster whose servers are to be taken over by adopt.formerCluster. Default: none.
	FormerCluster string
	// ServerRoles are the names, with their paths, of the roles inside the instance profiles that servers carry; * is part of a pattern.
	// Default: none, and no server may carry one. Example: web
	ServerRoles []string
	// Parameters are the SSM parameters that image.ssmParameter may name; * is part of a pattern. Those below /aws/ are AWS's own.
	// Default: none. Example: /images/*
	Parameters []string
	// EventsQueue is the name of the SQS queue that the ReleaseClass names as spec.eventsQueue. Default: none.
	EventsQueue string
	// Keys are the ARNs of customer-managed KMS keys that volumes are encrypted with. Default: none.
	Keys []string
}

// statement is one of a policy, in the order in which AWS's own examples write it.
type statement struct {
	Sid       string
	Effect    string
	Action    any
	Resource  any
	Condition any `json:",omitempty"`
}

type document struct {
	Version   string
	Statement []statement
}

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(RegionPattern)
	queueForm   = regexp.MustCompile(`^[A-Za-z0-9_-]{0,80}$`)
	keyForm     = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$`)
)

// Policy is the policy of an installation, as indented JSON that ends with a new line. It fails where a word is missing or cannot be
// what it should be, and where AWS would find the policy too long.
func Policy(of Installation) ([]byte, error) {
	if err := of.check(); err != nil {
		return nil, err
	}
	var policy document
	if err := json.Unmarshal(shipped, &policy); err != nil {
		return nil, fmt.Errorf("policy.json: %w", err)
	}
	words := strings.NewReplacer("arn:aws:", "arn:"+partitionOf(of.Region).name+":", "ACCOUNT_ID", of.Account, "REGION", of.Region, "CLUSTER_NAME", of.Cluster)
	var kept []statement
	for _, s := range policy.Statement {
		s.Resource, s.Condition = fill(s.Resource, words), fill(s.Condition, words)
		if s, needed := of.shape(s); needed {
			kept = append(kept, s)
		}
	}
	kept = append(kept, of.keyStatements()...)
	policy.Statement = kept
	return written(policy)
}

// check names the first word that is wrong.
func (of Installation) check() error {
	switch {
	case !accountForm.MatchString(of.Account):
		return fmt.Errorf("account %q: an AWS account is 12 digits", of.Account)
	case !regionForm.MatchString(of.Region):
		return fmt.Errorf("region %q: a region is written like us-east-1", of.Region)
	case of.Cluster == "" || len(of.Cluster) > 256:
		return fmt.Errorf("cluster name %q: the value of the tag slipway.dev/cluster has 1 to 256 characters", of.Cluster)
	case strings.ContainsAny(of.Cluster+of.FormerCluster, "*?${}"): // a pattern or a variable in a condition of IAM's
		return fmt.Errorf("cluster name %q: *, ?, $ and braces mean something in a policy", of.Cluster+of.FormerCluster)
	}
	return of.checkNames()
}

// checkNames names the first list entry that is wrong.
func (of Installation) checkNames() error {
	for _, role := range of.ServerRoles {
		if role == "" || strings.Contains(role, ":") {
			return fmt.Errorf("server role %q: the name of a role is meant, as web, not its ARN", role)
		}
	}
	for _, parameter := range of.Parameters {
		if !strings.HasPrefix(parameter, "/") {
			return fmt.Errorf("parameter %q: the name of an SSM parameter begins with a slash here, as /images/web or /images/*", parameter)
		}
	}
	if !queueForm.MatchString(of.EventsQueue) {
		return fmt.Errorf("events queue %q: the name of a queue is meant, as slipway-events, not its ARN or URL", of.EventsQueue)
	}
	for _, key := range of.Keys {
		if !keyForm.MatchString(key) {
			return fmt.Errorf("key %q: the ARN of a KMS key is meant, as arn:aws:kms:us-east-1:123456789012:key/…", key)
		}
	}
	return nil
}

// shape fits the statements that depend on what an installation uses, and says whether it needs this one at all.
func (of Installation) shape(s statement) (_ statement, needed bool) {
	switch s.Sid {
	case "ReadImageParameters":
		s.Resource = each(s.Resource, of.Account+":parameter/images/*", owned(of.Account, of.Parameters))
		return s, len(of.Parameters) > 0
	case "HearOfServers":
		s.Resource = each(s.Resource, "EVENTS_QUEUE", []string{of.EventsQueue})
		return s, of.EventsQueue != ""
	case "GiveServersTheirRole":
		s.Resource = each(s.Resource, "SERVER_ROLE", of.ServerRoles)
		equalIn(s)["iam:PassedToService"] = partitionOf(of.Region).called("ec2")
		return s, len(of.ServerRoles) > 0
	case "RetagOurServers":
		if of.FormerCluster != "" {
			equalIn(s)["aws:ResourceTag/slipway.dev/cluster"] = []string{of.Cluster, of.FormerCluster}
		}
	}
	return s, true
}

// owned are parameters behind the account that their ARNs have. AWS publishes its own for everybody, below /aws/service/, and their ARNs have none.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html
func owned(account string, parameters []string) []string {
	names := make([]string, 0, len(parameters))
	for _, name := range parameters {
		if strings.HasPrefix(name, "/aws/") {
			names = append(names, ":parameter"+name)
		} else {
			names = append(names, account+":parameter"+name)
		}
	}
	return names
}

// keyStatements are about what encrypts volumes. A grant has to be one that an AWS service asks for, and the rest is asked by way of EC2 in
// this region: whoever takes the role cannot call KMS with these keys themselves, nor grant them to somebody of theirs.
func (of Installation) keyStatements() []statement {
	if len(of.Keys) == 0 {
		return nil
	}
	via := partitionOf(of.Region).called("ec2." + of.Region)
	return []statement{
		{Sid: "GrantKeysToServices", Effect: "Allow", Action: "kms:CreateGrant", Resource: of.Keys,
			Condition: map[string]any{"Bool": map[string]any{"kms:GrantIsForAWSResource": "true"}}},
		{Sid: "UseKeysOfVolumesByEC2", Effect: "Allow", Action: []string{"kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*"},
			Resource: of.Keys, Condition: map[string]any{"StringEquals": map[string]any{"kms:ViaService": via}}},
	}
}

// equalIn are what a statement's condition wants to be equal.
func equalIn(s statement) map[string]any {
	conditions, _ := s.Condition.(map[string]any)
	equal, _ := conditions["StringEquals"].(map[string]any)
	return equal
}

// each is a resource once for every name in the place of a word.
func each(resource any, word string, names []string) any {
	pattern, _ := resource.(string)
	all := make([]string, 0, len(names))
	for _, name := range names {
		all = append(all, strings.Replace(pattern, word, name, 1))
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

// fill replaces the words in every string.
func fill(value any, words *strings.Replacer) any {
	switch value := value.(type) {
	case string:
		return words.Replace(value)
	case []any:
		for i := range value {
			value[i] = fill(value[i], words)
		}
	case map[string]any:
		for key := range value {
			value[key] = fill(value[key], words)
		}
	}
	return value
}

// partition is a part of AWS: its name, as ARNs have it, and what the names of its hosts end with.
type partition struct{ regions, name, hosts string }

// partitions are all but the first one, which has the other regions, by how the names of their regions begin.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html; names and hosts are those of the AWS SDK's endpoints.
var partitions = []partition{
	{"cn-", "aws-cn", "amazonaws.com.cn"},
	{"us-gov-", "aws-us-gov", hosts},
	{"eusc-", "aws-eusc", "amazonaws.eu"},
	{"us-iso-", "aws-iso", "c2s.ic.gov"},
	{"us-isob-", "aws-iso-b", "sc2s.sgov.gov"},
	{"eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"},
	{"us-isof-", "aws-iso-f", "csp.hci.ic.gov"},
	{"eu-isof-", "aws-iso-f", "csp.hci.ic.gov"},
}

const hosts = "amazonaws.com"

// partitionOf is the partition that a region belongs to.
func partitionOf(region string) partition {
	i := slices.IndexFunc(partitions, func(p partition) bool { return strings.HasPrefix(region, p.regions) })
	if i < 0 {
		return partition{name: "aws", hosts: hosts}
	}
	return partitions[i]
}

// called are the names that a service goes by where IAM asks for one: everywhere the first partition's, and in others their own beside it.
func (p partition) called(service string) any {
	if p.hosts == hosts {
		return service + "." + hosts
	}
	return []string{service + "." + hosts, service + "." + p.hosts}
}

func written(policy document) ([]byte, error) {
	var text, dense bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(policy); err != nil {
		return nil, err
	}
	if err := json.Compact(&dense, text.Bytes()); err != nil {
		return nil, err
	}
	if dense.Len() > limit {
		return nil, fmt.Errorf("the policy has %d characters, and AWS takes %d: name fewer roles, parameters or keys, or use a pattern", dense.Len(), limit)
	}
	return text.Bytes(), nil
}
