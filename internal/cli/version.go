package cli

import (
	"cmp"
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
	var form answerForm
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which versions of this program, the definitions and the manager there are",
		Example: `  kubectl slipway version
  kubectl slipway version -o json | jq -r '.managers[].image'`,
		Args: args(cobra.NoArgs),
	}
	cmd.Flags().BoolVar(&clientOnly, "client", false, "that of this program alone, and nothing else on the line")
	form.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := form.valid(); err != nil {
			return err
		}
		to := *o
		to.Out = cmd.OutOrStdout()
		found := &versions{Program: o.Build}
		if clientOnly {
			return form.write(&to, found, func() []string { return []string{o.Build} })
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), versionTimeout)
		defer cancel()
		found.look(ctx, o)
		return form.write(&to, found, found.lines)
	}
	return cmd
}

// versions are what there is. Its JSON is for scripts; what could not be asked says why in place of an answer.
type versions struct {
	Program            string           `json:"program"`
	Cluster            string           `json:"clusterNotAsked,omitempty"`
	Definitions        *definitions     `json:"definitions,omitempty"`
	DefinitionsUnknown string           `json:"definitionsNotKnown,omitempty"`
	Managers           []managerVersion `json:"managers,omitzero"`
	ManagersUnknown    string           `json:"managersNotKnown,omitempty"`
}

// definitions are the versions of the API that the cluster has.
type definitions struct {
	Installed     bool     `json:"installed"`
	Served        []string `json:"served,omitempty"`
	Generation    int64    `json:"generation,omitempty"`
	ControllerGen string   `json:"controllerGen,omitempty"`
}

// managerVersion is a manager's Deployment.
type managerVersion struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Image     string `json:"image,omitempty"`
	Ready     int32  `json:"readyReplicas"`
	Replicas  int32  `json:"replicas"`
}

// look asks the cluster.
func (v *versions) look(ctx context.Context, o *Options) {
	c, err := o.Client()
	if err != nil {
		v.Cluster = err.Error()
		return
	}
	v.Definitions, err = definitionsOf(ctx, c)
	v.DefinitionsUnknown = notKnown(err, "read CustomResourceDefinitions")
	v.Managers, err = managerVersions(ctx, c)
	v.ManagersUnknown = notKnown(err, "list Deployments in all namespaces")
}

// notKnown says why something is not known; empty where it is.
func notKnown(err error, permission string) string {
	switch {
	case err == nil:
		return ""
	case apierrors.IsForbidden(err):
		return "you may not " + permission
	}
	return err.Error()
}

// lines are what a person reads.
func (v *versions) lines() []string {
	rows := [][]string{{"program", v.Program}}
	if v.Cluster != "" {
		return columns(append(rows, []string{"cluster", "not asked: " + v.Cluster}))
	}
	return columns(append(rows, []string{"definitions", v.definitionWords()}, []string{"manager", v.managerWords()}))
}

func (v *versions) definitionWords() string {
	d := v.Definitions
	switch {
	case v.DefinitionsUnknown != "":
		return "not known: " + v.DefinitionsUnknown
	case !d.Installed:
		return "not installed"
	case d.ControllerGen == "":
		return strings.Join(d.Served, ", ")
	}
	return fmt.Sprintf("%s (generation %d, controller-gen %s)", strings.Join(d.Served, ", "), d.Generation, d.ControllerGen)
}

// managerWords are the image of each manager's Deployment and how many of its pods are ready.
func (v *versions) managerWords() string {
	switch {
	case v.ManagersUnknown != "":
		return "not known: " + v.ManagersUnknown
	case len(v.Managers) == 0:
		return "none found in this cluster"
	}
	var words []string
	for _, m := range v.Managers {
		words = append(words, fmt.Sprintf("%s (%s/%s, %d of %d ready)", cmp.Or(m.Image, "no container"), m.Namespace, m.Name, m.Ready, m.Replicas))
	}
	return strings.Join(words, "; ")
}

// definitionsOf are those of Releases: all kinds come with one installation.
func definitionsOf(ctx context.Context, c client.Reader) (*definitions, error) {
	var crd apiextensionsv1.CustomResourceDefinition
	err := c.Get(ctx, client.ObjectKey{Name: "releases." + v1alpha1.GroupVersion.Group}, &crd)
	switch {
	case apierrors.IsNotFound(err):
		return &definitions{}, nil
	case err != nil:
		return nil, err
	}
	found := &definitions{Installed: true, Generation: crd.Generation, ControllerGen: crd.Annotations["controller-gen.kubebuilder.io/version"]}
	for _, v := range crd.Spec.Versions {
		if v.Served {
			found.Served = append(found.Served, crd.Spec.Group+"/"+v.Name)
		}
	}
	return found, nil
}

func managerVersions(ctx context.Context, c client.Reader) ([]managerVersion, error) {
	found, err := managers(ctx, c)
	if err != nil {
		return nil, err
	}
	all := make([]managerVersion, 0, len(found))
	for _, d := range found {
		m := managerVersion{Namespace: d.Namespace, Name: d.Name, Ready: d.Status.ReadyReplicas, Replicas: d.Status.Replicas}
		if containers := d.Spec.Template.Spec.Containers; len(containers) > 0 {
			m.Image = containers[0].Image
		}
		all = append(all, m)
	}
	return all, nil
}

// managerLabels are those that config/manager gives the Deployment.
var managerLabels = client.MatchingLabels{"control-plane": "controller-manager", "app.kubernetes.io/name": "slipway"}

// managers are the Deployments of Slipway's manager.
func managers(ctx context.Context, c client.Reader) ([]appsv1.Deployment, error) {
	var found appsv1.DeploymentList
	err := c.List(ctx, &found, managerLabels)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("the API server did not answer within %s", versionTimeout)
	}
	return found.Items, err
}
