package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/plan"
)

// planPhases are what --to takes.
var planPhases = []string{
	string(v1alpha1.PhasePreview), string(v1alpha1.PhaseLive), string(v1alpha1.PhaseRolledBack), string(v1alpha1.PhaseComplete), plan.Deleted,
}

func newPlan(o *Options) *cobra.Command {
	var to string
	var form answerForm
	var from planSource
	cmd := &cobra.Command{
		Use:   "plan NAME",
		Short: "Show the AWS calls that the next phase would make, without making one",
		Long: `Shows which AWS calls the controller would make for a phase, in order, with the reason for each, and who would be
in each pool before and after. Nothing is changed, and no AWS credentials are needed here: the manager that leads
answers, from what it read last, by the same rules by which it would act. You need permission to forward a port to its
pod (create on pods/portforward and get on leases in its namespace).

Without --to it is the next phase of a deploy. A plan is what happens if all goes well: servers that are launched run,
who is registered becomes healthy, and nobody interferes. It says what it takes for granted.`,
		Example: `  kubectl slipway plan web
  kubectl slipway plan web --to=RolledBack
  kubectl slipway plan web --to=Complete -o json | jq -r '.steps[].calls[].operation'`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeReleases(o, nil),
	}
	cmd.Flags().StringVar(&to, "to", "", "the phase that is meant: Preview, Live, RolledBack or Complete; or Deleted, for the deletion of the Release")
	form.add(cmd)
	cmd.Flags().StringVar(&from.namespace, "manager-namespace", "slipway-system", "where the manager runs")
	cmd.Flags().IntVar(&from.port, "manager-port", plan.Port, "the port of its --plan-bind-address")
	_ = cmd.RegisterFlagCompletionFunc("to", completePhases(o))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if to != "" && !slices.Contains(planPhases, to) {
			return exitf(ExitUsage, "--to=%s: it is one of %v", to, planPhases)
		}
		if err := form.valid(); err != nil {
			return err
		}
		_, r, err := o.find(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		p, err := from.ask(cmd.Context(), o, r.Namespace, r.Name, to)
		if err != nil {
			return err
		}
		return form.write(o, p, planScreen{o.painter(), p}.lines)
	}
	return cmd
}
