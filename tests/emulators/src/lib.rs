//! Emulators of the platforms that Taskgate talks to, for tests and demos.
//!
//! Why: a YTsaurus cluster can't run on a laptop or in CI, so its HTTP API is played, in memory and in full
//! where Taskgate uses it. The judge of the emulator is YTsaurus's own client, not our idea of it.
//!
//! Read in this order: [`yson`], then [`ytsaurus`].
//!
//! Never used in production: nothing here is hardened.

pub mod yson;
pub mod ytsaurus;
