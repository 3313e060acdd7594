//! Any headers: what they resolve to is what each way to name a service leads to on its own.

#![no_main]

use libfuzzer_sys::fuzz_target;
use taskgate_core::address::{Domains, resolve};
use taskgate_core::denial::Denial;
use taskgate_core::label::Label;
use taskgate_fuzz::{Headers, gate};

/// What names a service together: a triple's parts mean nothing alone.
const WAYS: [&[&str]; 4] = [
    &[":authority", "host", ":path"],
    &["x-yt-taskproxy-id"],
    &["x-yt-taskproxy-operation-id", "x-yt-taskproxy-task-name", "x-yt-taskproxy-service"],
    &["x-yt-taskproxy-operation-alias", "x-yt-taskproxy-task-name", "x-yt-taskproxy-service"],
];

fuzz_target!(|headers: Headers| {
    let gate = gate();
    let gateways = [Label::parse(b"taskgate").expect("a label")];
    let domains = Domains::new(&["tasks.example.test".into()], &gateways).expect("a host name");
    let resolved =
        |headers: &Headers| resolve(&headers.request(), &domains, gate.table()).map(|resolved| resolved.service.id.to_owned());
    let Ok(id) = resolved(&headers) else { return };
    for way in WAYS {
        let is_of_way = |name: &[u8]| way.iter().any(|of| of.as_bytes().eq_ignore_ascii_case(name));
        let alone = Headers(headers.0.iter().filter(|(name, _)| is_of_way(name)).cloned().collect());
        match resolved(&alone) {
            Ok(other) => assert_eq!(other, id, "{way:?}"),
            Err(Denial::AddressMissing | Denial::IncompleteAddress) => {}
            Err(denial) => panic!("{way:?} alone is {denial:?}, all together {id}"),
        }
    }
});
