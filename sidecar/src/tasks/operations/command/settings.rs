//! How a program that does an operation is run.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::resolve::{InvalidSetting, within};
use crate::config::task_operations::CommandOperationConfig;

/// The longest that a program may take, in seconds: 30 days.
const LONGEST_SECS: u64 = 2_592_000;

/// How a program that does an operation is run.
#[derive(Clone, Debug)]
pub struct CommandOperationSettings {
    /// The program; absolute.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The names of the variables that it gets.
    pub environment: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether it is sent the owner's credential.
    pub forward_credential: bool,
}

impl CommandOperationSettings {
    /// Checks the configuration of a program. Whether it is there is not looked at: the workers may be on other
    /// machines.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(key: &str, config: CommandOperationConfig) -> Result<Self, InvalidSetting> {
        if !config.path.is_absolute() {
            let reason = "is no absolute path; the program is not looked for";
            return Err(InvalidSetting::new(format!("{key}.path"), reason));
        }
        for (index, argument) in config.arguments.iter().enumerate() {
            if argument.contains('\0') {
                return Err(InvalidSetting::new(format!("{key}.arguments[{index}]"), "has a zero byte"));
            }
        }
        for (index, name) in config.environment.iter().enumerate() {
            if name.is_empty() || name.contains(['=', '\0']) {
                let reason = "is no name of a variable; its value is the worker's";
                return Err(InvalidSetting::new(format!("{key}.environment[{index}]"), reason));
            }
        }
        Ok(Self {
            timeout: within(&format!("{key}.timeout_secs"), config.timeout_secs, 1, LONGEST_SECS)?,
            path: config.path,
            arguments: config.arguments,
            environment: config.environment,
            forward_credential: config.forward_credential,
        })
    }
}
