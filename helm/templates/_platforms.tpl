{{/* What the chart reads of each platform's settings file; everything else in it is for the plugin alone. */}}

{{/* JSON: {"platforms": [...]}, checked. Each template that needs it asks with `include ... | fromJson`. */}}
{{- define "streamFactory.platforms" -}}
{{- $platforms := list -}}
{{- range $name, $given := .Values.platforms -}}
{{- $where := printf "platforms.%s.settings" $name -}}
{{- $settings := fromJson $given.settings -}}
{{- if hasKey $settings "Error" -}}
{{- fail (printf "%s: it is not JSON. Give the text of a settings file that dagfactory bootstrap has written" $where) -}}
{{- end -}}
{{- range $key := list "original_platform_name" "platform_name" "namespace_name" "datasurface_docker_image" "git_repo_url" "postgres_hostname" "postgres_database" "postgres_credential_secret_name" -}}
{{- if not (and (kindIs "string" (get $settings $key)) (get $settings $key)) -}}
{{- fail (printf "%s: it lacks %s. Write the file again with dagfactory bootstrap" $where $key) -}}
{{- end -}}
{{- end -}}
{{- if ne $settings.platform_name $name -}}
{{- fail (printf "%s: it is the file of %s. Give it under platforms.%s" $where $settings.platform_name $settings.platform_name) -}}
{{- end -}}
{{- $allowed := $settings.allowed | default dict -}}
{{- $store := printf "%s:%d" $settings.postgres_hostname ($settings.postgres_port | default 5432 | int) -}}
{{- $stores := list $store -}}
{{- range $allowed.merge_stores -}}
{{- $stores = append $stores (regexReplaceAll "/.*$" . "") -}}
{{- end -}}
{{- $consumers := list -}}
{{- with $settings.consumer_db_hostname -}}
{{- range $key := list "consumer_db_database" "consumer_db_credential_secret_name" -}}
{{- if not (get $settings $key) -}}
{{- fail (printf "%s: it has consumer_db_hostname and lacks %s. Write the file again with dagfactory bootstrap" $where $key) -}}
{{- end -}}
{{- end -}}
{{- $consumers = list (printf "%s:%d" . ($settings.consumer_db_port | default 5432 | int)) -}}
{{- end -}}
{{- $platform := dict
      "where" $where
      "original" $settings.original_platform_name
      "name" $settings.platform_name
      "namespace" $settings.namespace_name
      "image" $settings.datasurface_docker_image
      "serviceAccount" ($settings.service_account | default "merge-job")
      "storeSecret" $settings.postgres_credential_secret_name
      "gitSecret" ($settings.git_credential_secret_name | default "git")
      "slackSecret" ($settings.slack_credential_secret_name | default "")
      "notifiers" ($settings.notifiers | default dict)
      "sourceSecrets" ($settings.source_credential_secret_names | default list)
      "environment" ($settings.environment | default "")
      "modelIsCode" ($settings.model_is_code | default false)
      "gitUrl" $settings.git_repo_url
      "gitBranch" ($settings.git_repo_branch | default "main")
      "host" $settings.postgres_hostname
      "port" ($settings.postgres_port | default 5432 | int)
      "database" $settings.postgres_database
      "stores" $stores
      "leastTls" ($settings.least_tls | default "")
      "connectWait" (hasKey $settings "connect_wait" | ternary (toString $settings.connect_wait) "")
      "caNames" ($settings.tls_ca_names | default list)
      "consumers" $consumers
      "consumerHost" ($settings.consumer_db_hostname | default "")
      "consumerDatabase" ($settings.consumer_db_database | default "")
      "consumerSecret" ($settings.consumer_db_credential_secret_name | default "")
      "readerSecret" ($settings.consumer_reader_secret_name | default "")
      "consumerSecrets" (compact (list ($settings.consumer_db_credential_secret_name | default "") ($settings.consumer_reader_secret_name | default "")))
      "sources" (concat ($settings.source_hosts | default list) ($allowed.source_hosts | default list))
      "gitUrls" (concat (list $settings.git_repo_url) ($allowed.git_repo_url | default list)) -}}
{{- $platforms = append $platforms $platform -}}
{{- end -}}
{{- dict "platforms" $platforms | toJson -}}
{{- end -}}

{{/* JSON: {"namespaces": [...]}, those of the platforms, each once. */}}
{{- define "streamFactory.namespaces" -}}
{{- $namespaces := list -}}
{{- range (include "streamFactory.platforms" . | fromJson).platforms -}}
{{- $namespaces = append $namespaces .namespace -}}
{{- end -}}
{{- dict "namespaces" (uniq $namespaces) | toJson -}}
{{- end -}}

{{/* The variable of a secret's key, as names.secret_variable() has it: (customer-db, password) -> CUSTOMER_DB_PASSWORD. */}}
{{- define "streamFactory.variable" -}}
{{- regexReplaceAll "[^A-Z0-9]+" (printf "%s_%s" (index . 0) (index . 1) | upper) "_" -}}
{{- end -}}

{{/* The variable with a platform's git token, which may be missing. */}}
{{- define "streamFactory.gitToken" -}}
- name: {{ include "streamFactory.variable" (list .gitSecret "token") | quote }}
  valueFrom:
    secretKeyRef:
      name: {{ .gitSecret | quote }}
      key: token
      optional: true
{{- end -}}

{{/* A platform's CronJob: at most 52 characters; a list of the context and the platform. */}}
{{- define "streamFactory.syncName" -}}
{{- $name := printf "%s-sync-%s" (include "streamFactory.fullname" (index . 0)) (index . 1).name -}}
{{- if gt (len $name) 52 -}}
{{- $name = printf "%s-%s" (trunc 41 $name | trimSuffix "-") (sha256sum $name | trunc 10) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* "true" for a host that is the chart's own PostgreSQL; a list of the context and the host. */}}
{{- define "streamFactory.isOwnPostgres" -}}
{{- $context := index . 0 -}}
{{- $service := printf "%s-postgres" (include "streamFactory.fullname" $context) -}}
{{- $namespace := $context.Release.Namespace -}}
{{- $names := list $service (printf "%s.%s" $service $namespace) (printf "%s.%s.svc" $service $namespace) (printf "%s.%s.svc.cluster.local" $service $namespace) -}}
{{- if and $context.Values.postgres.enabled (has (index . 1) $names) -}}true{{- end -}}
{{- end -}}
