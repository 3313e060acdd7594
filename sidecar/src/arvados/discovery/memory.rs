//! What has to be remembered of a workload while it runs: whose it is, and what its owner said last.
//!
//! Arvados knows who changed a request last, not who made it. Whoever may write a request could make it theirs by
//! changing its name, or open it by changing its properties, if that were all that counted. So the owner is who
//! the container runs as, which is fixed when it starts; and of a request's properties those count that were
//! there when the owner was the last to change it. What somebody else wrote does not become the owner's word
//! because the owner changed something else later.

use std::collections::HashMap;

use serde_json::Value;

use crate::arvados::discovery::wire::{Container, Request};
use crate::arvados::uuid::Uuid;

/// What is remembered.
#[derive(Debug, Default)]
pub struct Memory {
    containers: HashMap<Uuid, Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    owner: Option<Uuid>,
    requests: HashMap<Uuid, Said>,
}

/// What a request said.
#[derive(Debug, Default)]
struct Said {
    /// Whether its owner has been the last to change it at some time.
    is_owners: bool,
    /// By the owner's word.
    honoured: Option<Value>,
    /// By somebody else's.
    foreign: Option<Value>,
}

impl Memory {
    /// Forgets containers that are gone.
    pub fn retain(&mut self, is_present: impl Fn(&Uuid) -> bool) {
        self.containers.retain(|container, _| is_present(container));
    }

    /// Whose a container is: as whom it runs. Before it starts: who made its requests, where that is one person,
    /// as it was seen first. None where neither can be told; then nobody is the owner.
    pub fn owner(&mut self, container: &Container, requests: &[Request]) -> Option<Uuid> {
        let remembered = self.containers.entry(container.uuid.clone()).or_default();
        if container.user.is_some() {
            remembered.owner.clone_from(&container.user);
        } else if remembered.owner.is_none() {
            let mut makers = requests.iter().map(|request| request.modified_by.as_ref());
            let first = makers.next().flatten();
            remembered.owner = first.filter(|_| makers.all(|maker| maker == first)).cloned();
        }
        remembered.owner.clone()
    }

    /// The properties of a request, as far as the owner's word goes; none where it is not the owner's request.
    pub fn honoured(&mut self, request: &Request, owner: Option<&Uuid>) -> Option<Value> {
        let remembered = self.containers.entry(request.container.clone()).or_default();
        let said = remembered.requests.entry(request.uuid.clone()).or_default();
        if owner.is_some() && request.modified_by.as_ref() == owner {
            said.is_owners = true;
            let is_foreign = said.foreign.as_ref() == Some(&request.properties);
            if !is_foreign || said.honoured.as_ref() == Some(&request.properties) {
                said.honoured = Some(request.properties.clone());
                said.foreign = None;
            }
        } else if said.honoured.as_ref() != Some(&request.properties) {
            said.foreign = Some(request.properties.clone());
        }
        said.is_owners.then(|| said.honoured.clone().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALICE: &str = "zzzzz-tpzed-00000000000alic";
    const BOB: &str = "zzzzz-tpzed-000000000000bob";

    fn uuid(text: &str) -> Uuid {
        Uuid::parse(text).expect(text)
    }

    fn request(number: u8, by: &str, properties: Value) -> Request {
        Request {
            uuid: uuid(&format!("zzzzz-xvhdp-{number:015}")),
            owner: uuid(by),
            modified_by: Some(uuid(by)),
            container: uuid("zzzzz-dz642-000000000000001"),
            ports: Value::Null,
            properties,
        }
    }

    fn container(user: Option<&str>) -> Container {
        let name = uuid("zzzzz-dz642-000000000000001");
        Container { uuid: name, is_running: true, is_over: false, ports: Value::Null, user: user.map(uuid) }
    }

    #[test]
    fn the_owner_is_who_it_runs_as_whoever_changes_a_request() {
        let mut memory = Memory::default();
        let requests = [request(1, BOB, json!({}))];
        assert_eq!(memory.owner(&container(Some(ALICE)), &requests), Some(uuid(ALICE)));
    }

    #[test]
    fn before_it_runs_the_first_who_were_seen_count() {
        let mut memory = Memory::default();
        let (first, second) = (request(1, ALICE, json!({})), request(2, BOB, json!({})));
        assert_eq!(memory.owner(&container(None), std::slice::from_ref(&first)), Some(uuid(ALICE)));
        assert_eq!(memory.owner(&container(None), &[first.clone(), second.clone()]), Some(uuid(ALICE)));
        assert_eq!(Memory::default().owner(&container(None), &[first, second]), None, "nobody can say");
    }

    #[test]
    fn nobody_puts_words_into_the_owners_mouth() {
        let mut memory = Memory::default();
        let owner = uuid(ALICE);
        let (closed, open) = (json!({"a": "owner"}), json!({"a": "public"}));
        let mut said =
            |by: &str, properties: &Value| memory.honoured(&request(1, by, properties.clone()), Some(&owner));
        assert_eq!(said(ALICE, &closed), Some(closed.clone()));
        assert_eq!(said(BOB, &open), Some(closed.clone()), "what another wrote");
        assert_eq!(said(ALICE, &open), Some(closed.clone()), "the owner changed the name alone");
        assert_eq!(said(ALICE, &closed), Some(closed.clone()));
        assert_eq!(said(ALICE, &open), Some(open.clone()), "now the owner wrote it");
    }

    #[test]
    fn anothers_request_says_nothing() {
        let mut memory = Memory::default();
        let said = memory.honoured(&request(2, BOB, json!({"a": 1})), Some(&uuid(ALICE)));
        assert_eq!(said, None);
        assert_eq!(memory.honoured(&request(2, BOB, json!({"a": 1})), None), None);
    }
}
