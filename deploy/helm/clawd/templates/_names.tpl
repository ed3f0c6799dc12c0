{{- define "clawd.name" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- end }}
{{- define "clawd.labels" -}}
app.kubernetes.io/name: clawd
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
