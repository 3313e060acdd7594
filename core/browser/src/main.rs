//! Makes JavaScript packages of core's browser build: one for pages (`web`), one for Node.js (`node`).
//!
//! `taskgate-browser MODULE.wasm FOLDER`; `make browser` runs it.

use std::error::Error;
use std::path::{Path, PathBuf};

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(module), Some(folder), None) = (words.next(), words.next(), words.next()) else {
        return Err("say which module to read, and which folder to write to".into());
    };
    package(&module).web(true)?.generate(folder.join("web"))?;
    package(&module).nodejs(true)?.generate(folder.join("node"))?;
    Ok(())
}

fn package(module: &Path) -> Bindgen {
    let mut package = Bindgen::new();
    package.input_path(module).remove_name_section(true).remove_producers_section(true);
    package
}
