//! Before anything is timed: each variant does what it is there for.

use anyhow::{Context as _, ensure};

use crate::catalogue::{ACTOR, token};
use crate::client::Client;
use crate::experiments;
use crate::request::{Credential, get};
use crate::variant::{Variant, Way};

/// What the upstream sees of a request.
struct Sight {
    /// The visitor's name, in the header that carries it.
    identity: bool,
    /// The visitor's token.
    credential: bool,
}

/// Checks that the variant's request arrives as it should, and that one without a credential doesn't.
pub(crate) async fn check(variant: &Variant<'_>) -> anyhow::Result<()> {
    if matches!(variant.way, Way::Experiment(experiments::READ | experiments::ALL)) {
        return arrives(variant).await.map(|_| ());
    }
    let arrived = arrives(variant).await.and_then(|head| looks_right(variant.way, &head));
    arrived.with_context(|| variant.way.name())?;
    let status = match variant.way {
        Way::AuthzGrpc | Way::AuthzHttp => 403,
        Way::Asserted
        | Way::AssertedAnew
        | Way::Cached
        | Way::CachedAmong(_)
        | Way::Experiment(_)
        | Way::ManySessions
        | Way::Session
        | Way::Uncached => 401,
        Way::Noop | Way::Plain | Way::Public => 200,
    };
    let mut client = Client::connect(variant.address).await?;
    let answer = client.exchange(&get("/", &variant.service, &Credential::None)).await?;
    let name = variant.way.name();
    ensure!(answer.status == status, "{name}: without a credential {} instead of {status}", answer.status);
    Ok(())
}

async fn arrives(variant: &Variant<'_>) -> anyhow::Result<String> {
    let mut client = Client::connect(variant.address).await?;
    let answer = client.exchange(&get("/head", &variant.service, &variant.credential)).await?;
    let body = String::from_utf8_lossy(client.body(answer)).into_owned();
    ensure!(answer.status == 200, "answered {}: {body}", answer.status);
    Ok(body)
}

fn looks_right(way: Way, head: &str) -> anyhow::Result<()> {
    let expected = match way {
        Way::Noop | Way::Plain => Sight { identity: false, credential: true },
        Way::AuthzGrpc | Way::AuthzHttp => Sight { identity: true, credential: true },
        Way::Asserted
        | Way::AssertedAnew
        | Way::Cached
        | Way::CachedAmong(_)
        | Way::Experiment(_)
        | Way::ManySessions
        | Way::Session
        | Way::Uncached => Sight { identity: true, credential: false },
        Way::Public => Sight { identity: false, credential: false },
    };
    let has = |part: &str| head.contains(part);
    ensure!(has(&format!("\r\nx-forwarded-user: {ACTOR}\r\n")) == expected.identity, "identity: {head}");
    ensure!((has(&token(0)) || has("__Host-taskgate")) == expected.credential, "credential: {head}");
    let asserted = head.matches("\r\nx-taskgate-assertion: ").count();
    let expected = usize::from(matches!(way, Way::Asserted | Way::AssertedAnew));
    ensure!(asserted == expected, "{asserted} assertions: {head}");
    let shows_ours = head.matches("\r\nx-taskgate-").count() > asserted && !matches!(way, Way::Experiment(_));
    ensure!(!shows_ours, "Taskgate's own headers reached the upstream: {head}");
    Ok(())
}
