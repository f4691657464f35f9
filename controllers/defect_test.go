package controllers

import (
	"bytes"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

func TestPauseAfterPanics(t *testing.T) {
	var d defects
	var got []time.Duration
	for now := testNow; len(got) < 5; now = now.Add(got[len(got)-1]) {
		if wait := d.wait(testRelease(), now); wait > 0 {
			t.Errorf("%s too early", wait)
		}
		d.count(testRelease(), &cloud.Defect{}, now)
		got = append(got, d.wait(testRelease(), now))
	}
	if want := []time.Duration{time.Second, 2 * time.Second, 30 * time.Second, 30 * time.Second, 30 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("pauses are %v, want %v", got, want)
	}
}

func TestAnotherWishIsTriedAtOnce(t *testing.T) {
	var d defects
	rel := testRelease()
	for range 5 {
		d.count(rel, &cloud.Defect{}, testNow)
	}
	edited, told := testRelease(), testRelease()
	edited.Generation++
	told.Annotations = map[string]string{v1alpha1.AnnotationRetry: "1"}
	for _, other := range []*v1alpha1.Release{edited, told} {
		again := d
		if wait := again.wait(other, testNow); wait > 0 {
			t.Errorf("it waits for %s", wait)
		}
		if again.count(other, &cloud.Defect{}, testNow); again.wait(other, testNow) != time.Second {
			t.Errorf("the first panic of another wish is followed by a pause of %s", again.wait(other, testNow))
		}
	}
	if d.wait(testRelease(), testNow) == 0 {
		t.Errorf("the same wish is tried at once")
	}
}

func TestPartsRaiseAPanicWhereItIsCaught(t *testing.T) {
	var ended atomic.Int32
	err := cloud.Contain(func() error {
		var both parts
		both.Go(func() { panic("oops") })
		both.Go(func() { ended.Add(1) })
		both.Wait()
		t.Error("nothing was raised")
		return nil
	})
	if d, is := errors.AsType[*cloud.Defect](err); !is || d.Cause != "oops" || !strings.Contains(d.Where, "TestPartsRaise") || ended.Load() != 1 {
		t.Errorf("got %+v, and %d others ended", err, ended.Load())
	}
}

// A panic in any goroutine of a pass is the pass's, and its calls that wait for their turn are ended with it.
func TestPanicOfAPassEndsItsCalls(t *testing.T) {
	for _, place := range []string{"confirmAccount", "compareSources"} {
		t.Run(place, func(t *testing.T) {
			rel := testRelease()
			h := newHarness(t, testClass(), rel)
			h.Recorder = &recorder{}
			h.declare(t, rel, 1)
			h.Clock = func() time.Time {
				if bytes.Contains(debug.Stack(), []byte("."+place)) {
					panic("the clock is broken")
				}
				return testNow
			}
			var ended bool
			known := h.soft.of(fetch(t, h, rel, rel.Namespace, rel.Name))
			known.calls.begin("terminate", func() { ended = true })
			for n := range asideAfter {
				known.defects.next = time.Time{}
				result, err := h.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(rel)})
				if err != nil || known.defects.inRow != n+1 || result.RequeueAfter < time.Second {
					t.Fatalf("pass %d: %v, again in %s, %d panics in a row", n, err, result.RequeueAfter, known.defects.inRow)
				}
			}
			if !ended {
				t.Error("a call of an earlier pass goes on")
			}
			if rel := fetch(t, h, rel, rel.Namespace, rel.Name); !strings.HasPrefix(rel.Status.Message, "a defect in Slipway: panic with a string, at controllers.TestPanicOfAPass") ||
				!meta.IsStatusConditionTrue(rel.Status.Conditions, v1alpha1.ConditionStalled) {
				t.Errorf("the status is %+v", rel.Status)
			}
		})
	}
}
