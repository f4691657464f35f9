package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
)

var tapeFolder = flag.String("e2e.tape", "", "a folder to write Releases to, as the scenarios met them: one of each kind of state")

// tape keeps Releases as they were when their status was written, the first of each kind of state, for the golden screens of the
// command line.
type tape struct {
	mu   sync.Mutex
	seen map[string]bool
}

// taped gives a client that keeps them, or the client as it is where no folder was named.
func taped(kube client.WithWatch) client.Client {
	if *tapeFolder == "" {
		return kube
	}
	t := &tape{seen: map[string]bool{}}
	return interceptor.NewClient(kube, interceptor.Funcs{
		SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
			err := c.SubResource(sub).Update(ctx, o, opts...)
			if rel, ok := o.(*v1alpha1.Release); ok && err == nil {
				err = t.keep(rel)
			}
			return err
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			err := c.SubResource(sub).Patch(ctx, o, p, opts...)
			if rel, ok := o.(*v1alpha1.Release); ok && err == nil {
				err = t.keep(rel)
			}
			return err
		},
	})
}

// keep writes a Release under the name of its kind of state: stage, phase that counts and why, reason of Ready, and what else is True.
func (t *tape) keep(rel *v1alpha1.Release) error {
	s := rel.Status
	words := []string{string(s.Stage), string(rel.Spec.Phase), string(s.EffectivePhaseReason)}
	if ready := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); ready != nil {
		words = append(words, ready.Reason)
	}
	for _, c := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionStalled, v1alpha1.ConditionAwaitingDecision, v1alpha1.ConditionBlind} {
		if meta.IsStatusConditionTrue(s.Conditions, c) {
			words = append(words, c)
		}
	}
	words = append(words, fmt.Sprintf("%t%t%d", s.Stable != nil, s.Candidate != nil, len(s.Retired)))
	name := strings.Join(words, "-")
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen[name] || rel.Spec.Replicas > 3 { // a large one fills a screen and shows nothing else
		return nil
	}
	t.seen[name] = true
	kept := rel.DeepCopy()
	kept.ManagedFields = nil // long, and nothing is drawn of it
	kept.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Release"))
	text, err := yaml.Marshal(kept)
	if err != nil {
		return err
	}
	text = append([]byte("# "+CurrentSpecReport().LeafNodeText+"\n"), text...)
	return os.WriteFile(filepath.Join(*tapeFolder, name+".yaml"), text, 0o600)
}
