package cli

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
)

// follow calls see with a Release as it is now and whenever it changes, and with nil when it is gone, until see says that it has
// seen enough (false), or the context ends. Connections that end are taken up again.
func follow(ctx context.Context, c client.WithWatch, namespace, name string, see func(*v1alpha1.Release) (goOn bool)) error {
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	return followAll(ctx, c, &client.ListOptions{Namespace: namespace, Raw: &metav1.ListOptions{FieldSelector: only}},
		func(r *v1alpha1.Release, gone bool) bool {
			if gone {
				r = nil
			}
			return see(r)
		})
}

// followAll is follow for all Releases of a list. A Release that is gone is given as it was last.
func followAll(ctx context.Context, c client.WithWatch, options *client.ListOptions, see func(r *v1alpha1.Release, gone bool) (goOn bool)) error {
	// The first look is one of its own: its error is the person's to know, where an informer would try for ever.
	var first v1alpha1.ReleaseList
	if err := c.List(ctx, &first, options); err != nil {
		return explainConnection(err)
	}
	known := map[string]string{}
	for i := range first.Items {
		r := withKind(&first.Items[i])
		known[string(r.UID)] = r.ResourceVersion
		if !see(r, false) {
			return nil
		}
	}
	index, informer, watcher, ended := watchtools.NewIndexerInformerWatcher(lister(c, options), &v1alpha1.Release{})
	defer func() {
		watcher.Stop()
		<-ended
	}()
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return context.Cause(ctx)
	}
	for i := range first.Items { // what went between the two looks is in no event
		if r := &first.Items[i]; !indexed(index, r) && !see(r, true) {
			return nil
		}
	}
	return passOn(ctx, watcher, known, see)
}

// passOn gives events on until see has seen enough.
func passOn(ctx context.Context, watcher watch.Interface, known map[string]string, see func(*v1alpha1.Release, bool) bool) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case event, ok := <-watcher.ResultChan():
			if !ok {
				return errors.New("the watch ended")
			}
			if goOn := pass(event, known, see); !goOn {
				return nil
			}
		}
	}
}

// indexed says whether the informer has the same object.
func indexed(index cache.Indexer, r *v1alpha1.Release) bool {
	object, there, err := index.Get(r)
	now, ok := object.(*v1alpha1.Release)
	return err == nil && there && ok && now.UID == r.UID
}

// pass gives an event on, unless it is what the first look has shown.
func pass(event watch.Event, known map[string]string, see func(*v1alpha1.Release, bool) bool) bool {
	r, ok := event.Object.(*v1alpha1.Release)
	if !ok {
		return true
	}
	gone := event.Type == watch.Deleted
	if uid := string(r.UID); !gone && known[uid] == r.ResourceVersion {
		return true
	}
	known[string(r.UID)] = r.ResourceVersion
	return see(withKind(r.DeepCopy()), gone)
}

func withKind(r *v1alpha1.Release) *v1alpha1.Release {
	r.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Release"))
	return r
}

// lister is how an informer lists and watches what the options select.
func lister(c client.WithWatch, options *client.ListOptions) cache.ListerWatcher {
	with := func(raw metav1.ListOptions) *client.ListOptions {
		if options.Raw != nil {
			raw.LabelSelector, raw.FieldSelector = options.Raw.LabelSelector, options.Raw.FieldSelector
		}
		return &client.ListOptions{Namespace: options.Namespace, Raw: &raw, Limit: raw.Limit, Continue: raw.Continue}
	}
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, raw metav1.ListOptions) (runtime.Object, error) {
			var list v1alpha1.ReleaseList
			return &list, c.List(ctx, &list, with(raw))
		},
		WatchFuncWithContext: func(ctx context.Context, raw metav1.ListOptions) (watch.Interface, error) {
			return c.Watch(ctx, &v1alpha1.ReleaseList{}, with(raw))
		},
	}
}

// gone is the error of a Release that was deleted while it was looked at.
func gone(namespace, name string) error {
	return exitf(ExitNotFound, "Release %s in namespace %s is gone", name, namespace)
}
