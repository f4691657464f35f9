package api_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// change is one line about a rule that looks at what was there before.
type change struct {
	from []edit // the stored object, beside the minimum
	rule
}

// revise is a new revision: version, image or template.
var (
	newVersion  = set("version", "v2")
	newImage    = set("image", "{id: ami-0fedcba9876543210}")
	newTemplate = set("template.instanceTypes", "[c8g.large]")
	phase       = func(name string) edit { return set("phase", name) }
	phaseFor    = func(version string) edit { return set("phaseFor", version) }
)

// The lists whose order says nothing, and the types, whose order is one of preference.
var (
	twoOfEach = all(set("image", "{selector: {owners: [self, amazon]}}"),
		set("template.instanceTypes", "[c7g.large, c6g.large]"),
		set("template.subnetIDs", "[subnet-a, subnet-b]"),
		set("template.securityGroupIDs", "[sg-1, sg-2]"),
		set("template.blockDeviceMappings", "[{deviceName: /dev/xvda, ebs: {volumeSizeGiB: 20}}, {deviceName: /dev/xvdb, ebs: {volumeSizeGiB: 10}}]"))
	turnedRound = all(set("image.selector.owners", "[amazon, self]"),
		set("template.subnetIDs", "[subnet-b, subnet-a]"),
		set("template.securityGroupIDs", "[sg-2, sg-1]"),
		set("template.blockDeviceMappings", "[{deviceName: /dev/xvdb, ebs: {volumeSizeGiB: 10}}, {deviceName: /dev/xvda, ebs: {volumeSizeGiB: 20}}]"))
)

const (
	straight = "would go straight into production"
	sameName = "set a new version and phaseFor together"
	rejected = "was rolled back and cannot be completed: set phase: Live"
	classSet = "className cannot be changed"
)

// releaseChanges are about an edit of a Release.
var releaseChanges = []change{
	// The class.
	{[]edit{set("className", "a")}, rule{"a class stays",
		[]edit{newVersion}, []edit{set("className", "b")}, "spec.className", classSet}},
	{[]edit{set("className", "a")}, rule{"a class stays set",
		[]edit{set("className", "a")}, []edit{without("className")}, "spec.className", classSet}},
	{nil, rule{"the default class stays",
		[]edit{newVersion}, []edit{set("className", "b")}, "spec.className", classSet}},

	// Completing what was rolled back.
	{[]edit{phase("RolledBack")}, rule{"what was rolled back goes Live before it is completed",
		[]edit{phase("Live")}, []edit{phase("Complete")}, "spec.phase", rejected}},
	{[]edit{phase("RolledBack")}, rule{"another version may be completed after a rollback",
		[]edit{phase("Complete"), newVersion}, []edit{phase("Complete"), set("replicas", "5")}, "spec.phase", rejected}},
	{[]edit{phase("RolledBack")}, rule{"another image may be completed after a rollback",
		[]edit{phase("Complete"), newImage}, []edit{phase("Complete"), phaseFor("v1")}, "spec.phase", rejected}},
	{[]edit{phase("RolledBack")}, rule{"another template may be completed after a rollback",
		[]edit{phase("Complete"), newTemplate}, []edit{phase("Complete")}, "spec.phase", rejected}},
	{[]edit{phase("Live")}, rule{"what is Live may be completed",
		[]edit{phase("Complete")}, []edit{phase("Complete"), newVersion}, "spec.phase", straight}},

	// A new revision under a phase that stays in production, without phaseFor.
	{[]edit{phase("Live")}, rule{"a new version under Live stops at Preview",
		[]edit{newVersion, phase("Preview")}, []edit{newVersion}, "spec.phase", straight}},
	{[]edit{phase("Live")}, rule{"a new version under Live goes through with phaseFor",
		[]edit{newVersion, phaseFor("v2")}, []edit{newVersion, set("replicas", "2")}, "spec.phase", straight}},
	{[]edit{phase("Live")}, rule{"a new image under Live stops at Preview",
		[]edit{newImage, phase("Preview")}, []edit{newImage}, "spec.phase", straight}},
	{[]edit{phase("Live")}, rule{"a new template under Live stops at Preview",
		[]edit{newTemplate, phase("Preview")}, []edit{newTemplate}, "spec.phase", straight}},
	{[]edit{phase("Complete")}, rule{"a new version under Complete stops at Preview",
		[]edit{newVersion, phase("Preview")}, []edit{newVersion}, "spec.phase", straight}},
	{[]edit{phase("Complete")}, rule{"a new version that turns Complete into Live has phaseFor",
		[]edit{newVersion, phase("Live"), phaseFor("v2")}, []edit{newVersion, phase("Live")}, "spec.phase", straight}},
	{[]edit{phase("Live")}, rule{"a new version may leave the phase out",
		[]edit{newVersion, without("phase")}, []edit{newVersion}, "spec.phase", straight}},
	{[]edit{phase("Live"), phaseFor("v1")}, rule{"phaseFor is not dropped along with a new version",
		[]edit{without("phaseFor")}, []edit{newVersion, without("phaseFor")}, "spec.phase", straight}},

	// A new revision under a phase that stays in production, with phaseFor.
	{[]edit{phase("Live"), phaseFor("v1")}, rule{"a new version leaves phaseFor behind and stops at Preview",
		[]edit{newVersion}, []edit{newImage}, "spec.version", sameName}},
	{[]edit{phase("Live"), phaseFor("v1")}, rule{"a new image has a new version",
		[]edit{newImage, newVersion, phaseFor("v2")}, []edit{newImage, phaseFor("v2")}, "spec.version", sameName}},
	{[]edit{phase("Complete"), phaseFor("v1")}, rule{"a new template has a new version",
		[]edit{newTemplate, newVersion}, []edit{newTemplate, phase("Live")}, "spec.version", sameName}},
	{[]edit{phase("Live")}, rule{"an image does not go through by adding phaseFor for the same version",
		[]edit{phaseFor("v1")}, []edit{newImage, phaseFor("v1")}, "spec.version", sameName}},
	{[]edit{phase("Live")}, rule{"what is no part of a revision may change under Live",
		[]edit{set("replicas", "5"), set("loadBalancers.production", "[{name: api, targetGroup: {name: api}}]"), set("paused", "true")},
		[]edit{set("replicas", "0")}, "spec.replicas", "greater than or equal to 1"}},
	{[]edit{phase("Live"), twoOfEach}, rule{"an order that says nothing may change under Live",
		[]edit{turnedRound}, []edit{set("template.instanceTypes", "[c6g.large, c7g.large]")}, "spec.phase", straight}},
	{[]edit{phase("Preview")}, rule{"a new version may go from Preview straight to Live in one edit",
		[]edit{newVersion, phase("Live")}, []edit{text("version", "-")}, "spec.version", "a version starts with"}},
}

