//! Shared data and shared queues: how workers tell each other things.
//!
//! Why: races between workers are decided by the compare-and-set number, so it is kept exactly as the
//! real hosts keep it. Never notifies anybody: `proxy_on_queue_ready` is left to the test.

use std::collections::{BTreeMap, VecDeque};

use crate::{Flavour, Status};

/// Which zone a key is in, `None` where there is none. On WasmX what stands before the first slash may
/// name one; any other key is in the zone `*`.
pub(crate) fn zone<'z>(zones: &'z [String], key: &[u8]) -> Option<&'z str> {
    let named = key.iter().position(|byte| *byte == b'/').and_then(|end| key.get(..end));
    let named = named.and_then(|name| zones.iter().find(|zone| zone.as_bytes() == name));
    named.or_else(|| zones.iter().find(|zone| *zone == "*")).map(String::as_str)
}

/// Values by key, each with its compare-and-set number.
#[derive(Debug, Default)]
pub(crate) struct SharedData {
    values: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    last_number: u32,
}

impl SharedData {
    pub(crate) fn read(&self, flavour: Flavour, key: &[u8]) -> Option<&(Vec<u8>, u32)> {
        self.values.get(&stored_key(flavour, key))
    }

    /// Writes unless `number` names another version than the stored one. Zero stands for "any" on
    /// Envoy and for "none yet" on WasmX.
    pub(crate) fn write(&mut self, flavour: Flavour, key: &[u8], value: &[u8], number: u32) -> Result<(), Status> {
        let key = stored_key(flavour, key);
        let stored = self.values.get(&key).map(|(_, stored)| *stored);
        let fits = match (flavour.shares_data_by_checksum(), stored) {
            (false, None) => true,
            (false, Some(stored)) => number == 0 || number == stored,
            (true, stored) => number == stored.unwrap_or_default(),
        };
        if !fits {
            return Err(Status::CasMismatch);
        }
        self.last_number += 1;
        self.values.insert(key, (value.to_vec(), self.last_number));
        Ok(())
    }
}

fn stored_key(flavour: Flavour, key: &[u8]) -> Vec<u8> {
    if flavour.shares_data_by_checksum() { checksum(key).to_le_bytes().to_vec() } else { key.to_vec() }
}

/// CRC-32 as used by zlib and NGINX.
fn checksum(bytes: &[u8]) -> u32 {
    let mut remainder = u32::MAX;
    for byte in bytes {
        remainder ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = remainder & 1;
            remainder = (remainder >> 1) ^ (0xEDB8_8320 * carry);
        }
    }
    !remainder
}

/// Queues by name; a queue's number is its place, from 1.
#[derive(Debug, Default)]
pub(crate) struct Queues(Vec<(Vec<u8>, VecDeque<Vec<u8>>)>);

impl Queues {
    pub(crate) fn register(&mut self, name: &[u8]) -> Result<u32, Status> {
        if let Ok(number) = self.resolve(name) {
            return Ok(number);
        }
        self.0.push((name.to_vec(), VecDeque::new()));
        self.resolve(name)
    }

    pub(crate) fn resolve(&self, name: &[u8]) -> Result<u32, Status> {
        let place = self.0.iter().position(|(known, _)| known == name).ok_or(Status::NotFound)?;
        u32::try_from(place + 1).map_err(|_| Status::InternalFailure)
    }

    pub(crate) fn enqueue(&mut self, number: u32, value: Vec<u8>) -> Result<(), Status> {
        self.find(number)?.push_back(value);
        Ok(())
    }

    pub(crate) fn dequeue(&mut self, number: u32) -> Result<Vec<u8>, Status> {
        self.find(number)?.pop_front().ok_or(Status::Empty)
    }

    fn find(&mut self, number: u32) -> Result<&mut VecDeque<Vec<u8>>, Status> {
        let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let queue = place.and_then(|place| self.0.get_mut(place)).ok_or(Status::NotFound)?;
        Ok(&mut queue.1)
    }
}

#[cfg(test)]
mod tests {
    use super::{SharedData, checksum};
    use crate::{Flavour, Status};

    #[test]
    fn the_checksum_is_the_one_of_zlib() {
        assert_eq!(checksum(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn envoy_overwrites_without_a_number_and_wasmx_does_not() {
        for (flavour, expected) in [(Flavour::Envoy, Ok(())), (Flavour::WasmX, Err(Status::CasMismatch))] {
            let mut data = SharedData::default();
            assert_eq!(data.write(flavour, b"key", b"one", 0), Ok(()));
            assert_eq!(data.write(flavour, b"key", b"two", 0), expected, "{flavour:?}");
        }
    }

    #[test]
    fn keys_with_one_checksum_are_one_key_only_on_wasmx() {
        // A known pair of words with the same CRC-32.
        let (one, other) = (b"plumless", b"buckeroo");
        assert_eq!(checksum(one), checksum(other));
        for (flavour, aliased) in [(Flavour::Envoy, false), (Flavour::WasmX, true)] {
            let mut data = SharedData::default();
            assert_eq!(data.write(flavour, one, b"value", 0), Ok(()));
            assert_eq!(data.read(flavour, other).is_some(), aliased, "{flavour:?}");
        }
    }
}
