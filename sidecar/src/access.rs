//! Access of people: sign-in, sessions that end before their time, share links, and why somebody may or may not.

pub mod attempt;
pub mod cookies;
pub mod desk;
mod enter;
pub mod entrance;
pub mod explain;
pub mod host;
pub mod keeper;
pub mod notice;
pub mod oidc;
pub mod pages;
pub mod redeem;
pub mod return_path;
pub mod revoker;
pub mod rights;
pub mod settings;
pub mod shares;
pub mod sign_in;
pub mod sign_out;
pub mod store;
pub mod watch;
