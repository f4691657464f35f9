package main

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// base is what is always there.
const base = "default"

// The components that change what config/default has.
const (
	available  = "high-availability"
	namespaced = "namespaced"
	inEach     = "namespaced/role"
)

// parts are the kustomizations that the chart has, with the values that turn them on.
var parts = []part{
	{base, false, guardOfBase},
	{available, true, always},
	{namespaced, true, always},
	{inEach, false, func(object) guard {
		return guard{"{{- if $.Values.rbac.namespaced }}\n{{- range $namespace := include \"slipway.namespaces\" $ | fromYamlArray }}\n---\n",
			"{{- end }}\n{{- end }}\n"}
	}},
	{"network-policy", true, on("$.Values.networkPolicy.enabled")},
	{"prometheus", true, on("and $.Values.prometheus.enabled $.Values.metrics.enabled")},
	{"access", true, on("$.Values.access.enabled")},
	{"asked-by", true, on("$.Values.askedBy.enabled")},
	{notifications, true, on("$.Values.notifications.enabled")},
}

func on(condition string) func(object) guard { return func(object) guard { return when(condition) } }

func always(object) guard { return guard{} }

// guardOfBase: parts of config/default can be left out, and Helm makes the namespace.
func guardOfBase(o object) guard {
	name := strings.TrimPrefix(o.name(), prefix)
	switch {
	case o.kind() == "Namespace":
		return skipped
	case o.kind() == "CustomResourceDefinition":
		return when("$.Values.crd.enabled")
	case o.kind() == "PodDisruptionBudget":
		return when("or $.Values.highAvailability.enabled (gt (int $.Values.manager.replicas) 1)")
	case strings.HasPrefix(name, "release"):
		return when("$.Values.rbac.helpers.enabled")
	case strings.HasPrefix(name, "metrics-auth"):
		return when("and $.Values.metrics.enabled $.Values.metrics.secure")
	case strings.Contains(name, "metrics"):
		return when("$.Values.metrics.enabled")
	}
	return guard{}
}

// cut is a field that the chart has its own words for. $THIS in them is what config/default has there, $RAW the same where Helm does
// not look for templates in it, $OTHER what it has with the component.
type cut struct {
	kind, name string
	path       []string
	text       string
	component  string
}

const (
	deployment    = "Deployment"
	manager       = "controller-manager"
	notifications = "notifications"

	metadata = "metadata"
	spec     = "spec"
)

// pod, container: paths below the Deployment's.
func pod(path ...string) []string { return append([]string{spec, "template", spec}, path...) }

func container(path ...string) []string { return append(pod("containers"), path...) }

// value is a field that is a value of the chart as it stands; optional: it is left out where the value is empty.
func value(key, from string) string {
	return key + ":\n  {{- toYaml $.Values." + from + " | nindent $2 }}"
}

func optional(key, from string) string {
	return "{{- with $.Values." + from + " }}\n" + key + ":\n  {{- toYaml . | nindent $2 }}\n{{- end }}"
}

// either is what config/default has, and with a component something else.
func either(key, condition string) string {
	return key + ":\n{{- if " + condition + " }}\n$OTHER\n{{- else }}\n$THIS\n{{- end }}"
}

const keep = `annotations:
  {{- if $.Values.crd.keep }}
  helm.sh/resource-policy: keep
  {{- end }}
$THIS`

// imageOf is the image of a part of the values, which has to be named.
func imageOf(part, what string) string {
	return strings.NewReplacer("PART", part, "WHAT", what).Replace(
		`image: {{ required "PART.image.repository is not set: name the repository that you pushed WHAT to" ` +
			`$.Values.PART.image.repository }}:{{ $.Values.PART.image.tag | default $.Chart.AppVersion }}
{{- with $.Values.PART.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}`)
}

// messages are the entries of config/, and those of the values in their place and beside them.
const messages = "data:\n  {{- toYaml (merge (deepCopy (default dict $.Values.notifications.config)) (`\n$RAW\n` | fromYaml)) | nindent $2 }}"

const args = `args:
  - --leader-elect
  - --metrics-bind-address={{ $.Values.metrics.enabled | ternary (printf ":%v" $.Values.metrics.port) "0" }}
  {{- if and $.Values.metrics.enabled (not $.Values.metrics.secure) }}
  - --metrics-secure=false
  {{- end }}
  - --health-probe-bind-address=:8081
  {{- if $.Values.askedBy.enabled }}
  - --trust-asked-by
  {{- end }}
  {{- range $.Values.manager.args }}
  - {{ . | quote }}
  {{- end }}
{{- $namespaces := include "slipway.namespaces" $ | fromYamlArray }}
{{- if or $namespaces $.Values.manager.env }}
env:
  {{- with $namespaces }}
  - name: WATCH_NAMESPACE
    value: {{ join "," . | quote }}
  {{- end }}
  {{- with $.Values.manager.env }}
  {{- toYaml . | nindent $2 }}
  {{- end }}
{{- end }}`

const ports = `ports:
  {{- if $.Values.metrics.enabled }}
  - containerPort: {{ $.Values.metrics.port }}
    name: https
    protocol: TCP
  {{- end }}
  - containerPort: 8081
    name: probes
    protocol: TCP`

