package chart

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// `helm lint --strict` has nothing to say, with each file of values that chart-testing tools use.
func TestLint(t *testing.T) {
	files, err := filepath.Glob(folder + "/ci/*-values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v (%v)", files, err)
	}
	for _, file := range files {
		out, err := helm("lint", folder, "--strict", "--values", file)
		if err != nil || !strings.Contains(out, "1 chart(s) linted, 0 chart(s) failed") || strings.Contains(out, "[WARNING]") {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// Whoever gets a value wrong is told which, and what it should be.
func TestWrongValues(t *testing.T) {
	for name, row := range map[string]struct {
		args []string
		want []string
	}{
		"no image":                  {[]string{"-n", namespace}, []string{"manager.image.repository is not set", "pushed"}},
		"a slip in a name":          {with("manager.replica=3"), []string{"/manager", "replica"}},
		"a slip in a section":       {with("crds.enabled=false"), []string{"crds"}},
		"a word for a number":       {with("manager.replicas=two"), []string{"/manager/replicas", "got string, want integer"}},
		"a word for a switch":       {with("crd.keep=maybe"), []string{"/crd/keep", "want boolean"}},
		"a tag that is a number":    {append(with(), "--set", "manager.image.tag=15"), []string{"/manager/image/tag", "want string"}},
		"a pull policy of its own":  {with("manager.image.pullPolicy=Sometimes"), []string{"/manager/image/pullPolicy", "'Always'"}},
		"no flag":                   {with("manager.args={debug}"), []string{"/manager/args/0", "pattern"}},
		"no namespace":              {with("rbac.namespaced=true"), []string{"manager.watchNamespaces names no namespace"}},
		"no name of a namespace":    {with("manager.watchNamespaces={Shop}"), []string{"/manager/watchNamespaces/0", "pattern"}},
		"the list where env is":     {with("manager.env[0].name=WATCH_NAMESPACE", "manager.env[0].value=shop"), []string{"/manager/env/0/name"}},
		"the port of the probes":    {with("metrics.port=8081"), []string{"/metrics/port"}},
		"the port of plans":         {with("metrics.port=8082"), []string{"/metrics/port"}},
		"no address of a runbook":   {with("prometheus.runbookURL=https://wiki.example.com/slipway#alerts"), []string{"/prometheus/runbookURL"}},
		"no rule of egress":         {with("networkPolicy.extraEgress[0].port=80"), []string{"/networkPolicy/extraEgress/0", "port"}},
		"a port that needs root":    {with("metrics.port=443"), []string{"/metrics/port", "1,024"}},
		"a resource that is none":   {with("manager.resources.request.cpu=1"), []string{"/manager/resources", "request"}},
		"an annotation of a number": {with("serviceAccount.annotations.a=1"), []string{"/serviceAccount/annotations/a", "want string"}},
		"no image of notices":       {with("notifications.enabled=true"), []string{"notifications.image.repository is not set", "slipway-notifications"}},
		"an entry of no kind":       {with("notifications.config.slack=x"), []string{"/notifications/config", "slack"}},
		"an entry of half a kind":   {with("notifications.config.service=x"), []string{"/notifications/config", "service"}},
		"a service of three words":  {with(`notifications.config.service\.webhook\.a\.b=x`), []string{"/notifications/config", "service.webhook.a.b"}},
		"too old a cluster":         {append(with(), "--kube-version", "1.29.0"), []string{"1.30"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := template(row.args...)
			if err == nil {
				t.Fatalf("it is taken:\n%s", out)
			}
			for _, want := range row.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("lacks %q: %v", want, err)
				}
			}
		})
	}
}

// keys are the paths of all values that are not objects, or are empty ones.
func keys(prefix string, value any) []string {
	fields, ok := value.(object)
	if !ok || len(fields) == 0 {
		return []string{prefix}
	}
	var all []string
	for name, field := range fields {
		all = append(all, keys(prefix+"/"+name, field)...)
	}
	return all
}

// properties are the paths that a schema describes.
func properties(prefix string, schema, definitions object) []string {
	if ref, ok := schema["$ref"].(string); ok {
		schema = definitions[strings.TrimPrefix(ref, "#/definitions/")].(object)
	}
	fields, ok := schema["properties"].(object)
	if !ok || strings.HasSuffix(prefix, "/resources") {
		return []string{prefix}
	}
	var all []string
	for name, field := range fields {
		all = append(all, properties(prefix+"/"+name, field.(object), definitions)...)
	}
	return all
}

