package kubestore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Delete implements client.Client.
func (s *Store) Delete(ctx context.Context, object client.Object, opts ...client.DeleteOption) error {
	k, err := s.begin(ctx, object)
	if err != nil {
		return err
	}
	var options client.DeleteOptions
	options.ApplyOptions(opts)
	if p := options.PropagationPolicy; p != nil && *p != metav1.DeletePropagationBackground {
		return fmt.Errorf("kubestore has no garbage collection, and so no propagation policy %s", *p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, err := s.find(k, k.key(object))
	if err != nil {
		return err
	}
	if err := precondition(k, kept.given, options.Preconditions); err != nil || len(options.DryRun) > 0 {
		return err
	}
	return s.end(k, kept.stored)
}

func precondition(k *kind, kept client.Object, must *metav1.Preconditions) error {
	if must == nil {
		return nil
	}
	if must.UID != nil && *must.UID != kept.GetUID() {
		return conflict(k, kept, "Precondition failed: UID in precondition: %v, UID in object meta: %v", *must.UID, kept.GetUID())
	}
	if must.ResourceVersion != nil && *must.ResourceVersion != kept.GetResourceVersion() {
		return conflict(k, kept, "Precondition failed: ResourceVersion in precondition: %v, ResourceVersion in object meta: %v",
			*must.ResourceVersion, kept.GetResourceVersion())
	}
	return nil
}

// end deletes an object, or marks it as deleted while a finalizer holds it. Called with s.mu held.
func (s *Store) end(k *kind, kept client.Object) error {
	ending := kept.DeepCopyObject().(client.Object)
	held := len(kept.GetFinalizers()) > 0 || k.gvk.Kind == kindNamespace // whose contents nobody here takes away
	if held && !kept.GetDeletionTimestamp().IsZero() {
		return nil
	}
	at := metav1.NewTime(s.now().Truncate(time.Second))
	ending.SetDeletionTimestamp(&at)
	ending.SetDeletionGracePeriodSeconds(new(int64))
	if ending.GetGeneration() > 0 {
		ending.SetGeneration(ending.GetGeneration() + 1)
	}
	_, err := s.keep(k, ending, !held)
	return err
}

// DeleteAllOf implements client.Client.
func (s *Store) DeleteAllOf(ctx context.Context, object client.Object, opts ...client.DeleteAllOfOption) error {
	k, err := s.begin(ctx, object)
	if err != nil {
		return err
	}
	var options client.DeleteAllOfOptions
	options.ApplyOptions(opts)
	matches, err := selection(k, &options.ListOptions)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var ending []client.Object
	for _, kept := range s.objects[k.gvk] {
		if matches(kept.given) {
			ending = append(ending, kept.stored)
		}
	}
	slices.SortFunc(ending, func(a, b client.Object) int {
		return strings.Compare(a.GetNamespace()+"/"+a.GetName(), b.GetNamespace()+"/"+b.GetName())
	})
	for _, kept := range ending {
		if err := s.end(k, kept); err != nil {
			return err
		}
	}
	return nil
}
