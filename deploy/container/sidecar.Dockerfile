# The sidecar, with the filter of the same release beside it. From the root of the repository:
#     docker build --file deploy/container/sidecar.Dockerfile --tag taskgate:0.1.0 .
# Debian's own image and not a smaller one, for `cp`: that is how Envoy in the same pod gets the filter.

FROM rust:1.95-bookworm AS build
WORKDIR /build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binaryen \
    && rm -rf /var/lib/apt/lists/*
COPY . .
RUN make filter \
    && cargo build --release --locked --package taskgate

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner 65532 --group 65532 --mode 0750 /var/lib/taskgate
COPY --from=build /build/target/release/taskgate /usr/bin/taskgate
COPY --from=build --chmod=0644 /build/target/wasm/taskgate_filter.wasm /usr/share/taskgate/filter.wasm
USER 65532:65532
EXPOSE 7010 7011 7012 7013
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/taskgate"]
CMD ["serve", "--config", "/etc/taskgate/taskgate.yaml"]
