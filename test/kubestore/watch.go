package kubestore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// remembered is how many changes of a kind a watch can begin before; one that asks for older ones is told to list again, as by
// the API server's watch cache.
const remembered = 1000

// change is one write to an object.
type change struct {
	version       uint64
	before, after client.Object // nil before it was made, and after it went
}

// history is what was written to the objects of a kind, in order.
type history struct {
	changes   []change
	forgotten uint64 // version of the last change that is not in the list any more
}

// note adds a change and wakes those that watch. Called with s.mu held.
func (s *Store) note(k *kind, c change) {
	h := s.histories[k.gvk]
	if h == nil {
		h = &history{}
		s.histories[k.gvk] = h
	}
	h.changes = append(h.changes, c)
	if len(h.changes) >= 2*remembered {
		h.forgotten = h.changes[remembered-1].version
		h.changes = append([]change(nil), h.changes[remembered:]...)
	}
	if s.grown != nil {
		close(s.grown)
		s.grown = nil
	}
}

// since gives the changes of a kind after a version, or what to wait for where there are none. Called with s.mu held.
func (s *Store) since(k *kind, version uint64) (changes []change, grown <-chan struct{}, err error) {
	h := s.histories[k.gvk]
	if h != nil && version < h.forgotten {
		return nil, nil, apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", version, h.forgotten))
	}
	if h != nil {
		for i, c := range h.changes {
			if c.version > version {
				return h.changes[i:], nil, nil
			}
		}
	}
	if s.grown == nil {
		s.grown = make(chan struct{})
	}
	return nil, s.grown, nil
}

var _ client.WithWatch = (*Store)(nil)

// Watch implements client.WithWatch: what is written from now on, in the order of the writes; or, with a raw resourceVersion,
// after that. An object that comes to match the selection is added, one that matches no longer is deleted.
func (s *Store) Watch(ctx context.Context, list client.ObjectList, opts ...client.ListOption) (watch.Interface, error) {
	k, err := s.kindOfList(list)
	if err != nil {
		return nil, err
	}
	var options client.ListOptions
	options.ApplyOptions(opts)
	matches, err := selection(k, &options)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.version
	if raw := options.Raw; raw != nil && raw.ResourceVersion != "" && raw.ResourceVersion != "0" {
		if from, err = strconv.ParseUint(raw.ResourceVersion, 10, 64); err != nil {
			return nil, apierrors.NewBadRequest("invalid resourceVersion " + raw.ResourceVersion)
		}
	}
	if _, _, err := s.since(k, from); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	w := &watcher{stop: stop, events: make(chan watch.Event)}
	go w.run(ctx, s, k, from, matches)
	return w, nil
}

// watcher is one watch.
type watcher struct {
	stop   context.CancelFunc
	events chan watch.Event
	once   sync.Once
}

// Stop implements watch.Interface.
func (w *watcher) Stop() { w.once.Do(w.stop) }

// ResultChan implements watch.Interface.
func (w *watcher) ResultChan() <-chan watch.Event { return w.events }

// run sends events until the watch is stopped, or so far behind that the next change is forgotten.
func (w *watcher) run(ctx context.Context, s *Store, k *kind, from uint64, matches func(client.Object) bool) {
	defer close(w.events)
	for {
		s.mu.Lock()
		changes, grown, err := s.since(k, from)
		s.mu.Unlock()
		if err != nil {
			w.send(ctx, watch.Event{Type: watch.Error, Object: statusOf(err)})
			return
		}
		for _, c := range changes {
			from = c.version
			if event, concerns := c.event(matches); concerns && !w.send(ctx, event) {
				return
			}
		}
		if grown == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-grown:
		}
	}
}

func (w *watcher) send(ctx context.Context, event watch.Event) bool {
	select {
	case <-ctx.Done():
		return false
	case w.events <- event:
		return true
	}
}

// event is what a change is to somebody who sees what matches.
func (c change) event(matches func(client.Object) bool) (watch.Event, bool) {
	was, is := c.before != nil && matches(c.before), c.after != nil && matches(c.after)
	switch {
	case is && was:
		return watch.Event{Type: watch.Modified, Object: c.after.DeepCopyObject()}, true
	case is:
		return watch.Event{Type: watch.Added, Object: c.after.DeepCopyObject()}, true
	case was: // as it was last, under the version of the change
		gone := c.before.DeepCopyObject().(client.Object)
		gone.SetResourceVersion(strconv.FormatUint(c.version, 10))
		return watch.Event{Type: watch.Deleted, Object: gone}, true
	}
	return watch.Event{}, false
}

// statusOf is an error as a client gets it.
func statusOf(err error) runtime.Object {
	var refusal apierrors.APIStatus
	if !errors.As(err, &refusal) {
		refusal = apierrors.NewInternalError(err)
	}
	status := refusal.Status()
	status.Kind, status.APIVersion = "Status", "v1"
	return &status
}
