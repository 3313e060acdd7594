{{/*
taskgate.yaml: what the operator wrote, and what the pod's own shape demands. What the chart sets can't be set
by hand, for then listeners and probes would disagree.
*/}}
{{- define "taskgate.config" -}}
{{- $config := dict -}}
{{- range $key, $value := deepCopy .Values.config -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $_ := set $config $key $value -}}
{{- end -}}
{{- end -}}
{{- $local := eq .Values.mode "envoy" -}}
{{- range $key := list "keys" "filter" "state" "operations" "forward_auth" -}}
{{- if hasKey $config $key -}}
{{- fail (printf "config.%s is set by the chart: see the values `keys`, `persistence` and `sidecar`" $key) -}}
{{- end -}}
{{- end -}}
{{- if hasKey $config "internal" -}}
{{- fail "config.internal is set by the chart" -}}
{{- end -}}
{{- if empty $config.gate.base_domains -}}
{{- fail "config.gate.base_domains is required, as [tasks.example.test]" -}}
{{- end -}}
{{- $bind := .Values.sidecar.bindAddress -}}
{{- $internal := dict "listen" "127.0.0.1:7010" -}}
{{- if not $local -}}
{{- $internal = dict "listen" (printf "%s:7010" $bind) "secret_file" "keys/internal-secret" -}}
{{- end -}}
{{- $_ := set $config "internal" $internal -}}
{{- $_ := set $config "operations" (dict "listen" (printf "%s:7011" $bind)) -}}
{{- $keys := list -}}
{{- range .Values.keys.ids -}}
{{- $keys = append $keys (dict "id" . "secret_file" (printf "keys/%s.key" .)) -}}
{{- end -}}
{{- $_ := set $config "keys" $keys -}}
{{- if $local -}}
{{- /* Ports of the pod where no service may be: Envoy's own. */}}
{{- $discovery := $config.discovery | default dict -}}
{{- $refused := concat ($discovery.refused_endpoints | default list) (list ":8080" ":9901" ":9902") | uniq -}}
{{- $_ := set $discovery "refused_endpoints" $refused -}}
{{- $_ := set $config "discovery" $discovery -}}
{{- end -}}
{{- /* Who has which port outlives pods, and is the same for all: else one port has two services. */}}
{{- with $config.internal_task_gateway -}}
{{- $values := $.Values -}}
{{- $isAlone := and (eq $values.kind "StatefulSet") $values.persistence.enabled (le (int $values.replicas) 1) -}}
{{- $isKept := or .gateway_name .store_file (and .store (not (hasPrefix "sqlite:" .store))) -}}
{{- if not (or $isAlone $isKept) -}}
{{- fail "config.internal_task_gateway needs `store` (or `store_file`), a PostgreSQL database, or one replica of a StatefulSet with persistence: each pod would give the same ports to other services" -}}
{{- end -}}
{{- end -}}
{{- $_ := set $config "state" (dict "directory" "/var/lib/taskgate") -}}
{{- if not $local -}}
{{- $_ := set $config "filter" (dict "wasm_file" "/usr/share/taskgate/filter.wasm") -}}
{{- end -}}
{{- if .Values.sidecar.forwardAuth.enabled -}}
{{- if $local -}}
{{- fail "sidecar.forwardAuth is for mode `sidecar`: with Envoy in the pod nobody would ask it" -}}
{{- end -}}
{{- $forward := dict "listen" (printf "%s:7013" $bind) "secret_file" "keys/forward-auth-secret" -}}
{{- with .Values.sidecar.forwardAuth.groups -}}
{{- $_ := set $forward "groups" . -}}
{{- end -}}
{{- $_ := set $config "forward_auth" $forward -}}
{{- end -}}
{{- $public := $config.public | default dict -}}
{{- if hasKey $public "listen" -}}
{{- fail "config.public.listen is set by the chart: `config.public: {}` turns the listener on" -}}
{{- end -}}
{{- if not (hasKey $config "public") -}}
{{- range $section := list "access" "data" "tasks" "tunnels" -}}
{{- if hasKey $config $section -}}
{{- fail (printf "config.%s is served at the public listener: add `config.public: {}`" $section) -}}
{{- end -}}
{{- end -}}
{{- else if not $local -}}
{{- /* Proxies are in other pods, and reach the sidecar's own services where everybody does: at its Service. */}}
{{- $_ := set $config "public" (merge (dict "listen" (printf "%s:7012" $bind)) $public) -}}
{{- range $section := list "access" "tunnels" -}}
{{- if hasKey $config $section -}}
{{- $_ := set $config $section (include "taskgate.ownService" (list $ (get $config $section) $section) | fromYaml) -}}
{{- end -}}
{{- end -}}
{{- if hasKey $config "data" -}}
{{- $own := include "taskgate.ownService" (list $ $config.data.service "data.service") | fromYaml -}}
{{- $_ := set $config.data "service" $own -}}
{{- end -}}
{{- end -}}
{{- /* A link that is made or taken back, and a session that is ended, count at each pod. */}}
{{- if hasKey $config "access" -}}
{{- $access := $config.access -}}
{{- $isAlone := and (ne .Values.kind "DaemonSet") (le (int .Values.replicas) 1) -}}
{{- if not (or $isAlone $access.store_file (and $access.store (not (hasPrefix "sqlite:" $access.store)))) -}}
{{- fail "config.access needs `store` (or `store_file`), a PostgreSQL database, or one replica: what one pod is told of links and sessions the others would not know" -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Not empty where the sidecar has its public listener. */}}
{{- define "taskgate.isPublic" -}}
{{- if hasKey .Values.config "public" -}}{{- if not (kindIs "invalid" .Values.config.public) -}}yes{{- end -}}{{- end -}}
{{- end -}}

{{/* A section of the sidecar's own services, with where proxies of other pods reach it. Loopback is their own pod. */}}
{{- define "taskgate.ownService" -}}
{{- $section := index . 1 | default dict -}}
{{- if regexMatch "^(127\\.|\\[::1\\]|\\[::ffff:127\\.|localhost)" ($section.address | default "") -}}
{{- fail (printf "config.%s.address is on loopback, which is the ingress's own pod: leave it out, or name another" (index . 2)) -}}
{{- end -}}
{{- merge $section (dict "address" (printf "%s:7012" (include "taskgate.sidecarHost" (index . 0)))) | toYaml -}}
{{- end -}}

{{/* How long the sidecar waits for providers: its own default where nothing is said. */}}
{{- define "taskgate.startupSecs" -}}
{{- $discovery := .Values.config.discovery | default dict -}}
{{- if hasKey $discovery "startup_secs" -}}{{- $discovery.startup_secs | int -}}{{- else -}}60{{- end -}}
{{- end -}}
