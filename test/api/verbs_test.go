package api_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
)

// The verbs of config/access/policy.yaml.
const (
	promote  = "promote"
	rollback = "rollback"
	complete = "complete"
)

var allVerbs = []string{promote, rollback, complete}

// need is an edit, and the verbs that it asks for. Without before it is a creation.
type need struct {
	field         string // of spec, or an annotation
	before, after []edit
	verbs         []string
}

// override is spec.override for some revision until an hour of the day.
func override(phase, until string) edit {
	return set("override", "{revision: web-1, phase: "+phase+", expiresAt: '2026-11-26T"+until+":00:00Z'}")
}

var (
	asIs     = []edit{all()}
	live     = phase("Live")
	previous = []edit{live, phaseFor("v1")} // v1 is Live, by whoever may promote
)

var needs = []need{
	{"className", asIs, []edit{all()}, nil}, // cannot be changed

	{"phase", nil, []edit{phase("Preview")}, nil},
	{"phase", nil, []edit{live}, []string{promote}},
	{"phase", nil, []edit{phase("Complete")}, []string{promote, complete}},
	{"phase", asIs, []edit{live}, []string{promote}},
	{"phase", []edit{phase("Preview")}, previous, []string{promote}},
	{"phase", []edit{phase("Preview")}, []edit{phase("Complete")}, []string{promote, complete}},
	{"phase", []edit{phase("RolledBack")}, []edit{live}, []string{promote}},
	{"phase", previous, []edit{phase("Complete")}, []string{complete}},
	{"phase", previous, []edit{phase("RolledBack")}, []string{rollback}},
	{"phase", previous, []edit{phase("Preview")}, []string{rollback}},
	{"phase", asIs, []edit{phase("Preview")}, []string{rollback}}, // v1 may be Live
	{"phase", previous, []edit{without("phase")}, nil},            // never takes a Live one out
	{"phase", []edit{phase("RolledBack")}, []edit{phase("Preview")}, nil},
	{"phase", previous, []edit{phase("Preview"), newVersion}, nil}, // v1 stays
	{"phase", previous, []edit{phase("Preview"), newImage}, nil},
	{"phase", previous, []edit{phase("Preview"), set("image", "{ssmParameter: /images/web}")}, nil},
	{"phase", previous, []edit{phase("Preview"), set("template.tags", "{}")}, []string{rollback}},
	{"phase", previous, []edit{phase("Preview"), set("template.blockDeviceMappings", "[]")}, []string{rollback}},
	{"phase", previous, []edit{phase("Preview"), set("template.metadataOptions", "{}")}, []string{rollback}},
	{"phase", previous, []edit{phase("Preview"), newTemplate}, []string{rollback}}, // perhaps the same in other words, as those are
	{"phase", append([]edit{twoOfEach}, previous...), []edit{phase("Preview"), turnedRound}, []string{rollback}},
	{"phase", append([]edit{twoOfEach}, previous...), []edit{phase("Preview"), set("image.selector.tags", "{}")}, []string{rollback}},
	{"phase", append([]edit{twoOfEach}, previous...), []edit{phase("Preview"), set("image.selector.name", "web-*")}, nil},

	{"phaseFor", []edit{live, phaseFor("v2")}, []edit{phaseFor("v1")}, []string{promote}},
	{"phaseFor", []edit{live, phaseFor("v2")}, []edit{without("phaseFor")}, []string{promote}},
	{"phaseFor", []edit{phase("Complete"), phaseFor("v2")}, []edit{phaseFor("v1")}, []string{promote, complete}},
	{"phaseFor", previous, []edit{phaseFor("v2")}, nil},
	{"phaseFor", previous, []edit{phase("Complete"), phaseFor("v2")}, nil}, // Preview is meant

	{"version", []edit{phase("Preview")}, []edit{newVersion}, nil},
	{"version", previous, []edit{newVersion}, nil}, // stops at Preview
	{"version", previous, []edit{newVersion, phaseFor("v2")}, []string{promote}},
	{"version", []edit{live, phaseFor("v2")}, []edit{newVersion}, []string{promote}},
	{"version", []edit{phase("Complete"), phaseFor("v1")}, []edit{newVersion, phaseFor("v2")}, []string{promote, complete}},
	{"version", []edit{phase("Complete"), phaseFor("v1")}, []edit{newVersion}, nil}, // stops at Preview
	{"version", []edit{phase("Complete"), phaseFor("v2")}, []edit{newVersion}, []string{promote, complete}},
	{"image", []edit{phase("Preview")}, []edit{newImage}, nil},
	{"image", []edit{phase("Preview")}, []edit{newImage, live}, []string{promote}},
	{"image", previous, []edit{newImage, newVersion, phaseFor("v2")}, []string{promote}},
	{"template", []edit{phase("Preview")}, []edit{newTemplate}, nil},
	{"template", previous, []edit{newTemplate, newVersion, phaseFor("v2")}, []string{promote}},

	{"override", previous, []edit{override("RolledBack", "12")}, []string{rollback}},
	{"override", asIs, []edit{override("Preview", "12")}, []string{rollback}},
	{"override", asIs, []edit{override("Live", "12")}, []string{promote}},
	{"override", nil, []edit{override("Live", "12")}, []string{promote}},
	{"override", []edit{override("Live", "12")}, []edit{override("Live", "13")}, []string{promote}},
	{"override", []edit{override("Live", "12")}, []edit{without("override")}, []string{rollback}},
	{"override", []edit{override("Live", "12")}, []edit{without("override"), set("template.tags", "{}")}, []string{rollback}},
	{"override", []edit{override("Live", "12")}, []edit{without("override"), newVersion}, nil},
	{"override", []edit{override("Live", "12")}, []edit{override("RolledBack", "12")}, []string{rollback}},
	{"override", []edit{live, override("RolledBack", "12")}, []edit{without("override")}, []string{promote}},
	{"override", []edit{live, override("RolledBack", "12")}, []edit{override("RolledBack", "11")}, []string{promote, rollback}},
	{"override", []edit{live, override("RolledBack", "12")}, []edit{override("RolledBack", "13")}, []string{rollback}},
	{"override", []edit{override("RolledBack", "12")}, []edit{live}, []string{promote}}, // counts when it has expired
	{"override", []edit{override("RolledBack", "12")}, []edit{without("override")}, nil},

	{"slipway.dev/retry", []edit{phase("Preview")}, []edit{retry}, nil},
	{"slipway.dev/retry", previous, []edit{retry}, []string{promote}},
	{"slipway.dev/retry", []edit{override("Live", "12")}, []edit{retry}, []string{promote}},

	{"loadBalancers", nil, []edit{set("loadBalancers.test", "[{name: test, classic: {name: test}}]")}, nil}, // whose it is, nobody knows here
	{"loadBalancers", asIs, []edit{set("loadBalancers.test", "[{name: test, classic: {name: test}}]")}, []string{promote}},
	{"loadBalancers", asIs, []edit{set("loadBalancers.production", "[{name: api, targetGroup: {name: api}}]")}, []string{promote}},

	{"retention", nil, []edit{set("retention.completeAfter", "24h")}, []string{complete}},
	{"retention", asIs, []edit{set("retention.completeAfter", "24h")}, []string{complete}},
	{"retention", []edit{set("retention.completeAfter", "24h")}, []edit{set("retention.completeAfter", "1m")}, []string{complete}},
	{"retention", []edit{set("retention.completeAfter", "24h")}, []edit{without("retention")}, nil},
	{"adopt", nil, []edit{set("adopt.tags", "{role: hot-app-server}")}, []string{complete}},
	{"adopt", asIs, []edit{set("adopt.tags", "{role: hot-app-server}")}, []string{complete}},
	{"adopt", []edit{set("adopt.tags", "{role: hot-app-server}")}, []edit{without("adopt")}, nil},
	{"deletionPolicy", nil, []edit{set("deletionPolicy", "Terminate")}, []string{complete}},
	{"deletionPolicy", asIs, []edit{set("deletionPolicy", "Terminate")}, []string{complete}},
	{"deletionPolicy", []edit{set("deletionPolicy", "Terminate")}, []edit{set("deletionPolicy", "Retain")}, nil},

	{"replicas", previous, []edit{set("replicas", "5")}, nil},
	{"replicas", previous, []edit{set("replicas", "1")}, nil}, // though servers are terminated
	{"health", previous, []edit{set("health.timeout", "20m")}, nil},
	{"promotion", previous, []edit{set("promotion.minHealthyPercent", "50")}, nil},
	{"paused", previous, []edit{set("paused", "true")}, nil},
	{"revisionHistoryLimit", previous, []edit{set("revisionHistoryLimit", "5")}, nil},
}

