package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
)

// Deliverer is how a GitOps controller applies what is committed.
type Deliverer struct {
	// Manager is its field manager.
	Manager string
	// ServerSide says that it applies on the server, and has its way in conflicts; else by the three-way merge of `kubectl apply`.
	ServerSide bool
	// Ignores are fields of spec under ignoreDifferences, with RespectIgnoreDifferences=true: they are neither compared nor applied.
	Ignores []string
}

// lastApplied is where `kubectl apply`, and Argo CD, keep what they applied last.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// ArgoCD applies as Argo CD does unless it is told otherwise.
var ArgoCD = Deliverer{Manager: "argocd-controller"}

// ignored are the fields of spec that the sample's Application ignores.
func (w *World) ignored() (fields []string) {
	w.Helper()
	text, err := os.ReadFile("../../config/samples/gitops/argocd/application-phase-ignored.yaml")
	w.must("read the sample", err)
	var application struct {
		Spec struct {
			IgnoreDifferences []struct {
				Group, Kind  string
				JSONPointers []string `json:"jsonPointers"`
			} `json:"ignoreDifferences"`
			SyncPolicy struct {
				SyncOptions []string `json:"syncOptions"`
			} `json:"syncPolicy"`
		} `json:"spec"`
	}
	w.must("read the sample", yaml.Unmarshal(text, &application))
	for _, of := range application.Spec.IgnoreDifferences {
		if of.Group != v1alpha1.GroupVersion.Group || of.Kind != "Release" {
			continue
		}
		for _, pointer := range of.JSONPointers {
			field, inSpec := strings.CutPrefix(pointer, "/spec/")
			w.expect(inSpec, "what the sample ignores is in the spec: %s", pointer)
			fields = append(fields, field)
		}
	}
	w.expect(slices.Contains(application.Spec.SyncPolicy.SyncOptions, "RespectIgnoreDifferences=true"), "what is ignored is not applied either")
	return fields
}

// Git is the manifest of "web" in Git, and the controller that applies it, again and again, with self-heal on.
type Git struct {
	*World
	by        Deliverer
	committed *v1alpha1.Release
	// Act runs an action on "web" as a person does in Argo CD. Default: the edit that the action is to make.
	Act func(action string)
	// Syncs counts what was written.
	Syncs int
	// synced is the resourceVersion that was compared last, empty after a commit: what has not changed is in sync.
	synced string
	// refused is the API server's answer to the last sync; nil if it took it.
	refused error
}

// Repository makes the repository, with the manifest of NewRelease in it, and applies it for the first time.
func (w *World) Repository(by Deliverer, changes ...func(*v1alpha1.Release)) *Git {
	w.Helper()
	g := &Git{World: w, by: by, committed: w.NewRelease(changes...)}
	g.Act = g.edit
	g.Sync()
	w.expect(g.refused == nil, "the API server takes the first sync: %v", g.refused)
	return g
}

// Commit changes the manifest and syncs.
func (g *Git) Commit(changes ...func(*v1alpha1.Release)) {
	g.Helper()
	err := g.TryCommit(changes...)
	g.expect(err == nil, "the API server takes the commit: %v", err)
}

// TryCommit is Commit, and returns the API server's refusal: the commit is made all the same.
func (g *Git) TryCommit(changes ...func(*v1alpha1.Release)) error {
	g.Helper()
	for _, change := range changes {
		change(g.committed)
	}
	g.synced = ""
	g.Sync()
	return g.refused
}

// Touched says that somebody edited a Release: it is due now.
func (g *Git) Touched(name string) {
	g.Helper()
	rel := &v1alpha1.Release{}
	g.must("read what was edited", g.Kube.Get(g.Context(), types.NamespacedName{Namespace: g.Namespace, Name: name}, rel))
	g.touch(rel)
}

// Until is World's, with self-heal at every step.
func (g *Git) Until(what string, holds func() bool) {
	g.Helper()
	g.World.Until(what, func() bool { g.Sync(); return holds() })
}

// For is World's, with self-heal at every step.
func (g *Git) For(d time.Duration, what string, holds func() bool) {
	g.Helper()
	g.World.For(d, what, func() bool { g.Sync(); return holds() })
}

// Sync compares and, where something differs, applies.
func (g *Git) Sync() {
	g.Helper()
	if g.Gone("web") {
		g.create()
		return
	}
	live := g.Release("web")
	before := live.ResourceVersion
	if before == g.synced {
		return
	}
	if g.by.ServerSide {
		g.refused = g.applyOnServer(live)
	} else {
		g.refused = g.merge(live)
	}
	if g.refused == nil && live.ResourceVersion != before {
		g.Syncs++
		g.touch(live)
	}
	g.synced = live.ResourceVersion
}

// manifest is what is committed, as it is in Git.
func (g *Git) manifest() map[string]any {
	g.Helper()
	content := g.content(g.committed)
	delete(content, "status")
	content["apiVersion"], content["kind"] = v1alpha1.GroupVersion.String(), "Release"
	return content
}

