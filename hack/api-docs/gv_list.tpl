{{- define "gvList" -}}
<!-- Written by crd-ref-docs from the comments of api/v1alpha1; `make generate` runs it. Do not edit. -->
# API reference

What `kubectl explain release.spec` says, on one page. The rules that one object can be checked against (what may not be
combined, which edits are refused) are in the definitions in [config/crd/bases](../config/crd/bases); their messages say
what to do instead.
{{ range . }}
{{ template "gvDetails" . }}
{{- end }}
{{- end -}}
