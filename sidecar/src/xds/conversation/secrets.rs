//! The secrets of one stream: who asks for them, what it has, and what it does not take.
//!
//! A proxy asks for them when it got a listener that refers to them, and when it comes back. What it refused is not sent
//! again before there is another attempt. Who comes back without any may have refused them on an earlier stream: it gets
//! both forms, and what it says of the second one counts.

use std::collections::HashMap;
use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use crate::xds::conversation::{Heard, MAX_REASON};
use crate::xds::ports::board::Seat;
use crate::xds::ports::secrets::{Refusal, Said, SecretName, Secrets, TYPE_URL};

/// The secrets of one stream.
#[derive(Debug, Default)]
pub(super) struct SecretTalk {
    /// Which it asked for.
    asked: [bool; 2],
    /// Which it may have refused before this stream.
    doubted: [bool; 2],
    /// Whether it got a listener that refers to them on this stream: it then asks for them for the first time.
    is_expected: bool,
    said: Said,
    /// What it did not speak of yet, by nonce.
    under_way: HashMap<String, Offer>,
}

/// What it was sent.
#[derive(Debug)]
struct Offer {
    name: SecretName,
    version: Arc<str>,
    attempt: u32,
    /// Whether it only goes before what counts.
    is_prelude: bool,
}

impl SecretTalk {
    /// A listener that refers to them is sent.
    pub(super) const fn expect(&mut self) {
        self.is_expected = true;
    }

    /// Takes what a proxy says.
    pub(super) fn hear(&mut self, seat: &Seat, request: &DeltaDiscoveryRequest) -> Heard {
        for name in SecretName::ALL {
            let has = |names: &[String]| names.iter().any(|named| named == name.as_str());
            let index = name.index();
            if has(&request.resource_names_unsubscribe) {
                (self.asked[index], self.said.held[index]) = (false, None);
            }
            if has(&request.resource_names_subscribe) {
                self.asked[index] = true;
                // Who asks again for what it has wants it again, and has looked at nothing yet.
                let brought = request.initial_resource_versions.get(name.as_str());
                self.doubted[index] = brought.is_none() && !self.is_expected;
                self.said.held[index] = brought.map(|version| version.as_str().into());
                self.said.refused = None;
            }
        }
        let heard = self.settle(request);
        seat.note(|proxy| proxy.secrets.clone_from(&self.said));
        heard
    }

    /// Takes what it thinks of what it was sent.
    fn settle(&mut self, request: &DeltaDiscoveryRequest) -> Heard {
        let offer = self.under_way.remove(&request.response_nonce).filter(|offer| !offer.is_prelude);
        let Some(Offer { name, version, attempt, .. }) = offer else { return Heard::Fine };
        let Some(error) = &request.error_detail else {
            let is_refused = self.said.refused.as_ref().is_some_and(|refusal| refusal.attempt == attempt);
            if self.asked[name.index()] && !is_refused {
                self.said.held[name.index()] = Some(version);
            }
            return Heard::Fine;
        };
        let reason: String = error.message.chars().take(MAX_REASON).collect();
        // Which of the two is wrong it does not know: both go again.
        self.said.held = Default::default();
        if self.asked[name.index()] {
            let told = format!("it can't use the files of `{}`: {reason}", name.as_str());
            self.said.refused = Some(Refusal { version, attempt, reason: told.into() });
        }
        Heard::Refused { resource: name.as_str().to_owned(), reason }
    }

    /// What to send next; none while there is nothing.
    pub(super) fn next(&mut self, secrets: &Secrets, nonces: &mut u64) -> Option<DeltaDiscoveryResponse> {
        if self.said.refused.as_ref().is_some_and(|refusal| refusal.is_of(secrets)) {
            return None;
        }
        let is_under_way = |name: SecretName| self.under_way.values().any(|offer| offer.name == name);
        let is_lacking = |name: &SecretName| {
            let held = self.said.held[name.index()].as_ref();
            self.asked[name.index()] && held != Some(secrets.version()) && !is_under_way(*name)
        };
        let name = SecretName::ALL.into_iter().find(is_lacking)?;
        *nonces = nonces.wrapping_add(1);
        let nonce = nonces.to_string();
        let is_prelude = std::mem::take(&mut self.doubted[name.index()]);
        let (version, attempt) = (Arc::clone(secrets.version()), secrets.attempt());
        self.under_way.insert(nonce.clone(), Offer { name, version, attempt, is_prelude });
        let resource = if is_prelude { secrets.prelude(name) } else { secrets.resource(name) };
        Some(DeltaDiscoveryResponse {
            system_version_info: secrets.version().as_ref().to_owned(),
            resources: vec![resource],
            type_url: TYPE_URL.to_owned(),
            nonce,
            ..DeltaDiscoveryResponse::default()
        })
    }
}

#[cfg(test)]
mod tests;
