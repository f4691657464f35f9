package config

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// The controllers of the sample share all classes, none of them twice, and 0.7 of AWS's limits. They have no object in common but the
// definitions.
func TestShardsShareEverything(t *testing.T) {
	manager := func(folder, name string) (selector labels.Selector, all []string) {
		built := build(t, "samples/shards/"+folder)
		var deployment appsv1.Deployment
		find(t, built, "Deployment", name, &deployment)
		args := deployment.Spec.Template.Spec.Containers[0].Args
		if !slices.Contains(args, "--aws-limits-share=0.35") || !slices.Contains(args, "--leader-elect") {
			t.Errorf("%s has the flags %q", folder, args)
		}
		for _, arg := range args {
			if text, is := strings.CutPrefix(arg, "--class-selector="); is {
				var err error
				if selector, err = labels.Parse(text); err != nil {
					t.Fatal(err)
				}
			}
		}
		if selector == nil {
			t.Fatalf("%s has no selector: %q", folder, args)
		}
		for _, r := range built.Resources() {
			if r.GetKind() != "CustomResourceDefinition" {
				all = append(all, r.GetKind()+"/"+r.GetNamespace()+"/"+r.GetName())
			}
		}
		return selector, all
	}
	east, eastern := manager("east", "east-slipway-controller-manager")
	rest, others := manager("rest", "slipway-controller-manager")
	for _, have := range []labels.Set{nil, {"shard": "east"}, {"shard": "west"}, {"team": "web"}} {
		if east.Matches(have) == rest.Matches(have) {
			t.Errorf("classes labelled {%s} are selected by both or by none", have)
		}
	}
	if !rest.Matches(labels.Set{}) {
		t.Error("nobody tells of a Release whose class is not there")
	}
	for _, name := range eastern {
		if slices.Contains(others, name) {
			t.Errorf("both have %s", name)
		}
	}
}
