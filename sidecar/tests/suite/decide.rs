//! Forward-auth: the cases of the corpus by its wires, and its listener.

mod corpus;
mod listener;
