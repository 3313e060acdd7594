//! A real HSDS server, and Python programs that use it.

pub(crate) mod python;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::address::ReservedAddress;
use crate::environment;
use crate::process::Process;
use crate::wait::wait_for;

/// How long a start may take on a busy machine.
const READY: Duration = Duration::from_secs(90);
/// How long an orderly end may take.
const END: Duration = Duration::from_secs(30);
/// What the server's nodes load first.
const SITECUSTOMIZE: &str = include_str!("hsds/sitecustomize.py");

/// Someone who may use the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HsdsUser {
    /// May do everything.
    Admin,
    /// Has the folder `/home/test_user1`, and is in the group `test_group`.
    One,
    /// Has the folder `/home/test_user2`, and is in the group `test_group`.
    Two,
}

/// A running HSDS server of one service node and, mostly, one data node, with the buckets `hsdstest` (its own)
/// and `other`. Dropping it kills it.
#[derive(Debug)]
pub struct Hsds {
    directory: TempDir,
    programs: PathBuf,
    service: ReservedAddress,
    data: Vec<ReservedAddress>,
    nodes: Vec<Process>,
    client: reqwest::Client,
}

impl HsdsUser {
    /// Their name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::One => "test_user1",
            Self::Two => "test_user2",
        }
    }

    /// Their password.
    #[must_use]
    pub const fn password(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::One | Self::Two => "test",
        }
    }

    /// Their folder, without a slash at its end.
    #[must_use]
    pub const fn home(self) -> &'static str {
        match self {
            Self::Admin => "/home",
            Self::One => "/home/test_user1",
            Self::Two => "/home/test_user2",
        }
    }

    /// The value of their `Authorization` header.
    #[must_use]
    pub fn authorization(self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.name(), self.password())))
    }
}

impl Hsds {
    /// Starts a server with no domains but its users' folders, and waits until it is ready.
    ///
    /// # Errors
    /// It is not installed, or does not get ready.
    pub async fn start() -> anyhow::Result<Self> {
        Self::with_data_nodes(1).await
    }

