//! The domain that is copied.

use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::json;
use taskgate_test_kit::{Hsds, HsdsUser};

/// How many datasets it has.
const DATASETS: u32 = 4;
/// Who owns it.
pub(super) const USER: HsdsUser = HsdsUser::One;
/// Where it is.
pub(super) const SOURCE: &str = "/home/test_user1/source.h5";

/// A dataset of numbers that can't be compressed, in chunks of 1 MiB, written 8 MiB at a time.
const WRITE: &str = r#"
import sys
import h5pyd, numpy
domain, number, mebibytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random = numpy.random.default_rng(number)
with h5pyd.File(domain, "a") as file:
    group = file.create_group(f"group{number}")
    group.attrs["number"] = number
    data = group.create_dataset("data", shape=(mebibytes * 128, 1024), dtype="f8", chunks=(128, 1024))
    data.attrs["unit"] = "m/s"
    for row in range(0, mebibytes * 128, 1024):
        some = min(1024, mebibytes * 128 - row)
        data[row:row + some] = random.random((some, 1024))
"#;

/// Whether a copy's dataset has the same bytes.
const COMPARE: &str = r#"
import sys
import h5pyd
source, copy, name = sys.argv[1], sys.argv[2], f"group{sys.argv[3]}/data"
with h5pyd.File(source, "r") as one, h5pyd.File(copy, "r") as other:
    a, b = one[name], other[name]
    assert (a.shape, a.dtype, a.chunks, dict(a.attrs)) == (b.shape, b.dtype, b.chunks, dict(b.attrs))
    for row in range(0, a.shape[0], 1024):
        assert a[row:row + 1024].tobytes() == b[row:row + 1024].tobytes(), row
print("same")
"#;

/// Makes the domain.
pub(super) async fn make(hsds: &Hsds, mebibytes: u32) -> anyhow::Result<()> {
    make_empty(hsds, SOURCE).await?;
    let each = (mebibytes / DATASETS).to_string();
    for number in 0..DATASETS {
        hsds.python(USER, WRITE, &[SOURCE, &number.to_string(), &each]).await.context("the domain can't be made")?;
    }
    // All of it is on the disk before anything is timed.
    hsds.ask(USER, Method::PUT, &format!("/?domain={SOURCE}"), Some(&json!({"flush": 1}))).await?;
    Ok(())
}

/// Makes a domain with nothing in it.
pub(super) async fn make_empty(hsds: &Hsds, domain: &str) -> anyhow::Result<()> {
    hsds.ask(USER, Method::PUT, &format!("/?domain={domain}"), Some(&json!({}))).await.map(drop)
}

/// Deletes a domain with all that is in it.
pub(super) async fn delete(hsds: &Hsds, domain: &str) -> anyhow::Result<()> {
    hsds.ask(USER, Method::DELETE, &format!("/?domain={domain}"), None).await.map(drop)
}

/// Checks a copy.
pub(super) async fn compare(hsds: &Hsds, copy: &str) -> anyhow::Result<()> {
    for number in 0..DATASETS {
        let said = hsds.python(USER, COMPARE, &[SOURCE, copy, &number.to_string()]).await?;
        ensure!(said.trim() == "same", "{copy} is not the same: {said}");
    }
    Ok(())
}
