//! Links: the names of objects in groups.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::hsds::calls::{ListOrder, id, list, text};
use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::hsds::domain::DomainName;
use crate::hsds::id::ObjectId;

/// A name in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The name.
    pub name: String,
    /// What it stands for.
    pub target: Target,
}

/// What a link stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A path in another domain.
    External {
        /// The domain, as it was written.
        domain: String,
        /// The path there.
        path: String,
    },
    /// An object, which lives as long as it has a link.
    Hard(ObjectId),
    /// A path, which need not lead anywhere.
    Soft(String),
}

impl Session {
    /// The links of a group in that order, at most `limit`, after the one named `after`.
    ///
    /// # Errors
    /// [`HsdsError::NotFound`] also if there is no link `after`; others.
    pub async fn links(
        &self,
        domain: &DomainName,
        group: ObjectId,
        order: ListOrder,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Link>, HsdsError> {
        let mut call = self
            .call(Method::GET, &["groups", &group.to_string(), "links"], domain)
            .query("Limit", limit)
            .flag("CreateOrder", order == ListOrder::Creation);
        if let Some(after) = after {
            call = call.query("Marker", after);
        }
        let answer = self.json(call).await?;
        list(&answer, "links")?.iter().map(read).collect()
    }

    /// The link of that name.
    ///
    /// # Errors
    /// [`HsdsError`].
    pub async fn link(&self, domain: &DomainName, group: ObjectId, name: &str) -> Result<Link, HsdsError> {
        let call = self.call(Method::POST, &["groups", &group.to_string(), "links"], domain);
        let answer = self.json(call.body(&json!({"titles": [name]}))).await?;
        let link = list(&answer, "links")?.first().ok_or(HsdsError::NotFound)?;
        read(link)
    }

    /// Makes links in a group. One that is there already, and the same, is no error.
    ///
    /// # Errors
    /// [`HsdsError::Conflict`] if a name stands for something else; then no link was made. Others.
    pub async fn put_links(&self, domain: &DomainName, group: ObjectId, links: &[Link]) -> Result<(), HsdsError> {
        if links.is_empty() {
            return Ok(());
        }
        let body: Map<String, Value> = links.iter().map(|link| (link.name.clone(), wanted(&link.target))).collect();
        let call = self.call(Method::PUT, &["groups", &group.to_string(), "links"], domain);
        self.ask(call.body(&json!({"links": body}))).await.map(|_| ())
    }

    /// Takes a link out of a group.
    ///
    /// # Errors
    /// [`HsdsError`].
    pub async fn delete_link(&self, domain: &DomainName, group: ObjectId, name: &str) -> Result<(), HsdsError> {
        let call = self.call(Method::DELETE, &["groups", &group.to_string(), "links"], domain);
        self.ask(call.query("titles", name)).await.map(|_| ())
    }
}

/// A link as requests have it, which is not how answers do.
pub(super) fn wanted(target: &Target) -> Value {
    match target {
        Target::External { domain, path } => {
            json!({"class": "H5L_TYPE_EXTERNAL", "h5path": path, "h5domain": domain, "file": domain})
        }
        Target::Hard(id) => json!({"class": "H5L_TYPE_HARD", "id": id.to_string()}),
        Target::Soft(path) => json!({"class": "H5L_TYPE_SOFT", "h5path": path}),
    }
}

fn read(link: &Value) -> Result<Link, HsdsError> {
    let target = match text(link, "class")?.as_str() {
        "H5L_TYPE_HARD" => Target::Hard(id(link, "id")?),
        "H5L_TYPE_SOFT" => Target::Soft(text(link, "h5path")?),
        "H5L_TYPE_EXTERNAL" => {
            let domain = text(link, "file").or_else(|_| text(link, "h5domain"))?;
            Target::External { domain, path: text(link, "h5path")? }
        }
        _ => return Err(HsdsError::malformed("a link of an unknown class")),
    };
    Ok(Link { name: text(link, "title")?, target })
}
