//! Sizes as Kubernetes writes them: `100Mi`, `1.5G`, `4096`.

use thiserror::Error;

/// Text that is no size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "is no size; write a number of bytes with `Ki`, `Mi` or `Gi` (of 1024) or `k`, `M` or `G` (of 1000), as in `100Mi`"
)]
pub struct InvalidQuantity;

/// Reads a size in bytes. Parts of a byte count as one.
///
/// # Errors
/// [`InvalidQuantity`].
pub fn parse(text: &str) -> Result<u64, InvalidQuantity> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let multiple = multiple(suffix).ok_or(InvalidQuantity)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || whole.len() > 20 || fraction.len() > 9 || fraction.contains('.') {
        return Err(InvalidQuantity);
    }
    let digits: u128 = format!("{whole}{fraction}").parse().map_err(|_| InvalidQuantity)?;
    let scale = 10_u128.pow(u32::try_from(fraction.len()).map_err(|_| InvalidQuantity)?);
    let bytes = digits.checked_mul(multiple).ok_or(InvalidQuantity)?.div_ceil(scale);
    u64::try_from(bytes).map_err(|_| InvalidQuantity)
}

fn multiple(suffix: &str) -> Option<u128> {
    Some(match suffix {
        "" => 1,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        "Ei" => 1 << 60,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "P" => 1_000_000_000_000_000,
        "E" => 1_000_000_000_000_000_000,
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let exponent: u32 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
            10_u128.checked_pow(exponent)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kubernetes_reads() {
        for (text, bytes) in [
            ("100Mi", 104_857_600),
            ("1Gi", 1 << 30),
            ("1.5Ki", 1_536),
            ("0.1Ki", 103),
            ("4096", 4_096),
            ("2k", 2_000),
            ("1.5G", 1_500_000_000),
            ("1e3", 1_000),
            ("1E+3", 1_000),
            ("1E", 1_000_000_000_000_000_000),
            (".5Mi", 524_288),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "Mi", "-1", "1mi", "1MB", "1 Mi", "1.2.3", "100000Ei", "1e99", "1e-3", "."] {
            assert_eq!(parse(text), Err(InvalidQuantity), "{text}");
        }
    }
}
