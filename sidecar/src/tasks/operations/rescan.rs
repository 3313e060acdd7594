//! `rescan`: has the server count a domain's objects and bytes anew.
//!
//! The server itself only does this within a request, which is given up after three minutes though the scan goes on.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::hsds::client::Session;
use crate::hsds::domain::DomainName;
use crate::tasks::operation::{Description, Operation, Preview, Rejection, WorkError, Writes};
use crate::tasks::operations::fault::Fault;
use crate::tasks::operations::numbers::known;
use crate::tasks::operations::place;
use crate::tasks::request::Request;
use crate::tasks::work::Work;

/// How long one attempt waits.
const PATIENCE: Duration = Duration::from_secs(420);

/// Has the server count a domain's objects and bytes anew.
#[derive(Debug)]
pub struct Rescan {
    description: Description,
}

impl Default for Rescan {
    fn default() -> Self {
        let description = Description {
            name: "rescan".to_owned(),
            summary: "Has the server count the objects and bytes of the destination's domain anew.".to_owned(),
            arguments: json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object", "additionalProperties": false, "properties": {},
            }),
            sources: 0..=0,
            destinations: 1..=1,
            writes: Writes::Updates,
        };
        Self { description }
    }
}

impl Rescan {
    /// The domain that is meant: any object of it names it.
    async fn domain(session: &Session, request: &Request) -> Result<DomainName, Fault> {
        known(&request.args, &[])?;
        let [des] = request.des.as_slice() else {
            return Err(Fault::malformed(format!("`des` must have 1 location, not {}", request.des.len())));
        };
        place::object(session, "des[0]", des, false).await.map(|(domain, _)| domain)
    }
}

#[async_trait]
impl Operation for Rescan {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn check(&self, preview: &Preview<'_>) -> Result<(), Rejection> {
        let session = preview.session.ok_or(Fault::NoServer)?;
        Self::domain(session, preview.request).await?;
        Ok(())
    }

    async fn run(&self, work: &mut Work) -> Result<Value, WorkError> {
        let session = work.server()?;
        let domain = work.unless_stopped(Self::domain(session, work.request())).await??;
        let session = session.patient(PATIENCE);
        work.unless_stopped(session.rescan(&domain))
            .await?
            .map_err(|error| WorkError::from(Fault::Server { place: domain.to_string(), error }))?;
        Ok(json!({"domain": domain.to_string()}))
    }
}
