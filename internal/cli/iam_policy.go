package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/config/iam"
)

// policyRequest is what a policy is asked for by: what it is made for, and the class that says the half of it.
type policyRequest struct {
	iam.Installation
	class string
	role  string // that the class has its calls made by
}

func newIAMPolicy(o *Options) *cobra.Command {
	var request policyRequest
	cmd := &cobra.Command{
		Use:   "iam-policy",
		Short: "Print the IAM policy that the manager needs, filled in for this cluster",
		Long: `Prints the least that the manager needs in one AWS account and region, as the JSON of an IAM policy: exactly the calls
that it makes, bound to servers with this cluster's tag and to load balancers that were granted to it by theirs. It
needs no AWS credentials and changes nothing.

Account and region are those of the ReleaseClass, the default one unless --class names another; the cluster's name is
the manager's --cluster-name, or else the uid of the namespace kube-system. What the flags name is not asked for: with
--account, --region and --cluster-name it needs no cluster, and can be run before Slipway is installed.

The policy goes to standard output. What has to be done beside it is said on standard error.`,
		Example: `  kubectl slipway iam-policy --server-role=web > policy.json
  kubectl slipway iam-policy --account=123456789012 --region=us-east-1 --cluster-name=prod --server-role=web`,
		Args: args(cobra.NoArgs),
	}
	flags := cmd.Flags()
	flags.StringVar(&request.class, "class", "", "the ReleaseClass whose account and region are meant; the default class unless it is given")
	flags.StringVar(&request.Account, "account", "", "the 12-digit AWS account, in place of the class's")
	flags.StringVar(&request.Region, "region", "", "the AWS region, in place of the class's")
	flags.StringVar(&request.Cluster, "cluster-name", "", "the value of the tag slipway.dev/cluster, in place of the installed manager's")
	flags.StringSliceVar(&request.ServerRoles, "server-role", nil, "name of the role inside an instance profile that servers carry; repeat it for several. "+
		"Without it, no server may carry one")
	flags.StringSliceVar(&request.Parameters, "image-parameters", []string{"/images/*"}, "SSM parameters that image.ssmParameter may name, AWS's own as "+
		"/aws/service/*; empty for none")
	flags.StringVar(&request.EventsQueue, "events-queue", "", "name of the SQS queue that tells of servers, in place of the class's eventsQueue")
	flags.StringSliceVar(&request.Keys, "kms-key", nil, "ARN of a KMS key of yours that volumes are encrypted with; repeat it for several")
	flags.StringVar(&request.FormerCluster, "former-cluster", "", "cluster whose servers are to be taken over (adopt.formerCluster), until they are")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := request.complete(cmd.Context(), o); err != nil {
			return err
		}
		text, err := iam.Policy(request.Installation)
		if err != nil {
			return exitf(ExitUsage, "%w", err)
		}
		for _, line := range request.beside() {
			fmt.Fprintln(o.ErrOut, line)
		}
		_, err = o.Out.Write(text)
		return err
	}
	return cmd
}

// complete asks the cluster for what no flag says.
func (r *policyRequest) complete(ctx context.Context, o *Options) error {
	if r.Account != "" && r.Region != "" && r.Cluster != "" && r.class == "" {
		return nil
	}
	c, err := o.Client()
	if err != nil {
		return fmt.Errorf("%w; without a cluster: --account, --region and --cluster-name", err)
	}
	if r.class != "" || r.Account == "" || r.Region == "" {
		class, err := classOf(ctx, c, r.class)
		if err != nil {
			return fmt.Errorf("%w; without one: --account and --region", err)
		}
		r.role, r.EventsQueue = class.Spec.RoleARN, cmp.Or(r.EventsQueue, class.Spec.EventsQueue)
		r.Account, r.Region = cmp.Or(r.Account, class.Spec.AccountID), cmp.Or(r.Region, class.Spec.Region)
	}
	if r.Cluster == "" {
		r.Cluster, err = clusterNameOf(ctx, c)
	}
	return err
}

// beside is what a policy alone does not do.
func (r *policyRequest) beside() []string {
	tag := fmt.Sprintf("slipway.dev/cluster=%s", r.Cluster)
	lines := []string{
		fmt.Sprintf("Policy for account %s, region %s, and what carries the tag %s.", r.Account, r.Region, tag),
		"Grant it each load balancer and target group by that tag, or AWS refuses to put servers there:",
		fmt.Sprintf("  aws elb add-tags --load-balancer-names NAME --tags Key=slipway.dev/cluster,Value=%s", r.Cluster),
		fmt.Sprintf("  aws elbv2 add-tags --resource-arns ARN --tags Key=slipway.dev/cluster,Value=%s", r.Cluster),
	}
	if len(r.ServerRoles) == 0 {
		lines = append(lines, "It lets no server carry an instance profile. If spec.template.iamInstanceProfile is used: --server-role=ROLE")
	}
	if r.role != "" {
		lines = append(lines, fmt.Sprintf("The class works as %s: that role gets this policy, and its trust policy names the manager's role.", r.role),
			"The manager's own role needs sts:AssumeRole on it and nothing else (docs/install.md, Several accounts).")
	}
	return lines
}

// classOf is a ReleaseClass by name, or the one that is marked as the default.
func classOf(ctx context.Context, c client.Reader, name string) (*v1alpha1.ReleaseClass, error) {
	if name != "" {
		var class v1alpha1.ReleaseClass
		err := c.Get(ctx, client.ObjectKey{Name: name}, &class)
		if apierrors.IsNotFound(err) && !unknownKind(err) {
			return nil, exitf(ExitNotFound, "there is no ReleaseClass %s (kubectl get releaseclasses shows all that there are)", name)
		}
		return &class, explainConnection(err)
	}
	var list v1alpha1.ReleaseClassList
	if err := c.List(ctx, &list); err != nil {
		return nil, explainConnection(err)
	}
	var marked []v1alpha1.ReleaseClass
	for _, class := range list.Items {
		if class.IsDefault() {
			marked = append(marked, class)
		}
	}
	if len(marked) != 1 {
		return nil, fmt.Errorf("%d of %d ReleaseClasses are marked as the default: name one with --class", len(marked), len(list.Items))
	}
	return &marked[0], nil
}

// clusterNameOf is the name by which the installed manager marks its servers, or would if it were installed as config/ has it.
func clusterNameOf(ctx context.Context, c client.Reader) (string, error) {
	const flag = "--cluster-name="
	deployments, err := managers(ctx, c)
	if err != nil && !apierrors.IsForbidden(err) {
		return "", explainConnection(err)
	}
	if err != nil {
		return "", errors.New("you may not read the manager's Deployment, which may have a --cluster-name: give it with --cluster-name here too")
	}
	for _, d := range deployments {
		for _, container := range d.Spec.Template.Spec.Containers {
			for _, arg := range container.Args {
				if name, set := strings.CutPrefix(arg, flag); set && name != "" {
					return name, nil
				}
			}
		}
	}
	var system corev1.Namespace
	if err := c.Get(ctx, client.ObjectKey{Name: "kube-system"}, &system); err != nil {
		return "", fmt.Errorf("reading the uid of the namespace kube-system, which names this cluster (or give --cluster-name): %w", err)
	}
	return string(system.UID), nil
}
