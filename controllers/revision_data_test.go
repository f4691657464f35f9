package controllers

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
)

// fullTemplate has every field of a template set.
func fullTemplate() v1alpha1.ServerTemplate {
	return v1alpha1.ServerTemplate{
		InstanceTypes:      []v1alpha1.InstanceType{"c7g.large", "c6g.large"},
		SubnetIDs:          []v1alpha1.SubnetID{"subnet-a", "subnet-b"},
		SecurityGroupIDs:   []v1alpha1.SecurityGroupID{"sg-1"},
		IAMInstanceProfile: "web",
		KeyName:            "ops",
		UserData:           &v1alpha1.UserData{SecretRef: &v1alpha1.KeyReference{Name: "boot", Key: "userdata"}},
		MetadataOptions:    v1alpha1.MetadataOptions{HTTPTokens: v1alpha1.HTTPTokensOptional, HopLimit: 2},
		BlockDeviceMappings: []v1alpha1.BlockDeviceMapping{{DeviceName: "/dev/xvda", EBS: v1alpha1.EBSVolume{
			VolumeSizeGiB: 20, VolumeType: "gp3", IOPS: 3000, Throughput: 125, Encrypted: new(false), KMSKeyID: "alias/web",
			SnapshotID: "snap-0123456789abcdef0", DeleteOnTermination: new(true),
		}}},
		Tags: map[string]v1alpha1.TagValue{"team": "shop", "empty": ""},
	}
}

// withLists gives a spec two entries in each list whose order says nothing.
func withLists(w writtenSpec) writtenSpec {
	w.Image = v1alpha1.ImageSource{Selector: &v1alpha1.ImageSelector{Owners: []v1alpha1.ImageOwner{"amazon", "self"}}}
	w.Template.SubnetIDs = []v1alpha1.SubnetID{"subnet-a", "subnet-b"}
	w.Template.SecurityGroupIDs = []v1alpha1.SecurityGroupID{"sg-1", "sg-2"}
	w.Template.BlockDeviceMappings = []v1alpha1.BlockDeviceMapping{
		{DeviceName: "/dev/xvda", EBS: v1alpha1.EBSVolume{VolumeSizeGiB: 20}}, {DeviceName: "/dev/xvdb", EBS: v1alpha1.EBSVolume{VolumeSizeGiB: 10}},
	}
	return w
}

// turnedRound turns those lists round.
func turnedRound(w writtenSpec) writtenSpec {
	selector := *w.Image.Selector
	selector.Owners = backwards(selector.Owners)
	w.Image.Selector = &selector
	w.Template.SubnetIDs, w.Template.SecurityGroupIDs = backwards(w.Template.SubnetIDs), backwards(w.Template.SecurityGroupIDs)
	w.Template.BlockDeviceMappings = backwards(w.Template.BlockDeviceMappings)
	return w
}

func backwards[T any](list []T) []T {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// Names are in the tags of servers that run for months. One that changes with an upgrade of Slipway would replace every
// fleet there is: never edit a wanted name.
func TestRevisionNamesNeverChange(t *testing.T) {
	plain := written(testRelease().Spec)
	full := writtenSpec{
		Version: "2026.11.22-1", Template: fullTemplate(),
		Image: v1alpha1.ImageSource{Selector: &v1alpha1.ImageSelector{
			Owners: []v1alpha1.ImageOwner{"self"}, Name: "web-*", Tags: map[string]v1alpha1.TagValue{"channel": "release"},
		}},
	}
	lists := withLists(full)
	parameter := plain
	parameter.Image = v1alpha1.ImageSource{SSMParameter: "/images/web"}
	inline := plain
	inline.Template.UserData = &v1alpha1.UserData{Inline: "#!/bin/sh\necho \"<${SLIPWAY_VERSION}>\" & # ü\n"}
	long, cut := strings.Repeat("a-very-long-name.", 6), "a-very-long-name.a-very-long-name.a-very-long-name.a-"
	for name, test := range map[string]struct {
		release string
		data    revisionData
		want    string
	}{
		"plain":                  {"web", revisionData{AsWritten: plain, Image: "ami-0123456789abcdef0"}, "web-qgwgqk85bc"},
		"every field":            {"web", revisionData{AsWritten: full, Image: "ami-0fedcba9876543210", UserDataHash: "1f"}, "web-4gtm7lc49d"},
		"lists":                  {"web", revisionData{AsWritten: lists, Image: "ami-0fedcba9876543210"}, "web-9k4jckpwjw"},
		"lists, turned round":    {"web", revisionData{AsWritten: turnedRound(lists), Image: "ami-0fedcba9876543210"}, "web-9k4jckpwjw"},
		"parameter":              {"web", revisionData{AsWritten: parameter, Image: "ami-0123456789abcdef0"}, "web-86jtzl4kw9"},
		"parameter, moved":       {"web", revisionData{AsWritten: parameter, Image: "ami-0fedcba9876543210"}, "web-fn276lg225"},
		"inline":                 {"web", revisionData{AsWritten: inline, Image: "ami-0123456789abcdef0"}, "web-cnrgwpkrkf"},
		"owner makes no odds":    {"web", revisionData{AsWritten: plain, Image: "ami-0123456789abcdef0", Owner: "1", UserDataSecret: "x"}, "web-qgwgqk85bc"},
		"long name":              {long, revisionData{AsWritten: plain, Image: "ami-0123456789abcdef0"}, cut + "n2clgjqdgk"},
		"long name, another end": {long + "b", revisionData{AsWritten: plain, Image: "ami-0123456789abcdef0"}, cut + "cwhpf4vv9z"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := revisionName(test.release, test.data)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if problems := validation.IsDNS1123Subdomain(got); len(problems) > 0 || len(got) > maxNameLength {
				t.Errorf("%s (%d characters) cannot be the name of an object and the value of a label: %v", got, len(got), problems)
			}
		})
	}
}

