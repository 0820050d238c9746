{{/* CA certificates, where a model's tls_ca names them: each below /etc/dagfactory/tls, by the name of its Secret or ConfigMap. */}}

{{/* The Secret of the certificate of the chart's own PostgreSQL, made by the chart or given. */}}
{{- define "streamFactory.postgresTlsSecret" -}}
{{- .Values.postgres.tlsSecret | default (printf "%s-postgres-tls" (include "streamFactory.fullname" .)) -}}
{{- end -}}

{{/* JSON: {"names": [...]}: the CA of the sessions with Airflow's metadata, if there is one. */}}
{{- define "streamFactory.metadataCa" -}}
{{- $own := and .Values.postgres.enabled (not .Values.internalSecret) (hasPrefix "verify-" .Values.airflow.metadata.tls) -}}
{{- $name := .Values.airflow.metadata.tlsCa | default (ternary (printf "%s-postgres-ca" (include "streamFactory.fullname" .)) "" $own) -}}
{{- dict "names" (compact (list $name)) | toJson -}}
{{- end -}}

{{/* The end of a libpq URL of Airflow's metadata: psycopg2 and psycopg both know these words. */}}
{{- define "streamFactory.metadataTls" -}}
{{- $names := (include "streamFactory.metadataCa" . | fromJson).names -}}
?sslmode={{ .Values.airflow.metadata.tls }}
{{- if and $names (hasPrefix "verify-" .Values.airflow.metadata.tls) -}}
&sslrootcert=/etc/dagfactory/tls/{{ first $names }}/ca.crt
{{- end -}}
{{- end -}}

{{/* JSON: {"names": [...]}, those of all platforms, each once. */}}
{{- define "streamFactory.caNames" -}}
{{- $names := list -}}
{{- range (include "streamFactory.platforms" . | fromJson).platforms -}}
{{- $names = concat $names .caNames -}}
{{- end -}}
{{- dict "names" (uniq $names) | toJson -}}
{{- end -}}

{{/* Volumes of a list of names: of a Secret or a ConfigMap, whichever is there, its ca.crt alone. */}}
{{- define "streamFactory.caVolumes" -}}
{{- range $number, $name := . }}
- name: tls-ca-{{ $number }}
  projected:
    sources:
      - secret: {name: {{ $name | quote }}, optional: true, items: [{key: ca.crt, path: ca.crt}]}
      - configMap: {name: {{ $name | quote }}, optional: true, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- end -}}

{{- define "streamFactory.caMounts" -}}
{{- range $number, $name := . }}
- name: tls-ca-{{ $number }}
  mountPath: /etc/dagfactory/tls/{{ $name }}
  readOnly: true
{{- end }}
{{- end -}}
