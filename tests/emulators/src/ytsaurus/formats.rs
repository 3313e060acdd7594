//! Formats of bodies and headers: which one is meant, and how it is read and written.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::catalogue::DataType;
use super::error::ClusterError;
use crate::yson::{self, AttributesMode, JsonOptions, Yson, YsonFormat};

/// A format that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json(JsonOptions),
    Yson(YsonFormat),
}

// === impl Format ===

impl Format {
    /// The format that a parameter or a header names: `json`, `<format=text>yson`.
    pub(super) fn parse(value: &Yson) -> Result<Self, ClusterError> {
        let text = |name: &str| value.attribute(name).and_then(Yson::as_str);
        let flag = |name: &str, default| value.attribute(name).and_then(as_flag).unwrap_or(default);
        match value.as_str() {
            Some("yson") => match text("format") {
                None | Some("binary") => Ok(Self::Yson(YsonFormat::Binary)),
                Some("text") => Ok(Self::Yson(YsonFormat::Text)),
                Some("pretty") => Ok(Self::Yson(YsonFormat::Pretty)),
                Some(other) => Err(ClusterError::generic(format!("Error parsing YSON format \"{other}\""))),
            },
            Some("json") => Ok(Self::Json(JsonOptions {
                attributes_mode: match text("attributes_mode") {
                    None | Some("on_demand") => AttributesMode::OnDemand,
                    Some("never") => AttributesMode::Never,
                    Some("always") => AttributesMode::Always,
                    Some(other) => {
                        return Err(ClusterError::generic(format!("Error parsing attributes mode \"{other}\"")));
                    }
                },
                encode_utf8: flag("encode_utf8", true),
                pretty: text("format") == Some("pretty"),
                stringify: flag("stringify", false),
                stringify_nan_and_infinity: flag("stringify_nan_and_infinity", false),
                support_infinity: flag("support_infinity", false),
            })),
            _ => Err(ClusterError::generic(format!("Format {value} is not emulated"))),
        }
    }

    /// The format of headers, from the header `X-YT-Header-Format`.
    pub(super) fn of_headers(headers: &HeaderMap) -> Result<Self, ClusterError> {
        let Some(header) = headers.get("x-yt-header-format") else { return Ok(Self::Json(JsonOptions::default())) };
        let unreadable =
            |error: ClusterError| ClusterError::generic("Unable to parse X-YT-Header-Format header").because(error);
        let named = Yson::parse(header.as_bytes().trim_ascii())
            .map_err(|error| unreadable(ClusterError::generic(error.to_string())))?;
        match Self::parse(&named).map_err(unreadable)? {
            // Headers have no binary.
            Self::Yson(_) => Ok(Self::Yson(YsonFormat::Text)),
            json => Ok(json),
        }
    }

    /// The format of a body: what the header of YTsaurus says, else the one of HTTP, else the default.
    pub(super) fn of_body(
        headers: &HeaderMap,
        header_format: &Self,
        names: (&str, HeaderName),
        data: DataType,
    ) -> Result<Self, ClusterError> {
        if let Some(header) = gather(headers, names.0)? {
            let unreadable = |error: ClusterError| {
                ClusterError::generic(format!("Unable to parse {} header", names.0)).because(error)
            };
            return Self::parse(&header_format.read(&header).map_err(unreadable)?);
        }
        let mime = headers.get(names.1).and_then(|value| value.to_str().ok()).map(str::trim);
        Ok(match mime {
            Some("application/json") => Self::Json(JsonOptions::default()),
            Some("application/x-yt-yson-binary") => Self::Yson(YsonFormat::Binary),
            Some("application/x-yt-yson-text") => Self::Yson(YsonFormat::Text),
            Some("application/x-yt-yson-pretty") => Self::Yson(YsonFormat::Pretty),
            _ => match data {
                DataType::Structured => Self::Json(JsonOptions::default()),
                DataType::Tabular => Self::Yson(YsonFormat::Text),
                DataType::Null => Self::Yson(YsonFormat::Binary),
            },
        })
    }

