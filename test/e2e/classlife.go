package e2e

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/localaws"
)

const (
	otherAccount = "999999999999"
	otherRegion  = "eu-west-1"
	adviceMove   = "put the class back as it was"
	adviceRole   = "mend its roleARN or the controller's credentials"
	adviceLabel  = "label the namespace, or have the class changed"
)

// replaceClass puts another class of the same name in the place of this world's.
func (w *World) replaceClass(change func(*v1alpha1.ReleaseClass)) {
	w.Helper()
	w.removeClass()
	fresh := w.NewClass()
	change(fresh)
	w.Create(fresh)
}

func unchanged(*v1alpha1.ReleaseClass) {}

// begins: a Release that was refused so far launches its first servers, and is ready in Preview.
func (w *World) begins() {
	w.Helper()
	w.UntilWithin("v1 is in Preview", patched, func() bool { return w.Ready("web") && w.exactly(testPool, "v1") })
	w.expect(len(w.AWS.Instances()) == 2, "two servers were launched")
}

// idle: while the refusal is told, nothing is launched or called.
func (w *World) idle(r refusal) {
	w.Helper()
	w.UntilWithin("it is told", time.Minute, func() bool { return w.tells(r) })
	w.while(stuck, r, func() bool { return len(w.AWS.Instances()) == 0 && w.calls() == 0 })
}

// calls counts the controller's calls since Mark, those that only read too, but for the question who it is.
func (w *World) calls() int {
	n := 0
	for _, e := range w.AWS.LedgerSince(w.mark) {
		if e.Call != nil && e.Call.Service != "sts" && e.Call.Who.AccessKey != personKey {
			n++
		}
	}
	return n
}

func classLate(w *World) {
	w.removeClass()
	w.Create(w.NewRelease())
	w.idle(told(v1alpha1.ReasonClassNotFound, "does not exist", "whoever runs the cluster has to make it", "ReleaseClass "+w.Class))
	w.Create(w.NewClass())
	w.begins()
}

func classOfAnother(w *World) {
	w.replaceClass(func(c *v1alpha1.ReleaseClass) { c.Spec.AccountID = otherAccount })
	w.Create(w.NewRelease())
	w.idle(told(v1alpha1.ReasonWrongAccount, "is for account "+otherAccount, adviceRole, "the credentials belong to account "+w.account))
	w.replaceClass(unchanged)
	w.begins()
}

func namespaceLabelled(w *World) {
	w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.AllowedNamespaces = onlyShops() })
	w.Create(w.NewRelease())
	w.idle(told(v1alpha1.ReasonNotAllowedByClass, "does not take Releases of namespace "+w.Namespace, adviceLabel, "ReleaseClass "+w.Class))
	namespace := &corev1.Namespace{}
	w.must("get the namespace", w.Kube.Get(w.Context(), client.ObjectKey{Name: w.Namespace}, namespace))
	metav1.SetMetaDataLabel(&namespace.ObjectMeta, "team", "shop")
	w.must("label the namespace", w.Kube.Update(w.Context(), namespace))
	w.begins()
}

func onlyShops() *v1alpha1.NamespaceSelector {
	return &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"team": "shop"}}
}

// defaultClasses: a Release that names no class takes the default one, and it has to be one.
func defaultClasses(w *World) {
	w.Create(w.NewRelease(func(rel *v1alpha1.Release) { rel.Spec.ClassName = "" }))
	w.idle(told(v1alpha1.ReasonNoDefaultClass, "no ReleaseClass is annotated "+v1alpha1.AnnotationDefaultClass+"=true", "annotate one", "spec.className"))
	second := w.NewClass()
	second.Name += "-second"
	metav1.SetMetaDataAnnotation(&second.ObjectMeta, v1alpha1.AnnotationDefaultClass, "true")
	w.Create(second)
	w.Cleanup(func() { w.must("take the mark off", w.unmark(context.Background())) }) // other worlds share the cluster
	w.EditClass(func(c *v1alpha1.ReleaseClass) {
		metav1.SetMetaDataAnnotation(&c.ObjectMeta, v1alpha1.AnnotationDefaultClass, "true")
	})
	many := told(v1alpha1.ReasonManyDefaultClasses, "2 ReleaseClasses are annotated", "leave the annotation on one of them", w.Class+", "+second.Name)
	w.UntilWithin("it is told", time.Minute, func() bool { return w.tells(many) })
	if w.process.Load() != nil {
		w.Mark() // a pass may have begun while there was one
	}
	w.idle(many)
	w.must("remove the second", w.Kube.Delete(w.Context(), second))
	w.begins()
}

// unmark makes this world's class one that nobody gets by default.
func (w *World) unmark(ctx context.Context) error {
	class := &v1alpha1.ReleaseClass{}
	if err := w.Kube.Get(ctx, client.ObjectKey{Name: w.Class}, class); err != nil {
		return err
	}
	delete(class.Annotations, v1alpha1.AnnotationDefaultClass)
	return w.Kube.Update(ctx, class)
}

// way is one in which a class goes wrong under a Release, and right again. Meanwhile a server ends, each at most twice: a
// third one within an hour would be another matter.
type way struct {
	name      string
	victims   string // its version
	goesWrong func()
	refusal
	mend func()
}

