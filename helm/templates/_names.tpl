{{/* Names, labels and what every pod has. */}}

{{/* With the longest component behind it, it is still a label's value. */}}
{{- define "streamFactory.fullname" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Where the Airflow is that reads the factory files. */}}
{{- define "streamFactory.airflowNamespace" -}}
{{- if and .Values.airflow.enabled .Values.airflow.namespace (ne .Values.airflow.namespace .Release.Namespace) -}}
{{- fail "airflow.namespace: leave it empty with airflow.enabled, which puts Airflow into the release's namespace" -}}
{{- end -}}
{{- .Values.airflow.namespace | default .Release.Namespace -}}
{{- end -}}

{{/* A list of the context and the component. */}}
{{- define "streamFactory.selector" -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
{{- end -}}

{{- define "streamFactory.labels" -}}
{{ include "streamFactory.selector" . }}
app.kubernetes.io/part-of: stream-factory
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end -}}

{{/*
Restricted Pod Security, for the user that the image has. Without OnRootMismatch each mount would make the files of a
volume writable for the group, and the factory would trust no snapshot.
*/}}
{{- define "streamFactory.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "streamFactory.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "streamFactory.pullSecrets" -}}
{{- with .Values.imagePullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* The Secret of what belongs to the chart itself, made by it or given. */}}
{{- define "streamFactory.internalSecret" -}}
{{- .Values.internalSecret | default (printf "%s-internal" (include "streamFactory.fullname" .)) -}}
{{- end -}}

{{/* The Secret with DAGFACTORY_<PLATFORM>_DSN, made by the chart or given. */}}
{{- define "streamFactory.dsnSecret" -}}
{{- .Values.dsnSecret | default (printf "%s-dsn" (include "streamFactory.fullname" .)) -}}
{{- end -}}

{{- define "streamFactory.snapshotClaim" -}}
{{- .Values.snapshot.existingClaim | default (printf "%s-snapshot" (include "streamFactory.fullname" .)) -}}
{{- end -}}

{{- define "streamFactory.configMap" -}}
{{- printf "%s-platforms" (include "streamFactory.fullname" .) -}}
{{- end -}}

{{/* An environment variable by reference: a list of its name, the Secret and the key. */}}
{{- define "streamFactory.secretVariable" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 | quote }}
      key: {{ index . 2 }}
{{- end -}}
