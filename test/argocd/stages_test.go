package argocd

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
	"slipway.dev/slipway/internal/operator"
	"slipway.dev/slipway/test/e2e"
	"slipway.dev/slipway/test/kubestore"
)

var update = flag.Bool("argocd.update", false, "write what is compared otherwise")

const (
	root     = "../.."
	folder   = root + "/config/argocd/resource_customizations/slipway.dev/Release"
	testdata = folder + "/testdata"
)

// stage is a moment in the life of "web" that tools are to understand.
type stage struct {
	file  string
	reach func(w *e2e.World)
	// kstatus is what Flux and kubectl make of it.
	kstatus string
	// argo is what Argo CD shows.
	argo string
}

const (
	current     = "Current"
	inProgress  = "InProgress"
	failed      = "Failed"
	terminating = "Terminating"

	progressing = "Progressing"
	suspended   = "Suspended"
	healthy     = "Healthy"
	degraded    = "Degraded"
)

func stages() []stage {
	return []stage{
		{"unseen", func(w *e2e.World) { w.Create(w.NewRelease()) }, current, progressing}, // of no conditions kstatus thinks that; so status is written at once
		{"first-preparing", func(w *e2e.World) { w.Create(w.NewRelease()); in(w, "Preparing", "Launching") }, inProgress, progressing},
		{"first-preview", func(w *e2e.World) { w.Create(w.NewRelease()); ready(w) }, current, suspended},
		{"first-live", firstLive, current, healthy},
		{"first-complete", func(w *e2e.World) { w.Settled() }, current, healthy},
		{"edited", func(w *e2e.World) { w.Settled(); w.Deploy("web", "v2", v1alpha1.PhasePreview) }, inProgress, progressing},
		{"launching", func(w *e2e.World) { declared(w); in(w, "Preparing", "Launching") }, inProgress, progressing},
		{"previewing", func(w *e2e.World) { declared(w); in(w, "Preparing", "Previewing") }, inProgress, progressing},
		{"preview", func(w *e2e.World) { w.InPreview() }, current, suspended},
		{"preview-tested", func(w *e2e.World) { w.InPreview(tested) }, current, healthy},
		{"preview-without-test-pool", func(w *e2e.World) { w.InPreview(noTestPool) }, current, suspended},
		{"preview-phase-left-behind", leftBehind, current, suspended},
		{"preview-held", func(w *e2e.World) { w.InPreview(); hold(w, v1alpha1.PhasePreview); ready(w) }, current, suspended},
		{"promoting", func(w *e2e.World) { w.Promoting(); in(w, "Promoting", "Promoting") }, inProgress, progressing},
		{"switching", func(w *e2e.World) { w.Promoting(); in(w, "Switching", "Switching") }, inProgress, progressing},
		{"live", func(w *e2e.World) { w.Live(); ready(w) }, current, healthy},
		{"live-without-phase", liveWithoutPhase, current, healthy},
		{"live-sick", func(w *e2e.World) { w.Live(); w.Answer("v2", 500); in(w, "Live", "Unhealthy") }, inProgress, progressing},
		{"rolling-back", func(w *e2e.World) {
			w.Live()
			w.Phase("web", v1alpha1.PhaseRolledBack)
			in(w, "RollingBack", "RollingBack")
		}, inProgress, progressing},
		{"rolled-back", func(w *e2e.World) { w.RolledBack() }, current, suspended},
		{"rolled-back-tested", func(w *e2e.World) { w.RolledBack(tested) }, current, healthy},
		{"held", held, current, suspended},
		{"retiring", func(w *e2e.World) { w.Live(); w.Phase("web", v1alpha1.PhaseComplete); in(w, "Settled", "Retiring") }, inProgress, progressing},
		{"complete", complete, current, healthy},
		{"complete-refused", completeRefused, failed, degraded},
		{"promotion-failed", promotionFailed, failed, degraded},
		{"first-promotion-failed", firstPromotionFailed, failed, degraded},
		{"auto-rolled-back", autoRolledBack, failed, degraded},
		{"image-not-found", imageNotFound, failed, degraded},
		{"next-not-recorded", nextNotRecorded, failed, degraded},
		{"access-denied", accessDenied, failed, degraded},
		{"retrying", retrying, inProgress, progressing},
		{"health-timeout", healthTimeout, failed, degraded},
		{"blind", blind, failed, degraded},
		{"paused", func(w *e2e.World) { w.InPreview(); w.Pause(true); in(w, "Paused", "Paused") }, inProgress, suspended},
		{"nothing-to-roll-back-to", nothingToRollBackTo, failed, degraded},
		{"deleting", deleting, terminating, progressing},
	}
}

