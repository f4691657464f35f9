package api_test

import (
	"context"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/internal/localaws"
)

// sample reads a manifest of config/samples.
func sample(file string) *unstructured.Unstructured {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join("../../config/samples", file))
	Expect(err).NotTo(HaveOccurred())
	obj := &unstructured.Unstructured{}
	Expect(yaml.UnmarshalStrict(content, &obj.Object)).To(Succeed())
	return obj
}

// built is what kustomize makes of a folder, as kind/name.
func built(folder string) []string {
	GinkgoHelper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	Expect(err).NotTo(HaveOccurred())
	var out []string
	for _, resource := range resources.Resources() {
		out = append(out, resource.GetKind()+"/"+resource.GetName())
	}
	return out
}

// strictly makes the API server refuse a field that it does not know, as kubectl does.
var strictly = client.FieldValidation("Strict")

var _ = Describe("The samples", func() {
	It("are taken as they are, one after the other", func(ctx context.Context) {
		class, first, second := sample("releaseclass.yaml"), sample("release-v1.yaml"), sample("release-v2.yaml")
		for _, obj := range []*unstructured.Unstructured{class, first} {
			Expect(api.Create(ctx, obj, strictly)).To(Succeed())
			DeferCleanup(func(ctx context.Context) { Expect(api.Delete(ctx, obj)).To(Succeed()) })
		}
		Expect(unstructured.SetNestedField(first.Object, "Live", "spec", "phase")).To(Succeed())
		Expect(api.Update(ctx, first, strictly)).To(Succeed())
		second.SetResourceVersion(first.GetResourceVersion())
		Expect(api.Update(ctx, second, strictly)).To(Succeed())
	})

	It("differ in version and image alone", func() {
		first, second := spec(sample("release-v1.yaml")), spec(sample("release-v2.yaml"))
		Expect(first["version"]).NotTo(Equal(second["version"]))
		Expect(first["image"]).NotTo(Equal(second["image"]))
		for _, part := range []string{"version", "image"} {
			delete(first, part)
			delete(second, part)
		}
		Expect(first).To(Equal(second))
	})

	It("leave out what belongs in no manifest", func() {
		for _, file := range []string{"release-v1.yaml", "release-v2.yaml"} {
			Expect(spec(sample(file))).NotTo(SatisfyAny(HaveKey("override"), HaveKey("paused")))
		}
	})

	It("name what the local AWS has", func() {
		aws := localaws.New(localaws.Options{})
		DeferCleanup(aws.Close)
		site := aws.DefaultWorld()
		first, second := typed(sample("release-v1.yaml")).Spec, typed(sample("release-v2.yaml")).Spec
		Expect(first.Image.ID).To(BeEquivalentTo(site.V1ARM))
		Expect(second.Image.ID).To(BeEquivalentTo(site.V2ARM))
		for _, id := range first.Template.SubnetIDs {
			Expect(site.Subnets).To(ContainElement(string(id)))
		}
		Expect(first.Template.SecurityGroupIDs).To(HaveExactElements(BeEquivalentTo(site.SecurityGroup)))

		class := spec(sample("releaseclass.yaml"))
		Expect(class["region"]).To(Equal(aws.Region()))
		Expect(class["accountID"]).To(Equal(aws.Account()))
	})

	It("are what kustomize builds", func() {
		Expect(built("../../config/samples")).To(ConsistOf("ReleaseClass/default", "Release/web"))
		Expect(built("../../config/crd")).To(ConsistOf(
			"CustomResourceDefinition/releases.slipway.dev", "CustomResourceDefinition/releaseclasses.slipway.dev"))
	})
})
