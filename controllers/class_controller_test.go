package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"slipway.dev/slipway/api/v1alpha1"
)

func TestAClassInUseIsHeld(t *testing.T) {
	unnamed := testRelease()
	unnamed.Spec.ClassName = ""
	bare := func(changes ...func(*v1alpha1.ReleaseClass)) *v1alpha1.ReleaseClass {
		class := testClass()
		class.Finalizers = nil
		for _, change := range changes {
			change(class)
		}
		return class
	}
	held := func(c *v1alpha1.ReleaseClass) { c.Finalizers = []string{v1alpha1.FinalizerClass} }
	leaving := func(c *v1alpha1.ReleaseClass) { held(c); c.DeletionTimestamp = &metav1.Time{Time: testNow} }
	began := func(class string) client.Object {
		return &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web-1", Labels: map[string]string{labelRelease: "web"},
			Annotations:     map[string]string{annotationPlace: `{"class":"` + class + `","accountID":"1","region":"r"}`},
			OwnerReferences: []metav1.OwnerReference{{UID: unnamed.UID, Name: "web", Controller: new(true)}},
		}}
	}
	for name, test := range map[string]struct {
		class   *v1alpha1.ReleaseClass
		objects []client.Object
		want    string // held, free or gone
	}{
		"nobody uses it":                {bare(), nil, "free"},
		"nobody uses it any more":       {bare(held), nil, "free"},
		"named":                         {bare(), []client.Object{testRelease()}, "held"},
		"named, and being deleted":      {bare(leaving), []client.Object{testRelease()}, "held"},
		"being deleted, and not named":  {bare(leaving), nil, "gone"},
		"the default, not begun":        {bare(asDefault), []client.Object{unnamed}, "held"},
		"not the default, not begun":    {bare(), []client.Object{unnamed}, "free"},
		"begun here":                    {bare(), []client.Object{unnamed, began("default")}, "held"},
		"begun elsewhere":               {bare(asDefault, held), []client.Object{unnamed, began("other")}, "free"},
		"default, not begun, and leave": {bare(asDefault, leaving), []client.Object{unnamed}, "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			objects := []client.Object{test.class}
			for _, object := range test.objects {
				copied, ok := object.DeepCopyObject().(client.Object)
				if !ok {
					t.Fatal("no object")
				}
				objects = append(objects, copied)
			}
			h := newHarness(t, objects...)
			reconciler := &ReleaseClassReconciler{Client: h.Client}
			request := ctrl.Request{NamespacedName: types.NamespacedName{Name: "default"}}
			for range 2 {
				if _, err := reconciler.Reconcile(t.Context(), request); err != nil {
					t.Fatal(err)
				}
			}
			var class v1alpha1.ReleaseClass
			err := h.Get(t.Context(), request.NamespacedName, &class)
			got := "free"
			switch {
			case err != nil:
				got = "gone"
			case controllerutil.ContainsFinalizer(&class, v1alpha1.FinalizerClass):
				got = "held"
			}
			if got != test.want {
				t.Errorf("it is %s, want %s (%v)", got, test.want, err)
			}
			if h.writes["patch"] > 1 {
				t.Errorf("a second look writes again: %v", h.writes)
			}
		})
	}
}

func TestWhichClassesToLookAt(t *testing.T) {
	h := newHarness(t, classNamed("a", func(*v1alpha1.ReleaseClass) {}), classNamed("b", func(*v1alpha1.ReleaseClass) {}))
	reconciler := &ReleaseClassReconciler{Client: h.Client}
	if got := reconciler.classesOf(t.Context(), testRelease()); len(got) != 1 || got[0].Name != "default" {
		t.Errorf("a Release that names its class: %v", got)
	}
	unnamed := testRelease()
	unnamed.Spec.ClassName = ""
	if got := reconciler.classesOf(t.Context(), unnamed); len(got) != 2 {
		t.Errorf("a Release that names none: %v", got)
	}
}