// What is made of v1 and of v2, with other edits.
func v1(more ...edit) []edit {
	return append([]edit{text("version", "v1"), text("image.id", "ami-00000001")}, more...)
}
func v2(more ...edit) []edit {
	return append([]edit{text("version", "v2"), text("image.id", "ami-00000002")}, more...)
}
func v3(more ...edit) []edit {
	return append([]edit{text("version", "v3"), text("image.id", "ami-00000003")}, more...)
}

// at is the status of a Release whose v1 is stable, with more.
func at(stage string, more ...string) string {
	return strings.Join(append([]string{`stage: ` + stage, `stable: ` + fleetOf("1", "v1")}, more...), ", ")
}

// fleetOf is the fleet of the revision web-number and the image ami-0000000number.
func fleetOf(number, version string) string {
	return "{revision: web-" + number + ", version: " + version + ", imageID: ami-0000000" + number + ", desired: 1, running: 1, healthy: 1}"
}

const candidate = "candidate: "

var (
	whileLive = at("Live", candidate+fleetOf("2", "v2"))
	inPreview = at("Preview", candidate+fleetOf("2", "v2"))
	liveAsToo = at("Live", candidate+fleetOf("2", "v1")) // another image of the same version
)

// candidateIn is a pool with the candidate in it.
func candidateIn(role string) string {
	return "pools: [{name: edge, reference: prod, role: " + role + ", registered: 1, healthy: 1, fleets: [{revision: web-2, registered: 1, healthy: 1}]}]"
}