// in waits for a stage and the reason of Ready.
func in(w *e2e.World, stage, reason string) {
	w.Helper()
	w.Until("stage "+stage+", "+reason, func() bool {
		rel := w.Release("web")
		return rel.Status.ObservedGeneration == rel.Generation && string(rel.Status.Stage) == stage &&
			w.Condition("web", v1alpha1.ConditionReady).Reason == reason
	})
}

func ready(w *e2e.World) {
	w.Helper()
	w.Until("it is Ready", func() bool { return w.Ready("web") })
}

func stalled(w *e2e.World, reason string) {
	w.Helper()
	w.Until("it is Stalled, "+reason, func() bool { return w.Stalled("web", reason) })
}

func tested(rel *v1alpha1.Release) {
	metav1.SetMetaDataAnnotation(&rel.ObjectMeta, "slipway.dev/argocd-preview-health", "Healthy")
}

func noTestPool(rel *v1alpha1.Release) { rel.Spec.LoadBalancers.Test = nil }

func declared(w *e2e.World) {
	w.Settled()
	w.Deploy("web", "v2", v1alpha1.PhasePreview)
}

func firstLive(w *e2e.World) {
	w.Create(w.NewRelease(func(rel *v1alpha1.Release) { rel.Spec.Phase, rel.Spec.PhaseFor = v1alpha1.PhaseLive, "v1" }))
	w.Until("v1 is Live", func() bool { return w.Ready("web") && w.Serves("v1") })
}

func leftBehind(w *e2e.World) {
	w.Settled()
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Version = "v2" })
	ready(w)
}

func liveWithoutPhase(w *e2e.World) {
	w.Live()
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Phase, rel.Spec.PhaseFor = "", "" })
	ready(w)
}

func hold(w *e2e.World, phase v1alpha1.Phase) {
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Override = &v1alpha1.PhaseOverride{
			Revision: string(rel.Status.Candidate.Revision), Phase: phase, Reason: "checkout answers 500", By: "alice",
			ExpiresAt: metav1.NewTime(w.Clock.Now().Add(4 * time.Hour).Truncate(time.Second)),
		}
	})
}

func held(w *e2e.World) {
	w.Live()
	hold(w, v1alpha1.PhaseRolledBack)
	w.Until("v1 serves", func() bool { return w.Ready("web") && w.Serves("v1") && w.Only("test", "v2") })
}

func complete(w *e2e.World) {
	w.Live()
	w.Phase("web", v1alpha1.PhaseComplete)
	w.Until("v2 is complete", func() bool { return w.Ready("web") && len(w.Servers("v1")) == 0 })
}

func completeRefused(w *e2e.World) {
	w.Live()
	w.Answer("v2", 500)
	w.Pass(time.Minute)
	w.Phase("web", v1alpha1.PhaseComplete)
	stalled(w, v1alpha1.ReasonUnhealthy)
}

func promotionFailed(w *e2e.World) {
	w.Promoting()
	w.Answer("v2", 500)
	w.Until("it is undone", func() bool { return w.Serves("v1") && w.Stalled("web", v1alpha1.ReasonPromotionFailed) })
	w.Pass(time.Minute)
}

// There is no version to put in the place of the first one: it stays in production, and goes Live once it is healthy.
func firstPromotionFailed(w *e2e.World) {
	w.Create(w.NewRelease())
	ready(w)
	w.Phase("web", v1alpha1.PhaseLive)
	in(w, "Promoting", "Promoting")
	w.Answer("v1", 500)
	stalled(w, v1alpha1.ReasonPromotionFailed)
	w.Pass(time.Minute)
}

func autoRolledBack(w *e2e.World) {
	w.Live(func(rel *v1alpha1.Release) { rel.Spec.Promotion.AutoRollback = true })
	w.Answer("v2", 500)
	w.Until("v1 serves", func() bool { return w.Serves("v1") && w.Stalled("web", v1alpha1.ReasonAutoRolledBack) })
	w.Pass(time.Minute)
}

func imageNotFound(w *e2e.World) {
	w.Settled()
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Version, rel.Spec.Phase, rel.Spec.Image.ID = "v2", v1alpha1.PhasePreview, "ami-0dead000000000000"
	})
	stalled(w, v1alpha1.ReasonImageNotFound)
}

