//! NGINX with WasmX, the compiled filter in it, and `nginx-config/wasmx.conf`, the very file that
//! operators copy.
//!
//! Such an NGINX is in no distribution, so these tests want to be told where one is:
//! `TASKGATE_WASMX_NGINX=/path/to/nginx`. Without that they do nothing, and one says so; the case corpus
//! runs in a host that imitates WasmX all the same (`tests/suite`).

mod gate;
mod requests;
mod trouble;

/// Says so where the tests have nothing to run on; `.config/nextest.toml` shows what it prints.
#[test]
#[expect(clippy::print_stdout, reason = "whoever runs the tests must see that some had nothing to run on")]
fn is_there_or_skipped() {
    match gate::program() {
        Some(program) => println!("the tests of NGINX with WasmX run on {}", program.display()),
        None => println!(
            "\n!!! SKIPPED: every test of NGINX with WasmX in tests/e2e/tests/wasmx.\n\
             !!! To run them set TASKGATE_WASMX_NGINX to an `nginx` with ngx_wasm_module (docs/guides/wasmx.md).\n"
        ),
    }
}
