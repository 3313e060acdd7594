//! Logs: one line an event, on standard error, with the same field names everywhere.

use std::fmt;

use thiserror::Error;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry};

use crate::config::logs::{LogFormat, LogsConfig};

/// A level that is none.
#[derive(Debug, Error)]
#[error("is no log level: write error, warn, info, debug or trace, or `info,taskgate::auth=debug`")]
pub struct InvalidLevel(#[from] ParseError);

/// The running logs, whose level can change.
pub struct Logs {
    level: reload::Handle<EnvFilter, Registry>,
}

impl fmt::Debug for Logs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Logs")
    }
}

/// Checks a level.
///
/// # Errors
/// [`InvalidLevel`].
pub fn check_level(level: &str) -> Result<(), InvalidLevel> {
    filter(level).map(|_| ())
}

impl Logs {
    /// Starts logging for the whole process. Where something logs already, that stays.
    ///
    /// # Errors
    /// [`InvalidLevel`].
    pub fn start<W>(config: &LogsConfig, writer: W) -> Result<Self, InvalidLevel>
    where
        W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
    {
        let (filter, level) = reload::Layer::new(filter(&config.level)?);
        let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
        let lines = match config.format {
            LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
            LogFormat::Text => lines.boxed(),
        };
        // An error says that a subscriber is set already, as in tests that start several sidecars.
        let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
        Ok(Self { level })
    }

    /// Changes the level.
    ///
    /// # Errors
    /// [`InvalidLevel`].
    pub fn set_level(&self, level: &str) -> Result<(), InvalidLevel> {
        // An error says that another subscriber is in charge; its level is its own.
        let _ = self.level.reload(filter(level)?);
        Ok(())
    }
}

fn filter(level: &str) -> Result<EnvFilter, InvalidLevel> {
    Ok(EnvFilter::builder().parse(level)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_checked() {
        for level in ["info", "debug", "off", "warn,taskgate::auth=debug"] {
            assert!(check_level(level).is_ok(), "{level}");
        }
        assert!(check_level("taskgate=loud").is_err());
    }
}
