//! Every default of the configuration, in one place.

/// `internal.listen`.
pub const INTERNAL_LISTEN: &str = "127.0.0.1:7010";
/// `operations.listen`.
pub const OPERATIONS_LISTEN: &str = "127.0.0.1:7011";
/// `public.listen`.
pub const PUBLIC_LISTEN: &str = "127.0.0.1:7012";
/// `forward_auth.listen`.
pub const FORWARD_AUTH_LISTEN: &str = "127.0.0.1:7013";
/// `xds.listen`.
pub const XDS_LISTEN: &str = "127.0.0.1:7014";
/// `xds.node_clusters`.
pub const XDS_NODE_CLUSTER: &str = "taskgate";
/// `xds.push_interval_ms`.
pub const XDS_PUSH_INTERVAL_MS: u64 = 100;
/// `xds.health_checks.interval_secs`.
pub const XDS_HEALTH_INTERVAL_SECS: u64 = 5;
/// `xds.health_checks.timeout_ms`.
pub const XDS_HEALTH_TIMEOUT_MS: u64 = 1_000;
/// `xds.health_checks.unhealthy_threshold`.
pub const XDS_UNHEALTHY_THRESHOLD: u32 = 3;
/// `xds.health_checks.healthy_threshold`.
pub const XDS_HEALTHY_THRESHOLD: u32 = 1;
/// `xds.health_checks.per_second`.
pub const XDS_HEALTH_PER_SECOND: u32 = 1_000;
/// `xds.health_checks.panic_percent`.
pub const XDS_PANIC_PERCENT: u32 = 50;
/// `tunnels.label`.
pub const TUNNEL_LABEL: &str = "tunnel";
/// `tunnels.max_open`.
pub const MAX_TUNNELS: u64 = 1_024;
/// `tunnels.max_open_per_service`.
pub const MAX_TUNNELS_PER_SERVICE: u64 = 256;
/// `tunnels.max_open_per_visitor`.
pub const MAX_TUNNELS_PER_VISITOR: u64 = 64;
/// `tunnels.connect_timeout_ms`.
pub const TUNNEL_CONNECT_TIMEOUT_MS: u64 = 1_000;
/// `tunnels.ping_secs`.
pub const TUNNEL_PING_SECS: u64 = 30;
/// `internal.socket_mode`.
pub const SOCKET_MODE: &str = "0660";
/// `providers[].file.name`.
pub const FILE_PROVIDER_NAME: &str = "file";
/// `providers[].file.poll_secs`.
pub const FILE_POLL_SECS: u64 = 10;
/// `dns.min_ttl_secs`.
pub const DNS_MIN_TTL_SECS: u64 = 5;
/// `dns.max_ttl_secs`.
pub const DNS_MAX_TTL_SECS: u64 = 300;
/// `dns.addresses`.
pub const DNS_ADDRESSES: [&str; 2] = ["0.0.0.0/0", "::/0"];
/// `discovery.startup_secs`.
pub const DISCOVERY_STARTUP_SECS: u64 = 60;
/// `discovery.refused_endpoints`.
pub const REFUSED_ENDPOINTS: [&str; 1] = [":9901"];
/// `verdicts.deadline_ms`.
pub const VERDICT_DEADLINE_MS: u64 = 700;
/// `verdicts.allow_lifetime_secs`.
pub const ALLOW_LIFETIME_SECS: u64 = 30;
/// `verdicts.deny_lifetime_secs`.
pub const DENY_LIFETIME_SECS: u64 = 5;
/// `verdicts.cache_entries`.
pub const VERDICT_CACHE_ENTRIES: u64 = 100_000;
/// `verdicts.sources[].jwt.leeway_secs`.
pub const JWT_LEEWAY_SECS: u64 = 30;
/// `verdicts.sources[].jwt.refresh_secs`.
pub const JWKS_REFRESH_SECS: u64 = 600;
/// `verdicts.sources[].jwt.actor_claim`.
pub const JWT_ACTOR_CLAIM: &str = "sub";
/// `verdicts.sources[].jwt.email_claim` and the like.
pub const EMAIL_FIELD: &str = "email";
/// `verdicts.sources[].jwt.groups_claim` and the like.
pub const GROUPS_FIELD: &str = "groups";
/// `verdicts.sources[].callout.actor_field`.
pub const CALLOUT_ACTOR_FIELD: &str = "actor";
/// `verdicts.sources[].callout.timeout_ms`.
pub const CALLOUT_TIMEOUT_MS: u64 = 500;
/// `sessions.max_lifetime_secs`.
pub const SESSION_MAX_LIFETIME_SECS: u64 = 86_400;
/// `names.kept_days`.
pub const NAMES_KEPT_DAYS: u64 = 30;
/// `telemetry.otlp.sample_ratio`.
pub const TRACE_SAMPLE_RATIO: f64 = 1.0;
/// `telemetry.otlp.service_name`.
pub const TRACE_SERVICE_NAME: &str = "taskgate";
/// `telemetry.otlp.timeout_ms`.
pub const TRACE_TIMEOUT_MS: u64 = 5_000;
/// `logs.level`.
pub const LOG_LEVEL: &str = "info";
/// `shutdown.grace_secs`.
pub const SHUTDOWN_GRACE_SECS: u64 = 10;
/// `providers[].ytsaurus.name`, and `verdicts.sources[].ytsaurus.provider`.
pub const YTSAURUS_PROVIDER_NAME: &str = "ytsaurus";
/// `providers[].ytsaurus.timeout_ms`.
pub const YTSAURUS_TIMEOUT_MS: u64 = 10_000;
/// `providers[].ytsaurus.round_secs`.
pub const YTSAURUS_ROUND_SECS: u64 = 60;
/// `providers[].ytsaurus.operations_secs`.
pub const YTSAURUS_OPERATIONS_SECS: u64 = 30;
/// `providers[].ytsaurus.jobs_secs`.
pub const YTSAURUS_JOBS_SECS: u64 = 5;
/// `providers[].ytsaurus.batch_commands`.
pub const YTSAURUS_BATCH_COMMANDS: usize = 200;
/// `providers[].ytsaurus.spark.lowest_port`.
pub const YTSAURUS_SPARK_LOWEST_PORT: u16 = 1_024;
/// `providers[].ytsaurus.spark.highest_port`.
pub const YTSAURUS_SPARK_HIGHEST_PORT: u16 = 65_535;
/// `providers[].ytsaurus.table.path`.
pub const YTSAURUS_TABLE_PATH: &str = "//sys/task_proxies/services";
/// `providers[].ytsaurus.table.names_path`.
pub const YTSAURUS_NAMES_PATH: &str = "//sys/task_proxies/services_v2";
/// `verdicts.sources[].ytsaurus.cookies`.
pub const YTSAURUS_COOKIE: &str = "YTCypressCookie";
/// `verdicts.sources[].ytsaurus.timeout_ms`.
pub const YTSAURUS_WHOAMI_TIMEOUT_MS: u64 = 2_000;
/// `tasks.attempts`.
pub const TASK_ATTEMPTS: u32 = 5;
/// `tasks.deadline_secs`.
pub const TASK_DEADLINE_SECS: u64 = 604_800;
/// `tasks.hsds.requests`.
pub const HSDS_REQUESTS: usize = 8;
/// `tasks.hsds.timeout_secs`.
pub const HSDS_TIMEOUT_SECS: u64 = 60;
/// `tasks.workers.concurrent`.
pub const TASK_WORKERS_CONCURRENT: usize = 4;
/// `tasks.workers.lease_secs`.
pub const TASK_LEASE_SECS: u64 = 30;
/// `tasks.workers.memory_mib`.
pub const TASK_MEMORY_MIB: usize = 64;
/// `tasks.limits.queued_per_user`.
pub const TASKS_QUEUED_PER_USER: u32 = 100;
/// `tasks.limits.running_per_user`.
pub const TASKS_RUNNING_PER_USER: u32 = 4;
/// `tasks.limits.queued`.
pub const TASKS_QUEUED: u32 = 10_000;
/// `tasks.limits.running`.
pub const TASKS_RUNNING: u32 = 1_000;
/// `tasks.retention.finished_secs`.
pub const TASKS_FINISHED_SECS: u64 = 604_800;
/// `tasks.retention.tombstones_secs`.
pub const TASKS_TOMBSTONES_SECS: u64 = 86_400;
/// `tasks.operations[].http.timeout_secs`.
pub const HTTP_OPERATION_TIMEOUT_SECS: u64 = 30;
/// `tasks.operations[].command.timeout_secs`.
pub const COMMAND_OPERATION_TIMEOUT_SECS: u64 = 3_600;
/// `data.upload.maxSize`.
pub const UPLOAD_MAX_SIZE: &str = "100Mi";
/// `data.upload.maxExpiresIn`.
pub const UPLOAD_MAX_EXPIRES_IN: &str = "1h";
/// `data.upload.storagePrefix`.
pub const UPLOAD_STORAGE_PREFIX: &str = "uploads";
/// `data.upload.multipartExpires`.
pub const UPLOAD_MULTIPART_EXPIRES: &str = "24h";
/// `data.download.maxExpiresIn`.
pub const DOWNLOAD_MAX_EXPIRES_IN: &str = "1h";
/// `data.download.maxReadSize`.
pub const DOWNLOAD_MAX_READ_SIZE: &str = "32Mi";
/// `data.download.concurrentReads`.
pub const DOWNLOAD_CONCURRENT_READS: usize = 16;
/// `data.logs.poll_ms`.
pub const DATA_LOGS_POLL_MS: u64 = 250;
/// `data.logs.recheck`.
pub const DATA_LOGS_RECHECK: &str = "10s";
/// `data.logs.idle`.
pub const DATA_LOGS_IDLE: &str = "1h";
/// `data.logs.max_line`.
pub const DATA_LOGS_MAX_LINE: &str = "64Ki";
/// `data.logs.max_streams`.
pub const DATA_LOGS_MAX_STREAMS: usize = 500;
/// `data.logs.max_object`.
pub const DATA_LOGS_MAX_OBJECT: &str = "64Mi";
/// `data.service.label`.
pub const DATA_SERVICE_LABEL: &str = "data";
/// `data.stores.*.s3.region`.
pub const S3_REGION: &str = "us-east-1";
/// `data.stores.*.local.keep_free`.
pub const LOCAL_STORE_KEEP_FREE: &str = "1Gi";
/// `data.catalog[].callout.timeout_ms`.
pub const CATALOG_TIMEOUT_MS: u64 = 5_000;
/// `data.catalog[].callout.ttl_secs`.
pub const CATALOG_TTL_SECS: u64 = 30;
/// `data.catalog[].callout.negative_ttl_secs`.
pub const CATALOG_NEGATIVE_TTL_SECS: u64 = 5;
/// `data.catalog[].callout.entries`.
pub const CATALOG_ENTRIES: u64 = 10_000;
/// `access.label`.
pub const ACCESS_LABEL: &str = "access";
/// `access.assertions.lifetime_secs`.
pub const ASSERTION_LIFETIME_SECS: u64 = 300;
/// `access.sign_in.actor_claim`.
pub const SIGN_IN_ACTOR_CLAIM: &str = "preferred_username";
/// `access.sign_in.switch_prompt`.
pub const SIGN_IN_SWITCH_PROMPT: &str = "select_account";
/// `access.sign_in.timeout_ms`.
pub const SIGN_IN_TIMEOUT_MS: u64 = 5_000;
/// `access.shares.max_lifetime_secs`.
pub const SHARE_MAX_LIFETIME_SECS: u64 = 30 * 86_400;
/// `providers[].determined.name`.
pub const DETERMINED_PROVIDER_NAME: &str = "determined";
/// `providers[].determined.timeout_ms`.
pub const DETERMINED_TIMEOUT_MS: u64 = 10_000;
/// `providers[].determined.poll_secs`.
pub const DETERMINED_POLL_SECS: u64 = 5;
/// `verdicts.sources[].determined.timeout_ms`.
pub const DETERMINED_WHOAMI_TIMEOUT_MS: u64 = 2_000;
/// `providers[].arvados.name`.
pub const ARVADOS_PROVIDER_NAME: &str = "arvados";
/// `providers[].arvados.timeout_ms`.
pub const ARVADOS_TIMEOUT_MS: u64 = 10_000;
/// `providers[].arvados.round_secs`.
pub const ARVADOS_ROUND_SECS: u64 = 60;
/// `providers[].arvados.poll_secs`.
pub const ARVADOS_POLL_SECS: u64 = 5;
/// `providers[].arvados.controller.listen`.
pub const ARVADOS_RELAY_LISTEN: &str = "127.0.0.1";
/// `providers[].arvados.controller.max_secs`: the controller's own limit.
pub const ARVADOS_RELAY_MAX_SECS: u64 = 300;
/// `providers[].arvados.controller.max_requests`: half of the places that the controller has.
pub const ARVADOS_RELAY_MAX_REQUESTS: usize = 8;
/// `verdicts.sources[].arvados.timeout_ms`.
pub const ARVADOS_WHOAMI_TIMEOUT_MS: u64 = 2_000;
/// `internal_task_gateway.gateway_port_range_start`.
pub const GATEWAY_PORT_RANGE_START: u16 = 20_000;
/// `internal_task_gateway.gateway_port_range_end`: the last one below those that Linux gives to clients.
pub const GATEWAY_PORT_RANGE_END: u16 = 32_767;
/// `internal_task_gateway.program_timeout_secs`.
pub const GATEWAY_PROGRAM_TIMEOUT_SECS: u64 = 30;
/// `internal_task_gateway.port_rest_secs`.
pub const GATEWAY_PORT_REST_SECS: u64 = 600;
/// `internal_task_gateway.port_kept_secs`.
pub const GATEWAY_PORT_KEPT_SECS: u64 = 60;
/// `internal_task_gateway.close_after_secs`.
pub const GATEWAY_CLOSE_AFTER_SECS: u64 = 5;
/// `internal_task_gateway.envoy.listen`.
pub const GATEWAY_ENVOY_LISTEN: &str = "0.0.0.0";
/// `internal_task_gateway.envoy.filter_file`.
pub const GATEWAY_ENVOY_FILTER_FILE: &str = "/etc/taskgate/filter.wasm";
/// `internal_task_gateway.envoy.sidecar_cluster`.
pub const GATEWAY_ENVOY_SIDECAR_CLUSTER: &str = "taskgate-sidecar";
/// `internal_task_gateway.envoy.verdict_timeout_ms`; the filter's own default.
pub const GATEWAY_ENVOY_VERDICT_TIMEOUT_MS: u64 = 1_000;
/// `internal_task_gateway.envoy.max_connections_per_service`.
pub const GATEWAY_ENVOY_MAX_CONNECTIONS_PER_SERVICE: u32 = 1_024;
