{{- define "text" -}}
{{- /* Lines that go on are joined; < and * of comments are no markup. */ -}}
{{- regexReplaceAll "([^\\n.])\\n([^\\n])" . "${1} ${2}" | replace "<" "&lt;" | replace "*" "\\*" | markdownRenderFieldDoc -}}
{{- end -}}
