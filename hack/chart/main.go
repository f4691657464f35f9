// Command chart writes the templates of charts/slipway from config/, so that both install the same: what `kustomize build config/default`
// has, and what its components change, with the places cut out where the chart has a value. `make manifests` runs it.
//
//	go run ./hack/chart [-config config] charts/slipway/templates
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func main() {
	config := flag.String("config", "config", "Folder with the kustomizations.")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: chart [-config FOLDER] TEMPLATES")
		os.Exit(2)
	}
	if err := write(*config, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

// write writes all templates, and removes those that nothing makes any more.
func write(config, folder string) error {
	files, err := templates(config)
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(folder, "*", "*.yaml"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// object is one of a manifest.
type object map[string]any

func (o object) kind() string { return o["kind"].(string) }

func (o object) name() string { return o[metadata].(map[string]any)["name"].(string) }

// templates are the files of the chart, by path.
func templates(config string) (map[string]string, error) {
	builds := map[string][]object{}
	for _, part := range parts {
		var err error
		if builds[part.folder], err = part.build(config); err != nil {
			return nil, fmt.Errorf("%s: %w", part.folder, err)
		}
	}
	files, used := map[string]string{}, make([]bool, len(cuts))
	for _, part := range parts {
		for _, o := range builds[part.folder] {
			guard := part.guardOf(o)
			if guard == skipped || part.changes && slices.ContainsFunc(builds[base], o.same) {
				continue
			}
			text, err := template(o, builds, used)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", o.kind(), o.name(), err)
			}
			file := strings.ToLower(o.kind()) + "-" + strings.TrimPrefix(o.name(), prefix) + ".yaml"
			files[filepath.Join(filepath.Base(part.folder), file)] = guard.around(text)
		}
	}
	for i, cut := range cuts {
		if !used[i] {
			return nil, fmt.Errorf("%s %s has nothing at %v any more: mend hack/chart", cut.kind, cut.name, cut.path)
		}
	}
	return files, nil
}

// same reports whether another object is of the same kind and name.
func (o object) same(other object) bool { return o.kind() == other.kind() && o.name() == other.name() }

// part is a kustomization, and when the chart has it.
type part struct {
	folder  string // below config
	changes bool   // it is a component: what config/default has already is not written again
	guardOf func(object) guard
}

// build gives the objects of the part; those of a component with all of config/default.
func (p part) build(config string) ([]object, error) {
	folder := filepath.Join(config, p.folder)
	disk := filesys.MakeFsOnDisk()
	if p.changes {
		root, err := os.MkdirTemp("", "slipway-chart-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(root) //nolint:errcheck // it is in the temporary folder
		if err := os.CopyFS(root, os.DirFS(config)); err != nil {
			return nil, err
		}
		folder = filepath.Join(root, base)
		file := filepath.Join(folder, "kustomization.yaml")
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, append(text, "\ncomponents: [../"+p.folder+"]\n"...), 0o600); err != nil {
			return nil, err
		}
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, folder)
	if err != nil {
		return nil, err
	}
	return decode(built)
}

func decode(built resmap.ResMap) ([]object, error) {
	var all []object
	for _, r := range built.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			return nil, err
		}
		o := object{}
		if err := yaml.Unmarshal(text, &o); err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// guard is what stands around a template.
type guard struct{ before, after string }

// skipped is for what the chart does not have.
var skipped = guard{"skipped", ""}

// when has the object where a condition on the values holds.
func when(condition string) guard { return guard{"{{- if " + condition + " }}\n", "{{- end }}\n"} }

const made = "{{- /* Made from config/ by hack/chart: `make manifests`. */}}\n"

func (g guard) around(text string) string { return made + g.before + text + g.after }

// prefix is what config/default puts before names; the chart puts its own there.
const prefix = "slipway-"

// template is an object with what the chart changes in it.
func template(o object, builds map[string][]object, used []bool) (string, error) {
	o = renamed(map[string]any(o)).(map[string]any)
	place(o)
	texts := []string{labels(o)}
	if err := set(map[string]any(o), []string{metadata, "labels"}, "CUT-0"); err != nil {
		return "", err
	}
	for i, cut := range cuts {
		if cut.kind != o.kind() || fullname+cut.name != o.name() && cut.name != o.name() {
			continue
		}
		text, err := cut.words(o, builds)
		if err != nil {
			return "", err
		}
		if err := set(map[string]any(o), cut.path, fmt.Sprintf("CUT-%d", len(texts))); err != nil {
			return "", err
		}
		texts, used[i] = append(texts, text), true
	}
	text, err := yaml.Marshal(o)
	return cutOut(string(text), texts), err
}

// fullname is what the chart's names begin with.
const fullname = `{{ include "slipway.fullname" $ }}-`

// place puts the object where the chart is installed.
func place(o object) {
	described := o[metadata].(map[string]any)
	switch _, placed := described["namespace"]; {
	case placed && strings.Contains(o.kind(), "AdmissionPolicy"):
		delete(described, "namespace") // kustomize does not know that it is in none
	case placed:
		described["namespace"] = "{{ $.Release.Namespace }}"
	}
}

// labels are the object's own beside those of the chart.
func labels(o object) string {
	lines := []string{"labels:"}
	own, _ := get(map[string]any(o), []string{metadata, "labels"}).(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(own)) {
		if !strings.HasPrefix(key, "app.kubernetes.io/") {
			lines = append(lines, fmt.Sprintf("  %s: %q", key, own[key]))
		}
	}
	return strings.Join(lines, "\n") + "\n  {{- include \"slipway.labels\" $ | nindent $2 }}"
}

// renamed puts the chart's names and its namespace where config/default has its own, and keeps what looks like a template as it is.
func renamed(value any) any {
	switch value := value.(type) {
	case map[string]any:
		all := map[string]any{}
		for key, v := range value {
			all[key] = renamed(v)
		}
		return all
	case []any:
		all := make([]any, len(value))
		for i, v := range value {
			all[i] = renamed(v)
		}
		return all
	case string:
		switch {
		case value == "slipway-system":
			return "{{ $.Release.Namespace }}"
		case strings.HasPrefix(value, runbook):
			return "{{ $.Values.prometheus.runbookURL }}#" + strings.TrimPrefix(value, runbook)
		case ownName.MatchString(value):
			return fullname + strings.TrimPrefix(value, prefix)
		}
		return strings.ReplaceAll(value, "{{", brace)
	}
	return value
}

// brace is what Helm makes "{{" of.
const brace = `{{ "{{" }}`

// runbook begins the links of alerts; the chart has a value for it.
const runbook = "docs/runbook.md#"

var ownName = regexp.MustCompile(`^slipway-[a-z-]+$`)

// set puts a value where the path leads; lists are taken to have one item. The last name need not be there.
func set(o any, path []string, value any) error {
	switch at := o.(type) {
	case map[string]any:
		if len(path) == 1 {
			at[path[0]] = value
			return nil
		}
		return set(at[path[0]], path[1:], value)
	case []any:
		if len(at) == 1 {
			return set(at[0], path, value)
		}
	}
	return fmt.Errorf("nothing at %v", path)
}

// get is what is where the path leads; nil: nothing.
func get(o any, path []string) any {
	switch at := o.(type) {
	case map[string]any:
		if len(path) == 0 {
			return at
		}
		return get(at[path[0]], path[1:])
	case []any:
		if len(path) > 0 && len(at) == 1 {
			return get(at[0], path)
		}
	}
	if len(path) > 0 {
		return nil
	}
	return o
}

var marker = regexp.MustCompile(`(?m)^( *)(- )?\S+: CUT-(\d+)$`)

// cutOut puts the texts where their marks are, as far to the right as the marks. $2 in a text is that distance and two more.
func cutOut(text string, texts []string) string {
	return marker.ReplaceAllStringFunc(text, func(line string) string {
		match := marker.FindStringSubmatch(line)
		var i int
		_, _ = fmt.Sscan(match[3], &i) // digits, by the expression
		indent := match[1] + strings.Repeat(" ", len(match[2]))
		inside := strings.NewReplacer("$0", fmt.Sprint(len(indent)), "$2", fmt.Sprint(len(indent)+2)).Replace(strings.TrimSuffix(texts[i], "\n"))
		moved := indent + strings.ReplaceAll(inside, "\n", "\n"+indent)
		if match[2] != "" {
			moved = match[1] + match[2] + strings.TrimPrefix(moved, indent)
		}
		return strings.ReplaceAll(moved, "\n"+indent+"\n", "\n\n")
	})
}
