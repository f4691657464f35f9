{{- /* What names begin with. Every object of the chart is called that and "-controller-manager", "-manager-role" and so on. */}}
{{- define "slipway.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 28 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 28 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 28 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "slipway.labels" -}}
app.kubernetes.io/name: slipway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* The namespaces that are watched, as a list in YAML. */}}
{{- define "slipway.namespaces" -}}
{{- if and .Values.rbac.namespaced (not .Values.manager.watchNamespaces) }}
{{- fail "rbac.namespaced is set, and manager.watchNamespaces names no namespace: list those whose Releases Slipway is to look after" }}
{{- end }}
{{- .Values.manager.watchNamespaces | uniq | sortAlpha | toYaml }}
{{- end }}
