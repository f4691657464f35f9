package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// versionTimeout is what asking the cluster may take: its versions are a courtesy.
const versionTimeout = 5 * time.Second

func newVersion(o *Options) *cobra.Command {
	var clientOnly bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which versions of this program, the definitions and the manager there are",
		Args:  args(cobra.NoArgs),
	}
	cmd.Flags().BoolVar(&clientOnly, "client", false, "that of this program alone, and nothing else on the line")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if clientOnly {
			fmt.Fprintln(cmd.OutOrStdout(), o.Build)
			return nil
		}
		lines := [][]string{{"program", o.Build}}
		ctx, cancel := context.WithTimeout(cmd.Context(), versionTimeout)
		defer cancel()
		c, err := o.Client()
		if err != nil {
			lines = append(lines, []string{"cluster", "not asked: " + err.Error()})
			return writeLines(o.Out, columns(lines))
		}
		lines = append(lines, []string{"definitions", definitionWords(ctx, c)}, []string{"manager", managerWords(ctx, c)})
		return writeLines(o.Out, columns(lines))
	}
	return cmd
}

// definitionWords are the versions of the API that the cluster has, and which one it stores.
func definitionWords(ctx context.Context, c client.Reader) string {
	var crd apiextensionsv1.CustomResourceDefinition
	err := c.Get(ctx, client.ObjectKey{Name: "releases." + v1alpha1.GroupVersion.Group}, &crd)
	switch {
	case apierrors.IsNotFound(err):
		return "not installed"
	case apierrors.IsForbidden(err):
		return "not known: you may not read CustomResourceDefinitions"
	case err != nil:
		return "not known: " + err.Error()
	}
	var words []string
	for _, v := range crd.Spec.Versions {
		if v.Served {
			words = append(words, crd.Spec.Group+"/"+v.Name)
		}
	}
	text := strings.Join(words, ", ")
	if generator := crd.Annotations["controller-gen.kubebuilder.io/version"]; generator != "" {
		text += " (generation " + fmt.Sprint(crd.Generation) + ", controller-gen " + generator + ")"
	}
	return text
}

// managerLabels are those that config/manager gives the Deployment.
var managerLabels = client.MatchingLabels{"control-plane": "controller-manager", "app.kubernetes.io/name": "slipway"}

// managerWords are the image of each manager's Deployment and how many of its pods are ready.
func managerWords(ctx context.Context, c client.Reader) string {
	found, err := managers(ctx, c)
	switch {
	case apierrors.IsForbidden(err):
		return "not known: you may not list Deployments in all namespaces"
	case err != nil:
		return "not known: " + err.Error()
	case len(found) == 0:
		return "none found in this cluster"
	}
	var words []string
	for _, d := range found {
		image := "no container"
		if containers := d.Spec.Template.Spec.Containers; len(containers) > 0 {
			image = containers[0].Image
		}
		words = append(words, fmt.Sprintf("%s (%s/%s, %d of %d ready)", image, d.Namespace, d.Name, d.Status.ReadyReplicas, d.Status.Replicas))
	}
	return strings.Join(words, "; ")
}

// managers are the Deployments of Slipway's manager.
func managers(ctx context.Context, c client.Reader) ([]appsv1.Deployment, error) {
	var found appsv1.DeploymentList
	err := c.List(ctx, &found, managerLabels)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("the API server did not answer within %s", versionTimeout)
	}
	return found.Items, err
}
