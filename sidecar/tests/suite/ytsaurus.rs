//! Against a YTsaurus cluster that is played.

mod client;
mod support;
mod table;
