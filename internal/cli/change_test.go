package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"slipway.dev/slipway/api/v1alpha1"
)

// A write of somebody else's between the look and the patch: the patch is refused by the API server, everything is looked at again,
// and it goes on only where it means what was agreed to.
func TestConflicts(t *testing.T) {
	_, c := cluster(t, "conflicts")
	for _, test := range []struct {
		name    string
		between func(r *v1alpha1.Release)
		again   bool // at each try
		status  int
		says    string
		phase   v1alpha1.Phase
	}{
		{"label", func(r *v1alpha1.Release) { r.Labels = map[string]string{"team": "shop"} }, false, 0, "promote: asked for", v1alpha1.PhaseLive},
		{"version", func(r *v1alpha1.Release) { r.Spec.Version = "v3" }, false, ExitRefused, "it would do something else now", v1alpha1.PhasePreview},
		{"done", func(r *v1alpha1.Release) {
			r.Spec.Phase, r.Spec.PhaseFor = v1alpha1.PhaseLive, "v2"
			r.Status.EffectivePhase = v1alpha1.PhaseLive
		}, false, 0, "unchanged: Live is asked for already", v1alpha1.PhaseLive},
		{"forbidden", func(r *v1alpha1.Release) { r.Status.AllowedPhases = []v1alpha1.Phase{v1alpha1.PhasePreview} }, false, ExitRefused, "not to Live", v1alpha1.PhasePreview},
		{"always", func(r *v1alpha1.Release) { r.Labels = map[string]string{"n": r.ResourceVersion} }, true, ExitRefused, "was changed by somebody else 5 times meanwhile", v1alpha1.PhasePreview},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := read(t, "testdata/releases/preview.yaml")
			r.Name = test.name
			if err := place(t.Context(), c, r, "conflicts", "kubectl"); err != nil {
				t.Fatal(err)
			}
			patches := 0
			raced := interceptor.NewClient(c, interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
				if patches++; patches == 1 || test.again {
					write(t, c, test.name, test.between)
				}
				return c.Patch(ctx, o, p, opts...)
			}})
			var out, errOut bytes.Buffer
			o := NewOptions(genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &errOut})
			f := phaseFlags{changeFlags: changeFlags{yes: true, dryRun: dryRunNone}}
			p := phaseChange{verbs[0], &f, o.Now}
			ch := &change{o: o, c: raced, verb: "promote", flags: &f.changeFlags, out: addOutput(&cobra.Command{}), effects: p.effects, check: p.check, patch: p.patch}
			_, err := ch.make(t.Context(), "conflicts", test.name)
			said := out.String()
			if err != nil {
				said += err.Error()
			}
			if ExitCode(err) != test.status || !strings.Contains(said, test.says) {
				t.Errorf("exit %d, said %q; want %d and %q", ExitCode(err), said, test.status, test.says)
			}
			var now v1alpha1.Release
			if err := c.Get(t.Context(), client.ObjectKey{Namespace: "conflicts", Name: test.name}, &now); err != nil {
				t.Fatal(err)
			}
			if now.Spec.Phase != test.phase {
				t.Errorf("phase is %s and should be %s", now.Spec.Phase, test.phase)
			}
			if test.again && patches != conflicts {
				t.Errorf("%d patches, want %d", patches, conflicts)
			}
		})
	}
}

// write is somebody else's edit, and Slipway's look at it.
func write(t *testing.T, c client.Client, name string, change func(*v1alpha1.Release)) {
	t.Helper()
	var r v1alpha1.Release
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "conflicts", Name: name}, &r); err != nil {
		t.Fatal(err)
	}
	change(&r)
	status := r.Status
	if err := c.Update(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	if err := settle(t.Context(), c, &r, status); err != nil {
		t.Fatal(err)
	}
}

// Who owns the phase, by managedFields and by what was applied on the client's side.
func TestGitOwner(t *testing.T) {
	owns := func(manager, subresource, fields string) v1alpha1.Release {
		return v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{
			{Manager: "kubectl", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:phase":{}}}`)},
			{Manager: manager, Subresource: subresource, FieldsV1: metav1.NewFieldsV1(fields)},
		}}}
	}
	applied := func(key string, spec any) v1alpha1.Release {
		text, err := json.Marshal(map[string]any{"spec": spec})
		if err != nil {
			t.Fatal(err)
		}
		return v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
			"kubectl.kubernetes.io/last-applied-configuration": string(text), key: "shop:slipway.dev/Release:shop/web",
		}}}
	}
	const phase = `{"f:spec":{".":{},"f:phase":{}}}`
	for name, test := range map[string]struct {
		r    v1alpha1.Release
		want string
	}{
		"Argo CD":                               {owns("argocd-controller", "", phase), "argocd-controller"},
		"Flux":                                  {owns("kustomize-controller", "", phase), "kustomize-controller"},
		"Flux's Helm":                           {owns("helm-controller", "", phase), "helm-controller"},
		"an action in Argo CD":                  {owns("argocd-server", "", phase), ""},
		"a person":                              {owns("kubectl-edit", "", phase), ""},
		"Slipway itself":                        {owns(FieldOwner, "", phase), ""},
		"Argo CD, without the phase":            {owns("argocd-controller", "", `{"f:spec":{"f:version":{}}}`), ""},
		"a status":                              {owns("argocd-controller", "status", phase), ""},
		"fields that cannot be read":            {owns("argocd-controller", "", `nonsense`), ""},
		"applied by Argo CD":                    {applied("argocd.argoproj.io/tracking-id", map[string]any{"phase": "Live"}), "argocd"},
		"applied by Argo CD, without the phase": {applied("argocd.argoproj.io/tracking-id", map[string]any{"version": "v1"}), ""},
		"applied by a person":                   {applied("example.com/x", map[string]any{"phase": "Live"}), ""},
	} {
		if got := gitOwner(&test.r, fieldPhase); got != test.want {
			t.Errorf("%s: owner %q, want %q", name, got, test.want)
		}
	}
}
