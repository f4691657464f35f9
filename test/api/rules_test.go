package api_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rule is one line about one rule: an object that the API server takes, and one that it refuses.
type rule struct {
	name      string
	good, bad []edit
	field     string // where the refusal points
	message   string // the part of it that a person needs
}

// pools is spec.loadBalancers with one test and one production pool, given without their names.
func pools(test, production string) []edit {
	return []edit{set("loadBalancers", "{test: [{name: test, "+test+"}], production: [{name: edge, "+production+"}]}")}
}

const (
	groupARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef"
	uid      = "8a6c1d5e-52f0-4a53-8a6b-0d8f4a4f9a11"
)

// releaseRules are about a Release that is applied for the first time.
var releaseRules = []rule{
	// What a server is made of.
	{"an image id has the form of one",
		[]edit{set("image", "{id: ami-01234567}")}, []edit{set("image", "{id: web-2026-11-22}")},
		"spec.image.id", "to find an image by its name use image.selector"},
	{"an image has exactly one source",
		[]edit{set("image", "{ssmParameter: /images/web}")}, []edit{set("image", "{id: ami-01234567, ssmParameter: /images/web}")},
		"spec.image", "exactly one of id, ssmParameter and selector"},
	{"an image has a source",
		[]edit{set("image", "{selector: {owners: [self], name: web-*, tags: {channel: release}}}")}, []edit{set("image", "{}")},
		"spec.image", "exactly one of id, ssmParameter and selector"},
	{"an image selector has owners",
		[]edit{set("image", "{selector: {owners: [self, '123456789012']}}")}, []edit{set("image", "{selector: {name: web-*}}")},
		"spec.image.selector", "add owners: [self]"},
	{"the owners of an image selector are not an empty list",
		[]edit{set("image", "{selector: {owners: [amazon]}}")}, []edit{set("image", "{selector: {owners: []}}")},
		"spec.image.selector", "add owners: [self]"},
	{"a version fits into a tag and a shell script",
		[]edit{set("version", "2026.11.22-1+b/c")}, []edit{set("version", "$(reboot)")},
		"spec.version", "a version starts with a letter or digit"},
	{"a version is there",
		[]edit{set("version", "'1'")}, []edit{without("version")}, "spec.version", "Required value"},
	{"an instance type has a family and a size",
		[]edit{set("template.instanceTypes", "[u-6tb1.metal, mac2-m2.metal]")}, []edit{set("template.instanceTypes", "[large]")},
		"spec.template.instanceTypes[0]", "as in c7g.large"},
	{"there is an instance type",
		[]edit{set("template.instanceTypes", "[t4g.nano]")}, []edit{set("template.instanceTypes", "[]")},
		"spec.template.instanceTypes", "should have at least 1 items"},
	{"a subnet is named by its id",
		[]edit{set("template.subnetIDs", "[subnet-a, subnet-0a1b2c3d]")}, []edit{set("template.subnetIDs", "[subnet-a, private-b]")},
		"spec.template.subnetIDs[1]", "give the id, not the name"},
	{"there is a subnet",
		[]edit{set("template.subnetIDs", "[subnet-a]")}, []edit{without("template.subnetIDs")},
		"spec.template.subnetIDs", "Required value"},
	{"a subnet is named once, or servers are not spread evenly",
		[]edit{set("template.subnetIDs", "[subnet-a, subnet-b]")}, []edit{set("template.subnetIDs", "[subnet-a, subnet-a]")},
		"spec.template.subnetIDs[1]", "Duplicate value"},
	{"a security group is named by its id",
		[]edit{set("template.securityGroupIDs", "[sg-1]")}, []edit{set("template.securityGroupIDs", "[web]")},
		"spec.template.securityGroupIDs[0]", "give the id, not the name"},
	{"user data has exactly one source",
		[]edit{set("template.userData", "{secretRef: {name: web, key: boot}}")},
		[]edit{set("template.userData", "{inline: x, secretRef: {name: web, key: boot}}")},
		"spec.template.userData", "exactly one of inline, secretRef and configMapRef"},
	{"user data has a source",
		[]edit{set("template.userData", "{configMapRef: {name: web, key: boot}}")}, []edit{set("template.userData", "{}")},
		"spec.template.userData", "exactly one of inline, secretRef and configMapRef"},
	{"user data fits into EC2's limit",
		[]edit{text("template.userData.inline", strings.Repeat("x", 16384))},
		[]edit{text("template.userData.inline", strings.Repeat("x", 16385))},
		"spec.template.userData.inline", "more than the 16384 bytes"},
	{"the limit of user data is in bytes, not characters",
		[]edit{text("template.userData.inline", strings.Repeat("é", 8192))},
		[]edit{text("template.userData.inline", strings.Repeat("é", 8193))},
		"spec.template.userData.inline", "more than the 16384 bytes"},
	{"the hop limit has an end",
		[]edit{set("template.metadataOptions", "{hopLimit: 64}")}, []edit{set("template.metadataOptions", "{hopLimit: 65}")},
		"spec.template.metadataOptions.hopLimit", "less than or equal to 64"},
	{"the hop limit has a beginning",
		[]edit{set("template.metadataOptions", "{hopLimit: 1}")}, []edit{set("template.metadataOptions", "{hopLimit: 0}")},
		"spec.template.metadataOptions.hopLimit", "greater than or equal to 1"},
	{"AWS's tags are AWS's, however they are written",
		[]edit{set("template.tags", "{awsome: x, Name: web}")}, []edit{set("template.tags", "{'AWS:x': web}")},
		"spec.template.tags", "choose another key"},
	{"Slipway's tags are Slipway's",
		[]edit{set("template.tags", "{slipway: x, slipwayXdev/role: x}")}, []edit{set("template.tags", "{slipway.dev/role: stable}")},
		"spec.template.tags", "choose another key"},
	{"the key of a tag has a length",
		[]edit{set("template.tags", "{"+strings.Repeat("k", 128)+": x}")}, []edit{set("template.tags", "{"+strings.Repeat("k", 129)+": x}")},
		"spec.template.tags", "1 to 128 characters"},
	{"the key of an image's tag has a length",
		[]edit{set("image", "{selector: {owners: [self], tags: {"+strings.Repeat("k", 128)+": x}}}")},
		[]edit{set("image", "{selector: {owners: [self], tags: {"+strings.Repeat("k", 129)+": x}}}")},
		"spec.image.selector.tags", "1 to 128 characters"},
	{"the key of an image's tag is there",
		[]edit{set("image", "{selector: {owners: [self], tags: {k: ''}}}")}, []edit{set("image", "{selector: {owners: [self], tags: {'': x}}}")},
		"spec.image.selector.tags", "1 to 128 characters"},
	{"40 tags are free, for EC2 takes 50",
		[]edit{set("template.tags", manyTags(40))}, []edit{set("template.tags", manyTags(41))},
		"spec.template.tags", "must have at most 40 items"},

	// The pools.
	{"there is a production pool",
		nil, []edit{set("loadBalancers.production", "[]")}, "spec.loadBalancers.production", "should have at least 1 items"},
	{"a pool is of one kind",
		pools("classic: {name: a}", "targetGroup: {name: b}"), pools("classic: {name: a}", "classic: {name: b}, targetGroup: {name: b}"),
		"spec.loadBalancers.production[0]", "exactly one of classic and targetGroup"},
	{"a pool is of some kind",
		pools("targetGroup: {name: a}", "classic: {name: b}"), pools("classic: {name: a}", ""),
		"spec.loadBalancers.production[0]", "exactly one of classic and targetGroup"},
	{"a test pool is of one kind, too",
		pools("classic: {name: a}", "classic: {name: b}"), pools("targetGroup: {name: a}, classic: {name: a}", "classic: {name: b}"),
		"spec.loadBalancers.test[0]", "exactly one of classic and targetGroup"},
	{"a target group for tests is named in one way, too",
		pools("targetGroup: {name: a}", "classic: {name: b}"), pools("targetGroup: {}", "classic: {name: b}"),
		"spec.loadBalancers.test[0].targetGroup", "exactly one of arn and name"},
	{"the ARN of a target group for tests is one, too",
		pools("targetGroup: {arn: '"+groupARN+"'}", "classic: {name: b}"), pools("targetGroup: {arn: web}", "classic: {name: b}"),
		"spec.loadBalancers.test[0].targetGroup.arn", "or give its name"},
	{"a target group is named in one way",
		pools("targetGroup: {name: a}", "targetGroup: {arn: '"+groupARN+"'}"),
		pools("targetGroup: {name: a}", "targetGroup: {arn: '"+groupARN+"', name: web}"),
		"spec.loadBalancers.production[0].targetGroup", "exactly one of arn and name"},
	{"the ARN of a target group is one",
		pools("classic: {name: a}", "targetGroup: {arn: '"+groupARN+"'}"),
		pools("classic: {name: a}", "targetGroup: {arn: 'arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123'}"),
		"spec.loadBalancers.production[0].targetGroup.arn", "not that of its load balancer"},
	{"a pool's name is used once over both lists",
		[]edit{set("loadBalancers", "{test: [{name: a, classic: {name: x}}], production: [{name: b, classic: {name: z}}]}")},
		[]edit{set("loadBalancers", "{test: [{name: a, classic: {name: x}}], production: [{name: a, classic: {name: z}}]}")},
		"spec.loadBalancers", "rename one of them"},
	{"a pool's name is used once in a list",
		[]edit{set("loadBalancers.production", "[{name: a, classic: {name: x}}, {name: b, classic: {name: z}}]")},
		[]edit{set("loadBalancers.production", "[{name: a, classic: {name: x}}, {name: a, classic: {name: z}}]")},
		"spec.loadBalancers.production[1]", "Duplicate value"},
	{"a classic load balancer is not both for tests and for production",
		pools("classic: {name: web}", "targetGroup: {name: web}"), pools("classic: {name: web}", "classic: {name: web}"),
		"spec.loadBalancers", "is the same load balancer or target group as one under production"},
	{"a target group is not both for tests and for production, by name and by ARN",
		pools("targetGroup: {name: we}", "targetGroup: {arn: '"+groupARN+"'}"),
		pools("targetGroup: {name: web}", "targetGroup: {arn: '"+groupARN+"'}"),
		"spec.loadBalancers", "is the same load balancer or target group as one under production"},
	{"a production pool is listed once",
		[]edit{set("loadBalancers.production", "[{name: a, targetGroup: {name: x}}, {name: b, classic: {name: x}}]")},
		[]edit{set("loadBalancers.production", "[{name: a, targetGroup: {name: x}}, {name: b, targetGroup: {name: x}}]")},
		"spec.loadBalancers", "production pools "},
	{"a test pool is listed once",
		[]edit{set("loadBalancers.test", "[{name: a, classic: {name: x}}, {name: b, classic: {name: z}}]")},
		[]edit{set("loadBalancers.test", "[{name: a, classic: {name: x}}, {name: b, classic: {name: x}}]")},
		"spec.loadBalancers", "test pools "},

	// How far and how carefully.
	{"a phase is one of four",
		[]edit{set("phase", "Live")}, []edit{set("phase", "Promote")}, "spec.phase", "Unsupported value"},
	{"there is at least one replica",
		[]edit{set("replicas", "1")}, []edit{set("replicas", "0")}, "spec.replicas", "greater than or equal to 1"},
	{"readings in a row have an end",
		[]edit{set("health.consecutive", "10")}, []edit{set("health.consecutive", "11")},
		"spec.health.consecutive", "less than or equal to 10"},
	{"minReadySeconds has an end",
		[]edit{set("health.minReadySeconds", "3600")}, []edit{set("health.minReadySeconds", "3601")},
		"spec.health.minReadySeconds", "less than or equal to 3600"},
	{"a duration is written as one",
		[]edit{set("health.timeout", "1h30m")}, []edit{set("health.timeout", "10 minutes")},
		"spec.health.timeout", "should match"},
	{"a duration fits into a number",
		[]edit{set("health.timeout", "6h")}, []edit{set("health.timeout", "99999999999999h")},
		"spec.health.timeout", "must be from 1s to 6h"},
	{"health.timeout is within bounds",
		[]edit{set("health.timeout", "1s")}, []edit{set("health.timeout", "999ms")},
		"spec.health.timeout", "must be from 1s to 6h, for example 10m"},
	{"health.launchTimeout is within bounds",
		[]edit{set("health.launchTimeout", "6h")}, []edit{set("health.launchTimeout", "6h1s")},
		"spec.health.launchTimeout", "must be from 1s to 6h, for example 15m"},
	{"health.rollbackTimeout is within bounds",
		[]edit{set("health.rollbackTimeout", "1h")}, []edit{set("health.rollbackTimeout", "61m")},
		"spec.health.rollbackTimeout", "must be from 1s to 1h, for example 60s"},
	{"retention.completeAfter is within bounds",
		[]edit{set("retention.completeAfter", "2160h")}, []edit{set("retention.completeAfter", "0s")},
		"spec.retention.completeAfter", "must be from 1s to 2160h, for example 24h"},
	{"minHealthyPercent is a percentage",
		[]edit{set("promotion.minHealthyPercent", "1")}, []edit{set("promotion.minHealthyPercent", "0")},
		"spec.promotion.minHealthyPercent", "greater than or equal to 1"},
	{"minHealthyPercent ends at 100",
		[]edit{set("promotion.minHealthyPercent", "100")}, []edit{set("promotion.minHealthyPercent", "101")},
		"spec.promotion.minHealthyPercent", "less than or equal to 100"},
	{"a deletion policy is one of two",
		[]edit{set("deletionPolicy", "Terminate")}, []edit{set("deletionPolicy", "Delete")}, "spec.deletionPolicy", "Unsupported value"},
	{"the history has a length",
		[]edit{set("revisionHistoryLimit", "50")}, []edit{set("revisionHistoryLimit", "51")},
		"spec.revisionHistoryLimit", "less than or equal to 50"},

	// Adoption and emergencies.
	{"one kind of servers is adopted",
		[]edit{set("adopt", "{tags: {role: hot-app-server}}")}, []edit{set("adopt", "{tags: {role: x}, formerOwner: "+uid+"}")},
		"spec.adopt", "exactly one of tags"},
	{"adopt says what",
		[]edit{set("adopt", "{formerOwner: "+uid+"}")}, []edit{set("adopt", "{}")}, "spec.adopt", "exactly one of tags"},
	{"the key of a tag that servers are adopted by has a length",
		[]edit{set("adopt", "{tags: {"+strings.Repeat("k", 128)+": x}}")}, []edit{set("adopt", "{tags: {"+strings.Repeat("k", 129)+": x}}")},
		"spec.adopt.tags", "1 to 128 characters"},
	{"the key of a tag that servers are adopted by is there",
		[]edit{set("adopt", "{tags: {k: ''}}")}, []edit{set("adopt", "{tags: {'': x}}")}, "spec.adopt.tags", "1 to 128 characters"},
	{"a former cluster is that of a former owner",
		[]edit{set("adopt", "{formerOwner: "+uid+", formerCluster: east}")}, []edit{set("adopt", "{tags: {a: b}, formerCluster: east}")},
		"spec.adopt", "add formerOwner or remove formerCluster"},
	{"a former owner is a uid",
		[]edit{set("adopt", "{formerOwner: "+uid+"}")}, []edit{set("adopt", "{formerOwner: web}")},
		"spec.adopt.formerOwner", "FormerServersFound"},
	{"an override ends",
		[]edit{set("override", "{revision: web-1, phase: RolledBack, expiresAt: '2026-11-22T18:00:00Z'}")},
		[]edit{set("override", "{revision: web-1, phase: RolledBack}")}, "spec.override.expiresAt", "Required value"},
	{"an override ends at a time",
		[]edit{set("override", "{revision: web-1, phase: Live, expiresAt: '2026-11-22T18:00:00Z', reason: x, by: alice}")},
		[]edit{set("override", "{revision: web-1, phase: Live, expiresAt: tomorrow}")}, "spec.override.expiresAt", "date-time"},
	{"an override names a revision",
		[]edit{set("override", "{revision: web-1, phase: Preview, expiresAt: '2026-11-22T18:00:00Z'}")},
		[]edit{set("override", "{phase: Preview, expiresAt: '2026-11-22T18:00:00Z'}")}, "spec.override.revision", "Required value"},
	{"an override has a phase",
		[]edit{set("override", "{revision: web-1, phase: RolledBack, expiresAt: '2026-11-22T18:00:00Z'}")},
		[]edit{set("override", "{revision: web-1, phase: Abort, expiresAt: '2026-11-22T18:00:00Z'}")},
		"spec.override.phase", "Unsupported value"},
	{"an override completes nothing",
		[]edit{set("override", "{revision: web-1, phase: Live, expiresAt: '2026-11-22T18:00:00Z'}")},
		[]edit{set("override", "{revision: web-1, phase: Complete, expiresAt: '2026-11-22T18:00:00Z'}")},
		"spec.override.phase", "set spec.phase to Complete instead"},
}

