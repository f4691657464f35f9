package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"slipway.dev/slipway/api/v1alpha1"
	"slipway.dev/slipway/internal/operator"
)

// there is what calls may name.
type there struct {
	targets   []string                           // of the Makefile
	resources map[string]schema.GroupVersionKind // by each name that kubectl takes
	objects   []string                           // kind and name of what the manager is installed with
}

func known(t *testing.T) there {
	t.Helper()
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	n := there{resources: map[string]schema.GroupVersionKind{
		"crd": apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"), "deploy": appsv1.SchemeGroupVersion.WithKind("Deployment"),
	}}
	for _, found := range regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(string(text), -1) {
		n.targets = append(n.targets, found[1])
	}
	for kind := range operator.Scheme().AllKnownTypes() {
		if kind.Group == v1alpha1.GroupVersion.Group {
			continue
		}
		plural, singular := meta.UnsafeGuessKindToResource(kind)
		n.resources[plural.Resource], n.resources[singular.Resource] = kind, kind
	}
	files, err := filepath.Glob("../../config/crd/bases/*.yaml")
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(text, &crd); err != nil {
			t.Fatal(err)
		}
		names := crd.Spec.Names
		for _, name := range append(names.ShortNames, names.Plural, names.Singular, names.Plural+"."+crd.Spec.Group) {
			n.resources[name] = v1alpha1.GroupVersion.WithKind(names.Kind)
		}
	}
	for _, folder := range []string{"config/default", "config/samples/shards/east"} {
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join("..", "..", folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range built.Resources() {
			n.objects = append(n.objects, r.GetKind()+" "+r.GetName())
		}
	}
	return n
}

// ours is a path in this repository, as the pages write them.
var ours = regexp.MustCompile(`^(config|charts|cmd|hack|docs|test)/`)

// theirs are files that the pages have people write themselves.
var theirs = []string{"release.yaml", "-"}

// judge fails where a program would not know what it is called with.
func (n there) judge(call []string) error {
	for _, word := range call[1:] {
		if ours.MatchString(word) {
			if _, err := os.Stat(filepath.Join("..", "..", word)); err != nil {
				return err
			}
		}
		if call[0] == "aws" && strings.HasPrefix(word, "{") && !json.Valid([]byte(word)) {
			return fmt.Errorf("%s is no JSON", word)
		}
	}
	switch {
	case call[0] == "make":
		for _, word := range call[1:] {
			if !strings.Contains(word, "=") && !slices.Contains(n.targets, word) {
				return fmt.Errorf("the Makefile has no target %s", word)
			}
		}
	case call[0] == "kubectl-slipway":
		return typed(call[1:])
	case call[0] == "kubectl" && len(call) > 1 && call[1] == "slipway":
		return typed(call[2:])
	case call[0] == "kubectl":
		return n.kubectl(call[1:])
	}
	return nil
}

// kubectlFlags are the flags of kubectl's commands that the pages use: those that end in = take a value.
var kubectlFlags = map[string]string{
	"annotate": "overwrite", "apply": "dry-run= filename=f kustomize=k server-side", "auth": "", "create": "clusterrole= from-literal= group= serviceaccount=",
	"delete": "all all-namespaces=A timeout=", "describe": "", "edit": "", "events": "all-namespaces=A for= types=", "explain": "",
	"get": "all-namespaces=A field-selector= output=o subresource= watch=w", "label": "overwrite", "logs": "follow=f prefix selector=l tail=", "patch": "patch=p patch-file= type=",
	"port-forward": "", "rollout": "timeout=", "scale": "replicas=", "set": "from=", "wait": "for= timeout=",
}

// kubectlSwitches are the flags of kubectlFlags with a letter that take no value.
var kubectlSwitches = []string{"all-namespaces", "watch", "follow"}

// flagsOf are those of a command of kubectl.
func flagsOf(verb string) *pflag.FlagSet {
	set := pflag.NewFlagSet(verb, pflag.ContinueOnError)
	set.StringP("namespace", "n", "", "")
	for flag := range strings.FieldsSeq(kubectlFlags[verb]) {
		name, letter, valued := strings.Cut(flag, "=")
		if valued && !slices.Contains(kubectlSwitches, name) {
			set.StringArrayP(name, letter, nil, "")
		} else {
			set.BoolP(name, letter, false, "")
		}
	}
	return set
}

