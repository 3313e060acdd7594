{{/*
What a gateway of others needs beside the filter, cut out of files/static.yaml. Left out is the filter on
repeated attempts: its code comes to such a gateway by a way of its own, which a cluster can't use.
*/}}
{{- define "taskgate.gatewayParts" -}}
{{- $document := .Files.Get "files/static.yaml" | fromYaml -}}
{{- $manager := (first (first (first $document.static_resources.listeners).filter_chains).filters).typed_config -}}
{{- $candidates := dict -}}
{{- range $manager.http_filters -}}
{{- if eq .name "taskgate.candidates" -}}
{{- $candidates = unset . "disabled" -}}
{{- end -}}
{{- end -}}
{{- $host := dict -}}
{{- range $manager.route_config.virtual_hosts -}}
{{- if eq .name "taskgate" -}}
{{- $host = unset . "typed_per_filter_config" -}}
{{- end -}}
{{- end -}}
{{- $domains := list -}}
{{- range .Values.config.gate.base_domains -}}
{{- $domains = concat $domains (list . (printf "*.%s" .)) -}}
{{- end -}}
{{- $_ := set $host "domains" $domains -}}
{{- $clusters := list -}}
{{- $protocols := "envoy.extensions.upstreams.http.v3.HttpProtocolOptions" -}}
{{- range $cluster := $document.static_resources.clusters -}}
{{- if eq $cluster.name "taskgate-sidecar" -}}
{{- $_ := set $cluster "type" "STRICT_DNS" -}}
{{- $endpoint := (first (first $cluster.load_assignment.endpoints).lb_endpoints).endpoint -}}
{{- $_ := set $endpoint.address "socket_address" (dict "address" (include "taskgate.sidecarHost" $) "port_value" 7010) -}}
{{- $options := get $cluster.typed_extension_protocol_options $protocols -}}
{{- $_ := set $options "http_filters" (include "taskgate.secretFilters" $ | fromYamlArray) -}}
{{- else if hasKey $cluster "cluster_type" -}}
{{- $options := get $cluster.typed_extension_protocol_options $protocols -}}
{{- $_ := unset $options "http_filters" -}}
{{- end -}}
{{- if not (has $cluster.name (list "hsds" "taskgate-tasks")) -}}
{{- $clusters = append $clusters $cluster -}}
{{- end -}}
{{- end -}}
{{- $keep := dict -}}
{{- range list "early_header_mutation_extensions" "upgrade_configs" "use_remote_address" "normalize_path" "merge_slashes" "path_with_escaped_slashes_action" "server_header_transformation" "local_reply_config" -}}
{{- $_ := set $keep . (get $manager .) -}}
{{- end -}}
{{- toYaml (dict "manager" $keep "candidates" $candidates "host" $host "clusters" $clusters) -}}
{{- end -}}

{{/* The secret comes from the proxy's environment: it stands in no resource of the gateway's. */}}
{{- define "taskgate.secretFilters" -}}
- name: taskgate.secret
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
    mutations:
      request_mutations:
      - append:
          header: {key: x-taskgate-internal, value: "%ENVIRONMENT(TASKGATE_INTERNAL_SECRET)%"}
          append_action: OVERWRITE_IF_EXISTS_OR_ADD
- name: envoy.filters.http.upstream_codec
  typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec}
{{- end -}}