// classRules are about a ReleaseClass that is applied for the first time.
var classRules = []rule{
	{"an account has 12 digits",
		[]edit{set("accountID", "'000000000001'")}, []edit{set("accountID", "'12345'")}, "spec.accountID", "should match"},
	{"a region is one",
		[]edit{set("region", "us-gov-west-1")}, []edit{set("region", "Virginia")}, "spec.region", "should match"},
	{"the ARN of a role is one",
		[]edit{set("roleARN", "'arn:aws-us-gov:iam::123456789012:role/path/slipway'")},
		[]edit{set("roleARN", "'arn:aws:iam::123456789012:user/slipway'")}, "spec.roleARN", "the ARN of a role has the form"},
	{"a role is in the account",
		[]edit{set("roleARN", "'arn:aws:iam::123456789012:role/slipway'")},
		[]edit{set("roleARN", "'arn:aws:iam::210987654321:role/slipway'")}, "spec.roleARN", "name a role of that account"},
	{"a queue has a name",
		[]edit{set("eventsQueue", "slipway-events")}, []edit{set("eventsQueue", "'https://sqs.us-east-1.amazonaws.com/123456789012/events'")},
		"spec.eventsQueue", "not its URL or ARN"},
	{"an external id is for a role",
		[]edit{set("roleARN", "'arn:aws:iam::123456789012:role/slipway'"), set("externalID", "cluster-1")},
		[]edit{set("externalID", "cluster-1")}, "spec.externalID", "add roleARN or remove externalID"},
	{"the key of a namespace's label has a length",
		[]edit{set("allowedNamespaces", "{matchLabels: {"+strings.Repeat("k", 317)+": x}}")},
		[]edit{set("allowedNamespaces", "{matchLabels: {"+strings.Repeat("k", 318)+": x}}")},
		"spec.allowedNamespaces.matchLabels", "1 to 317 characters"},
	{"the key of a namespace's label is there",
		[]edit{set("allowedNamespaces", "{matchLabels: {k: ''}}")}, []edit{set("allowedNamespaces", "{matchLabels: {'': x}}")},
		"spec.allowedNamespaces.matchLabels", "1 to 317 characters"},
	{"In needs values",
		[]edit{set("allowedNamespaces", "{matchExpressions: [{key: team, operator: In, values: [shop]}]}")},
		[]edit{set("allowedNamespaces", "{matchExpressions: [{key: team, operator: In}]}")},
		"spec.allowedNamespaces.matchExpressions[0]", "Exists and DoesNotExist take none"},
	{"Exists takes no values",
		[]edit{set("allowedNamespaces", "{matchExpressions: [{key: team, operator: Exists}]}")},
		[]edit{set("allowedNamespaces", "{matchExpressions: [{key: team, operator: Exists, values: [shop]}]}")},
		"spec.allowedNamespaces.matchExpressions[0]", "Exists and DoesNotExist take none"},
	{"a class allows servers",
		[]edit{set("maxServersPerRelease", "1")}, []edit{set("maxServersPerRelease", "0")},
		"spec.maxServersPerRelease", "greater than or equal to 1"},
}

// manyTags is n tags as YAML.
func manyTags(n int) string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = "t" + strings.Repeat("x", i) + ": v"
	}
	return "{" + strings.Join(tags, ", ") + "}"
}

var _ = Describe("A first apply", func() {
	tables := []struct {
		kind, manifest string
		rules          []rule
	}{{"Release", minimalRelease, releaseRules}, {"ReleaseClass", minimalClass, classRules}}
	for _, table := range tables {
		for _, rule := range table.rules {
			It("of a "+table.kind+" holds to: "+rule.name, func(ctx context.Context) {
				Expect(api.Create(ctx, object(table.manifest, rule.good...), client.DryRunAll)).To(Succeed())
				err := api.Create(ctx, object(table.manifest, rule.bad...), client.DryRunAll)
				expectRefused(err, rule.field, rule.message)
			})
		}
	}
})