func (w *World) ways() []way {
	back := func() { w.replaceClass(unchanged) }
	moved := func(account, region string) refusal {
		return told(v1alpha1.ReasonClassChanged, "(account "+account+", "+region+")", adviceMove, "(account "+w.account+", "+w.AWS.Region()+")", w.Class)
	}
	return []way{
		{
			"it is gone", "v2", w.removeClass,
			told(v1alpha1.ReasonClassNotFound, "does not exist", "has to make it (again)", w.Class, w.account, w.AWS.Region()),
			func() { w.Create(w.NewClass()) },
		},
		{
			"it is for another account", "v2", func() { w.replaceClass(func(c *v1alpha1.ReleaseClass) { c.Spec.AccountID = otherAccount }) },
			moved(otherAccount, w.AWS.Region()), back,
		},
		{
			"it is for another region", "v2", func() { w.replaceClass(func(c *v1alpha1.ReleaseClass) { c.Spec.Region = otherRegion }) },
			moved(w.account, otherRegion), back,
		},
		{
			"it does not take the namespace any more", "v2",
			func() { w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.AllowedNamespaces = onlyShops() }) },
			told(v1alpha1.ReasonNotAllowedByClass, "does not take Releases of namespace "+w.Namespace, adviceLabel, w.Class),
			func() {
				w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.AllowedNamespaces = &v1alpha1.NamespaceSelector{} })
			},
		},
		{
			"it does not allow a pool any more", "v1",
			func() {
				w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.Pools = []v1alpha1.Pattern{edgePool, testPool} })
			},
			told(v1alpha1.ReasonNotAllowedByClass, "(spec.pools allows edge, test)", adviceClass, "pool api", w.Class),
			func() { w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.Pools = anything }) },
		},
		{
			"the credentials lead to another account", "v1", func() { w.AWS.RegisterAccessKey(controllerKey, otherAccount) },
			told(v1alpha1.ReasonWrongAccount, "the credentials belong to account "+otherAccount, adviceRole, "is for account "+w.account),
			func() { w.AWS.RegisterAccessKey(controllerKey, w.account) },
		},
	}
}

// classGoesWrong: there is something to do all the while, because a server ended, and nothing is done.
func classGoesWrong(w *World) {
	w.Live()
	for _, way := range w.ways() {
		w.Logf("%s", way.name)
		w.Mark()
		way.goesWrong()
		w.informed()
		w.must("kill", w.AWS.Kill(w.oldest(way.victims)))
		w.UntilWithin("it is told: "+way.name, 2*time.Minute, func() bool { return w.tells(way.refusal) })
		w.while(stuck, way.refusal, func() bool { return w.answers("v2") && len(w.Mutations()) == 0 })
		w.expect(len(w.Servers("")) == 3, "nothing was launched or ended: %s", way.name)
		way.mend()
		w.UntilWithin("both versions are whole again", w.replaced(), func() bool {
			return w.Ready("web") && w.serving("v2") && w.Whole("v1", "") == 2 && w.Whole("v2", "") == 2
		})
	}
	w.Mark()
	w.replaceClass(unchanged)
	w.For(5*time.Minute, "an identical class is the same class", func() bool { return w.Ready("web") && w.serving("v2") })
	w.expect(len(w.Mutations()) == 0, "nothing was done: %v", w.Mutations())
	w.Phase("web", v1alpha1.PhaseRolledBack)
	w.UntilWithin("v1 serves", patched, func() bool { return w.Ready("web") && w.serving("v1") })
}

// oldest is the server of a version that was launched first.
func (w *World) oldest(version string) string {
	w.Helper()
	return slices.MinFunc(w.Servers(version), func(a, b localaws.InstanceInfo) int { return a.Launched.Compare(b.Launched) }).ID
}

func classElsewhere(w *World) {
	w.Live()
	w.replaceClass(func(c *v1alpha1.ReleaseClass) { c.Spec.Region = otherRegion })
	w.informed()
	w.Mark()
	w.Phase("web", v1alpha1.PhaseRolledBack)
	says := told(v1alpha1.ReasonClassChanged, "(account "+w.account+", "+otherRegion+")", adviceMove, w.Class)
	w.UntilWithin("it is told", time.Minute, func() bool { return w.tells(says) })
	w.while(stuck, says, func() bool { return w.serving("v2") && len(w.Mutations()) == 0 })
	w.replaceClass(unchanged)
	w.UntilWithin("with the old class back, v1 serves", patched, func() bool { return w.Ready("web") && w.serving("v1") })
}

// classNarrowed: servers that run may go on running, and none is launched that is not allowed any more.
func classNarrowed(w *World) {
	w.Live()
	w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.Subnets = []v1alpha1.Pattern{thirdSubnet} })
	w.For(5*time.Minute, "nothing is due, and nothing is said", func() bool { return w.Ready("web") && w.serving("v2") })
	w.Mark()
	victim := w.Servers("v2")[0]
	w.must("kill", w.AWS.Kill(victim.ID))
	says := told(v1alpha1.ReasonNotAllowedByClass, "(spec.subnets allows "+thirdSubnet+")", adviceClass, "version v2", victim.SubnetID)
	w.UntilWithin("it is told", patched, func() bool { return w.tells(says) })
	w.while(stuck, says, func() bool { return w.answers("v2") && w.Mutations()["RunInstances"] == 0 && w.moves() == 0 })
	w.EditClass(func(c *v1alpha1.ReleaseClass) { c.Spec.Subnets = anything })
	w.UntilWithin("v2 is whole again", patched, func() bool { return w.Ready("web") && w.serving("v2") })
	w.expect(len(w.Servers("")) == 4, "one server was launched")
}

// controllerKey is the access key of the controller in every world.
const controllerKey = "AKIASLIPWAY"
