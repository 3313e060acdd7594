//! Against a YTsaurus cluster that is played.

mod client;
mod discover;
mod discovery;
mod poison;
mod published;
mod scale;
mod spark;
mod support;
mod table;
mod verdicts;
