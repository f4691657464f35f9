package controlplane

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// installDefinitions creates the CustomResourceDefinitions and waits until the API server serves all of them. envtest
// would wait too, but on no context: a person's Ctrl-C would then take as long as that wait.
func installDefinitions(ctx context.Context, config *rest.Config, opts Options) error {
	read := envtest.CRDInstallOptions{Paths: opts.CRDPaths, CRDs: slices.Clone(opts.CRDs), ErrorIfPathMissing: true}
	if err := envtest.ReadCRDFiles(&read); err != nil {
		return fmt.Errorf("reading the CustomResourceDefinitions: %w", err)
	}
	if err := envtest.CreateCRDs(config, read.CRDs); err != nil {
		return fmt.Errorf("installing the CustomResourceDefinitions: %w", err)
	}
	return waitForDefinitions(ctx, config, read.CRDs)
}

// waitForDefinitions waits until the API server tells clients of each served version of each definition.
func waitForDefinitions(ctx context.Context, config *rest.Config, definitions []*apiextensionsv1.CustomResourceDefinition) error {
	server, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	var missing []string
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, startTimeout, true, func(ctx context.Context) (bool, error) {
		missing = unserved(ctx, server, definitions)
		return len(missing) == 0, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the API server to serve %s: %w", strings.Join(missing, " and "), err)
	}
	return nil
}

// unserved names what the API server does not tell clients of yet. A group version that it does not know is an error of
// discovery, and the usual case here.
func unserved(ctx context.Context, server *discovery.DiscoveryClient, definitions []*apiextensionsv1.CustomResourceDefinition) []string {
	var missing []string
	for _, d := range definitions {
		for _, v := range d.Spec.Versions {
			if !v.Served {
				continue
			}
			group := metav1.GroupVersion{Group: d.Spec.Group, Version: v.Name}.String()
			known, err := server.ServerResourcesForGroupVersionWithContext(ctx, group)
			if err != nil || !slices.ContainsFunc(known.APIResources, func(r metav1.APIResource) bool { return r.Name == d.Spec.Names.Plural }) {
				missing = append(missing, d.Name+" "+v.Name)
			}
		}
	}
	return missing
}
