package e2e

import (
	"slices"
	"time"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

// How the services of AWS word a missing permission: EC2, the load balancers and STS, SSM.
const (
	ec2Denies = "(UnauthorizedOperation)"
	elbDenies = "(AccessDenied)"
	ssmDenies = "(AccessDeniedException)"
)

// missing is how the lack of a permission is told.
func missing(action, code string) refusal {
	return told(v1alpha1.ReasonAccessDenied, code, "Check the IAM policy of the role that Slipway uses", "is not authorized to perform: "+action)
}

// denied are the permissions that Slipway needs, each missing for longer than any clock runs, and then given: it goes on by
// itself, and production was never touched.
var denied = []Scenario{
	{"access is denied to what a new version needs", deniedNewVersion},
	{"access is denied to looking at the servers, and a promotion waits", func(w *World) { deniedReads(w, ec2Denies, "ec2:DescribeInstances") }},
	{"access is denied to looking at the pools, and a promotion waits", func(w *World) {
		deniedReads(w, elbDenies, "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeLoadBalancerAttributes",
			"elasticloadbalancing:DescribeInstanceHealth", "elasticloadbalancing:DescribeTargetGroups",
			"elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTargetHealth")
	}},
	{"access is denied to putting servers into production, and a promotion waits", deniedRegister},
	{"access is denied to taking the old servers out of production", deniedSwitch},
	{"access is denied to tagging and ending servers at Complete", deniedComplete},
	{"the class's role may not be assumed any more", deniedRole},
}

func deniedNewVersion(w *World) {
	w.must("put", w.PutImage(imageParameter, w.Site.V2))
	w.Settled(hasty)
	stable := "v1"
	for _, row := range []struct{ version, action, code string }{
		{"v2", "ec2:DescribeImages", ec2Denies},
		{"v3", "ssm:GetParameter", ssmDenies},
		{"v4", "ec2:RunInstances", ec2Denies},
	} {
		w.Logf("%s without %s", row.version, row.action)
		permit := w.AWS.Deny(row.action)
		w.Mark()
		w.Edit("web", func(rel *v1alpha1.Release) {
			rel.Spec.Version, rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.Version(row.version), v1alpha1.PhaseLive, row.version
			rel.Spec.Image = v1alpha1.ImageSource{SSMParameter: imageParameter}
		})
		w.refused(missing(row.action, row.code), stable, 0)
		permit()
		w.healed(row.version, stable)
		w.Phase("web", v1alpha1.PhaseComplete)
		w.Until(row.version+" is complete", func() bool { return w.Ready("web") && len(w.Servers("")) == 2 })
		stable = row.version
	}
	w.Converged("web")
}

// deniedReads: what cannot be seen is not acted on. A promotion that is asked for waits, however long, and no clock runs.
func deniedReads(w *World, code string, actions ...string) {
	w.InPreview(hasty)
	for _, action := range actions {
		w.Logf("without %s", action)
		says := missing(action, code)
		permit := w.AWS.Deny(action)
		w.Restart() // or it would go by what it was told of the pools before
		w.Until("it is blind for want of "+action, func() bool { return w.Is("web", v1alpha1.ConditionBlind) && w.tells(says) })
		w.Mark()
		w.Phase("web", v1alpha1.PhaseLive)
		w.Until("the edit is seen", func() bool { return w.tells(says) })
		w.while(brief, says, func() bool { return w.serving("v1") && w.moves() == 0 && w.exactly(testPool, "v2") })
		permit()
		w.healed("v2", "v1")
		w.backToPreview()
	}
	w.expect(len(w.AWS.Instances()) == 4, "nothing was launched or ended")
}

func (w *World) backToPreview() {
	w.Helper()
	w.Phase("web", v1alpha1.PhasePreview)
	w.Until("v1 serves again", func() bool { return w.Ready("web") && w.serving("v1") && w.exactly(testPool, "v2") })
}

// deniedRegister: v1 serves in both pools, whatever v2 got into; mended, v2 goes on its way.
func deniedRegister(w *World) {
	w.InPreview(hasty)
	for _, row := range []struct{ action, refuses, other string }{
		{"elasticloadbalancing:RegisterTargets", apiPool, edgePool},
		{"elasticloadbalancing:RegisterInstancesWithLoadBalancer", edgePool, apiPool},
	} {
		w.Logf("without %s", row.action)
		says := missing(row.action, elbDenies)
		permit := w.AWS.Deny(row.action)
		w.Phase("web", v1alpha1.PhaseLive)
		w.UntilWithin("it is told", patched, func() bool { return w.tells(says) })
		w.while(brief, says, func() bool { return w.exactly(row.refuses, "v1") && w.Registered(row.other, "v1") == 2 })
		permit()
		w.healed("v2", "v1")
		w.backToPreview()
	}
	w.expect(len(w.AWS.Instances()) == 4, "nothing was launched or ended")
}

// twoEach reports whether a pool has the two servers of both versions, healthy, and nothing else.
func (w *World) twoEach(pool string) bool {
	w.Helper()
	all := w.Members(pool)
	return len(all) == 4 && w.Registered(pool, "v1") == 2 && w.Registered(pool, "v2") == 2 &&
		!slices.ContainsFunc(all, func(m localaws.MemberInfo) bool { return !sound(m) })
}

// deniedSwitch: past the gate no clock undoes anything; both versions serve where the old one cannot leave.
func deniedSwitch(w *World) {
	w.InPreview(hasty)
	for _, row := range []struct{ action, stays, left string }{
		{"elasticloadbalancing:DeregisterTargets", apiPool, edgePool},
		{"elasticloadbalancing:DeregisterInstancesFromLoadBalancer", edgePool, apiPool},
	} {
		w.Logf("without %s", row.action)
		says := missing(row.action, elbDenies)
		permit := w.AWS.Deny(row.action)
		w.Phase("web", v1alpha1.PhaseLive)
		settled := func() bool { return w.twoEach(row.stays) && w.exactly(row.left, "v2") }
		w.UntilWithin("v1 cannot leave "+row.stays, patched, func() bool { return w.tells(says) && settled() })
		w.while(brief, says, settled)
		permit()
		w.healed("v2", "v1")
		w.backToPreview()
	}
	w.expect(len(w.AWS.Instances()) == 4, "nothing was launched or ended")
}

func deniedComplete(w *World) {
	w.Live(hasty)
	says := missing("ec2:CreateTags", ec2Denies)
	permit := w.AWS.Deny("ec2:CreateTags")
	w.Phase("web", v1alpha1.PhaseComplete)
	w.UntilWithin("it says so", patched, func() bool { return w.tells(says) })
	w.while(stuck, says, func() bool { return w.serving("v2") })
	permit()
	w.UntilWithin("v2 is complete", patched, func() bool { return w.Ready("web") && w.serving("v2") && len(w.Servers("v1")) == 0 })
	for _, s := range w.Servers("v2") {
		w.expect(s.Tags["slipway.dev/role"] == "stable", "%s is tagged as stable", s.ID)
	}

	w.Deploy("web", "v3", v1alpha1.PhaseLive)
	w.Until("v3 is Live", func() bool { return w.Ready("web") && w.serving("v3") })
	says = missing("ec2:TerminateInstances", ec2Denies)
	permit = w.AWS.Deny("ec2:TerminateInstances")
	w.Phase("web", v1alpha1.PhaseComplete)
	w.UntilWithin("it says so", patched, func() bool { return w.tells(says) })
	w.while(stuck, says, func() bool { return w.serving("v3") && len(w.Servers("v2")) == 2 })
	permit()
	w.UntilWithin("v3 is complete", patched, func() bool { return w.Ready("web") && w.serving("v3") && len(w.Servers("")) == 2 })
	w.Converged("web")
}

// deniedRole: the credentials of a role last an hour and are renewed from half of that on. Until they end nobody notices,
// and a rollback works; after that no call is made.
func deniedRole(w *World) {
	role := "arn:aws:iam::" + w.account + ":role/slipway"
	w.AWS.SeedRole(localaws.Role{ARN: role})
	w.employ(role)
	_, err := w.AWS.AttachPolicy(controllerKey, `{"Version": "2012-10-17", "Statement":
		{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "`+role+`"}}`)
	w.must("let the controller assume the role", err)
	w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.RoleARN = role })
	w.Live(hasty)
	permit := w.AWS.Deny("sts:AssumeRole")
	denied := w.Clock.Now()
	fails := func() bool { return w.crashedSince(denied) } // a process that begins meanwhile gets no credentials at all
	w.Pass(20 * time.Minute)
	w.expect(fails() || w.Ready("web") && w.serving("v2"), "nobody notices")
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.UntilWithin("v1 serves", 2*time.Minute, func() bool { return fails() || w.Ready("web") && w.serving("v1") })

	says := told(v1alpha1.ReasonAccessDenied, elbDenies, "Check the IAM policy", "role "+role, "is not authorized to perform: sts:AssumeRole")
	w.Pass(30 * time.Minute)
	w.expect(fails() || w.Ready("web") && w.serving("v1"), "nobody notices")
	w.UntilWithin("the credentials have ended", 15*time.Minute, func() bool { return w.tells(says) })
	w.deniedAltogether(says, fails())
	permit()
	w.UntilWithin("v1 is whole again", patched, func() bool { return w.Ready("web") && w.serving("v1") })
	w.Restart()
	permit = w.AWS.Deny("sts:AssumeRole")
	w.UntilWithin("a controller that has just started says so at once", 2*time.Minute, func() bool { return w.tells(says) })
	permit()
	w.UntilWithin("it is ready again", patched, func() bool { return w.Ready("web") && w.serving("v1") })
}

// deniedAltogether: without credentials no call is made, whatever happens; where they ended early, a rollback may have come half way.
func (w *World) deniedAltogether(says refusal, halfWay bool) {
	w.Helper()
	served := func() bool { return w.answers("v1") }
	if halfWay {
		served = func() bool { return len(w.Versions(edgePool)) > 0 && len(w.Versions(apiPool)) > 0 }
	}
	w.Mark()
	w.must("kill", w.AWS.Kill(w.Servers("v1")[0].ID))
	w.while(stuck, says, func() bool { return served() && w.calls() == 0 })
}
