package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/checkup"
	"slipway.dev/slipway/internal/cloud"
	"slipway.dev/slipway/internal/rollout"
)

// maxTrialLaunches bounds how many launches are tried: each takes a token of those that launches need, of which there are two a second.
const maxTrialLaunches = 8

// permissions tries what a deploy would do with servers.
func (e *examining) permissions(ctx context.Context) {
	for _, trial := range e.exam.Permissions.Read(ctx) {
		e.trial(ctx, trial, trial.Action, "permitted")
	}
	if queue := e.class.Spec.EventsQueue; queue != "" {
		e.trial(ctx, e.exam.Permissions.Queue(ctx, e.class.Spec.AccountID, queue), "events queue "+queue,
			"it is there; whether it may be received from is seen in the manager's log")
	}
	e.launches(ctx)
	servers, err := e.servers(ctx, cloud.Query{Cluster: e.r.Cluster, MaxAge: serverAge})
	if err != nil {
		e.note(checkup.AreaPermissions, "servers that exist", checkup.Untried, "", "they cannot be read: %v", err)
		return
	}
	e.changes(ctx, servers)
	e.adoptions(ctx)
}

func (e *examining) trial(ctx context.Context, trial cloud.Trial, subject, message string) {
	if trial.Err != nil {
		e.refused(ctx, checkup.AreaPermissions, subject, trial.Err)
		return
	}
	e.note(checkup.AreaPermissions, subject, checkup.OK, "", "%s", message)
}

func (e *examining) servers(ctx context.Context, query cloud.Query) (servers []cloud.Server, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	err = contained(ctx, func() error {
		servers, err = e.account.Compute.Servers(ctx, query)
		return err
	})
	return servers, err
}

// launches tries one of each Release in each of its subnets, with its first type, as the spec declares it now.
func (e *examining) launches(ctx context.Context) {
	if len(e.releases) == 0 {
		e.note(checkup.AreaPermissions, "ec2:RunInstances", checkup.Untried, "Make a first Release, with phase Preview, and ask again",
			"no Release of class %s says what servers are made of", e.class.Name)
		return
	}
	left, tried := maxTrialLaunches, map[string]bool{}
	var untried []string
	for _, rel := range e.releases {
		image, err := e.exam.Images.Image(ctx, imageSource(rel.Spec.Image))
		if err != nil {
			e.refused(ctx, checkup.AreaPermissions, "image of "+nameOf(rel), err)
			continue
		}
		if problem := ownerProblem(image, e.class); problem.Some() {
			e.note(checkup.AreaPermissions, "image of "+nameOf(rel), checkup.Fail, "", "%s", problem.Message)
			continue
		}
		requests := slices.DeleteFunc(e.requests(rel, image.ID), func(request cloud.LaunchRequest) bool { return tried[launchKey(request)] })
		if len(requests) > left {
			untried = append(untried, nameOf(rel))
			continue
		}
		left -= len(requests)
		for _, request := range requests {
			tried[launchKey(request)] = true
		}
		e.launch(ctx, rel, requests)
	}
	if len(untried) > 0 {
		e.note(checkup.AreaPermissions, "ec2:RunInstances", checkup.Untried, "", "%d launches are tried at a time, and those of %s were not among them",
			maxTrialLaunches, named(untried))
	}
}

// requests are the launches of a Release, one for each subnet, as many as are ever tried.
func (e *examining) requests(rel *v1alpha1.Release, image string) []cloud.LaunchRequest {
	template := rel.Spec.Template
	if len(template.InstanceTypes) == 0 {
		return nil
	}
	var requests []cloud.LaunchRequest
	for _, subnet := range template.SubnetIDs[:min(len(template.SubnetIDs), maxTrialLaunches)] {
		request := requestOf(template, e.r.serverTags(rel, rel.Name, string(rel.Spec.Version), rollout.RoleCandidate))
		request.Image, request.Type, request.Subnet = image, string(template.InstanceTypes[0]), string(subnet)
		requests = append(requests, request)
	}
	return requests
}

