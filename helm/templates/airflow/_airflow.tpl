{{/* What the components of the chart's own Airflow share. */}}

{{- define "streamFactory.airflowHome" -}}/opt/airflow{{- end -}}

{{- define "streamFactory.executionApi" -}}
{{- get .Values.airflow.environment "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"
      | default (printf "http://%s-api-server:8080/execution/" (include "streamFactory.fullname" .)) -}}
{{- end -}}

{{/*
Airflow's supervisor of a task may see the end of its process only at the next heartbeat; the worker is taken until then.
*/}}
{{- define "streamFactory.airflowEnvironment" -}}
{{- $settings := dict
      "AIRFLOW_HOME" (include "streamFactory.airflowHome" .)
      "AIRFLOW__CORE__EXECUTOR" "LocalExecutor"
      "AIRFLOW__CORE__PARALLELISM" "8"
      "AIRFLOW__CORE__LOAD_EXAMPLES" "False"
      "AIRFLOW__CORE__DAGS_FOLDER" (printf "%s/platforms" (include "streamFactory.airflowHome" .))
      "AIRFLOW__CORE__HOSTNAME_CALLABLE" "airflow.utils.net.get_host_ip_address"
      "AIRFLOW__CORE__EXECUTION_API_SERVER_URL" (include "streamFactory.executionApi" .)
      "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS" "admin:admin"
      "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE" (printf "%s/passwords.json" (include "streamFactory.airflowHome" .))
      "AIRFLOW__API__WORKERS" "1"
      "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL" "1"
      "AIRFLOW_CONN_KUBERNETES_DEFAULT" (dict "conn_type" "kubernetes" "extra" (dict "in_cluster" true) | toJson)
      "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK" "True"
      "DAGFACTORY_SETTINGS_DIR" (printf "%s/platforms" (include "streamFactory.airflowHome" .)) -}}
{{- $streams := list -}}
{{- range .Values.platforms -}}
{{- if .bundle -}}
{{- $streams = append $streams (fromJson .settings).original_platform_name -}}
{{- end -}}
{{- end -}}
{{- if $streams -}}
{{- $bundles := list
      (dict "name" "dags-folder" "classpath" "airflow.dag_processing.bundles.local.LocalDagBundle" "kwargs" dict)
      (dict "name" "streams" "classpath" "airflow_plugin.factory.bundle.StreamBundle" "kwargs" (dict "platforms" $streams)) -}}
{{- $settings = merge $settings (dict
      "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST" ($bundles | toJson)
      "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL" "3600"
      "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL" "1") -}}
{{- end -}}
{{- range $name, $value := merge (dict) .Values.airflow.environment $settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- $internal := include "streamFactory.internalSecret" . }}
{{ include "streamFactory.secretVariable" (list "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" $internal "sql-alchemy-conn") }}
- name: AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC
  valueFrom:
    secretKeyRef:
      name: {{ $internal | quote }}
      key: sql-alchemy-conn-async
      optional: true
{{ include "streamFactory.secretVariable" (list "AIRFLOW__CORE__FERNET_KEY" $internal "fernet-key") }}
{{ include "streamFactory.secretVariable" (list "AIRFLOW__API__SECRET_KEY" $internal "secret-key") }}
{{ include "streamFactory.secretVariable" (list "AIRFLOW__API_AUTH__JWT_SECRET" $internal "jwt-secret") }}
{{- end -}}

{{/*
The Airflow connections that the platforms' notifiers name, with the token of the secret that the rows name. If a
secret is missing, nobody is notified; Airflow starts nevertheless.
*/}}
{{- define "streamFactory.notifierEnvironment" -}}
{{- $connections := dict -}}
{{- range (include "streamFactory.platforms" . | fromJson).platforms -}}
{{- range $secret, $notifier := .notifiers -}}
{{- $_ := set $connections $notifier.connection (dict "secret" $secret "kind" (ternary "slack" "slackwebhook" (hasKey $notifier "channel"))) -}}
{{- end -}}
{{- end -}}
{{- range $connection, $from := $connections }}
{{- $variable := include "streamFactory.variable" (list $from.secret "token") }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ $from.secret | quote }}
      key: token
      optional: true
- name: AIRFLOW_CONN_{{ upper $connection }}
  value: {{ dict "conn_type" $from.kind "password" (printf "$(%s)" $variable) | toJson | quote }}
{{- end }}
{{- end -}}

{{/* Image, resources and rights of a container: a list of the context and its resources. */}}
{{- define "streamFactory.airflowContainer" -}}
{{- $context := index . 0 -}}
image: {{ $context.Values.airflow.image | quote }}
{{- with $context.Values.imagePullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
resources:
  {{- toYaml (index . 1) | nindent 2 }}
{{ include "streamFactory.containerSecurity" $context }}
{{- end -}}

{{/* The image's user is 50000, of root's group, to which the image's own files belong. */}}
{{- define "streamFactory.airflowPod" -}}
enableServiceLinks: false
{{ include "streamFactory.podSecurity" 50000 | replace "runAsGroup: 50000" "runAsGroup: 0" }}
{{- with include "streamFactory.pullSecrets" . }}
{{ . }}
{{- end }}
{{- end -}}