func TestNamesFitIntoLabels(t *testing.T) {
	for _, release := range []string{"web", strings.Repeat("a", 62) + ".b", strings.Repeat("x-", 120) + "x"} {
		for _, name := range []string{releaseLabel(release), lostName(release, "web-1"), adoptedRevision(release)} {
			if problems := validation.IsValidLabelValue(name); len(problems) > 0 {
				t.Errorf("%q: %v", name, problems)
			}
			if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
				t.Errorf("%q: %v", name, problems)
			}
		}
	}
	if a, b := strings.Repeat("x", 70), strings.Repeat("x", 71); releaseLabel(a) == releaseLabel(b) {
		t.Errorf("two long names have the same label %s", releaseLabel(a))
	}
}

// The hash leaves out what the types leave out. A field of image or template that is written although it is empty would
// be a difference between a spec from before it existed and the same spec today.
func TestNothingEmptyIsWritten(t *testing.T) {
	for name, value := range map[string]any{
		"image": v1alpha1.ImageSource{}, "template": v1alpha1.ServerTemplate{}, "selector": v1alpha1.ImageSelector{}, "user data": v1alpha1.UserData{},
		"key": v1alpha1.KeyReference{}, "metadata options": v1alpha1.MetadataOptions{}, "device": v1alpha1.BlockDeviceMapping{}, "volume": v1alpha1.EBSVolume{},
	} {
		text, err := json.Marshal(value)
		if err != nil || string(text) != "{}" {
			t.Errorf("%s: an empty one is written as %s (%v): mark its fields omitempty or omitzero", name, text, err)
		}
	}
}

func TestCanonicalJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1,"a":{"y":[],"x":null},"c":{}}`: `{"b":1}`,
		`{"tags":{"a":""},"n":0,"f":false}`:    `{"f":false,"n":0,"tags":{"a":""}}`,
		`{"n":12345678901234567890}`:           `{"n":12345678901234567890}`,
		`{"a":[{},{"b":1}]}`:                   `{"a":[null,{"b":1}]}`,
		`{}`:                                   `{}`,
	} {
		got, err := canonicalJSON(json.RawMessage(in))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s (%v), want %s", in, got, err, want)
		}
	}
}

func TestSameAsWritten(t *testing.T) {
	base := withLists(writtenSpec{Version: "v1", Template: fullTemplate()})
	for name, test := range map[string]struct {
		change func(*writtenSpec)
		same   bool
	}{
		"nothing":                  {func(*writtenSpec) {}, true},
		"an empty list":            {func(w *writtenSpec) { w.Image.Selector.Tags = map[string]v1alpha1.TagValue{} }, true},
		"version":                  {func(w *writtenSpec) { w.Version = "v2" }, false},
		"image":                    {func(w *writtenSpec) { w.Image = v1alpha1.ImageSource{ID: "ami-2"} }, false},
		"order of image owners":    {func(w *writtenSpec) { w.Image.Selector.Owners = backwards(w.Image.Selector.Owners) }, true},
		"order of subnets":         {func(w *writtenSpec) { w.Template.SubnetIDs = backwards(w.Template.SubnetIDs) }, true},
		"order of security groups": {func(w *writtenSpec) { w.Template.SecurityGroupIDs = backwards(w.Template.SecurityGroupIDs) }, true},
		"order of volumes":         {func(w *writtenSpec) { w.Template.BlockDeviceMappings = backwards(w.Template.BlockDeviceMappings) }, true},
		"order of instance types":  {func(w *writtenSpec) { w.Template.InstanceTypes = backwards(w.Template.InstanceTypes) }, false},
		"a subnet less":            {func(w *writtenSpec) { w.Template.SubnetIDs = w.Template.SubnetIDs[:1] }, false},
		"volumes of each other": {func(w *writtenSpec) {
			devices := backwards(w.Template.BlockDeviceMappings)
			devices[0].DeviceName, devices[1].DeviceName = devices[1].DeviceName, devices[0].DeviceName
			w.Template.BlockDeviceMappings = devices
		}, false},
		"an empty tag": {func(w *writtenSpec) { w.Template.Tags = map[string]v1alpha1.TagValue{"team": "shop"} }, false},
		"an explicit no": {func(w *writtenSpec) {
			devices := slices.Clone(w.Template.BlockDeviceMappings)
			devices[0].EBS.Encrypted = new(false)
			w.Template.BlockDeviceMappings = devices
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			other := base
			selector := *base.Image.Selector
			other.Image.Selector = &selector
			test.change(&other)
			for _, pair := range [][2]writtenSpec{{base, other}, {other, base}} {
				if same, err := sameAsWritten(pair[0], pair[1]); err != nil || same != test.same {
					t.Errorf("got %v (%v), want %v", same, err, test.same)
				}
			}
		})
	}
}

// What the API calls a set or a map is compared there without its order, and here too: whoever adds such a list to image
// or template gets to inOrder by this test.
func TestOrderCountsWhereTheAPISaysSo(t *testing.T) {
	full := withLists(writtenSpec{Version: "v1", Template: fullTemplate()})
	text, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	for dotted, listType := range listTypes(t, "image", "template") {
		path := strings.Split(dotted, ".")
		var tree map[string]any
		if err := json.Unmarshal(text, &tree); err != nil {
			t.Fatal(err)
		}
		list, found, err := unstructured.NestedSlice(tree, path...)
		if err != nil || !found || len(list) < 2 {
			t.Fatalf("%s: withLists and fullTemplate have fewer than two entries: %v (%v)", dotted, list, err)
		}
		if err := unstructured.SetNestedSlice(tree, backwards(list), path...); err != nil {
			t.Fatal(err)
		}
		var other writtenSpec
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(tree, &other); err != nil {
			t.Fatal(err)
		}
		if same, err := sameAsWritten(full, other); err != nil || same != (listType != "atomic") {
			t.Errorf("%s is a list of type %s; turned round it is the same: %v (%v)", dotted, listType, same, err)
		}
	}
}

// listTypes are the lists below some fields of spec, by their dotted path, and how the API compares them.
func listTypes(t *testing.T, fields ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, field := range fields {
		findLists(found, field, releaseSchema(t).Properties["spec"].Properties[field])
	}
	return found
}

// releaseSchema is the schema of a Release, from its definition.
func releaseSchema(t *testing.T) *apiextensionsv1.JSONSchemaProps {
	t.Helper()
	text, err := os.ReadFile("../config/crd/bases/slipway.dev_releases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema
}

func findLists(found map[string]string, path string, props apiextensionsv1.JSONSchemaProps) {
	if props.Items != nil {
		found[path] = *props.XListType
	}
	for name, below := range props.Properties {
		findLists(found, path+"."+name, below)
	}
}

// An object that an older or a newer version wrote reads as the same spec, as long as what the versions differ in is not
// set.
func TestStoredDataOfOtherVersions(t *testing.T) {
	spec := written(testRelease().Spec)
	text, err := canonicalJSON(revisionData{AsWritten: spec, Image: "ami-1"})
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	template, ok := tree["asWritten"].(map[string]any)["template"].(map[string]any)
	if !ok {
		t.Fatalf("no template in %s", text)
	}
	if _, written := template["keyName"]; written {
		t.Fatalf("an optional field that is not set is stored: %s", text)
	}
	template["fieldOfANewerVersion"], tree["another"] = nil, 1
	newer, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	var read revisionData
	if err := json.Unmarshal(newer, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(spec, read.AsWritten); diff != "" {
		t.Errorf("a round trip changed the spec (-written +read):\n%s", diff)
	}
	if same, err := sameAsWritten(spec, read.AsWritten); err != nil || !same {
		t.Errorf("the stored spec is taken for another one: %v", err)
	}
}