// launchKey is equal for launches of which AWS says the same: they differ in whose tags they carry.
func launchKey(r cloud.LaunchRequest) string {
	return fmt.Sprint(r, r.SecurityGroups, r.InstanceProfile, r.KeyName, r.Metadata, r.BlockDevices)
}

// launch tries requests of one Release: a line for all that are permitted, and one for each thing that AWS says against them.
func (e *examining) launch(ctx context.Context, rel *v1alpha1.Release, requests []cloud.LaunchRequest) {
	const subject = "ec2:RunInstances"
	var fine []string
	said := map[string]int{} // the check that says so
	for _, request := range requests {
		trial := e.exam.Permissions.Launch(ctx, request)
		if trial.Err == nil {
			fine = append(fine, request.String())
			continue
		}
		words := strings.ReplaceAll(trial.Err.Error(), request.Subnet, "")
		if at, again := said[words]; again {
			e.Checks[at].Message += "; the same in " + request.Subnet
			continue
		}
		said[words] = len(e.Checks)
		e.refused(ctx, checkup.AreaPermissions, subject+" for "+nameOf(rel), trial.Err)
	}
	if len(fine) == 0 {
		return
	}
	what := named(fine)
	if profile := rel.Spec.Template.IAMInstanceProfile; profile != "" {
		what += ", with instance profile " + profile
	}
	e.note(checkup.AreaPermissions, subject+" for "+nameOf(rel), checkup.OK, "", "permitted: %s", what)
}

// changes tries to retag and to end one server that is there.
func (e *examining) changes(ctx context.Context, servers []cloud.Server) {
	owners := map[types.UID]bool{}
	for _, rel := range e.releases {
		owners[rel.UID] = true
	}
	at := slices.IndexFunc(servers, func(s cloud.Server) bool { return owners[types.UID(s.Owner)] && exists(s.Server) && !s.Hold })
	if at < 0 {
		for _, action := range []string{"ec2:CreateTags", "ec2:TerminateInstances"} {
			e.note(checkup.AreaPermissions, action, checkup.Untried, "Ask again when the first servers run",
				"no Release of class %s has a server that it could be tried on", e.class.Name)
		}
		return
	}
	server := servers[at]
	tag := e.exam.Permissions.Tag(ctx, []string{server.ID}, map[string]string{cloud.TagRole: string(server.Role)})
	e.trial(ctx, tag, tag.Action, fmt.Sprintf("permitted, on server %s of %s", server.ID, server.Release))
	end := e.exam.Permissions.Terminate(ctx, []string{server.ID})
	e.trial(ctx, end, end.Action, fmt.Sprintf("permitted, on server %s of %s", server.ID, server.Release))
}

// adoptions tries to take over a server that a person marked for a Release, where there is one that was not taken over yet.
func (e *examining) adoptions(ctx context.Context) {
	for _, rel := range e.releases {
		if rel.Spec.Adopt == nil || rel.Spec.Adopt.FormerOwner != "" {
			continue
		}
		servers, err := e.servers(ctx, cloud.Query{Adopt: nameOf(rel), MaxAge: serverAge})
		at := slices.IndexFunc(servers, func(s cloud.Server) bool { return s.Cluster == "" && exists(s.Server) })
		if err != nil || at < 0 {
			continue
		}
		tags := e.r.serverTags(rel, rel.Name, servers[at].Version, rollout.RoleStable)
		delete(tags, cloud.TagName)
		trial := e.exam.Permissions.Tag(ctx, []string{servers[at].ID}, tags)
		e.trial(ctx, trial, trial.Action+" for "+nameOf(rel), fmt.Sprintf("permitted: server %s can be adopted (%s)", servers[at].ID,
			strings.Join(slices.Sorted(maps.Keys(tags)), ", ")))
	}
}
