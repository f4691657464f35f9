package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

const (
	// compareEvery is how often the sources of a revision are compared with what they were when it was recorded.
	compareEvery = 5 * time.Minute
	// compareTimeout keeps a slow answer from holding up a pass.
	compareTimeout = 2 * time.Second
)

// sourceMemory is what the last comparison of each Release's sources showed. The zero value is ready for use.
type sourceMemory struct {
	mu   sync.Mutex
	last map[types.UID]comparison
}

type comparison struct {
	at      time.Time
	target  string
	differs string
}

// recall gives what was found last for the target, and whether it is time to look again. A target that is seen for the
// first time was just resolved, or is one of many after a restart: its time comes later.
func (m *sourceMemory) recall(uid types.UID, target string, now time.Time) (differs string, due bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	last, known := m.last[uid]
	if !known || last.target != target {
		last = comparison{at: now, target: target}
		m.note(uid, last)
	}
	return last.differs, now.Sub(last.at) >= compareEvery
}

// keep notes what was found.
func (m *sourceMemory) keep(uid types.UID, found comparison) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note(uid, found)
}

func (m *sourceMemory) note(uid types.UID, found comparison) {
	if m.last == nil {
		m.last = map[types.UID]comparison{}
	}
	m.last[uid] = found
}

// forget drops what was found for a Release that is being deleted.
func (m *sourceMemory) forget(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.last, uid)
}

// compareSources says in obs.sourceDiffers whether a Secret, ConfigMap, parameter or selector means something else today
// than when the target was recorded. That starts no deploy; people only want to know. It looks seldom, and never while
// production is being changed. What cannot be read now is left for the next time.
func (r *ReleaseReconciler) compareSources(ctx context.Context, obs *observation) {
	rel, target := obs.release, obs.input.Spec.Target
	if obs.input.Spec.Deleting {
		r.sources.forget(rel.UID)
		return
	}
	data, recorded := obs.record(target)
	if !recorded {
		return
	}
	var due bool
	obs.sourceDiffers, due = r.sources.recall(rel.UID, target, r.Clock())
	if !due || obs.input.Spec.Paused || cloud.LaneOf(ctx) != cloud.LaneBackground {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	differs := slices.DeleteFunc([]string{
		r.compareUserData(ctx, rel, data), compareImage(ctx, obs.account.Images, data),
	}, func(text string) bool { return text == "" })
	if len(differs) > 0 {
		obs.sourceDiffers = strings.Join(differs, "; ") +
			". Servers of this version keep what it was recorded with: to deploy the change, set a new spec.version"
	} else {
		obs.sourceDiffers = ""
	}
	r.sources.keep(rel.UID, comparison{at: r.Clock(), target: target, differs: obs.sourceDiffers})
}

// compareUserData compares the source of copied user data with the copy.
func (r *ReleaseReconciler) compareUserData(ctx context.Context, rel *v1alpha1.Release, data revisionData) string {
	if data.UserDataHash == "" {
		return ""
	}
	found, err := r.readUserData(ctx, rel.Namespace, data.AsWritten.Template.UserData)
	switch {
	case err != nil || hashUserData(found.source) == data.UserDataHash:
		return ""
	case found.problem.Some():
		return found.problem.Message
	}
	return fmt.Sprintf("the user data in %s is not that of version %s any more", sourceName(*data.AsWritten.Template.UserData), data.AsWritten.Version)
}

// sourceName is the object that user data comes from.
func sourceName(from v1alpha1.UserData) string {
	switch {
	case from.SecretRef != nil:
		return "Secret " + from.SecretRef.Name
	case from.ConfigMapRef != nil:
		return "ConfigMap " + from.ConfigMapRef.Name
	}
	return "the spec"
}

// compareImage compares what a parameter or selector means with the image of the revision.
func compareImage(ctx context.Context, images cloud.Images, data revisionData) string {
	if data.AsWritten.Image.ID != "" {
		return ""
	}
	var image cloud.Image
	err := contained(ctx, func() (err error) {
		image, err = images.Image(ctx, imageSource(data.AsWritten.Image))
		return err
	})
	if err != nil || image.ID == data.Image {
		return ""
	}
	return fmt.Sprintf("the image source of version %s means %s now, and its servers run %s", data.AsWritten.Version, image.ID, data.Image)
}
