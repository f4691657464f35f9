package controllers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// matches reports whether one of the patterns matches one of the names. * stands for any run of characters, also for the
// slashes of an ARN, and ? for any one; nothing else is special. No pattern matches nothing.
func matches(patterns []v1alpha1.Pattern, names ...string) bool {
	for _, pattern := range patterns {
		text := regexp.QuoteMeta(string(pattern))
		text = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(text)
		expression := regexp.MustCompile("(?s)^" + text + "$")
		if slices.ContainsFunc(names, expression.MatchString) {
			return true
		}
	}
	return false
}

// notAllowed lists what the class's allow list leaves out; empty when all is allowed.
func notAllowed(field string, patterns []v1alpha1.Pattern, names []string) string {
	var out []string
	for _, name := range names {
		if !matches(patterns, name) {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s allows %s)", strings.Join(out, ", "), field, described(patterns))
}

func described(patterns []v1alpha1.Pattern) string {
	if len(patterns) == 0 {
		return "none"
	}
	return strings.Join(texts(patterns), ", ")
}

// refusedByClass is the problem of the things that the class does not allow; none when there are none.
func refusedByClass(class *v1alpha1.ReleaseClass, things []string) rollout.Problem {
	things = slices.DeleteFunc(things, func(thing string) bool { return thing == "" })
	if len(things) == 0 {
		return rollout.Problem{}
	}
	return rollout.Problem{Reason: rollout.ReasonNotAllowedByClass, Message: fmt.Sprintf(
		"ReleaseClass %s does not allow %s: use others, or have the class changed", class.Name, strings.Join(things, "; "))}
}

// poolsProblem asks whether the class allows every pool of the spec, by name or ARN, before any call is made.
func poolsProblem(pools v1alpha1.LoadBalancers, class *v1alpha1.ReleaseClass) rollout.Problem {
	var things []string
	for _, pool := range slices.Concat(pools.Test, pools.Production) {
		if names := poolNames(pool); !matches(class.Spec.Pools, names...) {
			things = append(things, fmt.Sprintf("pool %s: %s (spec.pools allows %s)", pool.Name, names[0], described(class.Spec.Pools)))
		}
	}
	return refusedByClass(class, things)
}

// poolNames are the texts that a pattern may match to allow the pool: what the spec says and, for an ARN, the name in it.
func poolNames(pool v1alpha1.Pool) []string {
	ref, _ := poolRef(pool)
	switch {
	case ref.ClassicName != "":
		return []string{ref.ClassicName}
	case ref.TargetGroupName != "":
		return []string{ref.TargetGroupName}
	}
	names := []string{ref.TargetGroupARN}
	if parts := strings.Split(ref.TargetGroupARN, "/"); len(parts) == 3 {
		names = append(names, parts[1])
	}
	return names
}

// templateProblem asks whether the class allows what servers are made of.
func templateProblem(template v1alpha1.ServerTemplate, class *v1alpha1.ReleaseClass) rollout.Problem {
	var profiles []string
	if template.IAMInstanceProfile != "" {
		profiles = []string{template.IAMInstanceProfile}
	}
	return refusedByClass(class, []string{
		notAllowed("spec.iamInstanceProfiles", class.Spec.IAMInstanceProfiles, profiles),
		notAllowed("spec.subnets", class.Spec.Subnets, texts(template.SubnetIDs)),
		notAllowed("spec.securityGroups", class.Spec.SecurityGroups, texts(template.SecurityGroupIDs)),
	})
}

// ownerProblem asks whether the class allows images of this owner. An image of the class's own account is self's.
func ownerProblem(image cloud.Image, class *v1alpha1.ReleaseClass) rollout.Problem {
	names := []string{image.Owner}
	if image.OwnerAlias != "" {
		names = append(names, image.OwnerAlias)
	}
	if image.Owner == class.Spec.AccountID {
		names = append(names, "self")
	}
	if matches(class.Spec.ImageOwners, names...) {
		return rollout.Problem{}
	}
	return refusedByClass(class, []string{fmt.Sprintf("image %s of owner %s (spec.imageOwners allows %s)",
		image.ID, strings.Join(names, " or "), described(class.Spec.ImageOwners))})
}