func (g *Git) content(rel *v1alpha1.Release) map[string]any {
	g.Helper()
	written, err := json.Marshal(rel)
	g.must("write a Release", err)
	var content map[string]any
	g.must("read a Release", json.Unmarshal(written, &content))
	return content
}

// target is what is applied: the manifest, with what is live in the fields that are ignored.
func (g *Git) target(live map[string]any) map[string]any {
	g.Helper()
	target := g.manifest()
	spec, there := target["spec"].(map[string]any), live["spec"].(map[string]any)
	for _, field := range g.by.Ignores {
		delete(spec, field)
		if value, ok := there[field]; ok {
			spec[field] = value
		}
	}
	return target
}

func (g *Git) create() {
	g.Helper()
	if g.by.ServerSide {
		made := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: g.Namespace}}
		g.refused = g.apply(g.manifest(), made)
		g.touch(made)
		return
	}
	rel := g.committed.DeepCopy()
	written, err := json.Marshal(g.manifest())
	g.must("write the manifest", err)
	metav1.SetMetaDataAnnotation(&rel.ObjectMeta, lastApplied, string(written))
	if g.refused = g.Kube.Create(g.Context(), rel, client.FieldOwner(g.by.Manager)); g.refused == nil {
		g.touch(rel)
	}
}

// merge is the three-way merge between what was applied last, what is to be and what is; nothing is written where that finds no
// difference.
func (g *Git) merge(live *v1alpha1.Release) error {
	g.Helper()
	current := g.content(live)
	current["apiVersion"], current["kind"] = v1alpha1.GroupVersion.String(), "Release"
	target := g.target(current)
	if g.threeWay(live, target, current) == nil {
		return nil
	}
	written, err := json.Marshal(target)
	g.must("write the manifest", err)
	annotations := maps.Clone(g.committed.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[lastApplied] = string(written)
	target["metadata"].(map[string]any)["annotations"] = annotations
	patch := g.threeWay(live, target, current)
	return g.Kube.Patch(g.Context(), live, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(g.by.Manager))
}

// threeWay gives the patch; nil where there is nothing to change.
func (g *Git) threeWay(live *v1alpha1.Release, target, current map[string]any) []byte {
	g.Helper()
	original := map[string]any{}
	if before := live.Annotations[lastApplied]; before != "" {
		g.must("read what was applied last", json.Unmarshal([]byte(before), &original))
	}
	for _, field := range g.by.Ignores { // what is ignored is not compared
		if spec, ok := original["spec"].(map[string]any); ok {
			delete(spec, field)
		}
	}
	texts := make([][]byte, 0, 3)
	for _, content := range []map[string]any{original, target, current} {
		written, err := json.Marshal(content)
		g.must("write a Release", err)
		texts = append(texts, written)
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(texts[0], texts[1], texts[2])
	g.must("compare", err)
	if string(patch) == "{}" {
		return nil
	}
	return patch
}

func (g *Git) applyOnServer(live *v1alpha1.Release) error {
	g.Helper()
	return g.apply(g.target(g.content(live)), live)
}

// apply applies on the server, and reads what came of it.
func (g *Git) apply(target map[string]any, into *v1alpha1.Release) error {
	g.Helper()
	applied := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: target})
	err := g.Kube.Apply(g.Context(), applied, client.FieldOwner(g.by.Manager), client.ForceOwnership)
	if err != nil {
		return err
	}
	return g.Kube.Get(g.Context(), client.ObjectKeyFromObject(into), into)
}

// edit is what the actions of config/argocd come to.
func (g *Git) edit(action string) {
	g.Helper()
	switch phase := actionPhases[action]; {
	case phase != "":
		g.Phase("web", phase)
	case action == "hold":
		g.Edit("web", func(rel *v1alpha1.Release) {
			rel.Spec.Override = &v1alpha1.PhaseOverride{
				Revision: string(rel.Status.Candidate.Revision), Phase: v1alpha1.PhaseRolledBack, Reason: "held in Argo CD", By: "Argo CD",
				ExpiresAt: metav1.NewTime(g.Clock.Now().Add(HoldsFor)),
			}
		})
	case action == "release":
		g.Edit("web", func(rel *v1alpha1.Release) { rel.Spec.Override = nil })
	default:
		g.Fatalf("there is no action %s", action)
	}
}

// HoldsFor is how long a hold of a Recipe lasts.
const HoldsFor = time.Hour

var actionPhases = map[string]v1alpha1.Phase{
	"promote": v1alpha1.PhaseLive, "rollback": v1alpha1.PhaseRolledBack, "complete": v1alpha1.PhaseComplete,
}

// inSync reports whether a sync would write nothing, now and for a while.
func (g *Git) inSync(d time.Duration) {
	g.Helper()
	before := g.Syncs
	g.For(d, "nothing is written", func() bool { return g.Syncs == before })
}

// String tells one from another in the name of a test.
func (d Deliverer) String() string {
	how := "three-way merge"
	if d.ServerSide {
		how = "server-side apply"
	}
	return fmt.Sprintf("%s by %s", d.Manager, how)
}
