//! HSDS, the server of HDF5 data: its REST API as typed calls, and its data model.
//!
//! [`client`] carries one request with its attempts; [`calls`] are the requests, one file a kind of
//! thing; the other modules are the data model: [`datatype`], [`dataspace`], [`selection`], and how
//! values are coded ([`vlen`], [`references`]) and cut ([`slabs`]). Only [`client`] does I/O.
//!
//! It never decides what a user may do: it asks the server with the user's own credential.

pub mod calls;
pub mod client;
pub mod dataspace;
pub mod datatype;
pub mod domain;
pub mod id;
pub mod json;
pub mod references;
pub mod selection;
pub mod slabs;
pub mod vlen;