// returning are edits of a Release that its status is looked at for.
var returning = []struct {
	status string
	need
}{
	{whileLive, need{"version", v2(live, phaseFor("v2")), v1(), []string{rollback}}},
	{whileLive, need{"version", v2(live, phaseFor("v2")), v1(phase("Preview")), []string{rollback}}},
	{whileLive, need{"version", v2(live, phaseFor("v2")), v1(phaseFor("v1")), []string{promote, rollback}}},
	{whileLive, need{"version", v2(), v1(), []string{rollback}}},
	{whileLive, need{"version", v2(override("Live", "12")), v1(), []string{rollback}}},
	{whileLive, need{"version", v2(live, phaseFor("v2")), v1(text("version", "v3")), nil}},          // v2 stays
	{whileLive, need{"image", v2(live, phaseFor("v2")), v1(text("image.id", "ami-00000003")), nil}}, // never was
	{whileLive, need{"template", v2(live, phaseFor("v2")), v1(newTemplate), []string{rollback}}},    // perhaps
	{at("Paused", candidate+fleetOf("2", "v2"), candidateIn("production")), need{"version", v2(), v1(), []string{rollback}}},
	{inPreview, need{"version", v2(live, phaseFor("v2")), v1(), []string{rollback}}}, // status may be behind
	{inPreview, need{"version", v2(override("Live", "12")), v1(), []string{rollback}}},
	{inPreview, need{"version", v2(), v1(), nil}}, // was never in production
	{at("Paused", candidate+fleetOf("2", "v2"), candidateIn("test")), need{"version", v2(), v1(), nil}},
	{at("Settled"), need{"version", v2(live, phaseFor("v2")), v1(), nil}},

	// The controller has not recorded v3, and knows v2 as the candidate still.
	{whileLive, need{"version", v3(phase("Preview")), v2(), []string{rollback}}},
	{whileLive, need{"version", v3(live, phaseFor("v2")), v2(phase("Preview")), []string{rollback}}},
	{whileLive, need{"version", v3(phase("Preview")), v2(without("phase")), nil}}, // v2 stays
	{whileLive, need{"version", v3(phase("Preview")), v2(text("version", "v4")), nil}},
	{whileLive, need{"version", v3(phase("Preview")), v2(text("image.id", "ami-00000004")), nil}},
	{inPreview, need{"version", v3(phase("Preview")), v2(), nil}}, // was never in production

	{liveAsToo, need{"image", v2(text("version", "v1")), v1(), []string{rollback}}},
	{liveAsToo, need{"image", v2(text("version", "v1")), v1(text("image.id", "ami-00000003")), nil}},
	{liveAsToo, need{"image", v2(text("version", "v1")), v1(set("image", "{ssmParameter: /images/web}")), []string{rollback}}}, // perhaps
}

// retry is an edit of the annotation: apply has no other way to it than by a name that no field has.
var retry = text(retryField, "1")

const retryField = "retry"