// Each value has a default, a schema and a comment somewhere above it.
func TestValuesAreDescribed(t *testing.T) {
	read := func(file string, decode func([]byte, any) error) object {
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		var all object
		if err := decode(text, &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	values := read("values.yaml", func(text []byte, into any) error { return yaml.UnmarshalStrict(text, into) })
	schema := read("values.schema.json", json.Unmarshal)
	described := properties("", schema, schema["definitions"].(object))
	described = slices.DeleteFunc(described, func(path string) bool { return path == "/global" }) // Helm's own
	have := keys("", values)
	whole := []string{"/manager/podSecurityContext", "/manager/securityContext", "/manager/resources", "/notifications/resources"} // as Kubernetes describes them
	for _, path := range whole {
		have = append(slices.DeleteFunc(have, func(p string) bool { return strings.HasPrefix(p, path+"/") }), path)
	}
	slices.Sort(described)
	slices.Sort(have)
	if diff := cmp.Diff(have, described); diff != "" {
		t.Errorf("values (-values.yaml +values.schema.json):\n%s", diff)
	}
}

// What the values do beside turning components on.
func TestValues(t *testing.T) {
	told := []string{"notifications.enabled=true", "notifications.image.repository=notifications"}
	const deployment, account = "Deployment slipway-system/slipway-controller-manager", "ServiceAccount slipway-system/slipway-controller-manager"
	for name, row := range map[string]struct {
		values []string
		object string // empty key: the whole manifest
		has    []string
		lacks  []string
	}{
		"without metrics": {[]string{"metrics.enabled=false", "prometheus.enabled=true", "networkPolicy.enabled=true"}, "",
			[]string{"--metrics-bind-address=0"}, []string{"kind: Service\n", "ServiceMonitor", "metrics-auth", "metrics-reader", "name: https", "metrics: enabled"}},
		"metrics without TLS": {[]string{"metrics.secure=false", "prometheus.enabled=true"}, "",
			[]string{"--metrics-secure=false", "scheme: http\n", "honorLabels: true\n", "metrics-reader"}, []string{"metrics-auth", "scheme: https"}},
		"a runbook of one's own": {[]string{"prometheus.enabled=true", "prometheus.runbookURL=https://git.example.com/slipway/docs/runbook.md"}, "",
			[]string{"runbook_url: 'https://git.example.com/slipway/docs/runbook.md#slipwayunhealthy'"}, []string{"runbook_url: docs/", "'docs/"}},
		"a port that is let out": {[]string{"networkPolicy.enabled=true", "networkPolicy.extraEgress[0].ports[0].port=4318"}, "NetworkPolicy slipway-system/slipway-controller-manager",
			[]string{"port: 4318\n", "port: 443\n"}, nil},
		"another port": {[]string{"metrics.port=9443", "networkPolicy.enabled=true"}, "",
			[]string{"--metrics-bind-address=:9443", "containerPort: 9443", "port: 9443\n"}, []string{"8443"}},
		"a service and a template of one's own": {append(told, `notifications.config.service\.slack=token: $slack-token`, `notifications.config.template\.live=message: "{{.notices.live.title}}!"`),
			"ConfigMap slipway-system/slipway-notifications-cm",
			[]string{"token: $slack-token", "{{.notices.live.title}}!", "template.stalled: |", "{{.notices.stalled.message}}"}, []string{"{{.notices.live.message}}"}},
		"notices through a proxy": {append(told, "notifications.env[0].name=HTTPS_PROXY", "notifications.env[0].value=http://p", "notifications.resources.limits.memory=1Gi", "notifications.config=null"),
			"Deployment slipway-system/slipway-notifications", []string{"name: HTTPS_PROXY", "name: POD_NAMESPACE", "memory: 1Gi"}, []string{"256Mi"}},
		"notices where pods are told where to be": {append(told, "manager.nodeSelector.a=b", "manager.tolerations[0].key=c", "manager.imagePullSecrets[0].name=g", "notifications.image.pullPolicy=Always"),
			"Deployment slipway-system/slipway-notifications", []string{"nodeSelector:\n", "tolerations:\n", "imagePullSecrets:\n", "imagePullPolicy: Always", "runAsNonRoot: true"}, nil},
		"one pod":             {[]string{"manager.replicas=1"}, "", []string{"replicas: 1\n", "--leader-elect"}, []string{"PodDisruptionBudget"}},
		"without definitions": {[]string{"crd.enabled=false"}, "", nil, []string{"CustomResourceDefinition"}},
		"definitions that go": {[]string{"crd.keep=false"}, "", []string{"CustomResourceDefinition"}, []string{"resource-policy"}},
		"without roles":       {[]string{"rbac.helpers.enabled=false"}, "", []string{"slipway-manager-role"}, []string{"release-viewer-role"}},
		"a role by IRSA":      {[]string{`serviceAccount.annotations.eks\.amazonaws\.com/role-arn=arn:x`}, account, []string{"eks.amazonaws.com/role-arn: arn:x"}, nil},
		"an environment":      {[]string{"manager.env[0].name=HTTPS_PROXY", "manager.env[0].value=http://p"}, deployment, []string{"name: HTTPS_PROXY"}, []string{"WATCH_NAMESPACE"}},
		"namespaces with all": {[]string{"manager.watchNamespaces={shop,blog,shop}"}, "", []string{"value: blog,shop"}, []string{"kind: Role\nmetadata:\n  labels:\n    app.kubernetes.io/name: slipway\n  namespace: shop"}},
		"a flag":              {[]string{"manager.args={--cluster-name=prod}"}, deployment, []string{"--cluster-name=prod", "--leader-elect"}, nil},
		"what Kubernetes places": {[]string{"manager.nodeSelector.a=b", "manager.tolerations[0].key=c", "manager.affinity.nodeAffinity.d=e", "manager.priorityClassName=f", "manager.imagePullSecrets[0].name=g", "manager.image.pullPolicy=Always"}, deployment,
			[]string{"nodeSelector:\n", "tolerations:\n", "affinity:\n", "priorityClassName: f", "imagePullSecrets:\n", "imagePullPolicy: Always"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			rendered, err := template(with(row.values...)...)
			if err != nil {
				t.Fatal(err)
			}
			all := decode(t, rendered) // whatever the values, it is YAML
			text := rendered
			if row.object != "" {
				marshalled, err := yaml.Marshal(all[row.object])
				if err != nil {
					t.Fatal(err)
				}
				text = string(marshalled)
			}
			for _, want := range row.has {
				if !strings.Contains(text, want) && !strings.Contains(text, strings.Replace(want, ": ", `: "`, 1)+`"`) {
					t.Errorf("lacks %q", want)
				}
			}
			for _, never := range row.lacks {
				if strings.Contains(text, never) {
					t.Errorf("has %q", never)
				}
			}
		})
	}
}

// Names come from the release's, and the longest of them is one that Kubernetes takes.
func TestNames(t *testing.T) {
	long := strings.Repeat("x", 53)
	for name, row := range map[string]struct {
		release string
		values  []string
		want    string
	}{
		"of the chart's name": {"slipway", nil, "slipway"},
		"with it in it":       {"my-slipway", nil, "my-slipway"},
		"without it":          {"deploys", nil, "deploys-slipway"},
		"another":             {"deploys", []string{"fullnameOverride=ship"}, "ship"},
		"long":                {long, nil, long[:28]},
	} {
		t.Run(name, func(t *testing.T) {
			row.values = append(row.values, "access.enabled=true", "askedBy.enabled=true", "networkPolicy.enabled=true", "prometheus.enabled=true",
				"notifications.enabled=true", "notifications.image.repository=notifications")
			rendered, err := helm(append([]string{"template", row.release, folder, "--kube-version", kubeVersion}, with(row.values...)...)...)
			if err != nil {
				t.Fatal(err)
			}
			for key, o := range decode(t, rendered) {
				name := o["metadata"].(object)["name"].(string)
				if o["kind"] == "CustomResourceDefinition" {
					continue
				}
				for _, arg := range argsOf(o) { // objects that a program is told of by name
					if _, other, is := strings.Cut(arg, "=slipway-"); is && row.want != "slipway" {
						t.Errorf("%s is told of slipway-%s", key, other)
					}
				}
				if !strings.HasPrefix(name, row.want+"-") || len(name) > 63 {
					t.Errorf("%s, of %d characters", key, len(name))
				}
			}
		})
	}
}

// argsOf are the arguments of a Deployment's container.
func argsOf(o object) []string {
	containers, _, _ := unstructured.NestedSlice(o, "spec", "template", "spec", "containers")
	var all []string
	for _, c := range containers {
		args, _, _ := unstructured.NestedStringSlice(c.(object), "args")
		all = append(all, args...)
	}
	return all
}
