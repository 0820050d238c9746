{{/* What the chart's own PostgreSQL holds: worked out once, for its Secrets and for the script that makes it. */}}

{{/*
JSON: {"roles": [{"secret", "variable"}], "databases": [{"name", "owner"}], "readers": [...]}; owner and readers are
Secrets, whose username is the role and whose password is its password.
*/}}
{{- define "streamFactory.postgresContents" -}}
{{- $roles := list -}}
{{- $databases := list -}}
{{- $owners := dict -}}
{{- $readers := list -}}
{{- range (include "streamFactory.platforms" . | fromJson).platforms -}}
{{- if include "streamFactory.isOwnPostgres" (list $ .host) -}}
{{- if and (ne .namespace $.Release.Namespace) (not (contains "." .host)) -}}
{{- fail (printf "%s: postgres_hostname %s is not found from the namespace %s. Write %s.%s into the model" .where .host .namespace .host $.Release.Namespace) -}}
{{- end -}}
{{- if ne (get $owners .database | default .storeSecret) .storeSecret -}}
{{- fail (printf "%s: postgres_database %s has the secret %s of another platform as its owner. Give both the same one, or each a database" .where .database (get $owners .database)) -}}
{{- end -}}
{{- $_ := set $owners .database .storeSecret -}}
{{- $roles = append $roles .storeSecret -}}
{{- end -}}
{{- $readers = concat $readers .sourceSecrets -}}
{{- end -}}
{{- if and .Values.simulator.enabled (not .Values.simulator.host) -}}
{{- $_ := set $owners .Values.simulator.database .Values.simulator.secret -}}
{{- $roles = concat (append $roles .Values.simulator.secret) $readers -}}
{{- else -}}
{{- $readers = list -}}
{{- end -}}
{{- range $database, $owner := $owners -}}
{{- $databases = append $databases (dict "name" $database "owner" $owner) -}}
{{- end -}}
{{- dict "roles" (uniq $roles) "databases" $databases "readers" (uniq $readers) | toJson -}}
{{- end -}}
