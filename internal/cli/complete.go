package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/plan"
)

// completionTimeout is what a person waits for at a prompt.
const completionTimeout = 3 * time.Second

// completeReleases offers the names of the Releases of the namespace that a command makes sense for, with their state behind them.
// nil offers all. What cannot be asked for is not offered, without a word.
func completeReleases(o *Options, eligible func(*v1alpha1.Release) bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []cobra.Completion
		for _, r := range releasesNow(cmd.Context(), o) {
			if eligible == nil || eligible(&r) {
				state, _ := headline(&r)
				names = append(names, cobra.CompletionWithDesc(r.Name, state))
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// releasesNow are the Releases of the namespace, or none where they cannot be read at once.
func releasesNow(ctx context.Context, o *Options) []v1alpha1.Release {
	c, namespace, err := o.open()
	if err != nil {
		return nil
	}
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	var list v1alpha1.ReleaseList
	if err := c.List(ctx, &list, (&selection{}).options(namespace)); err != nil {
		return nil
	}
	return list.Items
}

// completeRevisions offers the versions of a Release, behind its name.
func completeRevisions(o *Options) cobra.CompletionFunc {
	names := completeReleases(o, nil)
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return names(cmd, args, typed)
		}
		var versions []cobra.Completion
		for _, r := range releasesNow(cmd.Context(), o) {
			for _, entry := range r.Status.History {
				if r.Name == args[0] && len(args) < 3 {
					versions = append(versions, cobra.CompletionWithDesc(string(entry.Version), string(entry.Revision)))
				}
			}
		}
		return versions, cobra.ShellCompDirectiveNoFileComp
	}
}

// completePhases offers what plan takes for the Release that is named: the phases that it may be set to now, with what each does, and its
// deletion. Where no Release is named yet, or it cannot be read, that is all of them.
func completePhases(o *Options) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			for _, r := range releasesNow(cmd.Context(), o) {
				if r.Name == args[0] {
					return phasesOf(&r), cobra.ShellCompDirectiveNoFileComp
				}
			}
		}
		return planPhases, cobra.ShellCompDirectiveNoFileComp
	}
}

// phasesOf are those that may be asked for now, in the order of a deploy, and the deletion.
func phasesOf(r *v1alpha1.Release) []cobra.Completion {
	gists := map[v1alpha1.Phase]string{}
	for _, v := range verbs {
		gists[v.phase] = v.gist(r)
	}
	var offered []cobra.Completion
	if len(r.Status.AllowedPhases) == 0 && r.DeletionTimestamp.IsZero() {
		return planPhases // nobody has looked at it yet
	}
	for _, phase := range r.Status.AllowedPhases {
		if slices.Contains(planPhases, string(phase)) { // a newer controller may have one that this program does not know
			offered = append(offered, cobra.CompletionWithDesc(string(phase), gists[phase]))
		}
	}
	return append(offered, cobra.CompletionWithDesc(plan.Deleted, "the Release is deleted"))
}
