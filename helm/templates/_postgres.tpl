{{/* What the chart's own PostgreSQL holds: worked out once, for its Secrets and for the script that makes it. */}}

{{/*
JSON: {"roles": [...], "databases": [{"name", "owner"}], "readers": [...], "keepers": [...], "wrapped": [{"name", "owner"}],
"storeReaders": [{"name", "owner", "reader"}], "makers": [...]}. Roles are Secrets, whose username is the role and whose password is its
password. Readers read the simulator's tables, keepers make consumers' roles; a database that is wrapped is one of
consumers apart from the merge store, which storeReaders read for it. Makers are owners that make logins of components,
and are no keepers.
*/}}
{{- define "streamFactory.postgresContents" -}}
{{- $roles := list -}}
{{- $databases := list -}}
{{- $owners := dict -}}
{{- $readers := list -}}
{{- $keepers := list -}}
{{- $wrapped := dict -}}
{{- $storeReaders := list -}}
{{- $makers := list -}}
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
{{- if include "streamFactory.makesLogins" $ -}}
{{- $makers = append $makers .storeSecret -}}
{{- end -}}
{{- if or (not .consumerHost) (and (eq .consumerHost .host) (eq .consumerDatabase .database)) -}}
{{- $keepers = append $keepers .storeSecret -}}
{{- else if .readerSecret -}}
{{- $roles = append $roles .readerSecret -}}
{{- $storeReaders = append $storeReaders (dict "name" .database "owner" .storeSecret "reader" .readerSecret) -}}
{{- end -}}
{{- end -}}
{{- if include "streamFactory.isOwnPostgres" (list $ .consumerHost) -}}
{{- if ne (get $owners .consumerDatabase | default .consumerSecret) .consumerSecret -}}
{{- fail (printf "%s: consumer_db_database %s has the secret %s as its owner. Give it that one, or another database" .where .consumerDatabase (get $owners .consumerDatabase)) -}}
{{- end -}}
{{- $_ := set $owners .consumerDatabase .consumerSecret -}}
{{- $roles = append $roles .consumerSecret -}}
{{- $keepers = append $keepers .consumerSecret -}}
{{- if or (ne .consumerHost .host) (ne .consumerDatabase .database) -}}
{{- $_ := set $wrapped .consumerDatabase .consumerSecret -}}
{{- end -}}
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
{{- $wrappers := list -}}
{{- range $database, $owner := $wrapped -}}
{{- $wrappers = append $wrappers (dict "name" $database "owner" $owner) -}}
{{- end -}}
{{- range $keepers -}}
{{- $makers = without $makers . -}}
{{- end -}}
{{- dict "makers" (uniq $makers) "roles" (uniq $roles) "databases" $databases "readers" (uniq $readers) "keepers" (uniq $keepers) "wrapped" $wrappers "storeReaders" (uniq $storeReaders) | toJson -}}
{{- end -}}
