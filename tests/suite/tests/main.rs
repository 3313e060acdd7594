//! What must hold of the product as a whole, in one binary.

mod corpus;
mod docs;
mod native;
