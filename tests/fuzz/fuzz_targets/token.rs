//! Any bytes as a token: only what the ring sealed opens, for its own purpose, service and time.

#![no_main]

use libfuzzer_sys::fuzz_target;
use taskgate_core::key::Purpose;
use taskgate_core::token::{NONCE_BYTES, Opened, open, seal};
use taskgate_core::{session, share};
use taskgate_fuzz::{IDS, ring, session as sealed};

fuzz_target!(|data: &[u8]| {
    let ring = ring();
    let genuine: Vec<String> = IDS.iter().map(|id| sealed(id)).collect();
    let is_genuine = genuine.iter().any(|token| token.as_bytes() == data);
    for purpose in [Purpose::Session, Purpose::Share] {
        let opened = matches!(open(&ring, purpose, data), Opened::Payload(_));
        assert_eq!(opened, is_genuine && purpose == Purpose::Session);
        for (id, token) in IDS.iter().zip(&genuine) {
            assert_eq!(session::open(&ring, data, id).is_ok(), token.as_bytes() == data);
        }
        if let Ok(token) = seal(&ring, purpose, data, [9; NONCE_BYTES]) {
            assert_eq!(open(&ring, purpose, token.as_bytes()), Opened::Payload(data.to_vec()));
            // What was sealed is any bytes: they are claims or they are not, and no panic either way.
            let _ = session::open(&ring, token.as_bytes(), IDS[0]);
            let _ = share::open(&ring, token.as_bytes(), IDS[0], 1);
        }
    }
});
