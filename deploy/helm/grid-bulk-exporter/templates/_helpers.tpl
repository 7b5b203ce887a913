{{- define "grid.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "grid.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := include "grid.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "grid.selector" -}}
app.kubernetes.io/name: {{ include "grid.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "grid.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "grid.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "grid.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "grid.fullname" .) .Values.serviceAccount.name }}{{ else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "grid.secret" -}}
{{- if .Values.credentials.existingSecret }}{{ .Values.credentials.existingSecret }}{{ else }}{{ include "grid.fullname" . }}-credentials{{ end }}
{{- end }}

{{- define "grid.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end }}
{{- end }}

{{/* A StatefulSet where a pod has a number or a folder of its own. */}}
{{- define "grid.isStateful" -}}
{{- if or .Values.persistence.enabled (gt (int .Values.shards) 1) }}true{{ end }}
{{- end }}

{{/* The configuration file: config, the lists of jobFiles, and the webhook. */}}
{{- define "grid.config" -}}
{{- $config := deepCopy .Values.config }}
{{- if .Values.jobFiles }}
{{- $files := append (default (list) $config.job_files) "/etc/grid-bulk-exporter-jobs/*.yml" }}
{{- $_ := set $config "job_files" ($files | uniq) }}
{{- end }}
{{- if .Values.webhook.enabled }}
{{- $keys := list }}
{{- range $name, $_ := .Values.webhook.publicKeys }}
{{- $keys = append $keys (printf "/etc/grid-bulk-exporter-webhook/%s" $name) }}
{{- end }}
{{- $ours := dict "listen_address" (printf ":%d" (int .Values.webhook.port)) "path" .Values.webhook.path "public_key_files" $keys }}
{{- $_ := set $config "webhook" (merge (default (dict) $config.webhook) $ours) }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{/* How a probe asks; the argument's path is asked for by HTTP. */}}
{{- define "grid.probe" -}}
{{- if .root.Values.webConfig.execProbes }}
exec:
  command:
    - /usr/bin/grid-bulk-exporter
    - healthcheck
    - --web.listen-address=:10310
    {{- if .root.Values.webConfig.existingSecret }}
    - --web.config.file=/etc/grid-bulk-exporter-web/web.yml
    {{- end }}
{{- else }}
httpGet: { path: {{ .path }}, port: http, scheme: {{ if .root.Values.webConfig.tls }}HTTPS{{ else }}HTTP{{ end }} }
{{- end }}
{{- end }}

{{/* What values.schema.json can't say. */}}
{{- define "grid.check" -}}
{{- if and (gt (int .Values.shards) 1) (gt (int .Values.replicaCount) 1) }}
{{- fail "shards and replicaCount can't both be above 1: a pair of each shard is two releases, each with shards" }}
{{- end }}
{{- if and (gt (int .Values.shards) 1) (semverCompare "<1.28.0-0" .Capabilities.KubeVersion.Version) }}
{{- fail "shards above 1 needs Kubernetes 1.28 or later, which labels each pod of a StatefulSet with its number" }}
{{- end }}
{{- if and (not .Values.credentials.existingSecret) (not (and .Values.credentials.clientId .Values.credentials.clientSecret)) }}
{{- fail "no credentials: name a Secret in credentials.existingSecret, or give credentials.clientId and credentials.clientSecret" }}
{{- end }}
{{- if and .Values.webhook.enabled (not .Values.webhook.publicKeys) }}
{{- fail "webhook.publicKeys is empty: a webhook is taken by its signature, so give the public key that Grid shows, as {grid.pem: \"-----BEGIN PUBLIC KEY-----…\"}" }}
{{- end }}
{{- if and .Values.webhook.ingress.enabled (not .Values.webhook.enabled) }}
{{- fail "webhook.ingress.enabled without webhook.enabled leads nowhere" }}
{{- end }}
{{- end }}
