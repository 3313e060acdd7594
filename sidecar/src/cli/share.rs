//! `taskgate share`.

use clap::{Args, Subcommand};
use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use taskgate_core::time::UnixTime;

use crate::api::access::v1::shares::{ListedShare, ShareAnswer, ShareList, ShareRequest};
use crate::cli::access::Office;
use crate::cli::{columns, output};
use crate::config::duration;

/// What is sent where nothing is.
const NOTHING: Option<&()> = None;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Share {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    make: Make,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// list links: who made them, how often they were used, until when they are good
    List(List),
    /// take a link back, and end every session that it gave
    Revoke(Revoke),
}

#[derive(Debug, Args)]
struct Make {
    /// the service's id or another label of it
    #[arg(required = true)]
    service: Option<String>,
    /// how long the link lives, as in 2h or 7d
    #[arg(long = "for", value_name = "TIME", default_value = "1h")]
    lifetime: String,
    /// the path that it is for, with what is below; by default every path
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// how many browsers may use it; by default as many as like
    #[arg(long, value_name = "NUMBER")]
    uses: Option<u64>,
    /// who alone may use it: they have to sign in
    #[arg(long, value_name = "USER")]
    to: Option<String>,
    /// what it is for, for the list
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    office: Office,
}

#[derive(Debug, Args)]
struct List {
    /// those of one service: its id or another label
    #[arg(long)]
    service: Option<String>,
    /// print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    office: Office,
}

#[derive(Debug, Args)]
struct Revoke {
    /// the link's id, as `taskgate share list` has it
    id: String,
    #[command(flatten)]
    office: Office,
}

impl Share {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.command {
            None => self.make.run(),
            Some(Command::List(list)) => list.run(),
            Some(Command::Revoke(revoke)) => revoke.run(),
        }
    }
}

impl Make {
    fn run(self) -> anyhow::Result<()> {
        let request = ShareRequest {
            service: self.service.unwrap_or_default(),
            lifetime_secs: duration::parse(&self.lifetime)?.as_secs(),
            path: self.path,
            uses: self.uses,
            to: self.to,
            note: self.note,
        };
        let answer: ShareAnswer = self.office.ask(&Method::POST, "/shares", Some(&request))?;
        if self.json { output::line(&serde_json::to_string_pretty(&answer)?) } else { output::line(&answer.link) }
    }
}

impl List {
    fn run(self) -> anyhow::Result<()> {
        let query = self.service.map(|label| format!("?service={}", utf8_percent_encode(&label, NON_ALPHANUMERIC)));
        let path = format!("/shares{}", query.unwrap_or_default());
        let list: ShareList = self.office.ask(&Method::GET, &path, NOTHING)?;
        if self.json {
            return output::line(&serde_json::to_string_pretty(&list)?);
        }
        output::text(&table(&list.shares, list.now))
    }
}

impl Revoke {
    fn run(self) -> anyhow::Result<()> {
        let id = utf8_percent_encode(&self.id, NON_ALPHANUMERIC);
        let share: ListedShare = self.office.ask(&Method::DELETE, &format!("/shares/{id}"), NOTHING)?;
        output::line(&format!("{} is over; open streams of it end within seconds", share.id))
    }
}

/// Links as a table.
fn table(shares: &[ListedShare], now: UnixTime) -> String {
    let header = ["ID", "SERVICE", "STATE", "ENDS IN", "USED", "FOR", "PATH", "BY", "NOTE"];
    columns::aligned(header, shares.iter().map(|share| row(share, now)))
}

fn row(share: &ListedShare, now: UnixTime) -> [String; 9] {
    let left = share.expires_at.since(now).as_secs();
    let left = match left {
        0..120 => format!("{left}s"),
        120..7_200 => format!("{}m", left / 60),
        7_200..172_800 => format!("{}h", left / 3_600),
        _ => format!("{}d", left / 86_400),
    };
    let used = match (share.used, share.uses) {
        (Some(used), Some(uses)) => format!("{used}/{uses}"),
        (Some(used), None) => used.to_string(),
        (None, _) => "-".to_owned(),
    };
    [
        share.id.clone(),
        share.service.clone(),
        share.state.clone(),
        if share.state == "live" { left } else { "-".to_owned() },
        used,
        share.to.clone().unwrap_or_else(|| "anybody".to_owned()),
        share.path.clone(),
        share.creator.clone(),
        share.note.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let share = ListedShare {
            id: "000000000000000a".into(),
            service: "ae5cf6f5".into(),
            creator: "alice".into(),
            path: "/".into(),
            state: "live".into(),
            created_at: UnixTime::from_millis(0),
            expires_at: UnixTime::from_millis(7_200_000),
            uses: Some(3),
            used: Some(1),
            uses_left: Some(2),
            last_used_at: None,
            to: None,
            note: "for the\u{1b}[2J review".into(),
            ended_at: None,
            ended_by: None,
            ended_why: None,
        };
        let expected = "\
ID                SERVICE   STATE  ENDS IN  USED  FOR      PATH  BY     NOTE
000000000000000a  ae5cf6f5  live   2h       1/3   anybody  /     alice  for the[2J review
";
        assert_eq!(table(&[share], UnixTime::from_millis(0)), expected);
    }
}
