package api_test

import (
	"context"
	"os/exec"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"slipway.dev/slipway/api/v1alpha1"
)

// kubectl runs the real one against the API server.
func kubectl(ctx context.Context, args ...string) (string, error) {
	server := []string{"--kubeconfig", plane.KubeconfigPath, "--cache-dir", GinkgoT().TempDir()}
	out, err := exec.CommandContext(ctx, plane.KubectlPath, append(server, args...)...).CombinedOutput()
	return string(out), err
}

// shown is what kubectl answers.
func shown(ctx context.Context, args ...string) string {
	GinkgoHelper()
	out, err := kubectl(ctx, args...)
	Expect(err).NotTo(HaveOccurred(), out)
	return out
}

// manual is what kubectl explains, in one line: it breaks lines as the terminal needs it. The API server publishes the
// manual of a kind a moment after the kind itself.
func manual(ctx context.Context, field string) string {
	GinkgoHelper()
	var out string
	Eventually(ctx, func() (err error) {
		out, err = kubectl(ctx, "explain", field)
		return err
	}).WithTimeout(time.Minute).Should(Succeed(), "%s", out)
	return strings.Join(strings.Fields(out), " ")
}

// columns are set apart by two spaces or more; no cell of these tests is empty.
var columns = regexp.MustCompile(`\s{2,}`)

// row gives the only row of a table by its header.
func row(table string) map[string]string {
	GinkgoHelper()
	lines := strings.Split(strings.TrimSpace(table), "\n")
	Expect(lines).To(HaveLen(2), table)
	header, cells := columns.Split(strings.TrimSpace(lines[0]), -1), columns.Split(strings.TrimSpace(lines[1]), -1)
	Expect(cells).To(HaveLen(len(header)), table)
	out := map[string]string{}
	for i, name := range header {
		out[name] = cells[i]
	}
	return out
}

var _ = Describe("kubectl", func() {
	It("explains a field with its unit, default and an example", func(ctx context.Context) {
		Expect(manual(ctx, "rel.spec.health.timeout")).To(SatisfyAll(
			ContainSubstring("timeout is how long"), ContainSubstring("Default: 10m. Example: 5m"),
		))
	})

	It("explains the phases", func(ctx context.Context) {
		manual := manual(ctx, "release.spec.phase")
		for _, phase := range []string{"Preview: ", "Live: ", "RolledBack: ", "Complete: ", "Default: none"} {
			Expect(manual).To(ContainSubstring(phase))
		}
	})

	It("shows a Release in a line, and its message when asked for more", func(ctx context.Context) {
		release := typed(stored(ctx, minimalRelease, set("phase", "Preview")))
		release.Status = v1alpha1.ReleaseStatus{
			Stage: "Waiting", LiveVersion: "v0", EffectivePhase: v1alpha1.PhasePreview,
			Message:   "v1 is healthy on 1 test pool; to promote set phase: Live",
			Candidate: &v1alpha1.FleetStatus{Version: "v1"},
			Conditions: []metav1.Condition{{
				Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue,
				Reason: v1alpha1.ReasonPreviewReady, LastTransitionTime: metav1.Now(),
			}},
		}
		Expect(api.Status().Update(ctx, release)).To(Succeed())

		line := row(shown(ctx, "get", "rel", release.Name))
		Expect(line).To(HaveKey("AGE"))
		delete(line, "AGE")
		Expect(line).To(Equal(map[string]string{
			"NAME": release.Name, "PHASE": "Preview", "STAGE": "Waiting", "LIVE": "v0", "CANDIDATE": "v1", "READY": "True",
		}))
		Expect(row(shown(ctx, "get", "rel", release.Name, "-o", "wide"))).To(SatisfyAll(
			HaveKeyWithValue("EFFECTIVE", "Preview"),
			HaveKeyWithValue("MESSAGE", release.Status.Message),
		))
	})

	It("waits for a condition", func(ctx context.Context) {
		release := typed(stored(ctx, minimalRelease))
		release.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionPreviewReady, Status: metav1.ConditionTrue,
			Reason: v1alpha1.ReasonPreviewReady, LastTransitionTime: metav1.Now(),
		}}
		Expect(api.Status().Update(ctx, release)).To(Succeed())
		Expect(shown(ctx, "wait", "rel/"+release.Name, "--for=condition=PreviewReady", "--timeout=30s")).To(ContainSubstring("met"))
	})

	It("scales a Release, which says how many run", func(ctx context.Context) {
		obj := stored(ctx, minimalRelease)
		release := typed(obj)
		release.Status.Replicas = 7
		Expect(api.Status().Update(ctx, release)).To(Succeed())

		shown(ctx, "scale", "rel/"+obj.GetName(), "--replicas=3")
		scale := &unstructured.Unstructured{}
		scale.SetAPIVersion("autoscaling/v1")
		scale.SetKind("Scale")
		Expect(api.SubResource("scale").Get(ctx, obj, scale)).To(Succeed())
		Expect(scale.Object["spec"]).To(HaveKeyWithValue("replicas", int64(3)))
		Expect(scale.Object["status"]).To(HaveKeyWithValue("replicas", int64(7)))
	})

	It("shows which class is the default, and both kinds under one category", func(ctx context.Context) {
		class := object(minimalClass)
		class.SetAnnotations(map[string]string{v1alpha1.AnnotationDefaultClass: "true"})
		Expect(api.Create(ctx, class)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(api.Delete(ctx, class)).To(Succeed()) })
		Expect(row(shown(ctx, "get", "relclass", class.GetName()))).To(SatisfyAll(
			HaveKeyWithValue("ACCOUNT", "123456789012"), HaveKeyWithValue("REGION", "us-east-1"), HaveKeyWithValue("DEFAULT", "true"),
		))
		release := stored(ctx, minimalRelease)
		Expect(shown(ctx, "get", "slipway", "-o", "name")).To(SatisfyAll(
			ContainSubstring("release.slipway.dev/"+release.GetName()),
			ContainSubstring("releaseclass.slipway.dev/"+class.GetName()),
		))
	})
})