    /// As a parameter names it.
    pub(super) fn to_yson(&self) -> Yson {
        match self {
            Self::Json(options) => Yson::from("json")
                .with_attribute(
                    "attributes_mode",
                    match options.attributes_mode {
                        AttributesMode::Always => "always",
                        AttributesMode::Never => "never",
                        AttributesMode::OnDemand => "on_demand",
                    },
                )
                .with_attribute("encode_utf8", options.encode_utf8)
                .with_attribute("format", if options.pretty { "pretty" } else { "text" })
                .with_attribute("stringify", options.stringify)
                .with_attribute("stringify_nan_and_infinity", options.stringify_nan_and_infinity)
                .with_attribute("support_infinity", options.support_infinity),
            Self::Yson(YsonFormat::Binary) => "yson".into(),
            Self::Yson(YsonFormat::Text) => Yson::from("yson").with_attribute("format", "text"),
            Self::Yson(YsonFormat::Pretty) => Yson::from("yson").with_attribute("format", "pretty"),
        }
    }

    /// What `Content-Type` says about it.
    pub(super) fn mime(&self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json(_) => "application/json",
            Self::Yson(YsonFormat::Binary) => "application/x-yt-yson-binary",
            Self::Yson(YsonFormat::Text) => "application/x-yt-yson-text",
            Self::Yson(YsonFormat::Pretty) => "application/x-yt-yson-pretty",
        })
    }

    /// Reads one value.
    pub(super) fn read(&self, bytes: &[u8]) -> Result<Yson, ClusterError> {
        match self {
            Self::Json(options) => Yson::parse_json(bytes, options.encode_utf8).map_err(as_error),
            Self::Yson(_) => Yson::parse(bytes).map_err(as_error),
        }
    }

    /// Reads rows.
    pub(super) fn read_rows(&self, bytes: &[u8]) -> Result<Vec<Yson>, ClusterError> {
        match self {
            Self::Json(options) => Yson::parse_json_rows(bytes, options.encode_utf8).map_err(as_error),
            Self::Yson(_) => Yson::parse_rows(bytes).map_err(as_error),
        }
    }

    /// Writes one value. What can't be written makes all of it fail.
    pub(super) fn write(&self, value: &Yson) -> Result<Vec<u8>, ClusterError> {
        match self {
            Self::Json(options) => value.to_json(options).map_err(as_error),
            Self::Yson(format) => Ok(value.to_bytes(*format)),
        }
    }

    /// Writes rows.
    pub(super) fn write_rows(&self, rows: &[Yson]) -> Result<Vec<u8>, ClusterError> {
        let mut out = Vec::new();
        match self {
            Self::Json(options) => {
                for row in rows {
                    out.extend(row.to_json(options).map_err(as_error)?);
                    out.push(b'\n');
                }
            }
            Self::Yson(format) => yson::write_rows(rows, *format, &mut out),
        }
        Ok(out)
    }
}

/// The names of the header and of HTTP's for what comes in.
pub(super) const INPUT: (&str, HeaderName) = ("x-yt-input-format", header::CONTENT_TYPE);
/// The names of the header and of HTTP's for what goes out.
pub(super) const OUTPUT: (&str, HeaderName) = ("x-yt-output-format", header::ACCEPT);

/// A header that may be split: `name`, or Base64 in `name0`, `name1` or `name-0`, `name-1`.
pub(super) fn gather(headers: &HeaderMap, name: &str) -> Result<Option<Vec<u8>>, ClusterError> {
    use base64::Engine as _;

    if let Some(header) = headers.get(name) {
        return Ok(Some(header.as_bytes().to_vec()));
    }
    for separator in ["", "-"] {
        let part = |index: usize| headers.get(format!("{name}{separator}{index}")).map(HeaderValue::as_bytes);
        let parts: Vec<&[u8]> = (0..).map_while(part).collect();
        if !parts.is_empty() {
            let decoded = base64::engine::general_purpose::STANDARD.decode(parts.concat());
            return decoded.map(Some).map_err(|error| {
                ClusterError::generic(format!("Unable to parse \"{name}\" header"))
                    .because(ClusterError::generic(error.to_string()))
            });
        }
    }
    Ok(None)
}

fn as_flag(value: &Yson) -> Option<bool> {
    value.as_bool().or(match value.as_str() {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    })
}

fn as_error(error: impl std::error::Error) -> ClusterError {
    ClusterError::generic(error.to_string())
}