// cuts are all differences between the chart's templates and config/.
var cuts = []cut{
	{kind: "CustomResourceDefinition", name: "releases.slipway.dev", path: []string{metadata, "annotations"}, text: keep},
	{kind: "CustomResourceDefinition", name: "releaseclasses.slipway.dev", path: []string{metadata, "annotations"}, text: keep},

	{kind: "ServiceAccount", name: manager, path: []string{metadata, "annotations"}, text: optional("annotations", "serviceAccount.annotations")},
	{kind: "ClusterRole", name: "manager-role", path: []string{"rules"}, text: either("rules", "$.Values.rbac.namespaced"), component: namespaced},
	{kind: "Role", name: "manager-role", path: []string{metadata, "namespace"}, text: "namespace: {{ $namespace }}"},
	{kind: "RoleBinding", name: "manager-rolebinding", path: []string{metadata, "namespace"}, text: "namespace: {{ $namespace }}"},

	{kind: deployment, name: manager, path: []string{spec, "replicas"}, component: available,
		text: "replicas: {{ $.Values.highAvailability.enabled | ternary $OTHER (int $.Values.manager.replicas) }}"},
	{kind: deployment, name: manager, path: pod("topologySpreadConstraints"), component: available,
		text: either("topologySpreadConstraints", "$.Values.highAvailability.enabled")},
	{kind: deployment, name: manager, path: pod("securityContext"), text: value("securityContext", "manager.podSecurityContext")},
	{kind: deployment, name: manager, path: pod("imagePullSecrets"), text: optional("imagePullSecrets", "manager.imagePullSecrets")},
	{kind: deployment, name: manager, path: pod("nodeSelector"), text: optional("nodeSelector", "manager.nodeSelector")},
	{kind: deployment, name: manager, path: pod("tolerations"), text: optional("tolerations", "manager.tolerations")},
	{kind: deployment, name: manager, path: pod("affinity"), text: optional("affinity", "manager.affinity")},
	{kind: deployment, name: manager, path: pod("priorityClassName"),
		text: "{{- with $.Values.manager.priorityClassName }}\npriorityClassName: {{ . }}\n{{- end }}"},
	{kind: deployment, name: manager, path: container("image"), text: imageOf("manager", "Slipway's image")},
	{kind: deployment, name: manager, path: container("args"), text: args},
	{kind: deployment, name: manager, path: container("ports"), text: ports},
	{kind: deployment, name: manager, path: container("securityContext"), text: value("securityContext", "manager.securityContext")},
	{kind: deployment, name: manager, path: container("resources"), text: value("resources", "manager.resources")},

	{kind: "ConfigMap", name: "notifications-cm", path: []string{"data"}, text: messages},
	{kind: deployment, name: notifications, path: pod("securityContext"), text: value("securityContext", "manager.podSecurityContext")},
	{kind: deployment, name: notifications, path: pod("imagePullSecrets"), text: optional("imagePullSecrets", "manager.imagePullSecrets")},
	{kind: deployment, name: notifications, path: pod("nodeSelector"), text: optional("nodeSelector", "manager.nodeSelector")},
	{kind: deployment, name: notifications, path: pod("tolerations"), text: optional("tolerations", "manager.tolerations")},
	{kind: deployment, name: notifications, path: container("image"), text: imageOf(notifications, "the image of slipway-notifications")},
	{kind: deployment, name: notifications, path: container("args"), text: `args:
  - --config-map={{ include "slipway.fullname" $ }}-notifications-cm
  - --secret={{ include "slipway.fullname" $ }}-notifications-secret`},
	{kind: deployment, name: notifications, path: container("env"), text: `env:
$THIS
  {{- with $.Values.notifications.env }}
  {{- toYaml . | nindent $2 }}
  {{- end }}`},
	{kind: deployment, name: notifications, path: container("resources"), text: value("resources", "notifications.resources")},
	{kind: deployment, name: notifications, path: container("securityContext"), text: value("securityContext", "manager.securityContext")},

	{kind: "Service", name: "controller-manager-metrics-service", path: []string{spec, "ports", "port"}, text: "port: {{ $.Values.metrics.port }}"},
	{kind: "NetworkPolicy", name: manager, path: []string{spec, "ingress"}, text: `{{- if $.Values.metrics.enabled }}
ingress:
  - from:
      - namespaceSelector:
          matchLabels:
            metrics: enabled
    ports:
      - port: {{ $.Values.metrics.port }}
        protocol: TCP
{{- end }}`},
	{kind: "NetworkPolicy", name: manager, path: []string{spec, "egress"}, text: `egress:
$THIS
  {{- with $.Values.networkPolicy.extraEgress }}
  {{- toYaml . | nindent $2 }}
  {{- end }}`},
	{kind: "ServiceMonitor", name: "controller-manager-metrics-monitor", path: []string{spec, "endpoints"}, text: `endpoints:
  {{- if $.Values.metrics.secure }}
$THIS
  {{- else }}
  - honorLabels: true
    path: /metrics
    port: https
    scheme: http
  {{- end }}`},
}

// words are the cut's for an object.
func (c cut) words(o object, builds map[string][]object) (string, error) {
	this, err := c.yamlOf(o)
	if err != nil || c.component == "" {
		return strings.NewReplacer("$THIS", this, "$RAW", strings.ReplaceAll(this, brace, "{{")).Replace(c.text), err
	}
	for _, other := range builds[c.component] {
		if other.kind() == c.kind && other.name() == prefix+c.name {
			changed, err := c.yamlOf(other)
			if changed == this {
				return "", fmt.Errorf("%s does not change %v", c.component, c.path)
			}
			return strings.NewReplacer("$THIS", this, "$OTHER", changed).Replace(c.text), err
		}
	}
	return "", fmt.Errorf("%s has no %s %s", c.component, c.kind, c.name)
}

// yamlOf is what an object has there: indented by two, unless it is a number.
func (c cut) yamlOf(o object) (string, error) {
	found := get(map[string]any(o), c.path)
	if found == nil {
		return "", nil
	}
	text, err := yaml.Marshal(found)
	trimmed := strings.TrimSuffix(string(text), "\n")
	switch found.(type) {
	case map[string]any, []any:
		return "  " + strings.ReplaceAll(trimmed, "\n", "\n  "), err
	}
	return trimmed, err
}
