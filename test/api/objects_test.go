package api_test

import (
	"context"
	"errors"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// minimalRelease is the least that makes a Release.
const minimalRelease = `
apiVersion: slipway.dev/v1alpha1
kind: Release
metadata: {generateName: web-, namespace: default}
spec:
  version: v1
  image: {id: ami-0123456789abcdef0}
  template: {instanceTypes: [c7g.large], subnetIDs: [subnet-0a1b2c3d4e5f60718]}
  loadBalancers: {production: [{name: edge, classic: {name: prod}}]}
`

// fullTemplate sets every field of a template that does not exclude another.
const fullTemplate = `
instanceTypes: [c7g.large, c6g.large]
subnetIDs: [subnet-b, subnet-a]
securityGroupIDs: [sg-1]
iamInstanceProfile: web
keyName: ops
userData: {inline: "#!/bin/sh\necho ${SLIPWAY_VERSION}\n"}
metadataOptions: {httpTokens: optional, hopLimit: 64}
blockDeviceMappings:
  - deviceName: /dev/xvda
    ebs: {volumeSizeGiB: 20, volumeType: gp3, iops: 3000, throughput: 125, encrypted: false,
          kmsKeyID: alias/web, snapshotID: snap-01234567, deleteOnTermination: false}
tags: {Name: web, team: ""}
`

// minimalClass is the least that makes a ReleaseClass.
const minimalClass = `
apiVersion: slipway.dev/v1alpha1
kind: ReleaseClass
metadata: {generateName: class-}
spec: {region: us-east-1, accountID: "123456789012"}
`

// edit changes the spec of an object.
type edit func(spec map[string]any)

// set writes a value, given as YAML, to a dotted path below spec.
func set(path, value string) edit {
	var parsed any
	if err := yaml.Unmarshal([]byte(value), &parsed); err != nil {
		panic(err)
	}
	return func(spec map[string]any) {
		Expect(unstructured.SetNestedField(spec, whole(parsed), strings.Split(path, ".")...)).To(Succeed())
	}
}

// text writes a string as it is to a dotted path below spec.
func text(path, value string) edit {
	return func(spec map[string]any) {
		Expect(unstructured.SetNestedField(spec, value, strings.Split(path, ".")...)).To(Succeed())
	}
}

// without removes the field at a dotted path below spec.
func without(path string) edit {
	return func(spec map[string]any) {
		unstructured.RemoveNestedField(spec, strings.Split(path, ".")...)
	}
}

// all makes one edit of several.
func all(edits ...edit) edit {
	return func(spec map[string]any) {
		for _, change := range edits {
			change(spec)
		}
	}
}

// whole turns the numbers of parsed YAML into those that unstructured objects hold.
func whole(value any) any {
	switch v := value.(type) {
	case float64:
		return int64(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = whole(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = whole(v[key])
		}
		return out
	default:
		return value
	}
}

// object makes an object from a manifest and edits of its spec.
func object(manifest string, edits ...edit) *unstructured.Unstructured {
	GinkgoHelper()
	obj := &unstructured.Unstructured{}
	Expect(yaml.UnmarshalStrict([]byte(manifest), &obj.Object)).To(Succeed())
	apply(obj, edits...)
	return obj
}

// apply edits the spec of an object.
func apply(obj *unstructured.Unstructured, edits ...edit) {
	GinkgoHelper()
	spec, ok := obj.Object["spec"].(map[string]any)
	Expect(ok).To(BeTrue(), "the object has a spec")
	for _, change := range edits {
		change(spec)
	}
}

// stored creates an object for the length of a test.
func stored(ctx context.Context, manifest string, edits ...edit) *unstructured.Unstructured {
	GinkgoHelper()
	obj := object(manifest, edits...)
	Expect(api.Create(ctx, obj)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(api.Delete(ctx, obj)).To(Succeed()) })
	return obj
}

// expectRefused checks that the API server refused an object because of one field, with a message.
func expectRefused(err error, field, message string) {
	GinkgoHelper()
	Expect(apierrors.IsInvalid(err)).To(BeTrue(), "refused as invalid, but: %v", err)
	var refused *apierrors.StatusError
	Expect(errors.As(err, &refused)).To(BeTrue())
	Expect(refused.ErrStatus.Details.Causes).To(ContainElement(SatisfyAll(
		HaveField("Field", field),
		HaveField("Message", ContainSubstring(message)),
	)), "%v", causes(refused))
}

// causes lists what the API server found, a line each.
func causes(refused *apierrors.StatusError) string {
	var lines []string
	for _, cause := range refused.ErrStatus.Details.Causes {
		lines = append(lines, cause.Field+": "+cause.Message)
	}
	return strings.Join(lines, "\n")
}
