//! Choosing among operands: `where` and `clip`.
