package api_test

import (
	"context"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
)

// give lets a person have one of the roles of config/rbac for the length of a test: in a namespace, or where that is empty
// in the whole cluster.
func give(ctx context.Context, person, file, namespace string) {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join("../../config/rbac", file))
	Expect(err).NotTo(HaveOccurred())
	role := &rbacv1.ClusterRole{}
	Expect(yaml.UnmarshalStrict(content, role)).To(Succeed())
	role.Name = person + "-" + role.Name
	subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: person}}
	ref := rbacv1.RoleRef{Kind: "ClusterRole", APIGroup: rbacv1.GroupName, Name: role.Name}
	binding := client.Object(&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: role.Name}, Subjects: subjects, RoleRef: ref})
	if namespace != "" {
		binding = &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: role.Name, Namespace: namespace}, Subjects: subjects, RoleRef: ref}
	}
	installs(ctx, role)
	installs(ctx, binding)
}

// as is a client of somebody else.
func as(person string, groups ...string) client.Client {
	GinkgoHelper()
	config := rest.CopyConfig(plane.Config())
	config.Impersonate = rest.ImpersonationConfig{UserName: person, Groups: groups}
	c, err := client.New(config, client.Options{Scheme: api.Scheme(), Mapper: api.RESTMapper()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// installs writes an object for the length of a test.
func installs(ctx context.Context, obj client.Object) {
	GinkgoHelper()
	Expect(api.Create(ctx, obj)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(api.Delete(ctx, obj)).To(Succeed()) })
}

// installsFile is installs for an object of config.
func installsFile(ctx context.Context, file string, obj client.Object) {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join("../../config", file))
	Expect(err).NotTo(HaveOccurred())
	Expect(yaml.UnmarshalStrict(content, obj)).To(Succeed())
	installs(ctx, obj)
}

// may asks the API server whether a person may do something to the Releases of the default namespace, or to classes.
func may(ctx context.Context, person, verb, resource string) bool {
	GinkgoHelper()
	asked := &authorizationv1.ResourceAttributes{Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: resource}
	if resource != "releaseclasses" {
		asked.Namespace = "default"
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: person, ResourceAttributes: asked}}
	Expect(api.Create(ctx, review)).To(Succeed())
	return review.Status.Allowed
}

var _ = Describe("A person", func() {
	// The API server learns of roles a moment after they are written.
	become := func(ctx context.Context, person, verb, resource string) {
		GinkgoHelper()
		Eventually(ctx, func() bool { return may(ctx, person, verb, resource) }).WithTimeout(time.Minute).Should(BeTrue())
	}

	It("who deploys in a namespace sees classes by a role in the whole cluster, and only by that", func(ctx context.Context) {
		give(ctx, "nadia", "release_editor_role.yaml", "default")
		give(ctx, "nadia", "releaseclass_viewer_role.yaml", "default")
		become(ctx, "nadia", "create", "releases")
		Expect(may(ctx, "nadia", "list", "releaseclasses")).To(BeFalse())

		give(ctx, "omar", "releaseclass_viewer_role.yaml", "")
		become(ctx, "omar", "list", "releaseclasses")
		Expect(may(ctx, "omar", "get", "releaseclasses")).To(BeTrue())
		for _, verb := range []string{"create", "update", "patch", "delete"} {
			Expect(may(ctx, "omar", verb, "releaseclasses")).To(BeFalse(), verb)
		}
		Expect(may(ctx, "omar", "list", "releases")).To(BeFalse())
	})

	It("who runs the cluster writes classes", func(ctx context.Context) {
		give(ctx, "petra", "releaseclass_editor_role.yaml", "")
		give(ctx, "quinn", "releaseclass_admin_role.yaml", "")
		become(ctx, "petra", "create", "releaseclasses")
		become(ctx, "quinn", "deletecollection", "releaseclasses")
		Expect(may(ctx, "petra", "deletecollection", "releaseclasses")).To(BeFalse())
		for _, verb := range []string{"get", "list", "watch", "update", "patch", "delete"} {
			Expect(may(ctx, "petra", verb, "releaseclasses")).To(BeTrue(), verb)
			Expect(may(ctx, "quinn", verb, "releaseclasses")).To(BeTrue(), verb)
		}
		Expect(may(ctx, "quinn", "get", "releases")).To(BeFalse())
	})
})
