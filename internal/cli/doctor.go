package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"slipway.dev/slipway/internal/checkup"
	"slipway.dev/slipway/internal/plan"
)

func newDoctor(o *Options) *cobra.Command {
	var class string
	var form answerForm
	var from planSource
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look whether everything is there that a deploy needs, and say what to type where it is not",
		Long: fmt.Sprintf(`Looks at the cluster (definitions, manager, classes, stalled Releases) with your own credentials for it, and lets the
manager that leads look at AWS with its own: whose credentials it has, what they permit, whether load balancers are attached and
tagged, and what limits there are. No AWS credentials are needed here; as for plan, you need permission to forward a port to the
manager's pod (create on pods/portforward and get on leases in its namespace).

Nothing is changed. What launches, tags and terminates servers is tried with EC2's DryRun: it answers whether it would. Load
balancers have no such thing, so the tag that the shipped IAM policy asks for is looked at. Every check is made that can be; one
that could not be made is shown with a dash and the reason.

Exit status: 0 where nothing failed (warnings are allowed), %d where something did, %d where nothing did, but AWS could not be
looked at: the check that was not made says why.`, ExitUnwell, ExitFailed),
		Example: `  kubectl slipway doctor
  kubectl slipway doctor --class=production
  kubectl slipway doctor -o json | jq -r '.checks[] | select(.state == "fail") | .advice'`,
		Args: args(cobra.NoArgs),
	}
	cmd.Flags().StringVar(&class, "class", "", "the ReleaseClass whose account is looked at; without it, the default one")
	form.add(cmd)
	cmd.Flags().StringVar(&from.namespace, "manager-namespace", "slipway-system", "where the manager runs")
	cmd.Flags().IntVar(&from.port, "manager-port", plan.Port, "the port of its --plan-bind-address")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := form.valid(); err != nil {
			return err
		}
		if err := o.configured(); err != nil {
			return err
		}
		found := o.examine(cmd.Context(), from, class)
		if err := cmd.Context().Err(); err != nil {
			return fmt.Errorf("not everything was looked at: %w", err)
		}
		if err := form.write(o, found, doctorScreen{o.painter(), found}.lines); err != nil {
			return err
		}
		return verdict(found)
	}
	return cmd
}

// verdict is the exit status.
func verdict(found *checkup.Checkup) error {
	if failed := found.Count(checkup.Fail); failed > 0 {
		return exitf(ExitUnwell, "%s of %d failed", many(failed, "check"), len(found.Checks))
	}
	if !found.ReachedAWS() {
		return exitf(ExitFailed, "no check failed, but AWS could not be looked at")
	}
	return nil
}

// examine makes all checks: those of the cluster, and those that the manager makes.
func (o *Options) examine(ctx context.Context, from planSource, class string) *checkup.Checkup {
	e := &clusterCheckup{o: o, from: from}
	reachable := e.look(ctx)
	told := e.ask(ctx, class, reachable)
	found := &checkup.Checkup{Program: o.Build, Checks: e.checks}
	if told != nil {
		found.Manager, found.Build, found.Cluster = told.Manager, told.Build, told.Cluster
		found.Class, found.Account, found.Region = told.Class, told.Account, told.Region
		found.Add(told.Checks...)
	}
	return found
}

// ask lets the manager look at AWS. Where it cannot be asked, that is one failed check; where the person may not ask, that is no fault of
// the installation.
func (e *clusterCheckup) ask(ctx context.Context, class string, reachable bool) *checkup.Checkup {
	const subject = "AWS, by the manager"
	local, err := localManager(e.o)
	if local == "" && err == nil && !reachable {
		e.note(checkup.AreaManager, subject, checkup.Untried, "", "there is no way to a manager without the API server")
		return nil
	}
	told := &checkup.Checkup{}
	err = errors.Join(err, e.from.fetch(ctx, e.o, checkup.Path(class), nil, func(answer *http.Response) error { return readAnswer(answer, "checkup", told) }))
	if err != nil && slices.ContainsFunc(e.checks, func(c checkup.Check) bool { return c.Message == err.Error() }) {
		err = errors.New("there is no leader, see above")
	}
	if apierrors.IsForbidden(err) {
		e.note(checkup.AreaManager, subject, checkup.Untried, "Ask whoever runs the cluster for both, or to run it: kubectl slipway doctor",
			"credentials, permissions, load balancers and quotas could not be looked at: you need create on pods/portforward and get on leases in namespace %s",
			e.from.namespace)
		return nil
	}
	if err != nil {
		e.note(checkup.AreaManager, subject, checkup.Fail,
			"kubectl -n "+e.from.namespace+" logs -l control-plane=controller-manager --prefix --tail=-1; then ask again",
			"credentials, permissions, load balancers and quotas could not be looked at: %v", err)
		return nil
	}
	e.builds(told)
	return told
}

// builds compares the versions of manager and program.
func (e *clusterCheckup) builds(told *checkup.Checkup) {
	const subject = "version"
	program := e.o.Build
	switch {
	case told.Build == "unknown" || told.Build == "" || program == "unknown" || program == "":
		e.note(checkup.AreaManager, subject, checkup.Untried, "", "manager %s, this program %s: built without one", orUnknown(told.Build), orUnknown(program))
	case told.Build != program:
		e.note(checkup.AreaManager, subject, checkup.Warn, "Take both from the same release (docs/install.md, Upgrading)",
			"the manager is %s, this program %s", told.Build, program)
	default:
		e.note(checkup.AreaManager, subject, checkup.OK, "", "manager and this program are %s", program)
	}
}

func orUnknown(build string) string {
	if build == "" {
		return "unknown"
	}
	return build
}
