//! Configurations of ingresses: printed for a `taskgate.yaml`, and looked at before they are used.
//!
//! Why: an ingress without the filter is as safe as its configuration. Operators change what they copy, and most of
//! what they can lose shows only once somebody uses it.
//!
//! [`nginx`] and [`envoy`] fill in the files of `nginx-config` and `envoy-config`, which are part of the program.
//! [`check`] reads an NGINX configuration ([`syntax`], [`source`]) and says which rules it breaks.
//!
//! Never writes a file, and never starts NGINX: `check` believes nothing but the text.

pub mod check;
pub mod envoy;
pub mod marked;
pub mod nginx;
pub mod source;
pub mod syntax;
