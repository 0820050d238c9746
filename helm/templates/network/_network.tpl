{{/* Rules of network policies. They know addresses and ports, no names: what is outside goes by port, to the CIDRs given. */}}

{{- define "streamFactory.toNames" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
    # Where nodes have a cache of their own for names.
    - ipBlock:
        cidr: 169.254.20.10/32
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}

{{/* To addresses outside: a list of the CIDRs and the ports. */}}
{{- define "streamFactory.toOutside" -}}
- to:
    {{- range index . 0 }}
    - ipBlock:
        cidr: {{ . }}
    {{- end }}
  ports:
    {{- range index . 1 }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end -}}

{{/* To components of the release, or from them: a list of the context, the direction, the port and the components. */}}
{{- define "streamFactory.components" -}}
{{- $context := index . 0 -}}
- {{ index . 1 }}:
    {{- range index . 3 }}
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ $context.Release.Namespace | quote }}
      podSelector:
        matchLabels:
          {{- include "streamFactory.selector" (list $context .) | nindent 10 }}
    {{- end }}
  ports:
    - {port: {{ index . 2 }}, protocol: TCP}
{{- end -}}

{{/* To databases, the chart's own or others: a list of the context and of `host:port`. */}}
{{- define "streamFactory.toDatabases" -}}
{{- $context := index . 0 -}}
{{- $own := false -}}
{{- $ports := list -}}
{{- range index . 1 -}}
{{- $port := regexFind "[0-9]+$" . -}}
{{- if include "streamFactory.isOwnPostgres" (list $context (trimSuffix (printf ":%s" $port) .)) -}}
{{- $own = true -}}
{{- else -}}
{{- $ports = append $ports $port -}}
{{- end -}}
{{- end -}}
{{- if $own }}
{{ include "streamFactory.components" (list $context "to" 5432 (list "postgres")) }}
{{- end }}
{{- if $ports }}
{{ include "streamFactory.toOutside" (list $context.Values.networkPolicies.databaseCidrs (uniq $ports | sortAlpha)) }}
{{- end }}
{{- end -}}

{{/* Airflow's metadata as `host:port`: where they are outside, the Secret says which, and no rule can read it. */}}
{{- define "streamFactory.metadata" -}}
{{- ternary (printf "%s-postgres:5432" (include "streamFactory.fullname" .)) "outside:5432" .Values.postgres.enabled -}}
{{- end -}}

{{/* To the servers of these repositories; nothing for a path. A list of the context and the URLs. */}}
{{- define "streamFactory.toGit" -}}
{{- $ports := list -}}
{{- range index . 1 -}}
{{- $given := regexReplaceAll "^[a-z+]+://[^/]*:([0-9]+)(/.*)?$" . "${1}" -}}
{{- if regexMatch "^[0-9]+$" $given -}}
{{- $ports = append $ports $given -}}
{{- else if hasPrefix "https://" . -}}
{{- $ports = append $ports "443" -}}
{{- else if hasPrefix "http://" . -}}
{{- $ports = append $ports "80" -}}
{{- else if or (hasPrefix "ssh://" .) (regexMatch "^[^/:]+:" .) -}}
{{- $ports = append $ports "22" -}}
{{- end -}}
{{- end -}}
{{- if $ports -}}
{{- include "streamFactory.toOutside" (list (index . 0).Values.networkPolicies.gitCidrs (uniq $ports | sortAlpha)) -}}
{{- end -}}
{{- end -}}

{{/* Everything of a policy but its rules: a list of the context, name, namespace, component and more labels of its pods. */}}
{{- define "streamFactory.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ index . 1 | quote }}
  namespace: {{ index . 2 | quote }}
  labels:
    {{- include "streamFactory.labels" (list (index . 0) (index . 3)) | nindent 4 }}
spec:
  policyTypes: [Ingress, Egress]
  podSelector:
    matchLabels:
      {{- toYaml (index . 4) | nindent 6 }}
{{- end -}}
