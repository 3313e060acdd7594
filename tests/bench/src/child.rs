//! This program again, as a process of its own: the servers that the bench needs.
//!
//! A child prints its addresses as one line of JSON and ends when its standard input does, so it never
//! outlives the bench, however that ends. One that can be asked answers each line with a line.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A running part. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Where it listens.
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Server {
    /// Starts this program with those arguments.
    pub(crate) async fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().context("can't start a part of the bench")?;
        let input = process.stdin.take().context("the part has no input")?;
        let output = process.stdout.take().context("the part has no output")?;
        let mut output = BufReader::new(output).lines();
        let line = output.next_line().await?.context("the part says nothing")?;
        let addresses =
            serde_json::from_str::<Vec<String>>(&line)?.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        Ok(Self { process, input, output, addresses })
    }

    /// Asks a part that answers; both are a line.
    pub(crate) async fn ask(&mut self, question: &str) -> anyhow::Result<String> {
        self.input.write_all(format!("{question}\n").as_bytes()).await.context("can't ask a part of the bench")?;
        self.output.next_line().await?.context("a part of the bench has ended")
    }

    /// Kills it and waits for its end.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("can't end a part of the bench")
    }

    /// Its process id; none once it has ended.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }
}

/// Tells the parent the addresses and waits for its end.
pub(crate) async fn serve(addresses: &[SocketAddr]) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{}", serde_json::json!(addresses))?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Tells the parent the addresses, and answers what it asks until its end.
pub(crate) async fn answer(
    addresses: &[SocketAddr],
    mut answer: impl FnMut(&str) -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{}", serde_json::json!(addresses))?;
    let mut questions = BufReader::new(tokio::io::stdin()).lines();
    while let Some(question) = questions.next_line().await? {
        writeln!(std::io::stdout(), "{}", answer(&question)?)?;
    }
    Ok(())
}
