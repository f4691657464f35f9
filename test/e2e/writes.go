package e2e

import (
	"context"
	"fmt"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// writes are the controller's writes to Kubernetes, those that change nothing included.
type writes struct {
	mu    sync.Mutex
	list  []string
	after func(client.Object) // called after each update that succeeded; nil for none
	told  func(*v1alpha1.Release)
	keeps func(*appsv1.ControllerRevision) // before the write of a memory
	kept  func(*appsv1.ControllerRevision) // after it
}

// then calls f after each update that succeeds, until the function that it returns is called.
func (l *writes) then(f func(client.Object)) (remove func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.after = f
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.after = nil
	}
}

func (l *writes) updated(object client.Object) {
	l.mu.Lock()
	f := l.after
	l.mu.Unlock()
	if f != nil {
		f(object)
	}
	if revision, is := object.(*appsv1.ControllerRevision); is {
		l.kept(revision)
	}
}

func (l *writes) note(verb string, object client.Object) {
	l.add(fmt.Sprintf("%s %T %s", verb, object, object.GetName()))
}

func (l *writes) add(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, what)
}

func (l *writes) since(n int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.list[n:]...)
}

// noting is a client that notes every write before it makes it.
type noting struct {
	client.Client
	writes *writes
}

func (c noting) Create(ctx context.Context, object client.Object, opts ...client.CreateOption) error {
	c.writes.note("create", object)
	return c.Client.Create(ctx, object, opts...)
}

func (c noting) Update(ctx context.Context, object client.Object, opts ...client.UpdateOption) error {
	c.writes.note("update", object)
	if revision, is := object.(*appsv1.ControllerRevision); is {
		c.writes.keeps(revision)
	}
	err := c.Client.Update(ctx, object, opts...)
	if err == nil {
		c.writes.updated(object)
	}
	return err
}

func (c noting) Patch(ctx context.Context, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
	c.writes.note("patch", object)
	return c.Client.Patch(ctx, object, patch, opts...)
}

func (c noting) Delete(ctx context.Context, object client.Object, opts ...client.DeleteOption) error {
	c.writes.note("delete", object)
	return c.Client.Delete(ctx, object, opts...)
}

func (c noting) DeleteAllOf(ctx context.Context, object client.Object, opts ...client.DeleteAllOfOption) error {
	c.writes.note("delete all", object)
	return c.Client.DeleteAllOf(ctx, object, opts...)
}

func (c noting) Status() client.SubResourceWriter { return c.SubResource("status") }

func (c noting) SubResource(name string) client.SubResourceClient {
	return notingPart{c.Client.SubResource(name), name, c.writes}
}

// notingPart is the same for a subresource.
type notingPart struct {
	client.SubResourceClient
	name   string
	writes *writes
}

func (c notingPart) Create(ctx context.Context, object, part client.Object, opts ...client.SubResourceCreateOption) error {
	c.writes.note("create "+c.name+" of", object)
	return c.SubResourceClient.Create(ctx, object, part, opts...)
}

func (c notingPart) Update(ctx context.Context, object client.Object, opts ...client.SubResourceUpdateOption) error {
	c.writes.note("update "+c.name+" of", object)
	err := c.SubResourceClient.Update(ctx, object, opts...)
	if rel, is := object.(*v1alpha1.Release); is && err == nil {
		c.writes.told(rel)
	}
	return err
}

func (c notingPart) Patch(ctx context.Context, object client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	c.writes.note("patch "+c.name+" of", object)
	return c.SubResourceClient.Patch(ctx, object, patch, opts...)
}
