{{/* The logins of Airflow's components and of sync in merge stores, beside the owner's. */}}

{{/*
"true" if the chart makes logins: it has a PostgreSQL and a seed for passwords. An installation that stood before keeps
the owner's login until `componentLogins` is `always`: the Secret with its seed has no label of logins.
*/}}
{{- define "streamFactory.makesLogins" -}}
{{- if and .Values.postgres.enabled (not .Values.internalSecret) (not .Values.dsnSecret) -}}
{{- if eq .Values.componentLogins "always" -}}
true
{{- else if eq .Values.componentLogins "new" -}}
{{- $before := lookup "v1" "Secret" .Release.Namespace (include "streamFactory.internalSecret" .) -}}
{{- if or (not $before) (hasKey ($before.metadata.labels | default dict) "stream-factory/logins") -}}true{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* JSON: {"platforms": [...]}, those whose logins the chart makes. */}}
{{- define "streamFactory.platformsWithLogins" -}}
{{- $found := list -}}
{{- if include "streamFactory.makesLogins" . -}}
{{- range (include "streamFactory.platforms" . | fromJson).platforms -}}
{{- if include "streamFactory.isOwnPostgres" (list $ .host) -}}
{{- $found = append $found . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "platforms" $found | toJson -}}
{{- end -}}

{{/* "true" if the chart makes the logins of this platform; a list of the context and the platform. */}}
{{- define "streamFactory.hasLogins" -}}
{{- if include "streamFactory.isOwnPostgres" (list (index . 0) (index . 1).host) -}}
{{- include "streamFactory.makesLogins" (index . 0) -}}
{{- end -}}
{{- end -}}

{{/* The role, as names.component_login() has it: at most 63 bytes, cut between characters. A list of the platform and the duty. */}}
{{- define "streamFactory.login" -}}
{{- $ending := printf "_%s" (index . 1) -}}
{{- $start := printf "%s_%s" (index . 0).database (index . 0).name -}}
{{- if gt (add (len $start) (len $ending)) 63 -}}
{{- $start = printf "%s_%s" (regexReplaceAll "\\x{FFFD}+$" (trunc (sub 52 (len $ending) | int) $start) "") (sha256sum $start | trunc 10) -}}
{{- end -}}
{{- printf "%s%s" $start $ending -}}
{{- end -}}

{{/* Its password; a list of the seed, the platform and the duty. */}}
{{- define "streamFactory.loginPassword" -}}
{{- $platform := index . 1 -}}
{{- include "streamFactory.madeUp" (list (index . 0) "login" $platform.database $platform.name (index . 2)) | trunc 32 -}}
{{- end -}}

{{/* The variable from which `dagfactory bootstrap --roles` takes it; a list of the platform and the duty. */}}
{{- define "streamFactory.loginVariable" -}}
{{- include "streamFactory.variable" (list (printf "dagfactory-%s-%s" (index . 0).name (index . 1)) "password") -}}
{{- end -}}

{{/* A DSN; a list of the platform, the user and the password. */}}
{{- define "streamFactory.dsn" -}}
{{- $platform := index . 0 -}}
{{- printf "postgresql://%s:%s@%s:%d/%s" (include "streamFactory.inUrl" (index . 1)) (include "streamFactory.inUrl" (index . 2)) $platform.host (int $platform.port) (include "streamFactory.inUrl" $platform.database) -}}
{{- end -}}

{{/* The variable with a component's DSN; a list of the platform and the duty. */}}
{{- define "streamFactory.dsnVariable" -}}
{{- if eq (index . 1) "pages" -}}
{{- include "streamFactory.variable" (list "dagfactory-web-dsn" (index . 0).name) -}}
{{- else -}}
{{- include "streamFactory.variable" (list (printf "dagfactory-%s" (index . 0).name) "dsn") -}}
{{- end -}}
{{- end -}}

{{/*
The Secret with the DSNs of one of Airflow's components, given or made; empty for pages that have none. A list of the
context and the duty. Another chart's Airflow has the workers' by the name that the Secret has without logins.
*/}}
{{- define "streamFactory.componentSecret" -}}
{{- $context := index . 0 -}}
{{- $duty := index . 1 -}}
{{- $own := (include "streamFactory.platformsWithLogins" $context | fromJson).platforms -}}
{{- if get $context.Values.dsnSecrets $duty -}}
{{- get $context.Values.dsnSecrets $duty -}}
{{- else if and $own (or $context.Values.airflow.enabled (ne $duty "worker")) -}}
{{- printf "%s-dsn-%s" (include "streamFactory.fullname" $context) $duty -}}
{{- else if ne $duty "pages" -}}
{{- include "streamFactory.dsnSecret" $context -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the DSN of a platform's sync; empty: it has the merge store's own. A list of the context and the platform. */}}
{{- define "streamFactory.syncSecret" -}}
{{- $context := index . 0 -}}
{{- if $context.Values.dsnSecrets.sync -}}
{{- $context.Values.dsnSecrets.sync -}}
{{- else if include "streamFactory.hasLogins" . -}}
{{- include "streamFactory.syncName" . -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the passwords that the logins are made with. */}}
{{- define "streamFactory.loginsSecret" -}}
{{- printf "%s-logins" (include "streamFactory.fullname" .) -}}
{{- end -}}

{{/* The Job that makes a platform's logins; a list of the context and the platform. */}}
{{- define "streamFactory.loginsName" -}}
{{- $name := printf "%s-logins-%s" (include "streamFactory.fullname" (index . 0)) (index . 1).name -}}
{{- if gt (len $name) 52 -}}
{{- $name = printf "%s-%s" (trunc 41 $name | trimSuffix "-") (sha256sum $name | trunc 10) -}}
{{- end -}}
{{- printf "%s-%d" $name (index . 0).Release.Revision -}}
{{- end -}}
