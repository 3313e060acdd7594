//! Any cookie lines: what is taken out is gone, and what stays is what was there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use taskgate_core::cookie::{strip, values};
use taskgate_core::edit::FieldEdit;

const NAME: &str = "YTCypressCookie";

fn crumbs<'a>(lines: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let crumbs = lines.iter().flat_map(|line| line.split(|byte| *byte == b';'));
    crumbs.map(<[u8]>::trim_ascii).filter(|crumb| !crumb.is_empty()).collect()
}

fn is_named(crumb: &[u8]) -> bool {
    crumb
        .split(|byte| *byte == b'=')
        .next()
        .is_some_and(|name| name.len() < crumb.len() && name.trim_ascii() == NAME.as_bytes())
}

fuzz_target!(|data: &[u8]| {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let expected: Vec<&[u8]> = crumbs(&lines).into_iter().filter(|crumb| !is_named(crumb)).collect();
    let found = values(&lines, NAME).count();
    match strip(&lines, |name| name == NAME.as_bytes()) {
        FieldEdit::Keep => assert_eq!(found, 0),
        FieldEdit::Remove => assert!(found > 0 && expected.is_empty()),
        FieldEdit::Set(text) => {
            assert!(found > 0);
            assert_eq!(crumbs(&[&text]), expected);
            assert_eq!(values(&[&text], NAME).count(), 0);
        }
    }
});
