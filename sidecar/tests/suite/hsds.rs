//! The HSDS client against a real HSDS server.

mod access;
mod attributes;
mod client;
mod domains;
mod links;
mod objects;
mod support;
mod values;
