package kubestore

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// lastName is the object at which a watch is read to its end.
const lastName = "thing-last"

// watching is what the watches of one API tell, by kind.
type watching [4]<-chan []string

// watchAll begins to watch all kinds, each selection of labels too.
func watchAll(t *testing.T, api client.WithWatch) (all, marked watching) {
	for kind := range 4 {
		all[kind] = collect(t, api, kind)
		marked[kind] = collect(t, api, kind, client.MatchingLabels{"mark": "b"})
	}
	return all, marked
}

// collect gives the events of a watch, as words, once it has seen the last object.
func collect(t *testing.T, api client.WithWatch, kind int, opts ...client.ListOption) <-chan []string {
	events, err := api.Watch(t.Context(), lists[kind](), append(opts, client.InNamespace("same"))...)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan []string, 1)
	go func() {
		defer events.Stop()
		var seen []string
		for event := range events.ResultChan() {
			object, ok := event.Object.(client.Object)
			if !ok {
				seen = append(seen, fmt.Sprintf("%s %v", event.Type, event.Object))
				break
			}
			if object.GetName() == lastName {
				break
			}
			if event.Type == watch.Bookmark {
				continue
			}
			seen = append(seen, string(event.Type)+" "+plain(object))
		}
		done <- seen
	}()
	return done
}

// compareWatches makes the last objects and compares what was told until then.
func (c *comparison) compareWatches(api, store watching) {
	c.Helper()
	for kind := range api {
		var told [2][]string
		for i, from := range []<-chan []string{api[kind], store[kind]} {
			select {
			case told[i] = <-from:
			case <-time.After(30 * time.Second):
				c.Fatalf("the watch of kind %d at side %d never came to its end", kind, i)
			}
		}
		for i := range min(len(told[0]), len(told[1])) {
			if told[0][i] != told[1][i] {
				c.Fatalf("event %d of kind %d is\n%s\nfrom the API server, and here\n%s", i, kind, told[0][i], told[1][i])
			}
		}
		if len(told[0]) != len(told[1]) {
			c.Errorf("%d events of kind %d come from the API server, and %d here", len(told[0]), kind, len(told[1]))
		}
		c.answers["events"] += len(told[0])
	}
}

// finish makes the last objects, with the mark that one of the watches looks for.
func (c *comparison) finish() {
	for kind := range 4 {
		for _, s := range c.sides {
			last := fresh(kind, lastName)
			last.SetLabels(map[string]string{"mark": "b"})
			if err := s.client.Create(c.Context(), last); err != nil {
				c.Fatal(err)
			}
		}
	}
}
