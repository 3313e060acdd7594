//! Services to fill a table with, and tokens to ask for them with. Always the same ones.

use std::collections::HashSet;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use taskgate_core::naming::ServiceDigest;

/// The domain under which services are named.
pub(crate) const BASE_DOMAIN: &str = "tasks.bench.test";
/// Who all tokens belong to, and all services.
pub(crate) const ACTOR: &str = "alice";
/// An id that no service has.
pub(crate) const NO_SERVICE: &str = "00000000";
/// Every service's task and name.
const TASK: &str = "server";
const SERVICE: &str = "ui";
/// One service of so many has an alias.
const ALIASED: usize = 4;

/// Services, the rows that make them, and where the sidecar reads them.
#[derive(Debug)]
pub(crate) struct Catalogue {
    /// The ids of services that need a credential.
    pub(crate) protected: Vec<String>,
    /// The id of the one that does not.
    pub(crate) public: String,
    /// The services file.
    pub(crate) file: String,
}

impl Catalogue {
    /// That many services, each at all of `endpoints`.
    pub(crate) fn new(services: usize, endpoints: &[String]) -> Self {
        let endpoints = endpoints.iter().map(|address| format!("\"{address}\"")).collect::<Vec<_>>().join(", ");
        let mut file = String::from("services:\n");
        let mut ids = Vec::with_capacity(services);
        let mut seen = HashSet::with_capacity(services);
        // Ids that collide would be longer, and name another service than the one meant.
        let distinct = (0_u64..).filter_map(|number| {
            let operation = operation(number);
            let id = id(&operation)?;
            seen.insert(id.clone()).then_some((number, operation, id))
        });
        for (place, (number, operation, id)) in distinct.take(services).enumerate() {
            let access = if place == 0 { "public" } else { "can_read" };
            // Writing to a String can't fail.
            let _ = write!(
                file,
                "- {{operation: {operation}, task: {TASK}, service: {SERVICE}, access: {access}, owner: {ACTOR}, \
                 endpoints: [{endpoints}]"
            );
            if place % ALIASED == 0 {
                let _ = write!(file, ", alias: notebook-{number}");
            }
            file.push_str("}\n");
            ids.push(id);
        }
        let public = ids.swap_remove(0);
        Self { protected: ids, public, file }
    }

    /// The service that is asked for again and again.
    pub(crate) fn favourite(&self) -> &str {
        self.protected.first().map(String::as_str).unwrap_or_default()
    }

    /// The id of a public service that is not there, and the file with it.
    pub(crate) fn with_one_more(&self, endpoint: &str) -> (String, String) {
        let operation = operation(u64::MAX);
        let row = format!(
            "- {{operation: {operation}, task: {TASK}, service: {SERVICE}, access: public, endpoints: [\"{endpoint}\"]}}\n"
        );
        (id(&operation).unwrap_or_default(), format!("{}{row}", self.file))
    }
}

/// An operation id in YTsaurus's form.
fn operation(number: u64) -> String {
    let digest = Sha256::digest(number.to_le_bytes());
    let hex = hex(digest.get(..12).unwrap_or_default());
    format!(
        "{}-{}-5103e8-{}",
        hex.get(..8).unwrap_or_default(),
        hex.get(8..16).unwrap_or_default(),
        hex.get(16..).unwrap_or_default()
    )
}

fn id(operation: &str) -> Option<String> {
    ServiceDigest::of(operation, TASK, SERVICE).suffix(8).map(|label| label.to_string())
}

/// The nth token: as long as a platform's tokens are.
pub(crate) fn token(number: usize) -> String {
    format!("y1_BENCHTOKEN-{number:024}")
}

/// The hash that a token is stored as.
pub(crate) fn token_hash(token: &str) -> String {
    hex(&Sha256::digest(token))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_distinct_services() {
        let catalogue = Catalogue::new(1_000, &["127.0.0.1:1".to_owned()]);
        let ids: HashSet<_> = catalogue.protected.iter().chain([&catalogue.public]).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(!ids.contains(&NO_SERVICE.to_owned()));
        assert_eq!(catalogue.file.lines().count(), 1_001);
        assert_eq!(catalogue.file.matches("access: public").count(), 1);
        assert!(!ids.contains(&catalogue.with_one_more("127.0.0.1:1").0));
    }
}
