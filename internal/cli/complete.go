package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/api/v1alpha1"
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
