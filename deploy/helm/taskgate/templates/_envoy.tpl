{{/*
envoy.yaml: files/static.yaml with the few values that operators set. The file is the repository's own, the one
that the tests run; nothing of it is written twice. What is not where it is expected is an error.
*/}}
{{- define "taskgate.envoy" -}}
{{- $envoy := .Values.envoy -}}
{{- $document := .Files.Get "files/static.yaml" | fromYaml -}}
{{- $resources := $document.static_resources -}}
{{- $listener := first $resources.listeners -}}
{{- $_ := set $listener.address.socket_address "address" (.Values.sidecar.bindAddress | trimPrefix "[" | trimSuffix "]") -}}
{{- $chain := first $listener.filter_chains -}}
{{- $manager := (first $chain.filters).typed_config -}}
{{- if gt (int $envoy.xffTrustedHops) 0 -}}
{{- $_ := set $manager "xff_num_trusted_hops" $envoy.xffTrustedHops -}}
{{- end -}}
{{- $hosts := list -}}
{{- range $host := $manager.route_config.virtual_hosts -}}
{{- if eq $host.name "taskgate" -}}
{{- $_ := set $host "request_body_buffer_limit" $envoy.uploadBufferBytes -}}
{{- $hosts = append $hosts $host -}}
{{- else if $envoy.hsds.host -}}
{{- $_ := set $host "domains" (list (required "envoy.hsds.domain is required with envoy.hsds.host" $envoy.hsds.domain)) -}}
{{- $hosts = append $hosts $host -}}
{{- end -}}
{{- end -}}
{{- $_ := set $manager.route_config "virtual_hosts" $hosts -}}
{{- if $envoy.tls.secretName -}}
{{- $_ := set $chain "transport_socket" (include "taskgate.tlsSocket" . | fromYaml) -}}
{{- end -}}
{{- $clusters := list (include "taskgate.adminCluster" . | fromYaml) -}}
{{- range $cluster := $resources.clusters -}}
{{- if eq $cluster.name "hsds" -}}
{{- if $envoy.hsds.host -}}
{{- $_ := set $cluster "type" "STRICT_DNS" -}}
{{- $endpoint := (first (first $cluster.load_assignment.endpoints).lb_endpoints).endpoint -}}
{{- $_ := set $endpoint.address "socket_address" (dict "address" $envoy.hsds.host "port_value" $envoy.hsds.port) -}}
{{- $clusters = append $clusters $cluster -}}
{{- end -}}
{{- else if ne $cluster.name "taskgate-tasks" -}}
{{- $clusters = append $clusters $cluster -}}
{{- else if $envoy.hsds.host -}}
{{- $clusters = append $clusters $cluster -}}
{{- end -}}
{{- end -}}
{{- $_ := set $resources "clusters" $clusters -}}
{{- $_ := set $resources "listeners" (append $resources.listeners (include "taskgate.statusListener" . | fromYaml)) -}}
{{- toYaml $document -}}
{{- end -}}

{{/* The certificate as a file of its own, which Envoy reads again when the Secret is renewed. */}}
{{- define "taskgate.tlsSocket" -}}
name: envoy.transport_sockets.tls
typed_config:
  "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
  common_tls_context:
    alpn_protocols: [h2, http/1.1]
    tls_certificate_sds_secret_configs:
    - name: taskgate
      sds_config:
        resource_api_version: V3
        path_config_source:
          path: /etc/envoy/certificate.yaml
{{- end -}}

{{- define "taskgate.certificate" -}}
resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: taskgate
  tls_certificate:
    certificate_chain: {filename: /etc/taskgate-tls/tls.crt}
    private_key: {filename: /etc/taskgate-tls/tls.key}
    watched_directory: {path: /etc/taskgate-tls}
{{- end -}}

{{/* The admin interface stays on loopback; from outside there is readiness and statistics alone. */}}
{{- define "taskgate.adminCluster" -}}
name: taskgate-admin
type: STATIC
connect_timeout: 1s
load_assignment:
  cluster_name: taskgate-admin
  endpoints:
  - lb_endpoints:
    - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}
{{- end -}}

{{- define "taskgate.statusListener" -}}
name: taskgate-status
address:
  socket_address: {address: {{ .Values.sidecar.bindAddress | trimPrefix "[" | trimSuffix "]" | quote }}, port_value: 9902}
filter_chains:
- filters:
  - name: envoy.filters.network.http_connection_manager
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
      stat_prefix: taskgate_status
      http_filters:
      - name: envoy.filters.http.router
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
      route_config:
        name: taskgate-status
        virtual_hosts:
        - name: taskgate-status
          domains: ["*"]
          routes:
          - match: {path: /ready, headers: [{name: ":method", string_match: {exact: GET}}]}
            route: {cluster: taskgate-admin, timeout: 5s}
          - match: {path: /stats/prometheus, headers: [{name: ":method", string_match: {exact: GET}}]}
            route: {cluster: taskgate-admin, timeout: 30s}
{{- end -}}
