//! A compiled filter.
//!
//! Why separate: compiling is slow and a module is immutable, so it is done once per process and
//! shared by all hosts and VMs. Never holds anything that belongs to a running filter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use wasmtime::{Config, Engine, InstancePre, Linker, Module};

use crate::state::VmState;
use crate::{HostError, abi};

/// A filter, compiled and linked, ready to be started by any number of hosts. Cheap to clone.
#[derive(Clone)]
pub struct FilterModule {
    instance: InstancePre<VmState>,
}

impl FilterModule {
    /// The filter in a file. A file is compiled once per process, however often it is loaded.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, HostError> {
        static LOADED: OnceLock<Mutex<BTreeMap<PathBuf, FilterModule>>> = OnceLock::new();
        let path = path.as_ref();
        let loaded = LOADED.get_or_init(Mutex::default);
        let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = loaded.get(path) {
            return Ok(module.clone());
        }
        let bytes = std::fs::read(path).map_err(|source| HostError::Read { path: path.to_owned(), source })?;
        let module = Self::from_bytes(&bytes)?;
        loaded.insert(path.to_owned(), module.clone());
        Ok(module)
    }

    /// The filter in `bytes`: binary WebAssembly.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HostError> {
        let broken = |error: wasmtime::Error| HostError::Module(format!("{error:#}"));
        let engine = Engine::new(Config::new().consume_fuel(true)).map_err(broken)?;
        let module = Module::new(&engine, bytes).map_err(broken)?;
        let speaks_abi =
            ["proxy_abi_version_0_2_1", "proxy_abi_version_0_2_0"].iter().any(|name| module.get_export(name).is_some());
        if !speaks_abi {
            return Err(HostError::MissingExport("`proxy_abi_version_0_2_1`"));
        }
        let mut linker = Linker::new(&engine);
        abi::link(&mut linker).map_err(|error| HostError::Link(format!("{error:#}")))?;
        let instance = linker.instantiate_pre(&module).map_err(|error| HostError::Link(format!("{error:#}")))?;
        Ok(Self { instance })
    }

    /// What the module imports, as `module.name`, in its own order.
    pub fn imports(&self) -> Vec<String> {
        let imports = self.instance.module().imports();
        imports.map(|import| format!("{}.{}", import.module(), import.name())).collect()
    }

    /// What the module exports, in its own order.
    pub fn exports(&self) -> Vec<String> {
        self.instance.module().exports().map(|export| export.name().to_owned()).collect()
    }

    pub(crate) fn instance(&self) -> &InstancePre<VmState> {
        &self.instance
    }
}

impl std::fmt::Debug for FilterModule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FilterModule").finish_non_exhaustive()
    }
}
