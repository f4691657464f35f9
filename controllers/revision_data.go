package controllers

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/cloud"
)

const (
	// labelRelease finds the ControllerRevisions and Secrets of a Release: its name, shortened to what a label holds.
	labelRelease = "slipway.dev/release"

	// maxNameLength is what a label value holds; revision names are kept to it, so that they can be one.
	maxNameLength = 63
	// hashLength gives 27^10 names, about 47 bits.
	hashLength = 10
)

// writtenSpec is the part of a Release's spec that makes a revision, as a person wrote it.
type writtenSpec struct {
	Image    v1alpha1.ImageSource    `json:"image,omitzero"`
	Version  v1alpha1.Version        `json:"version,omitempty"`
	Template v1alpha1.ServerTemplate `json:"template,omitzero"`
}

// revisionData is what a ControllerRevision holds: everything that servers of the revision are made of, also of those
// that are launched long after the sources have changed. The API server refuses to change it.
type revisionData struct {
	AsWritten writtenSpec `json:"asWritten,omitzero"`
	// Image is the AMI that the image source was resolved to, once.
	Image      string `json:"image,omitempty"`
	Owner      string `json:"owner,omitempty"`
	OwnerAlias string `json:"ownerAlias,omitempty"`
	// UserDataSecret is the immutable copy of user data that came from a Secret or ConfigMap; empty for inline user data.
	UserDataSecret string `json:"userDataSecret,omitempty"`
	// UserDataHash is over the user data before anything is replaced in it; empty for inline user data.
	UserDataHash string `json:"userDataHash,omitempty"`

	// Lost is the name of a revision whose own record is gone. Such an object holds nothing but what is remembered of it.
	Lost string `json:"lost,omitempty"`
}

// written takes the parts of a spec that make a revision.
func written(spec v1alpha1.ReleaseSpec) writtenSpec {
	return writtenSpec{Image: spec.Image, Version: spec.Version, Template: spec.Template}
}

// inOrder sorts the lists whose order says nothing: the API's sets, and volumes, which go by their device. The API's rules
// take such lists for equal in any order, and so has everything here: an edit that they let pass under phase Live must
// make no revision that nobody looked at. The types stay as written, for the first is tried first.
func (w writtenSpec) inOrder() writtenSpec {
	if w.Image.Selector != nil {
		selector := *w.Image.Selector
		selector.Owners = slices.Sorted(slices.Values(selector.Owners))
		w.Image.Selector = &selector
	}
	w.Template.SubnetIDs = slices.Sorted(slices.Values(w.Template.SubnetIDs))
	w.Template.SecurityGroupIDs = slices.Sorted(slices.Values(w.Template.SecurityGroupIDs))
	w.Template.BlockDeviceMappings = slices.SortedFunc(slices.Values(w.Template.BlockDeviceMappings),
		func(a, b v1alpha1.BlockDeviceMapping) int { return cmp.Compare(a.DeviceName, b.DeviceName) })
	return w
}

// decodeRevision reads the data of a ControllerRevision into today's types. Fields that a newer version wrote are left
// out, fields that it does not know yet are empty.
func decodeRevision(stored *appsv1.ControllerRevision) (revisionData, error) {
	var data revisionData
	err := json.Unmarshal(stored.Data.Raw, &data)
	return data, err
}

// sameAsWritten compares two specs by what they say. A field that one of them does not have is an empty one, so that an
// upgrade which adds an optional field changes nothing.
func sameAsWritten(a, b writtenSpec) (bool, error) {
	left, err := canonicalJSON(a.inOrder())
	if err != nil {
		return false, err
	}
	right, err := canonicalJSON(b.inOrder())
	return bytes.Equal(left, right), err
}

// revisionName is <release>-<hash>. Equal specs with equal images and user data have equal names, also in an object that
// was made again. A release name that is too long is cut; the hash then tells two of them apart.
func revisionName(release string, data revisionData) (string, error) {
	content := struct {
		AsWritten    writtenSpec `json:"asWritten,omitzero"`
		Image        string      `json:"image,omitempty"`
		UserDataHash string      `json:"userDataHash,omitempty"`
		Release      string      `json:"release,omitempty"`
	}{AsWritten: data.AsWritten.inOrder(), Image: data.Image, UserDataHash: data.UserDataHash}
	prefix := cutName(release, maxNameLength-hashLength-1)
	if prefix != release {
		content.Release = release
	}
	text, err := canonicalJSON(content)
	if err != nil {
		return "", err
	}
	return prefix + "-" + shortHash(text), nil
}

// releaseLabel is the release's name as a label value.
func releaseLabel(release string) string {
	if len(release) <= maxNameLength {
		return release
	}
	return cutName(release, maxNameLength-hashLength-1) + "-" + shortHash([]byte(release))
}

// cutName shortens a name so that a dash and more can follow.
func cutName(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	return strings.TrimRight(name[:limit], "-.")
}

// lostName is the name of the object that remembers a revision whose own record is gone.
func lostName(release, revision string) string {
	return cutName(release, maxNameLength-hashLength-len("-lost-")) + "-lost-" + shortHash([]byte(revision))
}

// hashLetters are those of Kubernetes' own names: no vowels, so that no word comes out, and no 0, 1 and 3.
const hashLetters = "bcdfghjklmnpqrstvwxz2456789"

// shortHash is a hash that names can end with.
func shortHash(content []byte) string {
	sum := sha256.Sum256(content)
	text := make([]byte, hashLength)
	for i := range text {
		text[i] = hashLetters[int(sum[i])%len(hashLetters)]
	}
	return string(text)
}

// canonicalJSON sorts all keys and leaves out nulls, empty lists and empty objects. Empty texts stay where they are
// values of a map, because an empty tag is a tag; elsewhere the types leave them out.
func canonicalJSON(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	if tree = withoutEmpty(tree); tree == nil {
		tree = map[string]any{}
	}
	return json.Marshal(tree)
}

// withoutEmpty gives nil for whatever is empty.
func withoutEmpty(tree any) any {
	switch node := tree.(type) {
	case map[string]any:
		for key, value := range node {
			if node[key] = withoutEmpty(value); node[key] == nil {
				delete(node, key)
			}
		}
		if len(node) == 0 {
			return nil
		}
	case []any:
		for i := range node {
			node[i] = withoutEmpty(node[i])
		}
		if len(node) == 0 {
			return nil
		}
	}
	return tree
}

// imageSource puts spec.image into the words of the port.
func imageSource(image v1alpha1.ImageSource) cloud.ImageSource {
	source := cloud.ImageSource{ID: string(image.ID), SSMParameter: image.SSMParameter}
	if selector := image.Selector; selector != nil {
		source.Selector = &cloud.ImageSelector{Name: selector.Name, Owners: texts(selector.Owners), Tags: textMap(selector.Tags)}
	}
	return source
}

// texts gives the values of a list of named strings; nil for an empty one.
func texts[S ~string](values []S) []string {
	if len(values) == 0 {
		return nil
	}
	list := make([]string, 0, len(values))
	for _, value := range values {
		list = append(list, string(value))
	}
	return list
}

// textMap gives a map of named strings as one of strings; nil for an empty one.
func textMap[S ~string](values map[string]S) map[string]string {
	if len(values) == 0 {
		return nil
	}
	out := make(map[string]string, len(values))
	for key, value := range values {
		out[key] = string(value)
	}
	return out
}
