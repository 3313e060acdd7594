//! What has to be remembered of a workload while it runs: whose it is, and what its owner said last.
//!
//! Arvados knows who changed a request last, not who made it. Whoever may write a request could make it theirs by
//! changing its name, or open it by changing its properties, if that were all that counted. So the owner is who
//! the container runs as, which is fixed when it starts; and of what a request says of a port that counts which was
//! there when the owner was the last to change it. What somebody else wrote about a port does not become the owner's
//! word because the owner changed something else later, of another port or of the request.
//!
//! An address is one workload's: who runs as somebody else can't register it as well, as long as it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

use taskgate_core::service::AccessLevel;

use crate::arvados::discovery::wire::{Container, Request};
use crate::arvados::discovery::wishes::Wishes;
use crate::arvados::uuid::Uuid;

/// What is remembered.
#[derive(Debug, Default)]
pub struct Memory {
    containers: HashMap<Uuid, Remembered>,
    addresses: HashMap<SocketAddr, Claim>,
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
    honoured: Wishes,
    /// Where somebody else left another word, or none.
    foreign_access: BTreeMap<u16, Option<AccessLevel>>,
    foreign_addresses: BTreeMap<u16, Option<SocketAddr>>,
}

/// Whose an address is.
#[derive(Debug)]
struct Claim {
    owner: Uuid,
    is_renewed: bool,
}

impl Memory {
    /// Forgets containers that are gone.
    pub fn retain(&mut self, is_present: impl Fn(&Uuid) -> bool) {
        self.containers.retain(|container, _| is_present(container));
    }

    /// Forgets addresses that nobody claimed since this was called before.
    pub fn end_round(&mut self) {
        self.addresses.retain(|_, claim| std::mem::take(&mut claim.is_renewed));
    }

    /// Whether an address is that owner's. Who claims it first has it until a round in which they don't.
    pub fn claim(&mut self, address: SocketAddr, owner: &Uuid) -> bool {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let claim = self.addresses.entry(address).or_insert_with(|| Claim { owner: owner.clone(), is_renewed: true });
        let is_theirs = claim.owner == *owner;
        claim.is_renewed |= is_theirs;
        is_theirs
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

    /// What a request says by its owner's word, where `now` is all that it says; none where it is not known to be the
    /// owner's request.
    pub fn honoured(&mut self, request: &Request, owner: Option<&Uuid>, now: &Wishes) -> Option<Wishes> {
        let remembered = self.containers.entry(request.container.clone()).or_default();
        let said = remembered.requests.entry(request.uuid.clone()).or_default();
        let is_owners = owner.is_some() && request.modified_by.as_ref() == owner;
        said.is_owners |= is_owners;
        hear(&mut said.honoured.access, &mut said.foreign_access, &now.access, is_owners);
        hear(&mut said.honoured.addresses, &mut said.foreign_addresses, &now.addresses, is_owners);
        said.is_owners.then(|| said.honoured.clone())
    }
}

/// Takes note of what is said of ports now, by the owner or by somebody else.
fn hear<T: Copy + PartialEq>(
    honoured: &mut BTreeMap<u16, T>,
    foreign: &mut BTreeMap<u16, Option<T>>,
    now: &BTreeMap<u16, T>,
    is_owners: bool,
) {
    let ports: BTreeSet<u16> = honoured.keys().chain(foreign.keys()).chain(now.keys()).copied().collect();
    for port in ports {
        let word = now.get(&port).copied();
        if word == honoured.get(&port).copied() {
            foreign.remove(&port);
        } else if !is_owners {
            foreign.insert(port, word);
        } else if foreign.get(&port) != Some(&word) {
            foreign.remove(&port);
            match word {
                Some(word) => drop(honoured.insert(port, word)),
                None => drop(honoured.remove(&port)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

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
        Container {
            uuid: name,
            is_running: true,
            is_over: false,
            ports: Value::Null,
            user: user.map(uuid),
            created_at: String::new(),
        }
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

    fn open(levels: &[(u16, AccessLevel)]) -> Wishes {
        Wishes { access: levels.iter().copied().collect(), ..Wishes::default() }
    }

    #[test]
    fn nobody_puts_words_into_the_owners_mouth() {
        let mut memory = Memory::default();
        let owner = uuid(ALICE);
        let (closed, opened) = (open(&[(80, AccessLevel::Owner)]), open(&[(80, AccessLevel::Public)]));
        let mut said = |by: &str, now: &Wishes| memory.honoured(&request(1, by, json!({})), Some(&owner), now);
        assert_eq!(said(ALICE, &closed), Some(closed.clone()));
        assert_eq!(said(BOB, &opened), Some(closed.clone()), "what another wrote");
        assert_eq!(said(ALICE, &opened), Some(closed.clone()), "the owner changed the name alone");
        assert_eq!(said(ALICE, &closed), Some(closed.clone()));
        assert_eq!(said(ALICE, &opened), Some(opened.clone()), "now the owner wrote it");
        assert_eq!(said(BOB, &Wishes::default()), Some(opened.clone()), "what another took away");
        assert_eq!(said(ALICE, &Wishes::default()), Some(opened.clone()));
    }

    #[test]
    fn the_owners_word_on_one_port_is_none_on_another() {
        let mut memory = Memory::default();
        let owner = uuid(ALICE);
        let mut said = |by: &str, now: &Wishes| memory.honoured(&request(1, by, json!({})), Some(&owner), now);
        let closed = open(&[(80, AccessLevel::Owner)]);
        assert_eq!(said(ALICE, &closed), Some(closed.clone()));
        assert_eq!(said(BOB, &open(&[(80, AccessLevel::Public)])), Some(closed));
        // The owner's container adds a word on another port, and writes the rest back as it was read.
        let both = open(&[(80, AccessLevel::Public), (81, AccessLevel::CanRead)]);
        let mine = open(&[(80, AccessLevel::Owner), (81, AccessLevel::CanRead)]);
        assert_eq!(said(ALICE, &both), Some(mine));
    }

    #[test]
    fn anothers_request_says_nothing() {
        let mut memory = Memory::default();
        let wishes = open(&[(80, AccessLevel::Public)]);
        assert_eq!(memory.honoured(&request(2, BOB, json!({})), Some(&uuid(ALICE)), &wishes), None);
        assert_eq!(memory.honoured(&request(2, BOB, json!({})), None, &wishes), None);
    }

    #[test]
    fn an_address_is_one_owners_until_they_let_go_of_it() {
        let mut memory = Memory::default();
        let address = |text: &str| text.parse::<SocketAddr>().expect(text);
        let (alice, bob) = (uuid(ALICE), uuid(BOB));
        assert!(memory.claim(address("10.1.2.3:80"), &alice) && memory.claim(address("10.1.2.3:80"), &alice));
        memory.end_round();
        assert!(!memory.claim(address("10.1.2.3:80"), &bob) && !memory.claim(address("[::ffff:10.1.2.3]:80"), &bob));
        assert!(memory.claim(address("10.1.2.3:81"), &bob));
        memory.end_round();
        assert!(memory.claim(address("10.1.2.3:80"), &bob), "alice did not claim it in the round before");
    }
}