// annotated moves what retry wrote to where it belongs.
func annotated(obj *unstructured.Unstructured) *unstructured.Unstructured {
	if value, is, _ := unstructured.NestedString(obj.Object, "spec", retryField); is {
		unstructured.RemoveNestedField(obj.Object, "spec", retryField)
		obj.SetAnnotations(map[string]string{v1alpha1.AnnotationRetry: value})
	}
	return obj
}

// person is somebody who may edit Releases, and has these verbs.
func person(verbs []string) string { return strings.Join(append([]string{"editor"}, verbs...), "-") }

var _ = Describe("The optional policy on who may what", Ordered, func() {
	subset := func(of int) (verbs []string) {
		for i, verb := range allVerbs {
			if of&(1<<i) != 0 {
				verbs = append(verbs, verb)
			}
		}
		return verbs
	}
	people := map[string]client.Client{}
	BeforeAll(func(ctx context.Context) {
		for of := range 1 << len(allVerbs) {
			verbs := subset(of)
			people[person(verbs)] = as(person(verbs))
			meta := metav1.ObjectMeta{Name: person(verbs), Namespace: "default"}
			installs(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
				APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"releases"}, Verbs: append([]string{"create", "update"}, verbs...),
			}}})
			installs(ctx, &rbacv1.RoleBinding{ObjectMeta: meta,
				Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: meta.Name}},
				RoleRef:  rbacv1.RoleRef{Kind: "Role", APIGroup: rbacv1.GroupName, Name: meta.Name}})
		}
		installsFile(ctx, "access/policy.yaml", &admissionv1.ValidatingAdmissionPolicy{})
		installsFile(ctx, "access/binding.yaml", &admissionv1.ValidatingAdmissionPolicyBinding{})
		// A policy counts some time after it was written.
		Eventually(ctx, func() error {
			return as(person(nil)).Create(ctx, object(minimalRelease, live), client.DryRunAll)
		}).WithTimeout(time.Minute).Should(MatchError(ContainSubstring("may not promote")))
		Eventually(ctx, func() error {
			return as(person(allVerbs)).Create(ctx, object(minimalRelease, live), client.DryRunAll)
		}).WithTimeout(time.Minute).Should(Succeed())
	})

	It("has a row for every field of the spec", func() {
		var fields []string
		for field := range reflect.TypeFor[v1alpha1.ReleaseSpec]().Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			fields = append(fields, name)
		}
		for _, row := range needs {
			fields = slices.DeleteFunc(fields, func(name string) bool { return name == row.field })
		}
		Expect(fields).To(BeEmpty(), "which verb do these need?")
	})

	// asks checks that an act needs just these verbs.
	asks := func(what string, verbs []string, act func(client.Client) error) {
		GinkgoHelper()
		Expect(act(people[person(verbs)])).To(Succeed(), what)
		for _, missing := range verbs {
			others := slices.DeleteFunc(slices.Clone(allVerbs), func(verb string) bool { return verb == missing })
			err := act(people[person(others)])
			Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%s without %s: %v", what, missing, err)
			Expect(err).To(MatchError(ContainSubstring("ask someone with the verb "+missing+" on releases.slipway.dev")), what)
		}
	}
	// edits is the update of a stored object.
	edits := func(ctx context.Context, obj *unstructured.Unstructured, after []edit) func(client.Client) error {
		apply(obj, after...)
		return func(c client.Client) error { return c.Update(ctx, annotated(obj.DeepCopy()), client.DryRunAll) }
	}

	It("asks for just the verbs that an edit needs", func(ctx context.Context) {
		for _, row := range needs {
			act := func(c client.Client) error {
				return c.Create(ctx, object(minimalRelease, row.after...), client.DryRunAll)
			}
			if row.before != nil {
				act = edits(ctx, annotated(stored(ctx, minimalRelease, row.before...)), row.after)
			}
			asks(row.field+" from "+specOf(row.before)+" to "+specOf(row.after), row.verbs, act)
		}
	})

	It("asks for rollback where the stable version is declared again over one in production", func(ctx context.Context) {
		for _, row := range returning {
			obj := stored(ctx, minimalRelease, row.before...)
			set("status", "{"+row.status+"}")(obj.Object)
			Expect(api.Status().Update(ctx, obj)).To(Succeed())
			asks(row.field+" from "+specOf(row.before)+" to "+specOf(row.after)+" with "+row.status, row.verbs, edits(ctx, obj, row.after))
		}
	})
})

// specOf is what edits make of an empty spec, to be read.
func specOf(edits []edit) string {
	spec := map[string]any{}
	all(edits...)(spec)
	text, err := yaml.Marshal(spec)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}
