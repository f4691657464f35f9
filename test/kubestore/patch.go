package kubestore

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Patch implements client.Client for JSON patches and merge patches.
func (s *Store) Patch(ctx context.Context, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
	var options client.PatchOptions
	options.ApplyOptions(opts)
	return s.patch(ctx, object, patch, wholeBut, len(options.DryRun) > 0)
}

// Apply implements client.Client, and refuses: nobody's fields are managed here.
func (s *Store) Apply(context.Context, runtime.ApplyConfiguration, ...client.ApplyOption) error {
	return unsupported(types.ApplyPatchType)
}

func unsupported(kind types.PatchType) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType, Reason: metav1.StatusReasonUnsupportedMediaType,
		Message: fmt.Sprintf("kubestore takes JSON patches and merge patches, not %s", kind),
	}}
}

func (s *Store) patch(ctx context.Context, object client.Object, patch client.Patch, what part, dry bool) error {
	k, err := s.begin(ctx, object)
	if err != nil {
		return err
	}
	data, err := patch.Data(object)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, err := s.find(k, k.key(object))
	if err != nil {
		return err
	}
	patched, err := s.patched(k, kept.stored, patch.Type(), data)
	if err != nil {
		return err
	}
	if uid := patched.GetUID(); uid != kept.stored.GetUID() && sameVersion(k, kept.stored, patched) == nil {
		return k.refused(patched, field.ErrorList{field.Invalid(field.NewPath("metadata", "uid"), uid, validation.FieldImmutableErrorMsg)})
	}
	updated, err := s.change(ctx, k, kept.stored, patched, what)
	if err != nil {
		return err
	}
	return s.commit(k, kept.stored, updated, object, dry)
}

// patched is what is stored with a patch applied.
func (s *Store) patched(k *kind, kept client.Object, kind types.PatchType, data []byte) (client.Object, error) {
	before, err := json.Marshal(kept)
	if err != nil {
		return nil, err
	}
	var after []byte
	switch kind {
	case types.MergePatchType:
		after, err = jsonpatch.MergePatch(before, data)
	case types.JSONPatchType:
		var list jsonpatch.Patch
		if list, err = jsonpatch.DecodePatch(data); err == nil {
			after, err = list.Apply(before)
		}
	default:
		return nil, unsupported(kind)
	}
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if k.definition != nil {
		content := map[string]any{}
		if err := utiljson.Unmarshal(after, &content); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		return k.complete(content), nil
	}
	into, err := s.scheme.New(k.gvk)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(after, into); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return into.(client.Object), nil
}

// Status implements client.Client.
func (s *Store) Status() client.SubResourceWriter { return s.SubResource("status") }

// SubResource implements client.Client. There is none but status.
func (s *Store) SubResource(name string) client.SubResourceClient { return &statusClient{s, name} }

type statusClient struct {
	store *Store
	name  string
}

// there refuses what has no such part.
func (c *statusClient) there(object client.Object) error {
	k, err := c.store.kindOf(object)
	if err != nil {
		return err
	}
	if c.name != "status" || k.definition == nil || k.definition.status == nil {
		return apierrors.NewNotFound(k.resource.GroupResource(), object.GetName()+"/"+c.name)
	}
	return nil
}

// Get implements client.SubResourceClient, and refuses: the status comes with its object.
func (c *statusClient) Get(_ context.Context, object, _ client.Object, _ ...client.SubResourceGetOption) error {
	if err := c.there(object); err != nil {
		return err
	}
	return fmt.Errorf("the %s of %s comes with the object itself", c.name, object.GetName())
}

// Create implements client.SubResourceClient, and refuses.
func (c *statusClient) Create(_ context.Context, object, _ client.Object, _ ...client.SubResourceCreateOption) error {
	if err := c.there(object); err != nil {
		return err
	}
	return fmt.Errorf("the %s of %s is updated, not created", c.name, object.GetName())
}

// Update implements client.SubResourceClient.
func (c *statusClient) Update(ctx context.Context, object client.Object, opts ...client.SubResourceUpdateOption) error {
	if err := c.there(object); err != nil {
		return err
	}
	var options client.SubResourceUpdateOptions
	options.ApplyOptions(opts)
	return c.store.update(ctx, object, statusAlone, len(options.DryRun) > 0)
}

// Patch implements client.SubResourceClient.
func (c *statusClient) Patch(ctx context.Context, object client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	if err := c.there(object); err != nil {
		return err
	}
	var options client.SubResourcePatchOptions
	options.ApplyOptions(opts)
	return c.store.patch(ctx, object, patch, statusAlone, len(options.DryRun) > 0)
}

// Apply implements client.SubResourceClient, and refuses.
func (c *statusClient) Apply(context.Context, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
	return unsupported(types.ApplyPatchType)
}
