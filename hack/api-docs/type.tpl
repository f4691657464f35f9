{{- define "type" -}}
{{- if markdownShouldRenderType . }}
## {{ .Name }}

{{ template "text" .Doc }}
{{ with .SortedReferences }}
Used by {{ range $i, $type := . }}{{ if $i }}, {{ end }}{{ markdownRenderTypeLink $type }}{{ end }}.
{{ end }}
{{- with .Validation }}
Limits: {{ join "; " . }}
{{ end }}
{{- with .Members }}
| field | | default | limits |
| --- | --- | --- | --- |
{{ range . -}}
| `{{ .Name }}`<br />{{ markdownRenderType .Type }} | {{ if eq .Name "metadata" }}as of every object{{ else }}{{ template "text" .Doc }}{{ end }} | {{ with .Default }}`{{ . }}`{{ end }} | {{ range .Validation -}}
{{ if eq . "Required: {}" }}required<br />{{ else if and (ne . "Optional: {}") (not (hasPrefix "Type:" .)) }}{{ . | replace "|" "\\|" }}<br />{{ end }}{{ end }} |
{{ end -}}
{{ end }}
{{- with .EnumValues }}
| value | |
| --- | --- |
{{ range . -}}
| `{{ .Name }}` | {{ template "text" (trim .Doc) }} |
{{ end -}}
{{ end }}
{{- end -}}
{{- end -}}