// classChanges are about an edit of a ReleaseClass.
var classChanges = []change{
	{nil, rule{"the region stays",
		[]edit{set("pools", "['prod-*']")}, []edit{set("region", "eu-west-1")}, "spec.region", "region cannot be changed"}},
	{nil, rule{"the account stays",
		[]edit{set("imageOwners", "[self]")}, []edit{set("accountID", "'210987654321'")}, "spec.accountID", "accountID cannot be changed"}},
}

var _ = Describe("An edit", func() {
	tables := []struct {
		kind, manifest string
		changes        []change
	}{{"Release", minimalRelease, releaseChanges}, {"ReleaseClass", minimalClass, classChanges}}
	for _, table := range tables {
		for _, change := range table.changes {
			It("of a "+table.kind+" holds to: "+change.name, func(ctx context.Context) {
				before := stored(ctx, table.manifest, change.from...)
				good, bad := before.DeepCopy(), before.DeepCopy()
				apply(good, change.good...)
				Expect(api.Update(ctx, good, client.DryRunAll)).To(Succeed())
				apply(bad, change.bad...)
				expectRefused(api.Update(ctx, bad, client.DryRunAll), change.field, change.message)
			})
		}
	}
})

var _ = Describe("A refusal", func() {
	DescribeTable("names what is there", func(ctx context.Context, from, to []edit, field, message string) {
		obj := stored(ctx, minimalRelease, from...)
		apply(obj, to...)
		expectRefused(api.Update(ctx, obj, client.DryRunAll), field, message)
	},
		Entry("what was rolled back", []edit{phase("RolledBack")}, []edit{phase("Complete")}, "spec.phase",
			"version v1 was rolled back"),
		Entry("the phase that stays", []edit{phase("Live")}, []edit{newVersion, phase("Complete")}, "spec.phase",
			"because phase stays Complete: set phase: Preview in the same edit"),
		Entry("the version that stays", []edit{phase("Live"), phaseFor("v1")}, []edit{newImage}, "spec.version",
			"while version stays v1"),
	)

	DescribeTable("names the pools that do not go together", func(ctx context.Context, loadBalancers, message string) {
		obj := object(minimalRelease, set("loadBalancers", loadBalancers))
		expectRefused(api.Create(ctx, obj, client.DryRunAll), "spec.loadBalancers", message)
	},
		Entry("by a name", "{test: [{name: a, classic: {name: x}}, {name: b, classic: {name: w}}], production: [{name: b, classic: {name: z}}]}",
			"the pool name b is used under test and under production"),
		Entry("for tests and for production",
			"{test: [{name: a, classic: {name: x}}, {name: b, classic: {name: w}}], production: [{name: c, classic: {name: w}}]}",
			"test pool b is the same load balancer or target group as one under production"),
		Entry("in production",
			"{production: [{name: a, classic: {name: x}}, {name: b, targetGroup: {name: web}}, {name: c, targetGroup: {arn: '"+groupARN+"'}}]}",
			"production pools b and c are the same load balancer or target group"),
		Entry("for tests",
			"{test: [{name: a, classic: {name: x}}, {name: b, classic: {name: w}}, {name: c, classic: {name: x}}], "+
				"production: [{name: d, classic: {name: z}}]}",
			"test pools a and c are the same load balancer or target group"),
	)

	It("says nothing of a phaseFor that was not there before", func(ctx context.Context) {
		obj := stored(ctx, minimalRelease, phase("Live"))
		apply(obj, newImage, phaseFor("v1"))
		err := api.Update(ctx, obj, client.DryRunAll)
		expectRefused(err, "spec.version", "while version stays v1: set phase: Preview in the same edit")
	})

	It("names the account that a role is not in", func(ctx context.Context) {
		obj := object(minimalClass, set("roleARN", "'arn:aws:iam::210987654321:role/slipway'"))
		expectRefused(api.Create(ctx, obj, client.DryRunAll), "spec.roleARN", "not in account 123456789012")
	})
})