// kubectl fails where kubectl would not know the command, a flag, the resource or a field.
func (n there) kubectl(args []string) error {
	first := flagsOf("")
	first.SetInterspersed(false)
	if err := first.Parse(args); err != nil {
		return err
	}
	if first.NArg() == 0 {
		return nil
	}
	verb, rest := first.Arg(0), first.Args()[1:]
	if _, ok := kubectlFlags[verb]; !ok {
		return fmt.Errorf("kubectl has no command %s, or no page used it before", verb)
	}
	flags := flagsOf(verb)
	if err := flags.Parse(rest); err != nil && !strings.Contains(err.Error(), "flag needs an argument") { // in a sentence
		return err
	}
	for _, name := range []string{"filename", "kustomize"} {
		if err := n.files(flags, name); err != nil {
			return err
		}
	}
	return n.about(verb, flags)
}

// files fails where a file or a folder is not there.
func (n there) files(flags *pflag.FlagSet, name string) error {
	paths, err := flags.GetStringArray(name)
	if err != nil {
		return nil //nolint:nilerr // the command has no such flag
	}
	for _, path := range paths {
		if slices.Contains(theirs, path) {
			continue
		}
		if name == "kustomize" {
			path = filepath.Join(path, "kustomization.yaml")
		}
		if _, err := os.Stat(filepath.Join("..", "..", path)); err != nil {
			return err
		}
	}
	return nil
}

// about fails where what a command is about does not exist, and where it is given what it cannot be.
func (n there) about(verb string, flags *pflag.FlagSet) error {
	args := flags.Args()
	switch verb {
	case "rollout", "set", "auth": // and a word of their own
		args = args[min(1, len(args)):]
	case "apply", "events", "port-forward":
		return nil
	case "create":
		roles, err := flags.GetStringArray("clusterrole")
		if len(roles) > 0 && !slices.Contains(n.objects, "ClusterRole "+roles[0]) {
			err = fmt.Errorf("there is no such role")
		}
		return err
	case "explain": // a field
		kind, _, _ := strings.Cut(args[0], ".")
		args = []string{kind}
	}
	if verb == "auth" && len(args) > 0 {
		args = args[1:] // the verb that is asked for
	}
	if len(args) == 0 {
		return nil
	}
	kinds, name, _ := strings.Cut(args[0], "/")
	if name == "" && len(args) > 1 {
		name = args[1]
	}
	for kind := range strings.SplitSeq(kinds, ",") {
		if err := n.one(kind, name); err != nil {
			return err
		}
	}
	return n.patched(kinds, flags)
}

// one fails where there is no such resource, or no such object: of these kinds the pages speak of the manager's alone.
func (n there) one(resource, name string) error {
	kind, ok := n.resources[resource]
	object := kind.Kind + " " + name
	switch {
	case !ok:
		return fmt.Errorf("there is no resource %s", resource)
	case slices.Contains([]string{"Deployment", "ServiceAccount"}, kind.Kind) && name != "" && !slices.Contains(n.objects, object):
		return fmt.Errorf("there is no %s", object)
	}
	return nil
}

// times are words in the place of a time, which would be no time.
var times = strings.NewReplacer("UNTIL", "2026-11-22T12:00:00Z")

// patched fails where a patch has a field that the resource has not.
func (n there) patched(resource string, flags *pflag.FlagSet) error {
	patches, err := flags.GetStringArray("patch")
	if err != nil {
		return nil //nolint:nilerr // the command has no such flag
	}
	for _, patch := range patches {
		kinds, err := flags.GetStringArray("type")
		if err != nil {
			return err
		}
		if slices.Contains(kinds, "json") {
			return operates(patch)
		}
		if err := decodes(n.resources[resource], []byte(times.Replace(patch))); err != nil {
			return err
		}
	}
	file, err := flags.GetStringArray("patch-file")
	if err != nil || len(file) == 0 {
		return err
	}
	text, err := os.ReadFile(filepath.Join("..", "..", file[0]))
	if err != nil {
		return err
	}
	return decodes(n.resources[resource], text)
}
