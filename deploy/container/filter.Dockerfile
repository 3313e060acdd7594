# The filter as an image, for Istio's WasmPlugin and Envoy Gateway's EnvoyExtensionPolicy: one layer with
# one file. After `make filter`, from the root of the repository:
#     docker build --file deploy/container/filter.Dockerfile --tag registry.example.test/taskgate-filter:0.1.0 target/wasm

FROM scratch
COPY taskgate_filter.wasm /plugin.wasm
