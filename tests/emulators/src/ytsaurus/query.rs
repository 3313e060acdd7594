//! Parameters in a query string: `path=//tmp&attributes[0]=id&output_format[$value]=json`.

use std::sync::Arc;

use super::error::ClusterError;
use crate::yson::{Node, Yson, YsonMap};

/// How deep brackets may be nested.
const MAX_DEPTH: usize = 6;

/// The parameters of a query string.
pub(super) fn parameters(query: &str) -> Result<YsonMap, ClusterError> {
    let mut root = YsonMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decode(key), decode(value));
        let keys = split(&key)?;
        insert(&mut root, &keys, scalar(value))?;
    }
    for value in root.values_mut() {
        shape(value);
    }
    Ok(root)
}

fn split(key: &[u8]) -> Result<Vec<Vec<u8>>, ClusterError> {
    let malformed = || {
        ClusterError::generic("Unable to parse parameters from query string")
            .because(ClusterError::generic(format!("bad key \"{}\"", String::from_utf8_lossy(key))))
    };
    let (name, mut rest) = match key.iter().position(|byte| *byte == b'[') {
        Some(bracket) => key.split_at(bracket),
        None => (key, &[][..]),
    };
    let mut keys = vec![name.to_vec()];
    while let Some(inner) = rest.strip_prefix(b"[") {
        let end = inner.iter().position(|byte| *byte == b']').ok_or_else(malformed)?;
        keys.push(inner[..end].to_vec());
        rest = &inner[end + 1..];
    }
    if name.is_empty() || !rest.is_empty() || keys.len() > MAX_DEPTH { Err(malformed()) } else { Ok(keys) }
}

fn insert(map: &mut YsonMap, keys: &[Vec<u8>], value: Yson) -> Result<(), ClusterError> {
    let Some((key, rest)) = keys.split_first() else { return Ok(()) };
    if rest.is_empty() {
        map.insert(key.clone(), value);
        return Ok(());
    }
    let place = map.entry(key.clone()).or_insert_with(|| YsonMap::new().into());
    match place.as_map_mut() {
        Some(inner) => insert(inner, rest, value),
        None => Err(ClusterError::generic("Unable to parse parameters from query string")),
    }
}

/// Maps of `0`, `1`, … become lists; `$value` and `$attributes` become a value with attributes.
fn shape(value: &mut Yson) {
    let Some(fields) = value.as_map_mut() else { return };
    for field in fields.values_mut() {
        shape(field);
    }
    if let Some(inner) = fields.remove(b"$value".as_slice()) {
        if let Some(Yson { node: Node::Map(attributes), .. }) = fields.remove(b"$attributes".as_slice()) {
            value.attributes = Arc::unwrap_or_clone(attributes);
        }
        value.node = inner.node;
        return;
    }
    let indexes = 0..fields.len();
    let is_list = !fields.is_empty() && indexes.clone().all(|index| fields.contains_key(index.to_string().as_bytes()));
    if is_list {
        let items = indexes.filter_map(|index| fields.remove(index.to_string().as_bytes()));
        value.node = Node::List(items.collect());
    }
}

fn scalar(bytes: Vec<u8>) -> Yson {
    let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse::<i64>().ok());
    number.map_or_else(|| Node::String(bytes).into(), Yson::from)
}

fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                    Some(decoded) => {
                        bytes.push(decoded);
                        rest = &rest[2..];
                    }
                    None => bytes.push(b'%'),
                }
            }
            byte => bytes.push(*byte),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Yson {
        parameters(query).unwrap().into()
    }

    #[test]
    fn reads_scalars_lists_and_maps() {
        assert_eq!(parse("path=%2F%2Ftmp&limit=10&x=a+b"), Yson::parse("{path=\"//tmp\";limit=10;x=\"a b\"}").unwrap());
        assert_eq!(parse("a[0]=x&a[1]=y"), Yson::parse("{a=[x;y]}").unwrap());
        assert_eq!(parse("a[b][c]=1"), Yson::parse("{a={b={c=1}}}").unwrap());
        assert_eq!(
            parse("f[$value]=json&f[$attributes][attributes_mode]=never"),
            Yson::parse("{f=<attributes_mode=never>json}").unwrap()
        );
        assert_eq!(parse(""), Yson::parse("{}").unwrap());
    }

    #[test]
    fn refuses_bad_brackets() {
        for bad in ["a[b=1", "a]b[=1", "[a]=1", "a[b]c=1", "a[1][1][1][1][1][1]=1", "a=1&a[b]=2"] {
            assert!(parameters(bad).is_err(), "{bad}");
        }
    }
}
