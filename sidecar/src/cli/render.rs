//! `taskgate render`.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::cli::output;
use crate::config::Config;
use crate::config::load::MAX_CONFIG_BYTES;
use crate::render::check::check;
use crate::render::{envoy, nginx, source};
use crate::{file, yaml};

/// The most that is read of `nginx -T`.
const MAX_DUMP_BYTES: u64 = 64 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum Render {
    /// print a configuration of Envoy (`envoy-config/static.yaml`), filled in
    Envoy(Envoy),
    /// print a configuration of NGINX (`nginx-config/auth_request.conf`), filled in; or look at one
    Nginx(Nginx),
}

#[derive(Debug, Args)]
pub(super) struct Envoy {
    /// the sidecar's configuration file
    #[arg(long, value_name = "FILE", default_value = "taskgate.yaml")]
    config: PathBuf,
    /// where clients connect
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
}

#[derive(Debug, Args)]
pub(super) struct Nginx {
    /// the sidecar's configuration file
    #[arg(long, value_name = "FILE", default_value = "taskgate.yaml", conflicts_with = "check")]
    config: PathBuf,
    /// where clients connect: a port, an address with a port, or `unix:/path`
    #[arg(long, value_name = "ADDRESS", default_value = "80", conflicts_with = "check")]
    listen: String,
    /// use a decision again for equal requests of the same second
    #[arg(long, conflicts_with = "check")]
    cache: bool,
    /// look at that configuration instead: a file with all that it includes, a folder with an `nginx.conf`, or `-` for
    /// what `nginx -T` prints. The exit status is 1 where a rule does not hold
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

impl Render {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Envoy(options) => {
                let config = read(&options.config)?;
                let directory = options.config.parent().unwrap_or(Path::new("")).to_owned();
                let directory = std::path::absolute(&directory).unwrap_or(directory);
                output::text(&envoy::fixed(&config, &directory, options.listen)?)?;
            }
            Self::Nginx(Nginx { check: Some(path), .. }) => return look(&path),
            Self::Nginx(options) => {
                let wishes = nginx::Wishes { listen: &options.listen, caches: options.cache };
                output::text(&nginx::auth_request(&read(&options.config)?, wishes)?)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The file alone: what it points to need not be on this machine.
fn read(path: &Path) -> anyhow::Result<Config> {
    let text = file::read_text(path, MAX_CONFIG_BYTES)?;
    yaml::parse(&text).with_context(|| path.display().to_string())
}

/// Looks at a configuration and prints each rule that does not hold.
fn look(path: &Path) -> anyhow::Result<ExitCode> {
    let directives = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().take(MAX_DUMP_BYTES).read_to_string(&mut text).context("can't read standard input")?;
        source::dumped(&text)?
    } else {
        source::open(path)?
    };
    let findings = check(&directives);
    for finding in &findings {
        output::line(&finding.to_string())?;
    }
    if findings.is_empty() {
        output::line(&format!("{}: ok", path.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::error(&format!(
        "taskgate: {} places where a rule does not hold; docs/guides/nginx.md explains them",
        findings.len()
    ));
    Ok(ExitCode::FAILURE)
}
