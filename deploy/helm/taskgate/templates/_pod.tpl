{{- define "taskgate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* The sidecar, without what differs between the modes. */}}
{{- define "taskgate.sidecarContainer" -}}
name: taskgate
image: {{ include "taskgate.image" (dict "image" .Values.image "version" .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [serve, --config, /etc/taskgate/taskgate.yaml]
{{- with .Values.sidecar.extraEnv }}
env: {{- toYaml . | nindent 0 }}
{{- end }}
ports:
- {name: operations, containerPort: 7011}
{{- if eq .Values.mode "sidecar" }}
- {name: internal, containerPort: 7010}
{{- if include "taskgate.isPublic" . }}
- {name: public, containerPort: 7012}
{{- end }}
{{- if .Values.sidecar.forwardAuth.enabled }}
- {name: forward-auth, containerPort: 7013}
{{- end }}
{{- end }}
# Not ready before it knows services: an Envoy that started before would refuse everything. For a provider that is
# down it waits `discovery.startup_secs` and no longer; the rest is for a busy node.
startupProbe:
  httpGet: {path: /readyz, port: operations}
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: {{ include "taskgate.startupSecs" . | int | add 60 }}
readinessProbe:
  httpGet: {path: /readyz, port: operations}
  periodSeconds: 5
  timeoutSeconds: 5
livenessProbe:
  httpGet: {path: /healthz, port: operations}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
resources: {{- toYaml .Values.sidecar.resources | nindent 2 }}
securityContext: {{- include "taskgate.containerSecurity" . | nindent 2 }}
volumeMounts:
- {name: config, mountPath: /etc/taskgate, readOnly: true}
- {name: state, mountPath: /var/lib/taskgate}
- {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "taskgate.envoyContainer" -}}
name: envoy
image: {{ include "taskgate.image" (dict "image" .Values.envoy.image "version" "") | quote }}
imagePullPolicy: {{ .Values.envoy.image.pullPolicy }}
command:
- envoy
- --config-path
- /etc/envoy/envoy.yaml
- --disable-hot-restart
- --concurrency
- {{ .Values.envoy.concurrency | quote }}
- --log-level
- {{ .Values.envoy.logLevel }}
- --drain-time-s
- {{ .Values.envoy.drainSeconds | quote }}
ports:
- {name: http, containerPort: 8080}
- {name: status, containerPort: 9902}
startupProbe:
  httpGet: {path: /ready, port: status}
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /ready, port: status}
  periodSeconds: 5
livenessProbe:
  httpGet: {path: /ready, port: status}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
lifecycle:
  preStop:
    exec:
      # First the cluster has a moment to send new connections elsewhere, then open ones may end.
      command:
      - /bin/bash
      - -c
      - |
        sleep 5
        exec 3<>/dev/tcp/127.0.0.1/9901
        printf 'POST /drain_listeners?graceful&skip_exit HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n' >&3
        cat <&3 > /dev/null
        sleep {{ .Values.envoy.drainSeconds }}
resources: {{- toYaml .Values.envoy.resources | nindent 2 }}
securityContext: {{- include "taskgate.containerSecurity" . | nindent 2 }}
volumeMounts:
- {name: envoy, mountPath: /etc/envoy, readOnly: true}
# The directory of the filter alone: Envoy sees no key.
- {name: filter, mountPath: /etc/taskgate, readOnly: true}
{{- if .Values.envoy.tls.secretName }}
- {name: certificate, mountPath: /etc/taskgate-tls, readOnly: true}
{{- end }}
{{- end -}}

{{- define "taskgate.pod" -}}
{{- if and (eq .Values.mode "envoy") (lt (int .Values.terminationGracePeriodSeconds) (int .Values.envoy.drainSeconds | add 15)) -}}
{{- fail "terminationGracePeriodSeconds must be larger than envoy.drainSeconds by at least 15: else Envoy is killed while it lets connections end" -}}
{{- end -}}
metadata:
  labels:
    {{- include "taskgate.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    {{- if eq .Values.mode "envoy" }}
    checksum/envoy: {{ include "taskgate.envoy" . | sha256sum }}
    {{- end }}
    {{- if .Values.restartOnConfigChange }}
    checksum/config: {{ include "taskgate.config" . | sha256sum }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "taskgate.serviceAccount" . }}
  automountServiceAccountToken: {{ or (gt (len .Values.podLogs.namespaces) 0) (ne .Values.taskGateway.namespace "") }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 2 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- if eq .Values.mode "envoy" }}
  initContainers:
  # Filter and sidecar are of one image, for they must be of one release.
  - name: filter
    image: {{ include "taskgate.image" (dict "image" .Values.image "version" .Chart.AppVersion) | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [cp, /usr/share/taskgate/filter.wasm, /filter/filter.wasm]
    resources:
      requests: {cpu: 10m, memory: 16Mi}
      limits: {memory: 64Mi}
    securityContext: {{- include "taskgate.containerSecurity" . | nindent 6 }}
    volumeMounts:
    - {name: filter, mountPath: /filter}
  # It is ready before Envoy starts, and ends after it.
  - {{- include "taskgate.sidecarContainer" . | nindent 4 }}
    restartPolicy: Always
  containers:
  - {{- include "taskgate.envoyContainer" . | nindent 4 }}
  {{- else }}
  containers:
  - {{- include "taskgate.sidecarContainer" . | nindent 4 }}
    lifecycle:
      # The cluster has a moment to send new connections elsewhere.
      preStop: {exec: {command: [sleep, "5"]}}
  {{- end }}
  volumes:
  - name: config
    projected:
      defaultMode: 0440
      sources:
      - configMap: {name: {{ include "taskgate.fullname" . }}}
      {{- if .Values.files }}
      - configMap: {name: {{ include "taskgate.fullname" . }}-files}
      {{- end }}
      - secret:
          name: {{ include "taskgate.keysSecret" . }}
          items:
          {{- range .Values.keys.ids }}
          - {key: {{ . }}.key, path: keys/{{ . }}.key}
          {{- end }}
          {{- if eq .Values.mode "sidecar" }}
          - {key: internal-secret, path: keys/internal-secret}
          {{- end }}
          {{- if .Values.sidecar.forwardAuth.enabled }}
          - {key: forward-auth-secret, path: keys/forward-auth-secret}
          {{- end }}
      {{- range .Values.secretFiles }}
      - secret:
          name: {{ .name }}
          items:
          {{- range .items }}
          - {key: {{ .key | quote }}, path: {{ printf "secrets/%s" (.path | default .key) | quote }}}
          {{- end }}
      {{- end }}
  - {name: tmp, emptyDir: {}}
  {{- if not .Values.persistence.enabled }}
  - {name: state, emptyDir: {}}
  {{- end }}
  {{- if eq .Values.mode "envoy" }}
  - {name: filter, emptyDir: {sizeLimit: 16Mi}}
  - name: envoy
    configMap: {name: {{ include "taskgate.fullname" . }}-envoy}
  {{- with .Values.envoy.tls.secretName }}
  - name: certificate
    secret: {secretName: {{ . }}, defaultMode: 0440}
  {{- end }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints: {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
