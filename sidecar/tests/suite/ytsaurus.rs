//! Against a YTsaurus cluster that is played.

mod client;
mod discovery;
mod poison;
mod scale;
mod spark;
mod support;
mod table;
mod verdicts;