    /// The same with so many data nodes.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn with_data_nodes(data_nodes: usize) -> anyhow::Result<Self> {
        let mut hsds = Self {
            directory: tempfile::tempdir()?,
            programs: environment::hsds()?,
            service: ReservedAddress::new()?,
            data: (0..data_nodes).map(|_| ReservedAddress::new()).collect::<anyhow::Result<_>>()?,
            nodes: Vec::new(),
            client: reqwest::Client::new(),
        };
        hsds.configure()?;
        hsds.run()?;
        hsds.wait_ready().await?;
        for (folder, owner) in
            [("/home", HsdsUser::Admin), ("/home/test_user1", HsdsUser::One), ("/home/test_user2", HsdsUser::Two)]
        {
            for bucket in ["hsdstest", "other"] {
                let path = format!("/?domain={folder}&bucket={bucket}");
                let body = json!({"folder": true, "owner": owner.name()});
                hsds.ask(HsdsUser::Admin, Method::PUT, &path, Some(&body)).await?;
            }
        }
        Ok(hsds)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.service.address())
    }

    /// Where its files are: `data/hsdstest` is its bucket.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Everything it logged so far, since before its restarts.
    #[must_use]
    pub fn log(&self) -> String {
        self.nodes.iter().map(Process::log).collect::<Vec<String>>().join("\n")
    }

    /// Sends a request as the REST API has it, and gives the JSON of the answer, or null.
    ///
    /// # Errors
    /// The answer is no success.
    pub async fn ask(&self, user: HsdsUser, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.url());
        let mut request = self.client.request(method, url).basic_auth(user.name(), Some(user.password()));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.timeout(READY).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Kills it, as the system would: what it had not written to its storage is lost. It stays down until
    /// [`Self::restart`].
    ///
    /// # Errors
    /// It can't be killed.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.nodes.iter_mut().try_for_each(Process::kill)
    }

    /// Kills it if it runs, and starts it again with the same files and address.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.kill()?;
        self.run()?;
        self.wait_ready().await
    }

    /// Asks it to end and waits for that; what was written is in its storage then. It stays down until
    /// [`Self::restart`].
    ///
    /// # Errors
    /// It has ended already, or does not end.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        for node in &mut self.nodes {
            node.terminate(END).await?;
        }
        Ok(())
    }

    fn configure(&self) -> anyhow::Result<()> {
        let here = self.directory();
        let config = here.join("config");
        for directory in ["config", "site", "data/hsdstest", "data/other"] {
            fs::create_dir_all(here.join(directory))?;
        }
        fs::write(here.join("site/sitecustomize.py"), SITECUSTOMIZE)?;
        fs::write(config.join("passwd.txt"), "admin:admin\ntest_user1:test\ntest_user2:test\n")?;
        fs::write(config.join("groups.txt"), "admins: admin\ntest_group: test_user1 test_user2\n")?;
        let overrides = json!({
            "allow_noauth": true,
            "bucket_name": "hsdstest",
            "groups_file": config.join("groups.txt"),
            "log_level": "WARNING",
            "node_sleep_time": 1,
            "password_file": config.join("passwd.txt"),
            "root_dir": here.join("data"),
        });
        // JSON is YAML.
        fs::write(config.join("override.yml"), overrides.to_string()).context("can't write the configuration of HSDS")
    }

    fn run(&mut self) -> anyhow::Result<()> {
        let here = self.directory();
        let urls: Vec<String> = self.data.iter().map(|data| format!("http://{}", data.address())).collect();
        let data = format!("--dn_urls={}", urls.join(","));
        let shared = |kind: &str| {
            let mut command = Command::new(self.programs.join("python3"));
            command.env_clear().env("PYTHONPATH", here.join("site")).env("HOME", here).current_dir(here);
            command.env("PYTHONUNBUFFERED", "1").env("BUCKET_NAME", "hsdstest");
            command.arg(self.programs.join("hsds-node")).arg(format!("--node_type={kind}")).arg(&data);
            command.arg(format!("--hsds_endpoint={}", self.url()));
            command.arg(format!("--config_dir={}", here.join("config").display()));
            command.arg(format!("--root_dir={}", here.join("data").display()));
            command.arg("--standalone");
            command
        };
        let mut service = shared("sn");
        service.arg(format!("--sn_url={}", self.url()));
        service.arg(format!("--password_file={}", here.join("config/passwd.txt").display()));
        let mut nodes = vec![Process::start(service, here.join("service-node.log"))?];
        for number in 0..self.data.len() {
            let mut node = shared("dn");
            node.arg(format!("--node_number={number}"));
            nodes.push(Process::start(node, here.join(format!("data-node-{number}.log")))?);
        }
        self.nodes = nodes;
        Ok(())
    }

    async fn wait_ready(&mut self) -> anyhow::Result<()> {
        // The service node says that it is ready when the data node is not there yet.
        let mut states: Vec<String> = self.data.iter().map(|data| format!("http://{}/info", data.address())).collect();
        states.push(format!("http://{}/about", self.service.address()));
        let (client, nodes) = (&self.client, &mut self.nodes);
        let ready = wait_for(READY, "HSDS to be ready", async || {
            if let Some(error) = nodes.iter_mut().find_map(|node| node.check_alive().err()) {
                return Some(Err(error));
            }
            for state in &states {
                let answer = client.get(state).timeout(Duration::from_secs(5)).send().await.ok()?;
                let state: Value = serde_json::from_str(&answer.text().await.ok()?).ok()?;
                let state = state.get("state").or_else(|| state.get("node")?.get("state"));
                state.filter(|state| *state == "READY")?;
            }
            Some(Ok(()))
        });
        match ready.await {
            Ok(ready) => ready.context("HSDS did not start"),
            Err(error) => {
                let lines: Vec<String> = self.nodes.iter().map(Process::last_lines).collect();
                bail!("{error}\n{}", lines.join("\n"))
            }
        }
    }
}
