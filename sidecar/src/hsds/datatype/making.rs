//! Types that operations make.

use serde_json::{Value, json};

use super::{Class, Datatype, Integer, Layout, Member, Order};

impl Datatype {
    /// A whole number of 1, 2, 4 or 8 bytes.
    #[must_use]
    pub fn integer(bytes: u64, is_signed: bool, order: Order) -> Self {
        let layout = Layout { bytes, order };
        let json = json!({"class": "H5T_INTEGER", "base": integer_name(layout, is_signed)});
        Self { class: Class::Integer(Integer { layout, is_signed }), committed: None, json }
    }

    /// An IEEE number of 2, 4 or 8 bytes.
    #[must_use]
    pub fn float(bytes: u64, order: Order) -> Self {
        let layout = Layout { bytes, order };
        let json = json!({"class": "H5T_FLOAT", "base": format!("H5T_IEEE_F{}{}", bytes * 8, order.suffix())});
        Self { class: Class::Float(layout), committed: None, json }
    }

    /// What numpy's `bool` is stored as.
    #[must_use]
    pub fn boolean() -> Self {
        let layout = Layout { bytes: 1, order: Order::Little };
        let json = json!({
            "class": "H5T_ENUM",
            "base": {"class": "H5T_INTEGER", "base": integer_name(layout, true)},
            "members": [{"name": "FALSE", "value": 0}, {"name": "TRUE", "value": 1}],
        });
        let member = |name: &str, value| Member { name: name.to_owned(), value };
        let class = Class::Enumeration {
            base: Integer { layout, is_signed: true },
            members: vec![member("FALSE", 0), member("TRUE", 1)],
        };
        Self { class, committed: None, json }
    }

    /// What numpy's complex numbers are stored as, whose parts have so many bytes each.
    #[must_use]
    pub fn complex(part_bytes: u64, order: Order) -> Self {
        let part = Self::float(part_bytes, order);
        let json = json!({
            "class": "H5T_COMPOUND",
            "fields": [{"name": "r", "type": part.json}, {"name": "i", "type": part.json}],
        });
        let field = |name: &str| super::Field { name: name.to_owned(), datatype: part.clone() };
        Self { class: Class::Compound(vec![field("r"), field("i")]), committed: None, json }
    }

    /// Any number of elements of that type.
    #[must_use]
    pub fn variable(base: Self) -> Self {
        let base = base.with_committed(None);
        let json = json!({"class": "H5T_VLEN", "size": "H5T_VARIABLE", "base": base.json});
        Self { class: Class::Variable(Box::new(base)), committed: None, json }
    }

    /// Unicode text of any length.
    #[must_use]
    pub fn text() -> Self {
        let json: Value = json!({
            "class": "H5T_STRING",
            "length": "H5T_VARIABLE",
            "charSet": "H5T_CSET_UTF8",
            "strPad": "H5T_STR_NULLTERM",
        });
        let padding = Some("H5T_STR_NULLTERM".to_owned());
        Self { class: Class::Text(super::Text { bytes: None, is_unicode: true, padding }), committed: None, json }
    }
}

impl Order {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Big => "BE",
            Self::Little => "LE",
        }
    }
}

fn integer_name(layout: Layout, is_signed: bool) -> String {
    let sign = if is_signed { 'I' } else { 'U' };
    format!("H5T_STD_{sign}{}{}", layout.bytes * 8, layout.order.suffix())
}
