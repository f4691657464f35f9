package v1alpha1_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"slipway.dev/slipway/api/v1alpha1"
)

func TestNamespaceSelector(t *testing.T) {
	tests := map[string]struct {
		selector *v1alpha1.NamespaceSelector
		labels   labels.Set
		want     bool
	}{
		"none matches no namespace":      {nil, labels.Set{"team": "shop"}, false},
		"an empty one matches all":       {&v1alpha1.NamespaceSelector{}, labels.Set{}, true},
		"labels that match":              {team("shop"), labels.Set{"team": "shop", "x": "z"}, true},
		"labels that do not match":       {team("shop"), labels.Set{"team": "pay"}, false},
		"an expression that matches":     {in("team", "shop", "pay"), labels.Set{"team": "pay"}, true},
		"an expression that does not":    {in("team", "shop", "pay"), labels.Set{"team": "hr"}, false},
		"labels match, expression fails": {both(team("shop"), in("tier", "prod")), labels.Set{"team": "shop", "tier": "dev"}, false},
		"labels and expression match":    {both(team("shop"), in("tier", "prod")), labels.Set{"team": "shop", "tier": "prod"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			selector, err := metav1.LabelSelectorAsSelector(test.selector.LabelSelector())
			if err != nil {
				t.Fatal(err)
			}
			if got := selector.Matches(test.labels); got != test.want {
				t.Errorf("selector %q matches %v: %t, want %t", selector, test.labels, got, test.want)
			}
		})
	}
}

func team(name v1alpha1.LabelValue) *v1alpha1.NamespaceSelector {
	return &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": name}}
}

func in(key string, values ...v1alpha1.LabelValue) *v1alpha1.NamespaceSelector {
	return &v1alpha1.NamespaceSelector{MatchExpressions: []v1alpha1.NamespaceRequirement{
		{Key: key, Operator: metav1.LabelSelectorOpIn, Values: values},
	}}
}

func both(a, b *v1alpha1.NamespaceSelector) *v1alpha1.NamespaceSelector {
	return &v1alpha1.NamespaceSelector{MatchLabels: a.MatchLabels, MatchExpressions: b.MatchExpressions}
}

func TestReleaseClassIsDefault(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "false": false, "": false, "yes": false} {
		class := v1alpha1.ReleaseClass{}
		class.Annotations = map[string]string{v1alpha1.AnnotationDefaultClass: value}
		if got := class.IsDefault(); got != want {
			t.Errorf("annotation %q: default is %t, want %t", value, got, want)
		}
	}
	if (&v1alpha1.ReleaseClass{}).IsDefault() {
		t.Error("a class without the annotation is not the default")
	}
}
