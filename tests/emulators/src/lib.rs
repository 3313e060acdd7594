//! Emulators of the platforms that Taskgate talks to, for tests and demos.
//!
//! Why: such a cluster can't run on a laptop or in CI, so its HTTP API is played, in memory and in full
//! where Taskgate uses it. The judge of an emulator is the platform's own client, not our idea of it.
//!
//! Read in this order: [`yson`], then [`ytsaurus`]; [`arvados`], [`determined`] and [`kubernetes`] stand
//! by themselves.
//!
//! Never used in production: nothing here is hardened.

pub mod arvados;
pub mod determined;
pub mod kubernetes;
pub mod yson;
pub mod ytsaurus;