// v2 is Live, and v3 is declared, of which nothing can be recorded: v2 is the candidate still.
func nextNotRecorded(w *e2e.World) {
	w.Live()
	w.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Version, rel.Spec.Image.ID = "v3", "ami-0dead000000000000" })
	stalled(w, v1alpha1.ReasonImageNotFound)
}

func accessDenied(w *e2e.World) {
	w.Settled()
	w.AWS.Deny("ec2:RunInstances")
	w.Deploy("web", "v2", v1alpha1.PhasePreview)
	stalled(w, v1alpha1.ReasonAccessDenied)
}

func retrying(w *e2e.World) {
	w.InPreview()
	w.AWS.Inject(localaws.Fault{Action: "Register*", Before: &localaws.APIFault{Status: 503, Code: "ServiceUnavailable", Message: "try again later"}})
	w.Phase("web", v1alpha1.PhaseLive)
	w.Until("a call is tried again", func() bool { return w.Condition("web", v1alpha1.ConditionReady).Reason == v1alpha1.ReasonRetrying })
}

func healthTimeout(w *e2e.World) {
	w.Settled()
	w.Edit("web", func(rel *v1alpha1.Release) {
		rel.Spec.Version, rel.Spec.Phase, rel.Spec.Template.UserData = "v2", v1alpha1.PhasePreview, e2e.Script("status=500")
	})
	stalled(w, v1alpha1.ReasonHealthTimeout)
}

func blind(w *e2e.World) {
	w.InPreview()
	w.AWS.Deny("elasticloadbalancing:DescribeTargetHealth")
	w.Until("it is blind", func() bool { return w.Is("web", v1alpha1.ConditionBlind) })
}

func nothingToRollBackTo(w *e2e.World) {
	firstLive(w)
	w.Phase("web", v1alpha1.PhaseRolledBack)
	stalled(w, v1alpha1.ReasonNothingToRollBackTo)
}

func deleting(w *e2e.World) {
	w.Live(func(rel *v1alpha1.Release) { rel.Spec.DeletionPolicy = v1alpha1.DeletionTerminate })
	w.Delete("web")
	in(w, "Deleting", "Deleting")
}

// world makes one whose API is in memory.
func world(t *testing.T) *e2e.World {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	clock := localaws.NewVirtualClock(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	kube, err := kubestore.New(operator.Scheme(), root+"/config/crd/bases", clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	return e2e.NewWorldAlone(t, kube, clock)
}

// shown is "web" as `kubectl get -o yaml` shows it, with names that do not depend on what else was tested.
func shown(t *testing.T, w *e2e.World) []byte {
	t.Helper()
	rel := w.Release("web")
	rel.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Release"}
	written, err := yaml.Marshal(rel)
	if err != nil {
		t.Fatal(err)
	}
	account := string(accountOf(rel))
	names := []string{w.Namespace, "shop", w.Class, "default"}
	if account != "" {
		names = append(names, account, "123456789012")
	}
	return []byte(strings.NewReplacer(names...).Replace(string(written)))
}

func accountOf(rel *v1alpha1.Release) v1alpha1.StatusName {
	if rel.Status.Class == nil {
		return ""
	}
	return rel.Status.Class.AccountID
}

func TestObjectsAreWhatTheControllerWrites(t *testing.T) {
	for _, s := range stages() {
		t.Run(s.file, func(t *testing.T) {
			w := world(t)
			s.reach(w)
			same(t, filepath.Join(testdata, s.file+".yaml"), shown(t, w))
			acceptable(t, w)
		})
	}
}

// drawn is what an object has from its world alone: when its looks came, what EC2 called the servers, how often it was
// written. A look a tenth of a second later says nothing new to Argo CD, so the files need not follow it.
var drawn = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|\bi-[0-9a-f]{17}\b|(resourceVersion|seconds): "[\d.]+"`)

// same compares a file with what it is to be, except for what is drawn, or writes it.
func same(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, want, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	told := func(text []byte) string { return drawn.ReplaceAllString(string(text), "DRAWN") }
	if diff := cmp.Diff(told(want), told(read(t, file))); diff != "" {
		t.Errorf("%s is not up to date: run `go test ./test/argocd -argocd.update` and look at what changes (-to be +is):\n%s", file, diff)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// object reads an object as Argo CD gets it: its numbers are float64.
func object(t *testing.T, file string) map[string]any {
	t.Helper()
	written, err := yaml.YAMLToJSON(read(t, file))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var content map[string]any
	if err := json.Unmarshal(written, &content); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return content
}
